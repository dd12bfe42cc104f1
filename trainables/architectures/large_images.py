"""Networks for images of about 224 × 224 as torchvision lays them out, with weights of our own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from trainables.architectures import ARCHITECTURES
from trainables.registry import ParameterError

if TYPE_CHECKING:
    from torch import Generator
    from torch.nn import Module

SMALLEST = 64
"""Side of the smallest images that take the stem of ImageNet unasked."""


@ARCHITECTURES.register("resnet50")
@dataclass(frozen=True)
class ResNet50:
    """ResNet-50 with the stride in the 3 × 3 convolution.

    25,557,032 parameters for 1000 classes; 23,520,842 and 23,705,252 for 10 and 100 classes with
    the small stem.

    Args:
        stem: `imagenet` (7 × 7 of stride 2 and pooling) or `small` (3 × 3, no pooling). Left out,
            that of ImageNet, for images of at least 64 × 64 only: smaller ones need a choice.
        weights: `random` (Kaiming-normal, zero biases) or `imagenet`, torchvision's first weights
            with a new last layer; looked for in torch's hub folder (TORCH_HOME), else downloaded.

    Source: He et al., Deep Residual Learning (arXiv 1512.03385), table 1.
    """

    weights: Literal["random", "imagenet"] = "random"
    stem: Literal["imagenet", "small"] | None = None

    def require_shape(self, shape: tuple[int, int, int]) -> None:
        """Raises ParameterError for small images without a choice of stem."""
        if self.stem is None and min(shape[1:]) < SMALLEST:
            raise ParameterError(
                f"images of {shape[1]} × {shape[2]} need a choice: 'small', as for CIFAR, or "
                "'imagenet', which leaves a thirty-second of their side",
                key="stem",
            )

    def __call__(
        self, shape: tuple[int, int, int], num_classes: int, generator: Generator
    ) -> Module:
        """The network on the CPU. Raises ParameterError if the weights cannot be had."""
        self.require_shape(shape)
        small = self.stem == "small"
        network = _bottleneck_network("resnet50", shape, num_classes, generator, small=small)
        if self.weights == "imagenet":
            _load_imagenet(network, shape[0])
        return network


@ARCHITECTURES.register("wide_resnet101_2")
def wide_resnet101_2(shape: tuple[int, int, int], num_classes: int, generator: Generator) -> Module:
    """ResNet-101 with inner widths doubled; Kaiming-normal weights, zero biases.

    126,886,696 parameters for 1000 classes.

    Source: Zagoruyko & Komodakis, Wide Residual Networks (arXiv 1605.07146); Staats et al.
    (arXiv 2306.05497), sec. 4, on WebVision.
    """
    return _bottleneck_network("wide_resnet101_2", shape, num_classes, generator)


@ARCHITECTURES.register("googlenet_bn")
def googlenet_bn(shape: tuple[int, int, int], num_classes: int, generator: Generator) -> Module:
    """GoogLeNet with batch normalisation, without auxiliary classifiers and without dropout.

    Batch normalisation replaced dropout in this network, and no random number is drawn outside the
    run's generators. Kaiming-normal weights, zero biases.

    6,624,904 parameters for 1000 classes, 6,240,529 for the 625 persons of MARS.

    Source: Szegedy et al., Going Deeper with Convolutions (arXiv 1409.4842); Ioffe & Szegedy, Batch
    Normalization (arXiv 1502.03167), sec. 4.2; Wang et al. (arXiv 1903.12141), sec. 5, on MARS.
    """
    from torch import nn
    from torchvision.models import GoogLeNet

    from trainables.architectures.initialization import kaiming_normal

    def make() -> Module:
        network = GoogLeNet(num_classes, aux_logits=False, init_weights=False)
        network.conv1.conv = _first_convolution(shape[0])
        network.dropout = nn.Identity()
        return cast("Module", network)

    return kaiming_normal(make, generator)


def _bottleneck_network(
    name: str,
    shape: tuple[int, int, int],
    num_classes: int,
    generator: Generator,
    *,
    small: bool = False,
) -> Module:
    from torch import nn
    from torchvision.models import get_model

    from trainables.architectures.initialization import kaiming_normal

    def make() -> Module:
        network = get_model(name, weights=None, num_classes=num_classes)
        network.conv1 = _first_convolution(shape[0])
        if small:
            network.conv1 = nn.Conv2d(shape[0], 64, kernel_size=3, padding=1, bias=False)
            network.maxpool = nn.Identity()
        return cast("Module", network)

    return kaiming_normal(make, generator)


def _load_imagenet(network: Module, channels: int) -> None:
    """torchvision's weights of 1000 classes into all layers but the last. Raises ParameterError."""
    from torchvision.models import ResNet50_Weights

    if channels != 3:
        raise ParameterError("the weights of ImageNet are for images of 3 channels", key="weights")
    weights = ResNet50_Weights.IMAGENET1K_V1
    try:
        state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as error:
        raise ParameterError(
            f"{Path(weights.url).name} is not in {torch_hub_folder()} and cannot be had from "
            f"{weights.url}: {error}",
            key="weights",
        ) from error
    kept = {name: value for name, value in state.items() if not name.startswith("fc.")}
    missing = network.load_state_dict(kept, strict=False).missing_keys
    assert missing == ["fc.weight", "fc.bias"], missing


def torch_hub_folder() -> Path:
    """Where torch keeps downloaded weights."""
    from torch.hub import get_dir

    return Path(get_dir()) / "checkpoints"


def _first_convolution(channels: int) -> Module:
    """The one of torchvision's networks, for images of any number of channels."""
    from torch import nn

    return nn.Conv2d(channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
