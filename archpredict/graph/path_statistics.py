"""Statistics of the paths from a network's inputs to its outputs: what the longest, the shortest and most of them hold.

Networks of cells differ less in what they are made of than in how it is joined: a skip connection leaves the costs of a
cell as they are, and halves the convolutions on most ways through it.
"""

from __future__ import annotations

import numpy as np

from archpredict._typing import FloatArray
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import check_computational

__all__ = ["PATH_NAMES", "path_statistics"]

QUANTITIES = ("spatial convolutions", "pointwise layers", "pools", "layers", "reach", "share of macs")
"""What is added up along a path: convolutions with a kernel above 1; convolutions of 1 x 1 and linear layers; pools over
windows, which lose detail (not those over whole images, as in squeeze-and-excitation); layers with weights; pixels of
the input that are seen beyond the first, per axis; the share of all multiply-adds."""
SUMMARIES = ("largest", "smallest", "mean", "spread")
PATH_NAMES = (*(f"{summary} {what} of paths" for what in QUANTITIES for summary in SUMMARIES), "log paths")
"""Names of the columns."""

_POOLS = ("max_pool", "avg_pool")
_LAYERS = ("conv", "conv_transpose", "linear", "recurrent", "attention", "matmul")


def path_statistics(graph: ArchGraph) -> FloatArray:
    """Largest, smallest, mean and standard deviation, over all paths, of what a path adds up; and how many there are.

    Every path from an input to an output counts as much as every other. One pass in topological order carries moments
    instead of paths, so that a network of a thousand skip connections takes milliseconds.

    Args:
        graph: With the attributes of :mod:`archpredict.graph.operators`.

    Returns:
        ``(F,)`` numbers in the order of :data:`PATH_NAMES`; zeros where no path leads from an input to an output. Equal
        for isomorphic graphs, up to rounding.

    Raises:
        InvalidGraphError: The graph is no computational graph.

    Example:
        >>> from archpredict.graph.operators import Operation, computational_graph
        >>> nodes = [Operation("input"), Operation("conv", kernel=(3, 3)), Operation("add"), Operation("output")]
        >>> skip = computational_graph(nodes, [(0, 1), (0, 2), (1, 2), (2, 3)])
        >>> row = dict(zip(PATH_NAMES, path_statistics(skip).tolist()))
        >>> [row[f"{summary} spatial convolutions of paths"] for summary in SUMMARIES]
        [1.0, 0.0, 0.5, 0.5]
        >>> round(float(np.exp(row["log paths"])))
        2
    """
    check_computational(graph)
    added = _quantities(graph)
    arriving: list[list[int]] = [[] for _ in graph.ops]
    for source, target in graph.edges:
        arriving[target].append(source)
    moments = np.zeros((graph.num_nodes, len(SUMMARIES), len(QUANTITIES)))  # largest, smallest, mean, mean square
    paths = np.full(graph.num_nodes, -np.inf)  # logarithms of their number
    ends = []
    for v, op in enumerate(graph.ops):
        sources = [u for u in arriving[v] if paths[u] > -np.inf]
        if op == "input":
            paths[v] = 0.0
        elif sources:
            moments[v], paths[v] = _joined(moments[sources], paths[sources])
        if added[v].any():
            moments[v] = _longer(moments[v], added[v])
        if op == "output" and sources:
            ends.append(v)
    if not ends:
        return np.zeros(len(PATH_NAMES))
    (high, low, mean, square), number = _joined(moments[ends], paths[ends])
    spread = np.sqrt(np.maximum(0, square - mean**2))
    return np.append(np.stack([high, low, mean, spread], axis=1).reshape(-1), number)


def _joined(moments: FloatArray, paths: FloatArray) -> tuple[FloatArray, float]:
    """Moments of the paths through any of some nodes, ``(S, 4, Q)``, and the logarithm of their number."""
    if len(paths) == 1:
        return moments[0], float(paths[0])
    most = float(paths.max())
    weights = np.exp(paths - most)
    total = float(weights.sum())
    mean, square = (weights[:, None, None] / total * moments[:, 2:]).sum(0)
    return np.stack([moments[:, 0].max(0), moments[:, 1].min(0), mean, square]), most + float(np.log(total))


def _longer(moments: FloatArray, added: FloatArray) -> FloatArray:
    """Moments of paths that go on over one more node."""
    high, low, mean, square = moments
    return np.stack([high + added, low + added, mean + added, square + 2 * added * mean + added**2])


def _quantities(graph: ArchGraph) -> FloatArray:
    """``(N, Q)`` what each node adds to the paths through it."""
    columns = {
        name: np.asarray(graph.attrs[name], dtype=np.float64) for name in ("kernel", "dilation", "shape", "macs")
    }
    ops = np.array(graph.ops)
    kernel = columns["kernel"].max(1)
    convolves = np.isin(ops, ("conv", "conv_transpose"))
    pools = np.isin(ops, _POOLS)
    macs = columns["macs"][:, 0]
    seen = np.where(convolves | pools, np.maximum(kernel - 1, 0) * np.maximum(1, columns["dilation"].max(1)), 0)
    return np.stack(
        [
            convolves & (kernel > 1),
            (convolves & (kernel <= 1)) | (ops == "linear"),
            pools,
            np.isin(ops, _LAYERS),
            seen * _strides(graph, columns["shape"]),
            macs / max(1.0, float(macs.sum())),
        ],
        axis=1,
    ).astype(np.float64)


def _strides(graph: ArchGraph, shape: FloatArray) -> FloatArray:
    """``(N,)`` pixels of the input between neighbours in what each node reads; 1 where it reads no image."""
    side = np.where(shape[:, 4] == 0, shape[:, 3], 0)  # of images: batch, channels, height, width
    first = max([side[v] for v, op in enumerate(graph.ops) if op == "input"], default=0.0)
    read = np.zeros(graph.num_nodes)
    for source, target in graph.edges:
        read[target] = max(read[target], side[source])
    return np.where(read > 0, np.maximum(1.0, first / np.maximum(read, 1.0)), 1.0)
