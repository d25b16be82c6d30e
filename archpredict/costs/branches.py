"""Parallel linear branches that can be merged into one layer before a network is deployed."""

from __future__ import annotations

import numpy as np

from archpredict._typing import BoolArray
from archpredict.graph.network_view import NetworkView

__all__ = ["mergeable"]


def mergeable(view: NetworkView) -> BoolArray:
    """Which nodes vanish when sums of parallel linear maps of one tensor become one layer.

    Convolutions and batch norms that read one tensor, and whose results are only added, are one convolution with the
    largest of their kernels: Ding et al., "RepVGG", CVPR 2021, arXiv 2101.03697, section 3.3.

    Args:
        view: Networks.

    Returns:
        ``(T,)``: all of such branches but the largest, and the sums.

    Example:
        >>> from archpredict.graph.operators import Operation, computational_graph
        >>> shape = (1, 8, 4, 4)
        >>> one, three = (Operation("conv", shape, kernel=(k, k), weight=(8, 8, k, k)) for k in (1, 3))
        >>> nodes = [Operation("input", shape), one, three, Operation("add", shape)]
        >>> mergeable(NetworkView([computational_graph(nodes, [(0, 1), (0, 2), (1, 3), (2, 3)])]))
        array([False,  True, False,  True])
    """
    found = np.zeros(len(view.op), dtype=np.bool_)
    linear = (view.is_op("conv", "batch_norm") & (view.in_degree == 1)).tolist()
    sums = (view.is_op("add") & (view.in_degree == 2)).tolist()
    readers = np.bincount(view.source, minlength=len(found))
    macs, begins = view.macs, np.searchsorted(view.target, np.arange(len(found)))
    origin: dict[int, int] = {}
    branches: dict[int, list[int]] = {}
    for node in range(len(found)):
        sources = view.source[begins[node] : begins[node] + view.in_degree[node]].tolist()
        if linear[node]:
            origin[node], branches[node] = sources[0], [node]
        elif sums[node] and sources[0] != sources[1]:
            alone = all(s in origin and readers[s] == 1 for s in sources)
            if alone and origin[sources[0]] == origin[sources[1]]:
                origin[node] = origin[sources[0]]
                branches[node] = [*branches[sources[0]], *branches[sources[1]], node]
                kept = max(branches[node], key=lambda branch: float(macs[branch]))
                found[[branch for branch in branches[node] if branch != kept]] = True
                found[kept] = False
    return found
