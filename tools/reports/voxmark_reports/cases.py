"""Cases and their metrics: what each process of a case measured. The process is the sample, not
the step, so a process gives one value per metric: the median of its timed steps."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from voxmark_reports import details
from voxmark_reports.case_fields import BY_NAME, LEADING, NOT_IDENTITY
from voxmark_reports.deciding import Deciding, deciding, reasons, was_disturbed
from voxmark_reports.text import clean, counted, image_text, merged

if TYPE_CHECKING:
    from voxmark_reports.reading import Report

MEASURED = ("ok", "overhead")
# Wrong or no numbers where there should be some. The others were never promised.
BROKEN = ("invalid", "diverged", "oom", "crashed", "timeout", "failed")


@dataclass(frozen=True)
class Metric:
    """Less is better in all of them."""

    name: str
    unit: str  # seconds, bytes, count or ratio
    exact: bool = False  # the same in every process: compared without statistics

    @property
    def label(self) -> str:
        """The name for people: those of readings and counters come from reports."""
        return clean(self.name)

    @property
    def words(self) -> tuple[str, str]:
        """What less and more are called."""
        if self.unit == "seconds":
            return ("faster", "slower")
        if self.unit == "ratio":
            return ("better", "worse")
        if self.name == "kernels_changed":
            return ("fewer", "changed")
        return ("smaller", "larger") if self.unit == "bytes" else ("fewer", "more")


# What a case leaves out where it is as it always was: beside cases that have it, its label says
# "1 rank", "global batch norm", "1 copy".
_LEFT_OUT = ("ranks", "batch_norm", "copies")


def _told(name: str) -> str:
    """In what a label leaves out: that it tells this, although the case leaves it out."""
    return f"{name}, told"


def unit_of(metric: str) -> str:
    """By the end of its name: seconds, bytes or count."""
    return next((u for u in ("seconds", "bytes") if metric.endswith(f"_{u}")), "count")


STEP_METRICS = ("step_seconds", "forward_backward_seconds", "update_seconds", "load_seconds")
KNOWN_METRICS = [
    *(Metric(name, "seconds") for name in STEP_METRICS),
    Metric("op_seconds", "seconds"),
    Metric("peak_bytes", "bytes"),
    Metric("planned_bytes", "bytes", exact=True),
    Metric("allocated_bytes", "bytes", exact=True),
    Metric("compile_seconds", "seconds"),
]


# Ops that another implementation computes than the base's: a figure of two reports, not of one, so
# it stands in no list of metrics and is there for who asks for it.
KERNELS = Metric("kernels_changed", "count", exact=True)


@dataclass
class Case:
    """All processes of one case in one report."""

    spec: dict[str, Any]  # without "process"
    records: list[dict[str, Any]] = field(default_factory=list)

    @property
    def measured(self) -> list[dict[str, Any]]:
        return [record for record in self.records if record["outcome"] in MEASURED]

    @property
    def outcome(self) -> str:
        """As the C++ summary: wrong numbers in one process spoil the case, other ends do not."""
        outcomes = [record["outcome"] for record in self.records]
        for wrong in ("invalid", "diverged"):
            if wrong in outcomes:
                return wrong
        for measured in MEASURED:
            if measured in outcomes:
                return measured
        return outcomes[0]

    @property
    def has_figures(self) -> bool:
        return self.outcome in MEASURED

    @property
    def broken(self) -> list[dict[str, Any]]:
        """Processes that ended with no numbers or wrong ones, or had a step that did."""
        return [record for record in self.records if is_broken(record)]

    @property
    def broken_note(self) -> str:
        """ "4 of 8 processes failed: no memory", or "" where none did."""
        return self._note(self.broken, "failed")

    @property
    def missing_note(self) -> str:
        """As broken_note, also of what was left out for another reason."""
        others = [r for r in self.records if not is_broken(r) and r["outcome"] not in MEASURED]
        partly = [r for r in self.measured if not is_broken(r) and r.get("left_out_repetitions")]
        notes = (
            self.broken_note,
            self._note(others, "left no figures"),
            self._note(partly, "left out repetitions"),
        )
        return "; ".join(filter(None, notes))

    def _note(self, records: Sequence[dict[str, Any]], what: str) -> str:
        if not records:
            return ""
        why = "; ".join(
            dict.fromkeys(
                f"{own['outcome']}: {clean(own['reason'] or 'no reason')}"
                if own["outcome"] not in ("ok", "failed")
                else clean(own["reason"] or "no reason")
                for own in records
            )
        )
        return f"{len(records)} of {counted(len(self.records), 'process')} {what}: {why}"

    @property
    def reason(self) -> str:
        reasons = dict.fromkeys(
            clean(record["reason"]) for record in self.records if record["reason"]
        )
        return "; ".join(reasons)

    @property
    def backend(self) -> str:
        return clean(self.spec.get("backend", ""))

    @property
    def ranks(self) -> int:
        """Processes that compute each step together."""
        return self.spec.get("ranks", BY_NAME["ranks"].default)

    @property
    def images(self) -> int:
        """That a step takes, on all ranks together."""
        return self.spec["batch"] * self.ranks

    @property
    def copies(self) -> int:
        """Processes that did the case at once."""
        return self.spec.get("copies", BY_NAME["copies"].default)

    @property
    def voxels(self) -> int:
        """Of all these images."""
        depth, height, width = self.spec["image"]
        return depth * height * width * self.images

    def label(self, leave_out: frozenset[str] = frozenset()) -> str:
        what = clean(self.spec["op"]) if "op" in self.spec else self.backend
        return f"{what} {self.workload(leave_out)}".strip()

    def workload(self, leave_out: frozenset[str] = frozenset()) -> str:
        """The case without its backend or op: "64x64x64 batch 1 fp32 2 threads ..."."""
        return " ".join(self.words(leave_out))

    def words(self, leave_out: frozenset[str] = frozenset()) -> list[str]:
        """As workload() has them: ["64x64x64", "batch 1", "fp32", "2 threads", ...]."""
        parts = []
        for name, value in self.spec.items():
            if name not in leave_out | NOT_IDENTITY | {"backend", "op"}:
                text = image_text(value) if name == "image" else clean(value)
                field = BY_NAME.get(name)
                parts.append(field.text(text) if field else f"{clean(name)} {text}")
        for name in self._ones():
            if _told(name) in leave_out and name not in leave_out | self.spec.keys():
                parts.append(BY_NAME[name].text(clean(BY_NAME[name].default)))
        return parts

    def _ones(self) -> tuple[str, ...]:
        """Of _LEFT_OUT, what may need a word. With one rank its own images are those of all, and a
        case of several ranks is known to be no case of copies."""
        if self.ranks > 1:
            return ("batch_norm",)
        return () if self.copies > 1 else ("ranks", "copies")

    def at_default(self, *names: str) -> frozenset[str]:
        """Those of `names` whose value needs no word: it is as everywhere."""
        return frozenset(n for n in names if self.spec.get(n) == BY_NAME[n].default)

    def key(self, ignore: Iterable[str] = ()) -> bytes:
        left_out = NOT_IDENTITY.union(ignore)
        spec = {name: value for name, value in self.spec.items() if name not in left_out}
        return orjson.dumps(spec, option=orjson.OPT_SORT_KEYS)

    def fact(self, name: str) -> Any:
        """Of the first process that has it: input_sha256, flops_per_step, ..."""
        return next((r[name] for r in self.records if r.get(name) is not None), None)

    def values(self, metric: str) -> list[float]:
        """One value per measured process, in the order of the report; none where none was had.
        Of seconds those of the processes that decide: what else runs takes time, not memory."""
        if not self.has_figures:
            return []
        records = self.deciding.records if unit_of(metric) == "seconds" else self.measured
        found = (process_value(record, metric) for record in records)
        return [value for value in found if value is not None]

    def median(self, metric: str) -> float | None:
        values = self.values(metric)
        return statistics.median(values) if values else None

    def readings(self) -> list[str]:
        """Names of the numbers that the probes left, in the order of their first appearance."""
        names: dict[str, None] = {}
        for record in self.measured:
            for sample in record["samples"]:
                names.update(dict.fromkeys(n for n, v in sample["readings"].items() if number(v)))
        return list(names)

    def counters(self) -> list[str]:
        """Names of the hardware and software events that were counted."""
        counted = [details.counted_events(record) for record in self.measured]
        return list(dict.fromkeys(name for events in counted for name in events))

    @property
    def deciding(self) -> Deciding:
        return deciding(self.measured)

    def tainted(self) -> list[str]:
        """What disturbed the processes whose times the run itself flagged."""
        disturbed = (record for record in self.measured if was_disturbed(record))
        return merged(dict.fromkeys(reason for own in disturbed for reason in reasons(own)))

    def noisy(self) -> str | None:
        """Why the times of this case cannot be trusted."""
        if not self.deciding.is_doubtful:
            return None
        return "; ".join(self.tainted()) or "the run was disturbed"


def is_broken(record: dict[str, Any]) -> bool:
    return record["outcome"] in BROKEN or bool(record.get("failed_repetitions"))


def number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def timed_samples(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Those whose times count: of copies, what ran while all of them ran."""
    return (
        sample
        for sample in record["samples"]
        if not sample["warmup"] and not sample.get("alone", False)
    )


