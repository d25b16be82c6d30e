"""Which nodes of a cell lie on a path from an input to an output; the rest is cut off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archpredict.graph.arch_graph import ArchGraph

LabelledEdge = tuple[int, int, str]


def on_paths(edges: Sequence[tuple[int, int]], sources: Iterable[int], sinks: Iterable[int]) -> set[int]:
    """Nodes that a source reaches and that reach a sink.

    Args:
        edges: ``(source, destination)`` with source < destination.
        sources: Where data enters.
        sinks: Where data leaves.
    """
    reached, useful = set(sources), set(sinks)
    for source, target in sorted(edges):
        if source in reached:
            reached.add(target)
    for source, target in sorted(edges, key=lambda edge: -edge[1]):
        if target in useful:
            useful.add(source)
    return reached & useful


def pruned_cells(
    ops: Sequence[str],
    edges: Sequence[LabelledEdge],
    cells: Sequence[int],
    sources: Sequence[int],
    sinks: Sequence[int],
) -> ArchGraph:
    """The operation-on-edge graph without what no input feeds or no output reads.

    Inputs and outputs stay even where nothing is connected to them.
    """
    live = on_paths([(s, t) for s, t, _ in edges], sources, sinks)
    kept = sorted(live.union(sources, sinks))
    place = {old: new for new, old in enumerate(kept)}
    used = [(place[s], place[t], op) for s, t, op in edges if s in live and t in live]
    return ArchGraph(
        ops=tuple(ops[v] for v in kept),
        edges=tuple((s, t) for s, t, _ in used),
        edge_ops=tuple(op for _, _, op in used),
        cells=tuple(cells[v] for v in kept),
    )
