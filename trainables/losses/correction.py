"""Forward and backward correction by a transition matrix that is known."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch

from trainables.losses import LOSSES
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term
from trainables.registry import ParameterError, Range

if TYPE_CHECKING:
    from torch import Tensor

Matrix = tuple[tuple[float, ...], ...]

ROW_SUM_TOLERANCE = 1e-6
"""Rows are shares that a person typed; they are divided by their sum after this check."""


@dataclass(frozen=True)
class MatrixCorrection(SoftmaxLoss):
    """What both corrections know of the noise: T_ij = P(given label j | true class i).

    Args:
        rate: of symmetric noise, [0, 1), default 0: T_ii = 1 - rate, T_ij = rate / (K - 1). At 0
            there is nothing to correct, and the loss is cross-entropy.
        matrix: K rows (true class) of K probabilities (given label), each row summing to 1, in
            place of `rate`; as that of noise kind `matrix`.

    Raises:
        ParameterError: both are given, the matrix is not square, a row does not sum to 1, or a
            label is never given.
    """

    rate: Annotated[float, Range(0, 1, high_open=True)] = 0.0
    matrix: Annotated[Matrix | None, Range(0, 1)] = None

    def __post_init__(self) -> None:
        if self.matrix is None:
            return
        if self.rate:
            raise ParameterError("'matrix' stands in place of 'rate'; give one", key="matrix")
        if not self.matrix or any(len(row) != len(self.matrix) for row in self.matrix):
            raise ParameterError("'matrix' must be square", key="matrix")
        for index, row in enumerate(self.matrix):
            if abs(sum(row) - 1) > ROW_SUM_TOLERANCE:
                raise ParameterError(
                    f"row {index} of 'matrix' sums to {sum(row):g}, not 1", key="matrix"
                )
        for index, column in enumerate(zip(*self.matrix, strict=True)):
            if not any(column):
                raise ParameterError(
                    f"column {index} of 'matrix' is 0: no image would have this label", key="matrix"
                )

    def require_classes(self, num_classes: int) -> None:
        """Raises ParameterError unless the matrix, if there is one, is that of so many classes."""
        if self.matrix is not None and len(self.matrix) != num_classes:
            raise ParameterError(
                f"'matrix' has {len(self.matrix)} rows, the network {num_classes} classes",
                key="matrix",
            )


@LOSSES.register("forward_correction")
@dataclass(frozen=True)
class ForwardCorrection(MatrixCorrection):
    """L(z, k) = -log q_k, q_k = Σ_i T_ik a_i, a = softmax(z): the output is made noisy.

    Bounded by -log min_i T_ik where that is above 0, not symmetric. With the posterior of the true
    class r_n = T_nk a_n / q_k, ∂L/∂z_n = a_n - r_n. An unlikely label is pushed up only as far as
    its noise leaves doubt; it is pushed down where other classes give the label more often than its
    own does.

    Args:
        rate: of symmetric noise, [0, 1), default 0: T_ii = 1 - rate, T_ij = rate / (K - 1). At 0
            there is nothing to correct, and the loss is cross-entropy.
        matrix: K rows (true class) of K probabilities (given label), in place of `rate`. Known, not
            estimated.

    Source: Patrini et al., Making Deep Neural Networks Robust to Label Noise (CVPR 2017, arXiv
    1609.03683), theorem 2.
    """

    may_push_label_down: ClassVar[bool] = True

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        self.require_classes(softmax.a.shape[-1])
        if self.matrix is None:
            return self._of_rate(softmax)
        columns = _columns(self.matrix, softmax.a.dtype, softmax.a.device)
        column = columns[softmax.index.squeeze(-1)]  # T_ik of the labels k, [..., K]
        joint = softmax.log_a + column.log()
        log_q = joint.logsumexp(dim=-1, keepdim=True)
        others = softmax.error.scatter(-1, softmax.index, 0.0)  # -a_i, 0 at k
        lost = torch.linalg.vecdot(others, column - 1).unsqueeze(-1)
        lost = lost + (1 - column.gather(-1, softmax.index)) * softmax.a_k
        gradient = softmax.a - torch.exp(joint - log_q)
        return Term(-_exact_log(log_q, lost), softmax.balanced(gradient))

    def _of_rate(self, softmax: LabelledSoftmax) -> Term:
        """With symmetric noise q_k is a function of a_k alone."""
        off, kept = self.rate / (softmax.a.shape[-1] - 1), 1 - self.rate
        log_kept = softmax.log_a_k + math.log(kept)
        log_q = torch.logaddexp(log_kept, (off * softmax.rest).log())
        lost = self.rate * softmax.a_k + (1 - off) * softmax.rest
        slope = (off / kept - 1) * torch.exp(log_kept - log_q)
        return softmax.term(-_exact_log(log_q, lost), slope)


@LOSSES.register("backward_correction")
@dataclass(frozen=True)
class BackwardCorrection(MatrixCorrection):
    """L(z, k) = -Σ_j (T⁻¹)_kj log a_j with a = softmax(z): the noise is taken out of the loss.

    Unbounded on both sides: its mean over the noise is cross-entropy, which single labels may
    undercut as far as they like. Σ_k L is no constant. ∂L/∂z_n = a_n - (T⁻¹)_kn, which stays where
    the network contradicts the label.

    Args:
        rate: of symmetric noise, below (K - 1) / K, default 0: T_ii = 1 - rate,
            T_ij = rate / (K - 1). At 0 there is nothing to correct: the loss is cross-entropy.
        matrix: K rows (true class) of K probabilities (given label), in place of `rate`. Known, not
            estimated, and invertible.

    Source: Patrini et al., Making Deep Neural Networks Robust to Label Noise (CVPR 2017, arXiv
    1609.03683), theorem 1.
    """

    may_push_label_down: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.matrix is not None:
            _inverse(self.matrix)

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        row = self._row(softmax)
        others = row.scatter(-1, softmax.index, 0.0)
        labelled = row.gather(-1, softmax.index)
        apart = torch.linalg.vecdot(others, softmax.log_a).unsqueeze(-1)
        # 1[n = k] - (T⁻¹)_kn, so that nothing cancels at a_k → 1.
        gradient = others.neg().scatter_(-1, softmax.index, 1 - labelled) - softmax.error
        return Term(-labelled * softmax.log_a_k - apart, gradient)

    def _row(self, softmax: LabelledSoftmax) -> Tensor:
        """(T⁻¹)_kj [..., K] of the labels k."""
        num_classes = softmax.a.shape[-1]
        self.require_classes(num_classes)
        if self.matrix is None:
            off = self.rate / (num_classes - 1)
            kept = 1 - self.rate - off
            if kept <= 0:
                raise ParameterError(
                    f"noise of rate {self.rate:g} leaves nothing to tell {num_classes} classes by",
                    key="rate",
                )
            row = torch.full_like(softmax.a, -off / kept)
            return row.scatter_(-1, softmax.index, (1 - off) / kept)
        rows = _inverse_rows(self.matrix, softmax.a.dtype, softmax.a.device)
        return rows[softmax.index.squeeze(-1)]


def _exact_log(log_q: Tensor, lost: Tensor) -> Tensor:
    """log q, which above one half keeps its digits only as log(1 - lost), lost = 1 - q."""
    return torch.where(lost < 0.5, torch.log1p(-lost), log_q)


def _normalized(matrix: Matrix) -> Tensor:
    """float64 [K, K] whose rows sum to 1 exactly enough."""
    shares = torch.tensor(matrix, dtype=torch.float64)
    return shares / shares.sum(dim=1, keepdim=True)


@functools.lru_cache(maxsize=32)
def _columns(matrix: Matrix, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Tᵀ on a device, where it stays: recorded steps read it there."""
    return _normalized(matrix).T.contiguous().to(device=device, dtype=dtype)


@functools.lru_cache(maxsize=32)
def _inverse_rows(matrix: Matrix, dtype: torch.dtype, device: torch.device) -> Tensor:
    """T⁻¹ on a device, where it stays."""
    return _inverse(matrix).to(device=device, dtype=dtype)


def _inverse(matrix: Matrix) -> Tensor:
    """T⁻¹, float64 [K, K]. Raises ParameterError if there is none."""
    inverse: Tensor
    inverse, info = torch.linalg.inv_ex(_normalized(matrix))
    if int(info) or not bool(inverse.isfinite().all()):
        raise ParameterError("'matrix' has no inverse", key="matrix")
    return inverse
