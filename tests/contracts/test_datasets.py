"""What every registered data set promises, the ones added tomorrow included."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainables.config import Choice
from trainables.datasets import DATASETS, DatasetError, dataset_info, load_dataset, locate
from trainables.datasets.content import data_digests, split_sha256

NEEDED = {
    "parquet": {"path": "mine", "like": "cifar10"},
    "folder": {"path": "mine", "num_classes": 3},
}
"""Parameters of those that cannot be had without any."""

WITHOUT_MAP = {"webvision", "clothing1m", "mars", "folder"}
"""Wrong in part as published, or unknown here: nobody has drawn a map of similar classes."""

CHOICES = [Choice.of(name, NEEDED.get(name, {})) for name in DATASETS.names()]
IDS = [choice.name for choice in CHOICES]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_OFFLINE", "1")
    monkeypatch.delenv("ORCHESTRATOR_CACHE", raising=False)


@pytest.mark.parametrize("choice", CHOICES, ids=IDS)
def test_facts_fit_together_and_need_no_files(choice: Choice) -> None:
    info = dataset_info(choice)
    channels, height, width = info.image_shape
    assert channels in (1, 3) and height > 0 and width > 0
    assert len(info.class_names) == len(set(info.class_names)) == info.num_classes
    assert len(info.mean) == len(info.std) == channels
    assert all(0 < value < 1 for value in (*info.mean, *info.std))
    assert len(info.superclasses) in (0, info.num_classes)


@pytest.mark.parametrize("choice", CHOICES, ids=IDS)
def test_similar_classes_are_other_classes(choice: Choice) -> None:
    info = dataset_info(choice)
    assert bool(info.similar_classes) != (choice.name in WITHOUT_MAP), "asymmetric noise: no map"
    for fine, similar in info.similar_classes.items():
        assert fine != similar
        assert {fine, similar} <= set(range(info.num_classes))


@pytest.mark.parametrize("choice", CHOICES, ids=IDS)
def test_every_data_set_takes_the_common_sizes(choice: Choice) -> None:
    resolved = DATASETS.resolve(choice.replace(train_size=100, test_size=50))
    assert (resolved.get("train_size"), resolved.get("test_size")) == (100, 50)
    assert DATASETS.resolve(resolved) == resolved


@pytest.mark.parametrize("choice", CHOICES, ids=IDS)
def test_without_files_it_loads_or_says_what_to_put_where(choice: Choice, tmp_path: Path) -> None:
    presence = locate(choice, tmp_path)
    assert presence.found == ()
    if not presence.missing:
        info, arrays = load_dataset(choice.replace(train_size=20, test_size=10), tmp_path)
        channels, height, width = info.image_shape
        assert arrays.train_images.shape == (20, height, width, channels)
        assert arrays.test_images.shape == (10, height, width, channels)
        return
    with pytest.raises(DatasetError) as caught:
        load_dataset(choice, tmp_path)
    text = str(caught.value)
    assert all(name in text for name in presence.missing)
    assert all(sentence in text for sentence in presence.accepted) and presence.accepted
    assert str(tmp_path) in text and "ORCHESTRATOR_DATA" in text and "\n" not in text
    assert not list(tmp_path.iterdir()), "a load that failed left something behind"


@pytest.mark.parametrize("choice", CHOICES, ids=IDS)
def test_without_files_there_is_a_digest_or_none(choice: Choice, tmp_path: Path) -> None:
    small = choice.replace(train_size=20, test_size=10)
    digests = data_digests(small, tmp_path)
    assert (digests is None) == bool(locate(choice, tmp_path).missing)
    if digests is None:
        return
    _, arrays = load_dataset(small, tmp_path)
    assert digests.train == split_sha256(arrays.train_images, arrays.train_labels)
    assert digests.test == split_sha256(arrays.test_images, arrays.test_labels, arrays.retrieval)
