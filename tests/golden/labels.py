"""Golden runs of noise kinds: the labels themselves, drawn by whole-number arithmetic."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from tests.golden.figures import Figure, digest, exact, exact_list
from trainables.config import Choice
from trainables.datasets import dataset_info
from trainables.noise import NOISES, NoiseContext, human
from trainables.noise.label_file import LabelFile
from trainables.noise.measure import labels_sha256
from trainables.registry import ParameterError
from trainables.seeding import generator

COUNTS = {"cifar10": 503, "cifar100": 1003}
"""Data set → training images: ten classes with a map, a hundred with superclasses. Classes are not
of one size, so that it shows how an exact share of them is rounded."""

SEEDS = (0, 1, 2)
SHOWN = 12


def figures(choice: Choice) -> Mapping[str, Figure]:
    """Of one noise kind with all its parameters."""
    with _small_recordings() as root:
        found = {}
        for dataset in COUNTS:
            found |= _of_dataset(choice, dataset, root)
    if choice.name == "human":
        found["published files"] = exact_list(_published())
    return found


def _of_dataset(choice: Choice, dataset: str, root: Path) -> Mapping[str, Figure]:
    info, true = dataset_info(Choice(dataset)), _true(dataset)
    noise = NOISES.build(choice)
    try:
        drawn = [noise(true, NoiseContext(info, generator(s, "noise"), root)) for s in SEEDS]
    except ParameterError as error:
        return {f"{dataset}: refused": exact(error.message)}
    wrong = [int((labels != true).sum()) for labels in drawn]
    return {
        f"{dataset}: wrong labels": exact(*wrong, place="seed"),
        f"{dataset}: first labels": exact(*drawn[0][:SHOWN].tolist(), place="image"),
        f"{dataset}: labels": digest(torch.stack(drawn).numpy()),
        f"{dataset}: sha256": exact(labels_sha256(drawn[0])),
    }


def _true(dataset: str) -> Tensor:
    num_classes = dataset_info(Choice(dataset)).num_classes
    return torch.arange(COUNTS[dataset]) * 7 % num_classes


@contextmanager
def _small_recordings() -> Iterator[Path]:
    """A data root with made label files in place of the published ones; the vectors' names stay."""
    made = {}
    with tempfile.TemporaryDirectory() as folder:
        for dataset, recording in human.RECORDINGS.items():
            true = _true(dataset).numpy()
            vectors = {
                name: (true + shift) % (true.max() + 1)
                for shift, name in enumerate(sorted(recording.vectors.values()), start=1)
            }
            content = io.BytesIO()
            np.savez(content, clean_label=true, **vectors)
            path = Path(folder, f"{dataset}.npz")
            path.write_bytes(content.getvalue())
            file = LabelFile(path.name, hashlib.sha256(content.getvalue()).hexdigest())
            made[dataset] = human.Recording((file,), recording.vectors)
        with patch.dict(human.RECORDINGS, made):
            yield Path(folder)


def _published() -> list[str]:
    return [
        f"{dataset} {file.name} {file.sha256}"
        for dataset, recording in human.RECORDINGS.items()
        for file in recording.files
    ]
