"""Global statistics of computational graphs: a row of readable numbers for each.

What predictors of whole networks read beside the graph: sizes, the share that each kind of layer and each stage has in
parameters, multiply-adds and activations, depth, width, kernels, norms and activations.
"""

from __future__ import annotations

import numpy as np

from archpredict._typing import BoolArray, FloatArray, IntArray
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.network_view import NetworkView
from archpredict.graph.operators import ACTIVATIONS, COLUMNS, NORMS, NUMBERS, OPERATORS, POOLS

__all__ = ["network_statistics", "network_statistics_of"]

_LAYERS = (
    "conv_1x1",
    "conv_dense",
    "conv_grouped",
    "conv_depthwise",
    "conv_transpose",
    "linear",
    "matmul",
    "attention",
)
"""Kinds of layers that have multiply-adds: convolutions by kernel and groups."""
_STAGES = 7
"""Resolutions, by how often the input's sides were halved: 0, 1, ... and 6 or more."""


def network_statistics(graph: ArchGraph) -> FloatArray:
    """Statistics of a computational graph, per sample of its batch.

    Args:
        graph: With the attributes of :mod:`archpredict.graph.operators`.

    Returns:
        ``(F,)`` numbers, in the order of :data:`NAMES`; equal for isomorphic graphs.

    Raises:
        InvalidGraphError: The graph is no computational graph.

    Example:
        >>> from archpredict.graph.operators import Operation, computational_graph
        >>> graph = computational_graph(
        ...     [Operation("input", (1, 3, 4, 4)), Operation("conv", (1, 8, 4, 4), kernel=(3, 3), weight=(8, 3, 3, 3))],
        ...     [(0, 1)],
        ... )
        >>> row = dict(zip(NAMES, network_statistics(graph).tolist()))
        >>> round(float(np.expm1(row["log macs"]))), row["share of macs: conv_dense"]
        (3456, 1.0)
    """
    row: FloatArray = network_statistics_of(NetworkView([graph]))[0]
    return row


def network_statistics_of(networks: NetworkView) -> FloatArray:
    """:func:`network_statistics` of many graphs at once, ``(G, F)``; each row is that of its graph, but for rounding.

    Args:
        networks: ``G`` graphs.
    """
    return np.stack([*_statistics(_Layers(networks)).values()], axis=1)


class _Layers:
    """What a view's nodes are as layers; each ``(T,)``.

    Args:
        view: The graphs.
    """

    def __init__(self, view: NetworkView) -> None:
        self.view = view
        sides, convolves = view.column("kernel"), view.is_op("conv")
        axes = np.maximum((sides > 0).sum(axis=1), 1)
        self.kernel: FloatArray = np.maximum(sides, 1).prod(axis=1) ** (1 / axes)
        """Geometric mean of the sides, 1 where there is none."""
        self.groups = view.column("groups")[:, 0]
        self.weight = np.maximum(view.column("weight"), 0)
        self.stride = view.column("stride")
        self.kind = self._kinds(convolves)
        self.is_layer = self.kind >= 0
        self.is_spatial_conv: BoolArray = convolves & (self.kernel > 1)
        self.is_spatial: BoolArray = self.is_spatial_conv | view.is_op("attention", "matmul")
        """Layers that move information between places."""
        self.stage = self._stages()
        self.longest = self._longest()

    def _kinds(self, convolves: BoolArray) -> IntArray:
        """The place of each layer's kind in :data:`_LAYERS`, -1 for what is none."""
        of_op = np.array([_LAYERS.index(op) if op in _LAYERS else -1 for op in OPERATORS])
        grouped = convolves & (self.groups > 1)
        kind = of_op[self.view.op]
        kind[convolves] = np.where(self.kernel > 1, _LAYERS.index("conv_dense"), _LAYERS.index("conv_1x1"))[convolves]
        kind[grouped] = _LAYERS.index("conv_grouped")
        kind[grouped & (self.groups == self.weight[:, 0])] = _LAYERS.index("conv_depthwise")
        return kind

    def _stages(self) -> IntArray:
        """How often the input's sides were halved."""
        view = self.view
        area = view.elements / view.channels
        first = view.largest(area, view.is_op("input"), initial=1.0)[view.graph]
        halved = np.round(np.log2(first / np.maximum(area, 1)) / 2)
        return np.clip(halved, 0, _STAGES - 1).astype(np.int64)

    def _longest(self) -> FloatArray:
        """``(4, T)`` largest sums on a path that ends at a node: of layers, of those that move information between
        places, of ``(kernel - 1) * pixels per place``, in input pixels, and of nodes.
        """
        pixels = 2.0**self.stage
        reach = np.where(self.kernel > 1, (self.kernel - 1) * pixels / np.maximum(self.stride[:, 0], 1), 0)
        added = np.stack([self.is_layer, self.is_spatial, reach, np.ones(len(reach))], axis=1).astype(np.float64)
        return self.view.longest(added).T


