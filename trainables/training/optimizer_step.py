"""The update step of S members: torch's fused SGD for one, SGD with a rate per member for several.

Both keep the same state under the same names, so that a member may change from one to the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainables.optimizers.sgd import SGD
from trainables.training.gradients import Shaping

MemberState = Mapping[int, Mapping[str, Any]]
"""Position of a parameter → its state by name, as `Optimizer.state_dict()["state"]` has it."""


class Updates(Protocol):
    """Gradients → new weights."""

    def zero_grad(self) -> None: ...

    def step(self) -> None: ...

    def set_learning_rates(self, rates: Sequence[float]) -> None:
        """One per member, from the next step on."""

    def member_state(self, member: int) -> MemberState:
        """What a member's next step depends on beside its weights."""


class LoneUpdates:
    """One member with an optimizer of torch.

    Args:
        optimizer: over all of `parameters`, in any groups.
        parameters: of the network, in its order, by which states are named.
        shaping: of gradients before each step.
        state: None to start.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        parameters: Sequence[nn.Parameter],
        shaping: Shaping,
        state: MemberState | None,
    ) -> None:
        self._optimizer, self._parameters, self._shaping = optimizer, parameters, shaping
        places = {id(weight): place for place, weight in enumerate(parameters)}
        grouped = [weight for group in optimizer.param_groups for weight in group["params"]]
        self._places = [places[id(weight)] for weight in grouped]
        if state:
            groups = optimizer.state_dict()["param_groups"]
            known = {i: state[place] for i, place in enumerate(self._places) if place in state}
            optimizer.load_state_dict({"state": known, "param_groups": groups})
        for group in optimizer.param_groups:
            group["lr"] = _rate_in_memory(group["lr"], group["params"][0].device)

    def zero_grad(self) -> None:
        self._optimizer.zero_grad(set_to_none=True)

    def step(self) -> None:
        self._shaping(self._parameters, stacked=False)
        self._optimizer.step()

    def set_learning_rates(self, rates: Sequence[float]) -> None:
        (rate,) = rates
        for group in self._optimizer.param_groups:
            group["lr"].fill_(rate)

    def member_state(self, member: int) -> MemberState:
        del member
        state: MemberState = self._optimizer.state_dict()["state"]
        return {self._places[position]: entry for position, entry in sorted(state.items())}


def _rate_in_memory(rate: float, device: torch.device) -> Tensor:
    """A learning rate that a recorded step reads anew each time, as precise as torch reads it."""
    dtype = torch.float32 if device.type == "cuda" else torch.float64
    return torch.tensor(rate, dtype=dtype, device=device)


class StackedUpdates:
    """SGD on parameters [S, …] with a learning rate per member.

    Args:
        parameters: of a `StackedNetwork`.
        rule: momentum, weight decay and form, shared by the members.
        shaping: of gradients before each step.
        states: of each member; None for one that starts.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        rule: SGD,
        shaping: Shaping,
        states: Sequence[MemberState | None],
    ) -> None:
        self._parameters, self._rule, self._shaping = list(parameters), rule, shaping
        # Zero is the state before the first step: torch's momentum has no dampening there.
        self._momenta = [torch.zeros_like(weight) for weight in self._parameters]
        self._rates = torch.zeros(len(states), device=self._parameters[0].device)
        for member, state in enumerate(states):
            for position, entry in (state or {}).items():
                if (momentum := entry.get("momentum_buffer")) is not None:
                    self._momenta[position][member].copy_(momentum)

    def zero_grad(self) -> None:
        for weight in self._parameters:
            weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        self._shaping(self._parameters, stacked=True)
        for weight, momentum in zip(self._parameters, self._momenta, strict=True):
            assert weight.grad is not None
            change = self._change(weight, weight.grad, momentum)
            rates = self._rates.view(-1, *[1] * (weight.dim() - 1))
            weight.addcmul_(rates, change, value=-1)

    def _change(self, weight: Tensor, gradient: Tensor, momentum: Tensor) -> Tensor:
        is_vector = weight.dim() <= 2  # one dimension more than in a lone network
        if self._rule.weight_decay and not (self._rule.exempt_vectors and is_vector):
            gradient = gradient.add(weight, alpha=self._rule.weight_decay)
        if not self._rule.momentum:
            return gradient
        momentum.mul_(self._rule.momentum).add_(gradient)
        if self._rule.nesterov:
            return gradient.add(momentum, alpha=self._rule.momentum)
        return momentum

    def set_learning_rates(self, rates: Sequence[float]) -> None:
        self._rates.copy_(torch.tensor(rates))

    def member_state(self, member: int) -> MemberState:
        return {
            position: {"momentum_buffer": momentum[member].clone()}
            for position, momentum in enumerate(self._momenta)
        }
