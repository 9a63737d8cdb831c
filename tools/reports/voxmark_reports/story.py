"""The sentences at the top of the page: which backend is faster, by how much, how sure, and why."""

from __future__ import annotations

import html
from collections.abc import Sequence

from voxmark_reports import differences
from voxmark_reports import figures as fg
from voxmark_reports.figures import SpeedUp
from voxmark_reports.page import paragraph
from voxmark_reports.reading import Report
from voxmark_reports.text import clean, percent, seconds_text, significant


def factor_text(factor: float) -> str:
    return f"{significant(factor, 3)}x"


def interval_text(found: SpeedUp) -> str:
    if not found.interval:
        return "no interval"
    return f"{significant(found.interval[0], 3)} to {significant(found.interval[1], 3)}"


def answer(found: SpeedUp) -> str:
    """Which, and by how much."""
    other, base = found.other, found.base
    if found.factor < 1:
        return (
            f"Nothing here is faster than {base.series}: {other.series} takes"
            f" {significant(1 / found.factor, 3)} times as long per step at {other.image}."
        )
    return (
        f"{other.series} trains {significant(found.factor, 3)} times as fast as {base.series}"
        f" at {other.image}."
    )


def certainty(found: SpeedUp) -> str:
    counts = f"{found.base.processes} against {found.other.processes} processes"
    if not found.interval:
        return (
            f"How sure: not at all yet. With {counts} nothing is known of the noise; measure with"
            " --repeats 10."
        )
    text = f"How sure: the 95% interval is {interval_text(found)}, from {counts}."
    if found.is_sure:
        return text + f" Chance alone gives so much with p = {found.p_value:.2g}."
    return text + (
        f" That is not settled: chance alone could give so much (p = {found.p_value:.2g}, below"
        " 0.01 is wanted); measure with --repeats 10."
    )


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
        said.append(f"that is {percent(other.roofline_share)} of what this machine allows")
    parts_before, parts_after = fg.parts_of_step(base.case), fg.parts_of_step(other.case)
    saved = base.step_seconds - other.step_seconds
    if parts_before and parts_after and saved > 0:
        gains = {name: parts_before[name] - parts_after[name] for name in parts_before}
        name = max(gains, key=lambda part: gains[part])
        said.append(
            f"of the {seconds_text(saved)} saved per step, {percent(min(1.0, gains[name] / saved))}"
            f" is {name}"
        )
    return "Why: " + "; ".join(said) + "." if said else ""


def headline_html(found: SpeedUp | None) -> str:
    if found is None:
        text = "No speed-up to tell: no two backends were measured on the same workload."
        return f'<div class="headline">{paragraph(text, "answer")}</div>'
    other, base = found.other, found.base
    cards = [
        (factor_text(found.factor), f"measured, forward and backward ({interval_text(found)})"),
        (factor_text(fg.PAPER_SPEED_UP), "the white paper's, TensorFlow with oneDNN over stock"),
        (seconds_text(other.step_seconds), f"per step, {other.series}"),
        (seconds_text(base.step_seconds), f"per step, {base.series}"),
    ]
    boxes = "".join(
        f'<div><b>{html.escape(big)}</b><span class="dim">{html.escape(small)}</span></div>'
        for big, small in cards
    )
    rest = "".join(paragraph(text) for text in (certainty(found), reasons(found)) if text)
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
            word = f"{significant(s.factor, 3)} times as fast as"
            sure = "" if s.is_sure else "; not settled"
            sentences.append(
                f"{s.other.series} is {word} {s.base.series} at {s.other.image}"
                f" (95% interval: {interval_text(s)}; p = {s.p_value:.2g}{sure})."
            )
    return "".join(paragraph(sentence) for sentence in sentences)


def introduction_html(reports: Sequence[Report], warnings: Sequence[str]) -> str:
    lines = []
    for report in reports:
        host = f"host {differences.host_name(report)}, {clean(report.created)}"
        if report.op_level:
            lines.append(f"{report.name}: single ops, {host}")
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
