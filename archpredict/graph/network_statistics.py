"""Global statistics of one computational graph: a row of readable numbers.

What predictors of whole networks read beside the graph: sizes, the share that each kind of layer and each stage has in
parameters, multiply-adds and activations, depth, width, kernels, norms and activations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict._typing import FloatArray
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import (
    ACTIVATIONS,
    COLUMNS,
    NORMS,
    OPERATORS,
    POOLS,
    channels,
    check_computational,
    known_label,
)

__all__ = ["network_statistics"]

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
    check_computational(graph)
    return np.array(list(_statistics(_View(graph)).values()), dtype=np.float64)


@dataclass(frozen=True)
class _View:
    """A graph's columns as plain arrays, per sample."""

    graph: ArchGraph

    def column(self, name: str) -> FloatArray:
        return np.asarray(self.graph.attrs[name], dtype=np.float64).reshape(self.graph.num_nodes, -1)

    @cached_property
    def op(self) -> npt.NDArray[np.str_]:
        return np.array([known_label(label) for label in self.graph.ops])

    @cached_property
    def batch(self) -> float:
        first = self.column("shape")[self.op == "input"]
        return float(max(1.0, first[0, 0])) if len(first) else 1.0

    @cached_property
    def elements(self) -> FloatArray:
        shape = self.column("shape")
        known = (shape >= 0).all(axis=1) & (shape[:, 0] > 0)
        return np.where(known, np.where(shape > 0, shape, 1).prod(axis=1), 0) / self.batch

    @cached_property
    def params(self) -> FloatArray:
        return self.column("params")[:, 0]

    @cached_property
    def macs(self) -> FloatArray:
        return self.column("macs")[:, 0] / self.batch

    @cached_property
    def weight(self) -> FloatArray:
        return np.maximum(self.column("weight"), 0)

    @cached_property
    def channels(self) -> FloatArray:
        return channels(self.graph)

    @cached_property
    def kernel(self) -> FloatArray:
        """Geometric mean of the sides, 1 where there is none."""
        sides = np.maximum(self.column("kernel"), 1)
        axes = np.maximum((self.column("kernel") > 0).sum(axis=1), 1)
        return np.asarray(sides.prod(axis=1) ** (1 / axes))

    @cached_property
    def layer(self) -> npt.NDArray[np.str_]:
        """Kind of layer, "" for what is none."""
        groups, conv = self.column("groups")[:, 0], self.op == "conv"
        kind = np.where(np.isin(self.op, _LAYERS), self.op, "").astype("<U16")
        kind[conv] = np.where(self.kernel > 1, "conv_dense", "conv_1x1")[conv]
        kind[conv & (groups > 1)] = "conv_grouped"
        kind[conv & (groups > 1) & (groups == self.weight[:, 0])] = "conv_depthwise"
        return kind

    @cached_property
    def stage(self) -> npt.NDArray[np.int64]:
        """How often the input's sides were halved."""
        area = self.elements / self.channels
        first = area[self.op == "input"].max(initial=1.0)
        with np.errstate(divide="ignore"):
            halved = np.round(np.log2(np.maximum(first, 1) / np.maximum(area, 1)) / 2)
        return np.asarray(np.clip(halved, 0, _STAGES - 1), dtype=np.int64)

    def longest(self, weight: FloatArray) -> FloatArray:
        """``(N,)`` the largest sum of weights on a path that ends at each node."""
        total = weight.copy()
        for source, target in sorted(self.graph.edges, key=lambda edge: edge[1]):
            total[target] = max(total[target], total[source] + weight[target])
        return total


def _statistics(view: _View) -> dict[str, float]:
    is_layer = view.layer != ""
    found = _sizes(view, is_layer)
    found |= _kinds(view, is_layer)
    found |= _stages(view, is_layer)
    found |= _shapes_of_layers(view)
    return found


def _log(value: float) -> float:
    return float(np.log1p(max(0.0, value)))


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else 0.0


def _mean(values: FloatArray, weights: FloatArray) -> float:
    return float((values * weights).sum() / weights.sum()) if weights.sum() > 0 else 0.0


