"""voxmark report: reports as one page that needs nothing but a browser, and as figures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import orjson
import vl_convert

from voxmark_reports import (
    charts,
    charts_more,
    charts_where,
    consistency,
    cost,
    layers,
    machines,
    page,
    ranks,
    step_parts,
    story,
    tables,
    training,
    tricks,
    whitepaper,
)
from voxmark_reports import figures as fg
from voxmark_reports.errors import ExitCode, ToolError
from voxmark_reports.files import make_folder, write_file
from voxmark_reports.page import Section, paragraph
from voxmark_reports.reading import (
    Report,
    parse_report,
    read_report,
    short_names,
    unique_names,
)
from voxmark_reports.strict_json import read_json
from voxmark_reports.text import clean

EXAMPLE = """\
Example: voxmark report report.json -o report.html --figures figures

Takes reports, folders of reports of one state, training runs (training.json, or its folder with
the pictures that voxmark predict --overlays left there), tricks.json (or its folder), what voxmark
plan --by-layer --json prints, op-level JSON of Google Benchmark, and PNG overlays, which go to the
run in whose folder they lie, or to the only one."""

TITLE = "voxmark: a 3D U-Net training step"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="+", type=Path, metavar="REPORT")
    parser.add_argument("-o", "--out", type=Path, default=Path("report.html"), metavar="FILE")
    parser.add_argument(
        "--figures", type=Path, metavar="DIR", help="each figure as SVG and PNG, each table as CSV"
    )
    parser.add_argument("--baseline", metavar="BACKEND", help="what speed-ups are over")
    parser.add_argument(
        "--cost",
        type=Path,
        metavar="FILE",
        help="price and power of the machines (JSON; docs/compare-and-history.md)",
    )
    parser.add_argument("--title", default=TITLE)
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="NAME",
        help="what to call a report; once per report, in their order (default: the file's name; of"
        " different machines the CPU's)",
    )
    consistency.add_argument(parser)


class Inputs:
    """What the files were, by kind."""

    def __init__(
        self,
        paths: Sequence[Path],
        labels: Sequence[str] = (),
        accept_contradictions: bool = False,
    ) -> None:
        self.reports: list[Report] = []
        self.runs: list[training.Run] = []
        self.tricks: list[tricks.Suite] = []
        self.layered: list[layers.Plans] = []
        overlays: list[Path] = []
        for path in paths:
            if path.suffix.lower() == ".png":
                overlays.append(_checked_png(path))
            elif path.is_dir() and (path / training.FILE).is_file():
                self._add_file(path / training.FILE)
                overlays += map(_checked_png, training.find_overlays(path))
            elif path.is_dir() and (path / tricks.FILE).is_file():
                self._add_file(path / tricks.FILE)
            elif path.is_dir():
                self.reports.append(read_report(path))
            else:
                self._add_file(path)
        for kind in (self.runs, self.tricks, self.layered):
            for one, name in zip(kind, short_names([o.called for o in kind]), strict=True):
                one.name = name
        self.loose_overlays = training.tie(list(dict.fromkeys(overlays)), self.runs)
        consistency.check(self.reports, accept_contradictions)
        if self.reports:
            unique_names(self.reports)
        machines.name_reports(self.reports, labels, machines.are_machines(self.reports))

    def _add_file(self, path: Path) -> None:
        content = read_json(path, "a report")
        if training.is_run(content):
            self.runs.append(training.parse_run(content, path))
            return
        if tricks.is_suite(content):
            self.tricks.append(tricks.parse_suite(content, path))
            return
        if layers.is_plans(content):
            self.layered.append(layers.parse_plans(content, path))
            return
        report = parse_report(content, clean(path))
        report.paths = [path]
        self.reports.append(report)


def _checked_png(path: Path) -> Path:
    try:
        head = path.open("rb").read(8)
    except OSError as error:
        raise ToolError(f"{clean(path)}: cannot be read: {error.strerror}") from error
    if head != b"\x89PNG\r\n\x1a\n":
        raise ToolError(f"{clean(path)}: expected a PNG image by its name, found none")
    return path


# ---- Sections, in the order of the page ----


def sections_of(inputs: Inputs, baseline: str | None, prices: cost.Costs | None) -> list[Section]:
    figures = fg.figures_of(inputs.reports)
    present = {figure.case.backend for figure in figures}
    if baseline is not None and baseline not in present:
        raise ToolError(
            f"--baseline {clean(baseline)}: not measured; there are {', '.join(sorted(present))}"
        )
    base = fg.baseline_backend(inputs.reports, figures, baseline)
    found = fg.speed_ups(figures, base) if base else []
    top = fg.headline(found)
    return [
        whitepaper.section(inputs.reports),
        _headline(inputs.reports, figures, found, top, base or ""),
        _machines(inputs.reports, figures, prices),
        ranks.section(figures),
        _time(figures),
        _memory(figures),
        layers.section(inputs.layered),
        _roofline(figures),
        _where(figures, top),
        _counters(figures),
        _interference(inputs.reports, figures),
        _ops(inputs.reports),
        training.section(inputs.runs, inputs.loose_overlays),
        tricks.section(inputs.tricks),
        _environment(inputs.reports),
    ]


def _headline(
    reports: Sequence[Report],
    figures: Sequence[fg.Figure],
    found: Sequence[fg.SpeedUp],
    top: fg.SpeedUp | None,
    base: str,
) -> Section:
    section = Section("answer", "The answer")
    if figures:
        machines = story.machines_html(fg.machine_speed_ups(figures))
        near = fg.rival(figures, top) if top else None
        section.add(
            machines or None, story.headline_html(top, near), charts.speed_up_chart(found, base)
        )
    elif any(not report.op_level for report in reports):
        section.add(story.nothing_html())
    section.add(tables.results_table(reports, figures, found))
    return section


def _machines(
    reports: Sequence[Report], figures: Sequence[fg.Figure], prices: cost.Costs | None
) -> Section:
    section = Section("machines", "Machines")
    steps = [report for report in reports if not report.op_level]
    if len(steps) > 1:
        found = fg.machine_speed_ups(figures)
        section.add(tables.differences_table(steps), tables.machines_table(found))
    section.add(cost.table(reports, figures, prices))
    scaling = fg.thread_scaling(figures)
    section.add(charts_more.scaling_chart(scaling), tables.scaling_table(scaling))
    return section


def _time(figures: Sequence[fg.Figure]) -> Section:
    section = Section("time", "Time")
    section.add(charts.step_time_chart(figures), charts.throughput_chart(figures))
    return section


def _memory(figures: Sequence[fg.Figure]) -> Section:
    section = Section("memory", "Memory")
    section.add(charts.memory_chart(figures), tables.memory_table(figures))
    return section


def _roofline(figures: Sequence[fg.Figure]) -> Section:
    section = Section("roofline", "Share of the machine's limit")
    chart = charts.roofline_chart(figures)
    if chart is None and figures:
        reasons = dict.fromkeys(figure.roofline_reason for figure in figures)
        section.add(paragraph(f"No share can be told: {'; '.join(reasons)}."))
    section.add(chart, charts.flops_chart(figures))
    return section


def _where(figures: Sequence[fg.Figure], top: fg.SpeedUp | None) -> Section:
    section = Section("where", "Where the step goes")
    if top:
        chart = charts_where.waterfall_chart(top.base, top.other)
        if chart is None:
            section.add(paragraph("These reports tell neither stages nor CPU times of both steps."))
        section.add(chart, charts_where.rivals_waterfall(figures, top))
    section.add(charts_where.work_chart(figures), tables.work_table(figures))
    for line in step_parts.watching_notes([figure.case for figure in figures]):
        section.add(paragraph(line, "dim"))
    section.add(charts_where.cpu_chart(figures))
    return section


def _counters(figures: Sequence[fg.Figure]) -> Section:
    section = Section("counters", "Counters")
    section.add(tables.counters_table(figures) if figures else None)
    for line in tables.missing_counters(figures):
        section.add(paragraph(f"Not counted: {line}", "dim"))
    return section


def _interference(reports: Sequence[Report], figures: Sequence[fg.Figure]) -> Section:
    section = Section("interference", "Interference")
    section.add(charts_where.interference_chart(fg.relative_steps(reports, figures), figures))
    return section


def _ops(reports: Sequence[Report]) -> Section:
    section = Section("ops", "Single ops")
    rows = tables.op_rows(reports)
    section.add(charts_more.op_chart(rows), tables.op_table(rows))
    return section


def _environment(reports: Sequence[Report]) -> Section:
    section = Section("environment", "Environment")
    section.add(*(tables.environment_table(report) for report in reports))
    return section


# ---- Files ----


def write_figures(folder: Path, sections: Sequence[Section]) -> None:
    """Black on white, for papers and slides."""
    make_folder(folder)
    for section in sections:
        for chart in section.charts:
            text = orjson.dumps(chart.sized(charts.STATIC_WIDTH)).decode()
            text = text.replace('"currentColor"', '"#000000"')
            spec = orjson.loads(text)
            spec["background"] = "#ffffff"
            write_file(folder / f"{chart.name}.svg", vl_convert.vegalite_to_svg(spec))
            write_file(folder / f"{chart.name}.png", vl_convert.vegalite_to_png(spec, scale=2))
        for table in section.tables:
            write_file(folder / f"{table.name}.csv", table.csv())


def write_page(
    inputs: Inputs,
    out: Path,
    title: str = TITLE,
    baseline: str | None = None,
    prices: cost.Costs | None = None,
) -> list[Section]:
    sections = sections_of(inputs, baseline, prices)
    introduction = story.introduction_html(inputs.reports, fg.warnings(inputs.reports))
    write_file(out, page.page(clean(title), introduction, sections))
    return sections


def run(arguments: argparse.Namespace) -> ExitCode:
    prices = cost.read(arguments.cost) if arguments.cost else None
    inputs = Inputs(arguments.inputs, arguments.label, arguments.accept_contradictions)
    sections = write_page(inputs, arguments.out, arguments.title, arguments.baseline, prices)
    if arguments.figures:
        write_figures(arguments.figures, sections)
    for line in whitepaper.lines_of(inputs.reports):
        print(line)
    size = arguments.out.stat().st_size / 1e6
    print(f"{clean(arguments.out)}: {size:.1f} MB")
    return ExitCode.DONE
