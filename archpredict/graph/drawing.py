"""Pictures of architectures: cells, chains by their stages, networks by their blocks, and what two differ in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

from archpredict._files import write_atomically
from archpredict.backends import nothing_left_at_home
from archpredict.errors import UsageError, writing
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.pictures.blocks import in_columns, is_network, picture_of_network
from archpredict.graph.pictures.cells import picture_of_cells
from archpredict.graph.pictures.difference import marked
from archpredict.graph.pictures.picture import Group
from archpredict.graph.pictures.placing import placed
from archpredict.graph.pictures.png import png
from archpredict.graph.pictures.svg import svg

__all__ = ["HasGraph", "draw", "picture_of", "write_picture"]

ENDINGS = (".svg", ".png")


class HasGraph(Protocol):
    """What has a graph: an Architecture, or a model that was read."""

    @property
    def graph(self) -> ArchGraph: ...


def check_drawing(path: Path) -> None:
    """The file can be made.

    Raises:
        UsageError: Its name has another ending, or its folder is missing.
    """
    if not path.name.lower().endswith(ENDINGS):
        raise UsageError(f"a drawing cannot be written as {path.name}; give a name that ends in .svg or .png")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent} to write {path.name} into; make it first")
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no regular file; give the name of a file to write")


def draw(
    architecture: ArchGraph | HasGraph,
    path: str | Path,
    title: str = "",
    *,
    other: ArchGraph | HasGraph | None = None,
    names: tuple[str, str] = ("first", "second"),
) -> Path:
    """Draw an architecture as SVG or PNG, by the file's name.

    Cells stand side by side, with operations that are on edges as boxes between states; chains have a column for each
    stage. Networks are drawn by blocks: norms and activations are written under what they follow, and what is there
    several times in a row is drawn once, with its count; a network that has too many different parts for a legible
    picture is told by its stages. Colours say the kind of an operator: those of Okabe and Ito (2008), which the
    colour-blind tell apart. Graphviz lays out the boxes where its program ``dot`` is installed, else grandalf does.

    Args:
        architecture: An architecture, a graph, or a model that was read.
        path: The file to make; one that is there is replaced.
        title: Line above.
        other: A second architecture, drawn beside the first: what differs is marked in both.
        names: What the two are called.

    Returns:
        The file.

    Raises:
        UsageError: The name has another ending, the folder is missing, or what was given has no graph.
        RunError: The file cannot be written.

    Example:
        >>> import tempfile
        >>> graph = ArchGraph(("input", "conv3x3-bn-relu", "output"), ((0, 1), (1, 2)))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     "conv3x3-bn-relu" in draw(graph, f"{folder}/cell.svg").read_text()
        True
    """
    path = Path(path)
    check_drawing(path)
    if other is None:
        return write_picture(in_columns(picture_of(architecture)), path, title)
    return write_picture(side_by_side(picture_of(architecture), picture_of(other), names), path, title)


def write_picture(group: Group, path: Path, title: str = "") -> Path:
    """Write a picture as SVG or PNG, by the file's name.

    Args:
        group: The picture.
        path: The file to make, which :func:`check_drawing` has seen.
        title: Line above.

    Raises:
        RunError: The file cannot be written.
    """
    found = placed([group])[0]
    with nothing_left_at_home():
        content = png(found, title) if path.suffix.lower() == ".png" else svg(found, title).encode()
    with writing(path):
        write_atomically(path, content)
    return path


def picture_of(architecture: ArchGraph | HasGraph) -> Group:
    """What an architecture consists of, as boxes and arrows without places.

    Raises:
        UsageError: It has no graph.
    """
    graph = architecture if isinstance(architecture, ArchGraph) else getattr(architecture, "graph", None)
    if not isinstance(graph, ArchGraph):
        raise UsageError(
            f"an Architecture, an ArchGraph or a model that was read can be drawn, a {type(architecture).__name__} was "
            "given; make one with load_space(name).from_text(notation)"
        )
    return picture_of_network(graph) if is_network(graph) else picture_of_cells(graph)


def side_by_side(first: Group, second: Group, names: tuple[str, str]) -> Group:
    """Two pictures in one, what differs marked in both."""
    pair = [in_columns(group) for group in marked(first, second)]
    # One whose frame would take its only cell's place has that cell inside.
    framed = [replace(g, title=n) if not g.heading else Group((g,), title=n) for g, n in zip(pair, names, strict=True)]
    return Group(tuple(framed), across=True)
