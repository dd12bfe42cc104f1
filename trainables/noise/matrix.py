"""Noise given by a transition matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from trainables.noise import NOISES, NoiseContext
from trainables.noise.stratify import stratified
from trainables.registry import ParameterError, Range

if TYPE_CHECKING:
    from torch import Tensor

ROW_SUM_TOLERANCE = 1e-6
"""Rows are shares that a person typed; they are divided by their sum after this check."""


@NOISES.register("matrix")
@dataclass(frozen=True)
class MatrixNoise:
    """An image of class k is labelled j with probability matrix[k][j], independently per image.

    One uniform number per image decides its label, so matrices are compared on the same draws.

    Args:
        matrix: K rows (true class) of K probabilities (given class), each row summing to 1.
        exact: matrix[k][j] · n images of each class of n images, each count within one of that,
            instead of each image by its own chance.

    Raises:
        ParameterError: the matrix is not square, or a row does not sum to 1.
    """

    matrix: Annotated[tuple[tuple[float, ...], ...], Range(0, 1)]
    exact: bool = False

    def __post_init__(self) -> None:
        if not self.matrix or any(len(row) != len(self.matrix) for row in self.matrix):
            raise ParameterError("'matrix' must be square", key="matrix")
        for index, row in enumerate(self.matrix):
            if abs(sum(row) - 1) > ROW_SUM_TOLERANCE:
                raise ParameterError(
                    f"row {index} of 'matrix' sums to {sum(row):g}, not 1", key="matrix"
                )

    def __call__(self, labels: Tensor, context: NoiseContext) -> Tensor:
        """labels int64 [N] → labels int64 [N]. Raises ParameterError unless the matrix is K × K."""
        import torch

        num_classes = context.dataset.num_classes
        if len(self.matrix) != num_classes:
            raise ParameterError(
                f"'matrix' has {len(self.matrix)} rows, data set {context.dataset.name} "
                f"has {num_classes} classes",
                key="matrix",
            )
        chances = torch.rand(len(labels), generator=context.generator, dtype=torch.float64)
        if self.exact:
            chances = stratified(chances, labels)
        return _sample(torch.tensor(self.matrix, dtype=torch.float64), labels, chances)


def _sample(matrix: Tensor, labels: Tensor, chances: Tensor) -> Tensor:
    """The first column at which the cumulated row of each label exceeds its chance: int64 [N].

    Row k is moved to [k, k + 1], so that one sorted list serves all rows.
    """
    import torch

    cumulated = matrix.cumsum(dim=1)
    cumulated /= cumulated[:, -1:].clone()
    num_classes = len(matrix)
    bounds = (cumulated + torch.arange(num_classes)[:, None]).flatten()
    return torch.searchsorted(bounds, labels + chances, right=True) - labels * num_classes
