"""Operators of computational graphs: their vocabulary, what is known of a node, and rules for parameters and MACs.

A *computational graph* is an :class:`~archpredict.graph.arch_graph.ArchGraph` whose labels are from :data:`OPERATORS`
and whose
attributes are the :data:`COLUMNS` below. ONNX files become such graphs (:mod:`archpredict.onnx.reader`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

import numpy as np

from archpredict._typing import FloatArray
from archpredict.errors import InvalidGraphError
from archpredict.graph.arch_graph import ArchGraph

__all__ = ["COLUMNS", "OPERATORS", "Operation", "computational_graph", "count_macs", "count_params", "total"]

WEIGHTED = ("conv", "conv_transpose", "linear", "embedding", "recurrent")
NORMS = ("batch_norm", "layer_norm", "rms_norm", "group_norm", "instance_norm", "l2_norm", "local_response_norm")
ACTIVATIONS = (
    "relu",
    "relu6",
    "leaky_relu",
    "prelu",
    "elu",
    "selu",
    "celu",
    "gelu",
    "quick_gelu",
    "silu",
    "mish",
    "hard_swish",
    "hard_sigmoid",
    "sigmoid",
    "tanh",
    "softplus",
    "clip",
    "softmax",
)
POOLS = ("max_pool", "avg_pool", "global_max_pool", "global_avg_pool", "reduce_mean", "reduce_sum", "reduce_max")
OPERATORS = (
    "input",
    "output",
    "parameter",
    *WEIGHTED,
    "matmul",
    "attention",
    *NORMS,
    *ACTIVATIONS,
    *POOLS,
    "reduce",
    "add",
    "mul",
    "sub",
    "div",
    "elementwise",
    "concat",
    "slice",
    "gather",
    "pad",
    "resize",
    "permute",
    "pixel_shuffle",
    "opaque",
    "unknown",
)
"""Every label of a computational graph, but that an unknown operator is called ``unknown:its name``.

``input``, ``output``: one node per input and output of the network. ``parameter``: a learnable tensor that enters as
data, such as a class token (one that is added or multiplied belongs to that ``add`` or ``mul``). ``linear``: on the
last axis. ``matmul``: of two activations. ``attention``: scaled dot products, softmax, weighted sum. ``elementwise``,
``reduce``: any other function of single elements, any other reduction. ``slice``: one part of a tensor; a split is a
slice per part. ``permute``: elements in another order (transpositions, with whatever reshapes are between them); plain
reshapes are no node. ``opaque``: a loop or branch, counted as one node.
"""

UNKNOWN = "unknown"

COLUMNS: Mapping[str, int] = {
    "shape": 6,
    "kernel": 3,
    "stride": 3,
    "dilation": 3,
    "padding": 6,
    "groups": 1,
    "start": 6,
    "counts_padding": 1,
    "weight": 5,
    "bias": 1,
    "params": 1,
    "macs": 1,
}
"""Attributes of every node and how many numbers each has, as float64; 0 stands for "has none".

- shape: of the output, batch first; axes of length 1 at the end are left out (so that pooled features are ``(N, C)``
  whether or not an exporter keeps two axes of length 1); -1 where a length is not known; of more than 6 axes the
  first ones are multiplied.
- kernel, stride, dilation: per spatial axis, of convolutions and pools. padding: at the beginning of each of up to
  three spatial axes, then at their ends.