def _sizes(view: _View, is_layer: npt.NDArray[np.bool_]) -> dict[str, float]:
    graph, elements = view.graph, view.elements
    params, macs, of_layers = view.params.sum(), view.macs.sum(), elements[is_layer].sum()
    inputs = view.op == "input"
    return {
        "log params": _log(params),
        "log macs": _log(macs),
        "log activations": _log(elements.sum()),
        "log activations of layers": _log(of_layers),
        "log macs per parameter": _log(macs) - _log(params),
        "log activations per mac": _log(of_layers) - _log(macs),
        "log nodes": _log(graph.num_nodes),
        "edges per node": graph.num_edges / graph.num_nodes,
        "log layers": _log(is_layer.sum()),
        "log depth": _log(view.longest(np.ones(graph.num_nodes)).max()),
        "log depth in layers": _log(view.longest(is_layer.astype(np.float64)).max()),
        "log depth in spatial layers": _log(view.longest(_is_spatial(view).astype(np.float64)).max()),
        "log input size": _log((elements / view.channels)[inputs].max(initial=0.0)) / 2,
        "log outputs": _log(view.elements[view.op == "output"].sum()),
        "log largest tensor": _log(elements.max(initial=0.0)),
    }


def _is_spatial(view: _View) -> npt.NDArray[np.bool_]:
    """Layers that move information between places."""
    return np.asarray(((view.op == "conv") & (view.kernel > 1)) | np.isin(view.op, ("attention", "matmul")))


def _kinds(view: _View, is_layer: npt.NDArray[np.bool_]) -> dict[str, float]:
    found: dict[str, float] = {}
    layers = max(1, int(is_layer.sum()))
    for kind in _LAYERS:
        here = view.layer == kind
        found[f"count: {kind}"] = _log(here.sum())
        found[f"share of macs: {kind}"] = _share(view.macs[here].sum(), view.macs.sum())
        found[f"share of params: {kind}"] = _share(view.params[here].sum(), view.params.sum())
        found[f"share of activations: {kind}"] = _share(view.elements[here].sum(), view.elements[is_layer].sum())
    for op in OPERATORS:
        if op not in ("conv", *_LAYERS):
            found[f"{op} per layer"] = float((view.op == op).sum() / layers)
    for title, ops in (("activations", ACTIVATIONS), ("norms", NORMS)):
        everything = np.isin(view.op, ops)
        for op in ops:
            found[f"share of {title}: {op}"] = _share(
                view.elements[view.op == op].sum(), view.elements[everything].sum()
            )
    multiplied = (view.op == "mul") & (_in_degree(view.graph) > 1)
    found["gates per layer"] = float(multiplied.sum() / layers)
    found["sums per layer"] = float(((view.op == "add") & (_in_degree(view.graph) > 1)).sum() / layers)
    found["learnt scales per layer"] = float(((view.op == "mul") & (view.params > 0)).sum() / layers)
    found["pools"] = _log(np.isin(view.op, POOLS).sum())
    return found


def _in_degree(graph: ArchGraph) -> npt.NDArray[np.int64]:
    return np.bincount([target for _, target in graph.edges], minlength=graph.num_nodes)


def _stages(view: _View, is_layer: npt.NDArray[np.bool_]) -> dict[str, float]:
    found: dict[str, float] = {}
    for stage in range(_STAGES):
        here = (view.stage == stage) & is_layer
        found[f"stage {stage}: share of macs"] = _share(view.macs[here].sum(), view.macs.sum())
        found[f"stage {stage}: share of params"] = _share(view.params[here].sum(), view.params.sum())
        found[f"stage {stage}: share of activations"] = _share(view.elements[here].sum(), view.elements[is_layer].sum())
        found[f"stage {stage}: log layers"] = _log(here.sum())
        found[f"stage {stage}: log channels"] = _log(view.channels[here].max(initial=0.0))
        found[f"stage {stage}: spatial layers"] = _log((here & _is_spatial(view)).sum())
    return found


