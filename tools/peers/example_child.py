"""An outside backend of voxmark's, whole: numpy and the child protocol (PROTOCOL.md).

Example: voxmark run --backend "exec:python3 tools/peers/example_child.py" --image 16 --filters 2
The protocol is spoken here; the training step itself is in numpy_unet.py.
"""

import json
import struct
import sys
import time
from pathlib import Path

import numpy as np
from numpy_unet import UNet

TYPES = {"F32": "<f4", "F64": "<f8"}


def say(type_: str, **members: object) -> None:
    print(json.dumps({"type": type_, **members}), flush=True)


def read(path: str) -> dict[str, np.ndarray]:
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, data = json.loads(data[8 : 8 + length]), data[8 + length :]
    header.pop("__metadata__", None)
    return {
        name: np.frombuffer(data[slice(*e["data_offsets"])], TYPES[e["dtype"]]).reshape(e["shape"])
        for name, e in header.items()
    }


def write(path: str, tensors: dict[str, np.ndarray]) -> None:
    header, offset = {}, 0
    for name, t in tensors.items():
        offsets = [offset, offset := offset + 8 * t.size]
        header[name] = {"dtype": "F64", "shape": t.shape, "data_offsets": offsets}
    text = json.dumps(header).encode()
    raw = b"".join(t.astype("<f8").tobytes() for t in tensors.values())
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + raw)


request = json.loads(sys.stdin.readline())
case = request["case"]
if request["protocol"] != "voxmark.child/2":
    say("error", kind="bad_input", message="speaks voxmark.child/2, not " + request["protocol"])
elif request["mode"] == "plan":
    say("planned", planned_bytes=None, exact=False)
elif case["precision"] == "bf16" or "isa" in case:
    say("unsupported", reason="numpy has no bf16, and picks its instructions itself")
else:
    precision = np.float32 if case["precision"] == "fp32" else np.float64
    batch = {n: t.astype(precision) for n, t in read(request["batch_path"]).items()}
    unet = UNet({n: t.astype(precision) for n, t in read(request["weights_path"]).items()})
    verify = request["mode"] == "verify"
    results, losses = {}, []
    if not verify:
        say("ready", compile_seconds=0)
        if request.get("awaits_start"):
            sys.stdin.readline()
    for step in range(case["warmup"] + case["steps"]):
        start = time.perf_counter()
        losses.append(unet.forward_backward(batch["input"], batch["target"]))
        ran = time.perf_counter()
        unet.update()
        end = time.perf_counter()
        if verify and step == 0:
            results |= {f"gradient/{n}": g for n, g in unet.gradients.items()}
            results |= {f"updated/{n}": t.copy() for n, t in unet.values.items()}
        if not verify:
            seconds = {"forward_backward_seconds": ran - start, "update_seconds": end - ran}
            seconds |= {"load_seconds": 0, "step_seconds": end - start}
            say("step", warmup=step < case["warmup"], loss=float(losses[-1]), **seconds)
    if verify:
        write(request["results_path"], {"losses": np.array(losses), **results})
        say("computed", step_seconds=end - start)
    else:
        say("done")
sys.stdin.read()  # so that the runner can read this process's high-water mark
