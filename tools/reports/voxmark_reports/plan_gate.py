"""voxmark plan-gate: planned bytes against committed limits. They depend on instruction set,
threads and oneDNN, and on nothing else: a hard limit, where seconds are only a report's."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import orjson

from voxmark_reports import consistency, differences
from voxmark_reports.cases import Case, cases_of, number
from voxmark_reports.console import print_table
from voxmark_reports.errors import ExitCode, ToolError
from voxmark_reports.files import write_file
from voxmark_reports.reading import Report, read_report
from voxmark_reports.strict_json import read_json
from voxmark_reports.text import clean, counted, seconds_text

EXAMPLE = """\
Example: voxmark plan-gate report.json --limits results/baselines/planned_bytes.json

Exit codes: 0 within the limits, 1 a plan has grown or a case with a limit is gone, 3 no limits for
this kind of machine (add them with --update)."""

SCHEMA = "voxmark.planned_bytes/1"
# The best of what a CPU has, as far as kernels and so plans are chosen by it.
_LEVELS = (
    ("avx512_amx", {"avx512f", "avx512bw", "avx512vl", "avx512dq", "amx_bf16"}),
    ("avx512", {"avx512f", "avx512bw", "avx512vl", "avx512dq"}),
    ("avx2", {"avx2", "fma"}),
    ("avx", {"avx"}),
    ("sse41", {"sse4_1"}),
)
# What oneDNN was held to, as the level that the machine then is of.
_CAPS = {"AVX512_CORE": "avx512", "AVX2": "avx2", "AVX": "avx", "SSE41": "sse41"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("report", type=Path, metavar="REPORT")
    parser.add_argument("--limits", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--update",
        action="store_true",
        help="makes this report's plans the limits of its kind of machine",
    )


def kind_of_machine(report: Report) -> str:
    """What plans depend on, beside the case: "avx512, libdnnl.so.2.6". A machine that is held to a
    lesser instruction set is of that kind."""
    facts = differences.facts(report)
    flags = set(str(report.environment.get("cpu", {}).get("flags") or "").split())
    isa = next((name for name, needed in _LEVELS if needed <= flags), "unknown")
    dnnl = clean(facts.get("libraries.libdnnl", "no oneDNN")).split(" (")[0]
    caps = {name: clean(facts[name]) for name in differences.ISA_CAPS if name in facts}
    order = [name for name, _ in _LEVELS]
    for name, cap in list(caps.items()):
        level = _CAPS.get(cap.upper())
        if level and isa in order:
            isa = max(isa, level, key=order.index)  # the lesser of the two
            del caps[name]
    return ", ".join([isa, dnnl, *(f"{name}={cap}" for name, cap in caps.items())])


def _name(case: Case) -> str:
    """Without what a plan does not depend on, and one channel and one class without a word."""
    return case.label(frozenset({"seed", "data"}) | case.at_default("input_channels", "classes"))


def _older_name(case: Case) -> str:
    """As limits had it that were written when channels and classes went unsaid."""
    return case.label(frozenset({"seed", "data", "input_channels", "classes"}))


def _read_limits(path: Path) -> dict[str, dict[str, int]]:
    content = read_json(path, "limits of planned bytes (JSON)")
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise ToolError(f'{clean(path)}: expected "schema": "{SCHEMA}"')
    limits = content.get("machines")
    if not isinstance(limits, dict) or not all(
        isinstance(own, dict) and all(number(v) for v in own.values()) for own in limits.values()
    ):
        raise ToolError(f"{clean(path)}: expected machines: cases: bytes")
    return {
        machine: {in_the_singular(name): value for name, value in own.items()}
        for machine, own in limits.items()
    }


def in_the_singular(name: str) -> str:
    """A case's name: older limits say "1 threads"."""
    return re.sub(r"(?<!\S)1 (thread|filter)s\b", r"1 \1", name)


def run(arguments: argparse.Namespace) -> ExitCode:
    report = read_report(arguments.report)
    consistency.warn([report])
    cases = [case for case in cases_of(report) if case.median("planned_bytes")]
    plans = {_name(case): round(case.median("planned_bytes") or 0) for case in cases}
    if not plans:
        raise ToolError(f"{report.name}: no plan in it", ExitCode.NOT_COMPARABLE)
    kind = kind_of_machine(report)
    new = arguments.update and not arguments.limits.exists()
    limits = {} if new else _read_limits(arguments.limits)
    if arguments.update:
        content = {"schema": SCHEMA, "machines": {**limits, kind: plans}}
        options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
        write_file(arguments.limits, orjson.dumps(content, option=options))
        print(f"{clean(arguments.limits)}: {counted(len(plans), 'limit')} of {kind}")
        return ExitCode.DONE
    if kind not in limits:
        known = "; ".join(clean(name) for name in limits) or "none"
        print(f"SKIPPED: no planned bytes of this kind of machine ({kind}); there are: {known}")
        return ExitCode.NOT_COMPARABLE

    renamed = {_older_name(case): _name(case) for case in cases}
    own = {
        name if name in plans else renamed.get(name, name): limit
        for name, limit in limits[kind].items()
    }
    rows, grown = [], 0
    for case in cases:
        label = _name(case)
        limit, planned = own.get(label), plans[label]
        if limit is None:
            said = "no limit"
        elif planned == limit:
            said = "same"
        else:
            said = f"{'grown' if planned > limit else 'smaller'} by {abs(planned - limit)}"
            grown += planned > limit
        seconds = case.median("step_seconds")
        rows.append(
            [
                label,
                str(planned),
                "-" if limit is None else str(limit),
                said,
                "-" if seconds is None else seconds_text(seconds),
            ]
        )
    missing = [label for label in own if label not in plans]
    rows += [[clean(label), "-", str(own[label]), "missing", "-"] for label in missing]
    print_table(["case", "planned bytes", "limit", "", "step, reported only"], rows)
    unlisted = [label for label in plans if label not in own]
    if unlisted:
        count = len(unlisted)
        one = "1 case has no limit, and passes"
        said = one if count == 1 else f"{count} cases have no limit, and pass"
        print(f"NOTE: {said} unjudged: {'; '.join(unlisted)}")
    print(f"{kind}: {grown} grown, {len(missing)} missing, {len(unlisted)} without a limit")
    return ExitCode.ANSWER_IS_NO if grown or missing else ExitCode.DONE
