"""Level sets: nodes at equal longest distance from where a graph begins (or ends), visited one set after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from archpredict._typing import IntArray
from archpredict.graph.packed import PackedGraphs

Bags = tuple[Tensor, Tensor]
"""Numbers of rows, bag after bag, and where each bag begins."""


@dataclass(frozen=True, eq=False)
class LevelSets:
    """Rows for the nodes of packed graphs, level after level, each node after all its predecessors (reversed:
    successors).

    The graphs may be those of ``M`` members of an ensemble, as many for each and member after member. Then so are the
    rows: each member has a block per level, as long as that of the member with the most nodes there; rows that stand
    for no node are padding.

    Args:
        packed: The graphs.
        members: ``M``.
        sizes: ``n_l`` of each level; a level has ``M n_l`` rows.
        row: ``(T,)`` row of each node.
        counts: ``(M,)`` number of nodes of each member.
        source, target: ``(E,)`` rows that edges join, in the direction of the levels.
        device: Where tensors go.
    """

    packed: PackedGraphs
    members: int
    sizes: tuple[int, ...]
    row: IntArray
    counts: IntArray
    source: IntArray
    target: IntArray
    device: torch.device

    @classmethod
    def of(
        cls, packed: PackedGraphs, *, reverse: bool = False, members: int = 1, device: torch.device | None = None
    ) -> LevelSets:
        """The level sets of packed graphs."""
        level = packed.levels[int(reverse)].astype(np.int64)
        nodes = np.diff(packed.node_start)
        per_member = nodes.reshape(members, -1).sum(1)
        member = np.repeat(np.arange(members), per_member)
        block = level * members + member
        order = np.argsort(block, kind="stable")
        num_levels = int(level.max(initial=-1)) + 1
        counts = np.bincount(block, minlength=num_levels * members).reshape(num_levels, members)
        rank = np.arange(len(level)) - (np.cumsum(counts) - counts.ravel())[block[order]]
        sizes = counts.max(axis=1, initial=0)
        begin = (np.cumsum(sizes) - sizes)[:, None] + np.arange(members) * int(sizes.sum())
        row = np.empty(len(level), dtype=np.int64)
        row[order] = begin.ravel()[block[order]] + rank
        offset = np.repeat(packed.node_start[:-1], np.diff(packed.edge_start))
        source, target = row[packed.source + offset], row[packed.target + offset]
        if reverse:
            source, target = target, source
        device = torch.device("cpu") if device is None else device
        return cls(packed, members, tuple(sizes.tolist()), row, per_member, source, target, device)

    @property
    def num_rows(self) -> int:
        """``R``."""
        return self.members * sum(self.sizes)

    @property
    def is_padded(self) -> bool:
        """Whether there are rows that stand for no node."""
        return self.num_rows > len(self.row)

    @cached_property
    def rows(self) -> Tensor:
        """:attr:`row` as a tensor."""
        return self._tensor(self.row)

    @cached_property
    def incoming(self) -> list[Bags]:
        """For each level, the rows that each of its rows hears."""
        return self._bags(self.source, self.target)

    @cached_property
    def outgoing(self) -> list[Bags]:
        """For each level, the rows that hear each of its rows."""
        return self._bags(self.target, self.source)

    @cached_property
    def listed(self) -> Tensor | None:
        """``(R,)`` for each row its place among those that stand for nodes, 0 for padding; None without padding."""
        if not self.is_padded:
            return None
        found = np.zeros(self.num_rows, dtype=np.int64)
        found[np.sort(self.row)] = np.arange(len(self.row))
        return self._tensor(found)

    def blocks(self, rows: Tensor) -> list[Tensor]:
        """``(R, D)`` cut by level: ``(n_l, D)``, or ``(M, n_l, D)`` with several members."""
        whole = rows if self.members == 1 else rows.view(self.members, -1, rows.shape[1])
        return list(whole.split(self.sizes, dim=-2))  # type: ignore[no-untyped-call]

    def entries(self, num_rows: int) -> Tensor:
        """``(R,)`` which row of its member's table, of ``num_rows`` rows, belongs to each node's operator; tables are
        stacked member after member. Padding reads the first one.
        """
        if num_rows not in self._entries:
            found = np.zeros(self.num_rows, dtype=np.int64)
            found[self.row] = self.packed.op
            found += np.repeat(np.arange(self.members) * num_rows, sum(self.sizes))
            self._entries[num_rows] = self._tensor(found)
        return self._entries[num_rows]

    @cached_property
    def _entries(self) -> dict[int, Tensor]:
        return {}

    @cached_property
    def readout(self) -> Readout:
        """Means over the rows of cells."""
        return Readout.of(self)

    def one_hot(self, num_rows: int, dtype: torch.dtype) -> Tensor:
        """``(num_rows, R)``, or ``(M, num_rows, R / M)`` with several members: 1 where a row's operator is a table's
        row; the columns of padding are 0.
        """
        if (num_rows, dtype) not in self._one_hot:
            found = np.zeros((self.num_rows, num_rows), dtype=np.float32)
            found[self.row, self.packed.op] = 1
            columns = found.reshape(self.members, -1, num_rows).swapaxes(1, 2)
            whole = torch.from_numpy(np.ascontiguousarray(columns)).to(self.device, dtype)
            self._one_hot[num_rows, dtype] = whole if self.members > 1 else whole[0]
        return self._one_hot[num_rows, dtype]

    @cached_property
    def _one_hot(self) -> dict[tuple[int, torch.dtype], Tensor]:
        return {}

    def moved_from(self, row: IntArray) -> Tensor:
        """``(R,)`` the row of each node in other level sets of the same graphs, from these ``(T,)`` by node."""
        found = np.zeros(self.num_rows, dtype=np.int64)
        found[self.row] = row
        return self._tensor(found)

    def _bags(self, heard: IntArray, hearing: IntArray) -> list[Bags]:
        position = self._position
        visited = hearing if position is None else position[hearing]
        order = np.argsort(visited, kind="stable")
        degree = np.bincount(visited, minlength=self.num_rows)
        rows = np.array(self.sizes, dtype=np.int64) * self.members
        start = np.cumsum(degree) - degree
        first = np.cumsum(rows) - rows
        edges = np.add.reduceat(degree, first) if len(rows) else np.zeros(0, dtype=np.int64)
        begins = self._tensor(start - np.repeat(np.cumsum(edges) - edges, rows)).split(rows.tolist())  # type: ignore[no-untyped-call]
        return list(zip(self._tensor(heard[order]).split(edges.tolist()), begins, strict=True))  # type: ignore[no-untyped-call]

    @cached_property
    def _position(self) -> IntArray | None:
        """``(R,)`` the place of each row where all members' blocks of a level follow each other; None for one member,
        whose rows do.
        """
        if self.members == 1:
            return None
        sizes = np.array(self.sizes, dtype=np.int64)
        begin = np.cumsum(sizes) - sizes
        # Row begin_l + r of member m comes after all rows of lower levels and those of level l of lower members.
        lower = np.arange(self.members)[:, None] * np.repeat(sizes, sizes)
        shift = np.repeat(begin * (self.members - 1), sizes) + lower
        found: IntArray = (np.arange(sum(self.sizes)) + shift).ravel()
        return found

    def _tensor(self, values: npt.NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(values).to(self.device)


@dataclass(frozen=True, eq=False)
class Readout:
    """Means over the rows of cells: of all their nodes, and of those without a successor.

    Args:
        bags: ``2 G`` bags of ``G`` cells, all nodes and then the outputs of each.
        weights: ``(K,)`` of the bags' entries.
        whole: ``(R,)`` for each row its cell's first bag, and ``(R, 1)`` its weight there, 0 for padding.
        outputs: Rows without successor, the bag of each, and its weight ``(K, 1)``.
    """

    bags: Bags
    weights: Tensor
    whole: tuple[Tensor, Tensor]
    outputs: tuple[Tensor, Tensor, Tensor]

    @classmethod
    def of(cls, levels: LevelSets) -> Readout:
        """The readout of the rows of level sets."""
        packed = levels.packed
        group = np.repeat(np.arange(len(packed)), np.diff(packed.node_start)) * packed.num_cells + packed.cell
        num_groups = len(packed) * packed.num_cells
        leaving = np.bincount(
            packed.source + np.repeat(packed.node_start[:-1], np.diff(packed.edge_start)), minlength=len(group)
        )
        last = np.flatnonzero(leaving == 0)
        mean = 1 / np.maximum(np.bincount(group, minlength=num_groups), 1)[group]
        of_last = 1 / np.maximum(np.bincount(group[last], minlength=num_groups), 1)[group[last]]
        bag = np.concatenate([2 * group, 2 * group[last] + 1])
        order = np.argsort(bag, kind="stable")
        size = np.bincount(bag, minlength=2 * num_groups)
        whole, weight = np.zeros(levels.num_rows, dtype=np.int64), np.zeros((levels.num_rows, 1))
        whole[levels.row], weight[levels.row, 0] = 2 * group, mean

        def tensor(values: npt.NDArray[Any]) -> Tensor:
            return torch.from_numpy(values if values.dtype == np.int64 else values.astype(np.float32)).to(levels.device)

        return cls(
            (tensor(np.concatenate([levels.row, levels.row[last]])[order]), tensor(np.cumsum(size) - size)),
            tensor(np.concatenate([mean, of_last])[order]),
            (tensor(whole), tensor(weight)),
            (tensor(levels.row[last]), tensor(2 * group[last] + 1), tensor(of_last[:, None])),
        )


def gathered(rows: Tensor, bags: Bags, weights: Tensor | None = None) -> Tensor:
    """Sum of the rows in each bag; zeros for an empty one. No gradient."""
    total: Tensor = torch.embedding_bag(rows, bags[0], bags[1], False, 0, False, weights)[0]
    return total


class ReadOut(torch.autograd.Function):
    """``(R, D)`` rows to ``(2 G, D)``, as :class:`Readout` says."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, readout: Readout) -> Tensor:
        ctx.readout = readout
        return gathered(rows, readout.bags, readout.weights.to(rows.dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (whole, weight), (rows, bags, shares) = ctx.readout.whole, ctx.readout.outputs
        (gradient,) = gradients
        of_rows = gradient.index_select(0, whole).mul_(weight)
        return of_rows.index_add_(0, rows, gradient.index_select(0, bags).mul_(shares)), None


class Rows:
    """Rows that come in pieces and are read all the time: written in place where no gradient needs the old ones."""

    def __init__(self, total: int) -> None:
        self._total, self._filled = total, 0
        self._pieces: list[Tensor] = []
        self._buffer: Tensor | None = None

    def append(self, rows: Tensor) -> None:
        if torch.is_grad_enabled():
            self._pieces.append(rows)
            return
        if self._buffer is None:
            self._buffer = rows.new_empty(self._total, rows.shape[1])
        self._buffer[self._filled : self._filled + len(rows)] = rows
        self._filled += len(rows)

    def all(self) -> Tensor:
        return torch.cat(self._pieces) if self._buffer is None else self._buffer


def visited(levels: LevelSets, values: Sequence[Tensor], update: Any) -> Tensor:
    """The states ``(R, D)`` of all rows; see :meth:`archpredict.graph.batch.GraphBatch.visit`."""
    parts = [value.split(levels.sizes) for value in values]  # type: ignore[no-untyped-call]
    states, sent = Rows(levels.num_rows), Rows(levels.num_rows)
    for i, (senders, begins) in enumerate(levels.incoming):
        received = None
        if i:
            receivers = _receivers(begins, len(senders))
            arriving = sent.all().index_select(0, senders)
            received = arriving.new_zeros(levels.sizes[i], arriving.shape[1]).index_add(0, receivers, arriving)
        state, message = update([part[i] for part in parts], received)
        states.append(state)
        sent.append(message)
    return states.all()


def _receivers(begins: Tensor, count: int) -> Tensor:
    """The bag of each entry."""
    lengths = torch.diff(begins, append=begins.new_tensor([count]))
    return torch.repeat_interleave(torch.arange(len(begins), device=begins.device), lengths)
