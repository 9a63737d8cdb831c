#!/usr/bin/env python3
"""Says what the report of a sweep holds: mpi_report.py REPORT CASES [HOST...]

Ends with 1 unless there are CASES cases, each of them measured and verified, and the ranks of the
largest ran on these hosts.

mpi_report.py --overlap MBITS REPORT: of a case of two ranks, how long they wait for each other, and
how long they would where a wire of so many Mbit/s carried gradients without a pause from when the
first of them are there."""

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


# Of an Ethernet frame of 1514 bytes, what TCP carries for its user.
PAYLOAD = 1448 / 1514


def tell_overlap(megabits: str, report: str) -> int:
    (record,) = json.loads(Path(report).read_text())["records"]
    probes = record["details"]["probes"]["ranks"]
    computed = sent = 0.0  # seconds
    for event in probes["rehearsal"]["events"]:
        computed += event["seconds"]
        if event["kind"] == "gradients":  # half of them to the other rank, then half of the sums
            sent = max(sent, computed) + event["bytes"] / (float(megabits) * 1e6 / 8 * PAYLOAD)
    least = sent - computed
    times = probes["each"][0]["times"]
    exposed = sum(times[f"{kind}_seconds"] for kind in ("statistics", "loss", "gradients"))
    print(
        f"      rank 0 waits {1000 * exposed:.0f} ms, at least {1000 * least:.0f} by the wire:"
        f" {exposed / least:.2f}"
    )
    return 0


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
    if sys.argv[1:2] == ["--overlap"]:
        sys.exit(tell_overlap(*sys.argv[2:]))
    sys.exit(main(*sys.argv[1:]))
