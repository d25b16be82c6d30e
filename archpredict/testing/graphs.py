"""Hypothesis strategies for random architectures."""

from __future__ import annotations

from collections.abc import Sequence

from archpredict.errors import MissingDependencyError
from archpredict.graph import DATA, SUM, ArchGraph

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise MissingDependencyError(
        "archpredict.testing.graphs needs Hypothesis, which is not installed: pip install 'archpredict[test]'"
    ) from error

NODE_OPS = ("input", "conv3x3", "conv1x1", "maxpool3x3", SUM)
EDGE_OPS = (DATA, "skip", "conv")


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
