"""Many drawings in little room: pictures that differ in their operators alone share a template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archpredict.graph.pictures.kinds import KINDS
from archpredict.graph.pictures.picture import Box, Group, boxes_of, with_boxes
from archpredict.graph.pictures.placing import placed
from archpredict.graph.pictures.svg import svg

__all__ = ["packed_drawings"]

_BLANK = "block"


def packed_drawings(groups: Sequence[Group | None]) -> dict[str, Any]:
    """Drawings as JSON values.

    Args:
        groups: None where there is none.

    Returns:
        ``templates``: SVGs whose elements of class ``op`` are empty boxes; ``boxes``: distinct texts of boxes, as lines
        with fill and colour of the letters; ``of``: for each drawing its template and its boxes in order, or None.

    Example:
        >>> from archpredict.graph.pictures.picture import operator_box
        >>> found = packed_drawings([Group((operator_box(op),)) for op in ("conv", "relu")] + [None])
        >>> len(found["templates"]), found["of"]
        (1, [[0, 0], [0, 1], None])
    """
    boxes: dict[tuple[tuple[str, ...], str], int] = {}
    templates: dict[Group, int] = {}
    of: list[list[int] | None] = []
    for group in groups:
        if group is None:
            of.append(None)
            continue
        found = [*boxes_of(group)]
        numbers = [boxes.setdefault((b.lines, b.kind), len(boxes)) for b in found if not b.is_state]
        blank = with_boxes(group, iter([b if b.is_state else _blank(b) for b in found]))
        of.append([templates.setdefault(blank, len(templates)), *numbers])
    widest = max([len(line) for lines, _ in boxes for line in lines], default=0)
    drawn = [svg(found, legend=False, page=True) for found in placed([*templates], widest)] if templates else []
    shown = [[list(lines), KINDS[kind].fill, KINDS[kind].text] for lines, kind in boxes]
    return {"templates": drawn, "boxes": shown, "of": of}


def _blank(box: Box) -> Box:
    return Box(("",) * len(box.lines), _BLANK)
