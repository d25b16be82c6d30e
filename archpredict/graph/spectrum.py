"""Spectra of graphs: eigenvalues of the normalised Laplacian, which tell how a network is joined and nothing else."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigvalsh
from scipy.sparse import coo_array
from scipy.sparse.csgraph import laplacian
from scipy.sparse.linalg import eigsh

from archpredict._typing import FloatArray
from archpredict.errors import whole_number
from archpredict.graph.arch_graph import ArchGraph

__all__ = ["laplacian_spectrum"]

LARGEST = 2.0
"""No eigenvalue of a normalised Laplacian is above it."""
_DENSE = 400
"""Nodes up to which all eigenvalues at once are quicker than a few of them."""
_SHIFT = -0.01
"""Below all eigenvalues, so that the shifted matrix can be factorised."""


def laplacian_spectrum(graph: ArchGraph, k: int = 16) -> FloatArray:
    """The ``k`` smallest eigenvalues of ``I - D^(-1/2) A D^(-1/2)``, in increasing order.

    ``A`` joins nodes with an edge in either direction, ``D`` has their numbers of neighbours (Chung, "Spectral Graph
    Theory", 1997). Operators, shapes and directions play no part: graphs that are joined alike have one spectrum.

    Args:
        graph: Any graph.
        k: How many eigenvalues, at least 1.

    Returns:
        ``(k,)`` numbers from 0 to 2; of a graph with fewer nodes the last ones are 2, the largest that there can be.
        Equal for isomorphic graphs, up to rounding.

    Example:
        >>> chain = ArchGraph(("input", "relu", "output"), ((0, 1), (1, 2)))
        >>> laplacian_spectrum(chain, 4).round(6).tolist()
        [0.0, 1.0, 2.0, 2.0]
    """
    count = whole_number("k, a number of eigenvalues,", k, 1)
    source, target = np.array(graph.edges, dtype=np.int64).reshape(-1, 2).T
    ends = np.concatenate([source, target]), np.concatenate([target, source])
    adjacency = coo_array((np.ones(len(ends[0])), ends), shape=(graph.num_nodes,) * 2).tocsr()
    adjacency.data[:] = 1.0  # parallel edges are one
    matrix = laplacian(adjacency, normed=True)
    found = min(count, graph.num_nodes)
    if graph.num_nodes <= _DENSE or found > graph.num_nodes // 2:
        values = eigvalsh(matrix.toarray())[:found]
    else:
        start = np.random.default_rng(0).standard_normal(graph.num_nodes)  # ARPACK's own is not the same every time
        values = np.sort(eigsh(matrix.tocsc(), found, sigma=_SHIFT, v0=start, return_eigenvectors=False))
    spectrum = np.full(count, LARGEST)
    spectrum[:found] = np.clip(values, 0.0, LARGEST)
    return spectrum
