"""A peer of several ranks without a framework: numpy's step, and what ranks exchange over TCP."""

from __future__ import annotations

import os
import pickle
import socket
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "peers"))
import numpy_unet
import ranks
from voxmark_child import Case, Tensors, serve


class Star(ranks.Group):
    """All speak with rank 0."""

    def __init__(self, rank: int, count: int) -> None:
        self.rank, self.ranks = rank, count
        address = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
        if rank == 0:
            with socket.create_server(address) as server:
                files = [server.accept()[0].makefile("rwb") for _ in range(count - 1)]
            self.others = dict(sorted((pickle.load(file), file) for file in files))
        else:
            self.first = self.connect(address).makefile("rwb")
            self.send(self.first, rank)

    @staticmethod
    def connect(address: tuple[str, int]) -> socket.socket:
        while True:
            try:
                return socket.create_connection(address)
            except ConnectionRefusedError:  # rank 0 is not there yet
                time.sleep(0.05)

    @staticmethod
    def send(file: Any, value: Any) -> None:
        pickle.dump(value, file)
        file.flush()

    def of_all(self, value: Any) -> list[Any]:
        if self.rank != 0:
            self.send(self.first, value)
            return pickle.load(self.first)
        values = [value, *map(pickle.load, self.others.values())]
        for file in self.others.values():
            self.send(file, values)
        return values

    def of_first(self, value: Any) -> Any:
        return self.of_all(value)[0]

    def wait(self) -> None:
        self.of_all(None)


class NumpyModel:
    def __init__(self, case: Case) -> None:
        self.facts = {"collectives": "pickles over TCP"}

    def set_values(self, values: Tensors) -> None:
        self.unet = numpy_unet.UNet({n: v.astype(np.float32) for n, v in values.items()})

    def values(self) -> Tensors:
        return {name: values.copy() for name, values in self.unet.values.items()}

    def load(self, images: np.ndarray, target: np.ndarray) -> None:
        self.batch = images.astype(np.float32), target.astype(np.float32)

    def prepare(self) -> None:
        pass

    def forward_backward(self) -> float:
        loss = self.unet.forward_backward(*self.batch)
        everybodys = group.of_all(self.unet.gradients)
        self.unet.gradients = {n: sum(own[n] for own in everybodys) for n in everybodys[0]}
        return loss

    def gradients(self) -> Tensors:
        return self.unet.gradients

    def update(self) -> None:
        self.unet.update()


def output_and_loss(x: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """numpy_unet's, of the images of all ranks, for one channel."""
    p = 1 / (1 + np.exp(-x))
    space = numpy_unet.SPACE
    both = ((p * target).sum(space, np.float64) + 1e-4).mean()
    either = ((p + target).sum(space, np.float64) + 1e-4).mean()
    both, either = np.mean(group.of_all((both, either)), axis=0)
    rows = x.shape[0] * group.ranks
    dp = (1 / (either * rows) - target / (both * rows)).astype(x.dtype)
    return float(np.log(either) - np.log(2 * both)), dp * p * (1 - p)


def join() -> ranks.Group:
    own = ranks.started_as()
    if own is None:
        return ranks.Group()
    ranks.introduce(own[0])
    if os.environ.get("BREAKS") == str(own[0]):
        raise SystemExit("it breaks")
    return Star(*own)


group = join()
numpy_unet.output_and_loss = output_and_loss
serve(lambda case: None, NumpyModel, lambda: group)
