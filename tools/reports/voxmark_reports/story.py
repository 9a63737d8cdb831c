"""The sentences at the top of the page: which backend is faster, by how much, how sure, and why."""

from __future__ import annotations

import html
from collections.abc import Sequence

from voxmark_reports import differences, step_parts, verdicts
from voxmark_reports import figures as fg
from voxmark_reports.figures import SpeedUp
from voxmark_reports.page import paragraph
from voxmark_reports.reading import Report, paper_speed_up
from voxmark_reports.text import clean, percent, seconds_text, significant


def factor_text(factor: float) -> str:
    return f"{significant(factor, 3)}x"


def interval_text(interval: tuple[float, float] | None) -> str:
    if not interval:
        return "no interval"
    return f"{significant(interval[0], 3)} to {significant(interval[1], 3)}"


def answer(found: SpeedUp) -> str:
    """Which, and by how much."""
    other, base = found.other, found.base
    if not found.is_faster:
        return (
            f"Nothing here is faster than {base.series}: {other.series} takes"
            f" {significant(found.times, 3)} times as long per step at {other.image}."
        )
    return (
        f"{other.series} trains {significant(found.times, 3)} times as fast as {base.series}"
        f" at {other.image}."
    )


def certainty(found: SpeedUp) -> str:
    """How sure that direction and size are."""
    counts = f"{found.base.processes} against {found.other.processes} processes"
    if not found.interval:
        return (
            f"How sure: not at all yet. With {counts} nothing is known of the noise; measure with"
            " --repeats 10."
        )
    word = "fast" if found.is_faster else "long"
    text = (
        f"How sure: the 95% interval is {interval_text(found.times_interval)} times as {word},"
        f" from {counts}."
    )
    if found.noisy:
        return text + (
            " That is not settled: the machine was disturbed while these were timed. voxmark doctor"
            " says what mends it; then measure again."
        )
    if found.is_sure:
        return text + f" Chance alone gives so much with p = {found.p_value:.2g}{_of(found)}."
    needed = found.processes_needed
    advice = (
        f"measure with --repeats {needed}" if needed else "even 100 processes would not settle it"
    )
    return text + (
        f" That is not settled: chance alone could give so much (p ="
        f" {found.p_value:.2g}{_of(found)}, expected below {verdicts.ALPHA}); {advice}."
    )


def _of(found: SpeedUp) -> str:
    """What a p value is corrected for."""
    count = found.questions
    return "" if count == 1 else f", corrected for the {count} comparisons of this page"


def beside(found: SpeedUp, lead: SpeedUp | None) -> str:
    """How far the next one is behind the fastest."""
    if lead is None or not found.is_faster:
        return ""
    text = (
        f"Next comes {lead.base.series}: {found.other.series} is {significant(lead.times, 3)}"
        " times as fast as that"
    )
    if lead.interval:
        text += f" (95% interval: {interval_text(lead.interval)})"
    return text + ("." if lead.is_sure else "; whether it is faster at all is not settled.")


def reasons(found: SpeedUp) -> str:
    """Why, as far as the report knows."""
    other, base = found.other, found.base
    said = []
    before, after = fg.main_implementations(base.case), fg.main_implementations(other.case)
    if before and after and before != after:
        said.append(f"its convolutions run as {after}, those of {base.series} as {before}")
    if base.flops_per_second and other.flops_per_second:
        said.append(
            f"it sustains {significant(other.flops_per_second / 1e9, 3)} GFLOP/s instead of"
            f" {significant(base.flops_per_second / 1e9, 3)}"
        )
    if other.roofline_share is not None:
        said.append(
            f"that is {percent(other.roofline_share)} of what direct convolutions can reach here"
        )
    if change := _largest_change(found):
        said.append(change)
    return "Why: " + "; ".join(said) + "." if said else ""


