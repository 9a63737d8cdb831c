"""voxmark bundle: one archive for sharing. Its checksums prove that nothing was damaged, not who
made it, nor that it was measured: for that there is voxmark rerun."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import re
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from voxmark_reports import consistency, cost, layers, tricks
from voxmark_reports import report as report_command
from voxmark_reports.errors import ExitCode, ToolError
from voxmark_reports.files import write_file
from voxmark_reports.reading import schema_path
from voxmark_reports.text import clean, counted, file_name

EXAMPLE = """\
Example: voxmark bundle report.json -o bundle.tar.gz
         voxmark bundle --check bundle.tar.gz

Unpacked, `sha256sum -c SHA256SUMS` checks it too, without voxmark."""

SUMS = "SHA256SUMS"
MOST_BYTES = 2 << 30  # of a bundle's contents: a bomb stops here

README = """\
Reports of voxmark, a benchmark of a 3D U-Net training step on CPU servers.

report.html          all of it on one page; opens without a network
reports/             what was measured, as JSON
training/            training runs, and pictures of what they predict, where there are any
plans/               what steps take by layer, where it was planned
*.schema.json        the formats of these
figures/             every figure as SVG and PNG, every table as CSV
SHA256SUMS           sha256sum -c SHA256SUMS

The checksums prove integrity, not authenticity. To check a figure, measure it again:
voxmark rerun {first} --case 0
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "reports", nargs="*", type=Path, metavar="REPORT", help="whatever voxmark report takes"
    )
    parser.add_argument("--cost", type=Path, metavar="FILE", help="as of voxmark report")
    parser.add_argument("-o", "--out", type=Path, default=Path("bundle.tar.gz"), metavar="FILE")
    consistency.add_argument(parser)
    parser.add_argument("--check", type=Path, metavar="BUNDLE", help="whether a bundle is whole")


def run(arguments: argparse.Namespace) -> ExitCode:
    if arguments.check:
        if arguments.reports:
            raise ToolError("--check: expected a bundle and no reports")
        return _check(arguments.check)
    if not arguments.reports:
        raise ToolError("bundle: expected at least one report")
    inputs = report_command.Inputs(
        arguments.reports, accept_contradictions=arguments.accept_contradictions
    )
    return _pack(inputs, arguments.cost, arguments.out)


def _pack(inputs: report_command.Inputs, cost_file: Path | None, out: Path) -> ExitCode:
    """Only what is a report or a run goes in."""
    contents: dict[str, bytes] = {}

    def add(folder: str, path: Path) -> None:
        """Under its own name, which must not collide with another file's."""
        name = re.sub(r"[^\w.-]", "_", path.name)
        while f"{folder}/{name}" in contents:
            name = f"again_{name}"
        contents[f"{folder}/{name}"] = path.read_bytes()

    for report in inputs.reports:
        folder = "reports" if len(report.paths) == 1 else f"reports/{file_name(report.name)}"
        for path in report.paths:
            add(folder, path)
    for run in inputs.runs:
        for path in (run.path, *run.overlays):
            add(f"training/{run.file}", path)
    for suite in inputs.tricks:
        add(f"training/{file_name(suite.name.removesuffix('.json'))}", suite.path)
    for plans in inputs.layered:
        add("plans", plans.path)
    for path in inputs.loose_overlays:
        add("training", path)
    prices = cost.read(cost_file) if cost_file else None
    if cost_file:
        contents["cost.json"] = cost_file.read_bytes()
    first = next((name for name in contents if name.startswith("reports/")), "reports/REPORT")
    schemas = ("report.schema.json", "training.schema.json", tricks.SCHEMA_FILE, layers.SCHEMA_FILE)
    for schema in schemas:
        contents[schema] = schema_path(schema).read_bytes()
    contents["README.txt"] = README.format(first=first).encode()
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        sections = report_command.write_page(inputs, page, prices=prices)
        report_command.write_figures(Path(folder) / "figures", sections)
        for file in sorted(Path(folder).rglob("*.*")):
            contents[file.relative_to(folder).as_posix()] = file.read_bytes()
    sums = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in contents.items()]
    contents[SUMS] = "".join(sorted(sums, key=lambda line: line[66:])).encode()
    stem = out.name.removesuffix(".gz").removesuffix(".tar")
    write_file(out, _archive(contents, re.sub(r"[^\w.-]", "_", stem)))
    print(f"{clean(out)}: {len(contents)} files, {out.stat().st_size / 1e6:.1f} MB")
    return ExitCode.DONE


def _archive(contents: dict[str, bytes], folder: str) -> bytes:
    """The same bytes for the same contents: no times, no owners."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(contents):
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(contents[name])
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(contents[name]))
    return gzip.compress(plain.getvalue(), mtime=0)


def _check(path: Path) -> ExitCode:
    """Reads, never unpacks."""
    try:
        found = _read_archive(path)
    except OSError as error:
        raise ToolError(
            f"{clean(path)}: cannot be read: {clean(error.strerror or error)}"
        ) from error
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise ToolError(f"{clean(path)}: expected a bundle: {clean(error)}") from error
    sums = found.pop(SUMS, None)
    if sums is None:
        raise ToolError(f"{clean(path)}: expected a bundle: no {SUMS} in it")
    expected = {}
    for line in sums.decode(errors="replace").splitlines():
        digest, _, name = line.partition("  ")
        expected[name] = digest
    faults = [f"{name}: is missing" for name in expected.keys() - found.keys()]
    faults += [f"{name}: is not in {SUMS}" for name in found.keys() - expected.keys()]
    for name in expected.keys() & found.keys():
        if hashlib.sha256(found[name]).hexdigest() != expected[name]:
            faults.append(f"{name}: was changed")
    for fault in sorted(faults):
        print(clean(fault))
    print(f"{len(found) + 1} files, {counted(len(faults), 'fault')}")  # the sums are one too
    return ExitCode.ANSWER_IS_NO if faults or not found else ExitCode.DONE


def _read_archive(path: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    total = 0
    with tarfile.open(path, mode="r:gz") as archive:
        for member in archive:
            total += member.size
            if not member.isfile() or total > MOST_BYTES:
                raise ValueError(f"{clean(member.name)}: no file, or too large")
            parts = PurePosixPath(member.name).parts[1:]
            content = archive.extractfile(member)
            assert content is not None
            name = "/".join(parts)
            if name in found:
                raise ValueError(f"{clean(name)}: twice")
            found[name] = content.read()
    return found
