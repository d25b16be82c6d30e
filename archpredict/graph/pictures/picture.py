"""Picture: boxes, the arrows between them, and groups of them, without any place on paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from archpredict.graph.pictures.kinds import kind_of

__all__ = ["Box", "Group", "Note", "Notes", "boxes_of"]

ONLY, CHANGED = "only here", "changed"
"""What the box of one of two pictures is marked with."""
BETTER = "a change is predicted to be better"
"""What a box with notes is marked with."""


@dataclass(frozen=True)
class Box:
    """One operator, one state of a cell, or several operators in a few words.

    Args:
        lines: What is written in it.
        kind: One of :data:`archpredict.graph.pictures.kinds.KINDS`.
        is_state: Whether it is drawn round: what operators read and write, no operator.
        mark: :data:`ONLY`, :data:`CHANGED`, :data:`BETTER` or nothing.
        notes: What is written below, on white.
        hover: What is shown where one points at it.
    """

    lines: tuple[str, ...]
    kind: str
    is_state: bool = False
    mark: str = ""
    notes: tuple[str, ...] = ()
    hover: str = ""


@dataclass(frozen=True)
class Note:
    """What is written about a part of a picture: lines, the mark of its box, and what is shown on pointing at it."""

    lines: tuple[str, ...]
    mark: str = ""
    hover: str = ""


@dataclass(frozen=True)
class Notes:
    """Notes about the parts of a graph.

    Args:
        nodes: By the number of a node.
        edges: By the number of an edge.
        new_edges: By the ends of an edge that is not there.
    """

    nodes: Mapping[int, Note] = field(default_factory=dict)
    edges: Mapping[int, Note] = field(default_factory=dict)
    new_edges: Mapping[tuple[int, int], Note] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Boxes and groups with the arrows between them.

    Args:
        items: In a topological order.
        arrows: ``(source, target)``, places in ``items``.
        title: What is written above its frame; a group without a title that is there once has no frame.
        times: How often it is there, one after the other.
        across: Whether the items stand side by side, the arrows aside, instead of being laid out by their arrows.
        mark: As of a box.
    """

    items: tuple[Box | Group, ...]
    arrows: tuple[tuple[int, int], ...] = ()
    title: str = ""
    times: int = 1
    across: bool = False
    mark: str = ""

    @property
    def heading(self) -> str:
        """What is written above the frame; nothing where there is none."""
        return " ".join(part for part in (self.title, f"× {self.times}" if self.times > 1 else "") if part)


def operator_box(label: str, *more: str) -> Box:
    """The box of an operator.

    Example:
        >>> box = operator_box("sep_conv_3x3")
        >>> box.lines, box.kind
        (('sep_conv_3x3',), 'light')
    """
    return Box((label, *more), kind_of(label))


def boxes_of(group: Group) -> Iterator[Box]:
    """All boxes of a group, those of groups in it included, in order."""
    for item in group.items:
        if isinstance(item, Box):
            yield item
        else:
            yield from boxes_of(item)


def with_boxes(group: Group, boxes: Iterator[Box]) -> Group:
    """The group with other boxes, taken in the order of :func:`boxes_of`."""
    items = tuple([next(boxes) if isinstance(item, Box) else with_boxes(item, boxes) for item in group.items])
    return replace(group, items=items)
