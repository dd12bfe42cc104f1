"""Every built-in loss passes what is asked of a plug-in, and each check can fail."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from trainables.config import Choice
from trainables.losses import LOSSES, Loss
from trainables.theory.loss_contract import Finding, before_import, check_loss, global_state_finding


def findings(loss: Loss) -> dict[str, Finding]:
    return {finding.name: finding for finding in check_loss(loss)}


@pytest.mark.parametrize("name", LOSSES.names())
def test_a_built_in_loss_keeps_every_contract(name: str) -> None:
    failed = [item for item in check_loss(LOSSES.build(Choice(name))) if item.passed is False]
    assert not failed


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return -logits.log_softmax(1).gather(1, labels.unsqueeze(1)).squeeze(1)


def mean(logits: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(logits, labels).mean()


def of_the_batch(logits: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(logits, labels) / len(labels)


def detached(logits: Tensor, labels: Tensor) -> Tensor:
    losses = cross_entropy(logits, labels)
    return losses * losses.detach()


def round_trip(logits: Tensor, labels: Tensor) -> Tensor:
    return (
        -logits.exp().div(logits.exp().sum(1, keepdim=True)).gather(1, labels[:, None])[:, 0].log()
    )


def with_decay(logits: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(logits, labels) + logits.square().sum(1)


def upside_down(logits: Tensor, labels: Tensor) -> Tensor:
    return -cross_entropy(logits, labels)


def rewriting(logits: Tensor, labels: Tensor) -> Tensor:
    losses = cross_entropy(logits, labels)
    labels[labels == 1] = 0
    return losses


def normalizing(logits: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(logits.sub_(logits.max(dim=1, keepdim=True).values), labels)


def tidying(logits: Tensor, labels: Tensor) -> Tensor:
    torch.set_float32_matmul_precision("medium")
    return cross_entropy(logits, labels)


def drawing(logits: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(logits, labels) * torch.rand(())


def failing(logits: Tensor, labels: Tensor) -> Tensor:
    raise RuntimeError("out of ideas")


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (mean, "One loss per sample"),
        (of_the_batch, "does not depend on its batch"),
        (detached, "The gradient is the derivative"),
        (round_trip, "finite for logits"),
        (with_decay, "shift of all logits"),
        (upside_down, "never pushes the labelled logit down"),
        (failing, "Symmetric"),
        (rewriting, "does not write into its arguments"),
        (normalizing, "does not write into its arguments"),
        (tidying, "leaves torch's global state"),
        (drawing, "leaves torch's global state"),
    ],
)
def test_a_breach_is_found(loss: Callable[[Tensor, Tensor], Tensor], words: str) -> None:
    found = next(item for name, item in findings(loss).items() if words in name)
    assert found.passed is False


@pytest.mark.parametrize("name", LOSSES.names())
def test_a_built_in_loss_never_waits_for_the_device(name: str) -> None:
    detail = findings(LOSSES.build(Choice(name)))["Its steps can be recorded, on a GPU"].detail
    assert detail == "yes, it reads nothing back"


def test_a_loss_that_waits_for_the_device_is_told() -> None:
    def clipped(logits: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(logits, labels) / max(1.0, logits.detach().abs().max().item())

    finding = findings(clipped)["Its steps can be recorded, on a GPU"]
    assert finding.passed is None
    assert finding.detail == "no: item waits for the device"


def test_what_is_written_and_changed_is_named_and_undone() -> None:
    found = {name.partition(",")[0]: item.detail for name, item in findings(rewriting).items()}
    assert found["It does not write into its arguments"] == "writes into its labels"
    assert "logits" in findings(normalizing)["It does not write into its arguments"].detail
    changed = list(findings(tidying).values())[-1].detail
    assert changed.startswith("changes torch's float32 matmul precision from highest to medium")
    assert torch.get_float32_matmul_precision() == "highest"


def test_replaced_code_of_a_run_and_any_number_of_threads_are_noticed() -> None:
    threads = torch.get_num_threads()
    with before_import() as before:
        evaluate = sys.modules["trainables.training.evaluate"]
        former, evaluate.evaluate = evaluate.evaluate, None  # type: ignore[attr-defined]
        torch.set_num_threads(threads)
        detail = global_state_finding(before, draws=False).detail
        assert evaluate.evaluate is former  # type: ignore[attr-defined]
    assert f"the number of torch's threads from 3 to {threads}" in detail
    assert "the code of trainables.training.evaluate.evaluate" in detail
    assert torch.get_num_threads() == threads


def test_facts_are_reported() -> None:
    mae = findings(LOSSES.build(Choice("mae")))
    assert mae["Symmetric: Σ_k L(z, k) is the same for all logits"].detail.startswith("Σ_k L = 18")
    assert mae["Bounded"].detail.startswith("bounded: values from")
    assert findings(cross_entropy)["Bounded"].detail.startswith("unbounded")


def test_a_gradient_rule_is_no_failure() -> None:
    rule = findings(LOSSES.build(Choice("imae")))
    found = next(item for name, item in rule.items() if name.startswith("The gradient"))
    assert found.passed is None
    assert "gradient rule" in found.detail


def test_checks_leave_global_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    check_loss(cross_entropy)
    assert torch.equal(torch.random.get_rng_state(), before)
