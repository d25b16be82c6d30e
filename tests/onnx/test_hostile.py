"""Odd and hostile models: a graph with a warning, or one clear sentence; no other file opened, nothing unbounded."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archpredict.errors import ModelFileError
from archpredict.graph.operators import total
from archpredict.onnx import reader as loader
from archpredict.onnx.reader import trace

node = helper.make_node


@pytest.fixture
def read(tmp_path):
    """Reads a model after writing it to a file."""

    def reading(model: onnx.ModelProto, input_shapes=None) -> loader.OnnxModel:
        path = tmp_path / "m.onnx"
        path.write_bytes(model.SerializeToString())
        return loader.read(path, input_shapes)

    return reading


def _said(read, model) -> str:
    with pytest.raises(ModelFileError) as caught:
        read(model)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _warned(read, model, text: str) -> loader.OnnxModel:
    seen = read(model)
    assert text in " | ".join(seen.warnings)
    return seen


def test_a_graph_without_operators_or_outputs_is_no_network(read, build) -> None:
    assert "has no operators" in _said(read, build([]))
    assert "has no outputs" in _said(read, build([node("Relu", ["x"], ["y"])], outputs=()))


def test_a_cycle_is_named(read, build) -> None:
    nodes = [node("Relu", ["x"], ["a"]), node("Add", ["a", "c"], ["b"], name="first"), node("Relu", ["b"], ["c"])]
    said = _said(read, build([*nodes, node("Relu", ["c"], ["y"])]))
    assert "the operators form a cycle through" in said
    assert "'first'" in said or "'c'" in said
    assert "cycle" in _said(read, build([node("Add", ["x", "y"], ["y"])]))


def test_a_long_cycle_and_what_follows_it_do_not_take_recursion(read, build) -> None:
    nodes = [node("Relu", [f"t{i}"], [f"t{(i + 1) % 5000}"]) for i in range(5000)]
    assert "cycle" in _said(read, build([*nodes, node("Add", ["t3", "x"], ["y"])]))


def test_unsorted_operators_are_sorted_with_a_warning(read, build) -> None:
    nodes = [node("Conv", ["x", "w"], ["a"]), node("Relu", ["a"], ["b"]), node("Conv", ["b", "v"], ["y"])]
    weights = {"w": (4, 3, 3, 3), "v": (5, 4, 1, 1)}
    usual = read(build(nodes, weights=weights))
    turned = _warned(read, build(nodes[::-1], weights=weights), "not in topological order and were sorted")
    assert turned.graph.key == usual.graph.key


def test_what_nothing_writes_is_an_error_but_for_weights(read, build) -> None:
    said = _said(read, build([node("Add", ["x", "q"], ["y"], name="sum")]))
    assert "Add 'sum' reads 'q', which nothing writes" in said
    assert "nothing writes 'z', an output of the graph" in _said(read, build([node("Relu", ["x"], ["y"])], outputs="z"))
    _warned(read, build([node("Conv", ["x", "w"], ["y"])]), "'w', which Conv 'y' reads; taken for a parameter left out")


def test_names_that_are_written_twice_are_an_error(read, build) -> None:
    twice = [node("Relu", ["x"], ["y"]), node("Tanh", ["x"], ["y"], name="t")]
    assert "'y' is written twice, the second time by Tanh 't'" in _said(read, build(twice))
    assert "'x' is written twice" in _said(read, build([node("Relu", ["x"], ["x"])], outputs="x"))
    assert "'w' is written twice" in _said(read, build([node("Relu", ["x"], ["w"])], weights={"w": (1,)}, outputs="w"))
    double = [TensorProto(name="w", dims=[5, 3, 1, 1], data_type=1) for _ in range(2)]
    _warned(read, build([node("Conv", ["x", "w"], ["y"])], numbers=double), "'w' is stored twice")


def test_operators_of_undeclared_domains_and_unknown_operators_become_named_unknowns(read, build) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("Sparkle", ["a"], ["b"], domain="com.example"),
        node("Wonder", ["b"], ["c"]),
        node("Reshape", ["c", "s"], ["d"]),
        node("Gemm", ["d", "v"], ["y"]),
    ]
    numbers = [numpy_helper.from_array(np.array([1, -1]), "s")]
    seen = read(build(nodes, weights={"w": (4, 3, 3, 3), "v": (144, 10)}, numbers=numbers))
    assert seen.unknown == {"com.example.Sparkle": 1, "Wonder": 1}
    assert {"unknown:com.example.Sparkle", "unknown:Wonder"} <= set(seen.graph.ops)
    assert any("Sparkle" in text for text in seen.warnings)
    assert seen.outputs == {"y": (1, 10)} or seen.outputs == {"y": (-1, 10)}


def test_a_missing_or_future_or_impossible_opset_is_read_with_a_warning(read, build) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("ReduceMean", ["a"], ["b"], axes=[2, 3], keepdims=0),  # as before version 18
        node("Unsqueeze", ["b"], ["y"], axes=[0]),  # as before version 13
    ]
    weights = {"w": (4, 3, 3, 3)}
    for opset in (9, 0, -5, 99, 2**62):
        seen = read(build(nodes, weights=weights, opset=opset))
        assert seen.outputs == {"y": (1, 1, 4)}
        assert any("version" in text for text in seen.warnings) == (opset != 9)
    _warned(read, build(nodes, weights=weights, opset_imports=[]), "does not say which version of ONNX's operators")


def test_weights_that_do_not_fit_are_named(read, build) -> None:
    conv = build([node("Conv", ["x", "w"], ["y"], name="c")], weights={"w": (8, 4, 3, 3)})
    seen = _warned(read, conv, "Conv 'c' does not fit: 3 channels arrive, and its weight takes 4")
    assert seen.outputs == {"y": (1, 8, 6, 6)}
    for weights in ({"w": (8, 3)}, {"w": ()}, {"w": (0,)}, {"w": (8, 3, 9, 9)}, {"w": (1,) * 31}):
        _warned(read, build([node("Conv", ["x", "w"], ["y"])], weights=weights), "Conv 'y' does not fit")
    gemm = [node("Flatten", ["x"], ["a"]), node("Gemm", ["a", "w"], ["y"])]
    _warned(read, build(gemm, weights={"w": (3, 10)}), "Gemm 'y' does not fit")
    for dims in ((-3, 3, 3, 3), (1,) * 5000):
        _warned(
            read,
            build([node("Conv", ["x", "w"], ["y"])], numbers=[TensorProto(name="w", dims=dims, data_type=1)]),
            "the parameter 'w' has a shape that no tensor has",
        )


def test_elements_of_another_number_than_the_shape_says_are_not_read(read, build) -> None:
    short = TensorProto(name="s", dims=[4], data_type=TensorProto.INT64, raw_data=bytes(8 * 3))
    seen = _warned(read, build([node("Reshape", ["x", "s"], ["y"])], numbers=[short]), "'s' is not read")
    assert seen.outputs == {"y": (-1, -1, -1, -1)}
    for odd in (
        TensorProto(name="s", dims=[2], data_type=TensorProto.INT64, int64_data=[1, 2, 3]),
        TensorProto(name="s", dims=[2], data_type=99, raw_data=bytes(16)),
        TensorProto(name="s", dims=[2], data_type=TensorProto.STRING, string_data=[b"a", b"b"]),
        TensorProto(name="s", dims=[2], data_type=TensorProto.FLOAT8E4M3FN, raw_data=bytes(1)),
    ):
        read(build([node("Reshape", ["x", "s"], ["y"])], numbers=[odd]))


def test_everything_dynamic_is_ranked_with_the_option_that_helps(read, build) -> None:
    nodes = [node("Conv", ["x", "w"], ["a"]), node("GlobalAveragePool", ["a"], ["y"])]
    model = build(nodes, {"x": ("n", "c", "h", "w")}, weights={"w": (4, 3, 3, 3)})
    seen = _warned(read, model, "`input_shapes={'x': (1, 3, 224, 224)}`")
    assert seen.inputs == seen.assumed == {"x": (1, 3, 224, 224)}
    assert (total(seen.graph, "params"), total(seen.graph, "macs")) == (108, 108 * 222 * 222)
    given = read(model, {"x": (1, 3, 32, 32)})
    assert given.outputs == {"y": (1, 4, 1, 1)}
    assert total(given.graph, "macs") == 108 * 30 * 30
    model = build(nodes, {"x": None}, weights={"w": (4, 3, 3, 3)})
    assert read(model).assumed == {"x": (1, 3, 224, 224)}
    model = build([node("Relu", ["x"], ["y"])], {"x": None})
    _warned(read, model, "the input 'x' has no shape in the file; give one: `input_shapes={'x': (1, 3, 224, 224)}`")


def test_given_shapes_must_fit_an_input(read, build) -> None:
    model = build([node("Relu", ["x"], ["y"])])
    for shapes, text in (
        ({"q": (1, 3)}, "the model has no input 'q'; its inputs are: 'x'"),
        ({"x": (1, 3)}, "the shape 1x3 for the input 'x' has 2 axes, and the input has 4"),
        ({"x": (1, 3, 0, 8)}, "has a length below 1, or a fraction"),
    ):
        with pytest.raises(ModelFileError, match=text):
            read(model, shapes)


@contextmanager
def _opened_files() -> Iterator[list[str]]:
    """Gathers every path that is opened meanwhile, by whatever function."""
    seen: list[str] = []
    active = True

    def hook(event: str, arguments: tuple) -> None:
        if active and event in ("open", "os.open", "mmap.__new__") and isinstance(arguments[0], str | bytes | Path):
            seen.append(os.fsdecode(arguments[0]))

    sys.addaudithook(hook)
    yield seen
    active = False


@pytest.mark.parametrize("place", ["beside.bin", "../outside.bin", "/etc/hostname", "none.bin", "m.onnx"])
@pytest.mark.parametrize("length", ["4", "99999999999999", "-1", "x"])
def test_external_data_are_never_opened_wherever_they_point_and_whatever_their_size(
    place, length, read, build, tmp_path
) -> None:
    (tmp_path / "beside.bin").write_bytes(bytes(10_000))
    (tmp_path.parent / "outside.bin").write_bytes(bytes(10_000))
    weights = []
    for name, dims, kind in (("w", [8, 3, 1, 1], 1), ("s", [2], 7), ("huge", [2**40, 2**20], 1)):
        tensor = TensorProto(name=name, dims=dims, data_type=kind, data_location=TensorProto.EXTERNAL)
        for key, value in (("location", place), ("offset", "0"), ("length", length)):
            tensor.external_data.add(key=key, value=value)
        weights.append(tensor)
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("Reshape", ["a", "s"], ["b"]),
        node("Gather", ["huge", "i"], ["c"]),
        node("Constant", [], ["k"], value=weights[1]),
        node("Reshape", ["b", "k"], ["d"]),
        node("Add", ["d", "c"], ["y"]),
    ]
    model = build(nodes, numbers=[*weights, numpy_helper.from_array(np.array(0), "i")])
    read(model)  # modules are loaded before
    with _opened_files() as seen:
        graph = read(model).graph
    assert [name for name in seen if name != str(tmp_path / "m.onnx")] == []
    assert graph.attrs["weight"][graph.ops.index("conv"), :2].tolist() == [8, 3]


def test_a_chain_of_5000_operators_is_read(read, build) -> None:
    nodes = [node("Relu" if i % 2 else "Tanh", [f"t{i}" if i else "x"], [f"t{i + 1}"]) for i in range(5_000)]
    seen = read(build(nodes, outputs=["t5000"]))
    assert seen.num_nodes == 5_000
    assert seen.outputs == {"t5000": (1, 3, 8, 8)}
    turned = trace(build(nodes[::-1], outputs=["t5000"]))
    assert [step.outputs[0].name for step in turned.steps] == [f"t{i + 1}" for i in range(5_000)]


def test_a_constant_of_2_to_the_40_elements_is_never_made(read, build) -> None:
    huge = numpy_helper.from_array(np.array([2**20, 2**20]), "s")
    one = numpy_helper.from_array(np.array(1), "one")
    many = numpy_helper.from_array(np.array(2**40), "many")
    for nodes in (
        [node("ConstantOfShape", ["s"], ["c"])],
        [node("Expand", ["one", "s"], ["c"])],
        [node("Range", ["one", "many", "one"], ["c"])],
        [node("Reshape", ["one", "one1"], ["o"]), node("Tile", ["o", "many1"], ["c"])],
        [node("RandomNormal", [], ["c"], shape=[2**20, 2**20])],
        [node("ConstantOfShape", ["s"], ["q"]), node("NonZero", ["q"], ["c"])],
        [node("ConstantOfShape", ["s"], ["q"]), node("Add", ["q", "one"], ["c"])],
    ):
        more = [numpy_helper.from_array(np.array([n]), name) for name, n in (("one1", 1), ("many1", 2**40))]
        after = [node("Shape", ["c"], ["k"]), node("Reshape", ["x", "k"], ["d"]), node("Relu", ["x"], ["y"])]
        seen = read(build([*nodes, *after], numbers=[huge, one, many, *more]))
        assert seen.outputs == {"y": (1, 3, 8, 8)}


def test_doubling_chains_of_constants_stay_small(read, build) -> None:
    nodes = [node("Concat", [f"t{i}", f"t{i}"], [f"t{i + 1}"], axis=0) for i in range(60)]
    seen = read(build([*nodes, node("Add", ["x", "t60"], ["y"])], numbers=[numpy_helper.from_array(np.ones(1), "t0")]))
    assert seen.num_nodes == 61


def _function(name: str, nodes: list, **more) -> onnx.FunctionProto:
    return helper.make_function("f", name, ["a"], ["b"], nodes, [helper.make_opsetid("", 17)], **more)


def test_functions_that_call_themselves_or_double_without_end_are_refused(read, build, monkeypatch) -> None:
    # The limit is 100,000, which takes half a minute to reach.
    monkeypatch.setattr("archpredict.onnx._trace.tracer.MAX_NODES", 5_000)

    def calling(functions: list) -> onnx.ModelProto:
        imports = [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)]
        return build([node("f0", ["x"], ["y"], domain="f")], functions=functions, opset_imports=imports)

    itself = _function("f0", [node("f0", ["a"], ["b"], domain="f")])
    assert "a function that calls itself" in _said(read, calling([itself]))
    doubling = [
        _function(f"f{i}", [node(f"f{i + 1}", ["a"], ["c"], domain="f"), node(f"f{i + 1}", ["c"], ["b"], domain="f")])
        for i in range(30)
    ]
    last = _function("f30", [node("Relu", ["a"], ["b"])])
    assert "more than 5,000 operators (functions written out)" in _said(read, calling([*doubling, last]))


def test_attributes_that_no_operator_can_have_are_named(read, build) -> None:
    weights = {"w": (4, 3, 3, 3)}
    for attributes in (
        {"strides": [0, 0]},
        {"dilations": [-1, 1]},
        {"group": 0},
        {"kernel_shape": [2**62, 2**62], "pads": [2**62] * 4},
        {"pads": [1]},
        {"auto_pad": "SIDEWAYS"},
        {"strides": [1] * 5000},
    ):
        read(build([node("Conv", ["x", "w"], ["y"], **attributes)], weights=weights))
    zero = build([node("Conv", ["x", "w"], ["y"], strides=[0, 0])], weights=weights)
    _warned(read, zero, "Conv 'y' does not fit: it has attributes that it cannot have")
    for equation in ("....->z", "i.j->ij", "ij,jk->ik", "", "->" * 30, "a" * 5000, "…"):
        read(build([node("Einsum", ["x"], ["y"], equation=equation)]))


def test_names_that_are_long_or_strange_do_not_spoil_messages(read, build) -> None:
    name = "n" * 5000 + "\n\x00"
    said = _said(read, build([node("Add", ["x", name], ["y"], name=name)]))
    assert len(said) < 400
    seen = read(build([node("X" * 5000, ["x"], [name])], outputs=[name]))
    assert max(map(len, (*seen.warnings, *seen.graph.ops))) < 400


def test_names_that_are_no_utf8_are_read_with_their_bytes_spelled_out(tmp_path, build) -> None:
    nodes = [node("Relu", ["qqqq"], ["rrrr"]), node("ssss", ["rrrr"], ["y"], name="pppp", domain="tttt", uuuu=3)]
    raw = build(nodes, {"qqqq": (1, 2)}, opset_imports=[helper.make_opsetid("tttt", 1)]).SerializeToString()
    for letter in b"pqrstu":
        raw = raw.replace(bytes([letter] * 4), bytes([letter + 128] * 4))
    (tmp_path / "m.onnx").write_bytes(raw)
    seen = loader.read(tmp_path / "m.onnx")
    assert seen.inputs == {r"\xf1" * 4: (1, 2)}
    assert list(seen.unknown) == [r"\xf4" * 4 + "." + r"\xf3" * 4]


def test_warnings_without_end_are_counted(read, build) -> None:
    nodes = [node(f"Op{i}", [f"t{i}" if i else "x"], [f"t{i + 1}"], domain=f"d{i}") for i in range(300)]
    stored = [TensorProto(name=f"w{i}", dims=[-1], data_type=1) for i in range(300)]
    seen = read(build(nodes, outputs=["t300"], numbers=stored))
    assert len(seen.warnings) < 30
