"""The training step of voxmark's 3D U-Net in numpy: short, slow, and right.

Every operation returns its result and a function from the gradient of that result to the gradients
of its operands. Tensors are (N, D, H, W, C); kernels (k0, k1, k2, in, out), transposed ones
(k0, k1, k2, out, in).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

Array = np.ndarray
Backward = Callable[[Array], Array]

SPACE = (1, 2, 3)  # the axes of D, H and W
VOXELS = (0, 1, 2, 3)  # all but channels


def convolution(x: Array, kernel: Array, bias: Array) -> tuple[Array, Callable]:
    margin = kernel.shape[0] // 2
    pad = [(0, 0), *3 * [(margin, margin)], (0, 0)]
    padded = np.pad(x, pad)
    taps = list(product(*map(range, kernel.shape[:3])))

    def window(a: Array, tap: tuple[int, ...]) -> Array:
        d, h, w = (slice(t, t + n) for t, n in zip(tap, x.shape[1:4], strict=True))
        return a[:, d, h, w]

    y = bias + sum(window(padded, tap) @ kernel[tap] for tap in taps)

    def backward(dy: Array) -> tuple[Array, Array, Array]:
        dpadded, dkernel = np.zeros_like(padded), np.empty_like(kernel)
        for tap in taps:
            window(dpadded, tap)[...] += dy @ kernel[tap].T
            dkernel[tap] = np.tensordot(window(padded, tap), dy, (VOXELS, VOXELS))
        return window(dpadded, 3 * (margin,)), dkernel, dy.sum(VOXELS)

    return y, backward


def transposed_convolution(x: Array, kernel: Array, bias: Array) -> tuple[Array, Callable]:
    n, d, h, w, _ = x.shape
    y = np.empty((n, 2 * d, 2 * h, 2 * w, kernel.shape[3]), x.dtype)
    taps = list(product((0, 1), repeat=3))
    for i, j, k in taps:
        y[:, i::2, j::2, k::2] = x @ kernel[i, j, k].T + bias

    def backward(dy: Array) -> tuple[Array, Array, Array]:
        dx, dkernel = np.zeros_like(x), np.empty_like(kernel)
        for i, j, k in taps:
            part = dy[:, i::2, j::2, k::2]
            dx += part @ kernel[i, j, k]
            dkernel[i, j, k] = np.tensordot(part, x, (VOXELS, VOXELS))
        return dx, dkernel, dy.sum(VOXELS)

    return y, backward


def batch_norm_relu(x: Array, gamma: Array, beta: Array) -> tuple[Array, Callable, Array, Array]:
    mean, variance = x.mean(VOXELS, np.float64), x.var(VOXELS, np.float64)
    deviation = np.sqrt(variance + 1e-3).astype(x.dtype)
    normal = (x - mean.astype(x.dtype)) / deviation
    y = np.maximum(gamma * normal + beta, 0)

    def backward(dy: Array) -> tuple[Array, Array, Array]:
        dy = dy * (y > 0)
        dgamma, dbeta = (dy * normal).sum(VOXELS), dy.sum(VOXELS)
        count = x.size // x.shape[-1]
        return gamma / deviation * (dy - (dbeta + normal * dgamma) / count), dgamma, dbeta

    return y, backward, mean, variance


def max_pool(x: Array) -> tuple[Array, Backward]:
    n, d, h, w, c = (s // k for s, k in zip(x.shape, (1, 2, 2, 2, 1), strict=True))
    cells = x.reshape(n, d, 2, h, 2, w, 2, c).transpose(0, 1, 3, 5, 7, 2, 4, 6)
    cells = cells.reshape(n, d, h, w, c, 8)
    largest = cells.argmax(-1)[..., None]  # the first one, as everywhere

    def backward(dy: Array) -> Array:
        dcells = np.zeros_like(cells)
        np.put_along_axis(dcells, largest, dy[..., None], -1)
        dcells = dcells.reshape(n, d, h, w, c, 2, 2, 2)
        return dcells.transpose(0, 1, 5, 2, 6, 3, 7, 4).reshape(x.shape)

    return np.take_along_axis(cells, largest, -1)[..., 0], backward


def output_and_loss(x: Array, target: Array) -> tuple[float, Array]:
    """Sigmoid (or softmax over several channels) and the Dice loss; its gradient in x."""
    if x.shape[-1] == 1:
        p = 1 / (1 + np.exp(-x))
    else:
        p = np.exp(x - x.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
    both = ((p * target).sum(SPACE, np.float64) + 1e-4).mean()
    either = ((p + target).sum(SPACE, np.float64) + 1e-4).mean()
    rows = x.shape[0] * x.shape[-1]
    dp = (1 / (either * rows) - target / (both * rows)).astype(x.dtype)
    dx = dp * p * (1 - p) if x.shape[-1] == 1 else p * (dp - (dp * p).sum(-1, keepdims=True))
    return float(np.log(either) - np.log(2 * both)), dx


class UNet:
    def __init__(self, values: dict[str, Array]) -> None:
        self.values = values  # parameters and moving statistics, by voxmark's names
        self.gradients: dict[str, Array] = {}
        self.moments = {n: (np.zeros_like(v), np.zeros_like(v)) for n, v in values.items()}
        self.steps = 0

    def apply(self, operation: Callable, x: Array, layer: str, *words: str) -> Array:
        """Runs an operation with its parameters and remembers how to go back."""
        y, backward, *self.statistics = operation(x, *(self.values[f"{layer}/{w}"] for w in words))

        def keep(dy: Array) -> Array:
            dx, *own = backward(dy)
            self.gradients |= {f"{layer}/{w}": g for w, g in zip(words, own, strict=True)}
            return dx

        self.tape.append(keep)
        return y

    def block(self, x: Array, name: str) -> Array:
        for i in "01":
            x = self.apply(convolution, x, f"{name}_conv{i}", "kernel", "bias")
            norm = f"{name}_bn{i}"
            x = self.apply(batch_norm_relu, x, norm, "gamma", "beta")
            self.batch_statistics[norm] = self.statistics
        return x

    def forward_backward(self, x: Array, target: Array) -> float:
        self.tape: list[Backward] = []
        self.batch_statistics: dict[str, list[Array]] = {}
        skips, skip_gradients = [], []
        for name in ("encodeA", "encodeB", "encodeC", "encodeD"):
            x = self.block(x, name)
            skips.append(x)
            self.tape.append(lambda dx: dx + skip_gradients.pop())
            x, backward = max_pool(x)
            self.tape.append(backward)
        x = self.block(x, "encodeE")
        for up, name in zip("ECBA", ("decodeC", "decodeB", "decodeA", "convOut"), strict=True):
            x = self.apply(transposed_convolution, x, "transconv" + up, "kernel", "bias")
            channels = x.shape[-1]
            x = np.concatenate([x, skips.pop()], -1)

            def split(dy: Array, channels: int = channels) -> Array:
                skip_gradients.append(dy[..., channels:])
                return dy[..., :channels]

            self.tape.append(split)
            x = self.block(x, name)
        x = self.apply(convolution, x, "PredictionMask", "kernel", "bias")
        loss, dx = output_and_loss(x, target)
        for backward in reversed(self.tape):
            dx = backward(dx)
        return loss

    def update(self) -> None:
        """Adam as Keras has it, and moving statistics with the biased variance."""
        self.steps += 1
        beta1, beta2 = np.float64(np.float32(0.9)), np.float64(np.float32(0.999))
        rate = 1e-3 * np.sqrt(1 - beta2**self.steps) / (1 - beta1**self.steps)
        for name, g in self.gradients.items():
            m, v = self.moments[name]
            m += (g - m) * g.dtype.type(0.1)
            v += (g * g - v) * g.dtype.type(0.001)
            step = rate * m.astype(np.float64) / (np.sqrt(v.astype(np.float64)) + 1e-7)
            self.values[name] = (self.values[name] - step).astype(g.dtype)
        for norm, (mean, variance) in self.batch_statistics.items():
            for word, of_batch in (("moving_mean", mean), ("moving_variance", variance)):
                old = self.values[f"{norm}/{word}"]
                self.values[f"{norm}/{word}"] = (0.99 * old + 0.01 * of_batch).astype(old.dtype)
