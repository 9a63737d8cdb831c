"""Makes the corpora of the fuzzers: a good file per reader, and what each must refuse.

Usage: python3 tools/fuzz/make_corpus.py [FOLDER]    (default: tools/fuzz/corpus)
"""

import gzip
import hashlib
import json
import struct
import sys
from math import prod
from pathlib import Path

HEADER_BYTES = 348
VOXELS_AT = 352


def nifti(**changes: tuple[int, str, object]) -> bytes:
    """4 x 3 x 2 voxels of int16; `changes` are (offset, struct format, value) by any name."""
    image = bytearray(VOXELS_AT + 24 * 2)
    struct.pack_into("<i", image, 0, HEADER_BYTES)
    struct.pack_into("<8h", image, 40, 3, 4, 3, 2, 1, 1, 1, 1)
    struct.pack_into("<2h", image, 70, 4, 16)
    struct.pack_into("<8f", image, 76, 1, 2, 3, 4, 0, 0, 0, 0)
    struct.pack_into("<3f", image, 108, VOXELS_AT, 0, 0)
    struct.pack_into("<4s", image, 344, b"n+1\0")
    struct.pack_into("<24h", image, VOXELS_AT, *range(24))
    for offset, kind, value in changes.values():
        struct.pack_into("<" + kind, image, offset, value)
    return bytes(image)


def nifti_files() -> dict[str, bytes]:
    nan, infinity = float("nan"), float("inf")
    good = nifti()
    packed = gzip.compress(good, mtime=0)
    return {
        "good.nii": good,
        "good.nii.gz": packed,
        "good_slope_zero": nifti(slope=(112, "f", 0)),
        "good_slope_nan": nifti(slope=(112, "f", nan)),
        "empty": b"",
        "short": good[:100],
        "cut_voxels": good[:-1],
        "bad_magic": nifti(magic=(344, "4s", b"xyz\0")),
        "bad_sizeof_hdr": nifti(size=(0, "i", 540)),
        "dims_0": nifti(dim=(40, "h", 0)),
        "dims_8": nifti(dim=(40, "h", 8)),
        "dim_zero": nifti(dim=(42, "h", 0)),
        "dim_negative": nifti(dim=(42, "h", -4)),
        "dims_overflow": nifti(
            a=(40, "h", 7), **{f"d{i}": (42 + 2 * i, "h", 32767) for i in range(7)}
        ),
        "good_bitpix": nifti(bitpix=(72, "h", 32)),
        "datatype_complex": nifti(datatype=(70, "h", 32), bitpix=(72, "h", 64)),
        "datatype_rgb": nifti(datatype=(70, "h", 128), bitpix=(72, "h", 24)),
        "vox_offset_nan": nifti(offset=(108, "f", nan)),
        "vox_offset_negative": nifti(offset=(108, "f", -352)),
        "vox_offset_huge": nifti(offset=(108, "f", 1e30)),
        "vox_offset_infinite": nifti(offset=(108, "f", infinity)),
        "vox_offset_below": nifti(offset=(108, "f", 300)),
        "vox_offset_past_end": nifti(offset=(108, "f", 4096)),
        "gzip_1_short": packed[:-1],
        "gzip_8_short": packed[:-8],
        "gzip_wrong_crc": packed[:-8] + b"\0\0\0\0" + packed[-4:],
        "gzip_wrong_isize": packed[:-4] + b"\1\0\0\0",
        "gzip_trailing": packed + b"more",
        "gzip_bomb": gzip.compress(good + bytes(1 << 20), mtime=0),
    }


def gzip_files() -> dict[str, bytes]:
    packed = gzip.compress(b"voxels " * 50, mtime=0)
    return {
        "good.gz": packed,
        "good_two_members": packed + packed,
        "good_not_packed": b"bytes as they are",
        "cut_1": packed[:-1],
        "cut_8": packed[:-8],
        "wrong_crc": packed[:-8] + b"\0\0\0\0" + packed[-4:],
        "bit_flip": packed[:20] + bytes([packed[20] ^ 4]) + packed[21:],
        "trailing": packed + b"x",
    }


