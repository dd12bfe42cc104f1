"""Deep images keep their grey levels, in files and in tables, or are refused by name."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.trainables.datasets.layouts import write_class_folders
from trainables.config import Choice
from trainables.datasets import DatasetError, load_dataset
from trainables.datasets.bit_depth import eight_bits
from trainables.datasets.image_files import decode

RAMP = np.linspace(0, 65_535, 64 * 64).astype(np.uint16).reshape(64, 64)
SCALED = np.round(RAMP / 257).astype(np.uint8)
FOLDER = Choice.of("folder", path="mine", num_classes=3, size=32)


def encoded(image: NDArray[np.generic] | Image.Image, form: str) -> bytes:
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, form)
    return stream.getvalue()


def table(root: Path, image: bytes, channels: int) -> Choice:
    (root / "table").mkdir()
    for split in ("train", "test"):
        rows = [{"bytes": image, "path": f"scan {label}.tif"} for label in range(2)]
        pq.write_table(
            pa.table({"image": rows, "label": [0, 1]}), root / "table" / f"{split}.parquet"
        )
    return Choice.of("parquet", path="table", num_classes=2, image_shape=(channels, 64, 64))


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled_by_a_fixed_factor_in_files(tmp_path: Path, form: str) -> None:
    path = tmp_path / "deep"
    path.write_bytes(encoded(RAMP, form))
    image = decode(path, 64)
    assert image is not None
    np.testing.assert_array_equal(image, np.stack([SCALED] * 3, axis=-1))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_by_a_fixed_factor_in_tables(
    tmp_path: Path, form: str, channels: int
) -> None:
    choice = table(tmp_path, encoded(RAMP, form), channels)
    _, arrays = load_dataset(choice, tmp_path)
    np.testing.assert_array_equal(arrays.train_images[0], np.stack([SCALED] * channels, axis=-1))


def test_a_dark_image_stays_dark() -> None:
    dark = Image.fromarray(np.full((8, 8), 2570, np.uint16))
    assert set(np.unique(np.asarray(eight_bits(dark, "dark")))) == {10}


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_orders_of_bytes(order: str) -> None:
    mode = {"<": "I;16", ">": "I;16B"}[order]
    image = Image.frombytes(mode, (64, 64), RAMP.astype(f"{order}u2").tobytes())
    np.testing.assert_array_equal(np.asarray(eight_bits(image, "x")), SCALED)


def test_a_tiff_of_twelve_bits_has_a_white_of_its_own(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.full((8, 8), 4095, np.uint16)).save(stream, "TIFF")
    image = Image.open(stream)
    image.tag_v2[258] = (12,)
    assert np.asarray(eight_bits(image, "x")).min() == 255


@pytest.mark.parametrize(("dtype", "mode"), [(np.float32, "F"), (np.int32, "I")])
def test_an_unknown_white_level_is_refused_by_file_and_mode(
    tmp_path: Path, dtype: type, mode: str
) -> None:
    content = encoded((RAMP / 65_535).astype(dtype), "TIFF")
    (tmp_path / "scan.tif").write_bytes(content)
    with pytest.raises(DatasetError, match=rf"scan\.tif holds .*mode {mode} .*convert it to 8"):
        decode(tmp_path / "scan.tif", 32)
    with pytest.raises(DatasetError, match=rf"train\.parquet: scan 0\.tif holds .*mode {mode} "):
        load_dataset(table(tmp_path, content, 1), tmp_path)


def test_it_is_refused_in_training_and_never_blank(tmp_path: Path) -> None:
    folder = write_class_folders(tmp_path)
    (folder / "train" / "ant" / "9.tif").write_bytes(encoded(RAMP.astype(np.float32), "TIFF"))
    _, arrays = load_dataset(FOLDER, tmp_path)
    with pytest.raises(DatasetError, match=r"9\.tif holds floats"):
        arrays.train_images.read(arrays.train_images.names.index("ant/9.tif"))


@pytest.mark.parametrize(
    ("mode", "form", "expected"),
    [
        ("1", "PNG", (255, 255, 255)),
        ("L", "PNG", (124, 124, 124)),
        ("LA", "PNG", (124, 124, 124)),
        ("P", "PNG", (204, 102, 51)),
        ("RGB", "PNG", (200, 100, 50)),
        ("RGBA", "PNG", (200, 100, 50)),
        ("CMYK", "TIFF", (200, 100, 50)),
    ],
)
def test_other_modes_give_the_colour_that_is_seen(
    tmp_path: Path, mode: str, form: str, expected: tuple[int, int, int]
) -> None:
    colour = (255, 255, 255) if mode == "1" else (200, 100, 50)
    path = tmp_path / "image"
    path.write_bytes(encoded(Image.new("RGB", (9, 9), colour).convert(mode), form))
    image = decode(path, 9)
    assert image is not None
    assert tuple(image[4, 4]) == expected
