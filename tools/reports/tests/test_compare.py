"""voxmark compare from outside: its verdicts, exit codes and formats."""

from __future__ import annotations

import json
import re
import statistics
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import factory
import pytest
from conftest import Tool
from voxmark_reports import comparison, comparison_formats, reading

BASE = factory.noisy_seconds(seed=1)
AGAIN = factory.noisy_seconds(seed=2)
SLOWER = factory.noisy_seconds(median=0.55, seed=2)


@pytest.fixture
def compare(tool: Tool, tmp_path: Path) -> Any:
    """compare(base, new, ...): contents or paths; the exit code and the parsed JSON."""

    def run(*reports: Any, flags: tuple[str, ...] = ()) -> tuple[int, dict[str, Any]]:
        paths = [
            content if isinstance(content, Path) else factory.write(tmp_path / f"{i}.json", content)
            for i, content in enumerate(reports)
        ]
        done = tool("compare", *paths, "--format", "json", *flags)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    return run


def verdict(result: dict[str, Any], metric: str, case: int = 0) -> dict[str, Any]:
    rows = [row for row in result["rows"] if row["metric"] == metric]
    return rows[case]["comparisons"][0]


def test_the_same_again_is_same(compare: Any) -> None:
    code, result = compare(
        factory.report(factory.processes(BASE)), factory.report(factory.processes(AGAIN))
    )
    assert code == 0
    assert verdict(result, "step_seconds")["verdict"] == "same"
    low, high = verdict(result, "step_seconds")["interval"]
    assert 0.97 < low < high < 1.03
    assert verdict(result, "planned_bytes")["verdict"] == "same"


def test_ten_percent_slower_is_a_regression(compare: Any) -> None:
    code, result = compare(
        factory.report(factory.processes(BASE)), factory.report(factory.processes(SLOWER))
    )
    assert code == 1
    found = verdict(result, "step_seconds")
    assert found["verdict"] == "slower"
    assert found["ratio"] == pytest.approx(1.1, abs=0.01)
    assert found["adjusted_p"] < 0.01


def test_ten_percent_faster_is_no_regression(compare: Any) -> None:
    code, result = compare(
        factory.report(factory.processes(SLOWER)), factory.report(factory.processes(BASE))
    )
    assert code == 0
    assert verdict(result, "step_seconds")["verdict"] == "faster"


