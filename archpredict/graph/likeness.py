"""Likeness: nodes that messages cannot tell from each other, so that their states need to be computed only once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from archpredict._typing import IntArray
from archpredict.graph.levels import Bags, gathered
from archpredict.graph.mixing import FACTORS, Keys, mixed
from archpredict.graph.packed import PackedGraphs


@dataclass(frozen=True, eq=False)
class Rounds:
    """What a row of a round of messages hears, of the rows of the round before.

    Rows of a round stand for the nodes that are alike in operator and in all that they have heard. With no messages
    yet they are the operator numbers.

    Args:
        own: ``(C,)`` row that each row was.
        heard: Rows heard along the edges, as bags, and, for gradients, the rows that hear each.
        against: The same against the edges; None where nothing is heard so.
    """

    own: Tensor
    heard: tuple[Bags, Bags]
    against: tuple[Bags, Bags] | None


def rounds(
    packed: PackedGraphs, count: int, num_ops: int, *, both: bool = False, device: torch.device
) -> tuple[list[Rounds], IntArray]:
    """Rounds of messages, and ``(T,)`` each node's row after the last.

    Nodes are told apart by sums of 64 mixed bits: of a billion nodes two would be taken for alike by mistake with a
    chance of three in a hundred, of a million with one of three in a hundred million.

    Args:
        packed: The graphs.
        count: Number of rounds.
        num_ops: Size of the vocabulary; number 0 has a row too.
        both: Whether nodes also hear what is sent against the edges.
        device: Where tensors go.
    """
    offset = np.repeat(packed.node_start[:-1], np.diff(packed.edge_start))
    source, target = packed.source + offset, packed.target + offset
    keys, before, size = mixed(packed.op.astype(np.uint64), 0), packed.op.astype(np.int64), num_ops + 1
    made = []
    for _ in range(count):
        keys = _next_keys(keys, source, target, both)
        _, first, after = np.unique(keys, return_index=True, return_inverse=True)
        heard = _bags(first, source, target, after, before, size, device)
        against = _bags(first, target, source, after, before, size, device) if both else None
        made.append(Rounds(torch.from_numpy(before[first]).to(device), heard, against))
        before, size = after, len(first)
    return made, before


def merged(packed: PackedGraphs) -> tuple[PackedGraphs, IntArray]:
    """One graph in which nodes are one that are alike in operator and in all that leads to them, and each node's there.

    Of 1,000 cells a third of the nodes are left. See :func:`rounds` for how nodes are told apart.
    """
    offset = np.repeat(packed.node_start[:-1], np.diff(packed.edge_start))
    source, target = packed.source + offset, packed.target + offset
    _, first, row = np.unique(packed.history, return_index=True, return_inverse=True)
    is_first = np.zeros(len(row), dtype=bool)
    is_first[first] = True
    kept = is_first[target]
    graph = PackedGraphs(
        vocabulary=packed.vocabulary,
        op=packed.op[first],
        cell=np.zeros(len(first), dtype=np.uint8),
        node_start=np.array([0, len(first)]),
        source=row[source[kept]],
        target=row[target[kept]],
        edge_op=packed.edge_op[kept],
        edge_start=np.array([0, int(kept.sum())]),
    )
    vars(graph)["levels"] = packed.levels[:, first]  # found already
    return graph, row


class Hear(torch.autograd.Function):
    """``(C, D)`` sums of the rows that each row hears."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, bags: tuple[Bags, Bags]) -> Tensor:
        ctx.back = bags[1]
        return gathered(rows, bags[0])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gathered(gradients[0].contiguous(), ctx.back), None


def _next_keys(keys: Keys, source: IntArray, target: IntArray, both: bool) -> Keys:
    total = keys * FACTORS[0]
    np.add.at(total, target, mixed(keys, 1)[source])
    if both:
        np.add.at(total, source, mixed(keys, 2)[target])
    return mixed(total, 0)


def _bags(
    first: IntArray,
    source: IntArray,
    target: IntArray,
    after: IntArray,
    before: IntArray,
    size: int,
    device: torch.device,
) -> tuple[Bags, Bags]:
    """What the first node of each row hears, and the other way round."""
    is_first = np.zeros(len(after), dtype=bool)
    is_first[first] = True
    kept = is_first[target]
    hearing, heard = after[target[kept]], before[source[kept]]
    return _grouped(hearing, heard, len(first), device), _grouped(heard, hearing, size, device)


def _grouped(by: IntArray, values: IntArray, count: int, device: torch.device) -> Bags:
    size = np.bincount(by, minlength=count)
    ordered = values[np.argsort(by, kind="stable")]
    return torch.from_numpy(ordered).to(device), torch.from_numpy(np.cumsum(size) - size).to(device)
