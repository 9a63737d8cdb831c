#!/usr/bin/env python3
"""Says what the report of a sweep holds: mpi_report.py REPORT CASES [HOST...]

Ends with 1 unless there are CASES cases, each of them measured and verified, and the ranks of the
largest ran on these hosts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def line(record: dict[str, Any]) -> str:
    case = record["case"]
    text = f"{case.get('ranks', 1)} ranks of batch {case['batch']}"
    if record["outcome"] != "ok":
        return f"{text}: {record['outcome']}: {record.get('reason')}"
    seconds = sorted(sample["step_seconds"] for sample in record["samples"])
    text += f": {1000 * seconds[len(seconds) // 2]:.0f} ms a step"
    ranks = ranks_of(record)
    if ranks:
        times = ranks[0]["times"]
        exposed = sum(times[f"{kind}_seconds"] for kind in ("statistics", "loss", "gradients"))
        text += f", of which rank 0 waits {1000 * exposed:.0f} ms"
        text += f", and sends {times['bytes_sent'] / 1e6:.1f} MB"
        model = record["details"].get("rank_model", {})
        text += f"; by the model {1000 * (model.get('seconds') or 0):.0f} ms"
    return text


def ranks_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    return record.get("details", {}).get("probes", {}).get("ranks", {}).get("each", [])


def main(report: str, cases: str, *hosts: str) -> int:
    records = json.loads(Path(report).read_text())["records"]
    for record in records:
        print(f"      {line(record)}")
    faults = [line(record) for record in records if record["outcome"] != "ok"]
    faults += [line(r) for r in records if not r.get("verification", {}).get("verified")]
    if len(records) != int(cases):
        faults.append(f"{len(records)} cases, expected {cases}")
    largest = max((ranks_of(record) for record in records), key=len, default=[])
    found = [rank["host"] for rank in largest]
    if hosts and found != list(hosts):
        faults.append(f"ranks on {found}, expected {list(hosts)}")
    for fault in faults:
        print(f"mpi_report: {report}: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
