"""The tempered softmax is normalised whatever the logits, with a fixed number of steps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from trainables.losses.bitempered import tempered_softmax

ROUNDING = {torch.float32: 3e-6, torch.float64: 1e-13}


def logits_at_levels(num_classes: int, generator: torch.Generator) -> Tensor:
    """Classes at four levels from level to far apart, [200, K]: what solvers of λ find hardest."""
    levels = -(10 ** (torch.rand(200, 4, generator=generator, dtype=torch.float64) * 6.5 - 2.5))
    return levels.gather(1, torch.randint(4, (200, num_classes), generator=generator))


@pytest.mark.parametrize("dtype", ROUNDING, ids=str)
@pytest.mark.parametrize("t2", [1.0, 1.05, 1.2, 1.21, 1.25, 1.37, 1.5, 1.8, 2.0])
def test_probabilities_add_up_to_one(t2: float, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    for num_classes in (2, 3, 10, 100, 1000):
        logits = logits_at_levels(num_classes, generator).to(dtype)
        log_p, p_to_c = tempered_softmax(logits, t2)
        excess = log_p.double().exp().sum(dim=-1) - 1
        assert excess.abs().max() < ROUNDING[dtype]
        assert torch.allclose(p_to_c, torch.exp((t2 - 1) * log_p), rtol=1e-5)
