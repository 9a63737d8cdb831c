"""What would turn open answers into verdicts: commands as a shell takes them, which measure more,
collect the files and ask again."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path

from voxmark_reports.cases import Case
from voxmark_reports.comparison import Comparison, Options, Row
from voxmark_reports.errors import ExitCode
from voxmark_reports.reading import Report
from voxmark_reports.text import clean
from voxmark_reports.verdicts import USUAL_PROCESSES, Judgement

_STATES = (
    "What would settle the inconclusive ones. The lines marked base need the program of the base,"
    " those marked new the new one; they take turns, as the machine's speed may change meanwhile."
    " The last line compares all files"
)
_MACHINES = (
    "What would settle the inconclusive ones, for each machine: run the lines marked with its name"
    " on it, and the last line where all folders are"
)
_HISTORY = (
    "What would settle the inconclusive ones: the base is measured again and put into the history,"
    " the new state is measured more often and gated again"
)


@dataclass
class Run:
    """More processes of one command, for one side."""

    command: str  # without how often
    more: int  # processes that there are not yet
    total: int  # per side
    anew: bool  # what there is was disturbed
    whole: int = 0  # of which `more` are a part; 0: they are no part

    @property
    def note(self) -> str:
        more = f"{self.more} of {self.whole} more" if self.whole else f"{self.more} more"
        if self.anew:
            return f"{more}; of so many the disturbed ones are left out"
        return f"{more}, {self.total} a side in all"

    def halves(self) -> list[Run]:
        """The larger one first; a single process is no half."""
        parts = [self.more - self.more // 2, self.more // 2]
        if 0 in parts:
            return [self]
        return [replace(self, more=part, whole=self.more) for part in parts]


@dataclass
class Side:
    """One of the states that are compared."""

    report: Report
    word: str  # base, new, or one of several new
    runs: dict[str, Run] = field(default_factory=dict)  # by command

    def add(self, own: Run) -> None:
        """Of the same command the longest."""
        known = self.runs.get(own.command)
        if own.more and (known is None or own.more > known.more):
            self.runs[own.command] = own


@dataclass
class Settling:
    heading: str
    lines: list[str]  # for a shell, in this order
    hopeless: list[str]  # what no reasonable number of processes settles


def settling(result: Comparison) -> Settling:
    base = Side(result.base, "base")
    several = len(result.news) > 1
    news = [
        Side(report, f"new-{number}" if several else "new")
        for number, report in enumerate(result.news, 1)
    ]
    hopeless, noisy = [], False
    for row in result.rows:
        for side, found, other in zip(news, row.judgements, row.others, strict=True):
            if not row.decides or found.code != ExitCode.INCONCLUSIVE:
                continue
            noisy = noisy or bool(found.noisy)
            if (why := _hopeless(row, found, other)) or other is None:
                hopeless.append(f"{row.label}, {row.metric.label}: {why}")
                continue
            _add_runs(base, side, row.case, other, found, result.options.history is not None)
            first = row.firsts[news.index(side)] if row.pair else None
            if row.pair and first is not None:  # as often, for the fewest ranks
                is_history = result.options.history is not None
                _add_runs(base, side, row.pair.first, first, found, is_history)
    lines = _lines(result, base, news)
    if noisy:
        lines.insert(0, "voxmark doctor  # what disturbs this machine, and what mends it")
    return Settling(_heading(result.options), lines, hopeless)


def _heading(options: Options) -> str:
    if options.history is not None:
        return _HISTORY
    return _MACHINES if options.machines else _STATES


def _command(case: Case) -> str:
    return clean(case.records[0].get("reproduce") or "")


def _hopeless(row: Row, found: Judgement, other: Case | None) -> str:
    """Why no command settles it, or ""."""
    if other is None or not (_command(row.case) and _command(other)):
        return "measure more processes; the reports name no command"
    if found.processes_needed is None and not found.noisy:
        return "more than 100 processes a side would be needed"
    return ""


def _add_runs(
    base: Side, new: Side, case: Case, other: Case, found: Judgement, is_history: bool
) -> None:
    counts = (len(found.base_values), len(found.new_values))
    total = found.processes_needed or 0
    if found.noisy:
        total = max(USUAL_PROCESSES, *counts)
    for side, own, count in ((base, case, counts[0]), (new, other, counts[1])):
        is_all = bool(found.noisy) or (is_history and side is base)  # its files are not at hand
        more = total if is_all else max(0, total - count)
        side.add(Run(_command(own), more, total, bool(found.noisy)))


def _lines(result: Comparison, base: Side, news: list[Side]) -> list[str]:
    sides = [base, *news]
    if not any(side.runs for side in sides):
        return []
    number = _first_free_number([path for side in sides for path in side.report.paths])
    folders = [f"more-{number}-{side.word}" for side in sides]
    if result.options.history is not None:
        return _history_lines(result, base, news[0], folders, number)
    lines = [f"mkdir {' '.join(folders)}"]
    for side, folder in zip(sides, folders, strict=True):
        lines += [f"cp {_files(side.report)} {folder}/"]
    for side, folder, runs in _turns(result, sides, folders):
        lines += _run_lines(side, runs, folder, number)
    return [*lines, shlex.join(["voxmark", "compare", *folders, *_flags(result.options)])]


def _turns(
    result: Comparison, sides: list[Side], folders: list[str]
) -> list[tuple[Side, str, list[tuple[int, Run]]]]:
    """Who measures what, in this order; each run with its position among those of its side.

    Half of the base comes first and half last: where the machine's speed drifts, or changes once,
    the base sees as much of it as the new ones between. Machines do not wait for each other.
    """
    turns = [(side, folder, _numbered(side)) for side, folder in zip(sides, folders, strict=True)]
    base, folder, runs = turns[0]
    if result.options.machines or not any(side.runs for side in sides[1:]):
        return turns
    halves = [(position, own.halves()) for position, own in runs]
    first = [(position, parts[0]) for position, parts in halves]
    last = [(len(runs) + position, parts[1]) for position, parts in halves if len(parts) > 1]
    return [(base, folder, first), *turns[1:], (base, folder, last)]


def _history_lines(
    result: Comparison, base: Side, new: Side, folders: list[str], number: int
) -> list[str]:
    history = result.options.history or []
    flags = _flags(result.options)
    lines = [f"mkdir {' '.join(folders)}", f"cp {_files(new.report)} {folders[1]}/"]
    if base.runs:
        lines += [_checkout(base), *_run_lines(base, _numbered(base), folders[0], number)]
        lines += [shlex.join([*history, "add", folders[0], "--accept"])]
    if new.runs:
        lines += [_checkout(new), *_run_lines(new, _numbered(new), folders[1], number)]
    return [*lines, shlex.join([*history, "gate", folders[1], *flags])]


def _checkout(side: Side) -> str:
    commit = clean(side.report.program.get("commit") or "")
    name = side.report.name
    if not re.fullmatch(r"[0-9a-f]{7,64}", commit):
        return f"# {side.word}: go to the state that {name} was measured in; no commit is known"
    changes = ", with the changes that it had" if side.report.program.get("dirty") else ""
    return f"git checkout {commit}  # {side.word} ({name}): build it{changes}"


def _files(report: Report) -> str:
    """As a shell takes them; a folder's reports all lie in it."""
    if len(report.paths) == 1:
        return shlex.quote(_path(report.paths[0]))
    return f"{shlex.quote(_path(report.paths[0].parent))}/*.json"


