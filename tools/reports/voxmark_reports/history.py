"""voxmark history: reports over time, where their figures changed, and a gate for the next one."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import orjson

from voxmark_reports import compare, comparison, comparison_formats, consistency, page, trend
from voxmark_reports.cases import cases_of
from voxmark_reports.console import Layout, print_table
from voxmark_reports.errors import ExitCode, ToolError
from voxmark_reports.files import write_file
from voxmark_reports.history_store import Acceptance, State, Store, open_store
from voxmark_reports.reading import Report, read_report, unique_names
from voxmark_reports.text import clean

EXAMPLE = """\
Example: voxmark history add report.json --accept
         voxmark history gate new.json --add
         voxmark history trend -o trend.html

The gate compares every case with the last accepted state of the same machine that has it and with
the last such one that was accepted by hand (add --accept), and tells the worse. Its exit codes are
those of voxmark compare, and 3 where there is no such state. A folder of reports is one state."""

_SEVERITY = (
    ExitCode.DONE,
    ExitCode.INCONCLUSIVE,
    ExitCode.NOT_COMPARABLE,
    ExitCode.ANSWER_IS_NO,
)
DEFAULT_FILE = "voxmark-history.sqlite"


def default_file() -> Path:
    return Path(os.environ.get("VOXMARK_HISTORY", DEFAULT_FILE))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--db",
        type=Path,
        metavar="FILE",
        default=default_file(),
        help=f"default: $VOXMARK_HISTORY, or {DEFAULT_FILE} here",
    )
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="add|list|trend|gate")
    add = kinds.add_parser(
        "add",
        help="puts reports into the history",
        epilog="Example: voxmark history add report.json --accept",
    )
    add.add_argument("reports", nargs="+", type=Path, metavar="REPORT")
    add.add_argument("--accept", action="store_true", help="as a state to gate others against")
    add.add_argument("--commit", help="where the report does not name it")
    add.set_defaults(action=_add)

    listing = kinds.add_parser(
        "list", help="what is in the history", epilog="Example: voxmark history list --json"
    )
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(action=_list)

    trends = kinds.add_parser(
        "trend",
        help="a page of every case over time",
        epilog="Example: voxmark history trend --metric peak_bytes -o memory.html",
    )
    trends.add_argument("-o", "--out", type=Path, default=Path("trend.html"), metavar="FILE")
    trends.add_argument(
        "--metric",
        action="append",
        metavar="METRIC",
        help="default: step_seconds, peak_bytes and op_seconds; any other that the reports have, as"
        " compile_seconds or counters.NAME; may be repeated",
    )
    trends.set_defaults(action=_trend)

    gate = kinds.add_parser(
        "gate",
        help="a report against the last accepted state",
        epilog="Example: voxmark history gate new.json --add --fail-on step_seconds:20%",
    )
    gate.add_argument("report", type=Path, metavar="REPORT")
    gate.add_argument(
        "--add",
        action="store_true",
        help="puts the report into the history, accepted if the gate lets it pass",
    )
    gate.add_argument("--format", choices=comparison_formats.FORMATS, default="table")
    compare.add_judging_arguments(gate)
    gate.set_defaults(action=_gate)


def run(arguments: argparse.Namespace) -> ExitCode:
    return arguments.action(arguments)


def _add(arguments: argparse.Namespace) -> ExitCode:
    reports = [(path, read_report(path)) for path in arguments.reports]
    consistency.warn([report for _, report in reports])
    acceptance = Acceptance.BY_HAND if arguments.accept else Acceptance.NONE
    with open_store(arguments.db, create=True) as store:
        for path, report in reports:
            new = store.add(report, arguments.commit, acceptance)
            print(f"{clean(path)}: {'added' if new else 'was there already'}")
    return ExitCode.DONE


_ACCEPTED = {
    Acceptance.NONE: "no",
    Acceptance.BY_HAND: "yes",
    Acceptance.BY_GATE: "by the gate",
}


def _list(arguments: argparse.Namespace) -> ExitCode:
    with open_store(arguments.db, create=False) as store:
        rows = [(state, store.case_count(state)) for state in store.states()]
    if arguments.json:
        print(
            orjson.dumps([_state_json(s, n) for s, n in rows], option=orjson.OPT_INDENT_2).decode()
        )
        return ExitCode.DONE
    headings = ["state", "measured", "commit", "machine", "host", "cases", "accepted"]
    print_table(
        headings,
        [
            [
                str(state.number),
                clean(state.created),
                trend.commit_text(state.commit),
                f"{clean(state.machine)} [{state.fingerprint[:8]}]",
                clean(state.host),
                str(cases),
                _ACCEPTED[state.acceptance],
            ]
            for state, cases in rows
        ],
        layout=Layout(folds=(3, 4), below=(3, 4, 5, 6, 2)),
    )
    return ExitCode.DONE


def _state_json(state: State, cases: int) -> dict[str, object]:
    return {
        "state": state.number,
        "created": state.created,
        "commit": state.commit,
        "fingerprint": state.fingerprint,
        "machine": state.machine,
        "host": state.host,
        "cases": cases,
        "accepted": state.accepted,
    }


def _trend(arguments: argparse.Namespace) -> ExitCode:
    metrics = arguments.metric or ["step_seconds", "peak_bytes", "op_seconds"]
    with open_store(arguments.db, create=False) as store:
        series = store.series(metrics)
        states = len(store.states())
    if not series:
        raise ToolError(f"{clean(arguments.db)}: nothing of {', '.join(map(clean, metrics))} in it")
    found = trend.find_changes(series)
    introduction = page.paragraph(f"{states} states from {clean(arguments.db)}", "dim")
    content = page.page("voxmark: history", introduction, trend.sections(found))
    write_file(arguments.out, content)
    number = sum(len(changes) for _, changes in found)
    word = "change" if number == 1 else "changes"
    print(f"{clean(arguments.out)}: {len(series)} series, {number} {word}")
    for own, changes in found:
        for change in changes:
            print(f"  {trend.change_line(own, change)}")
    return ExitCode.DONE


def _base(
    store: Store, states: Sequence[tuple[State, set[bytes]]], ignore: frozenset[str]
) -> Report:
    """The first state's report, with the cases that the others have instead. The environment is the
    first's: of one machine they all are."""
    first, *earlier = states
    base = store.report(first[0])
    for state, keys in earlier:
        report = store.report(state)
        kept = [case for case in cases_of(base) if case.key(ignore) not in keys]
        added = [case for case in cases_of(report) if case.key(ignore) in keys]
        base.records = [record for case in kept + added for record in case.records]
        base.name += f" and {report.name} for {'; '.join(case.label() for case in added)}"
    return base


