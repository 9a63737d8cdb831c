"""A comparison for people and for programs: table, markdown, json, junit, github."""

from __future__ import annotations

import os
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import orjson

from voxmark_reports.cases import cases_of, shared_members
from voxmark_reports.comparison import Comparison, Remedy, Row, remedy
from voxmark_reports.console import print_line, print_table
from voxmark_reports.errors import ExitCode
from voxmark_reports.text import change_text, clean, quantity_text
from voxmark_reports.verdicts import Judgement, Verdict

FORMATS = ("table", "markdown", "json", "junit", "github")
MOST_LINES = 12  # of differences of one kind; the rest is counted, and stands in the JSON
MOST_ROWS = 120  # of a table for people
SETTLING = (
    "What would settle the inconclusive ones: run this for the base and for the new state, put each"
    " state's files into a folder of its own, and compare the folders"
)
_URGENCY = (
    Verdict.SLOWER,
    Verdict.NOT_COMPARABLE,
    Verdict.FASTER,
    Verdict.INCONCLUSIVE,
    Verdict.SAME,
)
_COLOURS = {
    Verdict.FASTER: "green",
    Verdict.SLOWER: "red bold",
    Verdict.SAME: "default",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NOT_COMPARABLE: "magenta",
}


def write(result: Comparison, form: str, every_metric: bool) -> None:
    if form == "json":
        sys.stdout.write(as_json(result) + "\n")
    elif form == "junit":
        sys.stdout.write(as_junit(result) + "\n")
    elif form == "markdown":
        sys.stdout.write(as_markdown(result, every_metric))
    elif form == "github":
        sys.stdout.write(as_github(result))
        if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
            with Path(summary).open("a") as file:
                file.write(as_markdown(result, every_metric))
    else:
        print_comparison(result, every_metric)


def write_skip(name: str, reason: str, form: str) -> None:
    """Where there is nothing to compare with; in every format, and never as a pass."""
    code = ExitCode.NOT_COMPARABLE
    if form == "json":
        content = {
            "schema": "voxmark.comparison/1",
            "base": None,
            "new": [name],
            "exit_code": int(code),
            "summary": f"SKIPPED: {reason}",
            "rows": [],
        }
        print(orjson.dumps(content, option=orjson.OPT_INDENT_2).decode())
    elif form == "junit":
        suite = ElementTree.Element("testsuite", name="voxmark compare", tests="1", skipped="1")
        test = ElementTree.SubElement(suite, "testcase", classname=name, name="comparison")
        ElementTree.SubElement(test, "skipped", message=reason)
        print(ElementTree.tostring(suite, encoding="unicode", xml_declaration=True))
    elif form == "github":
        print(_command("warning", "SKIPPED", reason))
    else:
        print(f"SKIPPED: {reason}")


def verdict_text(row: Row, found: Judgement) -> str:
    less, more = row.metric.words
    if found.broken:
        return "broken"
    text = {Verdict.FASTER: less, Verdict.SLOWER: more}.get(found.verdict, str(found.verdict))
    if found.is_allowed and found.verdict in (Verdict.SLOWER, Verdict.INCONCLUSIVE):
        text += f", within {100 * (found.allowed or 0.0):.3g}%"
    return text


def change_with_interval(found: Judgement) -> str:
    if found.ratio is None:
        return "-"
    text = change_text(found.ratio)
    if found.interval:
        text += f" ({change_text(found.interval[0])}..{change_text(found.interval[1])})"
    return text


def summary(result: Comparison) -> str:
    """One sentence: what the exit code says."""
    counts: dict[str, int] = {}
    for row in result.rows:
        for found in row.judgements if row.decides else []:
            word = verdict_text(row, found)
            counts[word] = counts.get(word, 0) + 1
    code = result.exit_code
    answer = {0: "No regression", 1: "Regression", 3: "Not comparable", 4: "Inconclusive"}[code]
    listed = ", ".join(f"{number} {word}" for word, number in counts.items())
    return f"{answer}: {listed or 'nothing to compare'}."


def shared_text(result: Comparison) -> str:
    cases = cases_of(result.base)
    shared = shared_members(cases)
    everything = {"backend", "image", "batch", *cases[0].spec}
    return cases[0].workload(frozenset(everything - shared))


