"""The global generators of torch, numpy and Python, for those who draw from nothing else.

This project draws from generators of its own. A layer such as `nn.Dropout` can draw from torch's
global one only, so a run sets them before its labels and weights are drawn and before each epoch,
and sets them back at its end: it is the same whatever ran before it, and draws nothing that others
would have drawn.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from trainables.seeding import derived_seed

LIMIT = 2**32
"""Of the seeds that numpy takes."""


def seed_globals(seed: int, epoch: int = 0) -> None:
    """Set all global generators to where they start an epoch of a run; 0 is before the first."""
    start = derived_seed(seed, "dropout", epoch)
    torch.default_generator.manual_seed(start)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(start)
    np.random.seed(start % LIMIT)  # noqa: TID251 - what this module is for
    random.seed(start)


def torch_generators(device: str) -> list[Tensor]:
    """Where the global generators of torch stand, of the CPU and of the device."""
    states = [torch.get_rng_state()]
    if torch.device(device).type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return states


def set_torch_generators(states: Sequence[Tensor], device: str) -> None:
    """Back to where they stood."""
    torch.set_rng_state(states[0])
    if len(states) > 1 and torch.device(device).type == "cuda":
        torch.cuda.set_rng_state(states[1], device)


@contextmanager
def generators_set_back(device: str) -> Iterator[None]:
    """All global generators afterwards as they were before."""
    python, arrays, tensors = random.getstate(), np.random.get_state(), torch_generators(device)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)
        set_torch_generators(tensors, device)
