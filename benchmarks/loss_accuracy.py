"""How exact are the losses? Largest relative error against 450-digit arithmetic.

    python benchmarks/loss_accuracy.py

Value: |ours - exact| / exact. Gradient: the largest component's error over the largest component.
Random logits from an undecided to a certain network, and extremes to ±1e4. Numbers too small for
the float type count as right if they are returned as 0 or nearly so.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from loss_oracles import value_and_gradient
from torch import Tensor

from trainables.config import Choice
from trainables.losses import LOSSES
from trainables.losses.logit_bias import BiasedLoss

SPECS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("ce", {}),
    ("mae", {}),
    ("gce", {"q": 0.7}),
    ("gce", {"q": 0.01}),
    ("tgce", {"q": 0.7, "threshold": 0.5}),
    ("sce", {"alpha": 0.1, "beta": 1.0, "log_zero": -9.21}),
    ("bitempered", {"t1": 0.8, "t2": 1.2}),
    ("bitempered", {"t1": 0.2, "t2": 2.0}),
    ("bitempered", {"t1": 1.0, "t2": 1.0}),
    ("nce", {}),
    ("nfl", {"gamma": 0.5}),
    ("nfl", {"gamma": 0.5, "focal_factors": "detached"}),
    ("agce", {"a": 0.6, "q": 0.6}),
    ("agce", {"a": 1.8, "q": 3.0}),
    ("nfl_mae", {"alpha": 10.0, "beta": 1.0, "gamma": 0.5}),
    ("nce_mae", {"alpha": 10.0, "beta": 0.1}),
    ("nce_agce", {"alpha": 1.0, "beta": 4.0, "a": 6.0, "q": 1.5}),
    ("imae", {"temperature": 8.0}),
    ("rce", {"log_zero": -9.21}),
    ("focal", {"gamma": 0.5}),
    ("focal", {"gamma": 2.0, "focal_factors": "detached"}),
    ("aul", {"a": 5.5, "q": 3.0}),
    ("aul", {"a": 3.0, "q": 0.1}),
    ("ael", {"a": 2.5}),
    ("phuber_ce", {"tau": 2.0}),
    ("phuber_gce", {"tau": 10.0, "q": 0.7}),
    ("phuber_gce", {"tau": 2.0, "q": 0.3}),
    ("taylor_ce", {"order": 18}),
    ("js", {"pi1": 0.5}),
    ("js", {"pi1": 0.001}),
    ("js", {"pi1": 0.9}),
    ("ngce", {"q": 0.7}),
    ("ngce", {"q": 0.1}),
    ("nnce", {"p_min": 1e-7}),
    ("nnfl", {"gamma": 0.5, "p_min": 1e-7}),
    ("nnfl", {"gamma": 0.5, "p_min": 1e-8, "focal_factors": "detached"}),
    ("anl_ce", {"alpha": 5.0, "beta": 5.0, "p_min": 1e-7}),
    ("anl_fl", {"alpha": 10.0, "beta": 1.0, "gamma": 0.5, "p_min": 1e-7}),
    ("nce_rce", {"alpha": 10.0, "beta": 0.1}),
    ("nfl_rce", {"alpha": 1.0, "beta": 1.0, "gamma": 0.5, "focal_factors": "detached"}),
    ("nce_aul", {"alpha": 1.0, "beta": 4.0, "a": 6.3, "q": 1.5}),
    ("nce_ael", {"alpha": 1.0, "beta": 4.0, "a": 5.0}),
    ("mse", {}),
    ("amse", {"a": 30.0}),
    ("jal_ce", {"alpha": 5.0, "beta": 1.0, "a": 20.0}),
    ("jal_fl", {"alpha": 1.0, "beta": 1.0, "a": 30.0, "gamma": 0.5, "focal_factors": "detached"}),
    ("eps_ce", {"m": 1e5, "floor": 1e-8}),
    ("eps_ce", {"m": 0.1, "floor": 1e-8}),
    ("eps_ce_mae", {"alpha": 0.01, "beta": 5.0, "m": 1e3, "floor": 1e-8}),
    ("logit_clip", {"delta": 1.5, "threshold": "delta", "q": 0.0}),
    ("logit_clip", {"delta": 2.5, "threshold": "reciprocal", "q": 0.7}),
    ("sr", {"tau": 0.5, "s": 0.1, "weight": 1.2, "q": 0.0}),
    ("sr", {"tau": 0.1, "s": 0.1, "weight": 4.0, "q": 0.01}),
    ("ldr_kl", {"margin": 0.1, "lam": 10.0}),
    ("ldr_kl", {"margin": 0.1, "lam": 1.0}),
    ("label_smoothing", {"smoothing": 0.1}),
    ("bootstrap_soft", {"weight": 0.05}),
    ("bootstrap_hard", {"weight": 0.2}),
    ("forward_correction", {"rate": 0.0}),
    ("forward_correction", {"rate": 0.4}),
    ("backward_correction", {"rate": 0.4}),
)
"""Every loss at published parameters, some at the ends of their ranges."""


CROSSING = ("ldr_kl", "backward_correction")
"""Losses that may be negative: an error of their value is told beside the logits, or 1."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=6, help="random logits per scale")
    parser.add_argument("--only", default="", help="name of one loss")
    arguments = parser.parse_args()
    print("| loss | value, float32 | gradient, float32 | value, float64 | gradient, float64 |")
    print("|---|---|---|---|---|")
    for name, parameters in SPECS:
        if arguments.only not in ("", name):
            continue
        shown = [
            f"{error:.1e}"
            for dtype in (torch.float32, torch.float64)
            for error in largest_errors(name, parameters, arguments.samples, dtype)
        ]
        given = ", ".join(f"{key}={value}" for key, value in parameters.items())
        print(f"| {name}{f'({given})' if given else ''} | {' | '.join(shown)} |", flush=True)


