"""Where the images of a batch come from: device memory, or files read ahead of the step.

Positions in, uint8 images on the device out, batch by batch. Knows no labels and no augmentation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.datasets.image_files import ImageFiles

AHEAD = 3
"""Batches that are being read while one is trained on: bounds the memory."""


class ImageSource(Protocol):
    """N images of one split."""

    def __len__(self) -> int: ...

    @property
    def num_broken(self) -> int:
        """Images that could not be decoded and were blank."""

    def content(self) -> NDArray[np.uint8] | ImageFiles:
        """All of it: uint8 [N, H, W, C] as it is on the device now, or the files."""

    def batches(self, parts: Iterable[Tensor]) -> Iterator[Tensor]:
        """Positions, int64 [B] each → uint8 [B, C, H, W] on the device, of any layout, in order."""


class ResidentImages:
    """Images in device memory, uint8 [N, C, H, W] of any layout."""

    num_broken = 0

    def __init__(self, images: Tensor) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def content(self) -> NDArray[np.uint8]:
        return self._images.permute(0, 2, 3, 1).cpu().numpy()

    def batches(self, parts: Iterable[Tensor]) -> Iterator[Tensor]:
        for part in parts:
            yield self._images[part]


class StreamedImages:
    """Images in files. Threads read the next batches, since decoders do not hold Python's lock.

    There are as many as torch has: the cores that the run may use.

    Args:
        files: the images.
        device: where batches go, through pinned memory if it is a GPU.
    """

    def __init__(self, files: ImageFiles, device: str) -> None:
        self._files, self._device = files, device
        self._pins = torch.device(device).type == "cuda"

    def __len__(self) -> int:
        return len(self._files)

    @property
    def num_broken(self) -> int:
        return self._files.num_broken

    def content(self) -> ImageFiles:
        return self._files

    def batches(self, parts: Iterable[Tensor]) -> Iterator[Tensor]:
        positions = [part.tolist() for part in parts]  # now, while the device has nothing to do
        pool = ThreadPoolExecutor(torch.get_num_threads(), thread_name_prefix="images")
        try:
            started: deque[tuple[Tensor, list[Future[None]]]] = deque()
            for part in positions:
                started.append(self._start(pool, part))
                if len(started) > AHEAD:
                    yield self._finish(*started.popleft())
            while started:
                yield self._finish(*started.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _start(
        self, pool: ThreadPoolExecutor, part: list[int]
    ) -> tuple[Tensor, list[Future[None]]]:
        """A batch [B, H, W, C] with the readers that fill it."""
        batch = torch.empty(len(part), *self._files.shape[1:], dtype=torch.uint8)
        batch = batch.pin_memory() if self._pins else batch
        rows = batch.numpy()

        def read(row: int, position: int) -> None:
            np.copyto(rows[row], self._files.read(position))

        return batch, [pool.submit(read, *pair) for pair in enumerate(part)]

    def _finish(self, batch: Tensor, readers: list[Future[None]]) -> Tensor:
        for reader in readers:
            reader.result()
        return batch.to(self._device, non_blocking=True).permute(0, 3, 1, 2)
