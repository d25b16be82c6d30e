"""Pages as one HTML file each, which needs no network."""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from itertools import count
from pathlib import Path
from typing import Any

from archpredict._files import write_atomically
from archpredict.graph.pictures.placing import placed
from archpredict.graph.pictures.svg import svg
from archpredict.pages.drawings import packed_drawings
from archpredict.pages.parts import Chart, Gallery, Item, Page, Picture, Sheet

__all__ = ["html", "write_page"]


def write_page(page: Page, path: Path) -> Path:
    """Write a page; the old file or the new one is there whatever happens.

    Raises:
        OSError: It cannot be written.
    """
    write_atomically(path, html(page).encode())
    return path


def html(page: Page) -> str:
    """The text of the page: with its style, its data, its script, and Plotly, packed.

    Example:
        >>> text = html(Page("<script>alert(1)</script>", "a & b", []))
        >>> "<script>alert" in text, "&lt;script&gt;alert" in text, "a &amp; b" in text
        (False, True, True)
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("archpredict.pages"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    parts = [part for section in page.sections for part in section.parts]
    charts = [part for part in parts if isinstance(part, Chart)]
    sheets = [part for part in parts if isinstance(part, Sheet)]
    galleries = [list(part.items) for part in parts if isinstance(part, Gallery)]
    data = {
        "charts": [{"traces": list(c.traces), "layout": c.layout} for c in charts],
        "sheets": [
            {"columns": list(s.columns), "rows": [list(r) for r in s.rows], "items": list(s.items)} for s in sheets
        ],
        "galleries": galleries,
        "items": {
            "titles": [item.title for item in page.items],
            "notations": [item.notation for item in page.items],
            "names": (names := list(dict.fromkeys(name for item in page.items for name in item.facts))),
            "facts": [[item.facts.get(name) for name in names] for item in page.items],
        },
        "copied": page.copied,
        "reload": page.reload_seconds,
    }
    pictures = [part.group for part in parts if isinstance(part, Picture)]
    drawn = iter([Markup(svg(found, page=True)) for found in placed(pictures)] if pictures else [])
    numbers = {kind: count() for kind in ("chart", "sheet", "gallery")}
    return environment.get_template("page.html").render(
        page=page,
        data=Markup(_json(data)),
        drawings=_drawings(page.items) if any(item.group for item in page.items) else None,
        plotly=_plotly() if charts else None,
        next_number=lambda kind: next(numbers[kind]),
        next_drawing=lambda: next(drawn),
        style=Markup(_template("page.css")),
        script=Markup(_template("page.js")),
    )


@cache
def _template(name: str) -> str:
    return resources.files("archpredict.pages").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    """Plotly's library, compressed and in base64: two fifths of its size."""
    return _packed(resources.files("plotly").joinpath("package_data", "plotly.min.js").read_bytes())


def _drawings(items: Sequence[Item]) -> str:
    """All drawings: they are much alike, and get small."""
    drawings = packed_drawings([item.group for item in items])
    return _packed(json.dumps(drawings, separators=(",", ":")).encode())


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 6, mtime=0)).decode()


def _json(data: Any) -> str:
    """JSON inside of a script, which no text in it ends or changes."""
    text = json.dumps(_finite(data), separators=(",", ":"), ensure_ascii=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _finite(value: Any) -> Any:
    """The value with None for numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, str) or not isinstance(value, Iterable):
        return None if isinstance(value, float) and not math.isfinite(value) else value
    return [_finite(item) for item in value]
