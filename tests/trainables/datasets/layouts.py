"""Writers of tiny data sets in the layouts of the published ones, blemishes included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

BROKEN = b"\xff\xd8\xff\xe0 this is no JPEG"


def write_jpeg(path: Path, index: int, *, mode: str = "RGB", shape: tuple[int, int]) -> None:
    """A noisy image (height, width) whose grey level tells its index."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draws = np.random.default_rng(index)
    channels = {"L": (), "RGB": (3,), "CMYK": (4,)}[mode]
    pixels = draws.integers(0, 40, (*shape, *channels)) + 5 * index
    Image.fromarray(pixels.astype(np.uint8), mode=mode).save(path, "JPEG", quality=95)


def write_webvision(root: Path, *, num_train: int = 24, num_test: int = 8) -> Path:
    """`root/webvision` as published: lists, `google`, `val_images_256`.

    Image 1 is grey, image 2 is CMYK, image 3 is broken; labels run through the classes 0, 1 and 60.
    """
    folder = root / "webvision"
    shapes = [(256, 300), (300, 256), (90, 120), (500, 260)]
    lines = []
    for index in range(num_train):
        name = f"google/q{index % 3:04d}/image {index}.jpg"
        mode = {1: "L", 2: "CMYK"}.get(index, "RGB")
        write_jpeg(folder / name, index, mode=mode, shape=shapes[index % 4])
        if index == 3:
            (folder / name).write_bytes(BROKEN)
        lines.append(f"{name} {(0, 1, 60)[index % 3]}")
    _write_list(folder / "info/train_filelist_google.txt", lines)
    lines = []
    for index in range(num_test):
        name = f"val{index:06d}.jpg"
        write_jpeg(folder / "val_images_256" / name, index, shape=(256, 256))
        lines.append(f"{name} {(0, 1, 60)[index % 3]}")
    _write_list(folder / "info/val_filelist.txt", lines)
    return folder


def write_clothing1m(root: Path, *, num_train: int = 20, num_test: int = 6) -> Path:
    """`root/clothing1m` as published: lists of keys and labels, `images`; image 3 is broken."""
    folder = root / "clothing1m"
    keys: dict[str, list[str]] = {"noisy_train": [], "clean_train": [], "clean_val": []}
    keys["clean_test"] = []
    labels: dict[str, list[str]] = {"noisy": [], "clean": []}
    counts = {"noisy_train": num_train, "clean_train": 14, "clean_val": 4, "clean_test": num_test}
    index = 0
    for part, count in counts.items():
        for _ in range(count):
            name = f"images/{index % 10}/{index:02d}/{index:06d},{index}.jpg"
            write_jpeg(folder / name, index % 40, shape=(256, 200))
            if index == 3:
                (folder / name).write_bytes(BROKEN)
            keys[part].append(name)
            labels[part.partition("_")[0]].append(f"{name} {index % 14}")
            index += 1
    for part, lines in keys.items():
        _write_list(folder / f"{part}_key_list.txt", lines)
    for kind, lines in labels.items():
        _write_list(folder / f"{kind}_label_kv.txt", lines)
    return folder


def write_mars(root: Path, *, images: int = 3) -> Path:
    """`root/mars` as published: three training persons; test persons, distractors and junk.

    Each person is seen by two cameras, each tracklet has `images` frames of 128 × 64 whose grey
    level tells the person. Training persons are 1, 3 and 5, test persons 2 and 4; the queries are
    the tracklets of the first camera.
    """
    from scipy.io import savemat

    folder = root / "mars"
    persons = {"train": ["0001", "0003", "0005"], "test": ["00-1", "0000", "0002", "0004"]}
    queries = []
    for split, found in persons.items():
        names, tracks = [], []
        for person in found:
            for camera in (1, 2):
                tracks.append([len(names) + 1, len(names) + images, int(person[2:]), camera])
                if split == "test" and camera == 1 and int(person[2:]) > 0:
                    queries.append(len(tracks))
                for frame in range(images):
                    name = f"{person}C{camera}T0001F{frame:03d}.jpg"
                    path = folder / f"bbox_{split}" / person / name
                    write_jpeg(path, 7 * (int(person[2:]) + 1), shape=(128, 64))
                    names.append(name)
        _write_list(folder / f"info/{split}_name.txt", names)
        savemat(folder / f"info/tracks_{split}_info.mat", {f"track_{split}_info": tracks})
    savemat(folder / "info/query_IDX.mat", {"query_IDX": [queries]})
    return folder


def write_class_folders(root: Path, *, images: int = 4) -> Path:
    """`root/mine` with three classes in `train` and `val`, among files that are no images."""
    for split in ("train", "val"):
        for label, name in enumerate(("ant", "bee", "cat")):
            for index in range(images):
                path = root / "mine" / split / name / f"{index}.jpg"
                write_jpeg(path, 10 * label + index, shape=(40, 50))
            (root / "mine" / split / name / "notes.txt").write_text("no image")
    return root / "mine"


def _write_list(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
