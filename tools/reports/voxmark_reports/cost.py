"""What machines cost and draw, as their owners tell it, and what that makes of their speed.

{"currency": "EUR", "machines": [{"report": "a.json", "price": 12000, "watts": 700}]}
"report" is a report's file name, or its host's name. Either of price and watts may be missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxmark_reports import differences
from voxmark_reports import figures as fg
from voxmark_reports.cases import number
from voxmark_reports.errors import ToolError
from voxmark_reports.figures import Figure
from voxmark_reports.reading import Report
from voxmark_reports.strict_json import read_json
from voxmark_reports.tables import Table
from voxmark_reports.text import clean, significant


@dataclass
class Costs:
    currency: str
    machines: dict[str, dict[str, float]]  # by the report's or host's name

    def of(self, report: Report) -> dict[str, float]:
        names = [report.name, report.file, *(path.name for path in report.paths)]
        names.append(differences.host_name(report))
        return next((self.machines[name] for name in names if name in self.machines), {})


def read(path: Path) -> Costs:
    """Raises ToolError naming what was expected."""
    name = clean(path)
    content = read_json(path, "prices and power (JSON)")
    machines = content.get("machines") if isinstance(content, dict) else None
    if not isinstance(machines, list) or not machines:
        raise ToolError(f'{name}: expected "machines": [{{"report", "price", "watts"}}]')
    found: dict[str, dict[str, float]] = {}
    for machine in machines:
        if not isinstance(machine, dict) or not isinstance(machine.get("report"), str):
            raise ToolError(f'{name}: machines: expected "report", a text, found {clean(machine)}')
        unknown = set(machine) - {"report", "price", "watts"}
        if unknown:
            raise ToolError(f"{name}: {clean(machine['report'])}: unknown {clean(sorted(unknown))}")
        values = {key: machine[key] for key in ("price", "watts") if key in machine}
        for key, value in values.items():
            if not number(value) or not value > 0:
                raise ToolError(f"{name}: {key}: expected more than 0, found {clean(value)}")
        found[machine["report"]] = values
    return Costs(clean(content.get("currency", "")), found)


def table(reports: Sequence[Report], figures: Sequence[Figure], costs: Costs | None) -> Table:
    """A row per case; the measured energy stands beside what was told. Empty without either."""
    by_name = {report.name: report for report in reports}
    currency = costs.currency if costs and costs.currency else "price"
    rows: list[dict[str, Any]] = []
    for figure in figures:
        own = costs.of(by_name[figure.report]) if costs else {}
        joules = fg.joules_per_image(figure.case)
        if not own and joules is None:
            continue
        rate = figure.images_per_second
        rows.append(
            {
                "case": f"{figure.series} {figure.image}",
                "images_per_second": rate,
                "per_kilowatt": 1e3 * rate / own["watts"] if "watts" in own else None,
                "per_price": 1e3 * rate / own["price"] if "price" in own else None,
                "joules_per_image": joules,
            }
        )
    rows.sort(key=lambda row: -(row["per_price"] or row["per_kilowatt"] or 0))
    columns = [
        ("case", "case"),
        ("images_per_second", "images/s"),
        ("per_kilowatt", "images/s per kW (of --cost)"),
        ("per_price", f"images/s per 1000 {currency}"),
        ("joules_per_image", "J per image, measured"),
    ]
    shown = dict.fromkeys([key for key, _ in columns[1:]], lambda value: significant(value, 3))
    if costs and rows == []:
        raise ToolError("--cost: names none of these reports or their hosts")
    return Table("cost", "Performance per watt and price", columns, rows, shown)