_Named = dict[str, FloatArray]
"""``(G,)`` numbers by name."""


def _statistics(layers: _Layers) -> _Named:
    found = _sizes(layers) | _kinds(layers) | _stages(layers) | _shapes_of_layers(layers)
    found["receptive field"] = _log(layers.view.largest(layers.longest[2]))
    return found


def _log(values: FloatArray) -> FloatArray:
    return np.log1p(np.maximum(0.0, values))


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    """0 of nothing."""
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=whole > 0)


def _sizes(layers: _Layers) -> _Named:
    view, is_layer = layers.view, layers.is_layer
    params, macs, elements = view.sums(view.params), view.sums(view.macs), view.elements
    edges, nodes = view.sums(view.in_degree), view.sums(np.ones(len(view.op)))
    of_layers = view.sums(elements, is_layer)
    return {
        "log params": _log(params),
        "log macs": _log(macs),
        "log activations": _log(view.sums(elements)),
        "log activations of layers": _log(of_layers),
        "log macs per parameter": _log(macs) - _log(params),
        "log activations per mac": _log(of_layers) - _log(macs),
        "log nodes": _log(nodes),
        "edges per node": edges / nodes,
        "log layers": _log(view.counts(is_layer)),
        "log depth": _log(view.largest(layers.longest[3])),
        "log depth in layers": _log(view.largest(layers.longest[0])),
        "log depth in spatial layers": _log(view.largest(layers.longest[1])),
        "log input size": _log(view.largest(elements / view.channels, view.is_op("input"))) / 2,
        "log outputs": _log(view.sums(elements, view.is_op("output"))),
        "log largest tensor": _log(view.largest(elements)),
    }


def _kinds(layers: _Layers) -> _Named:
    view, found = layers.view, {}
    totals = (view.macs, view.params, view.elements)
    counts, *parts = view.tabulated(layers.kind, len(_LAYERS), totals)
    wholes = view.sums(view.macs), view.sums(view.params), view.sums(view.elements, layers.is_layer)
    for i, kind in enumerate(_LAYERS):
        found[f"count: {kind}"] = _log(counts[:, i])
        for what, part, whole in zip(("macs", "params", "activations"), parts, wholes, strict=True):
            found[f"share of {what}: {kind}"] = _share(part[:, i], whole)
    num_layers = np.maximum(1, counts.sum(axis=1))
    of_op, elements = view.tabulated(view.op, len(OPERATORS), [view.elements])
    for op in OPERATORS:
        if op not in ("conv", *_LAYERS):
            found[f"{op} per layer"] = of_op[:, NUMBERS[op]] / num_layers
    for title, ops in (("activations", ACTIVATIONS), ("norms", NORMS)):
        everything = elements[:, [NUMBERS[op] for op in ops]].sum(axis=1)
        for op in ops:
            found[f"share of {title}: {op}"] = _share(elements[:, NUMBERS[op]], everything)
    joins = view.in_degree > 1
    found["gates per layer"] = view.counts(view.is_op("mul") & joins) / num_layers
    found["sums per layer"] = view.counts(view.is_op("add") & joins) / num_layers
    found["learnt scales per layer"] = view.counts(view.is_op("mul") & (view.params > 0)) / num_layers
    found["pools"] = _log(of_op[:, [NUMBERS[op] for op in POOLS]].sum(axis=1))
    return found


