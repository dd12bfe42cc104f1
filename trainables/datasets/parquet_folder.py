"""Any data set of images that lies below the data root as Parquet tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Annotated

from trainables.config import Choice
from trainables.datasets import (
    DATASETS,
    DatasetInfo,
    ImageArrays,
    Presence,
    dataset_info,
    missing_files,
    stays_below,
)
from trainables.datasets.array_cache import cached_arrays
from trainables.datasets.declared_classes import class_names, require_numbering_of
from trainables.datasets.encoded import find_tables, read_tables
from trainables.registry import ParameterError, Range


@DATASETS.register("parquet")
@dataclass(frozen=True)
class ParquetFolder:
    """Tables `train*.parquet` and `test*.parquet` (or `val*`) with columns `image` and `label`.

    Its facts are those of the data set it is `like` (a subset, or another encoding), or a class
    count and a shape; mean and standard deviation are then taken from the training images.
    A 16-bit image is scaled to 8 bits by a fixed factor (65535 is white); 32-bit integers and
    floats are refused.

    Args:
        path: folder of the tables below the data root, such as `cifar100-subset`.
        like: data set whose classes, shape, statistics and class maps it has.
        num_classes: K, if it is like no other.
        image_shape: (channels, height, width), 1 or 3 channels, if it is like no other.
        labels_are_true: whether the training labels are known to be true; by default as in the data
            set it is `like`, and not known if it is like no other.
    """

    path: str
    like: str | None = None
    num_classes: Annotated[int | None, Range(2)] = None
    image_shape: tuple[int, ...] = ()
    labels_are_true: bool | None = None

    def __post_init__(self) -> None:
        # A cell must mean the same on every machine, so no place outside the data root.
        if not stays_below(self.path):
            raise ParameterError("a folder below the data root is needed", key="path")
        if self.like is not None and (self.num_classes is not None or self.image_shape):
            raise ParameterError("stands in place of num_classes and image_shape", key="like")

    @property
    def info(self) -> DatasetInfo:
        if self.like is not None:
            like = dataset_info(Choice(self.like))
            are_true = (
                like.labels_are_true if self.labels_are_true is None else self.labels_are_true
            )
            return replace(
                like,
                name=self.path,
                num_train=None,
                num_test=None,
                labels_are_true=are_true,
                origin="",
            )
        if self.num_classes is None:
            raise ParameterError("needed unless `like` is given", key="num_classes")
        if len(self.image_shape) != 3 or self.image_shape[0] not in (1, 3):
            raise ParameterError("(channels, height, width), 1 or 3 channels", key="image_shape")
        channels, height, width = self.image_shape
        names = tuple(f"class {index}" for index in range(self.num_classes))
        return DatasetInfo(
            name=self.path,
            num_classes=self.num_classes,
            image_shape=(channels, height, width),
            mean=(),
            std=(),
            class_names=names,
            labels_are_true=bool(self.labels_are_true),
        )

    def load(self, data_root: Path) -> ImageArrays:
        """Decode the tables. Raises DatasetError."""
        tables = find_tables(data_root / self.path)
        if tables is None:
            raise missing_files(self.path, self.locate(data_root), "it has no known source")
        channels = self.info.image_shape[0]
        names = class_names(tables)
        require_numbering_of(self.info, names, data_root / self.path)
        arrays = cached_arrays(
            f"{PurePosixPath(self.path).name}-{channels}",
            tables.files,
            data_root,
            lambda: read_tables(tables, channels),
        )
        return replace(arrays, class_names=() if self.like else names)

    def locate(self, data_root: Path) -> Presence:
        """The tables, if both splits are here."""
        folder = data_root / self.path
        tables = find_tables(folder)
        accepted = (f"Parquet tables train*.parquet and test*.parquet may lie in {folder}.",)
        if tables is None:
            return Presence((), ("train*.parquet and test*.parquet",), accepted)
        return Presence(tables.files, (), accepted)
