"""How many batches an epoch has, from what is known of a cell. Values in, values out."""

from __future__ import annotations

import json
from collections.abc import Mapping


def steps_per_epoch(config: str | None, train_images: Mapping[str, int]) -> int | None:
    """Batches of one epoch, the last and smaller one counted; None where it is not known.

    Args:
        config: the whole cell as JSON; None while a pick is pending.
        train_images: data set → training images, for cells that use all of them.
    """
    if config is None:
        return None
    cell = json.loads(config)
    dataset = cell["dataset"]
    images = dataset.get("train_size") or train_images.get(dataset["name"])
    return None if images is None else -(-images // cell["batch_size"])
