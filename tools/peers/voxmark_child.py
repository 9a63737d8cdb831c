"""What the peers' programs share: voxmark's child protocol (PROTOCOL.md) around a model.

Knows no framework. A framework's program hands `serve` a function that builds its model.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import probes
import ranks
from ranks import Group

PROTOCOL = "voxmark.child/2"
# Of safetensors, as far as the protocol uses them.
DTYPES = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}

Case = dict[str, Any]
Tensors = dict[str, np.ndarray]


class Unsupported(Exception):
    """What only a framework that is loaded can tell: why it does not do the case."""


class Model(Protocol):
    """A training step. Tensors have voxmark's names and layouts: channels last, Keras's kernels."""

    facts: dict[str, Any]  # what was in effect: versions, settings

    def set_values(self, values: Tensors) -> None:
        """Sets parameters and moving statistics."""

    def values(self) -> Tensors:
        """Parameters and moving statistics."""

    def load(self, images: np.ndarray, target: np.ndarray) -> None:
        """Takes a batch: (N, D, H, W, C) and (N, D, H, W, C_out), float32."""

    def prepare(self) -> None:
        """Traces and compiles what can be before the first step, with the batch that is loaded."""

    def forward_backward(self) -> float:
        """Returns the loss, once the gradients are there."""

    def gradients(self) -> Tensors:
        """Those of the last forward_backward(), by parameter."""

    def update(self) -> None:
        """Adam, and the moving statistics if forward_backward() has not done so."""

    def observe(self, step: Callable[[], None]) -> float:
        """Runs `step` under the framework's profiler; returns its seconds of convolutions."""


def read_safetensors(path: str) -> tuple[Tensors, str]:
    """Returns the tensors of a file, and the SHA-256 of all their bytes."""
    with Path(path).open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"])
    return tensors, hashlib.sha256(data).hexdigest()


def write_safetensors(path: str, tensors: Tensors) -> None:
    """Writes tensors as float64: exact for every type that a framework computes in."""
    header, offset, parts = {}, 0, []
    for name, values in tensors.items():
        parts.append(np.ascontiguousarray(values, DTYPES["F64"]).tobytes())
        end = offset + len(parts[-1])
        header[name] = {
            "dtype": "F64",
            "shape": list(np.shape(values)),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with Path(path).open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(parts)


def memory_bytes(field: str) -> int:
    """VmRSS or VmHWM of this process."""
    with Path("/proc/self/status").open(encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field + ":"))


class PeakMeter:
    """The high-water mark of what the framework does, without what this file does beside it."""

    def __init__(self) -> None:
        self.earlier_bytes: int | None = None

    def pause(self) -> None:
        self.paused_at = memory_bytes("VmHWM")

    def resume(self) -> None:
        """Starts the mark again from what is resident, where the kernel lets us."""
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        except OSError:
            return
        self.earlier_bytes = max(self.earlier_bytes or 0, self.paused_at)