def _path(path: Path) -> str:
    text = clean(path)
    return f"./{text}" if text.startswith("-") else text


def _flags(options: Options) -> list[str]:
    """What the user asked for, to ask it again."""
    words = ["--machines"] if options.machines else []
    if options.only_common and not options.machines:
        words.append("--only-common")
    for metric, allowed in options.fail_on.items() if options.asked else ():
        words += ["--fail-on", metric if allowed is None else f"{metric}:{100 * allowed:g}%"]
    if options.noise_floor:
        words += ["--noise-floor", f"{100 * options.noise_floor:g}"]
    for name in sorted(options.ignore):
        words += ["--ignore", name]
    return words


def _first_free_number(paths: list[Path]) -> int:
    """No file of an earlier round is overwritten: voxmark run would refuse to."""
    names = [path.name for path in (*Path().glob("more-*"), *paths)]
    found = [re.match(r"more-(\d+)", name) for name in names]
    return 1 + max((int(name[1]) for name in found if name), default=0)


def _numbered(side: Side) -> list[tuple[int, Run]]:
    return list(enumerate(side.runs.values(), 1))


def _run_lines(side: Side, runs: list[tuple[int, Run]], folder: str, number: int) -> list[str]:
    """Each writes a file of its own."""
    lines = []
    for position, own in runs:
        out = f"{folder}/more-{number}-{position}"
        note = f"  # {side.word} ({side.report.name}): {own.note}"
        if side.report.op_level:
            loop = f"{own.command} --benchmark_out={out}-$i.json"
            lines.append(f"for i in $(seq {own.more}); do {loop}; done{note}")
        else:
            lines.append(f"{own.command} --repeats {own.more} --out {out}.json{note}")
    return lines
