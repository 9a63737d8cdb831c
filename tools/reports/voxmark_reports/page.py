"""Puts the page together: one file that needs nothing else, and trusts nothing in the reports."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import vl_convert

from voxmark_reports.cases import number
from voxmark_reports.charts import Chart
from voxmark_reports.tables import Table

LONG_TEXT = 60  # characters of a cell; beyond, it may be broken into lines


@dataclass
class Section:
    anchor: str
    title: str
    blocks: list[str] = field(default_factory=list)  # HTML
    charts: list[Chart] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    def add(self, *items: Chart | Table | str | None) -> None:
        """In the order in which the page shows them; nothing for None and for empty tables."""
        for item in items:
            if isinstance(item, Chart):
                self.charts.append(item)
                self.blocks.append(chart_html(item))
            elif isinstance(item, Table) and item.rows:
                self.tables.append(item)
                self.blocks.append(table_html(item))
            elif isinstance(item, str):
                self.blocks.append(item)


def paragraph(text: str, kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f"<p{attribute}>{html.escape(text)}</p>"


def safe_json(value: object) -> str:
    """JSON that cannot end the element that it stands in, nor open another."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def chart_html(chart: Chart) -> str:
    return (
        f'<figure data-chart="{html.escape(chart.name)}"><h3>{html.escape(chart.title)}</h3>'
        f"<figcaption>{html.escape(chart.how_to_read)}</figcaption>"
        f'<div class="chart"></div><script type="application/json">{safe_json(chart.spec)}</script>'
        "</figure>"
    )


def table_html(table: Table) -> str:
    head = "".join(f"<th>{html.escape(heading)}</th>" for _, heading in table.columns)
    numbers = {key for key, _ in table.columns if any(number(row.get(key)) for row in table.rows)}
    rows = []
    for row in table.rows:
        cells = []
        for key, _ in table.columns:
            text = table.cell_text(row, key)
            kind = ' class="long"' if len(text) > LONG_TEXT else ""
            kind = ' class="number"' if key in numbers else kind
            cells.append(f"<td{kind}>{html.escape(text)}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    content = base64.b64encode(table.csv().encode()).decode()
    name = html.escape(table.name)
    return (
        f"<h3>{html.escape(table.title)}</h3>"
        f'<div class="scroll"><table id="table-{name}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
        f'<p class="csv"><a download="{name}.csv" href="data:text/csv;charset=utf-8;base64,'
        f'{content}">{name}.csv</a></p>'
    )


def image_html(path: Path, caption: str) -> str:
    content = base64.b64encode(path.read_bytes()).decode()
    return (
        f'<figure><figcaption>{html.escape(caption)}</figcaption><img class="overlay" '
        f'alt="{html.escape(caption)}" src="data:image/png;base64,{content}"></figure>'
    )


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def _chart_library() -> str:
    """Vega, Vega-Lite and vega-embed, as vl-convert carries them."""
    library = vl_convert.javascript_bundle()
    if "</script" in library.lower():
        raise ValueError("the chart library would end its own element")
    return library


def page(title: str, introduction: str, sections: list[Section]) -> str:
    folder = Path(__file__).parent
    style = (folder / "page.css").read_text()
    scripts = [_chart_library(), (folder / "page.js").read_text()]
    allowed = " ".join(f"'sha256-{_hash(script)}'" for script in scripts)
    # Nothing is loaded from anywhere, no form is sent, and only these two scripts run.
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )
    shown = [section for section in sections if section.blocks]
    links = "".join(f'<a href="#{s.anchor}">{html.escape(s.title)}</a>' for s in shown)
    body = "".join(
        f'<section id="{s.anchor}"><h2>{html.escape(s.title)}</h2>{"".join(s.blocks)}</section>'
        for s in shown
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{style}</style></head><body>"
        f"<h1>{html.escape(title)}</h1>{introduction}<nav>{links}</nav>{body}"
        + "".join(f"<script>{script}</script>" for script in scripts)
        + "</body></html>\n"
    )
