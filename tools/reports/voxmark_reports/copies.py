"""Measurements that stand twice: a copy is no second process, whatever file it lies in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from voxmark_reports.cases import MEASURED
from voxmark_reports.errors import ToolError
from voxmark_reports.text import counted

if TYPE_CHECKING:
    from voxmark_reports.reading import Report


def _digest(record: dict[str, Any]) -> bytes | None:
    """Of what was measured; None where nothing was, as failures may well be alike. Two processes
    never agree in all their times and readings to the last digit."""
    if record["outcome"] not in MEASURED or not record["samples"]:
        return None
    own = {name: value for name, value in record.items() if name != "reproduce"}
    own["case"] = {name: value for name, value in record["case"].items() if name != "process"}
    return hashlib.sha256(orjson.dumps(own, option=orjson.OPT_SORT_KEYS)).digest()


def refuse(parts: Sequence[Report]) -> None:
    """Raises ToolError for a measurement that counts twice within one side."""
    seen: dict[bytes, tuple[str, int]] = {}
    for part in parts:
        for number, record in enumerate(part.records):
            digest = _digest(record)
            if digest is None:
                continue
            name, earlier = seen.setdefault(digest, (part.name, number))
            if (name, earlier) == (part.name, number):
                continue
            places = (
                f"{part.name}: records/{earlier} and records/{number}"
                if name == part.name
                else f"{name} (records/{earlier}) and {part.name} (records/{number})"
            )
            raise ToolError(
                f"{places} are the same measurement, to the last digit; a copy is no second"
                " process: remove it"
            )


def shared_lines(base: Report, news: Sequence[Report]) -> list[str]:
    """Where both sides hold the same measurements, which says nothing of a change."""
    own = {_digest(record) for record in base.records} - {None}
    lines = []
    for report in news:
        digests = [digest for record in report.records if (digest := _digest(record))]
        count = sum(digest in own for digest in digests)
        if count and count == len(digests) == len(own):
            lines.append(
                f"{base.name} and {report.name} are the same report: what is compared with itself"
                " is the same whatever changed. Measure the new state."
            )
        elif count:
            lines.append(
                f"{count} of {counted(len(digests), 'process')} in {report.name} stand in"
                f" {base.name} too, to the last digit: measure each state by itself."
            )
    return lines
