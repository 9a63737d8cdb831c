"""Stock TensorFlow's gradients of 3D convolutions as they were computed until September 2018.

Then they were replaced by faster kernels that take more memory. The old ones are still registered,
under a label that a graph can ask for (tensorflow/core/kernels/conv_grad_ops_3d.cc). The forward
convolution has but one kernel. A transposed convolution is a gradient, forward, too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

LABEL = "eigen_tensor"
OPS = ("Conv3DBackpropInputV2", "Conv3DBackpropFilterV2")

Labels = dict[str, list[str]]


def labels_of(nodes: Iterable[Any]) -> Labels:
    """The kernels of a graph's convolutions by op type: their labels, "" for the usual kernel."""
    found: dict[str, set[str]] = {}
    for node in nodes:
        if "Conv3D" in node.op:
            label = node.attr["_kernel"].s.decode() if "_kernel" in node.attr else ""
            found.setdefault(node.op, set()).add(label)
    return {op: sorted(labels) for op, labels in sorted(found.items())}


def check(labels: Labels, place: str) -> None:
    """Other kernels are an error: nobody shall take today's for those of 2018."""
    for op in OPS:
        if labels.get(op) != [LABEL]:
            raise RuntimeError(
                f"kernels of 2018: {op} in {place} has the labels {labels.get(op, 'of no node')}, "
                f"expected {LABEL} alone"
            )


@contextlib.contextmanager
def in_graph(graph: Any) -> Iterator[None]:
    """What is traced into the graph within runs them; at the end all of the graph is checked."""
    with graph._kernel_label_map(dict.fromkeys(OPS, LABEL)):
        yield
    check(labels_of(op.node_def for op in graph.get_operations()), f"the graph {graph.name}")
