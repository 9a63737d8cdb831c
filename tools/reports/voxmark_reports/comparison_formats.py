"""A comparison for people and for programs: table, markdown, json, junit, github."""

from __future__ import annotations

import os
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import orjson

from voxmark_reports import comparison_scaling, verdicts
from voxmark_reports.cases import cases_of, shared_members
from voxmark_reports.comparison import Comparison, Row
from voxmark_reports.console import Layout, print_line, print_table, width, wrap
from voxmark_reports.errors import ExitCode
from voxmark_reports.noise_advice import noise_lines
from voxmark_reports.settling import settling
from voxmark_reports.text import change_text, clean, pair_text, quantity_text, times_text
from voxmark_reports.verdicts import Judgement, Verdict

FORMATS = ("table", "markdown", "json", "junit", "github")
MOST_LINES = 12  # of differences of one kind; the rest is counted, and stands in the JSON
MOST_COMMANDS = 40  # to settle what is open
MOST_ROWS = 120  # of a table for people
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


def change_with_interval(found: Judgement, machines: bool = False) -> str:
    """New over base as a change; of machines how many times as fast the new one is."""
    if found.ratio is None or (machines and not found.ratio):
        return "-"
    text = times_text if machines else change_text
    if not found.interval:
        return text(found.ratio)
    ends = reversed(found.interval) if machines else found.interval
    return f"{text(found.ratio)} ({'..'.join(map(text, ends))})"


def summary(result: Comparison) -> str:
    """One sentence: what the exit code says."""
    counts: dict[str, int] = {}
    for row in result.rows:
        for found in row.judgements if row.decides else []:
            word = verdict_text(row, found)
            counts[word] = counts.get(word, 0) + 1
    code = result.exit_code
    answer = {0: "No regression", 1: "Regression", 3: "Not comparable", 4: "Inconclusive"}[code]
    if result.options.machines:
        answer = {0: "Machines", 1: "Machines, a case broke"}.get(code, answer)
    listed = ", ".join(f"{number} {word}" for word, number in counts.items())
    return f"{answer}: {listed or 'nothing to compare'}."


def shared_text(result: Comparison) -> str:
    cases = cases_of(result.base)
    shared = shared_members(cases)
    everything = {"backend", "image", "batch", *cases[0].spec}
    told_apart = {line.split(" ")[0] for line in result.ignored}
    return cases[0].workload(frozenset((everything - shared) | told_apart))


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


def scaling_lines(result: Comparison) -> list[str]:
    """Efficiencies, old and new, per case of several ranks and new report."""
    several = len(result.news) > 1
    lines = []
    for row in result.rows:
        if row.pair is None:
            continue
        for report, found in zip(result.news, row.judgements, strict=True):
            word = verdict_text(row, found)
            text = comparison_scaling.line(row.pair.kind, row.label, row.pair.over, found, word)
            lines.append(f"{report.name}: {text}" if several else text)
    return lines


def _shortened(lines: list[str]) -> list[str]:
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[:MOST_LINES], f"... and {len(lines) - MOST_LINES} more (--format json)"]


def shown_rows(result: Comparison, every_metric: bool) -> list[Row]:
    def shown(row: Row) -> bool:
        changed = () if result.options.machines else (Verdict.FASTER, Verdict.SLOWER)
        told = row.pair is not None  # scaling_lines() has it
        return row.decides or any(f.verdict in changed for f in row.judgements if not told)

    def rank(row: Row) -> int:
        return min(_URGENCY.index(found.verdict) for found in row.judgements)

    rows = [row for row in result.rows if every_metric or shown(row)]
    if len(rows) <= MOST_ROWS or every_metric:
        return rows
    most_urgent = sorted(rows, key=rank)[:MOST_ROWS]
    chosen = {id(row) for row in most_urgent}
    return [row for row in rows if id(row) in chosen]


# ---- Tables ----


