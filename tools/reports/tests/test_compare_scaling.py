"""voxmark compare on cases of several ranks: efficiencies, and what is never compared."""

from __future__ import annotations

import json
from typing import Any

import factory
import pytest
from conftest import Tool
from test_compare import compare  # noqa: F401

Records = list[dict[str, Any]]


def seconds(median: float, seed: int) -> list[float]:
    return factory.noisy_seconds(10, median, 0.003, seed)


def ladder(
    seed: int, efficiency: float = 0.8, first: float = 1.0, norm: str = "global", most: int = 4
) -> Records:
    """1, 2 and 4 ranks, weak; with 4 the efficiency is the given one."""
    own = {} if norm == "global" else {"batch_norm": norm}
    records = factory.of_ranks(1, seconds(first, seed))
    for ranks in (2, 4):
        if ranks <= most:
            step = first / (0.9 if ranks == 2 else efficiency)
            records += factory.of_ranks(ranks, seconds(step, seed + ranks), **own)
    return records


def scalings(result: dict[str, Any]) -> list[tuple[str, int, str]]:
    return [
        (row["scaling"]["kind"], row["scaling"]["ranks"], row["comparisons"][0]["verdict"])
        for row in result["rows"]
        if "scaling" in row
    ]


def test_an_efficiency_that_was_lost_is_told(compare: Any) -> None:  # noqa: F811
    base, new = factory.report(ladder(1)), factory.report(ladder(20, 0.7))
    code, result = compare(base, new)
    assert code == 1  # by the step of 4 ranks
    assert scalings(result) == [("weak", 2, "same"), ("weak", 4, "slower")]
    row = next(r for r in result["rows"] if r.get("scaling", {}).get("ranks") == 4)
    found = row["comparisons"][0]
    assert 1 / found["base"] == pytest.approx(0.8, rel=0.01)
    assert 1 / found["new"] == pytest.approx(0.7, rel=0.01)
    assert found["interval"][0] < 0.8 / 0.7 < found["interval"][1]
    assert not row["decides"] and row["scaling"]["over_ranks"] == 1


def test_a_slower_machine_scales_as_before(compare: Any) -> None:  # noqa: F811
    code, result = compare(factory.report(ladder(1)), factory.report(ladder(20, first=1.2)))
    assert code == 1
    assert scalings(result) == [("weak", 2, "same"), ("weak", 4, "same")]


def test_a_faster_single_process_is_no_regression_unless_the_scaling_is_asked_for(
    compare: Any,  # noqa: F811
) -> None:
    """Steps of 4 ranks take as long as before, those of one less."""
    base = factory.report(ladder(1, 0.8))
    faster = [*factory.of_ranks(1, seconds(0.8, 20)), *ladder(20, 0.8)[10:]]
    code, result = compare(base, factory.report(faster))
    assert code == 0
    assert scalings(result)[1] == ("weak", 4, "slower")
    asked = ("--fail-on", "weak_step_over_ideal")
    assert compare(base, factory.report(faster), flags=asked)[0] == 1
    assert compare(base, factory.report(faster), flags=("--fail-on", f"{asked[1]}:60%"))[0] == 0


def test_strong_scaling_is_judged_too(compare: Any) -> None:  # noqa: F811
    def records(seed: int, step: float) -> Records:
        return factory.of_ranks(1, seconds(4.0, seed), batch=4) + factory.of_ranks(
            4, seconds(step, seed + 1)
        )

    _, result = compare(factory.report(records(1, 1.25)), factory.report(records(20, 1.0)))
    assert scalings(result) == [("strong", 4, "faster")]


def test_lines_for_people_name_ranks_and_efficiencies(tool: Tool, tmp_path: Any) -> None:
    base = factory.write(tmp_path / "a.json", factory.report(ladder(1)))
    new = factory.write(tmp_path / "b.json", factory.report(ladder(20, 0.7)))
    said = tool("compare", base, new).stdout
    start = "onednn 64x64x64 batch 1 4 ranks: weak scaling over 1 rank: efficiency 80% → 70%, -12."
    assert start in said
    assert "): worse, p " in said
    assert "onednn 64x64x64 batch 1 1 rank" in said  # beside the others, it tells its one
    assert "weak_step_over_ideal" not in said  # the lines have it; --all shows its row
    assert "weak_step_over_ideal" in tool("compare", base, new, "--all").stdout
    for form in ("markdown", "junit", "github"):
        assert "efficiency 80% → 70%" in tool(
            "compare", base, new, "--format", form
        ).stdout.replace("%25", "%"), form
    third = factory.write(tmp_path / "c.json", factory.report(ladder(40, 0.8)))
    said = tool("compare", base, new, third).stdout
    assert "c.json: onednn 64x64x64 batch 1 4 ranks: weak scaling over 1 rank: efficiency" in said


