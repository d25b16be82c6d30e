"""Pictures as PNG, by matplotlib, from the places that SVGs have."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from archpredict.graph.pictures.kinds import KINDS
from archpredict.graph.pictures.placing import LINE, Placed, PlacedBox, notes_height
from archpredict.graph.pictures.svg import MARK_COLOURS, MARKS, NOTE_COLOUR, legend_of

__all__ = ["png"]

_LARGEST = 100.0
"""Inches of the longer side, so that the file can be opened."""
_MARGIN = 12.0
_POINTS = 72 / 100
"""Points in a pixel, where a picture has 100 pixels per inch."""


def png(found: Placed, title: str = "") -> bytes:
    """The content of a PNG file.

    Args:
        found: What is drawn.
        title: What is written above.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    legend = [
        Patch(
            facecolor=fill,
            edgecolor=MARK_COLOURS[mark] if mark else "0.4",
            linestyle="--" if mark and MARKS[mark] else "-",
            label=name,
        )
        for name, fill, mark in legend_of(found)
    ]
    head, foot = 26.0 if title else 0.0, 20.0 * len(legend) + 12
    width, height = max(found.width, 320.0) + 2 * _MARGIN, found.height + head + foot + 2 * _MARGIN
    figure = Figure(figsize=(width / 100, height / 100), dpi=200 * min(1.0, _LARGEST * 100 / max(width, height) / 2))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(-_MARGIN, width - _MARGIN), ylim=(found.height + foot + _MARGIN, -head - _MARGIN))
    axes.text(0, -8, title, fontsize=13 * _POINTS, fontweight="bold", parse_math=False)
    _draw(axes, found)
    if legend:
        axes.legend(handles=legend, loc="lower left", bbox_to_anchor=(0.0, 0.0), frameon=False, fontsize=11 * _POINTS)
    content = io.BytesIO()
    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_png(content)
    return content.getvalue()


def _draw(axes: Any, found: Placed) -> None:
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
    from matplotlib.path import Path as Curve

    for frame in found.frames:
        corners = "round,pad=0,rounding_size=8"
        patch = FancyBboxPatch((frame.x, frame.y), frame.width, frame.height, boxstyle=corners, fill=False)
        patch.set(edgecolor="0.5", linestyle=":", linewidth=0.7)
        _mark(patch, frame.mark)
        axes.add_patch(patch)
        place = (frame.x + 10, frame.y + LINE + 3)
        axes.text(*place, frame.heading, fontsize=11 * _POINTS, fontweight="bold", parse_math=False)
    for curve in found.curves:
        codes = [Curve.MOVETO, *[Curve.CURVE4] * (len(curve) - 1)]
        path = Curve(list(curve), codes)
        tip = "-|>,head_length=2.4,head_width=1.1"
        axes.add_patch(FancyArrowPatch(path=path, arrowstyle=tip, color="0.5", linewidth=0.8, shrinkA=0, shrinkB=0))
    for box in found.boxes:
        _draw_box(axes, box)


def _draw_box(axes: Any, found: PlacedBox) -> None:
    from matplotlib.patches import FancyBboxPatch

    box, kind = found.box, KINDS[found.box.kind]
    corner = found.height / 2 - 0.1 if box.is_state and not box.notes else 4
    shape = f"round,pad=0,rounding_size={corner}"
    patch = FancyBboxPatch((found.x, found.y), found.width, found.height, boxstyle=shape, facecolor=kind.fill, zorder=3)
    patch.set(edgecolor="0.4", linewidth=0.6)
    _mark(patch, box.mark)
    axes.add_patch(patch)
    below = notes_height(found) if box.notes else 0.0
    x, low = found.x + found.width / 2, found.y + found.height
    _write(axes, x, found.y + (found.height - below) / 2, box.lines, kind.text)
    if box.notes:
        corners = "round,pad=0,rounding_size=3"
        place = (found.x + 2, low - below - 2)
        axes.add_patch(
            FancyBboxPatch(place, found.width - 4, below, boxstyle=corners, facecolor="white", linewidth=0, zorder=3)
        )
        _write(axes, x, low - 2 - below / 2, box.notes, NOTE_COLOUR)


def _write(axes: Any, x: float, y: float, lines: Sequence[str], colour: str) -> None:
    style = {"fontsize": 11 * _POINTS, "color": colour, "ha": "center", "va": "center", "family": "monospace"}
    axes.text(x, y, "\n".join(lines), zorder=4, parse_math=False, **style)


def _mark(patch: Any, mark: str) -> None:
    if mark:
        patch.set(edgecolor=MARK_COLOURS[mark], linewidth=2.5, linestyle="--" if MARKS[mark] else "-")