HEADINGS = [
    "case",
    "metric",
    "base",
    "new",
    "change (95% interval)",
    "verdict",
    "processes",
    "p, Holm",
    "detectable",
    "why",
]
MACHINE_HEADING = "base / new (95% interval)"
# What stands on the line of its row at 80 columns; the case goes above, the rest below.
_LAYOUT = Layout(title=0, folds=(9,), below=(9, 8, 7, 6, 2, 3), styled=5)
LEGEND = (
    "p, Holm: how often chance alone gives so much, corrected for all that decides together; below"
    f" {verdicts.ALPHA:g} it is a change; detectable: the smallest change that this many processes"
    " would have found."
)
MACHINE_LEGEND = "base / new: above 1 the new one is faster, or needs less. " + LEGEND


def _detectable(found: Judgement) -> str:
    return "-" if found.detectable is None else f"{100 * found.detectable:.1f}%"


def _p_text(found: Judgement) -> str:
    """Nothing where equality decides."""
    return "-" if found.adjusted_p is None else f"{found.adjusted_p:.2g}"


def _cells(row: Row, found: Judgement, machines: bool) -> list[str]:
    # The base's also where nothing could be set beside it.
    values = found.base_values or row.case.values(row.metric.name)
    base = found.base if found.base_values else row.case.median(row.metric.name)
    before, after = pair_text(base, found.new, row.metric.unit)
    return [
        row.label,
        row.metric.label,
        before,
        after,
        change_with_interval(found, machines),
        verdict_text(row, found),
        f"{len(values)}:{len(found.new_values)}",
        _p_text(found),
        _detectable(found),
        found.reason,
    ]


def _matrix_cells(row: Row, machines: bool) -> list[str]:
    cells = [row.label, row.metric.label]
    cells.append(quantity_text(row.case.median(row.metric.name), row.metric.unit))
    for found in row.judgements:
        parts = [verdict_text(row, found)]
        if found.ratio is not None:
            parts.append(change_with_interval(found, machines))
        if found.adjusted_p is not None:
            parts.append(f"p {found.adjusted_p:.2g}")
        if found.detectable is not None:
            parts.append(f"detectable {_detectable(found)}")
        cells.append("; ".join([*parts, found.reason] if found.reason else parts))
    return cells


def _table_content(
    result: Comparison, every_metric: bool
) -> tuple[list[str], list[list[str]], Layout]:
    rows, machines = shown_rows(result, every_metric), result.options.machines
    if len(result.news) > 1:
        headings = ["case", "metric", result.base.name, *(report.name for report in result.news)]
        new = range(3, len(headings))
        cells = [_matrix_cells(row, machines) for row in rows]
        return headings, cells, Layout(title=0, folds=new, below=new)
    headings = [MACHINE_HEADING if h.startswith("change") and machines else h for h in HEADINGS]
    return headings, [_cells(row, row.judgements[0], machines) for row in rows], _LAYOUT


def _legend(result: Comparison) -> str:
    return MACHINE_LEGEND if result.options.machines else LEGEND


def _sections(result: Comparison) -> list[tuple[str, list[str]]]:
    """Title and lines: what differs, before any statistics."""
    sections = [
        ("Measured once", result.same),
        ("Noise", noise_lines(result)),
        ("Differences", _shortened(difference_lines(result))),
        ("Cases that differ in what may differ", _shortened(result.ignored)),
    ]
    for report, lines in zip(result.news, stage_lines(result), strict=True):
        suffix = "" if len(result.news) == 1 else f" in {report.name}"
        sections.append((f"Implementations that changed{suffix}", _shortened(lines)))
    sections.append(("Scaling by ranks", scaling_lines(result)))
    for report, labels in zip(result.news, result.extra, strict=True):
        sections.append((f"Only in {report.name}", _shortened(labels)))
    sections.append((f"Left out, only in {result.base.name}", _shortened(result.dropped)))
    sections.append(("Without figures in the base", _shortened(result.unmeasured)))
    sections.append(("Processes without figures", _shortened(result.missing)))
    sections.append(("Disturbed while they were timed", _shortened(result.disturbed)))
    return [(title, lines) for title, lines in sections if lines]