- groups: of convolutions and group norms; heads of attention.
- start: of a slice, its first place on each axis, batch first; -1 where that is not known or it leaves places out.
- counts_padding: 1 for an average pool whose means count the padding as zeros, 0 for one that leaves it out.
- weight: shape of the weight tensor, output channels first; of a norm ``(C,)``.
- bias: 1 with, 0 without.
- params: parameters of this node. macs: multiply-adds of this node.
"""


@dataclass(frozen=True)
class Operation:
    """One node of a computational graph, with plain tuples for what :data:`COLUMNS` describes.

    ``params`` and ``macs`` follow from the rules (:func:`count_params`, :func:`count_macs`) where they are None.

    Example:
        >>> conv = Operation("conv", shape=(1, 8, 4, 4), kernel=(3, 3), weight=(8, 3, 3, 3), bias=True)
        >>> count_params(conv), count_macs(conv)
        (224.0, 3456.0)
    """

    op: str
    shape: tuple[int, ...] = ()
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    groups: int = 0
    start: tuple[int, ...] = ()
    counts_padding: bool = False
    weight: tuple[int, ...] = ()
    bias: bool = False
    params: float | None = None
    macs: float | None = None

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Computed once: builders look up the same operations again and again."""
        return hash(tuple([getattr(self, field) for field in _FIELDS]))

    @cached_property
    def row(self) -> FloatArray:
        """All :data:`COLUMNS` of a node, side by side."""
        values: Mapping[str, tuple[float, ...]] = {
            "shape": _canonical_shape(self.shape),
            "kernel": self.kernel,
            "stride": self.stride,
            "dilation": self.dilation,
            "padding": self.padding,
            "groups": (self.groups,),
            "start": self.start,
            "counts_padding": (self.counts_padding,),
            "weight": self.weight,
            "bias": (self.bias,),
            "params": (count_params(self),),
            "macs": (count_macs(self),),
        }
        row = [number for name, width in COLUMNS.items() for number in (*values[name], *(0,) * width)[:width]]
        return np.array(row, dtype=np.float64)


_FIELDS = tuple(Operation.__dataclass_fields__)


def count_params(operation: Operation) -> float:
    """Parameters: those of the weight, and one per output channel for a bias.

    A convolution with a batch norm folded in has a bias; the rule counts it, not the norm's two numbers per channel.
    """
    if operation.params is not None:
        return operation.params
    weight = operation.weight
    channels = weight[0] if weight else 0
    return _product(weight) + (channels if operation.bias else 0) if weight else 0.0


def count_macs(operation: Operation, arriving: Sequence[tuple[int, ...]] = ()) -> float:
    """Multiply-adds of convolutions and products of matrices; 0 for everything else, and where a shape is not known.

    Args:
        operation: The node.
        arriving: Shapes of what arrives: needed by ``conv_transpose`` (one), ``matmul`` (two), and ``attention``
            (queries, keys, values, each ``(..., tokens, channels per head)``).
    """
    if operation.macs is not None:
        return operation.macs
    out, weight = _size(operation.shape), operation.weight
    if operation.op in ("conv", "linear") and weight:
        return out * _product(weight[1:])
    if operation.op == "conv_transpose" and arriving and weight:
        places = _size(arriving[0]) / max(1, weight[1] * max(1, operation.groups))  # times input channels is all of it
        return places * _product(weight)
    if operation.op == "matmul" and len(arriving) == 2 and arriving[0]:
        return out * max(0, arriving[0][-1])
    if operation.op == "attention" and len(arriving) >= 3 and len(arriving[0]) > 1 and len(arriving[1]) > 1:
        query, key, value = arriving[:3]
        return _size(query) * max(0, key[-2]) + _size(query[:-1]) * max(0, key[-2]) * max(0, value[-1])
    return 0.0


def computational_graph(
    operations: Sequence[Operation], edges: Sequence[tuple[int, int]], names: Sequence[str] | None = None
) -> ArchGraph:
    """The graph of these nodes; parameters and MACs must be set where the rules need shapes of what arrives.

    Example:
        >>> graph = computational_graph(
        ...     [
        ...         Operation("input", (1, 3, 4, 4)),
        ...         Operation("conv", (1, 8, 4, 4), kernel=(3, 3), weight=(8, 3, 3, 3)),
        ...         Operation("output", (1, 8, 4, 4)),
        ...     ],
        ...     [(0, 1), (1, 2)],
        ... )
        >>> graph.attrs["params"].sum(), graph.attrs["macs"].sum()
        (np.float64(216.0), np.float64(3456.0))
    """
    distinct = {id(operation): operation for operation in operations}
    number = dict(zip(distinct, range(len(distinct)), strict=True))
    index = [number[id(operation)] for operation in operations]
    return graph_of_few_operations([*distinct.values()], index, edges, names)


