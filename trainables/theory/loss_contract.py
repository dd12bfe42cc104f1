"""What every loss must do, tried on a given one: shape, gradient, finiteness, independence.

`check_loss` is what `orchestrator check-loss` prints for a researcher's own loss before any network
is trained with it. Knows the definition of a loss (`trainables.losses`) and no particular one.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch

from trainables.isolation.global_random import generators_set_back, torch_generators
from trainables.isolation.state import ProcessState
from trainables.theory.host_reads import HostReads

if TYPE_CHECKING:
    from torch import Tensor

    from trainables.losses import Loss

T = TypeVar("T")

SEED = 1
UNUSUAL_THREADS = 3
CLASS_COUNTS = (2, 10, 100, 1000)
EXTREME = 1e4
"""Largest logit that value and gradient must survive in float32."""


@dataclass(frozen=True)
class Finding:
    """One tried property.

    Args:
        name: the property.
        passed: None for a fact that is neither right nor wrong, such as symmetry.
        detail: what was seen, in numbers.
    """

    name: str
    passed: bool | None
    detail: str


Outcome = tuple[bool | None, str]


@contextmanager
def before_import() -> Iterator[ProcessState]:
    """What the process is like before the file of a component is imported, for its checks.

    As in a run, the code that trains is there, so that a replaced part of it is noticed. The number
    of threads is one that hardly anybody sets, so that setting another is.
    """
    importlib.import_module("trainables.training.loop")
    importlib.import_module("trainables.components").import_built_in()
    threads = torch.get_num_threads()
    torch.set_num_threads(UNUSUAL_THREADS)
    try:
        yield ProcessState.now()
    finally:
        torch.set_num_threads(threads)


def check_loss(loss: Loss, before: ProcessState | None = None) -> tuple[Finding, ...]:
    """Every property, tried on seeded random logits. An exception of the loss is a failed finding.

    Args:
        loss: logits [N, K] of any float dtype, labels int64 [N] → [N].
        before: what the process was like before the file of the loss was imported; None if that
            is not known. The process is brought back to it.
    """
    before = before or ProcessState.now()
    with generators_set_back("cpu"):
        generators = torch_generators("cpu")
        findings = [tried(check, loss) for check in CHECKS]
        draws = not torch.equal(generators[0], torch_generators("cpu")[0])
    return *findings, global_state_finding(before, draws=draws)


def global_state_finding(before: ProcessState, *, draws: bool) -> Finding:
    """What a component did to the process, undone.

    Args:
        draws: whether it drew from torch's global generator.
    """
    seen = [change.text for change in before.changes()]
    before.restore()
    if draws:
        seen.append("the state of torch's global random numbers")
    name = "It leaves torch's global state as it is, when imported and when called"
    return Finding(name, not seen, f"changes {'; '.join(seen)}" if seen else "nothing has changed")


def _shape(loss: Loss) -> Outcome:
    """One loss per sample, in the dtype of the logits"""
    wrong = []
    for classes in CLASS_COUNTS:
        logits, labels = _samples(classes, dtype=torch.float32)
        values = loss(logits, labels)
        if values.shape != labels.shape or values.dtype != logits.dtype:
            wrong.append(f"K = {classes}: {list(values.shape)} {values.dtype}")
    return not wrong, "; ".join(wrong) or "shape [N], float32"


def _arguments(loss: Loss) -> Outcome:
    """It does not write into its arguments"""
    written = set()
    for classes in CLASS_COUNTS:
        logits, labels = _samples(classes)
        # Not the leaf itself: autograd has its own words for a write into one.
        inputs = logits.clone().requires_grad_().clone()
        given = labels.clone()
        loss(inputs, given)
        if not torch.equal(inputs.detach(), logits):
            written.add("its logits")
        if not torch.equal(given, labels):
            written.add("its labels")
    return not written, f"writes into {' and '.join(sorted(written))}" if written else "unchanged"


def _independence(loss: Loss) -> Outcome:
    """A sample's loss does not depend on its batch"""
    logits, labels = _samples(10)
    together = loss(logits, labels)
    alone = torch.cat([loss(logits[i : i + 1], labels[i : i + 1]) for i in range(len(labels))])
    error = float((together - alone).abs().max())
    return error < 1e-12, f"largest difference {error:.1e}"


def _gradient(loss: Loss) -> Outcome:
    """The gradient is the derivative: backpropagation against central differences"""
    logits, labels = _samples(7)
    numeric, step = torch.zeros_like(logits), 1e-5
    for column in range(logits.shape[1]):
        shift = torch.zeros_like(logits)
        shift[:, column] = step
        difference = loss(logits + shift, labels) - loss(logits - shift, labels)
        numeric[:, column] = difference.detach() / (2 * step)
    error = float((_backpropagated(loss, logits, labels) - numeric).abs().max())
    if getattr(loss, "is_gradient_rule", False):
        return None, f"declared a gradient rule; it differs by up to {error:.1e}"
    return error < 1e-7, f"largest difference {error:.1e}"