def _of_copies(record: dict[str, Any], metric: str) -> float | None:
    """Of processes that did the case at once, as results/tables/summary.h has it: as many as there
    are over the sum of their rates. So the images per second of all together follow from a step,
    and where they are alike it is the median."""
    by_copy: dict[int, list[float]] = {}
    for sample in timed_samples(record):
        if number(value := sample.get(metric)):
            by_copy.setdefault(sample.get("copy", 1), []).append(float(value))
    medians = [statistics.median(values) for values in by_copy.values()]
    return statistics.harmonic_mean(medians) if medians else None


def process_value(record: dict[str, Any], metric: str) -> float | None:
    """A reading is named "readings.NAME", a counter "counters.NAME"."""
    if metric.startswith("counters."):
        return details.counted_event(record, metric.removeprefix("counters."))
    if metric == "compile_seconds":
        return record.get("compile_seconds")
    if metric.endswith("_bytes") and not metric.startswith("readings."):
        return record["memory"].get(metric)
    if record["case"].get("copies", 1) > 1 and metric in STEP_METRICS:
        return _of_copies(record, metric)
    if metric.startswith("readings."):
        name = metric.removeprefix("readings.")
        found = [sample["readings"].get(name) for sample in timed_samples(record)]
    else:
        found = [sample.get(metric) for sample in timed_samples(record)]
    values = [float(value) for value in found if number(value)]
    return statistics.median(values) if values else None


