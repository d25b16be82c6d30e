"""Pictures as SVG: text stays text, equal pictures give equal files."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace

from archpredict.graph.pictures.kinds import KINDS
from archpredict.graph.pictures.picture import BETTER, CHANGED, ONLY
from archpredict.graph.pictures.placing import LETTER, LINE, Placed, PlacedBox, PlacedFrame, kinds_in, notes_height

__all__ = ["legend_of", "svg"]

MARKS = {ONLY: "6 3", CHANGED: "", BETTER: ""}
"""How the outline of a marked box is dashed."""
MARK_COLOURS = {ONLY: "#d55e00", CHANGED: "#d55e00", BETTER: "#0072b2"}
"""Of these outlines."""
NOTE_COLOUR = "#1a1a1a"
_MARGIN = 12.0
_SWATCH, _ENTRY = 14.0, 20.0
_FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"


def svg(found: Placed, title: str = "", *, legend: bool = True, page: bool = False) -> str:
    """The text of an SVG file.

    Args:
        found: What is drawn.
        title: What is written above.
        legend: Whether the kinds of operators are named below.
        page: Whether it is part of an HTML page: then its colours are the page's, and it has no ground of its own.

    Example:
        >>> from archpredict.graph.pictures.picture import Group, operator_box
        >>> from archpredict.graph.pictures.placing import placed
        >>> text = svg(placed([Group((operator_box("<script>"),))])[0], "a & b")
        >>> "<script>" in text, "&lt;script&gt;" in text, "a &amp; b" in text
        (False, True, True)
    """
    entries = [*_entries(found, legend)]
    head = LINE + 10 if title else 0.0
    width = max(found.width, len(title) * LETTER * 13 / 11, *(x + w for x, _, w, *_ in entries), 1.0) + 2 * _MARGIN
    below = max((y + _ENTRY for _, y, *_ in entries), default=0.0)
    height = head + found.height + below + 2 * _MARGIN
    root = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {_n(width)} {_n(height)}")
    root.set("width", _n(width))
    root.set("height", _n(height))
    root.set("font-family", _FONT)
    root.set("font-size", "11")
    root.set("role", "img")
    if not page:
        root.set("color", "#222222")
        ET.SubElement(root, "rect", width="100%", height="100%", fill="#ffffff")
    ET.SubElement(root, "title").text = _printable(title) or "architecture"
    if title:
        _text(root, _MARGIN, _MARGIN + LINE, title, {"font-size": "13", "font-weight": "bold"}, anchor="start")
    drawing = ET.SubElement(root, "g", transform=f"translate({_n(_MARGIN)} {_n(_MARGIN + head)})")
    for frame in found.frames:
        _frame(drawing, frame)
    for curve in found.curves:
        _arrow(drawing, curve)
    for box in found.boxes:
        _box(drawing, box)
    _legend(drawing, entries, found.height)
    return ET.tostring(root, encoding="unicode")


def legend_of(found: Placed) -> list[tuple[str, str, str]]:
    """Title, fill and mark of what a legend names: kinds of operators without a mark, and marks without a fill."""
    kinds = [(KINDS[kind].title, KINDS[kind].fill, "") for kind in KINDS if kind in {*kinds_in(found)} - {"state"}]
    marks = {b.box.mark for b in found.boxes} | {f.mark for f in found.frames}
    return kinds + [(mark, "none", mark) for mark in MARKS if mark in marks]


def _entries(found: Placed, legend: bool) -> Iterator[tuple[float, float, float, str, str, str]]:
    """``(x, y, width, title, fill, mark)``, in lines no wider than the picture where that can be."""
    x, y = 0.0, 12.0
    for title, fill, mark in legend_of(found) if legend else ():
        width = _SWATCH + 6 + len(title) * LETTER
        if x and x + width > max(found.width, 300.0):
            x, y = 0.0, y + _ENTRY
        yield x, y, width, title, fill, mark
        x += width + 16


def _legend(parent: ET.Element, entries: list[tuple[float, float, float, str, str, str]], top: float) -> None:
    for x, y, _, title, fill, mark in entries:
        swatch = ET.SubElement(
            parent, "rect", x=_n(x), y=_n(top + y), width=_n(_SWATCH), height=_n(_SWATCH), rx="3", fill=fill
        )
        _outline(swatch, mark)
        _text(parent, x + _SWATCH + 6, top + y + _SWATCH - 3, title, {}, anchor="start")


def _frame(parent: ET.Element, frame: PlacedFrame) -> None:
    rect = ET.SubElement(parent, "rect", x=_n(frame.x), y=_n(frame.y), width=_n(frame.width), height=_n(frame.height))
    for name, value in {"rx": "8", "fill": "none", "stroke": "#808080", "stroke-dasharray": "2 3"}.items():
        rect.set(name, value)
    if frame.mark:
        del rect.attrib["stroke-dasharray"]
        _outline(rect, frame.mark)
    _text(parent, frame.x + 10, frame.y + LINE + 3, frame.heading, {"font-weight": "bold"}, anchor="start")


def _arrow(parent: ET.Element, curve: tuple[tuple[float, float], ...]) -> None:
    start, *rest = curve
    path = f"M{_n(start[0])} {_n(start[1])}C" + " ".join(f"{_n(x)} {_n(y)}" for x, y in rest)
    ET.SubElement(parent, "path", {"d": path, "fill": "none", "stroke": "#808080", "stroke-width": "1.2"})
    ET.SubElement(parent, "path", d=_tip(curve), fill="#808080")


def _tip(curve: tuple[tuple[float, float], ...]) -> str:
    """A triangle at the end of the curve, in the direction in which it arrives."""
    x1, y1 = curve[-1]
    x0, y0 = next((point for point in reversed(curve) if point != curve[-1]), (x1, y1 - 1))
    length = max(1e-6, ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5)
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    back, side = (x1 - 7 * dx, y1 - 7 * dy), (3 * dy, -3 * dx)
    corners = ((x1, y1), (back[0] + side[0], back[1] + side[1]), (back[0] - side[0], back[1] - side[1]))
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in corners) + "Z"


def _box(parent: ET.Element, found: PlacedBox) -> None:
    box, kind = found.box, KINDS[found.box.kind]
    group = ET.SubElement(parent, "g", {"class": "state" if box.is_state else "op"})
    if box.hover:
        ET.SubElement(group, "title").text = "\n".join(map(_printable, box.hover.splitlines()))
    rect = _rect(group, found, found.height, kind.fill)
    rect.set("rx", _n(found.height / 2) if box.is_state and not box.notes else "4")
    _outline(rect, box.mark)
    above = (found.height - LINE * (len(box.lines) + len(box.notes))) / 2
    top = found.y + above + LINE - 3.5
    middle = found.x + found.width / 2
    for i, line in enumerate(box.lines):
        _text(group, middle, top + i * LINE, line, {"fill": kind.text})
    if box.notes:
        _ground(group, found)
    for i, line in enumerate(box.notes, start=len(box.lines)):
        _text(group, middle, top + i * LINE, line, {"fill": NOTE_COLOUR})


def _ground(parent: ET.Element, found: PlacedBox) -> None:
    """White under the notes of a box, inside its outline."""
    height = notes_height(found)
    rest = replace(found, x=found.x + 2, width=found.width - 4, y=found.y + found.height - height - 2)
    _rect(parent, rest, height, "#ffffff").set("rx", "3")


def _rect(parent: ET.Element, found: PlacedBox, height: float, fill: str) -> ET.Element:
    return ET.SubElement(
        parent, "rect", x=_n(found.x), y=_n(found.y), width=_n(found.width), height=_n(height), fill=fill
    )


def _outline(rect: ET.Element, mark: str) -> None:
    rect.set("stroke", MARK_COLOURS[mark] if mark else "#606060")
    rect.set("stroke-width", "3.5" if mark else "0.8")
    if mark and MARKS[mark]:
        rect.set("stroke-dasharray", MARKS[mark])


def _text(parent: ET.Element, x: float, y: float, text: str, more: dict[str, str], anchor: str = "middle") -> None:
    element = ET.SubElement(parent, "text", x=_n(x), y=_n(y))
    element.set("text-anchor", anchor)
    for name, value in {"fill": "currentColor", **more}.items():
        element.set(name, value)
    element.text = _printable(text)


def _printable(text: str) -> str:
    """The text without what XML cannot hold."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _n(value: float) -> str:
    """A number with a digit behind the point, if it needs one."""
    return f"{value:.1f}".removesuffix(".0")
