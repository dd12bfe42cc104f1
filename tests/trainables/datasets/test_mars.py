"""MARS' layout, from its files to CMC-1 and mean average precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from tests.trainables.datasets.layouts import write_mars
from trainables.components import build_config
from trainables.config import Choice, TrainingResult
from trainables.datasets import DatasetError, load_dataset
from trainables.images import resident
from trainables.training.train import train

MARS = Choice.of("mars", {"identities": 3})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ORCHESTRATOR_CACHE", str(tmp_path / "cache"))
    resident.resident_data.cache_clear()
    return write_mars(tmp_path)


def run(root: Path, **changes: object) -> TrainingResult:
    fields = {
        "dataset": {"name": "mars", "identities": 3},
        "architecture": {"name": "mlp", "hidden": [8]},
        "loss": "ce",
        "learning_rate": 1e-4,
        "epochs": 2,
        "batch_size": 6,
        "augmentation": [{"name": "random_crop", "size": 16}, "flip"],
    }
    return train(build_config({**fields, **changes}), data_root=root, device="cpu")


def test_persons_become_classes_and_tracklets_keep_their_images(folder: Path) -> None:
    info, arrays = load_dataset(MARS, folder.parent)
    assert info.is_retrieval
    assert arrays.train_labels.tolist() == [0] * 6 + [1] * 6 + [2] * 6
    assert arrays.retrieval is not None
    assert arrays.test_labels.tolist() == np.repeat(np.arange(8), 3).tolist()
    assert arrays.retrieval.identities.tolist() == [-1, -1, 0, 0, 2, 2, 4, 4]
    assert arrays.retrieval.cameras.tolist() == [1, 2] * 4
    assert arrays.retrieval.queries.tolist() == [4, 6]


def test_images_are_scaled_whole(folder: Path) -> None:
    _, arrays = load_dataset(MARS, folder.parent)
    assert arrays.train_images.shape == (18, 256, 256, 3)
    levels = [arrays.train_images.read(at).mean() for at in (0, 6, 12)]  # type: ignore[union-attr]
    assert levels == sorted(levels)


def test_a_subset_takes_images_of_every_tracklet(folder: Path) -> None:
    _, arrays = load_dataset(MARS.replace(test_size=16), folder.parent)
    assert arrays.retrieval is not None
    assert arrays.test_labels.tolist() == np.repeat(np.arange(8), 2).tolist()


def test_other_persons_are_found_again(folder: Path) -> None:
    first, last = run(folder.parent).epochs
    assert first.test_cmc1 is None and first.test_map is None
    assert last.test_accuracy is None and last.test_loss is None
    # Grey levels tell the persons apart, so any network that passes them on finds all.
    assert (last.test_cmc1, last.test_map) == (1.0, 1.0)
    assert last.train_accuracy_noisy > 0


def test_a_diverged_run_has_no_figures(folder: Path) -> None:
    result = run(folder.parent, learning_rate=1e30)
    assert result.diverged_epoch is not None
    assert result.epochs[-1].test_cmc1 is None
    assert result.epochs[-1].test_accuracy is None


def test_features_are_what_the_last_layer_gets(folder: Path, monkeypatch) -> None:
    from trainables.training import tracklets

    seen = {}
    original = tracklets.evaluate_retrieval

    def spy(queries, gallery):
        seen["features"] = gallery.features
        return original(queries, gallery)

    monkeypatch.setattr(tracklets, "evaluate_retrieval", spy)
    run(folder.parent, epochs=1)
    assert seen["features"].shape == (8, 8)
    assert torch.allclose(seen["features"].norm(dim=1), torch.ones(8))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("tracks_test_info.mat", [[1, 99, 2, 1]], "beyond the 24 images"),
        ("tracks_test_info.mat", [[1, 3, 2, 1]] * 7, "leaves 21 images without a tracklet"),
        ("query_IDX.mat", [[9]], "asks for tracklets that are not there"),
        ("tracks_train_info.mat", [[1, 18, 7, 1]], "has 1 persons, identities is 3"),
    ],
)
def test_wrong_counts_are_one_line(folder: Path, name: str, content, words: str) -> None:
    savemat(folder / "info" / name, {"matrix": content})
    with pytest.raises(DatasetError, match=words):
        load_dataset(MARS, folder.parent)


def test_a_file_that_is_no_matrix_is_one_line(folder: Path) -> None:
    (folder / "info/query_IDX.mat").write_bytes(b"nothing of the kind")
    with pytest.raises(DatasetError, match=r"query_IDX\.mat cannot be read"):
        load_dataset(MARS, folder.parent)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"info/train_name\.txt.*has to be asked for"):
        load_dataset(MARS, tmp_path)