def _gate(arguments: argparse.Namespace) -> ExitCode:
    options = compare.judging_options(arguments)
    own = [] if arguments.db == default_file() else ["--db", str(arguments.db)]
    options.history = ["voxmark", "history", *own]
    report = read_report(arguments.report)
    consistency.warn([report])
    unique_names([report])
    with open_store(arguments.db, create=arguments.add) as store:
        # The last state, and the last that somebody accepted by hand: steps too small to be seen
        # one by one add up against that.
        last = store.last_accepted(report, ignore=options.ignore)
        anchor = store.last_accepted(report, by_hand=True, ignore=options.ignore)
        bases = [states for states in ([last] if anchor == last else [last, anchor]) if states]
        results = [
            comparison.compare(_base(store, states, options.ignore), [report], options)
            for states in bases
        ]
        if results:
            result = max(results, key=lambda r: _SEVERITY.index(r.exit_code))  # the first of equals
            comparison_formats.write(result, arguments.format, every_metric=False)
            code = result.exit_code
        else:
            command = [*options.history, "add", arguments.report, "--accept"]
            reason = (
                "no other accepted state of this machine with a case in common; accept one with:"
                f" {clean(shlex.join(map(str, command)))}"
            )
            comparison_formats.write_skip(report.name, reason, arguments.format)
            code = ExitCode.NOT_COMPARABLE
        if arguments.add:
            passed = code == ExitCode.DONE
            store.add(report, None, Acceptance.BY_GATE if passed else Acceptance.NONE)
    return code
