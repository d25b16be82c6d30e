"""One pass of the asynchronous encoder over level sets, with its gradient written out.

At the sizes of cells most of a training's time is spent between operations, not in them: automatic differentiation
would record some ten small ones per level. Here a level takes seven forwards and six backwards, and the gradients of
all weights are one product for all levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from archpredict.graph.levels import LevelSets, gathered


@dataclass(frozen=True, eq=False)
class Weights:
    """Of one pass; with several members of an ensemble each begins with a dimension of ``M``.

    Args:
        heard: ``(D, D)`` of what is heard.
        scale, shift: ``(D,)`` of the layer norm.
        eps: Added to the variance.
    """

    heard: Tensor
    scale: Tensor
    shift: Tensor
    eps: float


@dataclass(eq=False)
class _Trace:
    """What the gradient needs of each level."""

    heard: list[Tensor] = field(default_factory=list)
    received: list[Tensor] = field(default_factory=list)
    arriving: list[Tensor] = field(default_factory=list)
    normed: list[Tensor] = field(default_factory=list)
    moments: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    added: list[Tensor] = field(default_factory=list)


def level_pass(
    levels: LevelSets, own: Tensor, before: Tensor, gate: Tensor | None, kept: Tensor | None, weights: Weights
) -> Tensor:
    """``h_v = before_v + kept_v relu(norm(own_v + gate_v * W sum_{u -> v} h_u))``, level after level.

    Args:
        levels: The rows.
        own: ``(R, D)``.
        before: ``(R, D)``.
        gate: ``(R, D)``, all 1 if None.
        kept: ``(R, D)``, each 0 or one and the same number (dropout); all 1 if None.
        weights: Of the pass.

    Returns:
        ``(R, D)``.
    """
    if torch.is_grad_enabled():
        out: Tensor = _LevelPass.apply(levels, own, before, gate, kept, *_parts(weights))  # type: ignore[no-untyped-call]
        return out
    return _visit(levels, own, before, gate, kept, weights, None)


def _parts(weights: Weights) -> tuple[Tensor, Tensor, Tensor, float]:
    return weights.heard, weights.scale, weights.shift, weights.eps


def _visit(
    levels: LevelSets,
    own: Tensor,
    before: Tensor,
    gate: Tensor | None,
    kept: Tensor | None,
    weights: Weights,
    trace: _Trace | None,
) -> Tensor:
    width = own.shape[1]
    product = torch.mm if levels.members == 1 else torch.bmm
    transposed = weights.heard.transpose(-1, -2)
    scale, shift = (_per_member(levels, part) for part in (weights.scale, weights.shift))
    states = torch.empty_like(own)
    of_own, of_before, of_states = levels.blocks(own), levels.blocks(before), levels.blocks(states)
    of_gate = None if gate is None else levels.blocks(gate)
    of_kept = None if kept is None else levels.blocks(kept)
    for i, bags in enumerate(levels.incoming):
        arriving = of_own[i]
        if i:
            heard = gathered(states, bags).view_as(arriving)
            received = product(heard, transposed)
            arriving = arriving + received if of_gate is None else torch.addcmul(arriving, of_gate[i], received)
            if trace is not None:
                trace.heard.append(heard)
                trace.received.append(received)
        if trace is None and levels.members == 1:  # in one operation
            added = torch.layer_norm(arriving, (width,), scale, shift, weights.eps).relu_()
            torch.add(of_before[i], added if of_kept is None else added.mul_(of_kept[i]), out=of_states[i])
            continue
        normed, mean, deviation = torch.native_layer_norm(arriving, (width,), None, None, weights.eps)
        added = torch.addcmul(shift, normed, scale).relu_()
        if of_kept is not None:
            added.mul_(of_kept[i])
        torch.add(of_before[i], added, out=of_states[i])
        if trace is not None:
            trace.arriving.append(arriving)
            trace.normed.append(normed)
            trace.moments.append((mean, deviation))
            trace.added.append(added)
    return states


class _LevelPass(torch.autograd.Function):
    """:func:`level_pass` where a gradient is wanted."""

    @staticmethod
    def forward(
        ctx: Any,
        levels: LevelSets,
        own: Tensor,
        before: Tensor,
        gate: Tensor | None,
        kept: Tensor | None,
        *parts: Any,
    ) -> Tensor:
        ctx.levels, ctx.weights, ctx.trace = levels, Weights(*parts), _Trace()
        ctx.gate = gate
        # All that is kept is one number, or nothing.
        ctx.factor = 1.0 if kept is None else float(kept.max())
        return _visit(levels, own, before, gate, kept, ctx.weights, ctx.trace)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        levels, weights, trace = ctx.levels, ctx.weights, ctx.trace
        of_states, of_added, of_arriving, to_senders = _back(ctx, gradients[0].clone())
        of_scale, of_shift = (
            _summed(levels, parts).mul_(ctx.factor)
            for parts in ([d * n for d, n in zip(of_added, trace.normed, strict=True)], of_added)
        )
        of_heard = torch.zeros_like(weights.heard)
        if trace.heard:
            product = torch.mm if levels.members == 1 else torch.bmm
            of_heard = product(_joined(levels, to_senders).transpose(-1, -2), _joined(levels, trace.heard))
        of_own = torch.cat([part.reshape(-1, part.shape[-1]) for part in of_arriving])
        of_gate = None
        if ctx.gate is not None:
            parts = [d * r for d, r in zip(of_arriving[1:], trace.received, strict=True)]
            of_gate = torch.cat(
                [torch.zeros_like(part.reshape(-1, part.shape[-1])) for part in of_arriving[:1]]
                + [part.reshape(-1, part.shape[-1]) for part in parts]
            )
        return None, of_own, of_states, of_gate, None, of_heard, of_scale, of_shift, None


def _back(ctx: Any, of_states: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor], list[Tensor]]:
    """Gradients of the states, and by level: of what was added (without the factor), of what arrived, and of what was
    received (none of the first level).
    """
    levels, weights, trace = ctx.levels, ctx.weights, ctx.trace
    width = of_states.shape[1]
    product = torch.mm if levels.members == 1 else torch.bmm
    scale = _per_member(levels, weights.scale) * ctx.factor
    to_heard = torch.empty_like(of_states)
    blocks, of_heard = levels.blocks(of_states), levels.blocks(to_heard)
    of_gate = None if ctx.gate is None else levels.blocks(ctx.gate)
    count = len(blocks)
    of_added: list[Tensor] = [of_states] * count
    of_arriving: list[Tensor] = [of_states] * count
    of_received: list[Tensor] = [of_states] * count
    for i in reversed(range(count)):
        gradient = blocks[i]
        if i < count - 1:
            gradient.add_(gathered(to_heard, levels.outgoing[i]).view_as(gradient))
        of_added[i] = torch.ops.aten.threshold_backward.default(gradient, trace.added[i], 0)
        of_arriving[i] = torch.ops.aten.native_layer_norm_backward.default(
            of_added[i] * scale, trace.arriving[i], [width], *trace.moments[i], None, None, [True, False, False]
        )[0]
        if i:
            of_received[i] = of_arriving[i] if of_gate is None else of_arriving[i] * of_gate[i]
            product(of_received[i], weights.heard, out=of_heard[i])
    return of_states, of_added, of_arriving, of_received[1:]


def _per_member(levels: LevelSets, weight: Tensor) -> Tensor:
    """To be multiplied with a block."""
    return weight if levels.members == 1 else weight[:, None]


def _joined(levels: LevelSets, blocks: Sequence[Tensor]) -> Tensor:
    """All levels' rows, of each member."""
    return torch.cat(list(blocks), dim=0 if levels.members == 1 else 1)


def _summed(levels: LevelSets, blocks: Sequence[Tensor]) -> Tensor:
    """Sum over the rows, of each member."""
    return _joined(levels, blocks).sum(dim=0 if levels.members == 1 else 1)
