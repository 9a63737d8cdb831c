"""Where the noise is wider than what counts as the same: said before the table, with what can be
gated there instead."""

from __future__ import annotations

import statistics

from voxmark_reports import differences, verdicts
from voxmark_reports.cases import KERNELS
from voxmark_reports.comparison import Comparison, Row
from voxmark_reports.errors import ExitCode
from voxmark_reports.text import counted
from voxmark_reports.verdicts import Judgement, Verdict


def half_width(found: Judgement) -> float | None:
    """Of the interval, relative."""
    if found.interval is None:
        return None
    low, high = found.interval
    return (high - low) / 2


def _times(result: Comparison) -> list[tuple[Row, Judgement]]:
    """What decides by a time that could be judged."""
    return [
        (row, found)
        for row in result.rows
        for found in row.judgements
        if row.decides
        and row.metric.unit == "seconds"
        and min(len(found.base_values), len(found.new_values)) >= verdicts.LEAST_PROCESSES
    ]


def noise_lines(result: Comparison) -> list[str]:
    """Nothing where the times can be called the same, or are told apart all the same."""
    times = _times(result)
    wide = []
    for row, found in times:
        own = half_width(found)
        is_open = found.verdict == Verdict.INCONCLUSIVE and found.code == ExitCode.INCONCLUSIVE
        margin = result.options.margin(row.metric)
        if is_open and not found.noisy and own is not None and own > margin:
            wide.append((row, found, own, margin))
    if not wide:
        return []
    own = statistics.median(width for *_, width, _ in wide)
    margin = max(margin for *_, margin in wide)
    compared = counted(len(times), "compared time")
    lines = [
        f"The noise is larger than what counts as the same: the 95% interval of {len(wide)} of"
        f" {compared} is about ±{100 * own:.1f}%, and a time is the same"
        f" within ±{100 * margin:.3g}%. These can be called slower or faster, and never the same."
    ]
    if result.options.machines:
        return lines
    metric = wide[0][0].metric.name
    if gate := _gate(result):
        lines.append(f"Gate what the noise does not touch: {gate}")
    lines.append(f"Or only larger changes: --fail-on {metric}:{_allowed(own)}%")
    lines.append(_processes([found for _, found, *_ in wide]))
    return lines


def _gate(result: Comparison) -> str:
    """The flags of what is the same in every process, as far as these reports have it."""
    names = [name for name in ("planned_bytes", "peak_bytes") if _is_settled(result, name)]
    names += [KERNELS.name] if _tells_kernels(result) else []
    return " ".join(f"--fail-on {name}" for name in names)


def _is_settled(result: Comparison, name: str) -> bool:
    """Whether equality decides it in all these cases."""
    found = [own for row in result.rows if row.metric.name == name for own in row.judgements]
    return bool(found) and all(own.exact or own.steady for own in found)


def _tells_kernels(result: Comparison) -> bool:
    return any(
        differences.changed_ops(row.case, other) is not None
        for row in result.rows
        for other in row.others
        if other
    )


def _allowed(half: float) -> int:
    """Percent that an unchanged program stays below: the interval's end, wherever its middle is."""
    return next((p for p in (5, 10, 15, 20, 30, 50, 75) if p / 100 >= 2 * half), 100)


def _processes(wide: list[Judgement]) -> str:
    """By the one rule that the commands below the table follow too."""
    known = [found.processes_needed for found in wide if found.processes_needed is not None]
    if not known:
        return "More processes are no way out: more than 100 a side would be needed"
    text = f"Or measure more processes: about {max(known)} a side"
    hopeless = len(wide) - len(known)
    return f"{text}; {hopeless} of these would need more than 100" if hopeless else text
