"""The processes that compute a case together, of which this is one: what they tell each other.

How a peer's program of several ranks speaks with voxmark beside the protocol, of which rank 0 alone
is a part. Knows no framework: one that has ranks brings a Group.
"""

from __future__ import annotations

import os
import signal
import socket
from typing import Any, NoReturn

RANKS = "VOXMARK_RANKS"  # set where there are several
MAY_SHARE_CPUS = "VOXMARK_RANKS_SHARE_CPUS"
# Open MPI's, PMI's (MPICH, Intel MPI) and srun's.
RANK = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_PROCID")


class Group:
    """A group of one. All ranks make the same calls in the same order."""

    rank, ranks = 0, 1

    def of_first(self, value: Any) -> Any:
        """Rank 0's value."""
        return value

    def of_all(self, value: Any) -> list[Any]:
        """In the order of ranks."""
        return [value]

    def wait(self) -> None:
        """Until all are here."""


def started_as() -> tuple[int, int] | None:
    """Rank and number of ranks, where a launcher has started this process as one of several."""
    if RANKS not in os.environ:
        return None
    ranks = int(os.environ[RANKS])
    own = next((os.environ[name] for name in RANK if name in os.environ), None)
    if own is None:
        raise RuntimeError(f"{RANKS}={ranks}, and no launcher tells which one this is: {RANK}")
    return int(own), ranks


def name(rank: int) -> str:
    return f"voxmark: rank {rank} on {socket.gethostname()}"


def introduce(rank: int) -> None:
    """Says who is to blame if this process is killed."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # by which voxmark's own ranks are asked
    say(f"{name(rank)}: is process {os.getpid()}")


def say(line: str) -> None:
    """In one write: lines of several ranks meet in one pipe."""
    os.write(2, (line + "\n").encode())


def end_all(rank: int, kind: str, message: str) -> NoReturn:
    """The others wait for this one: its launcher ends them when it is killed."""
    say(f"{name(rank)}: failed ({kind}): {message}")
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit


def facts(threads: int) -> dict[str, Any]:
    """Of this rank, before anything is timed."""
    return {
        "host": socket.gethostname(),
        "cpus": sorted(os.sched_getaffinity(0)),
        "threads": threads,
    }


def conflict(ranks: list[dict[str, Any]]) -> str | None:
    """Why these cannot be timed together: two of them on one CPU."""
    if MAY_SHARE_CPUS in os.environ:
        return None
    owners: dict[tuple[str, int], int] = {}
    for rank, own in enumerate(ranks):
        for cpu in own["cpus"]:
            other = owners.setdefault((own["host"], cpu), rank)
            if other != rank:
                return (
                    f"ranks: ranks {other} and {rank} on {own['host']} share CPU {cpu}: "
                    "--place numa gives each its own, --oversubscribe lets them share"
                )
    return None