def test_three_processes_are_inconclusive_and_told_how_many_settle_it(compare: Any) -> None:
    code, result = compare(
        factory.report(factory.processes(BASE[:3])), factory.report(factory.processes(SLOWER[:3]))
    )
    assert code == 4
    found = verdict(result, "step_seconds")
    assert found["verdict"] == "inconclusive"
    assert "3 against 3" in found["reason"]
    number = found["processes_needed"]
    assert number > 3
    more, total = number - 3, f"{number} a side in all"
    parts = [f"{count} of {more} more, {total}" for count in (more - more // 2, more // 2)]
    for side, name, position, note in (
        ("base", "0.json", 1, parts[0]),
        ("new", "1.json", 1, f"{more} more, {total}"),
        ("base", "0.json", 2, parts[1]),
    ):
        out = f"--out more-1-{side}/more-1-{position}.json  # {side} ({name}): {note}"
        assert [line for line in result["to_settle"] if line.endswith(out)]


def test_no_command_overwrites_what_another_wrote(compare: Any) -> None:
    few = factory.report([*factory.processes(BASE[:3]), *factory.processes(BASE[:3], "eigen")])
    code, result = compare(few, few)
    files = [m[1] for line in result["to_settle"] if (m := re.search(r"--out (\S+)", line))]
    names = ["base/more-1-1", "base/more-1-2", "new/more-1-1", "new/more-1-2"]
    names += ["base/more-1-3", "base/more-1-4"]
    assert (code, files) == (4, [f"more-1-{name}.json" for name in names])


def test_no_command_overwrites_an_earlier_rounds_file(
    compare: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more-2-new").mkdir()
    few = factory.report(factory.processes(BASE[:3]))
    _, result = compare(few, few)
    assert any("--out more-3-base/more-3-1.json" in line for line in result["to_settle"])


def test_many_steps_of_one_process_are_no_evidence(compare: Any) -> None:
    one = factory.report([factory.record(step_seconds=BASE * 5)])
    other = factory.report([factory.record(step_seconds=SLOWER * 5)])
    assert compare(one, other)[0] == 4


def test_warm_up_steps_do_not_count(compare: Any) -> None:
    _, result = compare(
        factory.report(factory.processes(BASE)), factory.report(factory.processes(AGAIN))
    )
    assert verdict(result, "step_seconds")["base"] == pytest.approx(0.5, rel=0.02)


def test_one_byte_more_in_the_plan_is_a_regression(compare: Any) -> None:
    inflated = factory.processes(AGAIN)
    for record in inflated:
        record["memory"]["planned_bytes"] += 1
    code, result = compare(factory.report(factory.processes(BASE)), factory.report(inflated))
    assert code == 1
    assert verdict(result, "planned_bytes")["verdict"] == "slower"


def test_a_larger_peak_is_a_regression(compare: Any) -> None:
    code, result = compare(
        factory.report(factory.processes(BASE)),
        factory.report(factory.processes(AGAIN, peak_bytes=1600)),
    )
    assert code == 1
    assert verdict(result, "peak_bytes")["verdict"] == "slower"


def test_a_threshold_forgives_what_is_below_it(compare: Any) -> None:
    reports = (factory.report(factory.processes(BASE)), factory.report(factory.processes(SLOWER)))
    code, result = compare(*reports, flags=("--fail-on", "step_seconds:20%"))
    assert code == 0
    assert verdict(result, "step_seconds")["verdict"] == "slower"  # and not the same
    assert "slower, within 20%" in result["summary"]
    assert compare(*reports, flags=("--fail-on", "step_seconds:5%"))[0] == 1
    assert compare(*reports, flags=("--fail-on", "peak_bytes"))[0] == 0


def test_what_may_be_beyond_the_threshold_is_inconclusive(compare: Any) -> None:
    """+9.8% with an interval of +9.5% to +10.2%: surely slower, maybe by more than 10%."""
    reports = (factory.report(factory.processes(BASE)), factory.report(factory.processes(SLOWER)))
    code, result = compare(*reports, flags=("--fail-on", "step_seconds:10%"))
    found = verdict(result, "step_seconds")
    assert found["ratio"] < 1.10 < found["interval"][1]
    assert (code, found["verdict"]) == (4, "slower")
    assert "more than the 10% that is allowed" in found["reason"]


def test_noise_within_the_threshold_is_no_question_any_more(compare: Any) -> None:
    noisy = [factory.noisy_seconds(spread=0.05, seed=seed) for seed in (1, 2)]
    reports = [factory.report(factory.processes(values)) for values in noisy]
    assert compare(*reports)[0] == 4
    code, result = compare(*reports, flags=("--fail-on", "step_seconds:20%"))
    assert code == 0
    assert verdict(result, "step_seconds")["verdict"] == "inconclusive"


def test_a_small_threshold_asks_for_small_changes(compare: Any) -> None:
    base = factory.report(factory.processes(factory.noisy_seconds(spread=0.001, seed=1)))
    new = factory.report(factory.processes(factory.noisy_seconds(10, 0.51, 0.001, 2)))
    assert compare(base, new)[0] == 0  # +2% is the same, as far as anybody should care
    code, result = compare(base, new, flags=("--fail-on", "step_seconds:1%"))
    assert (code, verdict(result, "step_seconds")["verdict"]) == (1, "slower")


def test_a_plan_that_grew_as_allowed_is_still_larger(compare: Any) -> None:
    grown = factory.processes(AGAIN)
    for record in grown:
        record["memory"]["planned_bytes"] += 20  # of 1000
    reports = (factory.report(factory.processes(BASE)), factory.report(grown))
    assert compare(*reports, flags=("--fail-on", "planned_bytes:1%"))[0] == 1
    code, result = compare(*reports, flags=("--fail-on", "planned_bytes:3%"))
    assert (code, verdict(result, "planned_bytes")["verdict"]) == (0, "slower")


def test_one_process_a_side_is_told_what_to_paste(compare: Any, tmp_path: Path) -> None:
    one = factory.report([factory.record(step_seconds=BASE)])
    code, result = compare(one, one)
    assert code == 4
    run = f"{factory.record()['reproduce']} --repeats"
    base = f"# base ({result['base']})"
    assert result["to_settle"] == [
        "mkdir more-1-base more-1-new",
        f"cp {tmp_path}/0.json more-1-base/",
        f"cp {tmp_path}/1.json more-1-new/",
        f"{run} 5 --out more-1-base/more-1-1.json  {base}: 5 of 9 more, 10 a side in all",
        f"{run} 9 --out more-1-new/more-1-1.json  # new ({result['new'][0]}): "
        "9 more, 10 a side in all",
        f"{run} 4 --out more-1-base/more-1-2.json  {base}: 4 of 9 more, 10 a side in all",
        "voxmark compare more-1-base more-1-new",
    ]
    code, result = compare(one, one, flags=("--fail-on", "planned_bytes"))
    assert (code, result["to_settle"]) == (0, [])


def test_a_noise_floor_makes_small_changes_unjudged(compare: Any) -> None:
    reports = (factory.report(factory.processes(BASE)), factory.report(factory.processes(SLOWER)))
    assert compare(*reports, flags=("--noise-floor", "15"))[0] == 0


def disturb(records: list[dict[str, Any]]) -> None:
    for record in records:
        interference = {"tainted": True, "tainted_steps": 3, "reasons": ["another program ran"]}
        record["details"] = {"interference": interference}


def test_a_noisy_run_is_inconclusive_whatever_its_figures(compare: Any) -> None:
    disturbed = factory.processes(SLOWER)
    disturb(disturbed[:6])
    code, result = compare(factory.report(factory.processes(BASE)), factory.report(disturbed))
    assert code == 4
    assert verdict(result, "step_seconds")["reason"] == "noisy: another program ran"
    assert result["to_settle"][0].startswith("voxmark doctor")
    runs = [line for line in result["to_settle"] if "--repeats" in line]
    assert [int(re.findall(r"--repeats (\d+)", line)[0]) for line in runs] == [5, 10, 5]
    assert all("the disturbed ones are left out" in line for line in runs)


def test_disturbed_processes_are_left_out_and_counted(compare: Any) -> None:
    """Five of 0.3 s beside three of 2.26 s are five of 0.3 s."""
    disturbed = factory.processes([*SLOWER[:-3], 2.26, 2.26, 2.26])
    disturb(disturbed[-3:])
    code, result = compare(factory.report(factory.processes(BASE)), factory.report(disturbed))
    assert code == 1
    found = verdict(result, "step_seconds")
    assert found["new_processes"] == len(SLOWER) - 3
    assert found["new"] == pytest.approx(statistics.median(SLOWER[:-3]))
    assert result["disturbed"][0].endswith("3 of 10 processes were disturbed and left out")
    assert verdict(result, "peak_bytes")["new_processes"] == len(SLOWER), "memory is all's"


def test_few_disturbed_processes_count_and_are_told(compare: Any) -> None:
    disturbed = factory.processes(SLOWER[:4])
    disturb(disturbed[:1])
    _, result = compare(factory.report(factory.processes(BASE)), factory.report(disturbed))
    assert verdict(result, "step_seconds")["new_processes"] == 4
    assert result["disturbed"][0].endswith("1 of 4 processes was disturbed: another program ran")


def test_counters_are_compared(compare: Any) -> None:
    def counted(value: float) -> dict[str, Any]:
        records = factory.processes(BASE)
        for position, record in enumerate(records):
            events = {
                "instructions": {"value": value + position, "running_fraction": 1},
                "cycles": {"value": None, "reason": "no PMU"},
            }
            record["details"] = {"probes": {"counters": {"events": events}}}
        return factory.report(records)

    code, result = compare(counted(1e6), counted(2e6))
    assert code == 0  # shown, not judged
    assert verdict(result, "counters.instructions")["verdict"] == "slower"
    assert not any(row["metric"] == "counters.cycles" for row in result["rows"])
    flags = ("--fail-on", "counters.instructions:5%")
    assert compare(counted(1e6), counted(2e6), flags=flags)[0] == 1


@pytest.mark.parametrize("name", ["UOPS_ISSUED:ANY", "UOPS_ISSUED:ANY:c=1", "perf::CYCLES"])
def test_events_with_attributes_can_decide(name: str) -> None:
    assert comparison.parse_fail_on([f"counters.{name}:5%"]) == {f"counters.{name}": 0.05}
    assert comparison.parse_fail_on([f"counters.{name}"]) == {f"counters.{name}": None}


def test_allocations_of_a_step_are_compared(compare: Any) -> None:
    def allocating(calls: int, size: int) -> dict[str, Any]:
        records = factory.processes(BASE)
        for record in records:
            for sample in record["samples"]:
                sample["readings"]["heap_allocations"] = calls
                sample["readings"]["heap_allocated_bytes"] = size
        return factory.report(records)

    _, result = compare(allocating(10, 1000), allocating(30, 9000))
    assert verdict(result, "readings.heap_allocations")["verdict"] == "slower"
    grown = verdict(result, "readings.heap_allocated_bytes")
    assert grown["verdict"] == "slower"
    assert grown["base"] == 1000, "of the readings, not of the memory"
    assert compare(allocating(0, 0), allocating(0, 0))[0] == 0
    assert compare(allocating(0, 0), allocating(30, 9000))[0] == 0, "shown, not judged"


# ---- What cannot be compared ----


@pytest.mark.parametrize(
    "environment",
    [
        {"cpu": {"model_name": "Another CPU"}},
        {"cpu": {"allowed": 1}},
        {"cpu": {"flags": "fpu sse4_2 avx avx2 fma avx512f"}},
        {"variables": {"ONEDNN_MAX_CPU_ISA": "SSE41"}},
        {"variables": {"ONEDNN_DEFAULT_FPMATH_MODE": "BF16"}},
    ],
)
def test_another_machine_is_not_comparable_unless_asked(
    compare: Any, environment: dict[str, Any]
) -> None:
    base = factory.report(factory.processes(BASE))
    new = factory.report(factory.processes(SLOWER), environment=environment)
    code, result = compare(base, new)
    assert code == 3
    assert any(difference["blocks"] for difference in result["differences"])
    assert compare(base, new, flags=("--ignore", "machine"))[0] == 1


@pytest.mark.parametrize(
    "environment",
    [
        {"system": {"host": "other", "load_average": "9"}},
        {"cpu": {"microcode": "0x2"}},
        {"memory": {"available_bytes": 1}},
        {"variables": {"MALLOC_ARENA_MAX": "1"}},
    ],
)
def test_lesser_differences_are_shown_and_do_not_block(
    compare: Any, environment: dict[str, Any]
) -> None:
    base = factory.report(factory.processes(BASE))
    assert compare(base, factory.report(factory.processes(AGAIN), environment=environment))[0] == 0


@pytest.mark.parametrize("change", [{"threads": 1}, {"precision": "bf16"}, {"seed": 2}])
def test_another_case_is_a_missing_row_that_names_the_difference(
    compare: Any, change: dict[str, Any]
) -> None:
    code, result = compare(
        factory.report(factory.processes(BASE)), factory.report(factory.processes(AGAIN, **change))
    )
    assert code == 3
    (name, value) = next(iter(change.items()))
    assert f"{name} " in verdict(result, "step_seconds")["reason"]
    assert str(value) in verdict(result, "step_seconds")["reason"]
    assert result["only_in_new"] != [[]]
    reports = (
        factory.report(factory.processes(BASE)),
        factory.report(factory.processes(AGAIN, **change)),
    )
    assert compare(*reports, flags=("--ignore", name))[0] == 0


def test_how_a_data_folder_was_read_does_not_make_another_case(compare: Any) -> None:
    seconds = factory.noisy_seconds(8, 0.5, 0.01, 1)
    again = factory.noisy_seconds(8, 0.5, 0.01, 2)
    accepted = {"follow_links": True, "affine_tolerance": 0.01}
    base = factory.report(factory.processes(seconds, data="set"))
    code, _ = compare(base, factory.report(factory.processes(again, data="set", **accepted)))
    assert code == 0


@pytest.mark.parametrize("fact", ["input_sha256", "weights_sha256"])
def test_another_workload_of_the_same_name_is_not_comparable(compare: Any, fact: str) -> None:
    other = factory.processes(AGAIN)
    for record in other:
        record[fact] = "d" * 64
    code, result = compare(factory.report(factory.processes(BASE)), factory.report(other))
    assert code == 3
    assert fact in verdict(result, "step_seconds")["reason"]


def test_data_in_another_folder_is_found_by_its_hash(compare: Any) -> None:
    base = factory.report(factory.processes(BASE, data="/here/data"))
    assert compare(base, factory.report(factory.processes(AGAIN, data="/there")))[0] == 0


def test_a_missing_row_is_never_a_pass(compare: Any) -> None:
    both = [*factory.processes(BASE), *factory.processes(BASE, "eigen")]
    code, result = compare(factory.report(both), factory.report(factory.processes(AGAIN)))
    assert code == 3
    assert verdict(result, "step_seconds", 1)["verdict"] == "not comparable"


def test_the_base_of_a_missing_row_is_shown(tool: Tool, tmp_path: Path) -> None:
    both = [*factory.processes([0.5] * 4), *factory.processes([0.25] * 4, "eigen")]
    paths = [
        factory.write(tmp_path / name, factory.report(records))
        for name, records in (("both.json", both), ("one.json", both[:4]))
    ]
    row = re.search(r"eigen .* step_seconds (.*) not in this", tool("compare", *paths).stdout)
    assert row and "250.0 ms" in row[1] and "4:0" in row[1]


def test_a_regression_outweighs_a_missing_row(compare: Any) -> None:
    both = [*factory.processes(BASE), *factory.processes(BASE, "eigen")]
    assert compare(factory.report(both), factory.report(factory.processes(SLOWER)))[0] == 1


@pytest.mark.parametrize("outcome", ["invalid", "diverged", "oom", "crashed", "timeout", "failed"])
def test_a_case_that_broke_is_a_regression(compare: Any, outcome: str) -> None:
    code, result = compare(
        factory.report(factory.processes(BASE)),
        factory.report([factory.failure(outcome, "it broke")]),
    )
    assert code == 1
    assert verdict(result, "step_seconds")["reason"] == f"{outcome}: it broke"


def test_batch_norms_over_other_images_are_compared_only_when_asked(compare: Any) -> None:
    base = factory.report(factory.processes(BASE, ranks=2))
    new = factory.report(factory.processes(AGAIN, ranks=2, batch_norm="local"))
    code, result = compare(base, new)
    assert code == 3
    assert "batch_norm global → local" in json.dumps(result, ensure_ascii=False)
    code, result = compare(base, new, flags=("--ignore", "batch_norm"))
    assert code == 0
    assert verdict(result, "step_seconds")["verdict"] == "same"


def test_other_numbers_of_ranks_are_other_cases(compare: Any) -> None:
    code, result = compare(
        factory.report(factory.processes(BASE)), factory.report(factory.processes(AGAIN, ranks=2))
    )
    assert code == 3
    assert "ranks 1 → 2" in json.dumps(result, ensure_ascii=False)


def test_a_case_that_was_skipped_is_not_comparable(compare: Any) -> None:
    new = factory.report([factory.failure("skipped", "not built")])
    assert compare(factory.report(factory.processes(BASE)), new)[0] == 3


def test_a_case_that_never_had_figures_is_told_and_does_not_decide(compare: Any) -> None:
    base = [*factory.processes(BASE), factory.failure("skipped", "not built", "eigen")]
    new = [*factory.processes(AGAIN), factory.failure("skipped", "not built", "eigen")]
    code, result = compare(factory.report(base), factory.report(new))
    assert code == 0
    assert "eigen" in result["without_figures"][0]


def test_a_deciding_figure_that_the_base_lacks_is_told(compare: Any) -> None:
    records = [*factory.processes(BASE), *factory.processes(BASE, "eigen")]
    for record in records[len(BASE) :]:
        record["memory"] |= {"peak_bytes": None, "reason": "not had"}
    code, result = compare(factory.report(records), factory.report(records))
    assert code == 0
    (told,) = result["without_figures"]
    assert told.startswith("eigen 64x64x64") and ": no peak_bytes in " in told


def test_nothing_measured_is_not_comparable(tool: Tool, tmp_path: Path) -> None:
    empty = factory.write(tmp_path / "empty.json", factory.report([]))
    done = tool("compare", empty, empty)
    assert done.returncode == 3


@pytest.mark.parametrize("schema", ["voxmark.report/0", "voxmark.report/2"])
def test_another_version_of_the_format_is_not_comparable(
    tool: Tool, tmp_path: Path, schema: str
) -> None:
    new = {**factory.report(factory.processes(BASE)), "schema": schema}
    base = factory.write(tmp_path / "base.json", factory.report(factory.processes(BASE)))
    done = tool("compare", base, factory.write(tmp_path / "new.json", new))
    assert done.returncode == 3
    assert schema in done.stderr


# ---- What differs ----


def test_a_changed_implementation_is_named(compare: Any) -> None:
    other = factory.processes(AGAIN)
    for record in other:
        record["stages"][1] |= {"implementation": "ref:any", "layout": "any"}
    _, result = compare(factory.report(factory.processes(BASE)), factory.report(other))
    assert [change["change"] for change in result["implementations"][0]] == [
        "decodeA_conv1 convolution_backward_weights: jit:avx512_core ndhwc → ref:any any"
    ]


def test_differences_stand_before_the_table(tool: Tool, tmp_path: Path) -> None:
    base = factory.write(tmp_path / "base.json", factory.report(factory.processes(BASE)))
    other = factory.report(
        factory.processes(AGAIN),
        environment={
            "variables": {"MALLOC_ARENA_MAX": "1"},
            "libraries": [{"path": "/opt/libdnnl.so.3.2", "sha256": "b" * 64}],
        },
    )
    new = factory.write(tmp_path / "new.json", other)
    for form in ("table", "markdown", "github", "junit"):
        text = tool("compare", base, new, "--format", form).stdout.replace("\\_", "_")
        assert "variables.MALLOC_ARENA_MAX: - → 1" in text, form
        assert "libdnnl.so.2.6 (aaaaaaaaaaaa) → libdnnl.so.3.2 (bbbbbbbbbbbb)" in text, form
        first = text.find("step_seconds")
        first = text.index("No regression") if first < 0 else first
        assert text.index("libdnnl") < first, form


def test_what_is_measured_anew_each_time_is_no_difference(compare: Any) -> None:
    reports = [
        factory.report(
            factory.processes(values),
            limits={"memory_bytes": number, "machine": [{"threads": 2, "x_per_second": number}]},
            environment={"system": {"load_average": str(number)}},
        )
        for number, values in enumerate((BASE, AGAIN))
    ]
    code, result = compare(*reports)
    assert code == 0
    assert result["differences"] == []


# ---- Formats ----


@pytest.fixture
def regression(tmp_path: Path) -> tuple[Path, Path]:
    hostile = {"system": {"host": "</SCRIPT>|<img src=x>\n::error::\x1b[31m"}}
    base = factory.report(factory.processes(BASE))
    new = factory.report(factory.processes(SLOWER), environment=hostile)
    return factory.write(tmp_path / "base.json", base), factory.write(tmp_path / "new.json", new)


def test_markdown_escapes_names(tool: Tool, regression: tuple[Path, Path]) -> None:
    done = tool("compare", *regression, "--format", "markdown")
    assert done.returncode == 1
    assert "<img" not in done.stdout
    assert "\\|&lt;img" in done.stdout


def test_the_table_has_no_terminal_escapes_of_others(
    tool: Tool, regression: tuple[Path, Path]
) -> None:
    done = tool("compare", *regression)
    assert "\x1b" not in done.stdout
    assert "slower" in done.stdout


@pytest.mark.parametrize("form", ["table", "junit"])
def test_names_within_a_report_are_text(tool: Tool, tmp_path: Path, form: str) -> None:
    hostile = "a{b}\x1b[31m\ufffe"
    records = [
        record
        for backend in ("onednn", "eigen")
        for record in factory.processes(BASE, backend, **{hostile: hostile})
    ]
    for record in records:
        events = {hostile: {"value": 1e6, "running_fraction": 1}}
        record["details"] = {"probes": {"counters": {"events": events}}}
        for sample in record["samples"]:
            sample["readings"][hostile] = 3
    base = factory.write(tmp_path / "base.json", factory.report(records))
    for record in records:  # neither case is there any more
        record["case"][hostile] += "\x1b]0;title"
        record["case"]["\x1bother"] = 1
    new = factory.write(tmp_path / "new.json", factory.report(records))
    flags = ["--fail-on", "step_seconds"]
    if form == "table":
        flags.append("--all")
    done = tool("compare", base, new, "--format", form, *flags)
    assert done.returncode == 3, done.stderr
    assert "a{b}?[31m? a{b}?[31m?" in done.stdout
    assert "nearest: " in done.stdout
    assert not any(c in done.stdout for c in "\x1b\ufffe")
    if form == "junit":
        ElementTree.fromstring(done.stdout)


def test_names_of_metrics_are_text_in_junit(tool: Tool, tmp_path: Path) -> None:
    records = factory.processes(BASE)
    for record in records:
        events = {"a{b}\x1b[31m": {"value": 1e6, "running_fraction": 1}}
        record["details"] = {"probes": {"counters": {"events": events}}}
    path = factory.write(tmp_path / "a.json", factory.report(records))
    options = comparison.Options(fail_on={"counters.a{b}\x1b[31m": None})
    report = reading.read_report(path)
    text = comparison_formats.as_junit(comparison.compare(report, [report], options))
    (test,) = ElementTree.fromstring(text).iter("testcase")
    assert str(test.get("name")).endswith("counters.a{b}?[31m")


def test_every_format_tells_what_would_settle_it(tool: Tool, tmp_path: Path) -> None:
    paths = [
        factory.write(tmp_path / f"{i}.json", factory.report(factory.processes(values[:3])))
        for i, values in enumerate((BASE, SLOWER))
    ]
    lines = json.loads(tool("compare", *paths, "--format", "json").stdout)["to_settle"]
    (command,) = (line for line in lines if "--repeats" in line and "# new" in line)
    suite = ElementTree.fromstring(tool("compare", *paths, "--format", "junit").stdout)
    assert command in str(suite.findtext("system-out"))
    lines = tool("compare", *paths, "--format", "github").stdout.splitlines()
    notices = [line for line in lines if line.startswith("::notice") and "voxmark run" in line]
    assert len(notices) == 1 and command in notices[0]


def test_junit_fails_what_regressed(tool: Tool, regression: tuple[Path, Path]) -> None:
    suite = ElementTree.fromstring(tool("compare", *regression, "--format", "junit").stdout)
    assert suite.get("failures") == "1"
    assert suite.get("tests") == "3"
    failures = [case.get("name") for case in suite if case.find("failure") is not None]
    assert failures == ["onednn 64x64x64 batch 1 step_seconds"]


def test_github_annotates_what_regressed(tool: Tool, regression: tuple[Path, Path]) -> None:
    lines = tool("compare", *regression, "--format", "github").stdout.splitlines()
    assert lines[0].startswith("::notice title=Differences::system.host")
    errors = [line for line in lines if line.startswith("::error")]
    assert errors == [lines[1]]
    assert "slower" in errors[0]


def test_more_reports_make_a_matrix_with_a_chosen_base(
    compare: Any, tool: Tool, tmp_path: Path
) -> None:
    contents = [factory.report(factory.processes(values)) for values in (BASE, AGAIN, SLOWER)]
    code, result = compare(*contents)
    assert code == 1
    row = next(row for row in result["rows"] if row["metric"] == "step_seconds")
    assert [found["verdict"] for found in row["comparisons"]] == ["same", "slower"]
    code, result = compare(*contents, flags=("--baseline", "3"))
    assert code == 0
    assert result["base"] == "2.json"
    text = tool("compare", *(tmp_path / f"{i}.json" for i in range(3))).stdout
    assert "base 0.json, new 1.json, 2.json" in text
    # All that stands in the table of two reports: interval, p, detectable change, reason.
    assert re.search(r"slower; \+9.8% \(\+9.5%\.\.\+10.2%\); p [\d.e-]+; detectable [\d.]+%", text)
    assert re.search(r"same; .* p \d", text)


@pytest.mark.parametrize(
    "other",
    [
        {"environment": {"cpu": {"model_name": "Another CPU"}}},
        {"environment": {"variables": {"OMP_PROC_BIND": "true"}}},
        {"environment": {"libraries": [{"path": "/opt/libdnnl.so.3.2", "sha256": "b" * 64}]}},
        {"voxmark": {"version": "1", "commit": "a", "dirty": False, "binary_sha256": "d" * 64}},
    ],
)
@pytest.mark.parametrize("command", [["compare"], ["report", "-o", "x.html"]])
def test_a_folder_of_two_states_is_refused(
    tool: Tool, tmp_path: Path, command: list[str], other: dict[str, Any]
) -> None:
    folder = tmp_path / "mixed"
    factory.write(folder / "a.json", factory.report(factory.processes(BASE)))
    factory.write(folder / "b.json", factory.report(factory.processes(BASE), **other))
    new = factory.write(tmp_path / "new.json", factory.report(factory.processes(AGAIN)))
    done = tool(command[0], folder, new, *command[1:])
    assert done.returncode == 3
    assert "one state of one machine" in done.stderr
    assert "a.json" in done.stderr and "b.json" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_folder_may_mix_reports_that_needed_a_library_and_others(
    tool: Tool, tmp_path: Path
) -> None:
    for number, value in enumerate(BASE):
        libraries = [{"path": "/usr/lib/libgomp.so.1", "sha256": "a" * 64}]
        if number == 0:
            libraries.append({"path": "/usr/lib/libmpi.so.40", "sha256": "b" * 64})
        report = factory.report(factory.processes([value]), environment={"libraries": libraries})
        factory.write(tmp_path / "base" / f"{number}.json", report)
    new = factory.write(tmp_path / "new.json", factory.report(factory.processes(AGAIN)))
    done = tool("compare", tmp_path / "base", new)
    assert "one state" not in done.stderr
    assert done.returncode == 0


def test_a_folder_may_differ_in_what_changes_by_the_minute(tool: Tool, tmp_path: Path) -> None:
    for number, value in enumerate(BASE):
        system = {"host": f"container{number}", "load_average": str(number)}
        content = factory.report(factory.processes([value]), environment={"system": system})
        factory.write(tmp_path / "base" / f"{number}.json", content)
    assert tool("compare", tmp_path / "base", tmp_path / "base").returncode == 0


def test_a_folder_is_one_state(compare: Any, tmp_path: Path) -> None:
    for position, (base, new) in enumerate(zip(BASE, SLOWER, strict=True)):
        for side, value in (("base", base), ("new", new)):
            one = factory.report(factory.processes([value]))
            factory.write(tmp_path / side / f"{position}.json", one)
    code, result = compare(tmp_path / "base", tmp_path / "new")
    assert code == 1
    assert verdict(result, "step_seconds")["base_processes"] == 10


# ---- Bad input ----


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "the file is empty"),
        (b"[" * 200_000, "no JSON"),
        (b'{"schema": "voxmark.report/1"', "no JSON"),
        (b'{"schema": "voxmark.report/1", "schema": "voxmark.report/1"}', '"schema" stands twice'),
        (b'{"a": [{"b" : 1, "b": "\\u003A"}]}', '"b" stands twice'),
        (b"[" * 300 + b"]" * 300, "nested"),
        (b"{}", "neither"),
        (b'{"schema": "voxmark.training/1"}', 'found "schema": "voxmark.training/1"'),
        (b"[]", "neither"),
        (b'{"schema": "voxmark.report/1"}', "required"),
        (b'{"schema": "voxmark.report/1", "records": NaN}', "no JSON"),
        (b'{"context": {}, "benchmarks": [{}]}', 'expected "name", a text'),
        (b'{"context": 1, "benchmarks": 2}', "context: expected an object"),
    ],
)
def test_what_is_no_report_is_refused_in_one_line(
    tool: Tool, tmp_path: Path, content: bytes, complaint: str
) -> None:
    base = factory.write(tmp_path / "base.json", factory.report(factory.processes(BASE)))
    (tmp_path / "new.json").write_bytes(content)
    done = tool("compare", base, tmp_path / "new.json")
    assert done.returncode == 64
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
    assert "new.json" in done.stderr


