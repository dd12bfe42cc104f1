"""Verbs about data sets: list, check, pack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.app import DAMAGED, app
from orchestrator.cli.options import DataRoot, DataSettings
from orchestrator.cli.output import one_line_errors, show

if TYPE_CHECKING:
    from trainables.config import Choice
    from trainables.datasets import DatasetInfo, ImageArrays

data = typer.Typer(
    help="What data sets there are, and whether they are here.", no_args_is_help=True
)
app.add_typer(data, name="data")

NEED_PARAMETERS = ("parquet", "folder")
"""Known only once a study names a folder."""

TABLE_WIDTH = 110

MOST_NAMES = 5
"""Files named one by one before they are only counted."""

DatasetName = Annotated[str, typer.Argument(help="Name of a data set, see `data list`.")]


@data.command("list", epilog="Example: orchestrator data list --data-root ~/data")
def list_datasets(data_root: DataRoot = None) -> None:
    """Every data set: classes, images, licence, how to get it, and whether it is here."""
    from rich.console import Console
    from rich.table import Table

    from trainables.config import Choice
    from trainables.datasets import DATASETS, dataset_info, default_data_root, locate

    root = data_root or default_data_root()
    table = Table(box=None)
    table.add_column("data set", no_wrap=True)
    for title in ("classes", "image", "training", "test", "licence", "origin", "files"):
        table.add_column(title)
    for name in DATASETS.names():
        if name in NEED_PARAMETERS:
            continue
        info, presence = dataset_info(Choice(name)), locate(Choice(name), root)
        table.add_row(
            name,
            str(info.num_classes),
            "×".join(map(str, info.image_shape)),
            *(f"{count:,}" if count else "as listed" for count in (info.num_train, info.num_test)),
            info.licence,
            info.origin,
            "here" if not presence.missing else f"{len(presence.missing)} missing",
        )
    show([f"data root {root}"])
    console = Console()
    console.width = max(console.width, TABLE_WIDTH)  # rather run over than break the words
    console.print(table)


@data.command("check", epilog="Example: orchestrator data check cifar10 --data-root ~/data")
def check_dataset(
    name: DatasetName, settings: DataSettings = None, data_root: DataRoot = None
) -> None:
    """Count a data set and look for every file; exit code 4 if anything is missing or damaged.

    Nothing is downloaded. Images in files of their own are looked for and their bit depth is read;
    they are not decoded.
    """
    info, arrays = opened(name, settings, data_root)
    show(count_lines(info, arrays))
    problems = list(problems_of(info, arrays))
    show(problems)
    if problems:
        raise typer.Exit(DAMAGED)


@data.command("pack", epilog="Example: orchestrator data pack webvision --data-root /data")
def pack_dataset(
    name: DatasetName, settings: DataSettings = None, data_root: DataRoot = None
) -> None:
    """Decode all images of a large data set once into one file; later epochs only copy bytes.

    Numbers do not change by it. Can be interrupted and goes on where it stopped.
    """
    from rich.progress import Progress

    from trainables.datasets import DatasetError, default_data_root
    from trainables.datasets.image_files import ImageFiles
    from trainables.datasets.packing import pack, packed_bytes

    info, arrays = opened(name, settings, data_root)
    with one_line_errors(DatasetError), Progress() as bars:
        for split, images in (("training", arrays.train_images), ("test", arrays.test_images)):
            if not isinstance(images, ImageFiles):
                raise DatasetError(f"{info.name} fits into memory: there is nothing to pack")
            gigabytes = packed_bytes(images) / 1e9
            bar = bars.add_task(f"{split} images, {gigabytes:.1f} GB", total=len(images))
            for done in pack(images, data_root or default_data_root()):
                bars.update(bar, completed=done)


def opened(
    name: str, settings: list[str] | None, data_root: Path | None
) -> tuple[DatasetInfo, ImageArrays]:
    """A data set that is here, or a line that says what is not and exit code 4."""
    from orchestrator.study.text import StudyError, read_settings
    from trainables.config import Choice
    from trainables.datasets import DatasetError, default_data_root, load_dataset, locate
    from trainables.registry import ComponentError

    root = data_root or default_data_root()
    with one_line_errors(ComponentError, StudyError):
        choice: Choice = Choice.of(name, read_settings(settings or ()))
        presence = locate(choice, root)
    if presence.missing:
        show([f"{name}: missing under {root}: {', '.join(presence.missing)}", *presence.accepted])
        raise typer.Exit(DAMAGED)
    try:
        return load_dataset(choice, root)
    except DatasetError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(DAMAGED) from None


def count_lines(info: DatasetInfo, arrays: ImageArrays) -> Iterator[str]:
    """How many images of how many classes each split has."""
    import numpy as np

    for split, labels in (("training", arrays.train_labels), ("test", arrays.test_labels)):
        counts = np.bincount(labels, minlength=info.num_classes)
        yield (
            f"{info.name}: {len(labels):,} {split} images of {np.count_nonzero(counts)} classes, "
            f"{counts.min():,} to {counts.max():,} each"
        )


def problems_of(info: DatasetInfo, arrays: ImageArrays) -> Iterator[str]:
    """Counts that differ from the published ones, files that are not there or cannot be read."""
    from trainables.datasets.checking import unknown_depths
    from trainables.datasets.image_files import ImageFiles

    expected: Mapping[str, int | None] = {"training": info.num_train, "test": info.num_test}
    splits = {"training": arrays.train_images, "test": arrays.test_images}
    for split, images in splits.items():
        count = expected[split]
        if count and len(images) != count:
            yield f"{info.name}: {count:,} {split} images were published, {len(images):,} are here"
        if not isinstance(images, ImageFiles):
            continue
        if missing := images.missing():
            more = f" and {len(missing) - MOST_NAMES:,} more" if len(missing) > MOST_NAMES else ""
            named = ", ".join(missing[:MOST_NAMES])
            yield f"{info.name}: {split} images missing in {images.folder}: {named}{more}"
        if refused := list(unknown_depths(images, range(len(images)))):
            more = f" ({len(refused):,} such {split} images)" if len(refused) > 1 else ""
            yield f"{info.name}: {refused[0]}{more}"
