"""Random architectures: Hypothesis strategies, and a plain generator of computational graphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from archpredict.errors import MissingDependencyError
from archpredict.graph.arch_graph import DATA, SUM, ArchGraph
from archpredict.graph.operators import Operation, computational_graph

__all__ = ["arch_graphs", "computational_graphs", "random_computational_graph", "relabelled", "topological_orders"]

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise MissingDependencyError(
        "archpredict.testing.graphs needs Hypothesis, which is not installed: pip install 'archpredict[test]'"
    ) from error

NODE_OPS = ("input", "conv3x3", "conv1x1", "maxpool3x3", SUM)
EDGE_OPS = (DATA, "skip", "conv")
_ROUTES = ("straight", "residual", "branches")
_LAYERS = ("conv", "conv", "conv", "depthwise", "batch_norm", "relu", "gelu", "max_pool", "unknown:Mystery")


@st.composite
def arch_graphs(
    draw: st.DrawFn,
    *,
    min_nodes: int = 1,
    max_nodes: int = 8,
    ops: Sequence[str] = NODE_OPS,
    edge_ops: Sequence[str] | None = None,
    cells: int = 1,
) -> ArchGraph:
    """Random valid graphs, those with isolated nodes, parallel edges, and several sinks among them.

    Args:
        draw: Given by Hypothesis.
        min_nodes: Fewest nodes, at least 1.
        max_nodes: Most nodes.
        ops: Labels of nodes to choose from.
        edge_ops: Labels of edges to choose from, e.g. :data:`EDGE_OPS`; None makes operation-on-node graphs.
        cells: Number of cells to spread the nodes over.

    Example:
        >>> from hypothesis import given, settings
        >>> @settings(max_examples=10, database=None)
        ... @given(graph=arch_graphs(max_nodes=4, edge_ops=EDGE_OPS, cells=2))
        ... def holds(graph):
        ...     assert 1 <= graph.num_nodes <= 4 and graph.num_cells <= 2
        >>> holds()
    """
    n = draw(st.integers(min_nodes, max_nodes))
    pairs = [(source, target) for target in range(n) for source in range(target)]
    chosen = draw(st.lists(st.sampled_from(pairs), max_size=2 * n)) if pairs else []
    labels = None
    if edge_ops is not None:
        labels = tuple(draw(st.lists(st.sampled_from(list(edge_ops)), min_size=len(chosen), max_size=len(chosen))))
    return ArchGraph(
        ops=tuple(draw(st.lists(st.sampled_from(list(ops)), min_size=n, max_size=n))),
        edges=tuple(chosen),
        edge_ops=labels,
        cells=tuple(draw(st.lists(st.integers(0, cells - 1), min_size=n, max_size=n))),
    )


@st.composite
def topological_orders(draw: st.DrawFn, graph: ArchGraph) -> list[int]:
    """Random orders of a graph's nodes in which every edge points forwards; each such order can be drawn."""
    waiting = [0] * graph.num_nodes
    for _, target in graph.edges:
        waiting[target] += 1
    ready = [v for v, count in enumerate(waiting) if not count]
    order: list[int] = []
    while ready:
        order.append(ready.pop(draw(st.integers(0, len(ready) - 1))))
        for source, target in graph.edges:
            if source == order[-1]:
                waiting[target] -= 1
                if not waiting[target]:
                    ready.append(target)
    return order


@st.composite
def relabelled(draw: st.DrawFn, graph: ArchGraph) -> ArchGraph:
    """The same graph with its nodes in another topological order and its edges in another order."""
    moved = graph.relabel(draw(topological_orders(graph)))
    shuffle = draw(st.permutations(range(graph.num_edges)))
    return ArchGraph(
        ops=moved.ops,
        edges=tuple(moved.edges[i] for i in shuffle),
        edge_ops=None if moved.edge_ops is None else tuple(moved.edge_ops[i] for i in shuffle),
        cells=moved.cells,
        attrs=moved.attrs,
    )


