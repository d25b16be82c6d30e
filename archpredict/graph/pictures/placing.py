"""Groups of boxes with their places: what a picture is drawn from, whatever it is drawn with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from archpredict.graph.pictures.arranging import Arranged, Flow, Point, arranged
from archpredict.graph.pictures.picture import Box, Group

__all__ = ["Placed", "PlacedBox", "PlacedFrame", "placed"]

LETTER, LINE = 6.7, 14.0
"""Width of a letter, as of every monospaced font of 11 pixels, and height of a line."""
_PAD, _HEADING, _ACROSS = 10.0, 18.0, 34.0
_LEAST = 26.0


@dataclass(frozen=True)
class PlacedBox:
    """A box whose left upper corner is at (x, y)."""

    x: float
    y: float
    width: float
    height: float
    box: Box


@dataclass(frozen=True)
class PlacedFrame:
    """The frame of a group, with what is written inside its upper edge."""

    x: float
    y: float
    width: float
    height: float
    heading: str
    mark: str = ""


@dataclass(frozen=True)
class Placed:
    """All that is drawn, between (0, 0) and (width, height), y downwards.

    Args:
        boxes: In the order of :func:`archpredict.graph.pictures.picture.boxes_of`.
        frames: The outer ones first.
        curves: Arrows: a start and three points for each cubic Bézier curve.
        width, height: Of all.
    """

    boxes: tuple[PlacedBox, ...]
    frames: tuple[PlacedFrame, ...]
    curves: tuple[tuple[Point, ...], ...]
    width: float
    height: float


def placed(groups: Sequence[Group], letters: int = 0) -> list[Placed]:
    """Groups with their places.

    What is alike is laid out once, and what can be laid out together is: so many pictures of cells are quick.

    Args:
        groups: The pictures.
        letters: Boxes of operators are at least so many letters wide.

    Example:
        >>> from archpredict.graph.pictures.picture import operator_box
        >>> found = placed([Group((operator_box("conv"), operator_box("relu")), ((0, 1),), "block", 3)])[0]
        >>> found.frames[0].heading, len(found.boxes), found.boxes[0].y < found.boxes[1].y
        ('block × 3', 2, True)
    """
    children = [item for group in groups for item in group.items if isinstance(item, Group)]
    inner = iter(placed(children, letters) if children else ())
    parts = [
        [_alone(item, letters) if isinstance(item, Box) else next(inner) for item in group.items] for group in groups
    ]
    flows = [
        Flow(tuple([(part.width, part.height) for part in found]), group.arrows)
        for group, found in zip(groups, parts, strict=True)
    ]
    laid = {flow: None for group, flow in zip(groups, flows, strict=True) if not group.across}
    places = dict(zip(laid, arranged([*laid]) if laid else (), strict=True))
    return [
        _framed(group, _together(found, _side_by_side(found, group.arrows) if group.across else places[flow]))
        for group, found, flow in zip(groups, parts, flows, strict=True)
    ]


def _alone(box: Box, letters: int) -> Placed:
    longest = max([len(line) for line in (*box.lines, *box.notes)], default=0)
    if box.is_state and not box.notes:
        width, height = max(_LEAST, longest * LETTER + 14), _LEAST - 4
    else:
        lines = max(1, len(box.lines) + len(box.notes))
        width, height = max(_LEAST, max(longest, letters) * LETTER + 14), lines * LINE + 8
    return Placed((PlacedBox(0.0, 0.0, width, height, box),), (), (), width, height)


def _together(parts: Sequence[Placed], places: Arranged) -> Placed:
    """Parts put where they belong, and the arrows between them."""
    moved = [
        _moved(part, x - part.width / 2, y - part.height / 2)
        for part, (x, y) in zip(parts, places.centres, strict=True)
    ]
    return Placed(
        tuple([box for part in moved for box in part.boxes]),
        tuple([frame for part in moved for frame in part.frames]),
        (*(curve for part in moved for curve in part.curves), *places.curves),
        *places.size,
    )


def _moved(part: Placed, x: float, y: float) -> Placed:
    return Placed(
        tuple([replace(b, x=b.x + x, y=b.y + y) for b in part.boxes]),
        tuple([replace(f, x=f.x + x, y=f.y + y) for f in part.frames]),
        tuple([tuple([(px + x, py + y) for px, py in curve]) for curve in part.curves]),
        part.width,
        part.height,
    )


def _side_by_side(parts: Sequence[Placed], arrows: Sequence[tuple[int, int]]) -> Arranged:
    """From left to right, all at the top; an arrow leaves at the last box and arrives at the first one."""
    lefts, left = [], 0.0
    for part in parts:
        lefts.append(left)
        left += part.width + _ACROSS
    centres = [(x + part.width / 2, part.height / 2) for x, part in zip(lefts, parts, strict=True)]
    curves = []
    for source, target in arrows:
        last, first = (
            max(parts[source].boxes, key=lambda b: b.y + b.height),
            min(parts[target].boxes, key=lambda b: b.y),
        )
        start = (lefts[source] + last.x + last.width, last.y + last.height / 2)
        end = (lefts[target] + first.x, first.y + first.height / 2)
        curves.append(_through_gap(start, end, lefts[target] - _ACROSS / 2))
    return Arranged(tuple(centres), tuple(curves), (left - _ACROSS, max(part.height for part in parts)))


def _through_gap(start: Point, end: Point, x: float) -> tuple[Point, ...]:
    """To the right, up or down at x, and to the right again, with round corners."""
    y0, y1 = start[1], end[1]
    if y0 == y1:
        return (start, *_straight(start, end))
    turn = min(10.0, abs(y1 - y0) / 2)
    down = turn if y1 > y0 else -turn
    stops = [(x - turn, y0), (x, y0 + down), (x, y1 - down), (x + turn, y1)]
    return (
        *(start, *_straight(start, stops[0])),
        *((x, y0), (x, y0), stops[1]),
        *_straight(stops[1], stops[2]),
        *((x, y1), (x, y1), stops[3]),
        *_straight(stops[3], end),
    )


def _straight(start: Point, end: Point) -> tuple[Point, Point, Point]:
    """The rest of a Bézier curve that is a line."""
    (x0, y0), (x1, y1) = start, end
    return ((2 * x0 + x1) / 3, (2 * y0 + y1) / 3), ((x0 + 2 * x1) / 3, (y0 + 2 * y1) / 3), end


def _framed(group: Group, inside: Placed) -> Placed:
    """With a frame and a heading, where the group has one."""
    if not group.heading:
        return inside
    width = max(inside.width + 2 * _PAD, len(group.heading) * LETTER + 2 * _PAD)
    height = inside.height + 2 * _PAD + _HEADING
    within = _moved(inside, (width - inside.width) / 2, _PAD + _HEADING)
    frame = PlacedFrame(0.0, 0.0, width, height, group.heading, group.mark)
    return Placed(within.boxes, (frame, *within.frames), within.curves, width, height)


def kinds_in(found: Placed) -> Iterator[str]:
    """The kinds of the boxes, in the order of their first one."""
    return iter(dict.fromkeys(b.box.kind for b in found.boxes))


def notes_height(found: PlacedBox) -> float:
    """Of the part of a box that its notes take, at its lower end."""
    box = found.box
    return LINE * len(box.notes) + (found.height - LINE * (len(box.lines) + len(box.notes))) / 2 - 2
