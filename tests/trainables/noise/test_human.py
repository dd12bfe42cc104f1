"""Human labels: which file, which vector, and what is refused."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from trainables.config import Choice
from trainables.datasets import DatasetError, dataset_info
from trainables.noise import NOISES, NoiseContext, human
from trainables.noise.label_file import LabelFile, read_npz, read_pt
from trainables.noise.measure import realized_rate
from trainables.registry import ParameterError
from trainables.seeding import generator

TRUE = np.arange(40) % 10
VECTORS = {
    "clean_label": TRUE,
    "worse_label": (TRUE + 1) % 10,
    "random_label1": (TRUE + 2) % 10,
}


def corrupt(labels: torch.Tensor, data_root: Path, label_set: str, dataset: str = "cifar10"):
    context = NoiseContext(dataset_info(Choice(dataset)), generator(0, "noise"), data_root)
    return NOISES.build(Choice.of("human", set=label_set))(labels, context)


def pt_bytes(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def npz_bytes(**vectors) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **vectors)
    return buffer.getvalue()


@pytest.fixture(params=["pt", "npz"])
def small_recording(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with a label file of forty images, in either form; returns the file."""
    content = pt_bytes(VECTORS) if request.param == "pt" else npz_bytes(**VECTORS)
    path = tmp_path / "cifar-n" / f"labels.{request.param}"
    path.parent.mkdir()
    path.write_bytes(content)
    published = LabelFile(path.name, hashlib.sha256(content).hexdigest())
    recording = human.Recording((published,), human.RECORDINGS["cifar10"].vectors)
    monkeypatch.setitem(human.RECORDINGS, "cifar10", recording)
    return path


def test_each_set_is_its_vector(small_recording: Path) -> None:
    root, true = small_recording.parent.parent, torch.from_numpy(TRUE)
    worst, random1 = corrupt(true, root, "worst"), corrupt(true, root, "random1")
    assert worst.dtype == torch.int64
    assert torch.equal(worst, (true + 1) % 10)
    assert torch.equal(random1, (true + 2) % 10)


@pytest.mark.parametrize("folder", ["", "cifar-n/originals"])
def test_the_file_is_found_wherever_it_may_lie(small_recording: Path, folder: str) -> None:
    root = small_recording.parent.parent
    (root / folder).mkdir(exist_ok=True)
    small_recording.rename(root / folder / small_recording.name)
    assert not torch.equal(corrupt(torch.from_numpy(TRUE), root, "worst"), torch.from_numpy(TRUE))


def test_one_changed_byte_is_refused(small_recording: Path) -> None:
    content = bytearray(small_recording.read_bytes())
    content[len(content) // 2] ^= 1
    small_recording.write_bytes(content)
    with pytest.raises(DatasetError, match="SHA-256"):
        corrupt(torch.from_numpy(TRUE), small_recording.parent.parent, "worst")


@pytest.mark.parametrize("labels", [TRUE[:20], TRUE[::-1].copy()])
def test_other_images_than_those_labelled_are_refused(small_recording: Path, labels) -> None:
    with pytest.raises(DatasetError, match="original order"):
        corrupt(torch.from_numpy(labels), small_recording.parent.parent, "worst")


def test_a_missing_file_says_what_to_put_where(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        corrupt(torch.from_numpy(TRUE), tmp_path, "worst")
    text = str(caught.value)
    assert "CIFAR-10_human.pt or cifar10n.npz" in text and str(tmp_path / "cifar-n") in text
    assert "ORCHESTRATOR_DATA" in text and "\n" not in text


@pytest.mark.parametrize(
    ("dataset", "label_set", "key", "message"),
    [
        ("fashion-mnist", "worst", "kind", "cifar10, cifar100 only"),
        ("cifar10", "noisy", "set", "worst, aggregate, random1, random2, random3"),
        ("cifar100", "worst", "set", "noisy"),
        ("cifar100", "noise", "set", "must be one of"),
    ],
)
def test_sets_that_nobody_recorded(tmp_path, dataset, label_set, key, message) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        corrupt(torch.from_numpy(TRUE), tmp_path, label_set, dataset)
    assert caught.value.key == key


class Hostile:
    """Unpickled by an unwary reader, this makes a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def test_a_hostile_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    plain = pickle.dumps(Hostile(trace))
    hidden = pt_bytes({"clean_label": Hostile(trace)})
    for content in (plain, hidden):
        with pytest.raises(DatasetError, match=r"labels\.pt is not a file of label vectors"):
            read_pt(content, "labels.pt")
    objects = npz_bytes(clean_label=np.array([Hostile(trace)], dtype=object))
    with pytest.raises(DatasetError, match="not an archive of label vectors"):
        read_npz(objects, "labels.npz")
    assert not trace.exists()
    pickle.loads(plain)
    assert trace.exists(), "the pickle was harmless, so this test proves nothing"


@pytest.mark.parametrize(
    "value", [[1, 2], {"clean_label": np.zeros((2, 2), int)}, {"clean_label": np.zeros(2)}, b"junk"]
)
def test_files_of_something_else_are_refused(value) -> None:
    content = value if isinstance(value, bytes) else pt_bytes(value)
    with pytest.raises(DatasetError, match=r"labels\.pt"):
        read_pt(content, "labels.pt")


@pytest.mark.parametrize("content", [b"", b"PK\3\4junk", b"\x93NUMPY", npz_bytes(a=np.zeros(2))])
def test_archives_of_something_else_are_refused(content: bytes) -> None:
    with pytest.raises(DatasetError, match=r"labels\.npz"):
        read_npz(content, "labels.npz")


def test_reading_a_label_file_leaves_nothing_allowed() -> None:
    before = set(torch.serialization.get_safe_globals())
    read_pt(pt_bytes(VECTORS), "labels.pt")
    assert set(torch.serialization.get_safe_globals()) == before


@pytest.mark.parametrize("place", ["as published", "as archives"])
@pytest.mark.parametrize(
    ("dataset", "label_set", "rate"),
    [
        ("cifar10", "worst", 0.40208),
        ("cifar10", "aggregate", 0.0901),
        ("cifar10", "random1", 0.17234),
        ("cifar10", "random2", 0.18122),
        ("cifar10", "random3", 0.1764),
        ("cifar100", "noisy", 0.402),
    ],
)
@pytest.mark.skipif("ORCHESTRATOR_DATA" not in os.environ, reason="needs the published files")
def test_the_published_labels(dataset, label_set, rate, place, tmp_path, monkeypatch) -> None:
    source = Path(os.environ["ORCHESTRATOR_DATA"]) / "cifar-n"
    file = human.RECORDINGS[dataset].files[0 if place == "as published" else 1]
    found = list(source.rglob(file.name))
    if not found:
        pytest.skip(f"{file.name} is not in {source}")
    (tmp_path / file.name).symlink_to(found[0])
    true = torch.from_numpy(file.read(found[0])["clean_label"])
    given_labels = corrupt(true, tmp_path, label_set, dataset)
    assert realized_rate(true, given_labels) == pytest.approx(rate, abs=1e-4)