def difference_lines(result: Comparison) -> list[str]:
    lines = []
    for found in result.environment:
        arrow = " → " if len(found.values) == 2 else " | "
        values = [v if len(v) <= 120 else v[:117] + "..." for v in found.values]
        note = f"  [{found.blocks}]" if found.blocks else ""
        lines.append(f"{clean(found.name)}: {arrow.join(values)}{note}")
    return lines


def stage_lines(result: Comparison) -> list[list[str]]:
    """One list per new report."""
    return [
        [
            change.what + (f"  (in {len(change.cases)} cases)" if len(change.cases) > 1 else "")
            for change in changes
        ]
        for changes in result.stages
    ]


def _shortened(lines: list[str]) -> list[str]:
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[:MOST_LINES], f"... and {len(lines) - MOST_LINES} more (--format json)"]


def shown_rows(result: Comparison, every_metric: bool) -> list[Row]:
    def shown(row: Row) -> bool:
        changed = (Verdict.FASTER, Verdict.SLOWER)
        return row.decides or any(found.verdict in changed for found in row.judgements)

    def rank(row: Row) -> int:
        return min(_URGENCY.index(found.verdict) for found in row.judgements)

    rows = [row for row in result.rows if every_metric or shown(row)]
    if len(rows) <= MOST_ROWS or every_metric:
        return rows
    most_urgent = sorted(rows, key=rank)[:MOST_ROWS]
    chosen = {id(row) for row in most_urgent}
    return [row for row in rows if id(row) in chosen]


def settling_lines(result: Comparison) -> list[str]:
    """What would turn open answers into verdicts: a command per case, for either state."""
    open_answers = [
        (row, found)
        for row in result.rows
        for found in (row.judgements if row.decides else [])
        if found.code == ExitCode.INCONCLUSIVE
    ]
    remedies: dict[str, Remedy] = {}  # of one command the longest
    hopeless = []
    for row, found in open_answers:
        own = remedy(row, found)
        if own is None:
            hopeless.append(f"{row.label}, {row.metric.label}")
        elif own.command not in remedies or own.total > remedies[own.command].total:
            remedies[own.command] = own
    lines = [
        _settling_line(own, number, result.base.op_level)
        for number, own in enumerate(remedies.values(), 1)
    ]
    if any(found.noisy for _, found in open_answers):
        lines.insert(0, "voxmark doctor  # what disturbs this machine, and what mends it")
    return lines + [f"# {what}: more than 100 processes would be needed" for what in hopeless]


def _settling_line(own: Remedy, number: int, op_level: bool) -> str:
    """A shell's line, whose file no other line overwrites. The new file goes into a folder with the
    one that there is: that is one state of more processes."""
    note = f"  # {own.more} more, {own.total} a side in all"
    if own.anew:
        note = f"  # {own.total} a side, without the files of the disturbed ones"
    if op_level:
        out = f"--benchmark_out=more-{number}-$i.json"
        return f"for i in $(seq {own.more}); do {own.command} {out}; done{note}"
    return f"{own.command} --repeats {own.more} --out more-{number}.json{note}"


# ---- Tables ----


def _cells(row: Row, found: Judgement) -> list[str]:
    unit = row.metric.unit
    adjusted = "-" if found.adjusted_p is None else f"{found.adjusted_p:.2g}"
    detectable = "-" if found.detectable is None else f"{100 * found.detectable:.1f}%"
    note = verdict_text(row, found) + (f": {found.reason}" if found.reason else "")
    base = row.case.values(row.metric.name)  # also where nothing could be set beside it
    counts = f"{len(base)}:{len(found.new_values)}"
    return [
        row.label,
        row.metric.label,
        quantity_text(row.case.median(row.metric.name), unit),
        quantity_text(found.new, unit),
        counts,
        change_with_interval(found),
        adjusted,
        detectable,
        note,
    ]


HEADINGS = [
    "case",
    "metric",
    "base",
    "new",
    "processes",
    "change (95% interval)",
    "p, Holm",
    "detectable",
    "verdict",
]


