"""The 3D U-Net training step in JAX (XLA on CPUs), jit-compiled, channels last."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from voxmark_child import Case, Tensors, serve

SPACE = (1, 2, 3)  # the axes of D, H and W
VOXELS = (0, 1, 2, 3)  # all but channels
LAYOUTS = ("NDHWC", "DHWIO", "NDHWC")
SMOOTH = 1e-4  # of the Dice loss
KERAS_BETAS = np.float32((0.9, 0.999)).tolist()  # Keras takes their powers in float32


def unsupported(case: Case) -> str | None:
    if case["precision"] != "fp32":
        return f"computes in fp32, not in {case['precision']}"
    if "isa" in case:
        return f"the kernels of its libraries cannot be held to {case['isa']}"
    return None


def hold_to_cpus(threads: int) -> list[int]:
    """XLA has several pools, each with as many threads as CPUs that the process may run on.

    No setting is heeded by all of them. Threads that are started later inherit these CPUs.
    """
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    return sorted(os.sched_getaffinity(0))


class Network:
    """The model as a function of its parameters, which have voxmark's names."""

    def __init__(self, jax: Any, classes: int) -> None:
        self.jax, self.classes = jax, classes

    def convolution(self, p: Tensors, x: Any, layer: str) -> Any:
        kernel, bias = p[f"{layer}/kernel"], p[f"{layer}/bias"]
        convolve = self.jax.lax.conv_general_dilated
        return convolve(x, kernel, (1, 1, 1), "SAME", dimension_numbers=LAYOUTS) + bias

    def transposed_convolution(self, p: Tensors, x: Any, layer: str) -> Any:
        y = self.jax.lax.conv_transpose(
            x,
            p[f"{layer}/kernel"],
            (2, 2, 2),
            "VALID",
            dimension_numbers=LAYOUTS,
            transpose_kernel=True,
        )
        return y + p[f"{layer}/bias"]

    def max_pool(self, x: Any) -> Any:
        cell = (1, 2, 2, 2, 1)
        return self.jax.lax.reduce_window(x, -np.inf, self.jax.lax.max, cell, cell, "VALID")

    def block(self, p: Tensors, x: Any, name: str, statistics: dict[str, Any]) -> Any:
        for i in (0, 1):
            x = self.convolution(p, x, f"{name}_conv{i}")
            norm = f"{name}_bn{i}"
            mean, variance = x.mean(VOXELS), x.var(VOXELS)
            statistics |= {f"{norm}/moving_mean": mean, f"{norm}/moving_variance": variance}
            x = (x - mean) * self.jax.lax.rsqrt(variance + 1e-3)
            x = self.jax.nn.relu(p[f"{norm}/gamma"] * x + p[f"{norm}/beta"])
        return x

    def prediction(self, p: Tensors, x: Any, statistics: dict[str, Any]) -> Any:
        skips = []
        for name in "ABCD":
            skips.append(self.block(p, x, "encode" + name, statistics))
            x = self.max_pool(skips[-1])
        x = self.block(p, x, "encodeE", statistics)
        for up, name in zip("ECBA", ("decodeC", "decodeB", "decodeA", "convOut"), strict=True):
            x = self.transposed_convolution(p, x, "transconv" + up)
            x = self.jax.numpy.concatenate([x, skips.pop()], -1)
            x = self.block(p, x, name, statistics)
        x = self.convolution(p, x, "PredictionMask")
        return self.jax.nn.sigmoid(x) if self.classes == 1 else self.jax.nn.softmax(x)

    def loss(self, p: Tensors, images: Any, target: Any) -> tuple[Any, dict[str, Any]]:
        """Dice's, and the batch's statistics by the names of the moving ones."""
        statistics: dict[str, Any] = {}
        prediction = self.prediction(p, images, statistics)
        both = ((prediction * target).sum(SPACE) + SMOOTH).mean()
        total = (target.sum(SPACE) + prediction.sum(SPACE) + SMOOTH).mean()
        log = self.jax.numpy.log
        return log(total) - log(2.0 * both), statistics


class JaxModel:
    def __init__(self, case: Case) -> None:
        cpus = hold_to_cpus(case["threads"])
        import jax
        import jaxlib

        self.jax = jax
        network = Network(jax, case["classes"])
        self.run_forward_backward = jax.jit(jax.value_and_grad(network.loss, has_aux=True))
        self.run_update = jax.jit(self.next_state, donate_argnums=(0, 1, 2))
        self.steps = 0
        zeros = jax.jit(lambda: jax.numpy.full(1 << 20, 1e-40) * 1.0)()
        self.facts = {
            "framework": "jax",
            "version": jax.__version__,
            "jaxlib_version": jaxlib.__version__,
            "compiled": True,
            "flush_to_zero": float(zeros.max()) == 0,
            "cpus": cpus,
        }

    def set_values(self, values: Tensors) -> None:
        """A moving statistic is no parameter."""
        own = {name: self.jax.numpy.array(value) for name, value in values.items()}
        self.moving = {name: value for name, value in own.items() if "/moving_" in name}
        self.parameters = {name: own[name] for name in own.keys() - self.moving.keys()}
        zeros = self.jax.numpy.zeros_like
        self.moments = {name: (zeros(v), zeros(v)) for name, v in self.parameters.items()}

    def values(self) -> Tensors:
        return {name: np.array(value) for name, value in (self.parameters | self.moving).items()}

    def load(self, images: np.ndarray, target: np.ndarray) -> None:
        batch = [self.jax.numpy.array(values) for values in (images, target)]
        self.images, self.target = self.jax.block_until_ready(batch)

    def prepare(self) -> None:
        arguments = (self.parameters, self.images, self.target)
        self.run_forward_backward = self.run_forward_backward.lower(*arguments).compile()
        arguments = (self.parameters, self.moments, self.moving, self.parameters, self.moving, 0.0)
        self.run_update = self.run_update.lower(*arguments).compile()

    def forward_backward(self) -> float:
        answer = self.run_forward_backward(self.parameters, self.images, self.target)
        (loss, self.statistics), self.gradient = self.jax.block_until_ready(answer)
        return float(loss)

    def gradients(self) -> Tensors:
        return {name: np.array(value) for name, value in self.gradient.items()}

    def next_state(
        self, parameters: Any, moments: Any, moving: Any, gradient: Any, statistics: Any, rate: Any
    ) -> tuple[Any, Any, Any]:
        """Adam as Keras has it, and moving statistics."""
        sqrt = self.jax.numpy.sqrt
        updated, new_moments = {}, {}
        for name, g in gradient.items():
            m, v = moments[name]
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            updated[name] = parameters[name] - rate * m / (sqrt(v) + 1e-7)
            new_moments[name] = (m, v)
        moved = {name: 0.99 * old + 0.01 * statistics[name] for name, old in moving.items()}
        return updated, new_moments, moved

    def update(self) -> None:
        self.steps += 1
        beta1, beta2 = KERAS_BETAS
        rate = 1e-3 * np.sqrt(1 - beta2**self.steps) / (1 - beta1**self.steps)
        self.parameters, self.moments, self.moving = self.jax.block_until_ready(
            self.run_update(
                self.parameters,
                self.moments,
                self.moving,
                self.gradient,
                self.statistics,
                float(rate),
            )
        )

    def observe(self, step: Callable[[], None]) -> float:
        raise NotImplementedError("XLA fuses ops into kernels of its own")


if __name__ == "__main__":
    serve(unsupported, JaxModel)
