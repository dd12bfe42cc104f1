"""Users' own Parquet tables: shapes of columns, order of shards, refusals in words."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from trainables.config import Choice
from trainables.datasets import DatasetError, dataset_info, load_dataset, locate
from trainables.datasets.encoded import find_tables
from trainables.registry import ParameterError

RNG = np.random.default_rng(1)
CHOICE = Choice.of("parquet", path="mine", num_classes=3, image_shape=(3, 8, 6))


def colour_images(count: int) -> np.ndarray:
    return RNG.integers(0, 256, (count, 8, 6, 3), dtype=np.uint8)


def encode(image: np.ndarray, form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, form, **({"lossless": True} if form == "WEBP" else {}))
    return stream.getvalue()


def write(path: Path, images: list[Any], labels: list[int], names=("image", "label")) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({names[0]: images, names[1]: labels}), path)


def put(root: Path, images: np.ndarray, form: str = "PNG", **more: Any) -> None:
    labels = [index % 3 for index in range(len(images))]
    encoded = [encode(image, form) for image in images]
    for split in ("train", "test"):
        write(root / "mine" / f"{split}.parquet", encoded, labels, **more)


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_lossless_images_come_back_exactly(tmp_path: Path, form: str) -> None:
    images = colour_images(6)
    put(tmp_path, images, form)
    info, arrays = load_dataset(CHOICE, tmp_path)
    np.testing.assert_array_equal(arrays.train_images, images)
    assert list(arrays.train_labels) == [0, 1, 2, 0, 1, 2]
    np.testing.assert_allclose(info.mean, (images / 255).mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(info.std, (images / 255).std(axis=(0, 1, 2)))


def test_columns_as_hubs_name_them(tmp_path: Path) -> None:
    images = colour_images(3)
    structs = [{"bytes": encode(image), "path": f"{n}.png"} for n, image in enumerate(images)]
    for split in ("train-00000-of-00001", "test-00000-of-00001"):
        path = tmp_path / "mine" / "data" / f"{split}.parquet"
        write(path, structs, [0, 1, 2], names=("img", "fine_label"))
    _, arrays = load_dataset(CHOICE, tmp_path)
    np.testing.assert_array_equal(arrays.test_images, images)


def test_grey_images_have_one_channel(tmp_path: Path) -> None:
    images = colour_images(3)[..., 0]
    put(tmp_path, images)
    choice = Choice.of("parquet", path="mine", num_classes=3, image_shape=(1, 8, 6))
    _, arrays = load_dataset(choice, tmp_path)
    np.testing.assert_array_equal(arrays.train_images[..., 0], images)


def test_facts_of_a_subset_are_those_of_the_whole() -> None:
    info = dataset_info(Choice.of("parquet", path="cifar100-subset", like="cifar100"))
    whole = dataset_info(Choice("cifar100"))
    assert info.name == "cifar100-subset"
    assert (info.similar_classes, info.mean, info.superclasses) == (
        whole.similar_classes,
        whole.mean,
        whole.superclasses,
    )


def test_shards_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    images = colour_images(12)
    for number, image in enumerate(images):
        write(tmp_path / "mine" / f"train-{number}-of-12.parquet", [encode(image)], [number % 3])
    write(tmp_path / "mine" / "val.parquet", [encode(images[0])], [0])
    _, arrays = load_dataset(CHOICE, tmp_path)
    np.testing.assert_array_equal(arrays.train_images, images)
    assert len(arrays.test_labels) == 1


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        ([b"no image"], [0], "cannot be decoded"),
        ([encode(colour_images(1)[0])[:60]], [0], "cannot be decoded"),
        ([None], [0], "without the bytes"),
        ([{"bytes": None, "path": "a.png"}], [0], "without the bytes"),
        ([encode(colour_images(1)[0]), encode(colour_images(1)[0, :5])], [0, 1], "different sizes"),
        ([encode(colour_images(1)[0, :5])], [0], "images are"),
        ([encode(colour_images(1)[0])], [3], "labels run"),
        ([encode(colour_images(1)[0])], ["cat"], "no class indices"),
        ([encode(colour_images(1)[0])], [None], "no class indices"),
        ([], [], "without rows"),
    ],
)
def test_tables_that_cannot_be_trained_on_are_refused(
    tmp_path: Path, images: list[Any], labels: list[Any], words: str
) -> None:
    put(tmp_path, colour_images(3))
    path = tmp_path / "mine" / "train.parquet"
    if images:
        write(path, images, labels)
    else:
        pq.write_table(pq.read_table(path).slice(0, 0), path)
    with pytest.raises(DatasetError, match=words):
        load_dataset(CHOICE, tmp_path)


def test_a_table_without_the_columns_says_what_it_has(tmp_path: Path) -> None:
    put(tmp_path, colour_images(3), names=("picture", "label"))
    with pytest.raises(DatasetError, match="image or img, but picture, label"):
        load_dataset(CHOICE, tmp_path)


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    put(tmp_path, colour_images(3))
    (tmp_path / "mine" / "test.parquet").write_bytes(b"PAR1 cut")
    with pytest.raises(DatasetError, match=r"test\.parquet cannot be read"):
        load_dataset(CHOICE, tmp_path)


def test_one_split_alone_is_not_a_data_set(tmp_path: Path) -> None:
    write(tmp_path / "mine" / "train.parquet", [b""], [0])
    assert find_tables(tmp_path / "mine") is None
    assert locate(CHOICE, tmp_path).missing
    with pytest.raises(DatasetError, match=f"{tmp_path}/mine"):
        load_dataset(CHOICE, tmp_path)


@pytest.mark.parametrize(
    ("parameters", "key"),
    [
        ({"path": "/etc"}, "path"),
        ({"path": "../secret"}, "path"),
        ({"path": "mine", "like": "mnist", "num_classes": 10}, "like"),
        ({"path": "mine", "image_shape": (3, 8, 8)}, "num_classes"),
        ({"path": "mine", "num_classes": 3}, "image_shape"),
        ({"path": "mine", "num_classes": 3, "image_shape": (4, 8, 8)}, "image_shape"),
        ({"path": "mine", "num_classes": 1, "image_shape": (3, 8, 8)}, "num_classes"),
    ],
)
def test_parameters_that_do_not_fit_are_named(parameters: dict[str, Any], key: str) -> None:
    with pytest.raises(ParameterError) as caught:
        dataset_info(Choice.of("parquet", **parameters))
    assert caught.value.key == key


def put_named(root: Path, split: str, names: list[str], shape: tuple[int, ...] = (8, 6, 3)) -> None:
    """A table that declares its classes as hubs do."""
    images = [encode(RNG.integers(0, 256, shape, dtype=np.uint8)) for _ in names]
    features = {"label": {"names": names, "_type": "ClassLabel"}, "image": {"_type": "Image"}}
    table = pa.table({"image": images, "label": list(range(len(names)))})
    metadata = {b"huggingface": json.dumps({"info": {"features": features}})}
    (root / "mine").mkdir(exist_ok=True)
    pq.write_table(table.replace_schema_metadata(metadata), root / "mine" / f"{split}.parquet")


def test_declared_classes_become_the_names(tmp_path: Path) -> None:
    for split in ("train", "test"):
        put_named(tmp_path, split, ["ant", "bee", "cat"])
    assert load_dataset(CHOICE, tmp_path)[0].class_names == ("ant", "bee", "cat")


@pytest.mark.parametrize("names", [["bee", "ant", "cat"], ["ant", "Bee", "cat"], ["ant", "bee"]])
def test_two_splits_that_number_classes_differently_are_refused(
    tmp_path: Path, names: list[str]
) -> None:
    put_named(tmp_path, "train", ["ant", "bee", "cat"])
    put_named(tmp_path, "test", names)
    words = r"train\.parquet and .*test\.parquet number the classes differently: class \d is"
    with pytest.raises(DatasetError, match=words):
        load_dataset(CHOICE, tmp_path)


def test_another_number_of_declared_classes_is_refused(tmp_path: Path) -> None:
    for split in ("train", "test"):
        put_named(tmp_path, split, ["ant", "bee"])
    with pytest.raises(DatasetError, match="have 2 classes, num_classes is 3"):
        load_dataset(CHOICE, tmp_path)


def test_names_of_what_it_is_like_in_another_order_are_refused(tmp_path: Path) -> None:
    like = list(dataset_info(Choice("fashion-mnist")).class_names)
    choice = Choice.of("parquet", path="mine", like="fashion-mnist")
    spelled = [name.title().replace("/", " / ") for name in like]
    for split in ("train", "test"):
        put_named(tmp_path, split, spelled, (28, 28))
    assert load_dataset(choice, tmp_path)[0].class_names == tuple(like)
    for split in ("train", "test"):
        put_named(tmp_path, split, sorted(spelled), (28, 28))
    with pytest.raises(DatasetError, match="class 0 is Ankle Boot, not T-shirt/top"):
        load_dataset(choice, tmp_path)


@pytest.mark.parametrize("metadata", [b"{", b"[]", b"{}", b'{"info": {"features": {"label": 1}}}'])
def test_metadata_of_another_kind_say_nothing(tmp_path: Path, metadata: bytes) -> None:
    put(tmp_path, colour_images(3))
    path = tmp_path / "mine" / "test.parquet"
    pq.write_table(pq.read_table(path).replace_schema_metadata({b"huggingface": metadata}), path)
    assert load_dataset(CHOICE, tmp_path)[0].class_names == ("class 0", "class 1", "class 2")
