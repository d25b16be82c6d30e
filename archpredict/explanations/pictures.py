"""Pictures of what changes would gain, and of what makes one of two architectures better."""

from __future__ import annotations

from collections.abc import Sequence

from archpredict.explanations.changes import Changes, Difference
from archpredict.explanations.places import Place
from archpredict.graph.pictures.blocks import in_columns
from archpredict.graph.pictures.cells import picture_of_cells
from archpredict.graph.pictures.picture import BETTER, Box, Group, Note, Notes
from archpredict.spaces.base import Architecture

__all__ = ["picture_of_changes", "picture_of_differences"]

_SHOWN = 40
"""Changes up to which all of them are written in the picture; of more it is the best one at each place."""

_Line = tuple[float, str]
"""A gain, and what it is of with the gain in words."""


def picture_of_changes(found: Changes) -> Group:
    """An architecture, with what each change would gain written where it is.

    Where more than 40 changes are known, only the best one of each node and edge is written, and how many others there
    are; an SVG shows all where one points at it. A blue outline says that a change at the place is predicted to be
    better.

    Args:
        found: The changes.

    Example:
        >>> from archpredict.explanations.changes import OneChange
        >>> from archpredict.explanations.places import Place
        >>> from archpredict.graph.pictures.picture import boxes_of
        >>> from archpredict.spaces import load_space
        >>> space = load_space("nasbench201")
        >>> cell, other = (space.architecture([op, 0, 0, 3, 0, 0]) for op in (1, 3))
        >>> step = OneChange(0, "", other, 1.5, 0.25, 0.9, Place("edge 0→1", "skip_connect", "nor_conv_3x3", edge=0))
        >>> [box.notes for box in boxes_of(picture_of_changes(Changes(cell, 90.0, None, (step,)))) if box.notes]
        [('▲ nor_conv_3x3 +1.5 ± 0.25',)]
    """
    most = _SHOWN if len(found.steps) <= _SHOWN else 1
    noted = []
    for step in found.steps:
        spread = "" if step.std is None else f" ± {step.std:.2g}"
        noted += [(at, step.gain, _line(at, step.what, step.gain, spread)) for at in (step.at, *step.same)]
    return _noted(found.architecture, noted, most)


def picture_of_differences(second: Architecture, found: Sequence[Difference]) -> Group:
    """The second of two architectures, with what the first has instead, and what that adds to the score.

    Args:
        second: The architecture.
        found: What makes the first one better or worse.
    """
    noted = [(each.at, each.gain, _line(each.at, each.what, each.gain)) for each in found]
    return _noted(second, noted, _SHOWN)


# ---------------------------------------------------------------------- notes


def _line(at: Place | None, what: str, gain: float, spread: str = "") -> str:
    """A sign, what stands there afterwards, and the gain; at no single place all that changes."""
    sign = "▲" if gain > 0 else "▼" if gain < 0 else "="
    return f"{sign} {what if at is None or at.is_nowhere else at.after} {gain:+.3g}{spread}"


def _noted(architecture: Architecture, steps: Sequence[tuple[Place | None, float, str]], most: int) -> Group:
    """The picture with notes on nodes and edges, and a box of what is at none of them."""
    nodes: dict[int, list[_Line]] = {}
    edges: dict[int, list[_Line]] = {}
    new_edges: dict[tuple[int, int], list[_Line]] = {}
    others: list[_Line] = []
    for at, gain, line in steps:
        if at is not None and at.node is not None:
            nodes.setdefault(at.node, []).append((gain, line))
        elif at is not None and at.edge is not None:
            edges.setdefault(at.edge, []).append((gain, line))
        elif at is not None and at.new_edge is not None:
            new_edges.setdefault(at.new_edge, []).append((gain, line))
        else:
            others.append((gain, line))
    notes = Notes(
        {node: _note(lines, most) for node, lines in nodes.items()},
        {edge: _note(lines, most) for edge, lines in edges.items()},
        {ends: _note(lines, most) for ends, lines in sorted(new_edges.items())},
    )
    group = in_columns(picture_of_cells(architecture.space.outline(architecture.choices), notes))
    if not others:
        return group
    note = _note(others, most)
    return Group((group, Box(("elsewhere",), "block", False, note.mark, note.lines, note.hover)), across=True)


def _note(lines: Sequence[_Line], most: int) -> Note:
    """The lines with the largest gains, and how many more there are."""
    ordered = [line for _, line in sorted(lines, key=lambda pair: -pair[0])]
    left = len(ordered) - most
    more = (f"and {left} more",) if left > 0 else ()
    better = max(gain for gain, _ in lines) > 0
    return Note((*ordered[:most], *more), BETTER if better else "", "\n".join(ordered))