def _print_wrapped(text: str, indent: str = "") -> None:
    for line in wrap(text, width() - len(indent)):
        print_line(indent + line)


def _shortened_commands(lines: list[str]) -> list[str]:
    """The last is what all others are for."""
    if len(lines) <= MOST_COMMANDS:
        return lines
    left_out = len(lines) - MOST_COMMANDS
    return [*lines[: MOST_COMMANDS - 1], f"# ... and {left_out} more (--format json)", lines[-1]]


def _print_command(line: str) -> None:
    """Whole, as a shell takes it; a comment may have several lines."""
    parts = wrap(line, width() - 4) if line.startswith("#") else [line]
    for position, part in enumerate(parts):
        print_line(f"  {'# ' if position else ''}{part}")


def print_comparison(result: Comparison, every_metric: bool) -> None:
    names = ", ".join(report.name for report in result.news)
    _print_wrapped(f"base {result.base.name}, new {names}")
    if shared := shared_text(result):
        _print_wrapped(f"all cases: {shared}")
    for title, lines in _sections(result):
        print_line(f"\n{title}:", "bold")
        for line in lines:
            _print_wrapped(line, "  ")
    print_line("")
    headings, cells, layout = _table_content(result, every_metric)
    rows = shown_rows(result, every_metric)
    worst = [min((f.verdict for f in row.judgements), key=_URGENCY.index) for row in rows]
    styles = [_COLOURS[verdict] for verdict in worst]
    print_table([clean(h) for h in headings], cells, styles, layout)
    print_line("")
    _print_wrapped(_legend(result))
    if len(rows) == MOST_ROWS < len(result.rows):
        print_line(f"{MOST_ROWS} of {len(result.rows)} rows; --all or --format json has all")
    found = settling(result)
    if found.lines:
        _print_wrapped(f"{found.heading}:")
        for line in _shortened_commands(found.lines):
            _print_command(line)
    for line in _shortened(found.hopeless):
        _print_wrapped(f"Not settled: {line}")
    if result.hint:
        _print_wrapped(result.hint)
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
    headings, rows, _ = _table_content(result, every_metric)
    lines.append("| " + " | ".join(_markdown_cell(clean(heading)) for heading in headings) + " |")
    lines.append("|" + " --- |" * len(headings))
    lines += ["| " + " | ".join(_markdown_cell(cell) for cell in row) + " |" for row in rows]
    lines += ["", _markdown_cell(_legend(result))]
    if result.hint:
        lines += ["", _markdown_cell(result.hint)]
    found = settling(result)
    if found.lines:
        lines += ["", f"{found.heading}:", "", "```sh"]
        lines += [line.replace("```", "") for line in found.lines] + ["```"]
    if found.hopeless:
        lines += ["", *(f"- Not settled: {_markdown_cell(line)}" for line in found.hopeless)]
    return "\n".join(lines) + "\n"


# ---- For programs ----


def _times_as_fast(found: Judgement) -> dict[str, Any]:
    """What the table of machines shows: base over new."""
    interval = found.interval
    return {
        "base_over_new": 1 / found.ratio if found.ratio else None,
        "base_over_new_interval": [1 / end for end in reversed(interval)] if interval else None,
    }


def _judgement_json(found: Judgement, report: str, machines: bool) -> dict[str, Any]:
    return {
        **(_times_as_fast(found) if machines else {}),
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
        "by_equality": found.exact or found.steady,
        "p_slower": found.p_slower,
        "p_faster": found.p_faster,
        "adjusted_p": found.adjusted_p,
        "detectable_change": found.detectable,
        "processes_needed": found.processes_needed,
    }


