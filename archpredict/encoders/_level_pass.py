"""One pass of the asynchronous encoder over level sets, with its gradient written out.

At the sizes of cells most of a training's time is spent between operations, not in them: automatic differentiation
would record some ten small ones per level. Here a level takes seven forwards and six backwards, and the gradients of
all weights are a few products for all levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from archpredict.graph.levels import LevelSets, gathered


class Weights(NamedTuple):
    """Weights of one pass; with several members of an ensemble each begins with a dimension of ``M``.

    Args:
        embeddings: ``(O, D)`` of operators, the states before the first pass.
        own, bias: ``(D, D)`` and ``(D,)`` of a node's own part.
        gate: ``(O, D)`` logits by operator; None for no gate.
        heard: ``(D, D)`` of what is heard.
        scale, shift: ``(D,)`` of the layer norm.
        eps: Added to the variance.
    """

    embeddings: Tensor
    own: Tensor
    bias: Tensor
    gate: Tensor | None
    heard: Tensor
    scale: Tensor
    shift: Tensor
    eps: float


class States(NamedTuple):
    """The states after a pass, and where they are needed.

    Args:
        rows: ``(R', D)``.
        where: ``(R,)`` the row of each node in the next pass's level sets.
    """

    rows: Tensor
    where: Tensor


def level_pass(levels: LevelSets, before: States | None, kept: Tensor | None, weights: Weights) -> Tensor:
    """``h_v <- h_v + kept_v relu(norm(W_s h_v + sigmoid(gate_op(v)) * W sum_{u -> v} h_u))``, level after level.

    Args:
        levels: The rows.
        before: The states of the pass before; None in the first one.
        kept: ``(R, D)``, each 0 or one and the same number (dropout); all 1 if None.
        weights: Of the pass.

    Returns:
        ``(R, D)``.
    """
    if torch.is_grad_enabled():
        rows, where = (None, None) if before is None else before
        out: Tensor = _LevelPass.apply(levels, rows, where, kept, *weights)  # type: ignore[no-untyped-call]
        return out
    return _visit(levels, _parts(levels, before, weights), kept, weights, None)


class _Parts(NamedTuple):
    """What a level's update reads, ``(R, D)`` each."""

    own: Tensor
    states: Tensor
    gate: Tensor | None


def _parts(levels: LevelSets, before: States | None, weights: Weights) -> _Parts:
    """A node's own part, its state and its gate; in the first pass they are among few: looked up, not computed."""
    entries = levels.entries(weights.embeddings.shape[-2])
    gate = None if weights.gate is None else _looked_up(weights.gate.sigmoid(), entries)
    if before is None:
        own = _looked_up(_linear(weights.embeddings, weights), entries)
        return _Parts(own, _looked_up(weights.embeddings, entries), gate)
    rows, where = before
    if levels.members == 1 and len(rows) < len(where):  # several nodes share a state
        return _Parts(_linear(rows, weights).index_select(0, where), rows.index_select(0, where), gate)
    states = rows.index_select(0, where)
    return _Parts(_linear(_by_member(levels, states), weights).view_as(states), states, gate)


def _linear(rows: Tensor, weights: Weights) -> Tensor:
    product = torch.addmm if rows.dim() == 2 else torch.baddbmm
    return product(weights.bias.unsqueeze(-2), rows, weights.own.transpose(-1, -2))


def _looked_up(table: Tensor, entries: Tensor) -> Tensor:
    """Rows of the tables of all members, one below another."""
    return table.reshape(-1, table.shape[-1]).index_select(0, entries)


@dataclass(eq=False)
class _Trace:
    """What the gradient needs of each level."""

    heard: list[Tensor] = field(default_factory=list)
    received: list[Tensor] = field(default_factory=list)
    arriving: list[Tensor] = field(default_factory=list)
    normed: list[Tensor] = field(default_factory=list)
    moments: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    added: list[Tensor] = field(default_factory=list)


def _visit(levels: LevelSets, parts: _Parts, kept: Tensor | None, weights: Weights, trace: _Trace | None) -> Tensor:
    own, before, gate = parts
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
        ctx: Any, levels: LevelSets, rows: Tensor | None, where: Tensor | None, kept: Tensor | None, *weights: Any
    ) -> Tensor:
        ctx.levels, ctx.weights, ctx.trace = levels, Weights(*weights), _Trace()
        before = None if rows is None or where is None else States(rows, where)
        ctx.parts = _parts(levels, before, ctx.weights)
        ctx.before = before
        # All that is kept is one number, or nothing.
        ctx.factor = 1.0 if kept is None else float(kept.max())
        return _visit(levels, ctx.parts, kept, ctx.weights, ctx.trace)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        levels, trace = ctx.levels, ctx.trace
        weights: Weights = ctx.weights
        of_states, of_added, of_arriving, to_senders = _back(ctx, gradients[0].clone())
        of_scale, of_shift = (
            _summed(parts).mul_(ctx.factor)
            for parts in ([d * n for d, n in zip(of_added, trace.normed, strict=True)], of_added)
        )
        of_heard = torch.zeros_like(weights.heard)
        if trace.heard:
            of_heard = _joined(to_senders).transpose(-1, -2) @ _joined(trace.heard)
        of_gate = None
        if weights.gate is not None:
            received = [d * r for d, r in zip(of_arriving[1:], trace.received, strict=True)]
            of_gate = _of_table(weights.gate, levels, _joined([torch.zeros_like(of_arriving[0]), *received]))
            open_ = weights.gate.sigmoid()
            of_gate = of_gate * open_ * (1 - open_)
        of_own, of_states = _joined(of_arriving), _by_member(levels, of_states)
        if ctx.before is None:
            read, of_own = weights.embeddings, _of_table(weights.embeddings, levels, of_own)
            of_states = _of_table(weights.embeddings, levels, of_states)
        else:
            read = _by_member(levels, ctx.parts.states)
        of_read = of_states + of_own @ weights.own
        of_weight, of_bias = of_own.transpose(-1, -2) @ read, of_own.sum(-2)
        of_embeddings: Tensor | None = of_read
        of_rows: Tensor | None = None
        if ctx.before is not None:
            of_embeddings, of_rows = None, _moved_back(ctx.before, of_read.reshape(-1, of_read.shape[-1]))
        of_weights = of_embeddings, of_weight, of_bias, of_gate, of_heard, of_scale, of_shift, None
        return None, of_rows, None, None, *of_weights


def _of_table(table: Tensor, levels: LevelSets, of_rows: Tensor) -> Tensor:
    """Gradient of tables from that of the rows which were looked up in them."""
    return levels.one_hot(table.shape[-2], table.dtype) @ of_rows


def _moved_back(before: States, of_moved: Tensor) -> Tensor:
    """Gradient of the states before they were moved."""
    return torch.zeros_like(before.rows).index_add_(0, before.where, of_moved)


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
    of_gate = None if ctx.parts.gate is None else levels.blocks(ctx.parts.gate)
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


def _by_member(levels: LevelSets, rows: Tensor) -> Tensor:
    """``(R, D)`` as ``(M, R / M, D)`` with several members."""
    return rows if levels.members == 1 else rows.view(levels.members, -1, rows.shape[1])


def _joined(blocks: Sequence[Tensor]) -> Tensor:
    """All levels' rows, of each member."""
    return torch.cat(list(blocks), dim=-2)


def _summed(blocks: Sequence[Tensor]) -> Tensor:
    """Sum over the rows, of each member."""
    return _joined(blocks).sum(dim=-2)
