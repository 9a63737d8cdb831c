"""Which processes of a case decide its times: those that nothing disturbed, where there are enough
of them. deciding.h has the same rule, and results/deciding_examples.json holds both to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from voxmark_reports.details import interference
from voxmark_reports.text import counted

# So many undisturbed processes decide alone: with fewer, no rank test finds anything at 1%.
ENOUGH_UNDISTURBED = 5


def was_disturbed(record: dict[str, Any]) -> bool:
    """Whether the run itself flagged the process."""
    return interference(record).tainted


def reasons(record: dict[str, Any]) -> list[str]:
    return list(interference(record).reasons)


@dataclass
class Deciding:
    records: list[dict[str, Any]]  # in their order
    measured: int
    disturbed: int  # of those measured
    left_out: int  # all of the disturbed, or none

    @property
    def is_doubtful(self) -> bool:
        """Disturbed processes count for want of others, and are more than a third: the median of
        fewer would still be an undisturbed one."""
        return self.left_out == 0 and 3 * self.disturbed > self.measured

    @property
    def note(self) -> str:
        """ "2 of 10 processes were disturbed and left out", or "" where none was."""
        if not self.disturbed:
            return ""
        were = "was" if self.disturbed == 1 else "were"
        count = f"{self.disturbed} of {counted(self.measured, 'process')} {were} disturbed"
        if self.left_out:
            return f"{count} and left out"
        first = next((r for own in self.records if was_disturbed(own) for r in reasons(own)), "")
        return f"{count}: {first}" if first else count


def deciding(measured: Sequence[dict[str, Any]]) -> Deciding:
    """`measured`: a case's records that publish times."""
    clean_ones = [record for record in measured if not was_disturbed(record)]
    disturbed = len(measured) - len(clean_ones)
    if disturbed and len(clean_ones) >= ENOUGH_UNDISTURBED:
        return Deciding(clean_ones, len(measured), disturbed, disturbed)
    return Deciding(list(measured), len(measured), disturbed, 0)
