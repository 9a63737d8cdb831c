"""The phantom's files, read by nibabel: another reader must see what voxmark says it wrote."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import nibabel
import numpy as np
import pytest

VOXMARK = os.environ["VOXMARK_BINARY"]
SHAPE = (48, 32, 40)


def voxmark(*arguments: str | Path) -> str:
    """Standard output of the command, which must succeed."""
    done = subprocess.run(
        [VOXMARK, *map(str, arguments)], check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of two cases."""
    path = tmp_path_factory.mktemp("phantom") / "set"
    voxmark("phantom", path, "--cases", "2", "--image", "x".join(map(str, SHAPE)))
    return path


def entries(folder: Path) -> list[dict[str, str]]:
    """The training list of dataset.json."""
    return json.loads((folder / "dataset.json").read_text())["training"]


def sha256_of_scaled(image: nibabel.Nifti1Image) -> str:
    """SHA-256 of the scaled values as little-endian float64, x fastest."""
    values = np.asarray(image.get_fdata(dtype=np.float64), dtype="<f8")
    return hashlib.sha256(values.tobytes(order="F")).hexdigest()


@pytest.mark.parametrize("part", ["image", "label"])
def test_nibabel_reads_what_inspect_reads(folder: Path, part: str) -> None:
    assert len(entries(folder)) == 2
    for entry in entries(folder):
        path = folder / entry[part]
        image = nibabel.load(path)
        facts = json.loads(voxmark("inspect", path, "--json"))
        values = image.get_fdata()
        assert image.shape == tuple(facts["shape"])
        assert image.get_data_dtype() == np.dtype(facts["type"])
        assert image.affine[:3].tolist() == facts["affine"]
        assert sha256_of_scaled(image) == facts["sha256"]
        assert values.min() == facts["minimum"]
        assert values.max() == facts["maximum"]
        assert values.mean() == pytest.approx(facts["mean"], rel=1e-12)  # another summation order


def test_headers_are_what_nibabel_expects_of_a_good_file(folder: Path) -> None:
    for entry in entries(folder):
        for part, shape in (("image", (*SHAPE, 4)), ("label", SHAPE)):
            image = nibabel.load(folder / entry[part])
            header = image.header
            raw = header.binaryblock
            assert nibabel.Nifti1Header.diagnose_binaryblock(raw) == ""
            assert header.get_data_shape() == shape
            assert header.get_zooms()[:3] == pytest.approx((4, 6, 4))  # 192 x 192 x 160 mm
            assert header.get_xyzt_units()[0] == "mm"
            assert (image.dataobj.slope, image.dataobj.inter) == (1, 0)


def test_image_and_label_lie_on_one_grid(folder: Path) -> None:
    for entry in entries(folder):
        image = nibabel.load(folder / entry["image"])
        label = nibabel.load(folder / entry["label"])
        assert (image.affine == label.affine).all()
        assert image.shape[:3] == label.shape
        assert set(np.unique(label.get_fdata())) == {0, 1, 2, 3}


def test_labels_are_counted_as_numpy_counts_them(folder: Path) -> None:
    labels = [nibabel.load(folder / entry["label"]).get_fdata() for entry in entries(folder)]
    facts = json.loads(voxmark("inspect", folder, "--json"))
    for label in facts["labels"]:
        assert label["voxels"] == sum(int((values == label["value"]).sum()) for values in labels)
