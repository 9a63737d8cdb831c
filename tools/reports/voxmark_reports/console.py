"""Tables that fit into a terminal, into $COLUMNS where that is set, or into WIDTH, as in a pipe and
a file. The columns that decide stay whole; the others fold, or go to a line below their row."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.text import Text

WIDTH = 100  # columns, where nothing tells another
_LEAST_FOLDED = 16  # columns of a cell in several lines: narrower ones are hard to read
_LEAST = 4  # where nothing else is left
_GAP = "  "


@dataclass(frozen=True)
class Layout:
    """What becomes of a table that is too wide; columns by their positions."""

    title: int | None = None  # goes to a line above its rows
    folds: Collection[int] = ()  # may take several lines
    below: Sequence[int] = ()  # go below their row, as many as must, in this order
    styled: int = -1  # whose cells have the row's style


def width() -> int:
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    return Console().width if sys.stdout.isatty() else WIDTH


def wrap(text: str, columns: int) -> list[str]:
    """Lines of no more columns than that, as a terminal counts them; broken at blanks, or within a
    word that is longer than a line."""
    lines, line = [], ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if cell_len(longer) <= columns:
            line = longer
            continue
        if line:
            lines.append(line)
        *whole, line = chop_cells(word, max(2, columns)) or [""]
        lines += whole
    return [*lines, line]


def print_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    styles: Sequence[str] = (),
    layout: Layout | None = None,
) -> None:
    """`styles`: one per row. Nothing is taken for markup. Without a layout every column folds."""
    layout = layout or Layout(folds=range(len(headings)))
    console = Console(highlight=False, soft_wrap=True)
    for line in table_lines(headings, rows, styles, layout, width()):
        console.print(line)


def table_lines(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    styles: Sequence[str],
    layout: Layout,
    columns: int,
) -> Iterator[Text]:
    kept, widths = _fitted(headings, rows, layout, columns)
    stacked = len(kept) < len(headings)
    indent = "  " if stacked else ""
    styled = range(len(headings))[layout.styled]
    yield from _row_lines([headings[i] for i in kept], widths, indent)
    yield Text(indent + _GAP.join("-" * own for own in widths), "dim")
    title = None
    for row, style in itertools.zip_longest(rows, styles, fillvalue=""):
        if stacked and layout.title is not None and row[layout.title] != title:
            title = row[layout.title]
            yield from (Text(line) for line in wrap(title, columns))
        own_styles = [style if i == styled else "" for i in kept]
        yield from _row_lines([row[i] for i in kept], widths, indent, own_styles)
        below = [i for i in range(len(headings)) if i not in kept and i != layout.title]
        yield from _lines_below(headings, row, below, columns)


def _fitted(
    headings: Sequence[str], rows: Sequence[Sequence[str]], layout: Layout, columns: int
) -> tuple[list[int], list[int]]:
    """Which columns stay in the table, and their widths."""
    natural = [max(map(cell_len, column)) for column in zip(headings, *rows, strict=True)]
    every = list(range(len(headings)))
    found = _folded(every, natural, layout.folds, _LEAST_FOLDED, columns)
    kept = [i for i in every if i != layout.title]
    room = columns - len(_GAP)
    below = iter(layout.below)
    while found is None and len(kept) > 1:
        found = _folded(kept, natural, layout.folds, _LEAST_FOLDED, room)
        moved = next(below, None)
        if found is None and moved is None:
            break
        kept = [i for i in kept if found is not None or i != moved]
    if found is not None:
        return found
    # Narrower than what decides: that folds too.
    narrowest = [min(natural[i], _LEAST) for i in kept]
    return _folded(kept, natural, kept, _LEAST, room) or (kept, narrowest)


def _folded(
    kept: Sequence[int],
    natural: Sequence[int],
    folds: Collection[int],
    least: int,
    columns: int,
) -> tuple[list[int], list[int]] | None:
    """These columns' widths, the widest of those that fold as narrow as must be; None where they
    cannot fit."""
    widths = {i: natural[i] for i in kept}
    excess = sum(widths.values()) + len(_GAP) * (len(widths) - 1) - columns
    for _ in range(max(0, excess)):
        foldable = [i for i in kept if i in folds and widths[i] > least]
        if not foldable:
            return None
        widths[max(foldable, key=widths.__getitem__)] -= 1
    return list(kept), list(widths.values())


def _row_lines(
    cells: Sequence[str], widths: Sequence[int], indent: str, styles: Sequence[str] = ()
) -> Iterator[Text]:
    parts = [wrap(cell, own) for cell, own in zip(cells, widths, strict=True)]
    for texts in itertools.zip_longest(*parts, fillvalue=""):
        line = Text(indent)
        for position, (text, own) in enumerate(zip(texts, widths, strict=True)):
            line.append(_GAP if position else "")
            line.append(text, (styles[position] if styles else "") or None)
            line.append(" " * (own - cell_len(text)))
        line.rstrip()
        yield line


def _lines_below(
    headings: Sequence[str], row: Sequence[str], below: Sequence[int], columns: int
) -> Iterator[Text]:
    """What was left out of a row, with its headings. A long cell has lines of its own."""
    indent = "      "
    texts = [f"{headings[i]}: {row[i]}" for i in below if row[i] not in ("", "-")]
    room = columns - len(indent)
    line = ""
    for text in texts:
        longer = f"{line}; {text}" if line else text
        if cell_len(longer) > room and line:
            yield Text(indent + line)
            longer = text
        *whole, line = wrap(longer, room)
        yield from (Text(indent + own) for own in whole)
    if line:
        yield Text(indent + line)


def print_line(text: str, style: str = "") -> None:
    Console(markup=False, highlight=False, soft_wrap=True).print(text, style=style or None)
