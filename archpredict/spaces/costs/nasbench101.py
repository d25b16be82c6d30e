"""Parameters and multiply-adds of the NAS-Bench-101 network for CIFAR-10.

A 3x3 stem of 128 channels, three stacks of three cells with 128, 256 and 512 channels at 32, 16 and 8 pixels,
global pooling and a classifier. Convolutions have no bias; each is followed by an affine batch normalisation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from archpredict._typing import BoolArray, FloatArray, IntArray

STEM = 128
STACKS = ((128, 32), (256, 16), (512, 8))  # channels, pixels per side
CELLS_PER_STACK = 3
_CLASSES = 10
KERNELS = {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1}

Edge = tuple[int, int]
_INNER, _OUTPUT = range(1, 6), 6


def network_cost(ops: Sequence[str], edges: Sequence[Edge]) -> tuple[int, int]:
    """``(params, macs)`` of the network whose cells are all this pruned one.

    Args:
        ops: ``n`` names from ``input`` to ``output``.
        edges: ``(source, destination)`` with source < destination.
    """
    weights = 27 * STEM
    params, macs = weights + 2 * STEM, weights * 32**2
    before = STEM
    for channels, pixels in STACKS:
        for _ in range(CELLS_PER_STACK):
            weights, normalised = _cell(ops, edges, before, channels)
            params += weights + 2 * normalised
            macs += weights * pixels**2
            before = channels
    return params + (before + 1) * _CLASSES, macs + before * _CLASSES


def vertex_channels(n: int, edges: Sequence[Edge], before: int, after: int) -> list[int]:
    """How many channels each vertex of a cell computes.

    The vertices that the output reads share its channels evenly, the first ones taking what is left over; any
    other computes as many as the widest vertex that reads it.

    Example:
        >>> vertex_channels(4, [(0, 1), (0, 2), (1, 3), (2, 3)], before=64, after=129)
        [64, 65, 64, 129]
    """
    output = n - 1
    channels = [before, *(0,) * (n - 2), after]
    joined = sorted(s for s, t in edges if t == output and s > 0)
    for place, vertex in enumerate(joined):
        channels[vertex] = after // len(joined) + (place < after % len(joined))
    for vertex in range(n - 2, 0, -1):
        if vertex not in joined:
            channels[vertex] = max(channels[t] for s, t in edges if s == vertex)
    return channels


def _cell(ops: Sequence[str], edges: Sequence[Edge], before: int, after: int) -> tuple[int, int]:
    """Weights and normalised channels of one cell: its operations and the 1x1 projections of its input."""
    channels = vertex_channels(len(ops), edges, before, after)
    weights = normalised = 0
    for op, width in zip(ops, channels, strict=True):
        if op in KERNELS:
            weights += KERNELS[op] ** 2 * width * width
            normalised += width
    for source, target in edges:
        if source == 0:
            weights += before * channels[target]
            normalised += channels[target]
    return weights, normalised


def network_costs(
    edges: Mapping[Edge, BoolArray], labels: Sequence[npt.NDArray[np.uint8]], operators: Sequence[str]
) -> tuple[FloatArray, FloatArray]:
    """:func:`network_cost` of ``B`` networks at once.

    Args:
        edges: For each pair of the vertices 0 to 6, source < destination, whether there is that edge, ``(B,)``;
            vertices without edges are unused.
        labels: The operators of vertices 1 to 5, each ``(B,)`` indices into ``operators``.
        operators: Their names.

    Returns:
        ``params`` and ``macs``, each ``(B,)``.
    """
    areas = np.array([KERNELS.get(op, 0) ** 2 for op in operators])
    stem = 27 * STEM
    params = np.full(len(labels[0]), stem + 2 * STEM, dtype=np.float64)
    macs = np.full_like(params, stem * 32**2)
    before = STEM
    for channels, pixels in STACKS:
        widths = _widths(edges, channels)
        squares, normalised = (np.zeros(len(params), dtype=np.int64) for _ in range(2))
        for width, label in zip(widths, labels, strict=True):
            squares += areas[label] * width * width
            normalised += (areas > 0)[label] * width
        projected = edges[0, _OUTPUT] * channels
        for vertex, width in zip(_INNER, widths, strict=True):
            projected = projected + edges[0, vertex] * width
        inputs = before + (CELLS_PER_STACK - 1) * channels  # channels that the cells of the stack read, in all
        weights = CELLS_PER_STACK * squares + inputs * projected
        params += weights + 2 * CELLS_PER_STACK * (normalised + projected)
        macs += weights * pixels**2
        before = channels
    return params + (before + 1) * _CLASSES, macs + before * _CLASSES


def _widths(edges: Mapping[Edge, BoolArray], after: int) -> list[IntArray]:
    """:func:`vertex_channels` of vertices 1 to 5, each ``(B,)``; 0 where unused."""
    joined = [edges[vertex, _OUTPUT] for vertex in _INNER]
    places = np.cumsum(joined, axis=0, dtype=np.uint8)  # (5, B), from 1
    number = places[-1]
    shares = np.array([[after // max(n, 1) + (place <= after % max(n, 1)) for place in range(6)] for n in range(6)])
    widths: dict[int, IntArray] = {}
    for vertex in reversed(_INNER):
        widest = np.zeros(len(number), dtype=np.int64)
        for reader, width in widths.items():
            np.maximum(widest, edges[vertex, reader] * width, out=widest)
        widths[vertex] = np.where(joined[vertex - 1], shares[number, places[vertex - 1]], widest)
    return [widths[vertex] for vertex in _INNER]