def finite_or_text(value: float) -> float | str:
    """JSON has no numbers for these."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


class Child:
    """One request of the runner, answered."""

    def __init__(self, request: dict[str, Any], output: Any, group: Group) -> None:
        self.request = request
        self.case: Case = request["case"]
        self.output = output
        self.group = group
        self.peak = PeakMeter()

    def read(self, path: str) -> tuple[Tensors, str]:
        """read_safetensors() by rank 0, whose host has the file."""
        return self.group.of_first(read_safetensors(path) if self.group.rank == 0 else None)

    def read_batch(self) -> tuple[Tensors, str]:
        """The images of this rank, and the SHA-256 of those of all."""
        batch, sha256 = self.read(self.request["batch_path"])
        own = self.case["batch"]
        first = self.group.rank * own
        return {name: values[first : first + own] for name, values in batch.items()}, sha256

    def say(self, type_: str, **members: Any) -> None:
        if self.group.rank != 0:
            return
        self.output.write(json.dumps({"type": type_, **members}, allow_nan=False) + "\n")
        self.output.flush()

    def verify(self, build: Callable[[Case], Model]) -> None:
        weights, _ = self.read(self.request["weights_path"])
        batch, _ = self.read_batch()
        model = build(self.case)
        model.set_values(weights)
        results: Tensors = {}
        losses, seconds = [], 0.0
        for step in range(self.case["steps"]):
            model.load(batch["input"], batch["target"])
            start = time.perf_counter()
            losses.append(model.forward_backward())
            ran = time.perf_counter()
            if step == 0:
                results |= {f"gradient/{name}": g for name, g in model.gradients().items()}
            updating = time.perf_counter()
            model.update()
            seconds = time.perf_counter() - updating + ran - start
            if step == 0:
                results |= {f"updated/{name}": v for name, v in model.values().items()}
        if self.group.rank == 0:
            write_safetensors(
                self.request["results_path"], {"losses": np.asarray(losses, np.float64), **results}
            )
        self.say("computed", step_seconds=seconds)  # of the last step: the first one traces

    def time(self, build: Callable[[Case], Model]) -> None:
        self.peak.pause()
        weights, weights_sha256 = self.read(self.request["weights_path"])
        batch, batch_sha256 = self.read_batch()
        base_bytes = memory_bytes("VmRSS")
        start = time.perf_counter()
        model = build(self.case)
        model.set_values(weights)
        del weights
        model.load(batch["input"], batch["target"])
        model.prepare()
        self.peak.resume()
        self.say(
            "ready",
            base_bytes=base_bytes,
            allocated_bytes=None,
            compile_seconds=time.perf_counter() - start,
            batch_sha256=batch_sha256,
            weights_sha256=weights_sha256,
            execution=model.facts | {"variables": probes.variables_in_effect()},
        )
        if self.request.get("awaits_start"):
            sys.stdin.readline()
        own_seconds = [
            self.step(model, batch, step)
            for step in range(self.case["warmup"] + self.case["steps"])
        ]
        self.peak.pause()
        told = {
            "observed_step": self.observe(model),
            "missing_readings": probes.missing(probes.cumulative()),
        }
        peak = self.peak.earlier_bytes
        if self.group.ranks > 1:
            told["ranks"] = self.of_ranks(model, own_seconds[self.case["warmup"] :])
            peak = max(own["peak_bytes"] for own in told["ranks"]["each"])
        self.peak.resume()
        self.say("done", earlier_peak_bytes=peak, probes=told)

    def of_ranks(self, model: Model, own_seconds: list[float]) -> dict[str, Any]:
        """What each rank tells of itself. The framework keeps to itself when it waits."""
        own = ranks.facts(self.case["threads"]) | {
            "peak_bytes": max(self.peak.earlier_bytes or 0, self.peak.paused_at),
            "times": {"step_seconds": float(np.median(own_seconds))},
        }
        return {"library": model.facts["collectives"], "each": self.group.of_all(own)}

    @staticmethod
    def observe(model: Model) -> dict[str, Any]:
        """Where a step's time goes; a step that is watched is no sample."""
        seconds = 0.0

        def step() -> None:
            nonlocal seconds
            start = time.perf_counter()
            model.forward_backward()
            model.update()
            seconds = time.perf_counter() - start

        try:
            convolutions = model.observe(step)
        except Exception as error:  # a profiler's fault is none of the step's
            return {"convolution_seconds": None, "reason": f"{type(error).__name__}: {error}"[:200]}
        return {"convolution_seconds": convolutions, "other_seconds": seconds - convolutions}

    def step(self, model: Model, batch: Tensors, step: int) -> float:
        """Returns the seconds of this rank. Those that are told are of the slowest."""
        start = time.perf_counter()
        model.load(batch["input"], batch["target"])
        loaded = time.perf_counter()
        self.group.wait()
        before = probes.cumulative()
        begin = time.perf_counter()
        loss = model.forward_backward()
        ran = time.perf_counter()
        model.update()
        updated = time.perf_counter()
        usage = probes.between(before, probes.cumulative())
        members: dict[str, Any] = {}
        if step == 0:
            self.peak.pause()
            members["gradient_norms"] = {
                f"gradient/{name}": finite_or_text(float(np.linalg.norm(g.astype(np.float64))))
                for name, g in model.gradients().items()
            }
            self.peak.resume()
        own = (updated - begin, loaded - start, ran - begin, updated - ran)
        whole, load, forward_backward, update = max(self.group.of_all(own))
        self.say(
            "step",
            warmup=step < self.case["warmup"],
            load_seconds=load,
            forward_backward_seconds=forward_backward,
            update_seconds=update,
            step_seconds=whole,
            loss=finite_or_text(loss),
            readings=usage,
            **members,
        )
        return own[0]


def answer(
    child: Child, unsupported: Callable[[Case], str | None], build: Callable[[Case], Model]
) -> None:
    if child.request["protocol"] != PROTOCOL:
        message = f"expected protocol {PROTOCOL}, found {child.request['protocol']}"
        return child.say("error", kind="bad_input", message=message)
    if reason := unsupported(child.case):
        return child.say("unsupported", reason=reason)
    mode = child.request["mode"]
    if child.group.ranks > 1:
        of_ranks = child.group.of_all(ranks.facts(child.case["threads"]))
        if conflict := ranks.conflict(of_ranks):
            return child.say("error", kind="bad_input", message=conflict)
    if mode == "plan":
        return child.say("planned", planned_bytes=None, exact=False)
    if mode == "verify":
        return child.verify(build)
    if mode == "time":
        return child.time(build)
    return child.say("unsupported", reason=f"mode {mode}")


def settle_environment(case: Case) -> None:
    """What acts silently on the libraries that a framework loads: before it is loaded."""
    for prefix in ("ONEDNN", "DNNL"):
        os.environ[prefix + "_DEFAULT_FPMATH_MODE"] = "STRICT"  # fp32 stays fp32
        if "isa" not in case:
            os.environ.pop(prefix + "_MAX_CPU_ISA", None)


def in_one_line(error: Exception) -> str:
    """Its first line, and its last where the first announces it (TensorFlow: "in user code:")."""
    first, *rest = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    last = f" {rest[-1]}" if rest and first.endswith(":") else ""
    return f"{type(error).__name__}: {first}{last}"[:500]


def serve(
    unsupported: Callable[[Case], str | None],
    build: Callable[[Case], Model],
    join: Callable[[], Group] = Group,
) -> None:
    """Answers the request on standard input, and waits for its end before it returns.

    `join` makes this process one of the case's ranks, of which rank 0 alone reads and answers.
    """
    # Whatever a framework prints on standard output goes to standard error instead.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    group = join()
    request = group.of_first(sys.stdin.readline() if group.rank == 0 else None)
    child = Child(json.loads(request), output, group)
    settle_environment(child.case)

    def fail(kind: str, message: str) -> None:
        child.say("error", kind=kind, message=message)
        if group.ranks > 1:
            ranks.end_all(group.rank, kind, message)

    try:
        answer(child, unsupported, build)
    except Unsupported as reason:
        child.say("unsupported", reason=str(reason))
    except MemoryError:
        fail("out_of_memory", "out of memory")
    except Exception as error:  # whatever a framework throws is an answer
        fail("internal", in_one_line(error))
    if group.rank == 0:
        sys.stdin.read()
    group.wait()
