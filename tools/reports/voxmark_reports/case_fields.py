"""What a case is made of. The table is C++'s (workloads/cases/case_fields.cpp), which writes
case_fields.json: a field is described there and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson


@dataclass(frozen=True)
class CaseField:
    name: str  # of the member of a case
    key: str  # in suite files, and the flag's
    meaning: str  # of a difference: contender, workload or effort
    leads: bool  # every label has it
    machine_chooses: bool  # machines that are compared may differ in it
    told_by_benches: bool  # bench_ops and bench_step write it, under its key
    default: Any  # where nobody said; for backend and threads a program chooses
    label: str  # "{} threads"
    label_of_one: str

    def text(self, value: str) -> str:
        """The field in a case's label."""
        label = self.label_of_one if value == "1" and self.label_of_one else self.label
        return label.format(value)


FIELDS = tuple(
    CaseField(**field)
    for field in orjson.loads(Path(__file__).with_name("case_fields.json").read_bytes())
)
BY_NAME = {field.name: field for field in FIELDS}

# How often and how long a case is measured, and what of a data folder's files is accepted, do not
# make it another case.
NOT_IDENTITY = frozenset(field.name for field in FIELDS if field.meaning == "effort")
LEADING = frozenset(field.name for field in FIELDS if field.leads)
CHOICES_OF_MACHINES = tuple(field.name for field in FIELDS if field.machine_chooses)