def _matrix_cells(row: Row) -> list[str]:
    cells = [row.label, row.metric.label]
    cells.append(quantity_text(row.case.median(row.metric.name), row.metric.unit))
    for found in row.judgements:
        parts = [change_with_interval(found)] if found.ratio is not None else []
        if found.adjusted_p is not None:
            parts.append(f"p {found.adjusted_p:.2g}")
        if found.detectable is not None:
            parts.append(f"detectable {100 * found.detectable:.1f}%")
        text = verdict_text(row, found) + (f": {found.reason}" if found.reason else "")
        cells.append("; ".join([text, *parts]))
    return cells


def _table_content(result: Comparison, every_metric: bool) -> tuple[list[str], list[list[str]]]:
    rows = shown_rows(result, every_metric)
    if len(result.news) == 1:
        return HEADINGS, [_cells(row, row.judgements[0]) for row in rows]
    headings = ["case", "metric", result.base.name, *(report.name for report in result.news)]
    return headings, [_matrix_cells(row) for row in rows]


def _sections(result: Comparison) -> list[tuple[str, list[str]]]:
    """Title and lines: what differs, before any statistics."""
    sections = [("Differences", _shortened(difference_lines(result)))]
    for report, lines in zip(result.news, stage_lines(result), strict=True):
        suffix = "" if len(result.news) == 1 else f" in {report.name}"
        sections.append((f"Implementations that changed{suffix}", _shortened(lines)))
    for report, labels in zip(result.news, result.extra, strict=True):
        sections.append((f"Only in {report.name}", _shortened(labels)))
    sections.append(("Without figures in the base", _shortened(result.unmeasured)))
    return [(title, lines) for title, lines in sections if lines]


def print_comparison(result: Comparison, every_metric: bool) -> None:
    names = ", ".join(report.name for report in result.news)
    print_line(f"base {result.base.name}, new {names}")
    if shared := shared_text(result):
        print_line(f"all cases: {shared}")
    for title, lines in _sections(result):
        print_line(f"\n{title}:", "bold")
        for line in lines:
            print_line(f"  {line}")
    headings, cells = _table_content(result, every_metric)
    rows = shown_rows(result, every_metric)
    worst = [min((f.verdict for f in row.judgements), key=_URGENCY.index) for row in rows]
    print_table([clean(h) for h in headings], cells, [_COLOURS[verdict] for verdict in worst])
    if len(rows) == MOST_ROWS < len(result.rows):
        print_line(f"{MOST_ROWS} of {len(result.rows)} rows; --all or --format json has all")
    settling = settling_lines(result)
    if settling:
        print_line(f"{SETTLING}:")
        for line in _shortened(settling):
            print_line(f"  {line}")
    print_line(summary(result), "bold")


def _markdown_cell(text: str) -> str:
    for character, escaped in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("|", "\\|"),
        ("`", "\\`"),
        ("*", "\\*"),
        ("_", "\\_"),
    ):
        text = text.replace(character, escaped)
    return text


def as_markdown(result: Comparison, every_metric: bool) -> str:
    lines = []
    for title, own in _sections(result):
        lines += [f"{_markdown_cell(title)}:", ""]
        lines += [*(f"- {_markdown_cell(line)}" for line in own), ""]
    lines += [f"**{_markdown_cell(summary(result))}**", ""]
    headings, rows = _table_content(result, every_metric)
    lines.append("| " + " | ".join(_markdown_cell(clean(heading)) for heading in headings) + " |")
    lines.append("|" + " --- |" * len(headings))
    lines += ["| " + " | ".join(_markdown_cell(cell) for cell in row) + " |" for row in rows]
    if settling := settling_lines(result):
        lines += ["", f"{SETTLING}:", "", "```sh"]
        lines += [line.replace("```", "") for line in settling] + ["```"]
    return "\n".join(lines) + "\n"


# ---- For programs ----


