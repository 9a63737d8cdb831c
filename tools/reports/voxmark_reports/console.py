"""Tables on a terminal fit its width; in a file or a pipe they are as wide as they need."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_ENDLESS = 1000  # columns


def print_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str] = ()
) -> None:
    """`styles` are of the last column, row by row. Nothing is taken for markup."""
    is_terminal = sys.stdout.isatty()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(Text(heading), no_wrap=not is_terminal)
    for position, row in enumerate(rows):
        cells = [Text(cell) for cell in row]
        if styles:
            cells[-1].stylize(styles[position])
        table.add_row(*cells)
    Console(width=None if is_terminal else _ENDLESS, highlight=False).print(table)


def print_line(text: str, style: str = "") -> None:
    Console(markup=False, highlight=False, soft_wrap=True).print(text, style=style or None)