def cases_of(report: Report) -> list[Case]:
    """In the order in which they first appear."""
    cases: dict[bytes, Case] = {}
    for record in report.records:
        spec = {name: value for name, value in record["case"].items() if name != "process"}
        case = Case(spec)
        cases.setdefault(case.key(), case).records.append(record)
    return list(cases.values())


def shared_members(cases: Sequence[Case]) -> frozenset[str]:
    """Of their specifications, what is the same in all of them; never what is measured, and of a
    step never the image or the batch. For labels: see also _told()."""
    names = {name for case in cases for name in case.spec}
    never = {"op"} if "op" in names else LEADING
    first = cases[0].spec if cases else {}
    same = {n for n in names if all(case.spec.get(n) == first.get(n) for case in cases)}
    told = {_told(name) for name in names.intersection(_LEFT_OUT) - same}
    return frozenset(same - never | told)


def short_labels(cases: Sequence[Case]) -> dict[bytes, str]:
    """By key: "onednn 64x64x64 batch 1" where nothing else varies."""
    shared = shared_members(cases)
    return {case.key(): case.label(shared) for case in cases}


def metrics_of(cases: Iterable[Case]) -> list[Metric]:
    """What these cases have figures of."""
    found = [case for case in cases if case.has_figures]
    metrics = [m for m in KNOWN_METRICS if any(case.values(m.name) for case in found)]
    readings = dict.fromkeys(name for case in found for name in case.readings())
    for name in readings:
        if not name.endswith("/s"):  # a rate says what the time says, the other way round
            metrics.append(Metric(f"readings.{name}", unit_of(name)))
    for name in dict.fromkeys(name for case in found for name in case.counters()):
        metrics.append(Metric(f"counters.{name}", "count"))
    return metrics