def _stages(layers: _Layers) -> _Named:
    view, found = layers.view, {}
    of_layer = np.where(layers.is_layer, layers.stage, -1)
    totals = (view.macs, view.params, view.elements, layers.is_spatial.astype(np.float64))
    counts, macs, params, elements, spatial = view.tabulated(of_layer, _STAGES, totals)
    wholes = view.sums(view.macs), view.sums(view.params), view.sums(view.elements, layers.is_layer)
    for stage in range(_STAGES):
        for what, part, whole in zip(("macs", "params", "activations"), (macs, params, elements), wholes, strict=True):
            found[f"stage {stage}: share of {what}"] = _share(part[:, stage], whole)
        found[f"stage {stage}: log layers"] = _log(counts[:, stage])
        found[f"stage {stage}: log channels"] = _log(view.largest(view.channels, of_layer == stage))
        found[f"stage {stage}: spatial layers"] = _log(spatial[:, stage])
    return found


def _shapes_of_layers(layers: _Layers) -> _Named:
    view, weight = layers.view, layers.weight
    weighted = (weight[:, 0] > 0) & view.is_op("conv", "linear")
    kernel, spatial = np.log2(layers.kernel), layers.is_spatial_conv
    depthwise, grouped = (layers.kind == _LAYERS.index(kind) for kind in ("conv_depthwise", "conv_grouped"))
    attention, norms = view.is_op("attention"), view.is_op(*NORMS)
    wide, one = np.log1p(view.channels), np.ones(len(view.channels))
    ratio = np.abs(np.log(np.maximum(weight[:, 0], 1) / np.maximum(weight[:, 1], 1)))
    strides = layers.stride[:, :2].max(axis=1)
    depth = layers.longest[3]
    stem = view.foremost(spatial, [-depth, layers.kernel, strides, view.channels])
    last = view.foremost(weighted, [depth, weight[:, 1]])
    of_sums = norms[view.target] & view.is_op("add")[view.source]
    after_sum = np.bincount(view.graph[view.target[of_sums]], minlength=len(view)).astype(np.float64)

    def mean(values: FloatArray, weights: FloatArray, where: BoolArray) -> FloatArray:
        return _share(view.sums(values * weights, where), view.sums(weights, where))

    def of_nodes(values: FloatArray, nodes: IntArray) -> FloatArray:
        return np.where(nodes >= 0, values[nodes], 0.0)

    mean_width = mean(wide, one, weighted)
    return {
        "kernel, mean over macs": mean(kernel, view.macs, spatial),
        "kernel, mean over activations": mean(kernel, view.elements, spatial),
        "kernel, mean of depthwise": mean(kernel, view.elements, depthwise),
        "kernel, largest": view.largest(kernel, spatial),
        "kernels over 3, share": _share(view.counts(spatial & (layers.kernel > 3)), view.counts(spatial)),
        "width, mean over layers": mean_width,
        "width, mean over macs": mean(wide, view.macs, weighted),
        "width, mean over params": mean(wide, view.params, weighted),
        "width, largest": view.largest(wide, weighted),
        "width, spread": np.sqrt(mean((wide - mean_width[view.graph]) ** 2, one, weighted)),
        "expansion, mean": mean(ratio, one, weighted),
        "expansion, mean over macs": mean(ratio, view.macs, weighted),
        "groups, mean": mean(np.log2(np.maximum(layers.groups, 1)), one, grouped),
        "group width, mean": mean(np.log2(np.maximum(weight[:, 1], 1)), one, grouped),
        "strided layers": view.counts((strides > 1) & view.is_op("conv")),
        "strided pools": view.counts((strides > 1) & view.is_op("max_pool", "avg_pool")),
        "stem kernel": of_nodes(kernel, stem),
        "stem stride": of_nodes(np.log2(np.maximum(1.0, strides)), stem),
        "stem width": of_nodes(wide, stem),
        "features before the last layer": of_nodes(_log(weight[:, 1]), last),
        "attention: log tokens": _log(view.largest(view.column("shape")[:, 1], attention)),
        "attention: log heads": _log(view.largest(layers.groups, attention)),
        "attention: share of depth": _share(view.counts(attention), view.counts(weighted)),
        # Whether layers have a bias tells about the same, but exporters drop the biases of fresh networks, which are 0.
        "norms of sums, share": _share(after_sum, view.counts(norms)),
    }


_EMPTY = ArchGraph(("input",), (), attrs={name: np.zeros((1, width)) for name, width in COLUMNS.items()})
NAMES: tuple[str, ...] = tuple(_statistics(_Layers(NetworkView([_EMPTY]))))
