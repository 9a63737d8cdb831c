"""voxmark compare: what became faster, slower, larger, or cannot be told; as an exit code too."""

from __future__ import annotations

import argparse
from pathlib import Path

from voxmark_reports import comparison, comparison_formats, consistency, machines
from voxmark_reports.errors import ExitCode, ToolError
from voxmark_reports.reading import read_report, unique_names

EXAMPLE = """\
Example: voxmark compare before.json after.json --fail-on step_seconds:5%
         voxmark compare --machines old-server.json new-server.json

A folder instead of a file is several runs of one state. Without --machines it is a regression
check: two states of one machine. Exit codes: 0 same or faster, 1 a regression, 3 not comparable,
4 inconclusive, 64 wrong use or bad input, 70 a fault of voxmark. With --machines it tells how many
times as fast a machine is; slower is no failure there: 0 all told, 1 a case broke, 3 nothing in
common, 4 some inconclusive.
Tables fit the terminal, $COLUMNS, or 100 columns in a pipe; --format json is for programs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "reports",
        nargs="+",
        type=Path,
        metavar="REPORT",
        help="the base, then what is compared with it",
    )
    parser.add_argument(
        "--baseline",
        type=int,
        metavar="N",
        help="which of the reports is the base, from 1 (default 1)",
    )
    parser.add_argument("--format", choices=comparison_formats.FORMATS, default="table")
    add_judging_arguments(parser)
    parser.add_argument(
        "--machines",
        action="store_true",
        help="machines side by side: what differs between them, then how many times as fast each"
        " is; cases are paired whatever their threads, and no change is judged",
    )
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="NAME",
        help="what to call a report; once per report, in their order (default: the file's name;"
        " with --machines the CPU's)",
    )
    parser.add_argument(
        "--only-common",
        action="store_true",
        help="cases that a report lacks are told, and do not decide",
    )
    parser.add_argument(
        "--all", action="store_true", help="every metric, not only those that decide or changed"
    )


def add_judging_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fail-on",
        action="append",
        metavar="METRIC[:PERCENT%]",
        help="a metric that decides the exit code, and from which change on; may be repeated"
        f" (default: {', '.join(comparison.DEFAULT_FAIL_ON)}, 3%%). Also kernels_changed: ops that"
        " another implementation computes",
    )
    parser.add_argument(
        "--noise-floor",
        type=float,
        default=0.0,
        metavar="PERCENT",
        help="what A/A runs differ by on this machine (voxmark noise): no smaller change is judged",
    )
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="NAME",
        help='compare although these differ: "machine" (CPU and instruction set), or a member of'
        " the case, as threads; may be repeated",
    )


def judging_options(arguments: argparse.Namespace) -> comparison.Options:
    if not 0 <= arguments.noise_floor < 100:
        raise ToolError(f"--noise-floor {arguments.noise_floor}: expected percent, 0 to 100")
    options = comparison.Options(
        noise_floor=arguments.noise_floor / 100, ignore=frozenset(arguments.ignore)
    )
    if arguments.fail_on:
        options.fail_on = comparison.parse_fail_on(arguments.fail_on)
        options.asked = True
    return options


def run(arguments: argparse.Namespace) -> ExitCode:
    options = judging_options(arguments)
    if arguments.machines and arguments.fail_on:
        raise ToolError(
            "--fail-on with --machines: a comparison of machines gates nothing; a regression check"
            " is voxmark compare without --machines"
        )
    options.machines = arguments.machines
    options.only_common = arguments.only_common or arguments.machines
    if len(arguments.reports) < 2:
        raise ToolError("compare: expected a base and at least one report more, found one file")
    number = 1 if arguments.baseline is None else arguments.baseline
    if not 1 <= number <= len(arguments.reports):
        raise ToolError(f"--baseline {number}: there are reports 1 to {len(arguments.reports)}")
    reports = [read_report(path) for path in arguments.reports]
    consistency.warn(reports)
    unique_names(reports)
    machines.name_reports(reports, arguments.label, arguments.machines)
    base = reports.pop(number - 1)
    result = comparison.compare(base, reports, options)
    comparison_formats.write(result, arguments.format, arguments.all)
    return result.exit_code
