"""Ranking a gallery for each query: CMC-1 and mAP as person re-identification measures them.

Features in, two figures out; knows no network and no files. Of a query's gallery, entries of the
same identity seen by the same camera are no part of the task and are passed over, as are junk
detections (identity -1); distractors (identity 0) stay as wrong answers.

Source: protocol of Zheng et al., MARS (ECCV 2016), whose average precision is the area under the
precision-recall curve by trapezoids.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

JUNK = -1
QUERIES_AT_ONCE = 128
"""Bounds the memory: a few matrices of so many rows and one column per gallery entry."""


@dataclass(frozen=True)
class Retrieval:
    """Figures over all queries that have a match.

    Args:
        cmc1: share of queries whose first answer is right.
        mean_average_precision: mAP.
        num_queries: queries that have a match in the gallery.
        num_without_match: queries that have none; they enter neither figure.
    """

    cmc1: float
    mean_average_precision: float
    num_queries: int
    num_without_match: int


@dataclass(frozen=True)
class Tracklets:
    """What is compared.

    Args:
        features: float [N, D], of any length; cosines compare them.
        identities, cameras: int64 [N].
    """

    features: Tensor
    identities: Tensor
    cameras: Tensor


def tracklet_features(features: Tensor, tracklets: Tensor, num_tracklets: int) -> Tensor:
    """Mean of the images of each tracklet, scaled to length 1.

    Args:
        features: float [N, D], one row an image.
        tracklets: int64 [N], 0 ≤ index < num_tracklets.

    Returns:
        float [num_tracklets, D]; zero for a tracklet without images.
    """
    sums = features.new_zeros(num_tracklets, features.shape[1])
    sums.index_add_(0, tracklets, features)
    return torch.nn.functional.normalize(sums, dim=1)


@torch.no_grad()
def evaluate_retrieval(queries: Tracklets, gallery: Tracklets) -> Retrieval:
    """Rank `gallery` by cosine for every query. Equal cosines keep the gallery's order.

    Raises:
        ValueError: no query has a match.
    """
    wanted = torch.nn.functional.normalize(queries.features, dim=1)
    offered = torch.nn.functional.normalize(gallery.features, dim=1)
    first_hits, precisions = [], []
    for start in range(0, len(wanted), QUERIES_AT_ONCE):
        part = slice(start, start + QUERIES_AT_ONCE)
        is_same = queries.identities[part, None] == gallery.identities
        is_same_camera = queries.cameras[part, None] == gallery.cameras
        is_junk = (is_same & is_same_camera) | (gallery.identities == JUNK)
        is_match = is_same & ~is_junk
        cosines = (wanted[part] @ offered.T).masked_fill_(is_junk, -torch.inf)
        order = cosines.argsort(dim=1, descending=True, stable=True)
        hits = is_match.gather(1, order)
        has_match = hits.any(dim=1)
        first_hits.append(hits[has_match, 0])
        precisions.append(_average_precision(hits[has_match]))
    first, precision = torch.cat(first_hits), torch.cat(precisions)
    if not len(first):
        raise ValueError("no query has a match in the gallery")
    return Retrieval(
        cmc1=first.double().mean().item(),
        mean_average_precision=precision.mean().item(),
        num_queries=len(first),
        num_without_match=len(wanted) - len(first),
    )


def _average_precision(hits: Tensor) -> Tensor:
    """Ranked hits bool [Q, G] → area under precision over recall, float64 [Q].

    Each hit adds 1 / hits times the mean of the precision at it and just before it (1 at the top).
    """
    found = hits.cumsum(dim=1, dtype=torch.float64)
    place = torch.arange(hits.shape[1], dtype=torch.float64, device=hits.device)
    before = (found - hits.double()) / place.clamp(min=1)
    before[:, 0] = 1
    at = found / (place + 1)
    return ((before + at) / 2 * hits).sum(dim=1) / found[:, -1]