def to_bytes(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def json_files() -> dict[str, bytes]:
    return {
        "good.json": b'{"a":[1,2.5,-3e10,null,true],"b":{"c":"\\u00e9"}}',
        "good_depth_64": b"[" * 64 + b"]" * 64,
        "duplicate_key": b'{"a":1,"a":2}',
        "deep": b"[" * 1000,
        "overflow": b"[1e400]",
        "nan": b"[NaN]",
        "trailing": b"{} {}",
        "empty": b"",
        "not_utf8": b'["\xff\xfe"]',
    }


def dataset_files() -> dict[str, bytes]:
    def dataset(**changes: object) -> bytes:
        document = {
            "name": "BRATS",
            "tensorImageSize": "4D",
            "modality": {"0": "FLAIR"},
            "labels": {"0": "background", "1": "tumour"},
            "numTraining": 1,
            "numTest": 0,
            "training": [{"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}],
            "test": [],
        }
        document.update(changes)
        return to_bytes(document)

    def with_image(path: str) -> bytes:
        return dataset(training=[{"image": path, "label": "./labelsTr/a.nii.gz"}])

    return {
        "parent_path": with_image("../secret.nii.gz"),
        "absolute_path": with_image("/etc/passwd"),
        "good.json": dataset(),
        "missing_file": with_image("./imagesTr/b.nii.gz"),
        "no_modality": dataset(modality={}),
        "labels_not_numbers": dataset(labels={"zero": "background"}),
        "training_no_list": dataset(training={"image": "a"}),
        "not_json": b"BRATS",
        "empty": b"",
    }


def safetensors_files() -> dict[str, bytes]:
    def file(header: object, data: bytes = bytes(8)) -> bytes:
        text = header if isinstance(header, bytes) else to_bytes(header)
        return struct.pack("<Q", len(text)) + text + data

    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    good = file({"a": entry})
    return {
        "good.safetensors": good,
        "good_empty": file({}, b""),
        "short": good[:5],
        "header_too_long": struct.pack("<Q", 1 << 60) + good[8:],
        "cut_data": good[:-1],
        "shape_mismatch": file({"a": {**entry, "shape": [3]}}),
        "negative_shape": file({"a": {**entry, "shape": [-2]}}),
        "overlap": file({"a": entry, "b": entry}),
        "offsets_reversed": file({"a": {**entry, "data_offsets": [8, 0]}}),
        "unknown_dtype": file({"a": {**entry, "dtype": "Q99"}}),
        "not_json": file(b"{nonsense"),
    }


def suite_files() -> dict[str, bytes]:
    def suite(grid: object, **more: object) -> bytes:
        return to_bytes({"schema": "voxmark.suite/1", "grids": [grid], **more})

    return {
        "good.json": suite({"backend": ["naive", "eigen"], "image": [32, [96, 96, 64]]}, repeats=3),
        "good_all_defaults": suite({}),
        "unknown_key": suite({"bakend": ["naive"]}),
        "duplicate_key": b'{"schema":"voxmark.suite/1","grids":[{"batch":[1],"batch":[2]}]}',
        "batch_zero": suite({"batch": [0]}),
        "batch_negative": suite({"batch": [-1]}),
        "steps_overflow": b'{"schema":"voxmark.suite/1","grids":[{"steps":1e400}]}',
        "steps_nan": b'{"schema":"voxmark.suite/1","grids":[{"steps":NaN}]}',
        "image_not_16": suite({"image": [40]}),
        "other_schema": b'{"schema":"voxmark.suite/2","grids":[{}]}',
        "deep": b"[" * 1000,
    }


CASE = {
    "backend": "naive",
    "image": [32, 32, 32],
    "batch": 1,
    "input_channels": 1,
    "classes": 1,
    "filters": 2,
    "precision": "fp32",
    "threads": 1,
    "data": "synthetic",
    "seed": 1,
    "steps": 2,
    "warmup": 1,
    "process": 0,
}


def protocol_files() -> dict[str, bytes]:
    request = {"protocol": "voxmark.child/2", "mode": "time", "case": CASE}
    step = {
        "type": "step",
        "warmup": False,
        "load_seconds": 0.1,
        "forward_backward_seconds": 1.5,
        "update_seconds": 0.5,
        "step_seconds": 2.0,
        "loss": "NaN",
        "readings": {"minor_faults": 3},
    }
    return {
        "good_request": to_bytes(request),
        "good_step": to_bytes(step),
        "good_done": to_bytes({"type": "done", "earlier_peak_bytes": 5}),
        "good_unsupported": to_bytes({"type": "unsupported", "reason": "no bf16"}),
        "other_protocol": to_bytes({**request, "protocol": "voxmark.child/9"}),
        "unknown_key": to_bytes({**request, "speed": "fast"}),
        "unknown_type": to_bytes({"type": "hello"}),
        "seconds_negative": to_bytes({**step, "step_seconds": -1}),
        "loss_text": to_bytes({**step, "loss": "large"}),
        "no_object": b"[]",
        "empty": b"",
    }


def report_document() -> dict:
    record = {
        "case": CASE,
        "outcome": "skipped",
        "reason": "not built",
        "reproduce": "voxmark run",
        "verification": None,
        "memory": {
            "planned_bytes": None,
            "allocated_bytes": None,
            "base_bytes": None,
            "peak_bytes": None,
            "reason": "not built",
        },
        "compile_seconds": None,
        "flops_per_step": 1,
        "parameters": 1,
        "input_sha256": None,
        "weights_sha256": None,
        "samples": [],
        "stages": [],
    }
    return {
        "schema": "voxmark.report/1",
        "created": "2024-05-31T12:00:00Z",
        "voxmark": {
            "version": "0.1.0",
            "commit": "0123abcd",
            "dirty": False,
            "binary_sha256": "c" * 64,
        },
        "environment": {},
        "limits": {},
        "details": {},
        "records": [record],
    }


def report_files() -> dict[str, bytes]:
    good = report_document()
    wrong_outcome = report_document()
    wrong_outcome["records"][0]["outcome"] = "great"
    null_without_reason = report_document()
    null_without_reason["records"][0]["reason"] = None
    return {
        "good.json": to_bytes(good),
        "good_no_records": to_bytes({**good, "records": []}),
        "newer": to_bytes({**good, "schema": "voxmark.report/2"}),
        "other": to_bytes({**good, "schema": "something"}),
        "unknown_outcome": to_bytes(wrong_outcome),
        "null_without_reason": to_bytes(null_without_reason),
        "no_records": to_bytes({k: v for k, v in good.items() if k != "records"}),
        "not_json": b"report",
    }


def journal_files() -> dict[str, bytes]:
    def line(entry: object) -> bytes:
        text = to_bytes(entry)
        digest = hashlib.sha256(text).hexdigest().encode()
        return b'{"sha256":"' + digest + b'","entry":' + text + b"}\n"

    report = report_document()
    record = report.pop("records")[0]
    first, second = line(report), line(record)
    other = line({**record, "case": {**CASE, "process": 1}})
    return {
        "good": first + second + other,
        "good_header_alone": first,
        "good_torn_last": first + second + other[:50],
        "bad_middle": first + second.replace(b"skipped", b"skippee") + other,
        "no_header": second,
        "torn_header": first[:40],
        "entry_no_record": first + line({"a": 1}),
        "empty": b"",
    }


def training_files() -> dict[str, bytes]:
    scores = {
        "loss": 0.25,
        "accuracy": 0.75,
        "soft_dice": [0.5],
        "hard_dice": [0.625],
        "whole_dice": None,
    }
    epoch = {
        "epoch": 1,
        "images": 10,
        "seconds": 5.5,
        "seconds_per_image": 0.55,
        "waiting_seconds": 0.0,
        "waiting_share": 0.0,
        "validation_seconds": 1.5,
        "validation_waiting_seconds": 0.25,
        "training": scores,
        "validation": scores,
        "best": True,
        "step_losses": [0.5, 0.25],
    }
    good = {
        "schema": "voxmark.training/1",
        "created": "2024-05-31T12:00:00Z",
        "voxmark": {},
        "environment": {},
        "options": {
            "data": "phantom:8",
            "backend": "eigen",
            "precision": "fp32",
            "threads": 2,
            "patience": 0,
            "epochs": 1,
            **OPTIONS,
        },
        "cases": {"training": 8, "validation": 0, "test": 0},
        "forecast": None,
        "epochs": [epoch],
        "best_epoch": 1,
        "end": "done",
        "test": None,
        "claims": None,
        "memory": {"planned_bytes": 1000, "peak_bytes": None},
    }
    return {
        "good.json": to_bytes(good),
        "good_no_epochs": to_bytes({**good, "epochs": [], "best_epoch": 0, "end": None}),
        "newer": to_bytes({**good, "schema": "voxmark.training/2"}),
        "unknown_end": to_bytes({**good, "end": "bored"}),
        "epoch_without_scores": to_bytes({**good, "epochs": [{**epoch, "training": None}]}),
        "share_above_one": to_bytes({**good, "epochs": [{**epoch, "waiting_share": 1.5}]}),
        "losses_no_numbers": to_bytes({**good, "epochs": [{**epoch, "step_losses": ["a"]}]}),
        "no_options": to_bytes({k: v for k, v in good.items() if k != "options"}),
        "empty": b"",
    }


# As a checkpoint keeps them; keys as on the command line.
OPTIONS = {
    "image": [16, 16, 16],
    "batch": 1,
    "channels": 1,
    "classes": 1,
    "filters": 1,
    "seed": 1,
    "split_seed": 1,
    "augment": True,
    "tile": False,
    "downsample": 1,
    "steps_per_epoch": 0,
}


def tensors(
    shapes: dict[str, list[int]], dtype: str = "F64", metadata: dict[str, str] | None = None
) -> bytes:
    """A safetensors file of ones (of zeros in U8)."""
    value = {"F64": struct.pack("<d", 1), "U8": b"\0"}[dtype]
    header: dict[str, object] = {} if metadata is None else {"__metadata__": metadata}
    data = b""
    for name, shape in shapes.items():
        begin = len(data)
        data += value * prod(shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, len(data)]}
    text = to_bytes(header)
    return struct.pack("<Q", len(text)) + text + data


# Of the network that tools/fuzz/fuzz_readers.cpp reads with.
PARAMETERS = {
    "conv/kernel": [1, 1, 1, 1, 2],
    "conv/bias": [2],
    "bn/gamma": [2],
    "bn/beta": [2],
}
STATISTICS = {"bn/moving_mean": [2], "bn/moving_variance": [2]}


def checkpoint_files() -> dict[str, bytes]:
    scores = {
        "loss": 0.25,
        "accuracy": 0.75,
        "soft_dice": [0.5],
        "hard_dice": [0.6],
        "whole_dice": None,
    }
    position = {
        "epoch": 0,
        "step": 1,
        "scores": {"count": 1, "sum": scores},
        "step_losses": [0.5],
        "seconds": 1.0,
        "waiting_seconds": 0.0,
        "epochs": [],
        "best_loss": "Infinity",
        "best_epoch": 0,
        "memory_bytes": 1000,
    }
    weights = {**PARAMETERS, **STATISTICS}

    def checkpoint(state: object, shapes: dict[str, list[int]] = weights) -> bytes:
        text = state if isinstance(state, str) else to_bytes(state).decode()
        kind = "voxmark checkpoint/1, Keras names and layouts"
        return tensors(shapes, metadata={"format": kind, "state": text})

    def with_options(**changes: object) -> bytes:
        return checkpoint({"options": {**OPTIONS, **changes}, "position": position})

    def with_position(**changes: object) -> bytes:
        return checkpoint({"options": OPTIONS, "position": {**position, **changes}})

    return {
        "good.safetensors": with_options(),
        "weights_alone": tensors(weights),
        "state_not_json": checkpoint("{nonsense"),
        "state_a_list": checkpoint([]),
        "no_options": checkpoint({"position": position}),
        "no_position": checkpoint({"options": OPTIONS}),
        "filters_huge": with_options(filters=1 << 62),
        "filters_text": with_options(filters="many"),
        "image_of_two": with_options(image=[16, 16]),
        "image_odd": with_options(image=[17, 16, 16]),
        "batch_negative": with_options(batch=-1),
        "epoch_negative": with_position(epoch=-1),
        "step_negative": with_position(step=-5),
        "epochs_missing": with_position(epoch=3),
        "best_of_the_future": with_position(best_epoch=7),
        "scores_text": with_position(scores="good"),
        "missing_tensor": checkpoint({"options": OPTIONS, "position": position}, PARAMETERS),
        "other_shape": checkpoint(
            {"options": OPTIONS, "position": position}, {**weights, "conv/bias": [3]}
        ),
    }


def results_files() -> dict[str, bytes]:
    good = {
        "losses": [2],
        **{f"gradient/{name}": shape for name, shape in PARAMETERS.items()},
        **{f"updated/{name}": shape for name, shape in {**PARAMETERS, **STATISTICS}.items()},
    }
    return {
        "good.safetensors": tensors(good),
        "good_more_than_asked_for": tensors({**good, "notes": [1]}),
        "no_losses": tensors({k: v for k, v in good.items() if k != "losses"}),
        "one_loss": tensors({**good, "losses": [1]}),
        "missing_gradient": tensors({k: v for k, v in good.items() if k != "gradient/conv/bias"}),
        "flat_kernel": tensors({**good, "updated/conv/kernel": [2]}),
        "no_statistics": tensors({k: v for k, v in good.items() if k != "updated/bn/moving_mean"}),
        "text": b"losses: 0.5 0.25",
    }


def reference_files() -> dict[str, bytes]:
    good = {
        "loss": [1],
        "images": [1],
        "sums": [6],
        "prediction": [8],
        "gradients:conv/bias": [2],
        "contributions:conv/bias": [2],
        "moving_statistics:bn/moving_mean": [2],
    }
    return {
        "good.safetensors": tensors(good),
        "no_loss": tensors({k: v for k, v in good.items() if k != "loss"}),
        "empty_loss": tensors({**good, "loss": [0]}),
        "several_images": tensors({**good, "images": [2]}),
        "no_images": tensors(good).replace(struct.pack("<d", 1), struct.pack("<d", 0)),
        "images_not_a_number": tensors(good).replace(
            struct.pack("<d", 1), struct.pack("<d", float("nan"))
        ),
        "empty": b"",
    }


def recorded_files() -> dict[str, bytes]:
    def recorded(target: list[int], **changes: object) -> bytes:
        run = {
            "image": [16, 16, 16],
            "batch": 1,
            "filters": 1,
            "input_channels": 1,
            "loss": [0.5, 0.4],
            "batch_norm": {"epsilon": 1e-3, "momentum": 0.99},
            "optimizer": {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7},
        }
        text = to_bytes({**run, **changes}).decode()
        return tensors({"target": target}, "U8", {"reference": text})

    target = [1, 16, 16, 16, 1]
    return {
        "good.safetensors": recorded(target),
        "no_metadata": tensors({"target": target}, "U8"),
        "metadata_not_json": tensors({"target": [1]}, "U8", {"reference": "a run"}),
        "other_target": recorded([1, 16, 16, 8, 1]),
        "no_losses": recorded(target, loss=[]),
        "dice_of_other_steps": recorded(target, dice=[0.5]),
        "filters_huge": recorded(target, filters=1 << 62),
        "filters_zero": recorded(target, filters=0),
        "image_text": recorded(target, image="16x16x16"),
        "image_negative": recorded([1], image=[-16, 16, 16]),
        "no_optimizer": recorded(target, optimizer=None),
    }


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "corpus")
    for target, files in {
        "json": json_files(),
        "nifti": nifti_files(),
        "gzip": gzip_files(),
        "dataset": dataset_files(),
        "safetensors": safetensors_files(),
        "suite": suite_files(),
        "protocol": protocol_files(),
        "journal": journal_files(),
        "report": report_files(),
        "training": training_files(),
        "checkpoint": checkpoint_files(),
        "results": results_files(),
        "reference": reference_files(),
        "recorded": recorded_files(),
    }.items():
        (folder / target).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / target / name).write_bytes(content)


if __name__ == "__main__":
    main()
