"""Pictures of architectures."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from archpredict.errors import RunError, UsageError
from archpredict.graph import drawing
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.drawing import draw, picture_of
from archpredict.graph.operators import Operation, computational_graph
from archpredict.graph.pictures.picture import boxes_of
from archpredict.spaces.base import load_space

NOTATION = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|avg_pool_3x3~1|skip_connect~2|"


def residual(blocks: int) -> ArchGraph:
    """A convolution, then blocks of two convolutions with a sum."""
    conv = Operation("conv", (1, 8, 4, 4), kernel=(3, 3), stride=(1, 1), weight=(8, 8, 3, 3))
    nodes, edges = [Operation("input", (1, 8, 4, 4))], []
    for _ in range(blocks):
        start = len(nodes) - 1
        nodes += [conv, Operation("relu", (1, 8, 4, 4)), conv, Operation("add", (1, 8, 4, 4))]
        edges += [*((start + i, start + i + 1) for i in range(4)), (start, start + 4)]
    return computational_graph(nodes, edges)


def texts(path: Path) -> list[str]:
    return ["".join(e.itertext()).strip() for e in ET.parse(path).iter() if e.tag.endswith("}text")]


def test_an_svg_has_every_operation_of_a_cell_and_a_legend(tmp_path: Path) -> None:
    architecture = load_space("nasbench201").from_text(NOTATION)
    written = texts(draw(architecture, tmp_path / "cell.svg", "a cell"))
    assert sorted(text for text in written if "_" in text) == [
        "avg_pool_3x3", "nor_conv_1x1", "nor_conv_3x3", "skip_connect", "skip_connect",
    ]  # fmt: skip
    assert {"a cell", "input", "output", "0", "1", "convolution", "pooling", "identity, data movement"} <= {*written}


def test_both_cells_of_darts_have_their_names(tmp_path: Path) -> None:
    space = load_space("darts")
    written = texts(draw(space.architecture((0, 3, 3) * 8), tmp_path / "cells.svg"))
    assert {"normal cell", "reduction cell"} <= {*written}
    assert (written.count("sep_conv_3x3"), written.count("c_{k-2}")) == (16, 2)


def test_a_chain_has_a_column_for_each_stage(tmp_path: Path) -> None:
    space = load_space("mobilenetv3")
    written = texts(draw(space.architecture((0,) * space.num_decisions), tmp_path / "chain.svg"))
    assert [text for text in written if text.startswith("stage")] == [f"stage {i}" for i in range(1, 6)]


def test_repeated_blocks_are_drawn_once_with_their_count(tmp_path: Path) -> None:
    written = texts(draw(residual(40), tmp_path / "out.svg", "blocks"))
    assert "× 40" in written
    assert written.count("conv 3x3 8") == 2


def test_of_two_what_differs_is_marked(tmp_path: Path) -> None:
    space = load_space("nasbench201")
    other = space.from_text(NOTATION.replace("avg_pool_3x3", "nor_conv_3x3"))
    path = draw(space.from_text(NOTATION), tmp_path / "two.svg", other=other, names=("one", "<script>"))
    assert {"one", "<script>", "changed"} <= {*texts(path)}
    assert "only here" not in texts(path)
    assert "<script>" not in path.read_text()


def test_a_png_is_a_png(tmp_path: Path) -> None:
    assert draw(residual(3), tmp_path / "out.PNG", "3 blocks").read_bytes().startswith(b"\x89PNG")


def test_equal_graphs_give_equal_files(tmp_path: Path) -> None:
    for ending in ("svg", "png"):
        first, second = (draw(residual(5), tmp_path / f"{name}.{ending}").read_bytes() for name in "ab")
        assert first == second


def test_a_graph_of_one_node_and_one_of_unknown_operators_can_be_drawn(tmp_path: Path) -> None:
    assert texts(draw(ArchGraph(("input",), ()), tmp_path / "one.svg")) == ["input"]
    path = draw(ArchGraph(("input", "unknown:<Foo>"), ((0, 1),)), tmp_path / "two.svg", "a & $x_1$ \x00")
    assert {"unknown:<Foo>", "a & $x_1$ �", "other"} <= {*texts(path)}
    draw(ArchGraph(("input", "$\\x"), ((0, 1),)), tmp_path / "two.png", "$\\x")


def test_a_network_of_many_different_parts_is_told_by_its_stages(tmp_path: Path) -> None:
    widths = range(8, 308)
    convs = [Operation("conv", (1, w, 4, 4), kernel=(3, 3), weight=(w, 3, 3, 3)) for w in widths]
    pools = [Operation("max_pool" if w % 3 else "add", (1, w, 4, 4)) for w in widths]
    nodes = [Operation("input", (1, 3, 4, 4)), *(node for pair in zip(convs, pools, strict=True) for node in pair)]
    skips = [(i * i % 7 * i // 7, i) for i in range(8, len(nodes))]
    graph = computational_graph(nodes, [*((i, i + 1) for i in range(len(nodes) - 1)), *skips])
    boxes = [*boxes_of(picture_of(graph))]
    assert len(boxes) < 20
    assert any("300 conv" in box.lines for box in boxes)


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


def test_what_has_no_graph_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape("can be drawn, a str was given; make one with load_space(")):
        draw(NOTATION, tmp_path / "out.svg")  # type: ignore[arg-type]


def test_a_disk_that_is_full_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(drawing, "write_atomically", full)
    with pytest.raises(RunError, match=r"cannot write .*: No space left on device; choose another place"):
        draw(residual(1), tmp_path / "out.svg")
