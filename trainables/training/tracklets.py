"""Test images of persons → features → tracklets → CMC-1 and mean average precision.

A feature is what the network's last linear layer gets; a tracklet's is the mean of its images',
scaled to length 1. Identities of the test split are no classes of the network.

Source: Wang et al. (arXiv 1903.12141), sec. 5; protocol of Zheng et al., MARS (ECCV 2016).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from trainables.datasets import RetrievalSplit
from trainables.images.source import ImageSource
from trainables.registry import ParameterError
from trainables.training.evaluate import TestFigures, predictions
from trainables.training.retrieval import Tracklets, evaluate_retrieval
from trainables.training.step import Learner


@torch.no_grad()
def rank_tracklets(
    learner: Learner, images: ImageSource, tracklets: Tensor, split: RetrievalSplit
) -> list[TestFigures]:
    """Figures of a lone run whose test images belong to `tracklets`, int64 [N].

    Every test tracklet but the query itself is in the gallery.

    Raises:
        ParameterError: the network has no linear layer.
    """
    features = _tracklet_features(learner, images, tracklets.cpu(), len(split.identities))
    identities, cameras = torch.from_numpy(split.identities), torch.from_numpy(split.cameras)
    asked = torch.from_numpy(split.queries)
    gallery = Tracklets(features, identities, cameras)
    # A query is passed over in the gallery like all of its identity seen by its camera.
    queries = Tracklets(features[asked], identities[asked], cameras[asked])
    found = evaluate_retrieval(queries, gallery)
    return [TestFigures(cmc1=found.cmc1, mean_average_precision=found.mean_average_precision)]


def _tracklet_features(
    learner: Learner, images: ImageSource, tracklets: Tensor, num_tracklets: int
) -> Tensor:
    """Float32 [T, D] of length 1, on the CPU; images pass by and are not kept."""
    sums: Tensor | None = None
    with _last_inputs(learner.network) as inputs:
        for part, _ in predictions(learner, images):
            features = inputs.pop().float().cpu()
            if sums is None:
                sums = torch.zeros(num_tracklets, features.shape[1])
            sums.index_add_(0, tracklets[part], features)
    assert sums is not None
    return nn.functional.normalize(sums, dim=1)


@contextmanager
def _last_inputs(network: nn.Module) -> Iterator[list[Tensor]]:
    """What the last linear layer got in each pass, appended to the list."""
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ParameterError("has no linear layer to take features from", key="architecture")
    inputs: list[Tensor] = []
    hook = linear[-1].register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    try:
        yield inputs
    finally:
        hook.remove()
