"""Search spaces written for benchmarks/few_labels.py, each a few lines as a user would begin, with labels made up.

Labels are a function of the choices that says what is commonly found: returns of width and depth diminish, a bottleneck
between wide stages costs, kernels matter more where images are large, edges matter by the paths they are on; and noise
that is fixed for each architecture, as a training's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from archpredict.graph.arch_graph import ArchGraph
from archpredict.spaces.base import Ordered, SearchSpace

__all__ = ["WRITTEN", "ChannelCounts", "FiveNodes", "MnasBlocks", "SixNodes", "made_up_label"]

CHANNELS = (16, 24, 32, 48, 64, 96, 128, 192)
STAGES = 6


class ChannelCounts(SearchSpace):
    """How many channels each of six stages of a chain has."""

    name = "channel-counts"
    num_choices = (len(CHANNELS),) * STAGES

    @property
    def ordered(self) -> Ordered:
        return (tuple(np.log2(CHANNELS).tolist()),) * STAGES

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        return _chain([f"conv_{CHANNELS[choice]}" for choice in choices])


def _channels_label(choices: Sequence[int], noise: float) -> float:
    width = np.log2([CHANNELS[choice] for choice in choices])
    useful = 1 - np.exp(-(width - 3) / np.array([1.0, 1.2, 1.5, 1.8, 2.1, 2.4]))
    narrower = np.maximum(width[:-1] - width[1:], 0)
    return float(70 + 5 * useful.sum() - 0.35 * (narrower**2).sum() + 0.15 * noise)


KERNELS, EXPANSIONS, LAYERS, SQUEEZED = (3, 5), (3, 6), (1, 2, 3, 4), (0, 1)
BLOCKS = 6


class MnasBlocks(SearchSpace):
    """Kernel, expansion, number of layers and squeeze-and-excitation of six blocks, as in MnasNet."""

    name = "mnas-blocks"
    num_choices = (len(KERNELS), len(EXPANSIONS), len(LAYERS), len(SQUEEZED)) * BLOCKS

    @property
    def ordered(self) -> Ordered:
        block = tuple(tuple(map(float, of)) for of in (KERNELS, EXPANSIONS, LAYERS, SQUEEZED))
        return block * BLOCKS

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        ops, cells = [], []
        for i in range(BLOCKS):
            kernel, expansion, layers, squeezed = choices[4 * i : 4 * i + 4]
            label = f"mb{KERNELS[kernel]}_e{EXPANSIONS[expansion]}{'_se' if squeezed else ''}"
            ops += [label] * LAYERS[layers]
            cells += [i] * LAYERS[layers]
        return _chain(ops, cells)


def _blocks_label(choices: Sequence[int], noise: float) -> float:
    rows = np.array(choices).reshape(BLOCKS, 4)
    kernel, expansion, layers, squeezed = rows.T
    place = np.arange(BLOCKS)
    capacity = (1 + 0.5 * expansion) * (1 + layers) ** 0.6
    useful = np.log1p(capacity * np.array([0.5, 0.7, 1.0, 1.4, 1.8, 1.2]))
    reach = kernel * np.array([0.1, 0.3, 0.5, 0.5, 0.3, 0.0]) * (1 + 0.2 * layers)
    late = 0.35 * squeezed * (place >= 2) - 0.1 * squeezed * (place < 2)
    return float(65 + 2 * useful.sum() + reach.sum() + late.sum() + 0.3 * noise)


class _Edges(SearchSpace):
    """A cell whose edges have operators; every node reads all before it."""

    nodes: int
    operators_of_edges: tuple[str, ...]

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        kept = [
            (edge, self.operators_of_edges[choice])
            for edge, choice in zip(combinations(range(self.nodes), 2), choices, strict=True)
            if self.operators_of_edges[choice] != "none"
        ]
        names = ("input", *("sum",) * (self.nodes - 2), "output")
        return ArchGraph(names, tuple(edge for edge, _ in kept), tuple(op for _, op in kept))


class FiveNodes(_Edges):
    """Five nodes, ten edges, four operators."""

    name = "five-nodes"
    nodes = 5
    operators_of_edges = ("none", "skip", "conv3x3", "pool")
    num_choices = (4,) * 10


class SixNodes(_Edges):
    """Six nodes, fifteen edges, five operators."""

    name = "six-nodes"
    nodes = 6
    operators_of_edges = ("none", "skip", "sep3x3", "sep5x5", "pool")
    num_choices = (5,) * 15


_DEPTH = {"none": 0.0, "skip": 0.0, "conv3x3": 1.0, "sep3x3": 0.8, "sep5x5": 1.0, "pool": 0.15}


def _edges_label(space: type[_Edges], strength: float) -> Callable[[Sequence[int], float], float]:
    def label(choices: Sequence[int], noise: float) -> float:
        """Depths of all paths, of which the deepest counts most; returns diminish, and skips help deep cells."""
        depths: list[list[float]] = [[0.0], *([] for _ in range(space.nodes - 1))]
        skipped = 0.0
        for (source, target), choice in zip(combinations(range(space.nodes), 2), choices, strict=True):
            op = space.operators_of_edges[choice]
            if op != "none":
                depths[target] += [depth + _DEPTH[op] for depth in depths[source]]
                skipped += op == "skip" and target - source > 1
        ends = np.sort(depths[-1])[::-1]
        if not len(ends):
            return 10.0 + noise
        shares = 0.6 ** np.arange(len(ends))
        value = (np.sqrt(ends) * shares).sum() / shares.sum() + 0.15 * np.log1p(len(ends))
        value += 0.12 * min(skipped, 2) * (ends[0] > 1.5) - 0.1 * max(0.0, ends[0] - 3) ** 2
        return float(80 + 6 * value + strength * noise)

    return label


WRITTEN: dict[type[SearchSpace], Callable[[Sequence[int], float], float]] = {
    ChannelCounts: _channels_label,
    MnasBlocks: _blocks_label,
    FiveNodes: _edges_label(FiveNodes, 0.6),
    SixNodes: _edges_label(SixNodes, 0.6),
}
"""The label of an architecture by its choices and a standard normal number."""


def _chain(ops: Sequence[str], cells: Sequence[int] | None = None) -> ArchGraph:
    n = len(ops)
    of = tuple(range(n)) if cells is None else tuple(cells)
    return ArchGraph(("input", *ops, "output"), tuple((i, i + 1) for i in range(n + 1)), cells=(0, *of, of[-1]))


def made_up_label(space: type[SearchSpace], choices: Sequence[int]) -> float:
    """The label of an architecture, the same each time."""
    return WRITTEN[space](choices, float(np.random.default_rng(list(choices)).normal()))
