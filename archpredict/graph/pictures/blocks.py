"""Pictures of networks: activations with what they follow, repeated blocks once with their count, else stages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import ACTIVATIONS, COLUMNS, NORMS
from archpredict.graph.pictures.kinds import kind_of
from archpredict.graph.pictures.picture import Box, Group, boxes_of, operator_box
from archpredict.graph.pictures.repeats import Repeat, folded, num_elements
from archpredict.graph.summary import si, stages_with_nodes

__all__ = ["in_columns", "is_network", "node_label", "picture_of_network", "picture_of_stages"]

MOST_BOXES, _MOST_ARROWS = 160, 240
"""More could not be read: then blocks are told in a box each, or stages."""
_FAR = 256
"""Distance from which on only that something is read counts, not from where."""
_COLUMN = 14
"""Boxes below each other until the picture goes on in the next column."""
_IN_A_BLOCK = 3
_IN_ALL = 20
"""Boxes inside of blocks that are told in one box each, times those that a picture has."""


def is_network(graph: ArchGraph) -> bool:
    """Whether the graph is a computational one, with shapes, rather than a cell."""
    return COLUMNS.keys() <= graph.attrs.keys()


def picture_of_network(graph: ArchGraph, most: int = MOST_BOXES) -> Group:
    """A network in at most so many boxes.

    Tried one after the other: blocks folded that are equal in operators, kernels and channels; in operators alone;
    folded blocks told in one box each; stages.

    Args:
        graph: A computational graph.
        most: Number of boxes.
    """
    units, labels = _units(graph), [node_label(graph, v) for v in range(graph.num_nodes)]
    crossing = _crossing(units)
    for what in (labels, graph.ops):  # channels and kernels have to be equal; operators alone
        parts = folded([_token(what, units, i) for i in range(len(units.nodes))], crossing)
        if num_elements(parts) <= most:
            found = _group(graph, units, labels, parts, 1)
            if _is_legible(found, most):
                return found
    if len(parts) <= most and num_elements(parts) <= _IN_ALL * most:
        found = _told(_group(graph, units, labels, parts, 1))
        if _is_legible(found, most):
            return found
    return picture_of_stages(graph)


def _is_legible(group: Group, most: int) -> bool:
    return sum(1 for _ in boxes_of(group)) <= most and _num_arrows(group) <= _MOST_ARROWS * most / MOST_BOXES


def _num_arrows(group: Group) -> int:
    return len(group.arrows) + sum(_num_arrows(item) for item in group.items if isinstance(item, Group))


def picture_of_stages(graph: ArchGraph) -> Group:
    """A network as a box for each resolution that it works at, with the operators that it has most of.

    Example:
        >>> from archpredict.graph.operators import Operation, computational_graph
        >>> conv = Operation("conv", (1, 8, 4, 4), kernel=(3, 3), weight=(8, 3, 3, 3))
        >>> graph = computational_graph([Operation("input", (1, 3, 4, 4)), conv], [(0, 1)])
        >>> picture_of_stages(graph).items[0].lines
        ('4x4, 8 channels', '1 conv', '216 parameters')
    """
    items = []
    for stage, nodes in stages_with_nodes(graph):
        counts = Counter(graph.ops[v] for v in nodes)
        low, high = stage.channels
        width = "" if not high else f", {high} channels" if low == high else f", {low} to {high} channels"
        ops = [f"{count:,} {op}" for op, count in _most_frequent(counts)]
        params = [f"{si(stage.params)} parameters"] if stage.params else []
        items.append(Box((f"{stage.resolution}{width}", *ops, *params), "block"))
    return Group(tuple(items), tuple(pairwise(range(len(items)))))


def node_label(graph: ArchGraph, v: int) -> str:
    """A node in a few letters: operator, kernel, stride, groups, output channels.

    Example:
        >>> from archpredict.graph.operators import Operation, computational_graph
        >>> conv = Operation("conv", (1, 8, 2, 2), kernel=(3, 3), stride=(2, 2), groups=2, weight=(8, 2, 3, 3))
        >>> node_label(computational_graph([Operation("input", (1, 4, 4, 4)), conv], [(0, 1)]), 1)
        'conv 3x3 /2 g2 8'
    """
    kernel, stride = (_lengths(graph.attrs[name][v].tolist()) for name in ("kernel", "stride"))
    groups, width = int(graph.attrs["groups"][v].sum()), int(graph.attrs["weight"][v][0])
    parts = [graph.ops[v], *(["x".join(map(str, kernel))] if kernel else [])]
    parts += [f"/{max(stride)}"] if stride and max(stride) > 1 else []
    parts += [f"g{groups}"] if groups > 1 else []
    parts += [str(width)] if (width > 0 and kernel) or graph.ops[v] == "linear" else []
    return " ".join(parts)


def _lengths(values: Sequence[float]) -> list[int]:
    return [int(value) for value in values if value > 0]


# ---------------------------------------------------------------------- units


@dataclass(frozen=True)
class _Units:
    """Nodes with the norms and activations that alone read them.

    Args:
        nodes: Of each unit, in order.
        reads: Units that each reads.
    """

    nodes: tuple[tuple[int, ...], ...]
    reads: tuple[tuple[int, ...], ...]


def _units(graph: ArchGraph) -> _Units:
    arriving: list[list[int]] = [[] for _ in graph.ops]
    readers = [0] * graph.num_nodes
    for source, target in dict.fromkeys(graph.edges):
        arriving[target].append(source)
        readers[source] += 1
    of, nodes = [0] * graph.num_nodes, list[list[int]]()
    for v, op in enumerate(graph.ops):
        sources = arriving[v]
        joins = op in ACTIVATIONS or op in NORMS
        if joins and len(sources) == 1 and readers[sources[0]] == 1 and graph.ops[sources[0]] != "input":
            of[v] = of[sources[0]]
            nodes[of[v]].append(v)
        else:
            of[v] = len(nodes)
            nodes.append([v])
    reads = [tuple(dict.fromkeys(of[source] for source in arriving[members[0]])) for members in nodes]
    return _Units(tuple([tuple(members) for members in nodes]), tuple(reads))


def _crossing(units: _Units) -> list[int]:
    """How many units before each place are read there or later."""
    last = list(range(len(units.nodes)))
    for i, reads in enumerate(units.reads):
        for source in reads:
            last[source] = i
    change = np.zeros(len(last) + 1, dtype=np.int64)
    for source, end in enumerate(last):
        change[source + 1] += 1
        change[end + 1] -= 1
    found: list[int] = change.cumsum()[:-1].tolist()
    return found


def _token(labels: Sequence[str], units: _Units, i: int) -> Hashable:
    return (*(labels[v] for v in units.nodes[i]), *sorted(min(i - source, _FAR) for source in units.reads[i]))


# ---------------------------------------------------------------------- folding


def _group(graph: ArchGraph, units: _Units, labels: Sequence[str], parts: Sequence[int | Repeat], times: int) -> Group:
    """The group of some parts; those of a repeat also show what they are given."""
    items: list[Box | Group] = []
    place: dict[int, int] = {}
    arrows: dict[tuple[int, int], None] = {}
    outside: set[int] = set()
    for part in parts:
        first, count = (part, 1) if isinstance(part, int) else (part.run.start, part.run.period * part.run.count)
        if isinstance(part, int):
            items.append(_box(graph, labels, units.nodes[part]))
        else:
            items.append(_group(graph, units, labels, part.parts, part.run.count))
        for i in range(first, first + count):
            place[i] = len(items) - 1
            for source in units.reads[i]:
                if source not in place:
                    outside.add(len(items) - 1)
                elif place[source] != place[i]:
                    arrows[place[source], place[i]] = None
    if times > 1 and outside and len(items) > 1:  # what the block is given, above it
        items = [Box(("in",), "state", is_state=True), *items]
        arrows = dict.fromkeys([*((0, i + 1) for i in sorted(outside)), *((s + 1, t + 1) for s, t in arrows)])
    return Group(tuple(items), tuple(arrows), times=times)


def _box(graph: ArchGraph, labels: Sequence[str], nodes: Sequence[int]) -> Box:
    first, *rest = (labels[v] for v in nodes)
    if kind_of(graph.ops[nodes[0]]) == "state":
        return Box((first, *rest), "state", is_state=not rest)
    return replace(operator_box(first, *rest), kind=_kind(graph, nodes[0]))


def _kind(graph: ArchGraph, v: int) -> str:
    """That of the operator; of a convolution whose groups are its channels that of light ones."""
    groups = int(graph.attrs["groups"][v].sum())
    return (
        "light"
        if graph.ops[v] == "conv" and groups > 1 and groups == graph.attrs["weight"][v][0]
        else kind_of(graph.ops[v])
    )


def _told(group: Group) -> Group:
    """The group with each repeated block as one box."""
    items: list[Box | Group] = []
    for item in group.items:
        if isinstance(item, Box):
            items.append(item)
            continue
        counts: Counter[str] = Counter(line.split()[0] for box in boxes_of(item) for line in box.lines)
        counts.pop("in", None)
        ops = ", ".join(f"{count} {op}" for op, count in _most_frequent(counts))
        items.append(Box((f"block × {item.times}", ops), "block"))
    return replace(group, items=tuple(items))


def _most_frequent(counts: Counter[str]) -> list[tuple[str, int]]:
    known = [(op, count) for op, count in counts.items() if op not in ("input", "output")]
    return sorted(known, key=lambda pair: (-pair[1], pair[0]))[:_IN_A_BLOCK]


# ---------------------------------------------------------------------- columns


def in_columns(group: Group) -> Group:
    """A long picture in columns, cut where all that goes on comes from the last item of a column.

    Example:
        >>> chain = Group(tuple([operator_box(f"conv {i}") for i in range(40)]), tuple([(i, i + 1) for i in range(39)]))
        >>> [len(column.items) for column in in_columns(chain).items]
        [15, 15, 10]
    """
    weight = [1 if isinstance(item, Box) else 1 + _height(item) for item in group.items]
    if group.across or sum(weight) <= 1.5 * _COLUMN:
        return group
    last = list(range(len(group.items)))
    for source, target in group.arrows:
        last[source] = max(last[source], target)
    furthest = np.maximum.accumulate([0, *last])  # the last reader of all before a place
    wanted, cuts, height = max(_COLUMN, (sum(weight) * 6) ** 0.5), [0], 0
    for i in range(1, len(group.items)):
        height += weight[i - 1]
        if height + weight[i] > wanted and furthest[i - 1] < i:
            cuts.append(i)
            height = 0
    stops = [*cuts[1:], len(group.items)]
    columns = [_column(group, cut, stop) for cut, stop in zip(cuts, stops, strict=True)]
    return group if len(columns) == 1 else Group(tuple(columns), tuple(pairwise(range(len(columns)))), across=True)


def _column(group: Group, start: int, stop: int) -> Group:
    """Some items; where several read what the column before gives, that is a state above them."""
    inner = [(s - start, t - start) for s, t in group.arrows if start <= s and t < stop]
    readers = [t - start for s, t in group.arrows if s < start <= t < stop]
    if len(readers) < 2:
        return Group(group.items[start:stop], tuple(inner))
    above = Box(("in",), "state", is_state=True)
    arrows = [*((0, t + 1) for t in readers), *((s + 1, t + 1) for s, t in inner)]
    return Group((above, *group.items[start:stop]), tuple(arrows))


def _height(group: Group) -> int:
    """Boxes of the longest way through the group."""
    depth = [1 if isinstance(item, Box) else 1 + _height(item) for item in group.items]
    longest = list(depth)
    for source, target in sorted(group.arrows, key=lambda arrow: arrow[1]):
        longest[target] = max(longest[target], longest[source] + depth[target])
    return max(longest, default=0)
