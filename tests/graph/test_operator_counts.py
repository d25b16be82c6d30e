"""Operators are counted by what a compiler may keep of them."""

from __future__ import annotations

import numpy as np

from archpredict.graph.operator_counts import operator_counts
from archpredict.spaces.nasbench201 import EDGES, OPERATORS, NASBench201


def counted(text):
    counts = operator_counts(np.array([NASBench201().parse(text)]), EDGES, len(OPERATORS))
    return counts.reshape(4, len(OPERATORS) - 1).astype(int).tolist()


def test_a_cell_by_hand():
    # The 3x3 convolution reads zeros; the pooling reaches a node that nothing reads; the 1x1 convolution is live.
    cell = "|none~0|+|avg_pool_3x3~0|none~1|+|nor_conv_1x1~0|nor_conv_3x3~1|none~2|"
    every, reached, useful, live = counted(cell)
    assert every == [0, 1, 1, 1]
    assert reached == [0, 1, 0, 1]
    assert useful == [0, 1, 1, 0]
    assert live == [0, 1, 0, 0]


def test_those_on_a_path_are_those_of_the_graph():
    space = NASBench201()
    choices = space.sample(200, np.random.default_rng(0))
    live = operator_counts(choices, EDGES, len(OPERATORS))[:, -(len(OPERATORS) - 1) :]
    for row, architecture in zip(live, space.architectures(choices), strict=True):
        ops = architecture.graph.edge_ops
        assert row.tolist() == [ops.count(op) for op in OPERATORS[1:]]
