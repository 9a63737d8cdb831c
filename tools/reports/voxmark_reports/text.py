"""Numbers and names as people read them. Names come from reports and may be hostile."""

import math
import re
import unicodedata
from collections.abc import Iterable

_BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"]


def clean(value: object) -> str:
    """Without control characters: no line breaks, no terminal escapes, valid in XML."""
    text = str(value)
    if text.isprintable():
        return text
    controls = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return "".join(
        "?" if unicodedata.category(c) in controls or c in "\ufffe\uffff" else c for c in text
    )


def significant(value: float, digits: int = 4) -> str:
    """That many significant digits, never an exponent: 1234.6 -> "1235", 0.0123 -> "0.01230"."""
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, decimals):.{max(decimals, 0)}f}"


def bytes_text(value: float) -> str:
    """1610612736 -> "1.50 GiB"."""
    exponent = 0
    while abs(value) >= 1024 and exponent < len(_BYTE_UNITS) - 1:
        value /= 1024
        exponent += 1
    if exponent == 0:
        return f"{significant(value, 3) if value % 1 else round(value)} B"
    return f"{significant(value, 3)} {_BYTE_UNITS[exponent]}"


def seconds_text(value: float) -> str:
    """0.0123 -> "12.3 ms"."""
    if value >= 1 or value == 0:
        return f"{significant(value)} s"
    if value >= 1e-3:
        return f"{significant(value * 1e3)} ms"
    return f"{significant(value * 1e6)} µs"


def quantity_text(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit == "bytes":
        return bytes_text(value)
    if unit == "seconds":
        return seconds_text(value)
    return significant(value, 4) if value % 1 else f"{value:.0f}"


def change_text(ratio: float) -> str:
    """1.052 -> "+5.2%"; large ratios as a factor: 2.5 -> "x2.50"."""
    if ratio >= 2 or ratio <= 0.5:
        return f"x{significant(ratio, 3)}"
    return f"{100 * (ratio - 1):+.1f}%"


def percent(share: float) -> str:
    return f"{significant(100 * share, 2)}%"


def merged(texts: Iterable[str]) -> list[str]:
    """Those that differ in their numbers only as one: "waited 48%", "waited 57%" -> "waited 48 to
    57%". In the order of their first appearance."""
    groups: dict[tuple[str, ...], list[list[str]]] = {}
    for text in texts:
        parts = re.split(r"(\d+(?:\.\d+)?)", text)  # numbers are the odd ones
        groups.setdefault(tuple(parts[::2]), []).append(parts[1::2])
    found = []
    for words, numbers in groups.items():
        text = words[0]
        for column, word in zip(zip(*numbers, strict=True), words[1:], strict=True):
            ends = dict.fromkeys([min(column, key=float), max(column, key=float)])
            text += " to ".join(ends) + word
        found.append(text)
    return found


def file_name(text: str) -> str:
    """What may stand in a file's name: letters, digits and "-"."""
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in text)


def image_text(image: list[int]) -> str:
    return "x".join(str(extent) for extent in image)
