"""Several ranks and several copies on the page: what they give, and where their time goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import factory
import pytest
from conftest import Tool
from test_report import Parsed, figures_of, text_of
from voxmark_reports import charts_ranks, details, history_store, ranks, scaling
from voxmark_reports import figures as fg
from voxmark_reports.cases import Case
from voxmark_reports.charts import numbered

Records = list[dict[str, Any]]


def seconds(median: float, seed: int) -> list[float]:
    return factory.noisy_seconds(6, median, 0.005, seed)


def ladder(factor: float = 1.0, lost: float = 0.02) -> Records:
    """1 to 8 ranks, weak and strong; each rank more loses `lost` of an ideal step."""
    records = factory.of_ranks(1, seconds(factor * 0.5, 1))
    records += factory.of_ranks(1, seconds(factor * 4.0, 2), batch=8)
    for count in (2, 4, 8):
        ideal = factor * (1 + lost * count)
        records += factory.of_ranks(count, seconds(0.5 * ideal, 10 + count))
        if count < 8:
            strong = seconds(4.0 / count * ideal, 20 + count)
            records += factory.of_ranks(count, strong, batch=8 // count)
    return records


def layouts(steps: Sequence[float] = (1.0, 0.9, 0.8)) -> Records:
    """4 images on 4 cores: 1x4, 2x2, 4x1."""
    return [
        record
        for count, step in zip((1, 2, 4), steps, strict=True)
        for record in factory.of_ranks(
            count, seconds(step, 30 + count), batch=4 // count, threads=4 // count
        )
    ]


def copies(slower: float = 1.25) -> Records:
    """1 and 4 at once, on whose steps the others weigh."""
    records = factory.processes(seconds(0.5, 40))
    for process, step in enumerate(seconds(0.5 * slower, 41)):
        records.append(factory.of_copies([[step] * 3] * 4, process))
    return records


def rows_of(function: Any, records: Records, **members: Any) -> list[dict[str, Any]]:
    figures = figures_of(records, **members)
    return function(figures, ranks._Names(figures))


def median_case(count: int, step: float, **case: Any) -> Records:
    return factory.of_ranks(count, [step] * 3, **case)


def test_weak_and_strong_scaling_are_told_apart() -> None:
    rows = rows_of(
        ranks.scaling_rows,
        median_case(1, 1.0, batch=1) + median_case(1, 4.0, batch=4) + median_case(4, 1.25, batch=1),
    )
    told = [(row["kind"], row["ranks"], row["speed_up"], row["efficiency"]) for row in rows]
    assert told == [
        ("weak", 1, 1.0, 1.0),
        ("weak", 4, pytest.approx(3.2), pytest.approx(0.8)),
        ("strong", 1, 1.0, 1.0),
        ("strong", 4, pytest.approx(3.2), pytest.approx(0.8)),
    ]
    assert [row["images_per_step"] for row in rows] == [1, 4, 4, 4]
    assert [row["efficiency_ideal"] for row in rows] == [1.0] * 4
    assert [row["speed_up_ideal"] for row in rows] == [1, 4, 1, 4]


def test_intervals_hold_the_truth_and_need_two_processes() -> None:
    rows = rows_of(ranks.scaling_rows, ladder())
    for row in rows:
        if row["ranks"] == 1:
            continue
        truth = 1 / (1 + 0.02 * row["ranks"])
        assert row["efficiency_low"] < truth < row["efficiency_high"], row
        assert row["speed_up_low"] < truth * row["ranks"] < row["speed_up_high"], row
        assert row["efficiency_high"] - row["efficiency_low"] < 0.05
    single = rows_of(ranks.scaling_rows, factory.of_ranks(1, [0.5]) + factory.of_ranks(2, [0.5]))
    assert single[1]["efficiency"] == 1.0 and "efficiency_low" not in single[1]


def test_a_series_without_one_rank_begins_with_its_fewest() -> None:
    rows = rows_of(ranks.scaling_rows, median_case(2, 1.0) + median_case(8, 2.0))
    assert [row["fewest"] for row in rows] == [2, 2]
    assert rows[1]["speed_up"] == pytest.approx(2) and rows[1]["efficiency"] == pytest.approx(0.5)


def test_other_threads_images_or_batch_norms_are_other_series() -> None:
    records = (
        median_case(1, 1.0)
        + median_case(2, 1.0, threads=1)
        + median_case(2, 1.0, batch=3)
        + median_case(2, 1.0, image=[32, 32, 32])
        + median_case(2, 1.0, backend="eigen")
    )
    assert rows_of(ranks.scaling_rows, records) == []


def test_one_rank_begins_the_series_of_either_batch_norm() -> None:
    records = median_case(1, 1.0) + median_case(2, 1.25) + median_case(2, 1.0, batch_norm="local")
    rows = [row for row in rows_of(ranks.scaling_rows, records) if row["ranks"] == 2]
    assert [(row["series"], row["efficiency"]) for row in rows] == [
        ("global batch norm", pytest.approx(0.8)),
        ("local batch norm", pytest.approx(1.0)),
    ]


def test_a_step_is_made_of_its_parts() -> None:
    (row,) = rows_of(ranks.step_rows, median_case(1, 1.0) + median_case(4, 2.0))
    parts = [row[name] for name in ("compute", "statistics", "loss", "gradients")]
    assert parts == pytest.approx([1.6, 0.2, 0.04, 0.16])
    assert row["exposed"] == pytest.approx(0.4) and row["exposed_share"] == pytest.approx(0.2)
    assert row["slower_rank"] == pytest.approx(0.1) and row["hidden"] == pytest.approx(0.6)
    chart = charts_ranks.step_chart([row])
    assert chart is not None
    own, below = (layer["data"]["values"] for layer in chart.spec["layer"])
    assert [bar["to"] for bar in own] == pytest.approx([0.8, 0.9, 0.92, 1.0])
    # Hidden ends where compute does, and there begins the waiting for others.
    assert [bar["from"] for bar in below] == pytest.approx([0.5, 0.8])
    assert [bar["to"] for bar in below] == pytest.approx([0.8, 0.85])


def test_medians_are_over_ranks() -> None:
    records = factory.of_ranks(3, [1.0])
    each = records[0]["details"]["probes"]["ranks"]["each"]
    for rank, own in enumerate(each):
        own["times"]["statistics_seconds"] = (0.1, 0.3, 0.2)[rank]
    (row,) = rows_of(ranks.step_rows, records)
    assert row["statistics"] == pytest.approx(0.2)


def test_each_rank_is_told_with_its_host() -> None:
    rows = rows_of(ranks.rank_rows, factory.of_ranks(4, [1.0, 2.0, 3.0]))
    assert [(row["rank"], row["host"], row["cpus"]) for row in rows] == [
        (0, "node0", "0-1"),
        (1, "node0", "2-3"),
        (2, "node1", "4-5"),
        (3, "node1", "6-7"),
    ]
    assert [row["peak_bytes"] for row in rows] == [1400, 1401, 1402, 1403]
    assert [row["host_peak_bytes"] for row in rows] == [2801, 2801, 2805, 2805]
    assert all(row["planned_bytes"] == 1000 for row in rows)
    assert all(row["statistics_seconds"] == pytest.approx(0.2) for row in rows)


@pytest.mark.parametrize(
    "each",
    [None, [], [None, 3], [{}], [{"times": 3, "cpus": "x", "host": None}], [{"times": {"a": "b"}}]],
)
def test_what_other_programs_tell_of_ranks_is_no_fault(each: Any) -> None:
    records = median_case(1, 1.0) + median_case(2, 1.0)
    for record in records[3:]:
        record["details"]["probes"]["ranks"]["each"] = each
    if each is None:
        for record in records[3:]:
            del record["details"]["probes"]["ranks"]["each"]
    figures = figures_of(records)
    assert rows_of(ranks.step_rows, records) == []
    assert "ranks-scaling" in [table.name for table in ranks.section(figures).tables]


def test_cpus_are_listed_as_ranges() -> None:
    records = factory.of_ranks(2, [1.0])
    each = records[0]["details"]["probes"]["ranks"]["each"]
    each[0]["cpus"], each[1]["cpus"] = [8, 0, 1, 2, 10, 11], []
    assert [rank.cpus for rank in details.ranks(records[0])] == ["0-2,8,10-11", "-"]


def test_ranks_stand_against_threads_on_as_many_cores() -> None:
    other = median_case(2, 0.1, batch=2, threads=4) + median_case(8, 0.1, batch=1, threads=1)
    rows = rows_of(ranks.layout_rows, layouts() + other)
    assert [row["layout"] for row in rows] == ["1x4", "2x2", "4x1"]
    assert [row["speed_up"] for row in rows] == pytest.approx([1, 1 / 0.9, 1 / 0.8], rel=0.02)
    for row, truth in zip(rows[1:], (1 / 0.9, 1 / 0.8), strict=True):
        assert row["speed_up_low"] < truth < row["speed_up_high"]
    assert {row["series"] for row in rows} == {"4 images, 4 cores"}


def test_copies_are_told_by_the_images_of_all() -> None:
    rows = rows_of(ranks.copies_rows, copies(1.25))
    assert [row["copies"] for row in rows] == [1, 4]
    assert rows[1]["images_per_second"] == pytest.approx(4 / (0.5 * 1.25), rel=0.01)
    assert rows[1]["images_per_second_ideal"] == pytest.approx(8, rel=0.01)
    assert rows[1]["efficiency"] == pytest.approx(0.8, rel=0.01)
    assert rows[1]["images_per_second_low"] < 6.4 < rows[1]["images_per_second_high"]


def test_the_page_tells_of_ranks(tool: Tool, tmp_path: Path) -> None:
    path = factory.write(
        tmp_path / "a.json", factory.report([*ladder(), *layouts(), *copies()[6:]])
    )
    figures = tmp_path / "figures"
    done = tool("report", path, "-o", tmp_path / "a.html", "--figures", figures)
    assert done.returncode == 0, done.stderr
    page = Parsed(tmp_path / "a.html")
    assert "Ranks and copies" in page.titles
    assert "Weak scaling, batch 1, 2 threads: 8 ranks train 6." in page.text
    assert "Strong scaling, 2 threads, 8 images: 4 ranks" not in page.text  # 8 is the most
    assert "an efficiency of 86%" in page.text
    for name in ("weak", "weak-efficiency", "strong", "strong-efficiency", "step", "threads"):
        assert (figures / f"ranks-{name}.svg").is_file(), name
    assert (figures / "copies.svg").is_file()
    for name in ("ranks-scaling", "ranks-step", "ranks-threads", "ranks-each", "copies"):
        assert (figures / f"{name}.csv").read_text().count("\n") > 2, name


def test_a_page_without_ranks_has_no_such_section(tool: Tool, tmp_path: Path) -> None:
    path = factory.write(tmp_path / "a.json", factory.report(factory.processes([0.5, 0.6])))
    assert tool("report", path, "-o", tmp_path / "a.html").returncode == 0
    assert "Ranks and copies" not in text_of(tmp_path / "a.html")


def test_why_no_scaling_can_be_told(tool: Tool, tmp_path: Path) -> None:
    records = median_case(1, 1.0, threads=4) + median_case(2, 1.0, threads=2)
    path = factory.write(tmp_path / "a.json", factory.report(records))
    assert tool("report", path, "-o", tmp_path / "a.html").returncode == 0
    assert "No scaling can be told" in text_of(tmp_path / "a.html")


def test_machines_have_series_of_their_own(tool: Tool, tmp_path: Path) -> None:
    own = factory.write(tmp_path / "a.json", factory.report(ladder()))
    environment = {"cpu": {"model_name": "Other CPU"}, "system": {"host": "other"}}
    other = factory.write(
        tmp_path / "b.json", factory.report(ladder(0.8, 0.05), environment=environment)
    )
    assert tool("report", own, other, "-o", tmp_path / "a.html").returncode == 0
    text = text_of(tmp_path / "a.html")
    assert "Weak scaling, Example CPU: batch 1: 8 ranks train 6.9" in text
    assert "Weak scaling, Other CPU: batch 1: 8 ranks train 5.7" in text


def test_a_series_has_one_colour_on_all_charts() -> None:
    rows = rows_of(ranks.scaling_rows, ladder())
    colours = numbered(row["series"] for row in rows)
    weak, _, strong, _ = ranks._scaling_charts(rows, colours)
    assert weak is not None and strong is not None
    ranges = [
        chart.spec["layer"][1]["encoding"]["color"]["scale"]["range"] for chart in (weak, strong)
    ]
    assert ranges[0] != ranges[1] and len(ranges[0]) == len(ranges[1]) == 1


def test_processes_are_paired_in_their_order() -> None:
    """What slows a round slows both: the efficiency stays."""
    drift = [1.0, 1.5, 2.0]
    first, four = (
        Case(r[0]["case"], r)
        for r in (
            factory.of_ranks(1, drift),
            factory.of_ranks(4, [1.25 * value for value in drift]),
        )
    )
    assert scaling.over_ideal(first, four) == pytest.approx([1.25] * 3)


def test_labels_tell_the_case_of_one_beside_those_of_several() -> None:
    records = median_case(1, 1.0) + median_case(2, 1.0) + median_case(2, 1.0, batch_norm="local")
    assert [figure.series for figure in figures_of(records)] == [
        "onednn 1 rank",
        "onednn 2 ranks global batch norm",
        "onednn 2 ranks local batch norm",
    ]
    both = figures_of([*factory.processes([0.5]), factory.of_copies([[0.5]] * 2)])
    assert [figure.series for figure in both] == ["onednn 1 copy", "onednn 2 copies"]
    alone = figures_of(median_case(1, 1.0) + median_case(1, 1.0, batch=2))
    assert [figure.series for figure in alone] == ["onednn", "onednn"]


def test_threads_of_several_ranks_are_a_series_of_their_own() -> None:
    records = [
        record
        for count in (1, 2)
        for threads in (1, 2)
        for record in median_case(count, 1.0 / threads, threads=threads)
    ]
    rows = fg.thread_scaling(figures_of(records))
    assert [(row["series"], row["threads"]) for row in rows] == [
        ("onednn 64x64x64 1 rank", 1),
        ("onednn 64x64x64 1 rank", 2),
        ("onednn 64x64x64 2 ranks", 1),
        ("onednn 64x64x64 2 ranks", 2),
    ]


def test_memory_of_one_rank_is_for_its_own_voxels() -> None:
    """The plan is of each rank; of copies it is the sum."""
    (ranks_of_four,) = figures_of(median_case(4, 1.0, batch=2))
    (copies_of_four,) = figures_of([factory.of_copies([[0.5]] * 4)])
    assert ranks_of_four.voxels_in_memory == 2 * 64**3
    assert copies_of_four.voxels_in_memory == 4 * 64**3


def test_a_model_stands_beside_what_was_measured() -> None:
    records = median_case(1, 1.0) + median_case(2, 1.0) + median_case(4, 1.25)
    for record in records[3:]:
        count = record["case"]["ranks"]
        record["details"]["rank_model"] = {"seconds": 1.0 if count == 2 else 1.6}
    rows = rows_of(ranks.scaling_rows, records)
    assert [row.get("efficiency_model") for row in rows] == [None, 1.0, pytest.approx(1 / 1.6)]
    assert rows[2]["speed_up_model"] == pytest.approx(4 / 1.6)
    assert rows[2]["model_off"] == pytest.approx(1.6 / 1.25 - 1)
    section = ranks.section(figures_of(records))
    scaled = next(table for table in section.tables if table.name == "ranks-scaling")
    assert scaled.cell_text(scaled.rows[2], "model_off") == "+28.0%"
    weak = section.charts[0]
    assert "Dotted: what a model predicts" in weak.how_to_read
    beside = weak.spec["layer"][0]["data"]["values"]
    assert [own["value"] for own in beside if own["kind"] == "model"] == pytest.approx([2.0, 2.5])


def test_a_model_that_could_not_be_made_is_no_line() -> None:
    records = median_case(1, 1.0) + median_case(2, 1.0)
    for record in records[3:]:
        record["details"]["rank_model"] = {"seconds": None, "reason": "no limits of messages"}
    section = ranks.section(figures_of(records))
    assert "Dotted" not in section.charts[0].how_to_read
    assert all("model_seconds" not in row for table in section.tables for row in table.rows)


def test_the_history_names_ranks() -> None:
    records = [
        *factory.of_ranks(2, [1.0], batch_norm="local"),
        *factory.of_ranks(1, [1.0]),
        factory.of_copies([[0.5]] * 2),
    ]
    labels = [history_store._label(Case(own["case"], [own])) for own in records]
    assert labels == [
        "onednn 64x64x64 batch 1 fp32 2 threads synthetic 2 ranks local batch norm",
        "onednn 64x64x64 batch 1 fp32 2 threads synthetic",
        "onednn 64x64x64 batch 1 fp32 2 threads synthetic 2 copies",
    ]