def largest_errors(
    name: str, parameters: Mapping[str, Any], samples: int, dtype: torch.dtype
) -> tuple[float, float]:
    """Largest relative error of value and of gradient over all cases."""
    loss = LOSSES.build(Choice.of(name, parameters))
    assert not isinstance(loss, BiasedLoss)
    errors = [errors_of(loss, name, parameters, z, k) for z, k in cases(samples, dtype)]
    values, gradients = zip(*errors, strict=True)
    return max(values), max(gradients)


def errors_of(
    loss: Any, name: str, parameters: Mapping[str, Any], z: Tensor, k: int
) -> tuple[float, float]:
    """Relative errors of one sample's value and gradient."""
    logits = z.clone().requires_grad_()
    value = loss(logits.unsqueeze(0), torch.tensor([k]))
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    exact_value, exact_gradient = value_and_gradient(name, z.tolist(), k, parameters)
    tiny = 10 * torch.finfo(z.dtype).tiny
    least = max(1.0, float(z.abs().max())) if name in CROSSING else tiny
    value_error = abs(value.item() - exact_value) / max(abs(exact_value), least)
    size = max(*(abs(x) for x in exact_gradient), tiny, _turning(name, z, parameters))
    components = zip(gradient.tolist(), exact_gradient, strict=True)
    gradient_error = max(abs(ours - exact) for ours, exact in components) / size
    return float(value_error), float(gradient_error)


def _turning(name: str, z: Tensor, parameters: Mapping[str, Any]) -> float:
    """Size of a gradient before the part along the logits, which may be all of it, is taken out."""
    length = float(torch.linalg.vector_norm(z))
    if name == "logit_clip":
        return float(parameters["delta"]) / length
    if name == "sr":
        return (1 + parameters["weight"]) / (parameters["tau"] * length)
    return 0.0


def cases(samples: int, dtype: torch.dtype) -> Iterator[tuple[Tensor, int]]:
    """Logits [K] with a label: random at five scales, then one class far from the rest."""
    generator = torch.Generator().manual_seed(0)
    for num_classes in (2, 10):
        for scale in (0.1, 1.0, 5.0, 20.0, 100.0):
            for _ in range(samples):
                draws = torch.randn(num_classes, generator=generator, dtype=dtype)
                yield scale * draws, int(torch.randint(num_classes, (), generator=generator))
        for size in (1e2, 1e3, 1e4, -1e2, -1e3, -1e4):
            logits = torch.randn(num_classes, generator=generator, dtype=dtype)
            logits[0] += size
            yield logits, 0
            yield logits, 1


if __name__ == "__main__":
    main()
