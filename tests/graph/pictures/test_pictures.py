"""Boxes, colours and differences."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from archpredict.graph.operators import Operation, computational_graph
from archpredict.graph.pictures.blocks import in_columns, picture_of_network
from archpredict.graph.pictures.cells import picture_of_cells
from archpredict.graph.pictures.difference import marked
from archpredict.graph.pictures.kinds import KINDS
from archpredict.graph.pictures.picture import CHANGED, ONLY, Box, Group, boxes_of
from archpredict.graph.pictures.placing import placed
from archpredict.registry import names
from archpredict.spaces.base import load_space


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("name", KINDS)
def test_text_is_legible_on_every_colour(name: str) -> None:
    low, high = sorted(map(luminance, (KINDS[name].fill, KINDS[name].text)))
    assert (high + 0.05) / (low + 0.05) >= 4.5


@pytest.mark.parametrize("name", names("spaces"))
def test_every_operation_of_every_space_has_a_box_and_boxes_do_not_overlap(name: str) -> None:
    space = load_space(name)
    groups, counts = [], []
    for row in space.sample(5, np.random.default_rng(0)):
        graph = space.decode(row.tolist())
        groups.append(picture_of_cells(graph))
        operations = [op for op in graph.edge_ops or () if op != "data"]
        counts.append(len(operations) + graph.num_nodes)
    assert [sum(1 for _ in boxes_of(group)) for group in groups] == counts
    for found in placed(groups):
        for a, b in combinations(found.boxes, 2):
            across = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
            down = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
            assert across < 1 or down < 1


@pytest.mark.parametrize("name", names("spaces"))
def test_an_architecture_does_not_differ_from_itself_and_does_from_every_neighbour(name: str) -> None:
    space = load_space(name)
    rng = np.random.default_rng(1)
    row = space.sample(1, rng)
    same = picture_of_cells(space.decode(row[0].tolist()))
    assert {box.mark for group in marked(same, same) for box in boxes_of(group)} == {""}
    for other in space.mutate(np.repeat(row, 4, axis=0), rng):
        graph = space.decode(other.tolist())
        if graph.key != space.decode(row[0].tolist()).key:
            pair = marked(same, picture_of_cells(graph))
            assert {box.mark for group in pair for box in boxes_of(group)} & {CHANGED, ONLY}


def test_a_block_that_comes_more_often_is_marked_as_a_whole() -> None:
    block = Group((Box(("conv",), "conv"),), times=3)
    first, second = marked(Group((block,)), Group((Group(block.items, times=4),)))
    assert [item.mark for item in (*first.items, *second.items)] == [CHANGED, CHANGED]
    assert next(boxes_of(first)).mark == ""


def test_a_norm_or_activation_is_written_under_what_it_alone_reads() -> None:
    conv = Operation("conv", (1, 8, 4, 4), kernel=(3, 3), stride=(2, 2), groups=8, weight=(8, 1, 3, 3))
    nodes = [Operation("input", (1, 8, 8, 8)), conv, Operation("relu", (1, 8, 4, 4)), Operation("tanh", (1, 8, 4, 4))]
    graph = computational_graph([*nodes, Operation("add", (1, 8, 4, 4))], [(0, 1), (1, 2), (1, 3), (2, 4), (3, 4)])
    assert [box.lines for box in boxes_of(picture_of_network(graph))] == [
        ("input",), ("conv 3x3 /2 g8 8",), ("relu",), ("tanh",), ("add",),
    ]  # fmt: skip
    graph = computational_graph(nodes, [(0, 1), (1, 2), (2, 3)])
    (_, box) = boxes_of(picture_of_network(graph))
    assert box == Box(("conv 3x3 /2 g8 8", "relu", "tanh"), "light")


def test_columns_keep_every_box_and_say_what_several_read() -> None:
    items = tuple([Box((str(i),), "conv") for i in range(60)])
    group = Group(items, (*((i, i + 1) for i in range(59)), *((i, i + 2) for i in range(0, 58, 2))))
    columns = in_columns(group)
    assert [box.lines[0] for box in boxes_of(columns) if box.lines != ("in",)] == [str(i) for i in range(60)]
    assert columns.across
    assert all(isinstance(c, Group) and c.items[0] == Box(("in",), "state", True) for c in columns.items[1:])