def _largest_change(found: SpeedUp) -> str:
    """Which part of the step decides, by kind of work where that was watched."""
    other, base = found.other, found.base
    before, after = step_parts.of_both(base.case, other.case)
    saved = base.step_seconds - other.step_seconds
    if not saved:
        return ""
    gains = {
        name: (before.get(name, 0.0) - after.get(name, 0.0)) / saved
        for name in dict.fromkeys([*before, *after])
    }
    if not gains:
        return ""
    name = max(gains, key=lambda part: gains[part])
    word = "saved" if saved > 0 else "lost"
    return (
        f"of the {seconds_text(abs(saved))} {word} per step, {percent(min(1.0, gains[name]))} was"
        f" {name}"
    )


def nothing_html() -> str:
    text = "No answer: no case was measured. Where there are any, the table says why."
    return f'<div class="headline">{paragraph(text, "answer")}</div>'


def headline_html(found: SpeedUp | None, near: SpeedUp | None) -> str:
    """`near`: the fastest over its nearest rival."""
    if found is None:
        text = "No speed-up to tell: no two backends were measured on the same workload."
        return f'<div class="headline">{paragraph(text, "answer")}</div>'
    other, base = found.other, found.base
    cards = [
        (
            factor_text(found.factor),
            f"measured, forward and backward ({interval_text(found.interval)})",
        ),
        (factor_text(paper_speed_up()), "the white paper's, TensorFlow with oneDNN over stock"),
        (f"{significant(other.step_seconds)} s", f"per step, {other.series}"),
        (f"{significant(base.step_seconds)} s", f"per step, {base.series}"),
    ]
    boxes = "".join(
        f'<div><b>{html.escape(big)}</b><span class="dim">{html.escape(small)}</span></div>'
        for big, small in cards
    )
    texts = (certainty(found), reasons(found), beside(found, near))
    rest = "".join(paragraph(text) for text in texts if text)
    if base.case.backend == "eigen-tensor":
        rest += paragraph(
            "eigen-tensor uses the algorithm of the paper's baseline with planned memory: this"
            " factor is what the kernels gain, without stock TensorFlow's page faults.",
            "dim",
        )
    return (
        f'<div class="headline">{paragraph(answer(found), "answer")}'
        f'<div class="cards">{boxes}</div>{rest}</div>'
    )


def machines_html(found: Sequence[SpeedUp]) -> str:
    """Which report is ahead: its fastest series against the first report's, per workload."""
    if not found:
        return ""
    largest = max(s.other.voxels for s in found)
    sentences = []
    for s in found:
        if s.other.voxels == largest:
            times = significant(s.times, 3)
            word = (
                f"is {times} times as fast as" if s.is_faster else f"takes {times} times as long as"
            )
            sure = "" if s.is_sure else "; not settled"
            sentences.append(
                f"{s.other.series} {word} {s.base.series} at {s.other.image}"
                f" (95% interval: {interval_text(s.times_interval)}; p = {s.p_value:.2g}{sure})."
            )
    return "".join(paragraph(sentence) for sentence in sentences)


def introduction_html(reports: Sequence[Report], warnings: Sequence[str]) -> str:
    lines = []
    for report in reports:
        host = f"host {differences.host_name(report)}, {clean(report.created)}"
        if report.op_level:
            machine = differences.machine_name(report)
            lines.append(f"{report.name}: single ops, {machine}, {host}")
            continue
        commit = clean(report.program.get("commit") or "commit?")[:12]
        program = f"voxmark {clean(report.program.get('version'))} ({commit})"
        lines.append(f"{report.name}: {differences.machine_name(report)}, {host}, {program}")
    text = "".join(paragraph(line, "dim") for line in lines)
    if warnings:
        shown = list(warnings[:12])
        if len(warnings) > len(shown):
            shown.append(f"... and {len(warnings) - len(shown)} more of these")
        items = "".join(f"<li>{html.escape(warning)}</li>" for warning in shown)
        text += f'<div class="warnings"><b>Before you believe a figure</b><ul>{items}</ul></div>'
    return text
