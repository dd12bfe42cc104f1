"""How long does evaluation take at the size of MARS? Synthetic features of 1,024 numbers.

python benchmarks/retrieval_speed.py
"""

from __future__ import annotations

import resource
import time

import torch

from trainables.training.retrieval import Tracklets, evaluate_retrieval

QUERIES, GALLERY, IDENTITIES, CAMERAS, WIDTH = 1_980, 12_180, 636, 6, 1_024


def tracklets(count: int, centres: torch.Tensor, generator: torch.Generator) -> Tracklets:
    """Features around their identity's centre."""
    identities = torch.randint(1, IDENTITIES + 1, (count,), generator=generator)
    noise = torch.randn(count, WIDTH, generator=generator)
    cameras = torch.randint(CAMERAS, (count,), generator=generator)
    return Tracklets(centres[identities] + 4 * noise, identities, cameras)


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(IDENTITIES + 1, WIDTH, generator=generator)
    queries, gallery = (tracklets(n, centres, generator) for n in (QUERIES, GALLERY))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    found = evaluate_retrieval(queries, gallery)
    seconds = time.perf_counter() - started
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{found}\n{seconds:.1f} s, {more:.0f} MB beyond the features")


if __name__ == "__main__":
    main()