def test_a_record_that_breaks_the_schema_is_named(tool: Tool, tmp_path: Path) -> None:
    broken = factory.report(factory.processes(BASE))
    broken["records"][3]["samples"][1]["step_seconds"] = "fast"
    path = factory.write(tmp_path / "new.json", broken)
    done = tool("compare", path, path)
    assert done.returncode == 64
    assert "records/3" in done.stderr


@pytest.mark.parametrize(
    "flags",
    [
        ["--format", "xml"],
        ["--fail-on", "step_seconds:x%"],
        ["--fail-on", "no_such_metric"],
        ["--fail-on", "step_seconds:5"],
        ["--ignore", "machin"],
        ["--baseline", "9"],
        ["--noise-floor", "-1"],
        ["--noise-floor", "nan"],
        ["--bogus"],
    ],
)
def test_wrong_use_is_no_verdict(tool: Tool, tmp_path: Path, flags: list[str]) -> None:
    path = factory.write(tmp_path / "base.json", factory.report(factory.processes(BASE)))
    done = tool("compare", path, path, *flags)
    assert done.returncode == 64
    assert done.stderr.startswith("voxmark: ")


def test_what_cannot_be_ignored_is_told_what_can(tool: Tool, tmp_path: Path) -> None:
    path = factory.write(tmp_path / "base.json", factory.report(factory.processes(BASE)))
    done = tool("compare", path, path, "--ignore", "machin")
    assert done.stderr.count("\n") == 1
    assert "machine," in done.stderr and "threads" in done.stderr


