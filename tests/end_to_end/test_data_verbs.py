"""`data list` and `data check`: what is here, what is missing, what is damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from orchestrator.cli import app
from tests.trainables.datasets.layouts import write_class_folders, write_webvision


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("ORCHESTRATOR_OFFLINE", "1")
    return lambda *arguments: CliRunner().invoke(app, ["data", *map(str, arguments)])


def test_the_list_says_what_is_here(run, tmp_path: Path) -> None:
    write_webvision(tmp_path)
    shown = run("list", "--data-root", tmp_path)
    assert shown.exit_code == 0
    lines = {line.split()[0]: line for line in shown.output.splitlines() if line.strip()}
    assert "here" in lines["webvision"] and "1000" in lines["webvision"]
    assert "here" in lines["fashion-mnist-small"]
    assert "missing" in lines["cifar10"] and "50,000" in lines["cifar10"]


def test_a_check_counts_what_is_there(run, tmp_path: Path) -> None:
    write_webvision(tmp_path)
    checked = run("check", "webvision", "--data-root", tmp_path)
    assert checked.exit_code == 4, "fewer than were published"
    assert "24 training images of 3 classes, 0 to 8 each" in checked.output
    assert "50,000 test images were published, 8 are here" in checked.output
    assert "missing in" not in checked.output
    small = run("check", "fashion-mnist-small")
    assert "10,000 training images of 10 classes, 1,000 to 1,000 each" in small.output


def test_what_is_missing_or_damaged_ends_with_4(run, tmp_path: Path) -> None:
    missing = run("check", "cifar10", "--data-root", tmp_path)
    assert missing.exit_code == 4
    assert "missing under" in missing.output
    folder = write_webvision(tmp_path)
    (folder / "info/val_filelist.txt").write_text("val000001.jpg many\n")
    damaged = run("check", "webvision", "--data-root", tmp_path)
    assert damaged.exit_code == 4
    assert "val_filelist.txt:1: not 'path label'" in damaged.output


def test_files_that_are_not_there_are_named_and_counted(run, tmp_path: Path) -> None:
    folder = write_webvision(tmp_path)
    for index in range(2, 9):
        (folder / f"google/q{index % 3:04d}/image {index}.jpg").unlink()
    checked = run("check", "webvision", "--data-root", tmp_path)
    assert checked.exit_code == 4
    assert "google/q0002/image 2.jpg" in checked.output
    assert "and 2 more" in checked.output
    packed = run("pack", "webvision", "--data-root", tmp_path)
    assert packed.exit_code == 2
    assert "is in the list and not in the folder" in packed.output


def test_packing_is_for_files(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_CACHE", str(tmp_path / "cache"))
    write_webvision(tmp_path)
    packed = run("pack", "webvision", "--set", "classes=50", "--data-root", tmp_path)
    assert packed.exit_code == 0, packed.output
    assert len(list((tmp_path / "cache").rglob("images.u8"))) == 2
    small = run("pack", "fashion-mnist-small")
    assert small.exit_code == 2
    assert "there is nothing to pack" in small.output


def test_an_unknown_name_is_one_line(run, tmp_path: Path) -> None:
    unknown = run("check", "cifar1", "--data-root", tmp_path)
    assert unknown.exit_code == 2
    assert "did you mean" in unknown.output or "cifar10" in unknown.output


FOLDER = ("folder", "--set", "path=mine", "--set", "num_classes=3", "--set", "size=32")


def test_classes_that_differ_are_one_line(run, tmp_path: Path) -> None:
    folder = write_class_folders(tmp_path)
    assert run("check", *FOLDER, "--data-root", tmp_path).exit_code == 0
    (folder / "val" / "cat").rename(folder / "val" / "Cat")
    checked = run("check", *FOLDER, "--data-root", tmp_path)
    assert checked.exit_code == 4
    assert "only train has cat (val has Cat)" in checked.output
    assert len(checked.output.splitlines()) == 1


def test_depths_that_cannot_be_read_are_named_and_counted(run, tmp_path: Path) -> None:
    folder = write_class_folders(tmp_path)
    for name in ("x", "y"):
        Image.fromarray(np.zeros((8, 8), np.float32)).save(folder / "val" / "ant" / f"{name}.tif")
    checked = run("check", *FOLDER, "--data-root", tmp_path)
    assert checked.exit_code == 4
    assert "x.tif holds floats" in checked.output and "(2 such test images)" in checked.output
