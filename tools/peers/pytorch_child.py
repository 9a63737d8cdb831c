"""The 3D U-Net training step in PyTorch, channels last, as its users write it.

bf32: values are fp32, and oneDNN's convolutions round what they multiply to bf16.
"""

from __future__ import annotations

import argparse
import math
import os
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import ranks
from ranks import Group
from voxmark_child import Case, Tensors, Unsupported, serve

SMOOTH = 1e-4  # of the Dice loss
MOMENTUM = 0.01  # of moving statistics: Keras's 0.99
LEARNING_RATE = 1e-3
BETAS = (0.9, 0.999)
KERAS_BETAS = np.float32(BETAS).tolist()  # Keras takes their powers in float32
ADAM_EPSILON = 1e-7


class Gloo(Group):
    """Ranks that torch.distributed brings together, over TCP."""

    def __init__(self, torch: Any, rank: int, ranks_: int) -> None:
        self.rank, self.ranks = rank, ranks_
        self.distributed = torch.distributed
        if os.environ.get("MASTER_ADDR") == "127.0.0.1":
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # a host's name may be no address
        self.distributed.init_process_group("gloo", rank=rank, world_size=ranks_)

    def of_first(self, value: Any) -> Any:
        values = [value]
        self.distributed.broadcast_object_list(values)
        return values[0]

    def of_all(self, value: Any) -> list[Any]:
        values = [None] * self.ranks
        self.distributed.all_gather_object(values, value)
        return values

    def wait(self) -> None:
        self.distributed.barrier()


def join() -> Group:
    """One of the ranks that a launcher started, or the only one."""
    own = ranks.started_as()
    if own is None:
        return Group()
    ranks.introduce(own[0])
    import torch

    return Gloo(torch, *own)


def unsupported(case: Case, bf32: bool) -> str | None:
    if case.get("ranks", 1) > 1 and case.get("batch_norm") != "local":
        return "each rank's batch norms see its own images alone: --batch-norm local"
    if bf32 and case["precision"] != "fp32":
        return f"computes in fp32 with products in bf16, not in {case['precision']}"
    if case["precision"] not in ("fp32", "bf16"):
        return f"computes in fp32 and bf16, not in {case['precision']}"
    return None


def build_unet(case: Case) -> Any:
    """A module whose parts have the names of voxmark's layers."""
    from torch import cat, nn

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            f, channels = case["filters"], case["input_channels"]
            self.classes = case["classes"]
            self.pool = nn.MaxPool3d(2)
            for name, m in zip("ABCDE", (1, 2, 4, 8, 16), strict=True):
                self.add_block("encode" + name, channels, f * m)
                channels = f * m
            for up, name, m in self.decoder():
                self.add_module(f"transconv{up}", nn.ConvTranspose3d(channels, f * m, 2, 2))
                self.add_block(name, 2 * f * m, f * m)
                channels = f * m
            self.PredictionMask = nn.Conv3d(f, 1 if self.classes == 1 else self.classes + 1, 1)

        @staticmethod
        def decoder() -> tuple[tuple[str, str, int], ...]:
            return (
                ("E", "decodeC", 8),
                ("C", "decodeB", 4),
                ("B", "decodeA", 2),
                ("A", "convOut", 1),
            )

        def add_block(self, name: str, channels: int, filters: int) -> None:
            for i, own in enumerate((channels, filters)):
                self.add_module(f"{name}_conv{i}", nn.Conv3d(own, filters, 3, padding=1))
                norm = nn.BatchNorm3d(filters, eps=1e-3, momentum=MOMENTUM)
                self.add_module(f"{name}_bn{i}", norm)

        def block(self, x: Any, name: str) -> Any:
            for i in (0, 1):
                x = getattr(self, f"{name}_conv{i}")(x)
                x = nn.functional.relu(getattr(self, f"{name}_bn{i}")(x), inplace=True)
            return x

        def forward(self, x: Any) -> Any:
            skips = []
            for name in "ABCD":
                skips.append(self.block(x, "encode" + name))
                x = self.pool(skips[-1])
            x = self.block(x, "encodeE")
            for up, name, _ in self.decoder():
                x = self.block(cat([getattr(self, "transconv" + up)(x), skips.pop()], 1), name)
            x = self.PredictionMask(x)
            return x.sigmoid() if self.classes == 1 else x.softmax(1)

    return UNet()


