"""What differs between two pictures, marked in both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from archpredict.graph.pictures.picture import CHANGED, ONLY, Box, Group, boxes_of

__all__ = ["marked"]

_OTHER_LABEL, _OTHER_NEIGHBOURS, _OTHER_SORT = 1.0, 0.6, 100.0
"""What it costs to take an item for one of another label, between other ones, or of another sort."""


def marked(first: Group, second: Group) -> tuple[Group, Group]:
    """Both pictures, in which boxes that the other has not, or has otherwise, are marked.

    Items are matched such that labels and neighbours agree most (an assignment problem: Kuhn, 1955). A matched box
    whose label differs is changed, and so is one that reads or feeds others than its match, and a group that is there
    more or less often.

    Example:
        >>> from archpredict.graph.pictures.picture import operator_box
        >>> one = Group((operator_box("conv"), operator_box("relu")), ((0, 1),))
        >>> other = Group((operator_box("conv"), operator_box("gelu")), ((0, 1),))
        >>> [[box.mark for box in boxes_of(group)] for group in marked(one, other)]
        [['', 'changed'], ['', 'changed']]
    """
    pairs = _matched(first, second)
    ours, theirs = list(first.items), list(second.items)
    to, back = dict(pairs), {b: a for a, b in pairs}
    for a, b in pairs:
        x, y = ours[a], theirs[b]
        if isinstance(x, Group) and isinstance(y, Group):
            mark = CHANGED if x.times != y.times else ""
            ours[a], theirs[b] = (replace(group, mark=mark) for group in marked(x, y))
        elif x != y or _is_rewired(first, second, a, b, to):
            ours[a], theirs[b] = _all(x, CHANGED), _all(y, CHANGED)
    ours = [item if i in to else _all(item, ONLY) for i, item in enumerate(ours)]
    theirs = [item if i in back else _all(item, ONLY) for i, item in enumerate(theirs)]
    return replace(first, items=tuple(ours)), replace(second, items=tuple(theirs))


def _matched(first: Group, second: Group) -> list[tuple[int, int]]:
    from scipy.optimize import linear_sum_assignment

    ours, theirs = _profiles(first), _profiles(second)
    costs = np.array([[_cost(a, b) for b in theirs] for a in ours]).reshape(len(ours), len(theirs))
    # Of equally good matches that which keeps the order.
    places = np.abs(np.subtract.outer(np.arange(len(ours)), np.arange(len(theirs)))) * 1e-6
    rows, columns = linear_sum_assignment(costs + places)
    return [(int(a), int(b)) for a, b in zip(rows, columns, strict=True) if costs[a, b] < _OTHER_SORT]


_Profile = tuple[tuple[str, ...], str, frozenset[tuple[str, ...]], frozenset[tuple[str, ...]]]


def _profiles(group: Group) -> list[_Profile]:
    """Label, sort, and labels around, of each item."""
    labels = [_label(item) for item in group.items]
    above: list[set[tuple[str, ...]]] = [set() for _ in labels]
    below: list[set[tuple[str, ...]]] = [set() for _ in labels]
    for source, target in group.arrows:
        above[target].add(labels[source])
        below[source].add(labels[target])
    sorts = ["group" if isinstance(i, Group) else "state" if i.is_state else "operator" for i in group.items]
    return [
        (*four[:2], frozenset(four[2]), frozenset(four[3])) for four in zip(labels, sorts, above, below, strict=True)
    ]


def _label(item: Box | Group) -> tuple[str, ...]:
    if isinstance(item, Box):
        return item.lines
    return (item.title, *(line for box in boxes_of(item) for line in box.lines))


def _cost(a: _Profile, b: _Profile) -> float:
    if a[1] != b[1]:
        return _OTHER_SORT
    return _OTHER_LABEL * (a[0] != b[0]) + _OTHER_NEIGHBOURS * (_apart(a[2], b[2]) + _apart(a[3], b[3]))


def _apart(a: frozenset[tuple[str, ...]], b: frozenset[tuple[str, ...]]) -> float:
    return 1 - len(a & b) / len(a | b) if a | b else 0.0


def _is_rewired(first: Group, second: Group, a: int, b: int, to: dict[int, int]) -> bool:
    """Whether an item reads or feeds others than its match; of a state only other states count."""
    return any({to.get(s) for s in _around(first, a, end)} != {*_around(second, b, end)} for end in (0, 1))


def _around(group: Group, item: int, end: int) -> list[int]:
    """Items at the other end of arrows, between operators and all, between states and states."""
    found = [arrow[1 - end] for arrow in group.arrows if arrow[end] == item]
    return [other for other in found if _is_state(group.items[other])] if _is_state(group.items[item]) else found


def _is_state(item: Box | Group) -> bool:
    return isinstance(item, Box) and item.is_state


def _all(item: Box | Group, mark: str) -> Box | Group:
    if isinstance(item, Box):
        return replace(item, mark=mark)
    return replace(item, mark=mark, items=tuple([_all(inner, mark) for inner in item.items]))