def test_missing_files_and_single_reports_are_bad_input(tool: Tool, tmp_path: Path) -> None:
    path = factory.write(tmp_path / "base.json", factory.report(factory.processes(BASE)))
    assert tool("compare", path, tmp_path / "missing.json").returncode == 64
    assert tool("compare", path).returncode == 64
    assert tool("compare").returncode == 64
    (tmp_path / "folder").mkdir()
    assert tool("compare", path, tmp_path / "folder").returncode == 64


def test_another_program_of_the_same_name_is_told_in_every_format(
    tool: Tool, tmp_path: Path
) -> None:
    def report(name: str, digest: str) -> Path:
        records = factory.processes(factory.noisy_seconds(10), "exec:/opt/child.py")
        for record in records:
            files = [{"path": "/opt/child.py", "sha256": digest * 64}, {"path": "/usr/bin/env"}]
            record["details"] = {"program": {"command": "/opt/child.py", "files": files}}
        return factory.write(tmp_path / name, factory.report(records))

    base, same, other = report("a.json", "a"), report("b.json", "a"), report("c.json", "b")
    told = json.loads(tool("compare", base, other, "--format", "json").stdout)
    expected = {"name": "program /opt/child.py", "values": ["a" * 12, "b" * 12], "blocks": None}
    assert expected in told["differences"]
    judged = [own["reason"] for row in told["rows"] for own in row["comparisons"]]
    assert judged and all("another program: child.py has changed" in reason for reason in judged)
    assert "/opt/child.py: aaaaaaaaaaaa" in tool("compare", base, other).stdout
    equal = tool("compare", base, same, "--format", "json").stdout
    assert "another program" not in equal and "program /opt" not in equal


def test_help_has_an_example(tool: Tool) -> None:
    done = tool("compare", "--help")
    assert done.returncode == 0
    assert "Example: voxmark compare" in done.stdout