def graph_of_few_operations(
    distinct: Sequence[Operation],
    index: Sequence[int],
    edges: Sequence[tuple[int, int]],
    names: Sequence[str] | None = None,
) -> ArchGraph:
    """:func:`computational_graph` of nodes that are given by number, which is quicker: networks of cells repeat theirs.

    Args:
        distinct: Operations.
        index: ``(N,)`` which of them each node is.
        edges: ``(source, target)``.
        names: Of the nodes.
    """
    width = sum(COLUMNS.values())
    rows = np.concatenate([np.zeros(0), *(operation.row for operation in distinct)]).reshape(len(distinct), width)
    table = rows.take(np.array(index, dtype=np.int64), axis=0)
    table.flags.writeable = False  # the graph need not copy it
    attrs, begin = {}, 0
    for name, columns in COLUMNS.items():
        attrs[name] = table[:, begin : begin + columns]
        begin += columns
    labels = [operation.op for operation in distinct]
    ops = tuple([labels[number] for number in index])
    return ArchGraph(ops, tuple(edges), attrs=attrs, names=None if names is None else tuple(names))


def check_computational(graph: ArchGraph) -> None:
    """The graph has the attributes of a computational graph.

    Raises:
        InvalidGraphError: It has not; the message names the first that is missing.
    """
    for name, width in COLUMNS.items():
        values = graph.attrs.get(name)
        if values is None or np.asarray(values).reshape(graph.num_nodes, -1).shape[1] != width:
            raise InvalidGraphError(
                f"a computational graph has the attribute {name!r} with {width} numbers per node; "
                "make one with archpredict.onnx.reader.load or archpredict.graph.operators.computational_graph"
            )


def total(graph: ArchGraph, name: str) -> float:
    """Sum of an attribute over the nodes: ``total(graph, "macs")``."""
    return float(np.sum(graph.attrs[name]))


def known_label(label: str) -> str:
    """The label in :data:`OPERATORS` that stands for a node's: ``unknown`` for unknown operators."""
    return OPERATORS[NUMBERS[label]]


def with_known_operators(graphs: Sequence[ArchGraph], vocabulary: Sequence[str]) -> list[ArchGraph]:
    """Graphs in which operators that a vocabulary has never heard of are unknown ones.

    So what was fitted before an operator got a name of its own reads graphs with it as it did then.

    Args:
        graphs: Computational graphs.
        vocabulary: Labels, :data:`OPERATORS` of this version or another.

    Example:
        >>> graph = ArchGraph(("input", "mish"), ((0, 1),))
        >>> with_known_operators([graph], ("input", "relu", "unknown"))[0].ops
        ('input', 'unknown:mish')
    """
    newer = _KNOWN - set(vocabulary)
    if not newer:
        return list(graphs)
    return [graph if newer.isdisjoint(graph.ops) else _renamed(graph, newer) for graph in graphs]


def _renamed(graph: ArchGraph, newer: frozenset[str]) -> ArchGraph:
    return replace(graph, ops=tuple(f"{UNKNOWN}:{op}" if op in newer else op for op in graph.ops))


_KNOWN = frozenset(OPERATORS)


class _Numbers(dict[str, int]):
    """Of labels; that of unknown operators for all others."""

    def __missing__(self, label: str) -> int:
        return self[UNKNOWN]


NUMBERS: Mapping[str, int] = _Numbers((op, i) for i, op in enumerate(OPERATORS))
"""The place of each label in :data:`OPERATORS`; of any other label that of ``unknown``."""


def _canonical_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    width = COLUMNS["shape"]
    kept = list(shape)
    while len(kept) > 1 and kept[-1] == 1:
        kept.pop()
    if len(kept) > width:
        first, rest = kept[: len(kept) - width + 1], kept[len(kept) - width + 1 :]
        kept = [-1 if min(first) < 0 else prod(first), *rest]
    return tuple(kept)


def _product(lengths: Sequence[int]) -> float:
    result = 1.0
    for length in lengths:
        result *= max(0, length)
    return result


def _size(shape: Sequence[int]) -> float:
    """Elements; 0 where a length is not known."""
    return _product(shape)
