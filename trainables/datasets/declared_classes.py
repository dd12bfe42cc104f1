"""Names of classes that Parquet tables carry in their metadata, as hubs write them.

A label is a number, so two tables mean the same class by it only if they number the same names.
Knows no images.
"""

from __future__ import annotations

import json
from itertools import pairwise, zip_longest
from pathlib import Path

from trainables.datasets import DatasetError, DatasetInfo
from trainables.datasets.encoded import LABEL_COLUMNS, Tables, column_of

METADATA = b"huggingface"


def class_names(tables: Tables) -> tuple[str, ...]:
    """Names in the order of their numbers; empty if no table has them.

    Raises:
        DatasetError: two tables number the classes differently, so that a label would mean one
            class in training and another one in the test.
    """
    found = [(shard, names) for shard in tables.files if (names := _names_in(shard))]
    for (one, names), (other, others) in pairwise(found):
        for number, (name, second) in enumerate(zip_longest(names, others)):
            if name != second:
                raise DatasetError(
                    f"{one} and {other} number the classes differently: "
                    f"class {number} is {name or 'none'} here and {second or 'none'} there"
                )
    return found[0][1] if found else ()


def require_numbering_of(info: DatasetInfo, names: tuple[str, ...], folder: Path) -> None:
    """Raise DatasetError if tables number their classes otherwise than `info`, as far as is known.

    Publishers spell names differently, so only the same names in another order are wrong.
    """
    if not names:
        return
    if len(names) != info.num_classes:
        raise DatasetError(
            f"the tables in {folder} have {len(names)} classes, num_classes is {info.num_classes}"
        )
    ours, theirs = [_plain(name) for name in info.class_names], [_plain(name) for name in names]
    if ours != theirs and sorted(ours) == sorted(theirs):
        number = next(
            n for n, pair in enumerate(zip(ours, theirs, strict=True)) if len({*pair}) > 1
        )
        raise DatasetError(
            f"the tables in {folder} number the classes otherwise than the data set they are like: "
            f"class {number} is {names[number]}, not {info.class_names[number]}"
        )


def _names_in(shard: Path) -> tuple[str, ...]:
    """Names that one table declares for its column of labels. Raises DatasetError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(shard)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{shard} cannot be read: {error}") from error
    label = column_of(schema.names, LABEL_COLUMNS, shard)
    try:
        features = json.loads((schema.metadata or {})[METADATA])["info"]["features"]
        return tuple(str(name) for name in features[label]["names"])
    except (KeyError, TypeError, ValueError):
        return ()


def _plain(name: str) -> str:
    """A name without what publishers spell differently: case, spaces, underscores, strokes."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())
