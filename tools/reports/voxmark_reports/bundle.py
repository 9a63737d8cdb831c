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

from voxmark_reports import report as report_command
from voxmark_reports.errors import ExitCode, ToolError
from voxmark_reports.files import write_file
from voxmark_reports.reading import read_report, schema_path
from voxmark_reports.text import clean

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
report.schema.json   the format of it
figures/             every figure as SVG and PNG, every table as CSV
SHA256SUMS           sha256sum -c SHA256SUMS

The checksums prove integrity, not authenticity. To check a figure, measure it again:
voxmark rerun reports/{first} --case 0
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("reports", nargs="*", type=Path, metavar="REPORT")
    parser.add_argument("-o", "--out", type=Path, default=Path("bundle.tar.gz"), metavar="FILE")
    parser.add_argument("--check", type=Path, metavar="BUNDLE", help="whether a bundle is whole")


def run(arguments: argparse.Namespace) -> ExitCode:
    if arguments.check:
        if arguments.reports:
            raise ToolError("--check: expected a bundle and no reports")
        return _check(arguments.check)
    if not arguments.reports:
        raise ToolError("bundle: expected at least one report")
    return _pack(arguments.reports, arguments.out)


def _pack(paths: list[Path], out: Path) -> ExitCode:
    contents: dict[str, bytes] = {}
    for path in paths:
        if path.is_dir():
            raise ToolError(f"{clean(path)}: expected a report, found a folder")
        read_report(path)  # only what is a report goes in
        name = re.sub(r"[^\w.-]", "_", path.name)
        while f"reports/{name}" in contents:
            name = f"again_{name}"
        contents[f"reports/{name}"] = path.read_bytes()
    first = PurePosixPath(next(iter(contents))).name
    contents["report.schema.json"] = schema_path("report.schema.json").read_bytes()
    contents["README.txt"] = README.format(first=first).encode()
    with tempfile.TemporaryDirectory() as folder:
        sections = report_command.write_page(paths, Path(folder) / "report.html")
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
        raise ToolError(f"{clean(path)}: cannot be read: {clean(error)}") from error
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
    print(f"{len(found)} files, {len(faults)} faults")
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
