"""Cases of several copies: processes that did it at once, in one record."""

from __future__ import annotations

import json
from pathlib import Path

import factory
import pytest
from conftest import Tool
from voxmark_reports import reading
from voxmark_reports.cases import cases_of, process_value
from voxmark_reports.figures import figures_of, warnings


def test_the_step_of_copies_follows_from_the_images_of_all(tmp_path: Path) -> None:
    record = factory.of_copies([[0.5, 0.5, 9.0], [1.0, 1.0, 1.0]])
    assert process_value(record, "step_seconds") == pytest.approx(2 / (1 / 0.5 + 1 / 1.0))
    report = reading.read_report(factory.write(tmp_path / "r.json", factory.report([record])))
    (figure,) = figures_of([report])
    assert figure.images_per_second == pytest.approx(1 / 0.5 + 1 / 1.0)
    one = factory.record(step_seconds=[figure.step_seconds])
    alone = reading.read_report(factory.write(tmp_path / "1.json", factory.report([one])))
    assert figure.flops_per_second == pytest.approx(2 * figures_of([alone])[0].flops_per_second)


def test_alike_copies_have_the_step_of_each() -> None:
    record = factory.of_copies([[0.5, 0.4, 0.6]] * 3)
    assert process_value(record, "step_seconds") == pytest.approx(0.5)


def test_steps_beside_which_not_all_others_ran_do_not_count() -> None:
    record = factory.of_copies([[0.5, 0.1], [0.5, 0.5]])
    record["samples"][2]["alone"] = True
    assert process_value(record, "step_seconds") == pytest.approx(0.5)
    assert record["samples"][2]["step_seconds"] == 0.1


def test_one_slow_copy_of_four_is_a_regression(tool: Tool, tmp_path: Path) -> None:
    def written(name: str, slowest: float) -> Path:
        records = [
            factory.of_copies([[value] * 3] * 3 + [[slowest * value] * 3], process)
            for process, value in enumerate(factory.noisy_seconds())
        ]
        return factory.write(tmp_path / name, factory.report(records))

    done = tool("compare", written("a.json", 1.0), written("b.json", 2.0), "--format", "json")
    rows = json.loads(done.stdout)["rows"]
    (step,) = [row for row in rows if row["metric"] == "step_seconds"]
    assert step["comparisons"][0]["verdict"] == "slower"
    assert done.returncode == 1


def test_copies_that_did_not_run_side_by_side_are_warned_of(tmp_path: Path) -> None:
    apart = "copy 1 ran no timed step while all others ran theirs: more --steps or --warmup"
    record = factory.of_copies([[0.5], [0.5]], copies={"apart": apart})
    report = reading.read_report(factory.write(tmp_path / "r.json", factory.report([record])))
    assert any(apart in text for text in warnings([report]))


def test_other_numbers_of_copies_are_other_cases(tmp_path: Path) -> None:
    records = [factory.record(), factory.of_copies([[0.5], [0.5]])]
    report = reading.read_report(factory.write(tmp_path / "r.json", factory.report(records)))
    assert len(cases_of(report)) == 2
