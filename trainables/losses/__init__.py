"""Training losses: one file per family, each loss per sample and free of state.

`build_loss` is the public door. A loss is a callable `loss(logits [N, K], labels [N]) -> [N]`:
differentiable, any floating dtype, on the device of its input, class count read from the logits.
Built-in losses take any number of leading axes in place of N, never wait for the device, and keep
value and gradient finite for finite logits.

Optional attributes say more about a loss: `is_gradient_rule = True` (its gradient is not the
derivative of its value), `sees_logit_size = True` (a shift of all logits by one number changes it),
`may_push_label_down = True` (gradient descent may lower the labelled logit), the members of
`PruningLoss`, and `sum_bounds(num_classes)`: the least and the most that Σ_k L(z, k) can be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from trainables.config import Choice
from trainables.registry import Parameter, ParameterError, Range, Registry

if TYPE_CHECKING:
    from torch import Tensor

Loss = Callable[["Tensor", "Tensor"], "Tensor"]


@runtime_checkable
class PruningLoss(Protocol):
    """A loss that is trained by turns with a choice of the training samples.

    Samples carry a weight w_i, 1 at first. An epoch minimises the mean of w_i · kept_loss_i over
    each batch (divided by the batch size, pruned samples included). Where `prunes_after(e)` holds
    for e finished epochs, a pass over the training set without augmentation, in evaluation mode,
    sets w_i = 1 where `keeps`, else 0, for all samples, the pruned ones too. The published schedule
    takes the network with the best validation accuracy for the pass and goes on with the current.
    The call itself stays the truncated loss of its definition.
    """

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor: ...

    @property
    def kept_loss(self) -> Loss:
        """Loss of a sample that is kept."""

    def keeps(self, logits: Tensor, labels: Tensor) -> Tensor:
        """logits [N, K], labels int64 [N] → bool [N]."""

    def prunes_after(self, epoch: int) -> bool:
        """Whether a pass follows `epoch` finished epochs."""


LOGIT_BIAS = (
    Parameter("logit_bias", float | tuple[float, ...], 0.0, Range()),
    Parameter("logit_bias_epochs", int, 11, Range(1)),
)
"""Taken by every loss: ε as a number, or a cycle of values held for so many epochs each."""

LOSSES: Registry[Loss] = Registry(
    "loss",
    {
        "ce": "trainables.losses.ce",
        "mae": "trainables.losses.mae",
        "gce": "trainables.losses.gce",
        "tgce": "trainables.losses.gce",
        "sce": "trainables.losses.sce",
        "bitempered": "trainables.losses.bitempered",
        "nce": "trainables.losses.normalized",
        "nfl": "trainables.losses.normalized",
        "agce": "trainables.losses.agce",
        "nfl_mae": "trainables.losses.combined",
        "nce_mae": "trainables.losses.combined",
        "nce_agce": "trainables.losses.combined",
        "imae": "trainables.losses.imae",
        "rce": "trainables.losses.sce",
        "focal": "trainables.losses.focal",
        "aul": "trainables.losses.asymmetric",
        "ael": "trainables.losses.asymmetric",
        "phuber_ce": "trainables.losses.phuber",
        "phuber_gce": "trainables.losses.phuber",
        "taylor_ce": "trainables.losses.taylor",
        "js": "trainables.losses.js",
        "ngce": "trainables.losses.normalized",
        "nnce": "trainables.losses.negative",
        "nnfl": "trainables.losses.negative",
        "anl_ce": "trainables.losses.negative",
        "anl_fl": "trainables.losses.negative",
        "nce_rce": "trainables.losses.combined",
        "nfl_rce": "trainables.losses.combined",
        "nce_aul": "trainables.losses.combined",
        "nce_ael": "trainables.losses.combined",
        "mse": "trainables.losses.squared",
        "amse": "trainables.losses.squared",
        "jal_ce": "trainables.losses.squared",
        "jal_fl": "trainables.losses.squared",
        "eps_ce": "trainables.losses.eps_softmax",
        "eps_ce_mae": "trainables.losses.eps_softmax",
        "label_smoothing": "trainables.losses.targets",
        "bootstrap_soft": "trainables.losses.targets",
        "bootstrap_hard": "trainables.losses.targets",
        "ldr_kl": "trainables.losses.ldr",
        "logit_clip": "trainables.losses.length",
        "sr": "trainables.losses.length",
        "forward_correction": "trainables.losses.correction",
        "backward_correction": "trainables.losses.correction",
    },
    common=LOGIT_BIAS,
    group="orchestrator.losses",
)


def build_loss(spec: Mapping[str, Any] | Choice, num_classes: int) -> Loss:
    """The loss that `spec` describes, with its logit bias.

    Args:
        spec: `{"name": "gce", "q": 0.7, "logit_bias": 0.5}` or the same as a Choice;
            `"defaults": "cifar100"` stands for the parameters published for this data set.
        num_classes: K >= 2.

    Returns:
        A callable: logits [N, K] of any float dtype, labels int64 [N] → loss [N].

    Raises:
        ComponentError: unknown loss or parameter, value out of range, a cycle of logit biases
            (which only a training run can follow).
    """
    from trainables.losses.logit_bias import BiasedLoss
    from trainables.losses.published import written_out

    if num_classes < 2:
        raise ParameterError(f"a loss needs at least 2 classes, not {num_classes}")
    choice = spec if isinstance(spec, Choice) else _choice(spec)
    resolved = LOSSES.resolve(written_out(choice))
    bias = resolved.get("logit_bias")
    if not isinstance(bias, float):
        raise ParameterError("a cycle of logit biases needs a training run", key="logit_bias")
    loss = LOSSES.build(resolved)
    return BiasedLoss(loss, bias) if bias else loss


def _choice(spec: Mapping[str, Any]) -> Choice:
    if not isinstance(spec.get("name"), str):
        raise ParameterError("a loss needs a 'name'", key="name")
    return Choice.of(spec["name"], {key: value for key, value in spec.items() if key != "name"})