def _finite(loss: Loss) -> Outcome:
    """Value and gradient are finite for logits up to ±1e4 in float32"""
    wrong = []
    for classes in CLASS_COUNTS:
        logits = _extreme_logits(classes)
        labels = torch.zeros(len(logits), dtype=torch.int64)
        value, gradient = loss(logits, labels), _backpropagated(loss, logits, labels)
        if not (value.isfinite().all() and gradient.isfinite().all()):
            wrong.append(f"not so at K = {classes}")
    return not wrong, "; ".join(wrong) or f"K = {', '.join(map(str, CLASS_COUNTS))}"


def _shift(loss: Loss) -> Outcome:
    """A shift of all logits by one number changes nothing"""
    logits, labels = _samples(10)
    error = float((loss(logits + 3, labels) - loss(logits, labels)).abs().max())
    if getattr(loss, "sees_logit_size", False):
        return None, f"declared to see the size of logits; it changes by up to {error:.1e}"
    return error < 1e-9, f"largest change {error:.1e}"


def _direction(loss: Loss) -> Outcome:
    """Gradient descent never pushes the labelled logit down"""
    logits, labels = _samples(10)
    gradient = _backpropagated(loss, logits, labels).gather(1, labels.unsqueeze(1))
    largest = float(gradient.max())
    if getattr(loss, "may_push_label_down", False) and largest > 0:
        return None, f"declared to do so where it must; δ_k ≤ {largest:.1e}"
    return largest <= 1e-12, f"δ_k ≤ {largest:.1e}"


def _bounds(loss: Loss) -> Outcome:
    """Bounded"""
    logits = torch.cat([_extreme_logits(10).double(), _samples(10)[0]])
    values = loss(logits, torch.zeros(len(logits), dtype=torch.int64))
    low, high = float(values.min()), float(values.max())
    kind = "bounded" if high < EXTREME / 10 else "unbounded"
    return None, f"{kind}: values from {low:.4g} to {high:.4g} at K = 10"


def _symmetry(loss: Loss) -> Outcome:
    """Symmetric: Σ_k L(z, k) is the same for all logits"""
    logits, _ = _samples(10)
    labels = torch.arange(10).expand(len(logits), 10)
    rows = logits.unsqueeze(1).expand(-1, 10, -1).reshape(-1, 10)
    sums = loss(rows, labels.reshape(-1)).reshape(len(logits), 10).sum(dim=1)
    low, high = float(sums.min()), float(sums.max())
    symmetric = math.isclose(low, high, rel_tol=1e-9)  # then robust (Ghosh et al., 2017)
    seen = f"Σ_k L = {low:.6g}" if symmetric else f"no: Σ_k L from {low:.4g} to {high:.4g}"
    if not hasattr(loss, "sum_bounds"):
        return None, seen
    least, most = loss.sum_bounds(10)
    is_within = least - 1e-9 <= low and high <= most + 1e-9
    if is_within and symmetric and math.isclose(least, most, rel_tol=1e-9):
        return None, f"{seen}, as by its formula"
    # What is sampled seldom comes near the ends.
    return None if is_within else False, f"{seen} here, {least:.4g} to {most:.4g} by its formula"


def _recording(loss: Loss) -> Outcome:
    """Its steps can be recorded, on a GPU"""
    logits, labels = _samples(10)
    with HostReads() as reads:
        _backpropagated(loss, logits, labels)
    waits = ", ".join(sorted(reads.names))
    return None, f"no: {waits} waits for the device" if waits else "yes, it reads nothing back"


CHECKS: tuple[Callable[[Loss], Outcome], ...] = (
    _shape,
    _arguments,
    _independence,
    _gradient,
    _finite,
    _shift,
    _direction,
    _bounds,
    _symmetry,
    _recording,
)
"""Each by the first line of its docstring, which is what a finding is called."""


def tried(check: Callable[[T], Outcome], component: T) -> Finding:
    """A finding; whatever a foreign component raises is one too."""
    name = str(check.__doc__)
    try:
        return Finding(name, *check(component))
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
        return Finding(name, False, f"raised {type(error).__name__}: {error}")


def _samples(num_classes: int, *, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Logits of an early to a confident network, [64, K], and labels [64]."""
    generator = torch.Generator().manual_seed(SEED)
    logits = torch.randn(64, num_classes, generator=generator, dtype=dtype)
    scale = torch.linspace(0.1, 6, 64, dtype=dtype).unsqueeze(1)
    return logits * scale, torch.randint(num_classes, (64,), generator=generator)


def _extreme_logits(num_classes: int) -> Tensor:
    """Class 0 far above, far below, and level with the rest, float32 [6, K]."""
    logits = torch.zeros(6, num_classes)
    logits[0, 0], logits[1, 0] = EXTREME, -EXTREME
    logits[2, 1], logits[3, 1] = EXTREME, -EXTREME
    logits[4], logits[5] = EXTREME, -EXTREME
    return logits


def _backpropagated(loss: Loss, logits: Tensor, labels: Tensor) -> Tensor:
    logits = logits.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(logits, labels).sum(), logits)
    return gradient
