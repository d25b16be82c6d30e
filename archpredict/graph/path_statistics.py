"""Statistics of the paths from a network's inputs to its outputs: what the longest, the shortest and most of them hold.

Networks of cells differ less in what they are made of than in how it is joined: a skip connection leaves the costs of a
cell as they are, and halves the convolutions on most ways through it.
"""

from __future__ import annotations

import numpy as np

from archpredict._typing import BoolArray, FloatArray, IntArray
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.network_view import NetworkView

__all__ = ["PATH_NAMES", "path_statistics", "path_statistics_of"]

QUANTITIES = ("spatial convolutions", "pointwise layers", "pools", "layers", "reach", "share of macs")
"""What is added up along a path: convolutions with a kernel above 1; convolutions of 1 x 1 and linear layers; pools
over windows, which lose detail (not those over whole images, as in squeeze-and-excitation); layers with weights; pixels
of the input that are seen beyond the first, per axis; the share of all multiply-adds."""
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
    row: FloatArray = path_statistics_of(NetworkView([graph]))[0]
    return row


def path_statistics_of(networks: NetworkView) -> FloatArray:
    """Statistics of the paths through many computational graphs at once, ``(G, F)``: :func:`path_statistics` of each.

    Args:
        networks: ``G`` graphs.
    """
    paths = _PathSums(networks)
    found = np.zeros((len(networks), len(PATH_NAMES)))
    ends = np.flatnonzero(networks.is_op("output") & paths.reach())
    if not len(ends):
        return found
    graphs, begins = np.unique(networks.graph[ends], return_index=True)
    *parts, number = np.split(paths.joined(ends, begins), _PARTS, axis=1)
    high, low, mean, variance = parts
    summaries = np.stack([high, -low, mean, np.sqrt(variance)], axis=2).reshape(len(graphs), -1)
    found[graphs] = np.hstack([summaries, number])
    return found


_WIDTH = len(QUANTITIES)
_PARTS = np.arange(1, 5) * _WIDTH
"""Where the parts of what paths add up to end: the largest sums; the smallest ones with the sign turned, so that they
are maxima too; means; variances. What is left is the logarithm of the number of paths."""


class _PathSums:
    """What the paths from an input to each node add up to: ``(T, 4 Q + 1)``, in :data:`_PARTS`.

    Kept of junctions alone; other nodes add what is behind these.

    Args:
        view: The graphs.
    """

    def __init__(self, view: NetworkView) -> None:
        self._junctions, inputs, added = view.junctions, view.is_op("input"), _quantities(view)
        self._behind = self._junctions.sums_behind(added)
        kept = np.flatnonzero(self._junctions.root == np.arange(len(view.op)))
        place = np.zeros(len(view.op), dtype=np.int64)
        place[kept] = np.arange(len(kept))
        self._place = place[self._junctions.root]
        own = _shift(added[kept])
        self._sums = own.copy()
        self._sums[~inputs[kept], : 2 * _WIDTH] = self._sums[~inputs[kept], -1] = -np.inf
        begin_late = (inputs & (view.in_degree > 0)).any()
        for nodes, sources, begins in self._junctions.levels:
            sums = self.joined(sources, begins) + own[place[nodes]]
            if begin_late:  # at inputs paths begin, whatever arrives
                nodes, sums = nodes[~inputs[nodes]], sums[~inputs[nodes]]
            self._sums[place[nodes]] = sums

    def reach(self) -> BoolArray:
        """``(T,)`` whether a path reaches a node."""
        number: FloatArray = self._sums[self._place, -1]
        return number > -np.inf

    def joined(self, nodes: IntArray, begins: IntArray) -> FloatArray:
        """The same for the paths through any of some nodes, ``(K, 4 Q + 1)``.

        Args:
            nodes: ``(S,)``, one set after another.
            begins: ``(K,)`` where each set begins.
        """
        arriving = self._sums[self._place[nodes]] + _shift(self._behind[nodes])
        if len(nodes) == len(begins):
            return arriving
        sizes = np.diff(begins, append=len(nodes))
        extremes, means, variances, number = np.split(arriving, _PARTS[1:], axis=1)
        most = np.maximum(np.maximum.reduceat(number, begins), _FEWEST)
        weights = np.exp(number - most.repeat(sizes, axis=0))
        total = np.maximum(np.add.reduceat(weights, begins), _TINY)
        weights /= total.repeat(sizes, axis=0)
        mean = np.add.reduceat(weights * means, begins)
        variance = np.add.reduceat(weights * (variances + (means - mean.repeat(sizes, axis=0)) ** 2), begins)
        number = np.where(most > _FEWEST, most + np.log(total), -np.inf)
        return np.hstack([np.maximum.reduceat(extremes, begins), mean, variance, number])


_FEWEST = -1.0
"""Less than the logarithm of any number of paths but that of none."""
_TINY = 1e-300


def _shift(added: FloatArray) -> FloatArray:
    """What it adds to :data:`_PARTS` when paths go on over nodes that add ``(K, Q)``."""
    return np.hstack([added, -added, added, np.zeros_like(added), np.zeros((len(added), 1))])


def _quantities(view: NetworkView) -> FloatArray:
    """``(T, Q)`` what each node adds to the paths through it."""
    kernel, dilation = view.column("kernel").max(axis=1), view.column("dilation").max(axis=1)
    convolves, pools = view.is_op("conv", "conv_transpose"), view.is_op(*_POOLS)
    macs = view.column("macs")[:, 0]
    seen = np.where(convolves | pools, np.maximum(kernel - 1, 0) * np.maximum(1, dilation), 0)
    return np.stack(
        [
            convolves & (kernel > 1),
            (convolves & (kernel <= 1)) | view.is_op("linear"),
            pools,
            view.is_op(*_LAYERS),
            seen * _strides(view),
            macs / np.maximum(1.0, view.sums(macs))[view.graph],
        ],
        axis=1,
    ).astype(np.float64)


def _strides(view: NetworkView) -> FloatArray:
    """``(T,)`` pixels of the input between neighbours in what each node reads; 1 where it reads no image."""
    shape = view.column("shape")
    side = np.where(shape[:, 4] == 0, shape[:, 3], 0)  # of images: batch, channels, height, width
    inputs = view.is_op("input")
    first = np.full(len(view), -np.inf)
    np.maximum.at(first, view.graph[inputs], side[inputs])
    first = np.where(first > -np.inf, first, 0.0)[view.graph]
    read = np.zeros(len(side))
    np.maximum.at(read, view.target, side[view.source])
    return np.where(read > 0, np.maximum(1.0, first / np.maximum(read, 1.0)), 1.0)
