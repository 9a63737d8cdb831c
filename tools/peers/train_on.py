"""Goes on from a checkpoint of voxmark's in Keras or PyTorch, over batches that it exported.

`voxmark train --export-batches N` writes the next N batches, and the weights before them, to
OUT/batches. Any checkpoint has the same tensors: parameters and moving statistics by Keras's names,
and Adam's optimizer/m/NAME, optimizer/v/NAME and optimizer/iteration. Prints the loss of each step,
before its update, as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from voxmark_child import Case, Tensors, read_safetensors


def case_of(weights: Tensors, batch: Tensors, threads: int) -> Case:
    """The model, from the shapes of its tensors."""
    missing = [
        f"encode{level}" for level in "ABCDE" if f"encode{level}_conv0/kernel" not in weights
    ]
    if missing:
        raise SystemExit(
            f"--weights: without {missing[0]}: of a network of {5 - len(missing)} levels; Keras and"
            " PyTorch go on with checkpoints of 5"
        )
    images, target = batch["input"], batch["target"]
    channels = target.shape[-1]
    return {
        "image": list(images.shape[1:4]),
        "batch": images.shape[0],
        "input_channels": images.shape[-1],
        "classes": 1 if channels == 1 else channels - 1,
        "filters": weights["encodeA_conv0/kernel"].shape[-1],
        "precision": "fp32",
        "threads": threads,
    }


def build(framework: str, case: Case) -> Any:
    if framework == "pytorch":
        from pytorch_child import PyTorchModel

        return PyTorchModel(case)
    onednn = os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1") == "1"
    from tensorflow_child import TensorFlowModel

    return TensorFlowModel(case, onednn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--framework", choices=("keras", "pytorch"), required=True)
    parser.add_argument("--weights", required=True, help="a checkpoint")
    parser.add_argument("--batches", type=Path, required=True, help="OUT/batches")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()

    weights, _ = read_safetensors(options.weights)
    files = sorted(options.batches.glob("step_*.safetensors"))
    if not files:
        parser.error(f"--batches {options.batches}: no step_*.safetensors")
    batch, _ = read_safetensors(str(files[0]))
    model = build(options.framework, case_of(weights, batch, options.threads))
    model.set_values(weights)
    model.set_optimizer(weights)
    losses = []
    for file in files:
        batch, _ = read_safetensors(str(file))
        model.load(batch["input"], batch["target"])
        losses.append(model.forward_backward())
        model.update()
    print(json.dumps({"losses": losses}))


if __name__ == "__main__":
    main()
