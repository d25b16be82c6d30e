"""Parameters and multiply-adds of the NAS-Bench-101 network for CIFAR-10.

A 3x3 stem of 128 channels, three stacks of three cells with 128, 256 and 512 channels at 32, 16 and 8 pixels,
global pooling and a classifier. Convolutions have no bias; each is followed by an affine batch normalisation.
"""

from __future__ import annotations

from collections.abc import Sequence

_STEM = 128
_STACKS = ((128, 32), (256, 16), (512, 8))  # channels, pixels per side
_CELLS_PER_STACK = 3
_CLASSES = 10
_KERNELS = {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1}

Edge = tuple[int, int]


def network_cost(ops: Sequence[str], edges: Sequence[Edge]) -> tuple[int, int]:
    """``(params, macs)`` of the network whose cells are all this pruned one.

    Args:
        ops: ``n`` names from ``input`` to ``output``.
        edges: ``(source, destination)`` with source < destination.
    """
    weights = 27 * _STEM
    params, macs = weights + 2 * _STEM, weights * 32**2
    before = _STEM
    for channels, pixels in _STACKS:
        for _ in range(_CELLS_PER_STACK):
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
        if op in _KERNELS:
            weights += _KERNELS[op] ** 2 * width * width
            normalised += width
    for source, target in edges:
        if source == 0:
            weights += before * channels[target]
            normalised += channels[target]
    return weights, normalised
