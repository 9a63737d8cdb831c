"""The history's file: reports by commit and machine, in SQLite. Knows nothing of verdicts."""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import orjson

from voxmark_reports import differences
from voxmark_reports.cases import Case, cases_of
from voxmark_reports.errors import ExitCode, ToolError
from voxmark_reports.reading import Report, parse_report
from voxmark_reports.strict_json import parse_json
from voxmark_reports.text import clean

VERSION = 1
_SCHEMA = """
CREATE TABLE state (
  id INTEGER PRIMARY KEY,
  sha256 TEXT NOT NULL UNIQUE,      -- of the report, so that none is added twice
  created TEXT NOT NULL,            -- when it was measured, ISO 8601
  commit_id TEXT,
  fingerprint TEXT NOT NULL,        -- of the machine
  machine TEXT NOT NULL,            -- for people
  host TEXT NOT NULL,
  accepted INTEGER NOT NULL,        -- a later report may be gated against it: see Acceptance
  content BLOB NOT NULL             -- the report, JSON under zlib
);
CREATE TABLE figure (
  state INTEGER NOT NULL REFERENCES state(id) ON DELETE CASCADE,
  case_key BLOB NOT NULL,
  label TEXT NOT NULL,
  metric TEXT NOT NULL,
  median REAL NOT NULL,             -- of processes
  processes INTEGER NOT NULL
);
CREATE INDEX figure_of_case ON figure(case_key, metric);
"""
MERGED = "voxmark.history.folder/1"  # content of a folder: its files as one report


class Acceptance(IntEnum):
    NONE = 0
    BY_HAND = 1
    BY_GATE = 2  # it passed: small steps may hide behind each other, so it is no anchor


# Kept as figures; any other is read from the reports when it is asked for.
METRICS = ("step_seconds", "forward_backward_seconds", "peak_bytes", "planned_bytes", "op_seconds")


@dataclass
class State:
    """A report in the history."""

    number: int  # its place in the order of measurement, from 1: what people call it
    key: int  # in the file
    created: str
    commit: str | None
    fingerprint: str
    machine: str
    host: str
    acceptance: Acceptance

    @property
    def accepted(self) -> bool:
        return self.acceptance != Acceptance.NONE


@dataclass
class Point:
    """A case's figure in one state."""

    state: State
    median: float
    processes: int


@dataclass
class Series:
    """A case's figure over time, on one machine."""

    label: str
    machine: str
    fingerprint: str
    metric: str
    points: list[Point]


