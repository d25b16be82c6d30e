"""What a page is made of: plain data, without HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from archpredict.graph.pictures.picture import Group

__all__ = ["Cards", "Chart", "Facts", "Gallery", "Item", "Page", "Picture", "Section", "Sheet", "Snippets", "Text"]

Value = float | int | str | None


@dataclass(frozen=True)
class Cards:
    """A few figures in large letters: what each is called, and its value as text."""

    kind: ClassVar[str] = "cards"
    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Facts:
    """Names with their values."""

    kind: ClassVar[str] = "facts"
    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Snippets:
    """Texts to copy, each with what it does."""

    kind: ClassVar[str] = "commands"
    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Chart:
    """A chart; see :mod:`archpredict.pages.charts`.

    Args:
        title: Above it.
        traces, layout: As Plotly has them. A trace's ``colour`` is a number of the page's palette, its ``items`` the
            numbers of the page's items that its points stand for.
        about: What it shows, for whoever does not see it too.
        short: Whether it is less high than others.
    """

    kind: ClassVar[str] = "chart"
    title: str
    traces: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any]
    about: str
    short: bool = False


@dataclass(frozen=True)
class Sheet:
    """A table that can be sorted and filtered.

    Args:
        title: Above it.
        columns: Headings.
        rows: Numbers, texts or None.
        items: For each row the number of the page's item that it stands for; none: rows stand for none. Rows that lack
            their last value have the item's notation there.
    """

    kind: ClassVar[str] = "sheet"
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]
    items: Sequence[int] = ()


@dataclass(frozen=True)
class Picture:
    """A drawing of an architecture, with a title."""

    kind: ClassVar[str] = "picture"
    title: str
    group: Group


@dataclass(frozen=True)
class Gallery:
    """Drawings of items beside each other: the first few, and all others when they are asked for.

    Args:
        title: Above them.
        items: Numbers of items that have a drawing, in order.
    """

    kind: ClassVar[str] = "gallery"
    title: str
    items: Sequence[int]


Part = Cards | Text | Facts | Snippets | Chart | Sheet | Picture | Gallery


@dataclass(frozen=True)
class Section:
    """A heading and what is under it."""

    title: str
    parts: Sequence[Part]


@dataclass(frozen=True)
class Item:
    """What a point or a row stands for.

    Args:
        title: What it is called.
        notation: To copy.
        facts: Names with values.
        group: Its drawing.
    """

    title: str
    notation: str
    facts: Mapping[str, Value] = field(default_factory=dict)
    group: Group | None = None


@dataclass(frozen=True)
class Page:
    """A page.

    Args:
        title: Of all.
        subtitle: A sentence.
        sections: In order.
        items: What points and rows stand for.
        reload_seconds: After how long the page reads itself again; None: it stays as it is.
        copied: What an item's notation is called.
    """

    title: str
    subtitle: str
    sections: Sequence[Section]
    items: Sequence[Item] = ()
    reload_seconds: int | None = None
    copied: str = "Notation"
