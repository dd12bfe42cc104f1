"""Weighted sums of an active loss and a passive or asymmetric one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from trainables.losses import LOSSES
from trainables.losses.agce import AsymmetricGeneralizedCrossEntropy
from trainables.losses.asymmetric import AsymmetricExponentialLoss, AsymmetricUnhingedLoss
from trainables.losses.mae import MeanAbsoluteError
from trainables.losses.normalized import (
    FIXED_FACTORS,
    FocalFactors,
    NormalizedCrossEntropy,
    NormalizedFocalLoss,
)
from trainables.losses.sce import ReverseCrossEntropy
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term
from trainables.registry import Published, Range

MA = "configurations of Ma et al. (ICML 2020)"
FIXED = "whose code holds the focal factors fixed"
HALVED = "their beta, on 1 - a_k, is twice the one here"

PUBLISHED_NCE_MAE = Published(
    f"{MA}; {HALVED}; later code has 10 and 0.1 for CIFAR-100, 1 and 100 for MNIST",
    {
        "mnist": {"alpha": 1.0, "beta": 5.0},
        "cifar10": {"alpha": 1.0, "beta": 0.5},
        "cifar100": {"alpha": 10.0, "beta": 0.5},
        "webvision": {"alpha": 50.0, "beta": 0.5},
    },
)

PUBLISHED_NFL_MAE = Published(
    f"{MA}, {FIXED}; {HALVED}",
    {name: {**weights, **FIXED_FACTORS} for name, weights in PUBLISHED_NCE_MAE.by_dataset.items()},
)

PUBLISHED_NCE_RCE = Published(
    f"{MA}, and Ye et al. (NeurIPS 2023); clothing1m: Wang et al. (NeurIPS 2024); Zhou et al. "
    "(ICML 2021) run 1 and 100 for MNIST, 10 and 1 for CIFAR-100",
    {
        "mnist": {"alpha": 1.0, "beta": 10.0},
        "cifar10": {"alpha": 1.0, "beta": 1.0},
        "cifar100": {"alpha": 10.0, "beta": 0.1},
        "webvision": {"alpha": 50.0, "beta": 0.1},
        "clothing1m": {"alpha": 10.0, "beta": 1.0},
    },
)

PUBLISHED_NFL_RCE = Published(
    f"{MA}, {FIXED}",
    {
        name: {**weights, **FIXED_FACTORS}
        for name, weights in PUBLISHED_NCE_RCE.by_dataset.items()
        if name != "clothing1m"
    },
)

ZHOU = (
    "configurations of Zhou et al. (ICML 2021), Ye et al. (NeurIPS 2023), Wang et al. (NeurIPS "
    "2024); for MNIST they leave NCE out"
)

PUBLISHED_NCE_AUL = Published(
    ZHOU,
    {
        "mnist": {"alpha": 0.0, "beta": 1.0, "a": 3.0, "q": 0.1},
        "cifar10": {"alpha": 1.0, "beta": 4.0, "a": 6.3, "q": 1.5},
        "cifar100": {"alpha": 10.0, "beta": 0.015, "a": 6.0, "q": 3.0},
    },
)

PUBLISHED_NCE_AEL = Published(
    ZHOU,
    {
        "mnist": {"alpha": 0.0, "beta": 1.0, "a": 3.5},
        "cifar10": {"alpha": 1.0, "beta": 4.0, "a": 5.0},
        "cifar100": {"alpha": 10.0, "beta": 0.1, "a": 1.5},
    },
)

PUBLISHED_NCE_AGCE = Published(
    f"{ZHOU}; webvision and clothing1m: the latter two",
    {
        "mnist": {"alpha": 0.0, "beta": 1.0, "a": 4.0, "q": 0.2},
        "cifar10": {"alpha": 1.0, "beta": 4.0, "a": 6.0, "q": 1.5},
        "cifar100": {"alpha": 10.0, "beta": 0.1, "a": 1.8, "q": 3.0},
        "webvision": {"alpha": 50.0, "beta": 0.1, "a": 2.5, "q": 3.0},
        "clothing1m": {"alpha": 50.0, "beta": 0.1, "a": 2.5, "q": 3.0},
    },
)


@LOSSES.register("nce_mae", published=PUBLISHED_NCE_MAE)
@dataclass(frozen=True)
class NormalizedCrossEntropyWithMeanAbsoluteError(SoftmaxLoss):
    """L = alpha NCE + beta MAE, with MAE = 2 (1 - a_k).

    Bounded by alpha + 2 beta and symmetric: Σ_k L = alpha + 2 beta (K - 1). The gradient is the
    weighted sum of the two; at large logits that of NCE is what is left of it.

    Args:
        alpha: >= 0, default 1 (CIFAR-10; 10 for CIFAR-100, 1 for MNIST).
        beta: >= 0, default 1 (CIFAR-10 and CIFAR-100; 100 for MNIST).

    Source: Ma et al., Normalized Loss Functions (ICML 2020). Their code writes MAE without the
    factor 2: its beta = 1 is beta = 0.5 here.
    """

    alpha: Annotated[float, Range(0)] = 1.0
    beta: Annotated[float, Range(0)] = 1.0

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        active = NormalizedCrossEntropy().term(softmax)
        return self.alpha * active + self.beta * MeanAbsoluteError().term(softmax)


@LOSSES.register("nfl_mae", published=PUBLISHED_NFL_MAE)
@dataclass(frozen=True)
class NormalizedFocalLossWithMeanAbsoluteError(SoftmaxLoss):
    """L = alpha NFL + beta MAE, with MAE = 2 (1 - a_k).

    Bounded by alpha + 2 beta and symmetric: Σ_k L = alpha + 2 beta (K - 1). The gradient is the
    weighted sum of the two; at large logits that of NFL is what is left of it.

    Args:
        alpha: >= 0, default 1 (CIFAR-10; 10 for CIFAR-100, 1 for MNIST).
        beta: >= 0, default 1 (CIFAR-10 and CIFAR-100; 10 for MNIST).
        gamma: >= 0, default 0.5.
        focal_factors: as in `NormalizedFocalLoss`.

    Source: Ma et al., Normalized Loss Functions (ICML 2020). Their code writes MAE without the
    factor 2: its beta = 1 is beta = 0.5 here.
    """

    alpha: Annotated[float, Range(0)] = 1.0
    beta: Annotated[float, Range(0)] = 1.0
    gamma: Annotated[float, Range(0)] = 0.5
    focal_factors: FocalFactors = "differentiated"

    @property
    def is_gradient_rule(self) -> bool:
        """Whether the gradient differs from the derivative of the value."""
        return NormalizedFocalLoss(self.gamma, self.focal_factors).is_gradient_rule

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        active = NormalizedFocalLoss(self.gamma, self.focal_factors).term(softmax)
        return self.alpha * active + self.beta * MeanAbsoluteError().term(softmax)


@LOSSES.register("nce_agce", published=PUBLISHED_NCE_AGCE)
@dataclass(frozen=True)
class NormalizedCrossEntropyWithAsymmetricGeneralizedCrossEntropy(SoftmaxLoss):
    """L = alpha NCE + beta AGCE(a, q).

    Bounded by alpha + beta ((a + 1)^q - a^q) / q; symmetric only for q = 1. The gradient is the
    weighted sum of the two; at large logits that of NCE is what is left of it.

    Args:
        alpha: >= 0, default 1 (CIFAR-10; 10 for CIFAR-100).
        beta: >= 0, default 4 (CIFAR-10; 0.1 for CIFAR-100).
        a: > 0, default 6 (CIFAR-10; 1.8 for CIFAR-100).
        q: > 0, default 1.5 (CIFAR-10; 3 for CIFAR-100).

    Source: Zhou et al., Asymmetric Loss Functions (ICML 2021).
    """

    alpha: Annotated[float, Range(0)] = 1.0
    beta: Annotated[float, Range(0)] = 4.0
    a: Annotated[float, Range(0, low_open=True)] = 6.0
    q: Annotated[float, Range(0, low_open=True)] = 1.5

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        active = NormalizedCrossEntropy().term(softmax)
        asymmetric = AsymmetricGeneralizedCrossEntropy(self.a, self.q).term(softmax)
        return self.alpha * active + self.beta * asymmetric


@LOSSES.register("nce_rce", published=PUBLISHED_NCE_RCE)
@dataclass(frozen=True)
class NormalizedCrossEntropyWithReverseCrossEntropy(SoftmaxLoss):
    """L = alpha NCE + beta RCE, with RCE = -ln 1e-4 (1 - a_k) = 9.2103 (1 - a_k).

    Bounded by alpha + 9.2103 beta and symmetric: Σ_k L = alpha + 9.2103 beta (K - 1). The gradient
    is the weighted sum of the two; at large logits that of NCE is what is left of it. As RCE is
    4.605 MAE, this is `nce_mae` with that many times its beta.

    Args:
        alpha: >= 0, default 1 (CIFAR-10; 10 for CIFAR-100, 1 for MNIST).
        beta: >= 0, default 1 (CIFAR-10; 0.1 for CIFAR-100, 10 for MNIST).

    Source: Ma et al., Normalized Loss Functions (ICML 2020).
    """

    alpha: Annotated[float, Range(0)] = 1.0
    beta: Annotated[float, Range(0)] = 1.0

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        active = NormalizedCrossEntropy().term(softmax)
        return self.alpha * active + self.beta * ReverseCrossEntropy().term(softmax)


@LOSSES.register("nfl_rce", published=PUBLISHED_NFL_RCE)
@dataclass(frozen=True)
class NormalizedFocalLossWithReverseCrossEntropy(SoftmaxLoss):
    """L = alpha NFL + beta RCE, with RCE = -ln 1e-4 (1 - a_k) = 9.2103 (1 - a_k).

    Bounded by alpha + 9.2103 beta and symmetric: Σ_k L = alpha + 9.2103 beta (K - 1). The gradient
    is the weighted sum of the two; at large logits that of NFL is what is left of it.

    Args:
        alpha: >= 0, default 1 (CIFAR-10; 10 for CIFAR-100, 1 for MNIST).
        beta: >= 0, default 1 (CIFAR-10; 0.1 for CIFAR-100, 10 for MNIST).
        gamma: >= 0, default 0.5.
        focal_factors: as in `NormalizedFocalLoss`.

    Source: Ma et al., Normalized Loss Functions (ICML 2020).
    """

    alpha: Annotated[float, Range(0)] = 1.0
    beta: Annotated[float, Range(0)] = 1.0
    gamma: Annotated[float, Range(0)] = 0.5
    focal_factors: FocalFactors = "differentiated"

    @property
    def is_gradient_rule(self) -> bool:
        """Whether the gradient differs from the derivative of the value."""
        return NormalizedFocalLoss(self.gamma, self.focal_factors).is_gradient_rule

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        active = NormalizedFocalLoss(self.gamma, self.focal_factors).term(softmax)
        return self.alpha * active + self.beta * ReverseCrossEntropy().term(softmax)


@LOSSES.register("nce_aul", published=PUBLISHED_NCE_AUL)
@dataclass(frozen=True)
class NormalizedCrossEntropyWithAsymmetricUnhingedLoss(SoftmaxLoss):
    """L = alpha NCE + beta AUL(a, q).

    Bounded by alpha + beta (a^q - (a - 1)^q) / q; symmetric only for q = 1. The gradient is the
    weighted sum of the two; at large logits that of NCE is what is left of it.

    Args:
        alpha: >= 0, default 1 (CIFAR-10; 10 for CIFAR-100).
        beta: >= 0, default 4 (CIFAR-10; 0.015 for CIFAR-100).
        a: > 1, default 6.3 (CIFAR-10; 6 for CIFAR-100).
        q: > 0, default 1.5 (CIFAR-10; 3 for CIFAR-100).

    Source: Zhou et al., Asymmetric Loss Functions (ICML 2021).
    """

    alpha: Annotated[float, Range(0)] = 1.0
    beta: Annotated[float, Range(0)] = 4.0
    a: Annotated[float, Range(1, low_open=True)] = 6.3
    q: Annotated[float, Range(0, low_open=True)] = 1.5

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        active = NormalizedCrossEntropy().term(softmax)
        asymmetric = AsymmetricUnhingedLoss(self.a, self.q).term(softmax)
        return self.alpha * active + self.beta * asymmetric


@LOSSES.register("nce_ael", published=PUBLISHED_NCE_AEL)
@dataclass(frozen=True)
class NormalizedCrossEntropyWithAsymmetricExponentialLoss(SoftmaxLoss):
    """L = alpha NCE + beta AEL(a).

    In [beta exp(-1/a), alpha + beta]; not symmetric. The gradient is the weighted sum of the two;
    at large logits that of NCE is what is left of it.

    Args:
        alpha: >= 0, default 1 (CIFAR-10; 10 for CIFAR-100).
        beta: >= 0, default 4 (CIFAR-10; 0.1 for CIFAR-100).
        a: > 0, default 5 (CIFAR-10; 1.5 for CIFAR-100).

    Source: Zhou et al., Asymmetric Loss Functions (ICML 2021).
    """

    alpha: Annotated[float, Range(0)] = 1.0
    beta: Annotated[float, Range(0)] = 4.0
    a: Annotated[float, Range(0, low_open=True)] = 5.0

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        active = NormalizedCrossEntropy().term(softmax)
        return self.alpha * active + self.beta * AsymmetricExponentialLoss(self.a).term(softmax)