class Store:
    """Opened by open_store()."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, report: Report, commit: str | None, acceptance: Acceptance) -> bool:
        """False when it is there already; `acceptance` is then only ever switched on, and a gate
        takes back no acceptance by hand."""
        content = _content(report)
        digest = hashlib.sha256(content).hexdigest()
        with self._connection as connection:
            known = connection.execute("SELECT id FROM state WHERE sha256 = ?", [digest]).fetchone()
            if known:
                if acceptance:
                    update = "UPDATE state SET accepted = ? WHERE id = ? AND accepted != ?"
                    connection.execute(update, [int(acceptance), *known, int(Acceptance.BY_HAND)])
                return False
            row = (
                digest,
                report.created,
                commit or _commit(report),
                differences.machine_fingerprint(report),
                differences.machine_name(report),
                differences.host_name(report),
                int(acceptance),
                zlib.compress(content),
            )
            cursor = connection.execute(
                "INSERT INTO state (sha256, created, commit_id, fingerprint, machine, host,"
                " accepted, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            connection.executemany(
                "INSERT INTO figure VALUES (?, ?, ?, ?, ?, ?)",
                [(cursor.lastrowid, *figure) for figure in _figures(report, METRICS)],
            )
        return True

    def states(self) -> list[State]:
        """In the order of their measurement."""
        rows = self._connection.execute(
            "SELECT id, created, commit_id, fingerprint, machine, host, accepted FROM state"
            " ORDER BY created, id"
        )
        return [
            State(number, *row[:6], Acceptance(row[6])) for number, row in enumerate(rows, start=1)
        ]

    def case_count(self, state: State) -> int:
        query = "SELECT COUNT(DISTINCT case_key) FROM figure WHERE state = ?"
        return int(self._connection.execute(query, [state.key]).fetchone()[0])

    def report(self, state: State) -> Report:
        row = self._connection.execute("SELECT content FROM state WHERE id = ?", [state.key])
        name = f"history {state.number} ({clean(state.commit or 'unknown commit')[:12]})"
        content = parse_json(zlib.decompress(row.fetchone()[0]), name, "a report")
        if isinstance(content, dict) and content.get("schema") == MERGED:
            return Report(name=name, **content["report"])
        return parse_report(content, name)

    def last_accepted(
        self, report: Report, by_hand: bool = False, ignore: frozenset[str] = frozenset()
    ) -> list[tuple[State, set[bytes]]]:
        """Of the same machine, or of any where "machine" is ignored: the latest accepted state, or
        anchor, for every case of the report, with the keys of those cases. Mostly one state;
        earlier ones for what it lacks. Never the report itself."""
        missing = {case.key(ignore) for case in cases_of(report)}
        fingerprint = differences.machine_fingerprint(report)
        query = "SELECT id FROM state WHERE sha256 = ?"
        digest = hashlib.sha256(_content(report)).hexdigest()
        itself = self._connection.execute(query, [digest]).fetchone()
        found = []
        for state in reversed(self.states()):
            wanted = state.acceptance == Acceptance.BY_HAND if by_hand else state.accepted
            elsewhere = state.fingerprint != fingerprint and "machine" not in ignore
            if not wanted or elsewhere or (state.key,) == itself:
                continue
            rows = self._connection.execute(
                "SELECT DISTINCT case_key FROM figure WHERE state = ?", [state.key]
            )
            keys = missing & {Case(orjson.loads(row[0])).key(ignore) for row in rows}
            if keys:
                found.append((state, keys))
                missing -= keys
        return found

    def series(self, metrics: Sequence[str]) -> list[Series]:
        """One per case, metric and machine."""
        others = [metric for metric in metrics if metric not in METRICS]
        found: dict[tuple[Any, ...], Series] = {}
        for state in self.states():
            rows = self._connection.execute(
                "SELECT case_key, label, metric, median, processes FROM figure WHERE state = ?",
                [state.key],
            )
            read = _figures(self.report(state), others) if others else ()
            for case_key, label, metric, median, processes in (*rows, *read):
                if metric not in metrics:
                    continue
                key = (state.fingerprint, case_key, metric)
                own = found.setdefault(
                    key, Series(label, state.machine, state.fingerprint, metric, [])
                )
                own.points.append(Point(state, median, processes))
        return list(found.values())


def _content(report: Report) -> bytes:
    if len(report.paths) == 1:
        return report.paths[0].read_bytes()
    names = ("created", "program", "environment", "limits", "details", "records", "op_level")
    merged = {name: getattr(report, name) for name in names}
    return orjson.dumps({"schema": MERGED, "report": merged}, option=orjson.OPT_SORT_KEYS)


def _commit(report: Report) -> str | None:
    commit = report.program.get("commit")
    return f"{commit}-dirty" if commit and report.program.get("dirty") else commit


def _figures(
    report: Report, metrics: Iterable[str]
) -> Iterator[tuple[bytes, str, str, float, int]]:
    """As the table figure has them."""
    for case in cases_of(report):
        for metric in metrics:
            median = case.median(metric)
            if median is not None and case.outcome != "overhead":
                label, count = _label(case), len(case.values(metric))
                yield (case.key(), label, metric, median, count)


def _label(case: Case) -> str:
    return case.label(case.at_default("input_channels", "classes", "filters", "seed"))


# Of a file that is a history and cannot be used now; others are no history, or none that can be
# opened.
_NOT_NOW = {
    "SQLITE_FULL": ("cannot be written", ExitCode.INTERNAL),
    "SQLITE_IOERR": ("cannot be read or written", ExitCode.INTERNAL),
    "SQLITE_BUSY": ("another voxmark history is writing to it; try again", ExitCode.CANNOT_HERE),
    "SQLITE_READONLY": ("cannot be written", ExitCode.BAD_INPUT),
    "SQLITE_CANTOPEN": ("cannot be opened or made", ExitCode.BAD_INPUT),
}


def _told(path: Path, error: sqlite3.Error) -> ToolError:
    name = getattr(error, "sqlite_errorname", "")  # SQLITE_IOERR_WRITE, say
    for begin, (what, code) in _NOT_NOW.items():
        if name.startswith(begin):
            return ToolError(f"{clean(path)}: {what}: {clean(error)}", code)
    return ToolError(f"{clean(path)}: expected a history: {clean(error)}")


@contextmanager
def open_store(path: Path, create: bool) -> Iterator[Store]:
    """Raises ToolError where there is no history, or a file that is none."""
    if not create and not path.is_file():
        raise ToolError(f"{clean(path)}: no history here; voxmark history add makes one")
    connection = None
    try:
        connection = sqlite3.connect(path, timeout=60)
        connection.execute("PRAGMA foreign_keys = ON")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        tables = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
        if version == 0 and tables == 0:
            connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        elif version != VERSION:
            raise ToolError(
                f"{clean(path)}: expected a history of version {VERSION}, found {version}"
            )
        yield Store(connection)
    except sqlite3.Error as error:
        raise _told(path, error) from error
    finally:
        if connection is not None:
            connection.close()