def set_bf32(torch: Any, case: Case) -> None:
    """Raises where it changes no bit of the largest convolutions, those behind concatenations."""
    settings = torch.backends.mkldnn.conv

    def results(precision: str, level: int) -> list[Any]:
        settings.fp32_precision = precision
        torch.manual_seed(1)
        channels = case["filters"] << level
        image = torch.rand(case["batch"], 2 * channels, *(n >> level for n in case["image"]))
        image = image.to(memory_format=torch.channels_last_3d).requires_grad_()
        kernel = torch.rand(channels, 2 * channels, 3, 3, 3, requires_grad=True)
        y = torch.nn.functional.conv3d(image, kernel, padding=1)
        return [y, *torch.autograd.grad(y.square().sum(), (image, kernel))]

    for level in range(4):
        exact, rounded = results("ieee", level), results("bf16", level)
        if not all(map(torch.equal, exact, rounded)):
            return
    raise Unsupported(
        "bf16 products change no bit of its convolutions: they need AMX, and images of some size"
    )


class PyTorchModel:
    def __init__(
        self, case: Case, *, compile: bool = False, bf32: bool = False, ddp: bool = False
    ) -> None:
        import torch

        torch.set_num_threads(case["threads"])
        torch.set_num_interop_threads(1)
        torch.set_flush_denormal(True)  # as every backend does; threads inherit it
        if bf32:
            set_bf32(torch, case)
        self.torch = torch
        self.bf16 = case["precision"] == "bf16"
        self.model = build_unet(case).to(memory_format=torch.channels_last_3d).train()
        self.step = torch.compile(self.model) if compile else self.model
        self.ranks = case.get("ranks", 1)
        if ddp and self.ranks > 1:  # it needs a group, and one rank is none
            self.step = torch.nn.parallel.DistributedDataParallel(
                self.model, broadcast_buffers=False
            )
        self.optimizer = torch.optim.Adam(self.model.parameters(), betas=BETAS)
        self.steps = 0
        # Values per channel that each batch norm's statistics are taken of: see update().
        voxels = math.prod(case["image"])
        self.norms = [
            (module, case["batch"] * voxels // 8 ** self.level(name))
            for name, module in self.model.named_modules()
            if isinstance(module, torch.nn.BatchNorm3d)
        ]
        self.facts = {
            "framework": "pytorch",
            "version": torch.__version__,
            "onednn": torch.backends.mkldnn.is_available(),
            "onednn_version": self.onednn_version(),
            "flush_to_zero": float((torch.full((1 << 20,), 1e-40) * 1.0).max()) == 0,
            "conv_fp32_precision": torch.backends.mkldnn.conv.fp32_precision,
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "compiled": compile,
            **({"collectives": f"gloo of PyTorch {torch.__version__}"} if ddp else {}),
            "intra_op_threads": torch.get_num_threads(),
            "inter_op_threads": torch.get_num_interop_threads(),
        }

    def onednn_version(self) -> str | None:
        found = re.search(r"MKL-DNN v(\S+)", self.torch.__config__.show())
        return found[1] if found else None

    @staticmethod
    def level(name: str) -> int:
        """How often the layer's input has been halved."""
        levels = {"encodeA": 0, "encodeB": 1, "encodeC": 2, "encodeD": 3, "encodeE": 4}
        levels |= {"decodeC": 3, "decodeB": 2, "decodeA": 1, "convOut": 0}
        return levels[name.split("_")[0]]

    def named_tensors(self) -> dict[str, Any]:
        """Parameters and moving statistics by voxmark's names, in PyTorch's layouts."""
        words = {"running_mean": "moving_mean", "running_var": "moving_variance"}
        tensors = {}
        for path, tensor in (*self.model.named_parameters(), *self.model.named_buffers()):
            layer, word = path.split(".")
            if word == "num_batches_tracked":
                continue
            if "_bn" in layer:
                word = {"weight": "gamma", "bias": "beta"}.get(word, words.get(word))
            tensors[f"{layer}/{'kernel' if word == 'weight' else word}"] = tensor
        return tensors

    @staticmethod
    def to_keras(tensor: Any) -> np.ndarray:
        """(out, in, k0, k1, k2) to (k0, k1, k2, in, out), and a transposed kernel alike."""
        values = tensor.detach().float().clone()  # the next update changes it
        return (values.permute(2, 3, 4, 1, 0) if values.dim() == 5 else values).numpy()

    def from_keras(self, values: np.ndarray) -> Any:
        """The inverse of to_keras()."""
        own = self.torch.tensor(values)
        return own.permute(4, 3, 0, 1, 2) if own.dim() == 5 else own

    def set_values(self, values: Tensors) -> None:
        with self.torch.no_grad():
            for name, tensor in self.named_tensors().items():
                tensor.copy_(self.from_keras(values[name]))
        self.keep_variances()

    def set_optimizer(self, values: Tensors) -> None:
        """Adam's m, v and iteration, as a checkpoint of voxmark's keeps them."""
        self.steps = int(values["optimizer/iteration"][0])
        for name, tensor in self.named_tensors().items():
            if not tensor.requires_grad:
                continue
            moments = {}
            for key, word in (("exp_avg", "m"), ("exp_avg_sq", "v")):
                moments[key] = self.torch.empty_like(tensor, requires_grad=False)
                moments[key].copy_(self.from_keras(values[f"optimizer/{word}/{name}"]))
            step = self.torch.tensor(float(self.steps))
            self.optimizer.state[tensor] = {"step": step, **moments}

    def keep_variances(self) -> None:
        self.variances = [norm.running_var.clone() for norm, _ in self.norms]

    def values(self) -> Tensors:
        return {name: self.to_keras(tensor) for name, tensor in self.named_tensors().items()}

    def load(self, images: np.ndarray, target: np.ndarray) -> None:
        channels_last = self.torch.channels_last_3d
        images, target = (
            self.torch.tensor(values).permute(0, 4, 1, 2, 3) for values in (images, target)
        )
        self.images = images.contiguous(memory_format=channels_last)
        self.target = target.contiguous(memory_format=channels_last)

    def prepare(self) -> None:
        """Nothing: torch.compile compiles in the first step."""

    def dice_loss(self, prediction: Any) -> Any:
        axes = (2, 3, 4)
        both = ((prediction * self.target).sum(axes) + SMOOTH).mean()
        total = (self.target.sum(axes) + prediction.sum(axes) + SMOOTH).mean()
        if self.ranks > 1:
            # The loss of all ranks' images. Its backward pass sums what the ranks' equal losses
            # give to each, and DistributedDataParallel divides by their number.
            from torch.distributed.nn.functional import all_reduce

            both, total = all_reduce(self.torch.stack([both, total])) / self.ranks
        return -self.torch.log(2.0 * both) + self.torch.log(total)

    def forward_backward(self) -> float:
        self.optimizer.zero_grad(set_to_none=True)
        with self.torch.autocast("cpu", self.torch.bfloat16, enabled=self.bf16):
            prediction = self.step(self.images)
        loss = self.dice_loss(prediction.float())
        loss.backward()
        return loss.item()

    def gradients(self) -> Tensors:
        return {
            name: self.to_keras(tensor.grad)
            for name, tensor in self.named_tensors().items()
            if tensor.grad is not None
        }

    def update(self) -> None:
        # Keras adds epsilon before it corrects the bias of v, PyTorch after.
        self.steps += 1
        own, keras = ([1.0 - b**self.steps for b in betas] for betas in (BETAS, KERAS_BETAS))
        for group in self.optimizer.param_groups:
            group["eps"] = ADAM_EPSILON / math.sqrt(own[1])
            group["lr"] = LEARNING_RATE * own[0] / keras[0] * math.sqrt(keras[1] / own[1])
        self.optimizer.step()
        # PyTorch moves its variance by n / (n - 1) of the batch's, Keras by the batch's.
        with self.torch.no_grad():
            for (norm, n), before in zip(self.norms, self.variances, strict=True):
                norm.running_var.mul_((n - 1) / n).add_(before, alpha=(1 - MOMENTUM) / n)
        self.keep_variances()

    def observe(self, step: Callable[[], None]) -> float:
        with self.torch.profiler.profile() as profile:
            step()
        return 1e-6 * sum(
            event.self_cpu_time_total for event in profile.key_averages() if "conv" in event.key
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compile", action="store_true", help="by torch.compile")
    parser.add_argument("--bf32", action="store_true", help="convolutions multiply in bf16")
    parser.add_argument("--ddp", action="store_true", help="DistributedDataParallel on all ranks")
    options = parser.parse_args()
    serve(
        lambda case: unsupported(case, options.bf32),
        lambda case: PyTorchModel(case, **vars(options)),
        join if options.ddp else Group,
    )


if __name__ == "__main__":
    main()
