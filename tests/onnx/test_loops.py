"""Loops: how often they run, what they begin with, and what grows in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archpredict.graph.operators import total
from archpredict.onnx.reader import OnnxModel, interpret

_NO_LIMIT = np.int64((1 << 63) - 1)
_MATMUL = helper.make_node("MatMul", ["s", "w"], ["r"])
_GOES_ON = helper.make_node("Identity", ["c"], ["on"])


def _number(name: str, value: Any) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(value), name)


def _typed(name: str, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, None)


def _body(nodes: Sequence[onnx.NodeProto], states: Sequence[str], results: Sequence[str]) -> onnx.GraphProto:
    inputs = [_typed("i", TensorProto.INT64), _typed("c", TensorProto.BOOL), *map(_typed, states)]
    return helper.make_graph(nodes, "body", inputs, [_typed("on", TensorProto.BOOL), *map(_typed, results)])


def _read(nodes: Sequence[onnx.NodeProto], **numbers: Any) -> OnnxModel:
    stored = [_number(name, value) for name, value in numbers.items()]
    stored += [TensorProto(name=name, dims=(8, 8), data_type=TensorProto.FLOAT) for name in ("w", "v")]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 8))
    graph = helper.make_graph(nodes, "g", [x], [_typed("y")], stored)
    return interpret(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]))


def _macs(read: OnnxModel) -> float:
    return total(read.graph, "macs")


def _params(read: OnnxModel) -> float:
    return total(read.graph, "params")


def _while(*condition: onnx.NodeProto, limit: str = "n") -> onnx.NodeProto:
    """A loop that applies a layer and goes on as some operators say."""
    return helper.make_node("Loop", [limit, "yes", "x"], ["y"], body=_body([_MATMUL, *condition], ["s"], ["r"]))


class TestHowOftenALoopRuns:
    @pytest.mark.parametrize("limit", ["n", ""])
    def test_a_condition_on_the_round_counts_its_rounds(self, limit: str) -> None:
        following = helper.make_node("Add", ["i", "one"], ["next"])
        loop = _while(following, helper.make_node("Less", ["next", "five"], ["on"]), limit=limit)
        read = _read([loop], n=_NO_LIMIT, yes=True, one=1, five=5)
        assert (_macs(read), read.warnings) == (5 * 64, ())

    def test_a_counter_among_the_states_does_so_too(self) -> None:
        nodes = [
            _MATMUL,
            helper.make_node("Add", ["k", "one"], ["l"]),
            helper.make_node("Less", ["l", "three"], ["on"]),
        ]
        body = _body(nodes, ["s", "k"], ["r", "l"])
        read = _read(
            [helper.make_node("Loop", ["", "yes", "x", "zero"], ["y", ""], body=body)], yes=True, zero=0, one=1, three=3
        )
        assert (_macs(read), read.warnings) == (3 * 64, ())

    def test_a_condition_that_is_written_as_false_ends_it_after_one(self) -> None:
        never = helper.make_node("Constant", [], ["on"], value=_number("", False))
        read = _read([_while(never)], n=5, yes=True)
        assert (_macs(read), read.warnings) == (64, ())

    def test_the_largest_number_there_is_limits_nothing(self) -> None:
        sums = helper.make_node("ReduceSum", ["r"], ["sum"], keepdims=0)
        read = _read(
            [_while(sums, helper.make_node("Less", ["sum", "some"], ["on"]))], n=_NO_LIMIT, yes=True, some=np.float32(3)
        )
        assert _macs(read) == 64
        assert read.warnings == ("data decide how often Loop 'y' runs; it counts as one round",)

    def test_a_counter_that_takes_too_long_is_not_waited_for(self) -> None:
        less = helper.make_node("Less", ["i", "far"], ["on"])
        read = _read([_while(less)], n=_NO_LIMIT, yes=True, far=1 << 60)
        assert _macs(read) == 64
        assert len(read.warnings) == 1


class TestWhatALoopBeginsWith:
    @pytest.mark.parametrize(
        ("start", "params"), [(np.zeros((1, 8), np.float32), 64), (np.ones((1, 8), np.float32), 72)]
    )
    def test_zeros_are_no_parameters(self, start: Any, params: int) -> None:
        nodes = [_MATMUL, helper.make_node("Add", ["r", "x"], ["sum"]), _GOES_ON]
        loop = helper.make_node("Loop", ["n", "", "start"], ["y"], body=_body(nodes, ["s"], ["sum"]))
        assert _params(_read([loop], n=3, start=start)) == params

    def test_nor_are_they_in_a_scan_of_version_8(self) -> None:
        body = helper.make_graph(
            [helper.make_node("MatMul", ["s", "w"], ["r"]), helper.make_node("Add", ["r", "part"], ["t"])],
            "body",
            [_typed("s"), _typed("part")],
            [_typed("t"), _typed("t")],
        )
        scan = helper.make_node("Scan", ["", "start", "x"], ["", "y"], num_scan_inputs=1, body=body)
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (2, 5, 8))
        stored = [_number("start", np.zeros((2, 8), np.float32)), TensorProto(name="w", dims=(8, 8), data_type=1)]
        model = helper.make_model(
            helper.make_graph([scan], "g", [x], [_typed("y")], stored), opset_imports=[helper.make_opsetid("", 8)]
        )
        read = interpret(model)
        assert (_params(read), _macs(read)) == (64, 2 * 5 * 64)


class TestWhatGrowsInALoop:
    def test_each_round_counts_as_the_one_in_the_middle(self) -> None:
        nodes = [_MATMUL, helper.make_node("Concat", ["r", "x"], ["longer"], axis=0), _GOES_ON]
        loop = helper.make_node("Loop", ["n", "", "x"], ["l"], body=_body(nodes, ["s"], ["longer"]))
        read = _read([loop, helper.make_node("MatMul", ["l", "v"], ["y"])], n=5)
        assert _macs(read) == 64 * (1 + 2 + 3 + 4 + 5) + 6 * 64
        assert read.warnings == ("what Loop 'l' works on grows; each of its 5 rounds counts as the one in the middle",)
        assert read.num_nodes == 5

    def test_what_is_only_collected_needs_no_warning(self) -> None:
        nodes = [_MATMUL, helper.make_node("Concat", ["all", "r"], ["more"], axis=0), _GOES_ON]
        body = _body(nodes, ["s", "all"], ["r", "more"])
        loop = helper.make_node("Loop", ["n", "", "x", "x"], ["", "all"], body=body)
        read = _read([loop, helper.make_node("MatMul", ["all", "v"], ["y"])], n=4)
        assert (_macs(read), read.warnings) == (4 * 64 + 5 * 64, ())

    @pytest.mark.parametrize(("join", "items"), [({"axis": 0}, 6), ({"axis": 0, "new_axis": 1}, 6)])
    def test_a_sequence_has_an_item_for_each_round(self, join: dict[str, int], items: int) -> None:
        nodes = [_MATMUL, helper.make_node("SequenceInsert", ["q", "r"], ["p"]), _GOES_ON]
        loop = helper.make_node("Loop", ["n", "", "x", "none"], ["", "p"], body=_body(nodes, ["s", "q"], ["r", "p"]))
        joined = helper.make_node("ConcatFromSequence", ["p"], ["j"], **join)
        read = _read(
            [
                helper.make_node("SequenceEmpty", [], ["none"]),
                loop,
                joined,
                helper.make_node("MatMul", ["j", "v"], ["y"]),
            ],
            n=6,
        )
        assert (_macs(read), read.warnings) == (6 * 64 + items * 64, ())

    def test_the_part_that_a_round_takes_of_equal_parts_is_known(self) -> None:
        nodes = [
            helper.make_node("SequenceAt", ["q", "i"], ["part"]),
            helper.make_node("MatMul", ["part", "s"], ["r"]),
            _GOES_ON,
        ]
        split = helper.make_node("SplitToSequence", ["x"], ["q"], axis=1)
        start = np.ones((1, 1), np.float32)
        read = _read(
            [split, helper.make_node("Loop", ["n", "", "start"], ["y"], body=_body(nodes, ["s"], ["r"]))],
            n=8,
            start=start,
        )
        assert read.warnings == ()
