"""What would turn open answers into verdicts: the commands, for either state, as a shell takes
them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from voxmark_reports.cases import Case
from voxmark_reports.comparison import Comparison, Row
from voxmark_reports.errors import ExitCode
from voxmark_reports.text import clean
from voxmark_reports.verdicts import Judgement

SETTLING = (
    "What would settle the inconclusive ones: run each line for the base and for the new state, or"
    " for the one that it names; put each state's files into a folder of its own, and compare the"
    " folders"
)
# Processes per side that are worth a first try, where nothing is known of the noise.
USUAL_PROCESSES = 10


@dataclass
class Side:
    """One of the two states that are compared."""

    name: str
    command: str  # without how often
    more: int  # processes that there are not yet


@dataclass
class Remedy:
    sides: tuple[Side, Side]
    total: int  # processes per side
    anew: bool  # what there is was disturbed, and does not count

    @property
    def is_common(self) -> bool:
        """Whether one line does for both sides."""
        base, new = self.sides
        return (base.command, base.more) == (new.command, new.more)


def _command(case: Case | None) -> str:
    return clean(case.records[0].get("reproduce") or "") if case else ""


def remedy(row: Row, found: Judgement, other: Case | None, names: tuple[str, str]) -> Remedy | None:
    """None where no reasonable number of processes would do, or a report names no command."""
    counts = (len(found.base_values), len(found.new_values))
    commands = (_command(row.case), _command(other))
    if found.noisy:
        total = max(USUAL_PROCESSES, *counts)
    elif min(counts) == 1 and found.processes_needed is None:
        total = USUAL_PROCESSES
    elif found.processes_needed is not None:
        total = found.processes_needed
    else:
        return None
    if not all(commands):
        return None
    missing = [total if found.noisy else max(0, total - count) for count in counts]
    base, new = (
        Side(name, command, more)
        for name, command, more in zip(names, commands, missing, strict=True)
    )
    return Remedy((base, new), total, bool(found.noisy))


def settling_lines(result: Comparison) -> list[str]:
    """A line per command, for either state or for both."""
    remedies: dict[tuple[str, ...], Remedy] = {}  # of the same commands the longest
    hopeless = []
    noisy = False
    for row in result.rows:
        for report, found, other in zip(result.news, row.judgements, row.others, strict=True):
            if not row.decides or found.code != ExitCode.INCONCLUSIVE:
                continue
            noisy = noisy or bool(found.noisy)
            own = remedy(row, found, other, (result.base.name, report.name))
            if own is None:
                hopeless.append(f"{row.label}, {row.metric.label}")
                continue
            key = tuple(side.command for side in own.sides)
            if key not in remedies or own.total > remedies[key].total:
                remedies[key] = own
    lines = ["voxmark doctor  # what disturbs this machine, and what mends it"] if noisy else []
    for number, own in enumerate(remedies.values(), _first_free_number()):
        lines += _lines(own, number, result.base.op_level)
    return lines + [f"# {what}: more than 100 processes would be needed" for what in hopeless]


def _first_free_number() -> int:
    """No file of an earlier round is overwritten: voxmark run would refuse to."""
    names = [re.match(r"more-(\d+)", path.name) for path in Path().glob("more-*")]
    return 1 + max((int(name[1]) for name in names if name), default=0)


def _lines(own: Remedy, number: int, op_level: bool) -> list[str]:
    if own.is_common:
        return [_line(own, own.sides[0], f"more-{number}", "", op_level)]
    return [
        _line(own, side, f"more-{number}-{which}", f"{which} ({side.name}): ", op_level)
        for side, which in zip(own.sides, ("base", "new"), strict=True)
        if side.more
    ]


def _line(own: Remedy, side: Side, file: str, whose: str, op_level: bool) -> str:
    """Its file is written by no other line. The new file goes into a folder with the one that there
    is: that is one state of more processes."""
    note = f"  # {whose}{side.more} more, {own.total} a side in all"
    if own.anew:
        note = f"  # {whose}{own.total} a side, without the files of the disturbed ones"
    if op_level:
        out = f"--benchmark_out={file}-$i.json"
        return f"for i in $(seq {side.more}); do {side.command} {out}; done{note}"
    return f"{side.command} --repeats {side.more} --out {file}.json{note}"
