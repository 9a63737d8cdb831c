"""Reads reports and checks them, before anything else looks at them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

from voxmark_reports import copies, details, differences, google_benchmark
from voxmark_reports.errors import ExitCode, ToolError
from voxmark_reports.streams import tell
from voxmark_reports.strict_json import read_json
from voxmark_reports.text import clean

REPORT_SCHEMA = "voxmark.report/1"


class NotAReportError(ToolError):
    """JSON of something else, and not a report that is damaged."""


@dataclass
class Report:
    """One file, or several of the same state of the same machine."""

    name: str  # what people call it: the file's or folder's
    created: str = ""
    program: dict[str, Any] = field(default_factory=dict)  # version, commit, dirty, binary_sha256
    environment: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    records: list[dict[str, Any]] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    op_level: bool = False  # came from Google Benchmark
    file: str = ""  # where `name` is not the file's or folder's
    contradictions: list[str] = field(default_factory=list)  # where it is read all the same


def schema_path(name: str) -> Path:
    """Beside the package where it is installed, in results/ where it is not."""
    here = Path(__file__).resolve().parent
    results = here.parents[2] / "results"
    for path in (here / name, results / name, results / "claims" / name):
        if path.is_file():
            return path
    raise ToolError(f"{name} is missing from the installation", ExitCode.INTERNAL)


@cache
def paper_speed_up() -> float:
    """The white paper's: TensorFlow with DNNL over stock TensorFlow."""
    paper = orjson.loads(schema_path("whitepaper.json").read_bytes())
    return next(own["value"] for own in paper["claims"] if own["id"] == paper["question"])


@cache
def schema_validator(name: str) -> Any:
    return jsonschema_rs.validator_for(orjson.loads(schema_path(name).read_bytes()))


def check_version(found: str, expected: str, name: str) -> None:
    """Raises ToolError (not comparable) for another version of a format."""
    if found != expected:
        raise ToolError(
            f"{name}: is of {clean(found)[:100]}, this voxmark reads {expected}; measure again, or"
            f" use the voxmark that wrote it",
            ExitCode.NOT_COMPARABLE,
        )


def check_schema(content: Any, schema: str, name: str, whole: str) -> None:
    """Raises ToolError naming the place in the file `name`, or the `whole` of it, that breaks the
    schema."""
    try:
        schema_validator(schema).validate(content)
    except jsonschema_rs.ValidationError as error:
        place = "/".join(str(part) for part in error.instance_path) or whole
        raise ToolError(f"{name}: {clean(place)}: {clean(error.message)[:300]}") from error


def parse_report(content: Any, name: str) -> Report:
    """Raises ToolError: NOT_COMPARABLE for another version of the format, else BAD_INPUT."""
    if google_benchmark.is_output(content):
        converted = google_benchmark.to_report(content, name)
        return Report(name=name, op_level=True, **converted)
    schema = content.get("schema") if isinstance(content, dict) else None
    if not isinstance(schema, str) or not schema.startswith("voxmark.report/"):
        found = f'"schema": "{clean(schema)[:100]}"' if schema else "neither"
        raise NotAReportError(
            f'{name}: expected "schema": "{REPORT_SCHEMA}" or the JSON of Google Benchmark,'
            f" found {found}"
        )
    check_version(schema, REPORT_SCHEMA, name)
    check_schema(content, "report.schema.json", name, "the report")
    return Report(
        name=name,
        created=content["created"],
        program=content["voxmark"],
        environment=content["environment"],
        limits=content["limits"],
        details=content.get("details", {}),
        records=content["records"],
    )


def read_report(path: Path) -> Report:
    """A file, or a folder of files: then all of them are repeats of one state of one machine.
    Raises ToolError also where one measurement stands twice in it."""
    if path.is_dir():
        parts = _read_folder(path)
        if not parts:
            raise ToolError(f"{clean(path)}: no report (*.json) in this folder")
        copies.refuse(parts)
        merged = merge_reports(parts, clean(path.name or path))
        merged.paths = [file for part in parts for file in part.paths]
        return merged
    return _read_file(path)


def _read_folder(folder: Path) -> list[Report]:
    """JSON of something else beside reports is left out, which is said; alone it is an error."""
    parts: list[Report] = []
    others: list[ToolError] = []
    for file in report_files(folder):
        try:
            parts.append(_read_file(file))
        except NotAReportError as error:
            others.append(error)
    if others and not parts:
        raise others[0]
    for other in others:
        tell(f"Warning: left out, as it is no report: {other}")
    return parts


def report_files(folder: Path) -> list[Path]:
    """Sorted. What begins with a dot is an editor's or a file system's, and no report."""
    return sorted(file for file in folder.glob("*.json") if not file.name.startswith("."))


def _read_file(path: Path) -> Report:
    report = parse_report(read_json(path, "a report"), clean(path))
    report.paths = [path]
    copies.refuse([report])
    return report


# Of what differs between reports of one folder, what makes it two states. Who measures many times
# changes none of these; the rest (load, clock, host name in a container) may differ.
_STATE = ("variables.", "libraries.", "voxmark.binary_sha256", "build.", "bench.")


def _check_one_state(parts: list[Report], name: str) -> None:
    """Raises ToolError (not comparable) where a folder mixes machines, builds or settings."""
    if len({part.op_level for part in parts}) > 1:
        raise ToolError(f"{name}: reports and op-level JSON in one folder are not one state")
    for found in differences.environment_differences(parts):
        if found.name.startswith("libraries.") and len({*found.values} - {"-"}) == 1:
            continue  # loaded only for some of the cases, such as those of several ranks
        if found.blocks or found.name.startswith(_STATE):
            values = dict(zip(found.values, parts, strict=True))  # a part that has each
            told = ", ".join(f"{value[:60]} in {part.name}" for value, part in values.items())
            raise ToolError(
                f"{name}: a folder is one state of one machine, but {clean(found.name)} is {told};"
                " give each state a folder of its own",
                ExitCode.NOT_COMPARABLE,
            )


def merge_reports(parts: list[Report], name: str) -> Report:
    """Processes are numbered on, so that those of different files stay apart. Raises ToolError
    where the parts are not of one state."""
    _check_one_state(parts, name)
    first = parts[0]
    merged = Report(name, first.created, first.program, first.environment, first.limits)
    merged.details, merged.op_level = dict(first.details), first.op_level
    if changes := [change for part in parts for change in details.environment_changes(part)]:
        details.set_environment_changes(merged, changes)
    offset = 0
    for part in parts:
        highest = 0
        for record in part.records:
            process = record["case"]["process"]
            highest = max(highest, process)
            case = {**record["case"], "process": offset + process}
            merged.records.append({**record, "case": case})
        offset += highest + 1
    return merged


def short_names(paths: list[Path]) -> list[str]:
    """What tells the paths apart: their last parts, or a number where nothing does."""
    for length in range(1, 4):
        short = ["/".join(path.parts[-length:]).replace("//", "/") for path in paths]
        if len(set(short)) == len(short):
            break
    return [
        clean(name if short.count(name) == 1 else f"{name} ({position + 1})")
        for position, name in enumerate(short)
    ]


def unique_names(reports: list[Report]) -> None:
    """Shortens names to what tells the reports apart."""
    paths = [report.paths[0] if len(report.paths) == 1 else Path(report.name) for report in reports]
    for report, name in zip(reports, short_names(paths), strict=True):
        report.name = name
