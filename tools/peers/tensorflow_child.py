"""The 3D U-Net training step in TensorFlow and Keras, as users of both write it.

TF_ENABLE_ONEDNN_OPTS chooses the kernels: 0 stock (Eigen), 1 oneDNN. Whether it did is checked.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kernels_of_2018
import numpy as np
from voxmark_child import Case, Tensors, serve

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

SMOOTH = 1e-4  # of the Dice loss

Kernels = Callable[[], contextlib.AbstractContextManager[None]]  # within it a graph is traced


def unsupported(case: Case, kernels: str) -> str | None:
    if kernels == "2018's" and case["precision"] != "fp32":
        return f"TensorFlow trained in fp32 then, not in {case['precision']}"
    if case["precision"] not in ("fp32", "bf16"):
        return f"computes in fp32 and bf16, not in {case['precision']}"
    if "isa" in case and kernels != "onednn":
        return f"its {kernels} kernels cannot be held to {case['isa']}"
    return None


def build_unet(case: Case) -> Any:
    """Layers have the names of voxmark's, so that variables' paths are its tensor names."""
    from tensorflow import keras

    layers = keras.layers

    def block(x: Any, name: str, filters: int) -> Any:
        for i in (0, 1):
            x = layers.Conv3D(filters, 3, padding="same", name=f"{name}_conv{i}")(x)
            x = layers.BatchNormalization(name=f"{name}_bn{i}")(x)
            x = layers.ReLU(name=f"{name}_relu{i}")(x)
        return x

    f = case["filters"]
    x = images = layers.Input((*case["image"], case["input_channels"]))
    skips = []
    for name, m in zip("ABCD", (1, 2, 4, 8), strict=True):
        x = block(x, "encode" + name, f * m)
        skips.append(x)
        x = layers.MaxPooling3D(2)(x)
    x = block(x, "encodeE", f * 16)
    for up, name, m in (
        ("E", "decodeC", 8),
        ("C", "decodeB", 4),
        ("B", "decodeA", 2),
        ("A", "convOut", 1),
    ):
        x = layers.Conv3DTranspose(f * m, 2, strides=2, name="transconv" + up)(x)
        x = block(layers.Concatenate()([x, skips.pop()]), name, f * m)
    classes = case["classes"]
    x = layers.Conv3D(
        1 if classes == 1 else classes + 1,
        1,
        activation="sigmoid" if classes == 1 else "softmax",
        dtype="float32",
        name="PredictionMask",
    )(x)
    return keras.Model(images, x)


def labels_in_effect(tf: Any, kernels: Kernels) -> kernels_of_2018.Labels:
    """The ops that TensorFlow runs for a convolution and its gradients, after its rewrites."""
    from tensorflow.python.eager import context

    @tf.function
    def convolution(x: Any, k: Any) -> Any:
        with kernels(), tf.GradientTape() as tape:
            tape.watch((x, k))
            y = tf.nn.conv3d(x, k, [1, 1, 1, 1, 1], "SAME")
            return tape.gradient(tf.reduce_sum(y * y), (x, k))

    context.context().enable_run_metadata()
    convolution(tf.ones((1, 8, 8, 8, 4)), tf.ones((3, 3, 3, 4, 4)))
    graphs = context.context().export_run_metadata().partition_graphs
    context.context().disable_run_metadata()
    return kernels_of_2018.labels_of(node for graph in graphs for node in graph.node)


def convolution_seconds(folder: str) -> float:
    """Of the convolutions among the ops of a profile."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    (path,) = Path(folder).rglob("*.xplane.pb")
    space = xplane_pb2.XSpace()
    space.ParseFromString(path.read_bytes())
    picoseconds = [
        event.duration_ps
        for plane in space.planes
        for line in plane.lines
        for event in line.events
        # An op is displayed by its type: "_MklNativeConv3D", "Conv3DBackpropInputV2".
        if "Conv3D" in plane.event_metadata[event.metadata_id].display_name
    ]
    if not picoseconds:
        raise LookupError("the profile shows no convolution")
    return 1e-12 * sum(picoseconds)