def random_computational_graph(nodes: int, rng: np.random.Generator) -> ArchGraph:
    """A convolutional network of chains, residual blocks and concatenated branches, with shapes that fit together.

    Args:
        nodes: How many, at least 2; the depth grows with it.
        rng: Decides everything else.

    Example:
        >>> graph = random_computational_graph(500, np.random.default_rng(0))
        >>> graph.num_nodes, graph.ops[0], graph.ops[-1]
        (500, 'input', 'output')
    """
    side = int(rng.choice([32, 64, 224]))
    network = _Network([Operation("input", (1, 3, side, side))], [])
    while (left := nodes - 1 - len(network.operations)) > 0:
        route = str(rng.choice(_ROUTES))
        if route == "straight" or left < 6:
            network.layer(str(rng.choice(_LAYERS)), len(network.operations) - 1, rng)
            continue
        start = len(network.operations) - 1
        ends = [network.chain(int(rng.integers(1, 3)), start, rng) for _ in range(1 if route == "residual" else 2)]
        network.join("add" if route == "residual" else "concat", [start, *ends] if len(ends) == 1 else ends)
    network.operations.append(Operation("output", network.operations[-1].shape))
    network.edges.append((len(network.operations) - 2, len(network.operations) - 1))
    return computational_graph(network.operations, network.edges)


@st.composite
def computational_graphs(draw: st.DrawFn, *, min_nodes: int = 2, max_nodes: int = 40) -> ArchGraph:
    """Random computational graphs of :func:`random_computational_graph`, some of whose shapes are not known.

    Args:
        draw: Given by Hypothesis.
        min_nodes: Fewest nodes, at least 2.
        max_nodes: Most nodes.

    Example:
        >>> from hypothesis import given, settings
        >>> @settings(max_examples=10, database=None)
        ... @given(graph=computational_graphs(max_nodes=9))
        ... def holds(graph):
        ...     assert 2 <= graph.num_nodes <= 9 and graph.attrs["shape"].shape == (graph.num_nodes, 6)
        >>> holds()
    """
    seed = draw(st.integers(0, 2**32 - 1))
    graph = random_computational_graph(draw(st.integers(min_nodes, max_nodes)), np.random.default_rng(seed))
    shape = graph.attrs["shape"].copy()
    for node in draw(st.sets(st.integers(0, graph.num_nodes - 1), max_size=2)):
        shape[node, draw(st.integers(0, 3))] = -1
    return ArchGraph(graph.ops, graph.edges, attrs={**graph.attrs, "shape": shape})


@dataclass(frozen=True)
class _Network:
    """A network that grows node by node."""

    operations: list[Operation]
    edges: list[tuple[int, int]]

    def layer(self, kind: str, source: int, rng: np.random.Generator, channels: int | None = None) -> int:
        """One layer more; the node's number."""
        n, c, height, width = self.operations[source].shape
        out = channels or max(8, min(1024, int(c * rng.choice([1, 1, 1, 2]))))
        if kind == "conv":
            kernel = int(rng.choice([1, 3, 5, 7]))
            made = Operation(
                kind, (n, out, height, width), (kernel,) * 2, (1, 1), (1, 1), weight=(out, c, kernel, kernel)
            )
        elif kind == "depthwise":
            made = Operation(
                "conv", (n, c, height, width), (3, 3), (1, 1), (1, 1), groups=c, weight=(c, 1, 3, 3), bias=True
            )
        elif kind == "max_pool" and min(height, width) >= 8:
            made = Operation(kind, (n, c, height // 2, width // 2), (2, 2), (2, 2))
        elif kind == "max_pool":
            made = Operation("relu", (n, c, height, width))
        else:
            weight = (c,) if kind == "batch_norm" else ()
            made = Operation(kind, (n, c, height, width), weight=weight, bias=bool(weight))
        return self._add(made, [source])

    def chain(self, length: int, source: int, rng: np.random.Generator) -> int:
        """A few layers that keep the shape; the last one's number."""
        channels = self.operations[source].shape[1]
        for kind in rng.choice(("conv", "depthwise", "relu", "batch_norm"), length).tolist():
            source = self.layer(kind, source, rng, channels)
        return source

    def join(self, kind: str, sources: Sequence[int]) -> None:
        n, c, height, width = self.operations[sources[0]].shape
        self._add(Operation(kind, (n, c * len(sources) if kind == "concat" else c, height, width)), sources)

    def _add(self, operation: Operation, sources: Sequence[int]) -> int:
        self.operations.append(operation)
        self.edges.extend((source, len(self.operations) - 1) for source in sources)
        return len(self.operations) - 1
