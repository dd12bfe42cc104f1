"""CMC-1 and mAP against a plain walk down each ranking."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.training.retrieval import (
    Retrieval,
    Tracklets,
    evaluate_retrieval,
    tracklet_features,
)


def walk(queries: Tracklets, gallery: Tracklets) -> tuple[list[bool], list[float], int]:
    """First answers, average precisions and the number of queries without a match."""
    first, precisions, without = [], [], 0
    for q in range(len(queries.features)):
        me, camera = int(queries.identities[q]), int(queries.cameras[q])
        cosines = torch.nn.functional.cosine_similarity(
            queries.features[q : q + 1], gallery.features
        )
        ranked = sorted(range(len(cosines)), key=lambda g: (-float(cosines[g]), g))
        answers = []
        for g in ranked:
            other = int(gallery.identities[g])
            if other == -1 or (other == me and int(gallery.cameras[g]) == camera):
                continue
            answers.append(other == me)
        if not any(answers):
            without += 1
            continue
        area, recall, precision, hits = 0.0, 0.0, 1.0, 0
        for place, is_hit in enumerate(answers):
            hits += is_hit
            new_recall, new_precision = hits / sum(answers), hits / (place + 1)
            area += (new_recall - recall) * (precision + new_precision) / 2
            recall, precision = new_recall, new_precision
        first.append(answers[0])
        precisions.append(area)
    return first, precisions, without


def tracklets(seed: int, count: int, identities: list[int]) -> Tracklets:
    generator = torch.Generator().manual_seed(seed)
    names = torch.tensor(identities)
    return Tracklets(
        torch.randn(count, 3, generator=generator, dtype=torch.float64),
        names[torch.randint(len(names), (count,), generator=generator)],
        torch.randint(3, (count,), generator=generator),
    )


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**6), num_queries=st.integers(1, 12), size=st.integers(1, 30))
def test_it_is_what_a_walk_down_the_ranking_gives(seed: int, num_queries: int, size: int) -> None:
    queries = tracklets(seed, num_queries, [1, 2, 3])
    gallery = tracklets(seed + 1, size, [-1, 0, 1, 2, 3])
    first, precisions, without = walk(queries, gallery)
    if not first:
        with pytest.raises(ValueError, match="no query has a match"):
            evaluate_retrieval(queries, gallery)
        return
    found = evaluate_retrieval(queries, gallery)
    assert found.cmc1 == pytest.approx(sum(first) / len(first))
    assert found.mean_average_precision == pytest.approx(sum(precisions) / len(precisions))
    assert (found.num_queries, found.num_without_match) == (len(first), without)


def of(features: list[list[float]], identities: list[int], cameras: list[int]) -> Tracklets:
    return Tracklets(torch.tensor(features), torch.tensor(identities), torch.tensor(cameras))


def test_a_perfect_and_a_worst_ranking() -> None:
    query = of([[1.0, 0.0]], [7], [1])
    right, wrong = [1.0, 0.0], [-1.0, 0.0]
    perfect = of([right, wrong], [7, 8], [2, 2])
    assert evaluate_retrieval(query, perfect) == Retrieval(1.0, 1.0, 1, 0)
    worst = of([wrong, right], [7, 8], [2, 2])
    assert evaluate_retrieval(query, worst) == Retrieval(0.0, 0.25, 1, 0)


def test_the_same_camera_and_junk_are_passed_over_and_distractors_are_not() -> None:
    query = of([[1.0, 0.0]], [7], [1])
    near, next_to, far = [1.0, 0.0], [1.0, 0.1], [0.0, 1.0]
    same_camera = of([near, next_to, far], [7, 7, 8], [1, 2, 2])
    assert evaluate_retrieval(query, same_camera).cmc1 == 1
    junk = of([near, next_to], [-1, 7], [2, 2])
    assert evaluate_retrieval(query, junk).cmc1 == 1
    distractor = of([near, next_to], [0, 7], [2, 2])
    assert evaluate_retrieval(query, distractor).cmc1 == 0


def test_equal_cosines_keep_the_order_of_the_gallery() -> None:
    query = of([[1.0, 0.0]], [7], [1])
    assert evaluate_retrieval(query, of([[1.0, 0.0]] * 2, [7, 8], [2, 2])).cmc1 == 1
    assert evaluate_retrieval(query, of([[1.0, 0.0]] * 2, [8, 7], [2, 2])).cmc1 == 0


def test_a_tracklet_is_the_mean_of_its_images_at_length_one() -> None:
    images = torch.tensor([[2.0, 0.0], [0.0, 2.0], [0.0, 5.0]])
    features = tracklet_features(images, torch.tensor([0, 0, 2]), 3)
    half = 0.5**0.5
    assert torch.allclose(features, torch.tensor([[half, half], [0.0, 0.0], [0.0, 1.0]]))