class TensorFlowModel:
    def __init__(
        self,
        case: Case,
        onednn: bool,
        compile_step: bool = False,
        eager: bool = False,
        of_2018: bool = False,
    ) -> None:
        import tensorflow as tf
        from tensorflow import keras

        tf.config.run_functions_eagerly(eager)
        self.is_graph = not eager
        self.is_compiled = compile_step
        tf.config.threading.set_intra_op_parallelism_threads(case["threads"])
        tf.config.threading.set_inter_op_parallelism_threads(1)

        def kernels() -> contextlib.AbstractContextManager[None]:
            graph = tf.compat.v1.get_default_graph()
            return kernels_of_2018.in_graph(graph) if of_2018 else contextlib.nullcontext()

        labels = {} if eager else labels_in_effect(tf, kernels)
        if not eager and any(op.startswith("_Mkl") for op in labels) != onednn:
            raise RuntimeError(
                f"oneDNN was to be {'on' if onednn else 'off'}, and convolutions run as "
                + ", ".join(labels)
            )
        if of_2018:
            kernels_of_2018.check(labels, "the graph that TensorFlow ran")
        if case["precision"] == "bf16":
            keras.mixed_precision.set_global_policy("mixed_bfloat16")
        self.tf = tf
        self.model = model = build_unet(case)
        self.optimizer = optimizer = keras.optimizers.Adam(1e-3)
        optimizer.build(model.trainable_variables)
        self.facts = {
            "framework": "tensorflow",
            "version": tf.__version__,
            "keras_version": keras.__version__,
            # Seen in the ops that run. XLA rewrites them once more, and eager ops are not listed.
            "onednn": onednn if self.is_graph and not compile_step else None,
            "convolution_ops": list(labels),
            "kernel_labels": labels,
            "compiled": compile_step,
            "eager": eager,
            "flush_to_zero": float(tf.reduce_max(tf.fill([1 << 20], 1e-40) * 1.0)) == 0,
            "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads(),
            "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads(),
        }

        def dice_loss(target: Any, prediction: Any) -> Any:
            axes = (1, 2, 3)
            both = tf.reduce_mean(tf.reduce_sum(prediction * target, axes) + SMOOTH)
            total = tf.reduce_mean(
                tf.reduce_sum(target, axes) + tf.reduce_sum(prediction, axes) + SMOOTH
            )
            return -tf.math.log(2.0 * both) + tf.math.log(total)

        # Two functions where users write one, so that forward and backward are timed by themselves.
        @tf.function(jit_compile=compile_step)
        def forward_backward(images: Any, target: Any) -> tuple[Any, list[Any]]:
            with kernels():
                with tf.GradientTape() as tape:
                    loss = dice_loss(target, model(images, training=True))
                return loss, tape.gradient(loss, model.trainable_variables)

        @tf.function(jit_compile=compile_step)
        def update(gradients: list[Any]) -> None:
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

        self.run_forward_backward, self.run_update = forward_backward, update

    def set_values(self, values: Tensors) -> None:
        for variable in self.model.variables:
            variable.assign(values[variable.path])

    def values(self) -> Tensors:
        return {variable.path: variable.numpy() for variable in self.model.variables}

    def set_optimizer(self, values: Tensors) -> None:
        """Adam's m, v and iteration, as a checkpoint of voxmark's keeps them."""
        own = {variable.path: variable for variable in self.optimizer.variables}
        own["adam/iteration"].assign(int(values["optimizer/iteration"][0]))
        for variable in self.model.trainable_variables:
            path = "adam/" + variable.path.replace("/", "_")
            own[path + "_momentum"].assign(values["optimizer/m/" + variable.path])
            own[path + "_velocity"].assign(values["optimizer/v/" + variable.path])

    def load(self, images: np.ndarray, target: np.ndarray) -> None:
        self.images, self.target = self.tf.constant(images), self.tf.constant(target)

    def prepare(self) -> None:
        """Traces both functions. XLA compiles them in the first step."""
        if self.is_graph:
            spec = self.tf.TensorSpec
            gradients = [spec(v.shape, v.dtype) for v in self.model.trainable_variables]
            self.run_forward_backward.get_concrete_function(self.images, self.target)
            self.run_update.get_concrete_function(gradients)

    def forward_backward(self) -> float:
        self.loss, self.gradient_list = self.run_forward_backward(self.images, self.target)
        return float(self.loss)

    def gradients(self) -> Tensors:
        variables = self.model.trainable_variables
        return {
            v.path: self.tf.convert_to_tensor(g).numpy()
            for v, g in zip(variables, self.gradient_list, strict=True)
        }

    def update(self) -> None:
        self.run_update(self.gradient_list)

    def observe(self, step: Callable[[], None]) -> float:
        if self.is_compiled:
            raise NotImplementedError("XLA fuses ops into kernels of its own")
        profiler = self.tf.profiler.experimental
        options = profiler.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
        with tempfile.TemporaryDirectory() as folder:
            profiler.start(folder, options)
            try:
                step()
            finally:
                profiler.stop()
            return convolution_seconds(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--onednn", choices=("on", "off"), required=True)
    parser.add_argument("--compile", action="store_true", help="by XLA (jit_compile)")
    parser.add_argument("--eager", action="store_true", help="op by op, without tf.function")
    parser.add_argument(
        "--kernels-of-2018",
        action="store_true",
        help="the gradients of convolutions, without oneDNN",
    )
    options = parser.parse_args()
    onednn = options.onednn == "on"
    kernels = "XLA" if options.compile else "onednn" if onednn else "own"
    if options.kernels_of_2018:
        kernels = "2018's"
    serve(
        lambda case: unsupported(case, kernels),
        lambda case: TensorFlowModel(
            case, onednn, options.compile, options.eager, options.kernels_of_2018
        ),
    )


if __name__ == "__main__":
    main()