def _scaling_json(row: Row) -> dict[str, Any]:
    """1 over base and new are the efficiencies."""
    if row.pair is None:
        return {}
    first = row.pair.first.ranks
    own = {"kind": row.pair.kind, "ranks": row.case.ranks, "over_ranks": first}
    return {"scaling": own}


def as_json(result: Comparison) -> str:
    names = [report.name for report in result.news]
    found = settling(result)
    content = {
        "schema": "voxmark.comparison/1",
        "base": result.base.name,
        "new": names,
        "mode": "machines" if result.options.machines else "regression",
        "exit_code": int(result.exit_code),
        "summary": summary(result),
        "hint": result.hint or None,
        "noise": noise_lines(result),
        "differences": [
            {"name": d.name, "values": d.values, "blocks": d.blocks} for d in result.environment
        ],
        "implementations": [
            [{"change": change.what, "cases": change.cases} for change in changes]
            for changes in result.stages
        ],
        "only_in_new": result.extra,
        "left_out": result.dropped,
        "ignored": result.ignored,
        "without_figures": result.unmeasured,
        "same_measurements": result.same,
        "missing_processes": result.missing,
        "disturbed": result.disturbed,
        "rows": [
            {
                "case": row.case.spec,
                "label": row.label,
                "metric": row.metric.name,
                "unit": row.metric.unit,
                "decides": row.decides,
                **_scaling_json(row),
                "comparisons": [
                    _judgement_json(found, name, result.options.machines)
                    for found, name in zip(row.judgements, names, strict=True)
                ],
            }
            for row in result.rows
        ],
        "to_settle": found.lines,
        "not_to_settle": found.hopeless,
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()


def _message(row: Row, found: Judgement, machines: bool) -> str:
    unit = row.metric.unit
    text = f"{row.metric.label}: {verdict_text(row, found)}"
    if found.base is not None:
        before, after = pair_text(found.base, found.new, unit)
        text += f", {before} → {after}"
        text += f", {change_with_interval(found, machines)}"
        text += " base / new" if machines else ""
    return text + (f" ({found.reason})" if found.reason else "")


def as_junit(result: Comparison) -> str:
    """Regressions fail, what cannot be told is an error: neither is a pass."""
    suite = ElementTree.Element("testsuite", name="voxmark compare")
    machines = result.options.machines
    counts = {"tests": 0, "failures": 0, "errors": 0}
    sections = _sections(result)
    if result.hint:
        sections.append(("Other mode", [result.hint]))
    if sections:
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
                ElementTree.SubElement(test, "failure", message=_message(row, found, machines))
            elif found.code != ExitCode.DONE:
                counts["errors"] += 1
                ElementTree.SubElement(test, "error", message=_message(row, found, machines))
            else:
                ElementTree.SubElement(test, "system-out").text = _message(row, found, machines)
    if text := _settling_text(result):
        ElementTree.SubElement(suite, "system-out").text = text
    for name, number in counts.items():
        suite.set(name, str(number))
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def _settling_text(result: Comparison) -> str:
    found = settling(result)
    lines = [f"{found.heading}:", *found.lines] if found.lines else []
    return "\n".join([*lines, *(f"Not settled: {line}" for line in found.hopeless)])


def _command_value(text: str) -> str:
    for character, escaped in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        text = text.replace(character, escaped)
    return text


def _command(level: str, title: str, message: str) -> str:
    title = title.replace(":", " ").replace(",", " ")
    return f"::{level} title={_command_value(title)}::{_command_value(message)}"


def as_github(result: Comparison) -> str:
    """Workflow commands, which GitHub shows beside the change; what differs comes first."""
    machines = result.options.machines
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
            lines.append(_command(level, row.label, _message(row, found, machines)))
    if text := _settling_text(result):
        lines.append(_command("notice", "Inconclusive", text))
    if result.hint:
        lines.append(_command("notice", "Machines", result.hint))
    return "\n".join([*lines, summary(result)]) + "\n"
