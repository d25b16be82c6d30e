"""Numbers known of each node of a computational graph: what graph networks read beside its operator."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict._typing import FloatArray
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.network_view import NetworkView

__all__ = ["node_features"]

NAMES = (
    "channels",
    "spatial size",
    "kernel area",
    "kernel length",
    "stride",
    "dilation",
    "groups",
    "depthwise",
    "input channels",
    "input size",
    "weight size",
    "bias",
    "params",
    "macs",
    "arithmetic",
    "depth",
    "relative depth",
    "relative height",
    "in-degree",
    "out-degree",
    "size unknown",
    "height",
    "width",
    "input height",
    "input width",
    "weight outputs",
    "weight inputs",
    "kernel height",
    "kernel width",
)
"""Columns of :func:`node_features`.

- channels, input channels: of the output, and of what arrives (the largest). spatial size: elements of the output per
  channel. input size: elements that arrive.
- kernel area, kernel length: product of its lengths, and the longest.
- weight size, params: elements of the weight; parameters. arithmetic: multiply-adds per element read or written.
- depth: longest distance from a source; relative depth: that over the graph's depth; relative height: longest distance
  to a sink over the graph's depth.
- depthwise, bias, size unknown: 1 or 0.
- height, width: of the output, without the axis of its channels: of a sequence, its length and 1. input height, input
  width: of what arrives (the largest). weight outputs, weight inputs, kernel height, kernel width: lengths of the
  weight tensor, or of a pool's kernel; of three spatial axes the first two.

All others are ``log2(1 + x)`` over a constant of :data:`UNITS`; nothing is cut off.
"""

UNITS = (8, 12, 4, 2, 1, 1, 8, 1, 8, 20, 20, 1, 20, 24, 8, 8, 1, 1, 2, 2, 1, 8, 8, 8, 8, 8, 8, 2, 2)
"""What the logarithm in each column of :func:`node_features` is divided by, to bring it to about unit size."""

_PLAIN = np.isin(NAMES, ("depthwise", "bias", "relative depth", "relative height", "size unknown"))


def node_features(graph: ArchGraph) -> npt.NDArray[np.float32]:
    """Numbers of each node of a computational graph, ``(N, K)``, in the order of :data:`NAMES`.

    Sizes and multiply-adds are those of one sample: divided by the first length of the first input's shape. A length
    that is not known counts as 1. The numbers do not depend on the numbering of the nodes.

    Raises:
        InvalidGraphError: The graph lacks attributes of a computational graph.

    Example:
        >>> from archpredict.graph.operators import Operation, computational_graph
        >>> graph = computational_graph(
        ...     [
        ...         Operation("input", (2, 3, 8, 8)),
        ...         Operation("conv", (2, 255, 8, 8), kernel=(3, 3), weight=(255, 3, 3, 3)),
        ...     ],
        ...     [(0, 1)],
        ... )
        >>> dict(zip(NAMES, node_features(graph)[1].tolist()))["channels"]  # log2(256) / 8
        1.0
    """
    view = NetworkView([graph])
    attrs = {name: np.maximum(np.asarray(v, dtype=np.float64), 0) for name, v in graph.attrs.items()}
    shape = np.asarray(graph.attrs["shape"], dtype=np.float64)
    samples = np.where(np.array(graph.ops) == "parameter", 1.0, _batch(graph))
    elements = np.where(shape > 0, shape, 1.0).prod(axis=1) / samples
    macs, weight = attrs["macs"][:, 0] / samples, attrs["weight"]
    weight_size = np.where(weight[:, 0] > 0, np.where(weight > 0, weight, 1.0).prod(axis=1), 0.0)
    of_output = view.channels
    source, target = np.array(graph.edges, dtype=np.int64).reshape(-1, 2).T
    sides = _sides(shape, of_output)
    arriving, largest = np.zeros(graph.num_nodes), np.zeros((graph.num_nodes, 3))  # channels, height, width
    np.maximum.at(largest, target, np.column_stack([of_output, sides])[source])
    np.add.at(arriving, target, elements[source])
    depth, height = _distances(graph)
    deepest = max(1.0, depth.max())
    columns = [
        of_output,
        elements / of_output,
        _area(attrs["kernel"]),
        attrs["kernel"].max(axis=1),
        _area(attrs["stride"]),
        attrs["dilation"].max(axis=1),
        attrs["groups"][:, 0],
        (attrs["groups"][:, 0] > 1) & (weight[:, 1] == 1),
        largest[:, 0],
        arriving,
        weight_size,
        attrs["bias"][:, 0],
        attrs["params"][:, 0],
        macs,
        macs / np.maximum(1.0, elements + arriving + weight_size),
        depth,
        depth / deepest,
        height / deepest,
        np.bincount(target, minlength=graph.num_nodes),
        np.bincount(source, minlength=graph.num_nodes),
        (shape < 0).any(axis=1),
        *sides.T,
        *largest[:, 1:].T,
        *weight[:, :2].T,
        *attrs["kernel"][:, :2].T,
    ]
    raw = np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)
    scaled: npt.NDArray[Any] = np.where(_PLAIN, raw, np.log2(1 + raw) / np.array(UNITS, dtype=np.float64))
    return scaled.astype(np.float32)


def _batch(graph: ArchGraph) -> float:
    """Samples that go through at once."""
    first = graph.ops.index("input") if "input" in graph.ops else 0
    return max(1.0, float(graph.attrs["shape"][first, 0]))


def _sides(shape: FloatArray, channels: FloatArray) -> FloatArray:
    """``(N, 2)`` height and width: the lengths of a sample that are not its channels, all but the first multiplied."""
    lengths = np.where(shape > 0, shape, 1.0)[:, 1:]
    of_channels = (lengths == channels[:, None]).argmax(axis=1)
    is_channels = np.arange(lengths.shape[1]) == of_channels[:, None]
    others = lengths[~is_channels].reshape(len(lengths), -1)
    return np.column_stack([others[:, 0], others[:, 1:].prod(axis=1)])


def _area(lengths: FloatArray) -> FloatArray:
    """Product of the lengths that are there, 0 where there are none."""
    area: FloatArray = np.where(lengths > 0, lengths, 1.0).prod(axis=1) * (lengths > 0).any(axis=1)
    return area


def _distances(graph: ArchGraph) -> tuple[FloatArray, FloatArray]:
    """Longest distance of each node from a source, and to a sink; ``(N,)`` each."""
    depth, height = [0] * graph.num_nodes, [0] * graph.num_nodes
    for source, target in sorted(graph.edges, key=lambda edge: edge[1]):
        depth[target] = max(depth[target], depth[source] + 1)
    for source, target in sorted(graph.edges, reverse=True):
        height[source] = max(height[source], height[target] + 1)
    return np.array(depth, dtype=np.float64), np.array(height, dtype=np.float64)
