"""Vectorised augmentation against torchvision, image by image."""

from __future__ import annotations

import math

import pytest
import torch
from torchvision.transforms import functional as oracle

from trainables.augment import (
    AUGMENTATIONS,
    HorizontalFlip,
    PaddedCrop,
    RandomCrop,
    Rotation,
    centred,
    input_shape,
)
from trainables.config import Choice
from trainables.registry import ParameterError

SHAPES = [(3, 32, 32), (1, 28, 28), (3, 20, 33)]
CHOICES = [
    Choice("flip"),
    Choice("crop"),
    Choice.of("rotation", degrees=15),
    Choice.of("random_crop", size=28),
]
IDS = [choice.name for choice in CHOICES]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 12, shape: tuple[int, int, int] = (3, 32, 32)) -> torch.Tensor:
    """Without black, so that black is seen to come from the transform."""
    return torch.randint(1, 256, (count, *shape), generator=seeded(0), dtype=torch.uint8)


@pytest.mark.parametrize("shape", SHAPES)
def test_flip_is_that_of_torchvision(shape) -> None:
    batch, flip = images(shape=shape), HorizontalFlip()
    draws = flip.draw(len(batch), seeded(1))
    assert draws.any() and not draws.all()
    expected = [oracle.hflip(i) if d else i for i, d in zip(batch, draws, strict=True)]
    assert torch.equal(flip.apply(batch, draws), torch.stack(expected))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("padding", [1, 4])
def test_crop_is_that_of_torchvision_with_black_padding(shape, padding: int) -> None:
    batch, crop = images(shape=shape), PaddedCrop(padding)
    draws = crop.draw(len(batch), seeded(1))
    expected = [
        oracle.crop(oracle.pad(image, padding), int(top), int(left), *shape[1:])
        for image, (top, left) in zip(batch, draws, strict=True)
    ]
    assert torch.equal(crop.apply(batch, draws), torch.stack(expected))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("degrees", [15, 180])
def test_rotation_is_that_of_pillow_bit_for_bit(shape, degrees: float) -> None:
    batch, rotation = images(shape=shape), Rotation(degrees)
    draws = rotation.draw(len(batch), seeded(1))
    angles = torch.atan2(draws[:, 1], draws[:, 0]).rad2deg()
    assert angles.abs().max() <= degrees
    expected = [
        oracle.pil_to_tensor(oracle.rotate(oracle.to_pil_image(image), angle))
        for image, angle in zip(batch, angles.tolist(), strict=True)
    ]
    turned = rotation.apply(batch, draws)
    assert torch.equal(turned, torch.stack(expected))
    assert (turned == 0).any()


def test_crop_offsets_are_uniform_and_independent() -> None:
    draws = PaddedCrop(4).draw(9000, seeded(2))
    for counts in (draws[:, 0].bincount(), draws[:, 1].bincount()):
        assert len(counts) == 9
        assert (counts - 1000).abs().max() < 5 * math.sqrt(1000)
    assert torch.corrcoef(draws.double().T)[0, 1].abs() < 0.05


def test_flips_are_even_and_angles_uniform() -> None:
    flips = HorizontalFlip().draw(10_000, seeded(2)).double()
    assert float(flips.mean()) == pytest.approx(0.5, abs=0.025)
    draws = Rotation(15).draw(10_000, seeded(2))
    angles = torch.atan2(draws[:, 1], draws[:, 0]).rad2deg()
    assert float(angles.mean()) == pytest.approx(0, abs=0.5)
    assert float(angles.std()) == pytest.approx(15 / math.sqrt(3), rel=0.02)


def test_every_registered_augmentation_is_tried() -> None:
    assert set(AUGMENTATIONS.names()) == set(IDS)


@pytest.mark.parametrize("choice", CHOICES, ids=IDS)
def test_draws_are_independent_per_image_and_come_from_the_generator(choice: Choice) -> None:
    augmentation = AUGMENTATIONS.build(choice)
    before = torch.get_rng_state()
    draws = augmentation.draw(200, seeded(3))
    assert torch.equal(before, torch.get_rng_state())
    assert len(draws) == 200
    assert len(draws.unique(dim=0)) > 1
    assert torch.equal(draws, augmentation.draw(200, seeded(3)))
    assert not torch.equal(draws, augmentation.draw(200, seeded(4)))


@pytest.mark.parametrize("choice", CHOICES, ids=IDS)
def test_a_batch_is_its_images_one_by_one(choice: Choice) -> None:
    augmentation = AUGMENTATIONS.build(choice)
    batch, before = images(), images()
    draws = augmentation.draw(len(batch), seeded(5))
    together = augmentation.apply(batch, draws)
    single = [augmentation.apply(batch[i : i + 1], draws[i : i + 1]) for i in range(len(batch))]
    assert torch.equal(together, torch.cat(single))
    assert torch.equal(batch, before), "the images were written to"
    size = choice.get("size") or 32
    assert together.dtype == torch.uint8 and together.shape == (len(batch), 3, size, size)


@pytest.mark.parametrize("parameters", [{}, {"degrees": 0}, {"degrees": 181}])
def test_rotation_wants_an_angle(parameters) -> None:
    with pytest.raises(ParameterError, match="degrees"):
        AUGMENTATIONS.resolve(Choice.of("rotation", **parameters))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_random_crop_is_one_of_all_windows(shape) -> None:
    batch, crop = images(400, shape=shape), RandomCrop(18)
    draws = crop.draw(len(batch), seeded(1))
    places = (draws * torch.tensor([shape[1] - 17, shape[2] - 17])).long()
    expected = [
        oracle.crop(image, int(top), int(left), 18, 18)
        for image, (top, left) in zip(batch, places, strict=True)
    ]
    assert torch.equal(crop.apply(batch, draws), torch.stack(expected))
    assert places.amin(0).tolist() == [0, 0]
    assert places.amax(0).tolist() == [shape[1] - 18, shape[2] - 18]


@pytest.mark.parametrize("shape", SHAPES)
def test_test_images_are_cut_to_their_centre(shape) -> None:
    batch = images(shape=shape)
    cut = centred(batch, [HorizontalFlip(), RandomCrop(18)])
    top, left = (shape[1] - 18) // 2, (shape[2] - 18) // 2
    assert torch.equal(cut, oracle.crop(batch, top, left, 18, 18))
    assert centred(batch, [HorizontalFlip(), PaddedCrop()]) is batch


def test_the_network_sees_the_size_of_the_crop() -> None:
    assert input_shape((3, 32, 40), [HorizontalFlip(), RandomCrop(24)]) == (3, 24, 24)
    assert input_shape((3, 32, 40), [PaddedCrop()]) == (3, 32, 40)
    with pytest.raises(ParameterError, match="crop of 33 does not fit into 32 × 40"):
        input_shape((3, 32, 40), [RandomCrop(33)])
