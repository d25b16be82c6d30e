"""A picture of ranked models: score over speed, with intervals, the front, and names that do not overlap."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from archpredict.backends import nothing_left_at_home
from archpredict.errors import UsageError, writing

if TYPE_CHECKING:
    from archpredict.predict.rank.ranked import Ranked
    from archpredict.predict.rank.ranking import Ranking

ENDINGS = (".svg", ".png", ".pdf")
_PLACES = [(x * step, y * step) for step in (1, 2, 3, 5, 8) for x in (1, -1, 0) for y in (1, -1, 0) if x or y]
"""Where a name may stand beside its point, in units of its height, the nearest first."""
_GAP = 6.0
"""Points between a name and what it names, for one unit."""


def check_plot(path: Path) -> None:
    """A picture that can be written.

    Raises:
        UsageError: Its name has another ending, or there is no such folder.
    """
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(f"a picture is one of {', '.join(ENDINGS)}; {path.name} was given")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {path.parent} to write {path.name} into; make it first")


def draw_choice(ranking: Ranking, path: Path) -> Path:
    """Score over the first cost: speed, or what else was measured.

    Args:
        ranking: Of models with costs.
        path: Where to.

    Raises:
        RunError: It cannot be written.
    """
    from archpredict.predict.rank.ranking_table import short_names
    from archpredict.runs.report import new_figure, save_figure

    with nothing_left_at_home():
        drawing = new_figure()
        axes = drawing.subplots()
        rows = list(ranking)
        for row in rows:
            _draw_point(axes, row)
        front = sorted(ranking.front, key=lambda row: row.speeds[0].value)
        axes.plot([row.speeds[0].value for row in front], [row.score for row in front], color="C1", zorder=1)
        cost = rows[0].speeds[0]
        label = f"{'images per second' if cost.is_speed else cost.what} ({cost.where})"
        axes.set(xscale="log", xlabel=label, ylabel="predicted score", title=ranking.title)
        points = [(row.speeds[0].value, row.score) for row in rows]
        _write_names(drawing, axes, points, short_names(rows))
        with writing(path):
            save_figure(drawing, path)
    return path


def _draw_point(axes: Any, row: Ranked) -> None:
    cost = row.speeds[0]
    across = [[cost.value - cost.low], [cost.high - cost.value]]
    axes.errorbar(
        cost.value,
        row.score,
        xerr=across,
        yerr=row.std,
        fmt="o",
        color="C1" if row.on_front else "0.6",
        markersize=4,
        elinewidth=0.5,
        zorder=2,
    )


def _write_names(drawing: Any, axes: Any, points: list[tuple[float, float]], names: list[str]) -> None:
    """Each name at the nearest place beside its point where it covers neither a point nor another name, if any."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.transforms import Bbox

    canvas: Any = FigureCanvasAgg(drawing)
    canvas.draw()
    drawing.set_layout_engine("none")  # what is measured stays where it is
    renderer, pixels = canvas.get_renderer(), axes.transData.transform(points)
    taken = [Bbox.from_bounds(x - 3, y - 3, 6, 6) for x, y in pixels]
    inside = drawing.bbox
    for point, name in zip(points, names, strict=True):
        text = axes.annotate(name, point, xytext=(0, 0), textcoords="offset points", fontsize=7, va="center")
        for x, y in _PLACES:
            text.set_horizontalalignment({1: "left", -1: "right", 0: "center"}[(x > 0) - (x < 0)])
            text.set_position((x * _GAP, y * _GAP))
            box = text.get_window_extent(renderer)
            fits = inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
            if fits and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
        else:
            text.remove()
