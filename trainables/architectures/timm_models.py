"""Any network of the timm library by its name, through the optional extra `timm`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainables.architectures import ARCHITECTURES
from trainables.registry import ParameterError, nearest

if TYPE_CHECKING:
    from torch import Generator
    from torch.nn import Module


@ARCHITECTURES.register("timm")
@dataclass(frozen=True)
class TimmModel:
    """A network of timm with random initial weights, by timm's own rules for it.

    Those rules draw from torch's global generator, which is set from the run's own for as long as
    the network is made. InceptionResNetV2, which papers train on WebVision, is
    `{name: timm, model: inception_resnet_v2}`: 54,383,314 parameters for 50 classes.

    Args:
        model: a name that `timm.list_models()` has.

    Source: Wightman, PyTorch Image Models (doi 10.5281/zenodo.4414861).
    """

    model: str

    def require_shape(self, shape: tuple[int, int, int]) -> None:
        """Raises ParameterError without timm, or for a model that it does not have."""
        del shape
        library = _library()
        if not library.is_model(self.model):
            raise ParameterError(
                f"timm has no model {self.model!r}",
                key="model",
                nearest=nearest(self.model, library.list_models()),
            )

    def __call__(
        self, shape: tuple[int, int, int], num_classes: int, generator: Generator
    ) -> Module:
        """images float [N, C, H, W] → logits [N, K]."""
        import torch

        self.require_shape(shape)
        library = _library()
        size = {"img_size": shape[1:]} if _has_one_size(library, self.model) else {}
        seed = int(torch.randint(2**62, (1,), generator=generator))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # noqa: TID251 - timm draws from the global generator only
            network: Module = library.create_model(
                self.model, num_classes=num_classes, in_chans=shape[0], **size
            )
        return network


def _library() -> Any:
    try:
        import timm
    except ModuleNotFoundError as error:
        raise ParameterError(
            "timm is not installed: pip install 'noisy-label-orchestrator[timm]'", key="model"
        ) from error
    return timm


def _has_one_size(library: Any, model: str) -> bool:
    """Whether the network is made for one size of images, as transformers are."""
    config = library.get_pretrained_cfg(model)
    return bool(config is not None and config.fixed_input_size)
