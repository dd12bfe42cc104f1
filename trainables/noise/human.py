"""Human noise: the labels that people gave to the training images of CIFAR-10 and CIFAR-100."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from trainables.datasets import DatasetError
from trainables.noise import NOISES, NoiseContext
from trainables.noise.label_file import LabelFile, Labels
from trainables.registry import ParameterError

if TYPE_CHECKING:
    from torch import Tensor

FOLDERS = ("cifar-n", "cifar-n/originals", "")
"""Where below the data root the file may lie."""

ORIGIN = "github.com/UCSC-REAL/cifar-10-100n"


@dataclass(frozen=True)
class Recording:
    """The published label sets of one data set.

    Args:
        files: forms of the file, any of which will do; all hold the same vectors.
        vectors: set → name of its vector in the file.
        rates: set → share of its labels that are wrong.
    """

    files: tuple[LabelFile, ...]
    vectors: Mapping[str, str]
    rates: Mapping[str, float] = field(default_factory=dict)


RECORDINGS = {
    "cifar10": Recording(
        (
            LabelFile(
                "CIFAR-10_human.pt",
                "873e69c39cb9b5e97fb6bae2d60bb59b38a5cbc31d2b868f7903dcb2b9dd2310",
            ),
            LabelFile(
                "cifar10n.npz",
                "6024485a143efa682792c21d7f2adfdef5a374dce699bb2fcd4d62cd55cc4852",
            ),
        ),
        {
            "worst": "worse_label",
            "aggregate": "aggre_label",
            "random1": "random_label1",
            "random2": "random_label2",
            "random3": "random_label3",
        },
        {"worst": 0.402, "aggregate": 0.09, "random1": 0.172, "random2": 0.181, "random3": 0.176},
    ),
    "cifar100": Recording(
        (
            LabelFile(
                "CIFAR-100_human.pt",
                "bd2d80409754d420292d622e15e25248ba21e37d27429efac49c8da723f44394",
            ),
            LabelFile(
                "cifar100n.npz",
                "8e7f73d20c0d055d4cf92554f8ac9ac2f3d695ddc15b652d7eb979015de8a8a4",
            ),
        ),
        {"noisy": "noisy_label"},
        {"noisy": 0.402},
    ),
}
"""Data set → what people said about it."""


@NOISES.register("human")
@dataclass(frozen=True)
class HumanNoise:
    """The training labels as people gave them; nothing is drawn, so they are equal for all seeds.

    Nobody has labelled images that stand in for those of a data set (`synthetic`). There the wrong
    labels stand in too: as many as in the set, equal for all seeds, so that a study can be tried
    without the files.

    Args:
        set: for CIFAR-10 `worst` (40.2 % wrong), `aggregate` (majority of three, 9.0 %), `random1`,
            `random2`, `random3` (one of the three each, 17.2 to 18.1 %); for CIFAR-100 `noisy`
            (40.2 %).

    Source: Wei et al., Learning with Noisy Labels Revisited (ICLR 2022, arXiv 2110.12088).
    """

    set: Literal["worst", "aggregate", "random1", "random2", "random3", "noisy"]

    def __call__(self, labels: Tensor, context: NoiseContext) -> Tensor:
        """labels int64 [N] → labels int64 [N].

        Raises:
            ParameterError: there are no human labels, or not this set, for the data set.
            DatasetError: the file is missing or not the published one, or the true labels in it are
                not those of the data set (as for a subset of the training images).
        """
        import torch

        dataset = context.dataset.stands_for or context.dataset.name
        if dataset not in RECORDINGS:
            offered = ", ".join(RECORDINGS)
            raise ParameterError(f"human labels are there for {offered} only", key="kind")
        recording = RECORDINGS[dataset]
        if self.set not in recording.vectors:
            offered = ", ".join(recording.vectors)
            raise ParameterError(f"the label sets of {dataset} are {offered}", key="set")
        if context.dataset.stands_for:
            return _stand_in(labels, recording.rates[self.set], context.dataset.num_classes)
        recorded = _read(recording, dataset, context.data_root)
        if not np.array_equal(recorded["clean_label"], labels.numpy()):
            raise DatasetError(
                f"human labels are there for all {len(recorded['clean_label'])} training images of "
                f"{dataset} in their original order; these are {len(labels)} others"
            )
        return torch.from_numpy(recorded[recording.vectors[self.set]])


def _stand_in(labels: Tensor, rate: float, num_classes: int) -> Tensor:
    """So many labels, in places spread evenly, become those of the next class."""
    import torch

    places = torch.arange(len(labels), dtype=torch.float64)
    is_wrong = ((places + 1) * rate).floor() > (places * rate).floor()
    return torch.where(is_wrong, (labels + 1) % num_classes, labels)


def _read(recording: Recording, dataset: str, data_root: Path) -> Labels:
    """The first form of the file that is here. Raises DatasetError."""
    for file in recording.files:
        for folder in FOLDERS:
            if (path := data_root / folder / file.name).is_file():
                return file.read(path)
    names = " or ".join(file.name for file in recording.files)
    raise DatasetError(
        f"human labels of {dataset} are missing: put {names} (from {ORIGIN}, non-commercial) into "
        f"{data_root / FOLDERS[0]}. "
        "Another data root is named with --data-root or ORCHESTRATOR_DATA."
    )
