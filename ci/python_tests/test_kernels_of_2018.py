"""That TensorFlow's kernels of 2018 are not confused with today's. Without TensorFlow."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "peers"))
import kernels_of_2018
import voxmark_child


def node(op: str, label: str | None = None) -> SimpleNamespace:
    attributes = {} if label is None else {"_kernel": SimpleNamespace(s=label.encode())}
    return SimpleNamespace(op=op, attr=attributes)


class Graph:
    """Of TensorFlow's, what is used of it. Nodes are added as they are, or with the label asked."""

    name = "step"

    def __init__(self) -> None:
        self.nodes: list[SimpleNamespace] = []
        self.labels: dict[str, str] = {}

    @contextlib.contextmanager
    def _kernel_label_map(self, labels: dict[str, str]) -> Iterator[None]:
        self.labels = labels
        yield
        self.labels = {}

    def add(self, op: str) -> None:
        self.nodes.append(node(op, self.labels.get(op)))

    def get_operations(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(node_def=n) for n in self.nodes]


def test_what_is_traced_within_has_the_labels() -> None:
    graph = Graph()
    graph.add("Conv3D")
    with kernels_of_2018.in_graph(graph):
        for op in ("Conv3D", *kernels_of_2018.OPS, *kernels_of_2018.OPS):
            graph.add(op)
    assert kernels_of_2018.labels_of(graph.nodes) == {
        "Conv3D": [""],
        "Conv3DBackpropFilterV2": ["eigen_tensor"],
        "Conv3DBackpropInputV2": ["eigen_tensor"],
    }


def test_a_gradient_with_the_kernel_of_today_is_an_error() -> None:
    graph = Graph()
    graph.add("Conv3DBackpropInputV2")  # outside
    with (
        pytest.raises(RuntimeError, match=r"Conv3DBackpropInputV2 in the graph step .*\['', 'eig"),
        kernels_of_2018.in_graph(graph),
    ):
        for op in kernels_of_2018.OPS:
            graph.add(op)


def test_the_reason_is_told_as_tensorflow_wraps_it() -> None:
    wrapped = """in user code:

        File "kernels_of_2018.py", line 48, in in_graph
            check(labels_of(...))

        RuntimeError: kernels of 2018: no label
    """
    told = "RuntimeError: in user code: RuntimeError: kernels of 2018: no label"
    assert voxmark_child.in_one_line(RuntimeError(wrapped)) == told
    assert voxmark_child.in_one_line(ValueError("too\nlong")) == "ValueError: too"
    assert voxmark_child.in_one_line(ValueError()) == "ValueError: "


def test_a_gradient_that_is_not_in_the_graph_is_an_error() -> None:
    graph = Graph()
    with (
        pytest.raises(RuntimeError, match=r"Conv3DBackpropFilterV2 in the graph step .* no node"),
        kernels_of_2018.in_graph(graph),
    ):
        graph.add("Conv3DBackpropInputV2")