def test_what_settles_a_scaling_measures_both_of_its_cases(tool: Tool, tmp_path: Any) -> None:
    def written(name: str, seed: int, factor: float) -> Any:
        records = []
        for ranks in (1, 4):
            noise = factory.noisy_seconds(8, factor if ranks == 4 else 1.0, 0.05, seed + ranks)
            for record in factory.of_ranks(ranks, noise):
                record["reproduce"] = f"voxmark run --ranks {ranks}"
                records.append(record)
        return factory.write(tmp_path / name, factory.report(records))

    base, new = written("a.json", 1, 1.2), written("b.json", 20, 1.27)
    done = tool("compare", base, new, "--fail-on", "weak_step_over_ideal")
    assert done.returncode == 4, done.stdout
    for ranks in (1, 4):
        for side in ("base", "new"):
            assert f"voxmark run --ranks {ranks} --repeats " in done.stdout
            assert f"# {side} (" in done.stdout


def test_a_scaling_that_is_not_there_cannot_decide(tool: Tool, tmp_path: Any) -> None:
    base = factory.write(tmp_path / "a.json", factory.report(factory.processes([1.0] * 6)))
    new = factory.write(tmp_path / "b.json", factory.report(factory.processes([1.1] * 6)))
    done = tool("compare", base, new, "--fail-on", "strong_step_over_ideal")
    assert done.returncode == 64
    assert "a.json has no such metric" in done.stderr


def test_local_batch_norms_scale_apart_unless_asked(compare: Any) -> None:  # noqa: F811
    base, new = factory.report(ladder(1)), factory.report(ladder(20, norm="local"))
    code, result = compare(base, new)
    assert code == 3
    assert scalings(result) == []
    code, result = compare(base, new, flags=("--ignore", "batch_norm"))
    assert code == 0
    assert scalings(result) == [("weak", 2, "same"), ("weak", 4, "same")]


def test_both_batch_norms_in_a_report_keep_their_scalings(compare: Any) -> None:  # noqa: F811
    base = ladder(1, 0.8) + ladder(10, 0.95, norm="local")[10:]
    new = ladder(20, 0.8) + ladder(30, 0.75, norm="local")[10:]
    _, result = compare(factory.report(base), factory.report(new))
    rows = [row for row in result["rows"] if row.get("scaling", {}).get("ranks") == 4]
    told = [(r["case"].get("batch_norm"), r["comparisons"][0]["verdict"]) for r in rows]
    assert told == [(None, "same"), ("local", "slower")]


def test_other_ranks_are_compared_only_when_asked(compare: Any) -> None:  # noqa: F811
    two = factory.report(factory.of_ranks(2, seconds(1.0, 1), batch=2))
    four = factory.report(factory.of_ranks(4, seconds(1.0, 2), batch=1))
    assert compare(two, four)[0] == 3
    assert compare(two, four, flags=("--ignore", "ranks"))[0] == 3  # nor as many images of each
    code, result = compare(two, four, flags=("--ignore", "ranks", "--ignore", "batch"))
    assert code == 0  # the same step of as many images
    assert scalings(result) == []
    more = factory.report(factory.of_ranks(4, seconds(1.0, 2), batch=2))
    code, result = compare(two, more, flags=("--ignore", "ranks"))
    assert code == 3
    assert "another workload" in json.dumps(result)


def test_a_number_of_ranks_that_one_report_lacks_is_no_scaling(compare: Any) -> None:  # noqa: F811
    base, new = factory.report(ladder(1)), factory.report(ladder(20, most=2))
    code, result = compare(base, new)
    assert code == 3
    assert scalings(result) == [("weak", 2, "same")]


def test_a_case_that_broke_spoils_its_scaling(compare: Any) -> None:  # noqa: F811
    new = [
        *ladder(20, most=2),
        factory.failure("crashed", "rank 3 of 4 on node1 was killed", ranks=4),
    ]
    code, result = compare(factory.report(ladder(1)), factory.report(new))
    assert code == 1
    assert scalings(result)[1] == ("weak", 4, "not comparable")


def test_machines_scale_side_by_side(tool: Tool, tmp_path: Any) -> None:
    other = {"cpu": {"model_name": "Other CPU"}, "system": {"host": "other"}}
    base = factory.write(tmp_path / "a.json", factory.report(ladder(1)))
    new = factory.write(
        tmp_path / "b.json", factory.report(ladder(20, 0.7, first=0.5), environment=other)
    )
    assert "scaling over" in tool("compare", base, new).stdout  # with the reason why not
    assert "another machine" in tool("compare", base, new).stdout
    done = tool("compare", "--machines", base, new)
    assert done.returncode == 0
    assert "efficiency 80% → 70%" in done.stdout
