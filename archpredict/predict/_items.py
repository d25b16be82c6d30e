"""What predictors are given: architectures of a search space, or bare graphs."""

from __future__ import annotations

from collections.abc import Sequence

from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.spaces.base import Architecture, SearchSpace

Item = Architecture | ArchGraph


def spaces_of(items: Sequence[Item]) -> list[SearchSpace]:
    """The distinct spaces of the items, in the order met."""
    return list({id(item.space): item.space for item in items if isinstance(item, Architecture)}.values())


def common_space(items: Sequence[Item]) -> SearchSpace | None:
    """The search space that all items are of; None where there are bare graphs, and for items of several spaces."""
    if not all(isinstance(item, Architecture) for item in items):
        return None
    spaces = spaces_of(items)
    return spaces[0] if _are_one(spaces) else None


def one_space(items: Sequence[Item], spaces: Sequence[SearchSpace]) -> SearchSpace:
    """The space of all items, whose distinct spaces are given.

    Raises:
        UsageError: There is a bare graph, or another space.
    """
    if not spaces or not all(isinstance(item, Architecture) for item in items):
        raise UsageError("choices and costs are read from Architecture objects, a bare graph was given")
    if not _are_one(spaces):
        raise UsageError("all architectures must be of one search space, where choices or costs are read")
    return spaces[0]


def _are_one(spaces: Sequence[SearchSpace]) -> bool:
    """Whether there is one space, of which there may be several objects."""
    return len({(space.name, space.num_choices) for space in spaces}) == 1


def cost_names(items: Sequence[Item], spaces: Sequence[SearchSpace]) -> tuple[str, ...]:
    """Costs that the space of all items computes; none where items are bare graphs or of several spaces."""
    if not _are_one(spaces) or not all(isinstance(item, Architecture) for item in items):
        return ()
    first = items[0]
    return tuple(sorted(first.cost)) if isinstance(first, Architecture) else ()


def labels_of(items: Sequence[Item], spaces: Sequence[SearchSpace]) -> tuple[str, ...]:
    """Operator labels of the items and their spaces, sorted."""
    labels: set[str] = set()
    for space in spaces:
        labels.update(space.operators)
    for graph in map(graph_of, items):
        labels.update(graph.ops, graph.edge_ops or ())
    return tuple(sorted(labels))


def graph_of(item: Item) -> ArchGraph:
    """The graph of an item.

    Raises:
        UsageError: It is neither an architecture nor a graph.
    """
    if isinstance(item, Architecture):
        return item.graph
    if isinstance(item, ArchGraph):
        return item
    raise UsageError(f"a predictor takes Architecture or ArchGraph objects, {type(item).__name__} was given")
