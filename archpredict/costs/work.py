"""Work: what the kernels of networks compute, read and write, by kind of kernel, before any device is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from archpredict._typing import BoolArray, FloatArray, IntArray
from archpredict.costs.branches import mergeable
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.network_view import NetworkView
from archpredict.graph.operators import ACTIVATIONS, NORMS, POOLS

__all__ = ["KINDS", "Traffic", "Work", "work_of"]

KINDS = (
    "conv first",
    "conv dense",
    "conv 1x1",
    "conv grouped",
    "linear",
    "matmul",
    "attention",
    "conv depthwise",
    "conv large depthwise",
    "softmax",
    "batch norm",
    "layer norm",
    "group norm",
    "other norm",
    "activation",
    "elementwise",
    "function",
    "pool",
    "reduce",
    "permute",
    "slice",
    "concat",
    "resize",
    "other",
)
"""Kinds of kernels that come differently near to what a device could do.

``conv first`` reads up to 4 channels; ``large depthwise`` kernels have a side above 5, for which libraries have no
kernels of their own; a convolution that gives one place is ``linear``. ``function``: any function of single elements
that has no name, as several kernels compute it. ``concat``: concatenations and paddings. ``other``: loops, recurrent
layers and what is not known.
"""
MATRIX = KINDS[:7]
"""Kinds that are products of matrices, for which accelerators have units of their own."""
DEPTHWISE = KINDS[7:9]
_NORMS = ("layer norm", "group norm", "other norm")
_FUSED = (
    "softmax",
    "batch norm",
    *_NORMS,
    "activation",
    "elementwise",
    "function",
    "reduce",
    "permute",
    "slice",
    "concat",
)
_SINGLE = (*_NORMS, "softmax", "function")
_PLACE = {kind: place for place, kind in enumerate(KINDS)}
_NO_KERNEL = ("input", "output", "parameter")
_LARGE_SIDE, _FEW_CHANNELS = 5, 4
_TILE_IN, _TILE_OUT, _ALIGNED = 32, 64, 8
"""Lengths that matrix units take at once, and multiple of channels below which they are not used."""


@dataclass(frozen=True, eq=False)
class Traffic:
    """Traffic of kernels with memory, per sample; each ``(T,)`` bytes.

    Args:
        read, written: What each kernel takes and gives.
        again: What is read more than once, or of a whole map before the first result is known (``again_whole``).
    """

    read: FloatArray
    written: FloatArray
    again: FloatArray
    again_whole: FloatArray

    @property
    def moved(self) -> FloatArray:
        """``(T,)`` bytes read and written."""
        return self.read + self.written


@dataclass(frozen=True, eq=False)
class Work:
    """Work of ``T`` nodes of ``G`` networks, per sample of a batch; fields are ``(T,)`` unless said otherwise.

    Args:
        count: ``G``.
        graph: The network of each node.
        kind: Its place in :data:`KINDS`, -1 for what is no kernel.
        macs, padded: Multiply-adds, and those with lengths rounded up to what matrix units take at once.
        elements: Elements that a node gives.
        params: Parameters, which are read once for a batch.
        window: Places that one output is computed from.
        rows: Outputs per channel.
        group_width: Input channels of a group.
        scores: Elements of attention matrices.
        normed: Elements that a batch norm gives which is folded into a convolution.
        source, target: ``(E,)`` edges.
        wide: Whether a tensor stays in single precision where the rest is cast to half (autocast).
        strided, misaligned, padded_unevenly, biased, merged: Whether a layer has a stride; channels that matrix units
            do not take; zeros on one side only; attention has a learnt bias; a layer vanishes when parallel linear
            branches are merged into one.
        slices: Whether it gives a part of what it reads.
    """

    count: int
    graph: IntArray
    kind: IntArray
    macs: FloatArray
    padded: FloatArray
    elements: FloatArray
    params: FloatArray
    window: FloatArray
    rows: FloatArray
    group_width: FloatArray
    scores: FloatArray
    normed: FloatArray
    source: IntArray
    target: IntArray
    wide: BoolArray
    strided: BoolArray
    misaligned: BoolArray
    padded_unevenly: BoolArray
    biased: BoolArray
    merged: BoolArray
    slices: BoolArray

    def is_kind(self, *kinds: str) -> BoolArray:
        """``(T,)`` whether a node is of one of these kinds."""
        found: BoolArray = np.isin(self.kind, [_PLACE[kind] for kind in kinds])
        return found

    def sums(self, values: FloatArray | BoolArray, where: BoolArray) -> FloatArray:
        """``(G,)`` sums over the nodes of each network that are somewhere."""
        return np.bincount(self.graph[where], weights=values[where], minlength=self.count).astype(np.float64)

    @cached_property
    def cast(self) -> FloatArray:
        """``(T,)`` elements that layers cast to half precision before they read them."""
        wide = self.elements * self.wide
        halves = self.is_kind(*MATRIX, *DEPTHWISE)
        return np.where(halves, self._arriving(wide), 0.0)

    def traffic(self, width: FloatArray, fused: bool) -> Traffic:
        """Traffic with memory.

        Args:
            width: ``(T,)`` bytes of an element of what each node gives.
            fused: Whether chains of kernels that work element by element are one loop, whose tensors in between never
                leave the processor.
        """
        given = self.elements * width
        read = self._arriving(given)
        read = np.where(self.slices, np.minimum(read, given), read)
        nothing = np.zeros_like(given)
        if not fused:
            return Traffic(read, given, nothing, nothing)
        inside, whole = self.is_kind(*_FUSED), self.is_kind("reduce", "group norm")
        readers = np.bincount(self.source, minlength=len(given))
        leaves = self._leaving(~inside) > 0
        held = inside & (readers > 1)
        to_whole = self._leaving(whole) > 0
        return Traffic(
            np.where(inside, self._arriving(np.where(inside, 0.0, given)), read),
            np.where(inside & ~leaves, 0.0, given),
            np.where(held & ~to_whole, given, 0.0),
            np.where(held & to_whole, given, 0.0),
        )

    def _arriving(self, values: FloatArray) -> FloatArray:
        """``(T,)`` sums over what arrives at each node."""
        return np.bincount(self.target, weights=values[self.source], minlength=len(values)).astype(np.float64)

    def _leaving(self, readers: BoolArray) -> IntArray:
        """``(T,)`` how many of these readers a node has."""
        return np.bincount(self.source[readers[self.target]], minlength=len(readers))


def work_of(graphs: Sequence[ArchGraph]) -> Work:
    """The work of computational graphs, in one pass over their nodes.

    Args:
        graphs: With the attributes of :mod:`archpredict.graph.operators`.

    Raises:
        InvalidGraphError: One is no computational graph.

    Example:
        >>> from archpredict.graph.operators import Operation, computational_graph
        >>> conv = Operation("conv", (1, 8, 4, 4), kernel=(3, 3), weight=(8, 3, 3, 3))
        >>> work = work_of([computational_graph([Operation("input", (1, 3, 4, 4)), conv], [(0, 1)])])
        >>> KINDS[work.kind[1]], work.macs[1], work.traffic(np.full(2, 4.0), fused=False).moved[1]
        ('conv first', np.float64(3456.0), np.float64(704.0))
    """
    view = NetworkView(graphs)
    weight, groups = np.maximum(view.column("weight"), 0), np.maximum(view.column("groups")[:, 0], 1)
    window = np.maximum(view.column("kernel"), 1).prod(axis=1)
    conv, layer = view.is_op("conv"), view.is_op("conv", "linear")
    width = np.where(layer, weight[:, 1], 0)
    out = np.where(layer, weight[:, 0] / groups, 0)
    rows = view.elements / np.where(layer, np.maximum(1, weight[:, 0]), 1)
    kind = _kinds(view, window, groups, width, rows)
    padding = view.column("padding")
    misaligned = layer & (width > 1) & ((width % _ALIGNED != 0) | (out % _ALIGNED != 0))
    return Work(
        count=len(view),
        graph=view.graph,
        kind=kind,
        macs=view.macs,
        padded=np.where(layer, rows * _tiled(width * window, _TILE_IN) * _tiled(out, _TILE_OUT) * groups, view.macs),
        elements=view.elements,
        params=view.params,
        window=window,
        rows=rows,
        group_width=width,
        scores=_scores(view, groups),
        normed=np.where(conv & (view.column("bias")[:, 0] > 0) & (rows > 1), view.elements, 0.0),
        source=view.source,
        target=view.target,
        wide=_wide(view, kind),
        strided=view.column("stride")[:, 0] > 1,
        misaligned=misaligned & (kind != _PLACE["conv first"]),
        padded_unevenly=conv & (padding[:, :3] != padding[:, 3:]).any(axis=1),
        biased=view.is_op("attention") & (view.params > 0),
        merged=mergeable(view),
        slices=view.is_op("slice", "gather"),
    )


def _kinds(view: NetworkView, window: FloatArray, groups: FloatArray, width: FloatArray, rows: FloatArray) -> IntArray:
    """``(T,)`` places in :data:`KINDS`; what is named later counts."""
    kind = np.full(len(view.op), _PLACE["other"])
    for name, ops in (
        ("activation", ACTIVATIONS),
        ("elementwise", ("add", "mul", "sub", "div")),
        ("function", ("elementwise",)),
        ("permute", ("permute",)),
        ("slice", ("slice", "gather")),
        ("concat", ("concat", "pad")),
        ("resize", ("resize", "pixel_shuffle")),
        ("reduce", (*POOLS, "reduce")),
        ("pool", ("max_pool", "avg_pool")),
        ("other norm", NORMS),
        *((name, (name.replace(" ", "_"),)) for name in ("layer norm", "group norm", "batch norm")),
        *((name, (name,)) for name in ("softmax", "attention", "matmul", "linear")),
    ):
        kind[view.is_op(*ops)] = _PLACE[name]
    conv = view.is_op("conv")
    several = conv & (groups > 1)
    depthwise = several & (width == 1)
    plain = conv & (groups == 1)
    for name, where in (
        ("conv dense", conv & (window > 1)),
        ("conv 1x1", conv & (window <= 1)),
        ("conv grouped", several),
        ("conv depthwise", depthwise),
        ("conv large depthwise", depthwise & (view.column("kernel").max(axis=1) > _LARGE_SIDE)),
        ("linear", plain & (rows <= 1)),
        ("conv first", plain & (width <= _FEW_CHANNELS) & (window > 1) & (rows > 1)),
    ):
        kind[where] = _PLACE[name]
    kind[view.is_op(*_NO_KERNEL)] = -1
    return kind


def _tiled(lengths: FloatArray, tile: int) -> FloatArray:
    """Lengths rounded up to whole tiles, one at least."""
    return np.ceil(np.maximum(lengths, 1) / tile) * tile


def _scores(view: NetworkView, heads: FloatArray) -> FloatArray:
    """``(T,)`` elements of attention matrices: multiply-adds over twice the channels of a head."""
    shape = view.column("shape")
    axes = np.maximum((shape > 0).sum(axis=1), 1)
    last = np.maximum(shape[np.arange(len(axes)), axes - 1], 1)
    return np.where(view.is_op("attention"), view.macs / np.maximum(2 * np.maximum(last / heads, 1), 1), 0.0)


def _wide(view: NetworkView, kind: IntArray) -> BoolArray:
    """``(T,)`` whether a tensor is in single precision under autocast.

    Norms over channels, softmax and unnamed functions are computed so, inputs and parameters are so; products of
    matrices give half precision; whatever else has the wider type of what it reads.
    """
    single = np.isin(kind, [_PLACE[name] for name in _SINGLE])
    single |= view.is_op("input", "parameter", "reduce_sum") | ((view.params > 0) & ~view.is_op("batch_norm"))
    half = np.isin(kind, [_PLACE[name] for name in (*MATRIX, *DEPTHWISE)])
    wide = (single & ~half).tolist()
    passes = (~single & ~half).tolist()
    for source, target in zip(view.source.tolist(), view.target.tolist(), strict=True):  # targets ascend
        if passes[target] and wide[source]:
            wide[target] = True
    return np.array(wide, dtype=np.bool_)
