"""Adam on one flat vector: all parameters of a model, or of several, are updated by the same few operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_ALIGNED = 16
"""Each parameter begins at a multiple of so many numbers, as in memory of its own: kernels depend on addresses."""
_EPS = 1e-8


@dataclass(frozen=True, eq=False)
class Leaves:
    """Parameters, and where their values and gradients are kept while they are trained.

    Args:
        parameters: What a loss depends on.
        values: A view of the storage for each.
        gradients: Likewise.
    """

    parameters: list[nn.Parameter]
    values: list[Tensor]
    gradients: list[Tensor]

    def attach(self) -> None:
        """Put the parameters into the storage, so that what changes there changes in them."""
        for parameter, place in zip(self.parameters, self.values, strict=True):
            place.copy_(parameter.detach())
            parameter.data = place

    def detach(self) -> None:
        """Give each parameter memory of its own: a copy or a pickle of a view takes the whole storage along."""
        for parameter in self.parameters:
            parameter.data = parameter.detach().clone()

    def differentiate(self, loss: Tensor) -> None:
        """Write the gradients of a loss; zeros for a parameter that it does not depend on."""
        found: Sequence[Tensor | None] = torch.autograd.grad(loss, self.parameters, allow_unused=True)
        for place, gradient in zip(self.gradients, found, strict=True):
            if gradient is None:
                place.zero_()
            else:
                place.copy_(gradient)


class Flat:
    """Storage of the parameters of ``M`` models alike, ``(M, P)``, and of their gradients.

    The models' parameters become views of it, so that what changes here changes in them.

    Args:
        models: Alike, of one type of numbers, on one device.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        named = [{n: p for n, p in model.named_parameters() if p.requires_grad} for model in models]
        self.places: dict[str, tuple[int, torch.Size]] = {}
        size = 0
        for name, parameter in named[0].items():
            self.places[name] = size, parameter.shape
            size += -(-parameter.numel() // _ALIGNED) * _ALIGNED
        like = next(iter(named[0].values()), torch.zeros(0))
        self.values = torch.zeros(len(models), size, dtype=like.dtype, device=like.device)
        self.gradients = torch.zeros_like(self.values)
        self.leaves = [self._leaves(own, self.values[i], self.gradients[i]) for i, own in enumerate(named)]
        for leaves in self.leaves:
            leaves.attach()

    def stacked(self) -> dict[str, nn.Parameter]:
        """The parameters of all models by name, with a first dimension of ``M``."""
        return {name: nn.Parameter(self._view(self.values, name)) for name in self.places}

    def stacked_leaves(self, parameters: Mapping[str, nn.Parameter]) -> Leaves:
        """Those of :meth:`stacked`, and where their values and gradients are."""
        return self._leaves(parameters, self.values, self.gradients)

    def _leaves(self, parameters: Mapping[str, nn.Parameter], values: Tensor, gradients: Tensor) -> Leaves:
        views = ([self._view(flat, name) for name in parameters] for flat in (values, gradients))
        return Leaves(list(parameters.values()), *views)

    def _view(self, flat: Tensor, name: str) -> Tensor:
        begin, shape = self.places[name]
        return flat[..., begin : begin + shape.numel()].view(*flat.shape[:-1], *shape)


class Adam:
    """Adam (Kingma and Ba, ICLR 2015, arXiv 1412.6980), or AdamW (Loshchilov and Hutter, ICLR 2019, arXiv 1711.05101).

    Args:
        values: Parameters, of any shape; changed in place.
        gradients: Their gradients, of the same shape.
        leaves: The parameters one by one, whose gradients are views of ``gradients``.
        rate: Learning rate, which may be set before each step.
        betas: Decay rates of the moments.
        weight_decay: Decoupled, or added to the gradient.
        decoupled: AdamW.
    """

    def __init__(
        self,
        values: Tensor,
        gradients: Tensor,
        leaves: Leaves,
        *,
        rate: float,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        decoupled: bool = True,
    ) -> None:
        self.values, self.gradients, self.leaves = values, gradients, leaves
        self.rate, self.betas, self.weight_decay, self.decoupled = rate, betas, weight_decay, decoupled
        self.mean, self.square = torch.zeros_like(values), torch.zeros_like(values)
        self.steps = 0

    def minimize(self, loss: Tensor) -> None:
        """One step down the gradient of a loss."""
        self.leaves.differentiate(loss)
        self._step()

    @torch.no_grad()
    def _step(self) -> None:
        gradients, (first, second) = self.gradients, self.betas
        self.steps += 1
        if self.weight_decay:
            if self.decoupled:
                self.values.mul_(1 - self.rate * self.weight_decay)
            else:
                gradients = gradients.add(self.values, alpha=self.weight_decay)
        self.mean.lerp_(gradients, 1 - first)
        self.square.mul_(second).addcmul_(gradients, gradients, value=1 - second)
        root = self.square.sqrt().div_((1 - second**self.steps) ** 0.5).add_(_EPS)
        self.values.addcdiv_(self.mean, root, value=-self.rate / (1 - first**self.steps))

    def row(self, i: int, leaves: Leaves) -> Adam:
        """The optimiser of one row, which goes on from here and shares all with this one but the number of steps."""
        own = Adam(
            self.values[i],
            self.gradients[i],
            leaves,
            rate=self.rate,
            betas=self.betas,
            weight_decay=self.weight_decay,
            decoupled=self.decoupled,
        )
        own.mean, own.square, own.steps = self.mean[i], self.square[i], self.steps
        return own
