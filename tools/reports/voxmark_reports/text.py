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


def counted(count: int, noun: str) -> str:
    """ "1 process", "2 processes"."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun}{'es' if noun.endswith('s') else 's'}"


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


def _scale(seconds: float) -> tuple[float, str]:
    if seconds >= 1 or seconds == 0:
        return 1.0, " s"
    return (1e3, " ms") if seconds >= 1e-3 else (1e6, " µs")


def seconds_text(value: float) -> str:
    """0.0123 -> "12.3 ms"."""
    scale, suffix = _scale(value)
    return f"{significant(value * scale)}{suffix}"


def duration_text(seconds: float) -> str:
    """How long a run takes, as voxmark says it: 2462400 -> "28.5 days"."""
    if seconds < 6000:
        return seconds_text(seconds)
    if seconds < 2 * 86400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def quantity_text(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit == "bytes":
        return bytes_text(value)
    if unit == "seconds":
        return seconds_text(value)
    return significant(value, 4) if value % 1 else f"{value:.0f}"


def pair_text(base: float | None, new: float | None, unit: str) -> tuple[str, str]:
    """Both; to the byte or with more digits where they differ and would look the same."""
    texts = quantity_text(base, unit), quantity_text(new, unit)
    if base is None or new is None or base == new or texts[0] != texts[1]:
        return texts
    if unit == "bytes":
        return f"{base:,.16g} B", f"{new:,.16g} B"
    scale, suffix = _scale(base) if unit == "seconds" else (1.0, "")
    for digits in range(5, 17):
        texts = tuple(f"{significant(v * scale, digits)}{suffix}" for v in (base, new))
        if texts[0] != texts[1]:
            break
    return texts


def change_text(ratio: float) -> str:
    """1.052 -> "+5.2%", 2.5 -> "+150.0%": one form, as these stand below each other. To more digits
    where it is small and not nothing."""
    change = 100 * (ratio - 1)
    if change and abs(change) < 0.05:
        return f"{'+' if change > 0 else '-'}{significant(abs(change), 1)}%"
    return f"{change:+.1f}%" if abs(change) < 1000 else f"{change:+.0f}%"


def times_text(ratio: float) -> str:
    """How many times as fast: 0.5, new over base, -> "2.00x"."""
    return f"{significant(1 / ratio, 3)}x" if ratio else "-"


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