def _shapes_of_layers(view: _View) -> dict[str, float]:
    weighted = (view.weight[:, 0] > 0) & np.isin(view.op, ("conv", "linear"))
    kernel, spatial = np.log2(view.kernel), (view.op == "conv") & (view.kernel > 1)
    depthwise = view.layer == "conv_depthwise"
    attention = view.op == "attention"
    wide = np.log1p(view.channels)
    ratio = np.where(weighted, np.log(np.maximum(view.weight[:, 0], 1) / np.maximum(view.weight[:, 1], 1)), 0)
    groups = view.column("groups")[:, 0]
    grouped = view.layer == "conv_grouped"
    strides = view.column("stride")[:, :2].max(axis=1)
    tokens = view.column("shape")
    last = _last_layer(view, weighted)
    stem = _first(view, spatial, [view.kernel, strides, view.channels])
    return {
        "kernel, mean over macs": _mean(kernel[spatial], view.macs[spatial]),
        "kernel, mean over activations": _mean(kernel[spatial], view.elements[spatial]),
        "kernel, mean of depthwise": _mean(kernel[depthwise], view.elements[depthwise]),
        "kernel, largest": float(kernel[spatial].max(initial=0.0)),
        "kernels over 3, share": _share((view.kernel[spatial] > 3).sum(), spatial.sum()),
        "width, mean over layers": _mean(wide[weighted], np.ones(int(weighted.sum()))),
        "width, mean over macs": _mean(wide[weighted], view.macs[weighted]),
        "width, mean over params": _mean(wide[weighted], view.params[weighted]),
        "width, largest": float(wide[weighted].max(initial=0.0)),
        "width, spread": float(wide[weighted].std()) if weighted.any() else 0.0,
        "expansion, mean": _mean(np.abs(ratio[weighted]), np.ones(int(weighted.sum()))),
        "expansion, mean over macs": _mean(np.abs(ratio[weighted]), view.macs[weighted]),
        "groups, mean": _mean(np.log2(np.maximum(groups[grouped], 1)), np.ones(int(grouped.sum()))),
        "group width, mean": _mean(np.log2(np.maximum(view.weight[grouped, 1], 1)), np.ones(int(grouped.sum()))),
        "strided layers": float(((strides > 1) & (view.op == "conv")).sum()),
        "strided pools": float(((strides > 1) & np.isin(view.op, ("max_pool", "avg_pool"))).sum()),
        "stem kernel": float(kernel[stem]) if stem is not None else 0.0,
        "stem stride": float(np.log2(max(1.0, strides[stem]))) if stem is not None else 0.0,
        "stem width": float(wide[stem]) if stem is not None else 0.0,
        "features before the last layer": _log(view.weight[last, 1]) if last is not None else 0.0,
        "attention: log tokens": _log(tokens[attention, 1].max(initial=0.0)),
        "attention: log heads": _log(groups[attention].max(initial=0.0)),
        "attention: share of depth": _share(attention.sum(), weighted.sum()),
        "norms of sums, share": _share(_of_sums(view), np.isin(view.op, NORMS).sum()),
        "receptive field": _log(_receptive_field(view)),
    }


def _of_sums(view: _View) -> float:
    """Norms that read a sum, as those at the beginning of a residual branch do.

    (Whether layers have a bias tells about the same, but exporters drop the biases of fresh networks, which are 0.)
    """
    return float(sum(view.op[target] in NORMS and view.op[source] == "add" for source, target in view.graph.edges))


def _last_layer(view: _View, weighted: npt.NDArray[np.bool_]) -> int | None:
    """The layer that gives the classes: the one with weights that is the farthest from the input."""
    if not weighted.any():
        return None
    distance = view.longest(np.ones(view.graph.num_nodes))
    return _foremost(weighted, distance, [view.weight[:, 1]])


def _first(view: _View, spatial: npt.NDArray[np.bool_], sizes: Sequence[npt.NDArray[Any]]) -> int | None:
    """The stem: the convolution with a kernel that is the nearest to the input."""
    if not spatial.any():
        return None
    distance = view.longest(np.ones(view.graph.num_nodes))
    return _foremost(spatial, -distance, sizes)


def _foremost(among: npt.NDArray[np.bool_], key: npt.NDArray[Any], sizes: Sequence[npt.NDArray[Any]]) -> int:
    """The node with the largest key; of several the largest one, so that no numbering of the nodes decides."""
    nodes = np.flatnonzero(among)
    return int(nodes[np.lexsort([size[nodes] for size in reversed(sizes)] + [key[nodes]])[-1]])


def _receptive_field(view: _View) -> float:
    """The longest sum of ``(kernel - 1) * pixels per place`` on a path, in input pixels."""
    pixels = 2.0 ** np.minimum(view.stage, _STAGES)
    stride = np.maximum(view.column("stride")[:, 0], 1)
    reach = np.where(view.kernel > 1, (view.kernel - 1) * pixels / stride, 0)
    return float(view.longest(reach).max())


_EMPTY = ArchGraph(("input",), (), attrs={name: np.zeros((1, width)) for name, width in COLUMNS.items()})
NAMES: tuple[str, ...] = tuple(_statistics(_View(_EMPTY)))
