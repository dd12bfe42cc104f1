"""Golden runs of augmentations and normalisations on fixed images."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from tests.golden.figures import Figure, digest, double, exact, single
from tests.golden.inputs import images
from trainables.augment import AUGMENTATIONS, centred, input_shape
from trainables.config import Choice
from trainables.datasets import dataset_info
from trainables.normalization import NORMALIZATIONS
from trainables.seeding import generator
from trainables.training.step import Preprocessing

COUNT, SHAPES = 64, ((3, 12, 10), (1, 28, 28))


def augmentation_figures(choice: Choice) -> Mapping[str, Figure]:
    """Of one augmentation: the bytes of what becomes of some images."""
    augmentation = AUGMENTATIONS.build(choice)
    found = {}
    for shape in SHAPES:
        given = images(COUNT, shape)
        draws = augmentation.draw(len(given), generator(0, "augmentation", 1))
        name = " × ".join(map(str, shape))
        found |= {
            f"{name}: images": digest(augmentation.apply(given, draws).numpy()),
            f"{name}: corners": exact(*augmentation.apply(given, draws)[:8, 0, 0, 0].tolist()),
            f"{name}: test images": digest(centred(given, [augmentation]).numpy()),
            f"{name}: input shape": exact(*input_shape(shape, [augmentation])),
        }
    return found


def normalization_figures(choice: Choice) -> Mapping[str, Figure]:
    """Of one normalisation on CIFAR-10: its statistics and an image."""
    info = dataset_info(Choice("cifar10"))
    mean, std = statistics = NORMALIZATIONS.build(choice)(info)
    pixels = Preprocessing.of(statistics, nn.Flatten(), "cpu")(images(1, info.image_shape))
    return {
        "mean": double(mean, "channel", relative=1e-12),
        "std": double(std, "channel", relative=1e-12),
        "pixels": single(pixels[0, :, 0, :3].flatten(), relative=1e-5),
    }