def _judgement_json(found: Judgement, report: str) -> dict[str, Any]:
    return {
        "report": report,
        "verdict": str(found.verdict),
        "broken": found.broken,
        "exit_code": int(found.code),
        "allowed": found.allowed,
        "reason": found.reason or None,
        "base": found.base,
        "new": found.new,
        "base_processes": len(found.base_values),
        "new_processes": len(found.new_values),
        "ratio": found.ratio,
        "interval": found.interval,
        "p_slower": found.p_slower,
        "p_faster": found.p_faster,
        "adjusted_p": found.adjusted_p,
        "detectable_change": found.detectable,
        "processes_needed": found.processes_needed,
    }


def as_json(result: Comparison) -> str:
    names = [report.name for report in result.news]
    content = {
        "schema": "voxmark.comparison/1",
        "base": result.base.name,
        "new": names,
        "exit_code": int(result.exit_code),
        "summary": summary(result),
        "differences": [
            {"name": d.name, "values": d.values, "blocks": d.blocks} for d in result.environment
        ],
        "implementations": [
            [{"change": change.what, "cases": change.cases} for change in changes]
            for changes in result.stages
        ],
        "only_in_new": result.extra,
        "without_figures": result.unmeasured,
        "rows": [
            {
                "case": row.case.spec,
                "label": row.label,
                "metric": row.metric.name,
                "unit": row.metric.unit,
                "decides": row.decides,
                "comparisons": [
                    _judgement_json(found, name)
                    for found, name in zip(row.judgements, names, strict=True)
                ],
            }
            for row in result.rows
        ],
        "to_settle": settling_lines(result),
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()


def _message(row: Row, found: Judgement) -> str:
    unit = row.metric.unit
    text = f"{row.metric.label}: {verdict_text(row, found)}"
    if found.base is not None:
        text += f", {quantity_text(found.base, unit)} → {quantity_text(found.new, unit)}"
        text += f", {change_with_interval(found)}"
    return text + (f" ({found.reason})" if found.reason else "")


def as_junit(result: Comparison) -> str:
    """Regressions fail, what cannot be told is an error: neither is a pass."""
    suite = ElementTree.Element("testsuite", name="voxmark compare")
    counts = {"tests": 0, "failures": 0, "errors": 0}
    if sections := _sections(result):
        properties = ElementTree.SubElement(suite, "properties")
        for title, lines in sections:
            for line in lines:
                ElementTree.SubElement(properties, "property", name=title, value=line)
    for row in result.rows:
        for report, found in zip(result.news, row.judgements, strict=True):
            if not row.decides:
                continue
            name = f"{row.label} {row.metric.label}"
            test = ElementTree.SubElement(suite, "testcase", classname=report.name, name=name)
            counts["tests"] += 1
            if found.code == ExitCode.ANSWER_IS_NO:
                counts["failures"] += 1
                ElementTree.SubElement(test, "failure", message=_message(row, found))
            elif found.code != ExitCode.DONE:
                counts["errors"] += 1
                ElementTree.SubElement(test, "error", message=_message(row, found))
            else:
                ElementTree.SubElement(test, "system-out").text = _message(row, found)
    if settling := settling_lines(result):
        ElementTree.SubElement(suite, "system-out").text = "\n".join([f"{SETTLING}:", *settling])
    for name, number in counts.items():
        suite.set(name, str(number))
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def _command_value(text: str) -> str:
    for character, escaped in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        text = text.replace(character, escaped)
    return text


def _command(level: str, title: str, message: str) -> str:
    title = title.replace(":", " ").replace(",", " ")
    return f"::{level} title={_command_value(title)}::{_command_value(message)}"


def as_github(result: Comparison) -> str:
    """Workflow commands, which GitHub shows beside the change; what differs comes first."""
    lines = [
        _command("notice", title, "\n".join(_shortened(own))) for title, own in _sections(result)
    ]
    for row in result.rows:
        for found in row.judgements if row.decides else []:
            if found.code == ExitCode.ANSWER_IS_NO:
                level = "error"
            elif found.code != ExitCode.DONE:
                level = "warning"
            elif found.verdict != Verdict.SAME:
                level = "notice"
            else:
                continue
            lines.append(_command(level, row.label, _message(row, found)))
    if settling := settling_lines(result):
        message = "\n".join([f"{SETTLING}:", *_shortened(settling)])
        lines.append(_command("notice", "Inconclusive", message))
    return "\n".join([*lines, summary(result)]) + "\n"
