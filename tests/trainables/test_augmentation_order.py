"""Flip and crop in either order, and what the network sees of test images."""

from __future__ import annotations

from collections import Counter
from itertools import product
from pathlib import Path

import pytest
import torch

from trainables.augment import HorizontalFlip, PaddedCrop, RandomCrop, centred
from trainables.components import build_config
from trainables.training.train import train


def test_both_orders_give_the_same_images_with_the_same_probabilities() -> None:
    image = torch.randint(1, 255, (1, 3, 5, 5), generator=torch.Generator().manual_seed(0))
    image = image.to(torch.uint8)
    flip, crop = HorizontalFlip(), PaddedCrop(2)
    orders: list[Counter[bytes]] = [Counter(), Counter()]
    for flipped, top, left in product((False, True), range(5), range(5)):
        draws = torch.tensor([flipped]), torch.tensor([[top, left]])
        orders[0][flip.apply(crop.apply(image, draws[1]), draws[0]).numpy().tobytes()] += 1
        orders[1][crop.apply(flip.apply(image, draws[0]), draws[1]).numpy().tobytes()] += 1
    assert orders[0] == orders[1]


def test_test_images_are_cut_to_their_centre_or_left_whole() -> None:
    images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    assert centred(images, [RandomCrop(24)]).shape == (2, 3, 24, 24)
    assert centred(images, [RandomCrop(24, "whole")]) is images


@pytest.mark.parametrize("test", ["centre", "whole"])
def test_a_network_that_averages_over_places_takes_either(test: str, tmp_path: Path) -> None:
    config = build_config(
        {
            "dataset": {"name": "synthetic", "like": "cifar10", "images": 40},
            "architecture": "resnet20",
            "loss": "ce",
            "learning_rate": 0.05,
            "epochs": 1,
            "batch_size": 20,
            "augmentation": ["flip", {"name": "random_crop", "size": 24, "test": test}],
        }
    )
    result = train(config, data_root=tmp_path, device="cpu")
    assert result.diverged_epoch is None
