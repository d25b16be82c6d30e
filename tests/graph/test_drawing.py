"""Pictures of graphs."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archpredict.errors import RunError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.drawing import MAX_NODES, depths, draw
from archpredict.graph.operators import Operation, computational_graph


def residual(blocks: int) -> ArchGraph:
    """A convolution, then blocks of two convolutions with a sum."""
    conv = Operation("conv", (1, 8, 4, 4), kernel=(3, 3), stride=(1, 1), weight=(8, 8, 3, 3))
    nodes, edges = [Operation("input", (1, 8, 4, 4))], []
    for _ in range(blocks):
        start = len(nodes) - 1
        nodes += [conv, Operation("relu", (1, 8, 4, 4)), conv, Operation("add", (1, 8, 4, 4))]
        edges += [*((start + i, start + i + 1) for i in range(4)), (start, start + 4)]
    return computational_graph(nodes, edges)


def test_an_svg_holds_every_operator_and_a_legend_with_counts(tmp_path: Path) -> None:
    path = draw(residual(3), tmp_path / "out.svg", "three blocks")
    texts = ["".join(element.itertext()).strip() for element in ET.parse(path).iter() if element.tag.endswith("}text")]
    assert texts.count("conv 3x3 8") == 6
    assert "three blocks" in texts
    assert {"convolution (6)", "activation (3)", "arithmetic (3)", "input, output, parameter (1)"} <= set(texts)


def test_a_png_is_a_png(tmp_path: Path) -> None:
    assert draw(residual(3), tmp_path / "out.PNG").read_bytes().startswith(b"\x89PNG")


def test_equal_graphs_give_equal_files(tmp_path: Path) -> None:
    first, second = (draw(residual(5), tmp_path / name).read_bytes() for name in ("a.svg", "b.svg"))
    assert first == second


def test_a_large_graph_is_drawn_without_labels(tmp_path: Path) -> None:
    text = draw(residual((MAX_NODES - 1) // 4), tmp_path / "out.svg").read_text()
    assert "conv 3x3" not in text
    assert f"convolution ({(MAX_NODES - 1) // 4 * 2:,})" in text


def test_a_graph_of_one_node_and_one_without_attributes_can_be_drawn(tmp_path: Path) -> None:
    draw(ArchGraph(("input",), ()), tmp_path / "one.svg")
    assert "unknown:Foo" in draw(ArchGraph(("input", "unknown:Foo"), ((0, 1),)), tmp_path / "two.svg").read_text()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.pdf", "a drawing cannot be written as out.pdf; give a name that ends in .svg or .png"),
        ("no/out.svg", "there is no folder .*no to write out.svg into; make it first"),
        ("folder.svg", "folder.svg is no regular file; give the name of a file to write"),
    ],
)
def test_names_that_cannot_be_written_are_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(UsageError, match=message):
        draw(residual(1), tmp_path / name)


def test_too_large_a_graph_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape("the graph has 3,001 nodes, a drawing can show 3,000; leave it")):
        draw(residual(MAX_NODES // 4), tmp_path / "out.svg")
    assert not (tmp_path / "out.svg").exists()


def test_a_disk_that_is_full_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    def full(*arguments: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(RunError, match=r"cannot write .*: No space left on device; choose another place"):
        draw(residual(1), tmp_path / "out.svg")


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_every_edge_leads_to_a_later_layer(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 12))
    pairs = [(i, j) for j in range(n) for i in range(j)]
    edges = data.draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    layers = depths(ArchGraph(("relu",) * n, tuple(edges)))
    assert all(layers[source] < layers[target] for source, target in edges)
    assert min(layers) == 0
