"""What of a model is left as operators on data, with which shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, shape_inference

from archpredict.errors import ModelFileError
from archpredict.onnx.reader import Trace, read_proto, trace

node = helper.make_node


def _numbers(**arrays) -> list[onnx.TensorProto]:
    return [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]


def _ops(seen: Trace) -> list[str]:
    return [step.op for step in seen.steps]


def _shapes(seen: Trace) -> list:
    return [step.outputs[0].shape for step in seen.steps if step.outputs[0] is not None]


def test_layers_have_the_shapes_that_arithmetic_gives(build) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("MaxPool", ["a"], ["b"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", ["b"], ["c"]),
        node("Gemm", ["c", "v"], ["y"], transB=1),
    ]
    seen = trace(build(nodes, weights={"w": (6, 3, 3, 3), "v": (10, 24)}))
    assert _ops(seen) == ["Conv", "MaxPool", "Flatten", "Gemm"]
    assert _shapes(seen) == [(1, 6, 4, 4), (1, 6, 2, 2), (1, 24), (1, 10)]
    assert seen.steps[0].attributes == {"strides": (2, 2), "pads": (1, 1, 1, 1)}
    weight = seen.steps[0].inputs[1]
    assert (weight.shape, weight.constant, weight.stored, weight.data) == ((6, 3, 3, 3), True, True, None)
    assert weight.parameters == {weight}
    assert (seen.opset, seen.num_nodes, seen.warnings) == (17, 4, [])


def test_the_arithmetic_on_shapes_is_computed_and_gone(build) -> None:
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "zero"], ["n"]),
        node("Gather", ["s", "one"], ["c"]),
        node("Div", ["c", "two"], ["h"]),
        node("Unsqueeze", ["n", "axis"], ["n1"]),
        node("Unsqueeze", ["h", "axis"], ["h1"]),
        node("Concat", ["n1", "two1", "h1", "rest"], ["t"], axis=0),
        node("Reshape", ["x", "t"], ["y"]),
    ]
    numbers = _numbers(zero=0, one=1, two=2, axis=np.array([0]), two1=np.array([2]), rest=np.array([-1]))
    seen = trace(build(nodes, {"x": (1, 6, 4, 4)}, numbers=numbers))
    assert _ops(seen) == ["Reshape"]
    assert _shapes(seen) == [(1, 2, 3, 16)]
    target = seen.steps[0].inputs[1]
    assert target.constant
    assert not target.stored
    assert target.data.tolist() == [1, 2, 3, -1]


def test_lengths_that_are_not_known_leave_the_others_known(build) -> None:
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "axes"], ["t"]),
        node("Concat", ["t", "rest"], ["u"], axis=0),
        node("Reshape", ["x", "u"], ["a"]),
        node("MatMul", ["a", "w"], ["b"]),
        node("Slice", ["s", "two", "three"], ["h"]),
        node("Concat", ["h", "two"], ["v"], axis=0),
        node("ConstantOfShape", ["v"], ["z"]),
        node("Expand", ["x", "s"], ["e"]),
    ]
    numbers = _numbers(axes=np.array([0, 2]), rest=np.array([12]), two=np.array([2]), three=np.array([3]))
    seen = trace(build(nodes, {"x": ("n", 3, "h", 4)}, {"w": (12, 7)}, numbers, outputs=["b", "e", "z"]))
    assert [t.shape for t in seen.outputs] == [(1, -1, 7), (1, 3, -1, 4), (-1, 2)]
    assert "3 shapes after 3 operators are not known, beginning with Reshape 'a'" in seen.warnings


def test_copies_casts_and_dropout_are_no_operators(build) -> None:
    nodes = [
        node("Cast", ["x"], ["a"], to=TensorProto.FLOAT16),
        node("Dropout", ["a"], ["b", "mask"]),
        node("Identity", ["b"], ["c"]),
        node("CastLike", ["c", "x"], ["d"]),
        node("Relu", ["d"], ["e"]),
        node("Identity", ["e"], ["y"]),
    ]
    seen = trace(build(nodes))
    assert _ops(seen) == ["Relu"]
    assert seen.steps[0].inputs == seen.inputs
    assert seen.outputs == seen.steps[0].outputs


def test_a_cast_is_seen_by_operators_that_depend_on_types(build) -> None:
    nodes = [node("Cast", ["x"], ["a"], to=TensorProto.BOOL), node("Where", ["a", "x", "x"], ["y"])]
    seen = trace(build(nodes))
    assert _shapes(seen) == [(1, 3, 8, 8)]
    assert seen.warnings == []


def test_what_follows_from_weights_alone_is_a_constant_of_these_weights(build) -> None:
    nodes = [
        node("Transpose", ["w"], ["wt"]),
        node("Add", ["wt", "v"], ["wv"]),
        node("Gather", ["wv", "index"], ["picked"]),
        node("MatMul", ["x", "picked"], ["y"]),
    ]
    index = TensorProto(name="index", dims=[64], data_type=TensorProto.INT64)
    seen = trace(build(nodes, {"x": (1, 64)}, {"w": (8, 9), "v": (1, 8)}, [index]))
    assert _ops(seen) == ["MatMul"]
    picked = seen.steps[0].inputs[1]
    assert picked.shape == (64, 8)
    assert picked.constant
    assert not picked.stored
    assert {t.name for t in picked.parameters} == {"w", "v"}


def test_numbers_are_known_however_they_are_written(build) -> None:
    for constant in (
        {"value": numpy_helper.from_array(np.array([2.0], np.float32))},
        {"value": helper.make_tensor("t", TensorProto.FLOAT, [1], [2.0])},
        {"value": helper.make_tensor("t", TensorProto.BFLOAT16, [1], [2.0])},
        {"value_floats": [2.0]},
        {"value_float": 2.0},
        {"value_int": 2},
        {"value_ints": [2]},
    ):
        seen = trace(build([node("Constant", [], ["c"], **constant), node("Mul", ["x", "c"], ["y"])]))
        assert _ops(seen) == ["Mul"]
        assert seen.steps[0].inputs[1].scalar == 2.0


def test_a_single_number_is_no_parameter_wherever_it_is_stored(build) -> None:
    written = [node("Constant", [], ["c"], value=numpy_helper.from_array(np.array(2.0, np.float32)))]
    after = [node("Mul", ["x", "c"], ["y"])]
    for model in (build(written + after), build(after, numbers=_numbers(c=np.float32(2)))):
        tensor = trace(model).steps[0].inputs[1]
        assert (tensor.scalar, tensor.stored, tensor.parameters) == (2.0, False, frozenset())


def test_operators_that_no_output_needs_are_gone(build) -> None:
    seen = trace(build([node("Conv", ["x", "w"], ["a"]), node("Relu", ["x"], ["y"])], weights={"w": (4, 3, 1, 1)}))
    assert _ops(seen) == ["Relu"]
    assert seen.num_nodes == 2


def test_an_output_may_be_an_input_or_a_constant(build) -> None:
    nodes = [node("Identity", ["x"], ["y"]), node("Identity", ["w"], ["z"])]
    seen = trace(build(nodes, weights={"w": (4,)}, outputs=["y", "z"]))
    assert seen.steps == []
    assert [t.name for t in seen.outputs] == ["x", "w"]


def test_weights_among_the_inputs_are_parameters(build) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("Mul", ["a", "scale"], ["b"]),
        node("BatchNormalization", ["b", "c", "c", "c", "c"], ["y"]),
    ]
    inputs = {"x": (1, 3, 8, 8), "w": (4, 3, 3, 3), "scale": (4, 1, 1), "c": (4,)}
    seen = trace(build(nodes, inputs))
    assert [t.name for t in seen.inputs] == ["x"]
    assert all(t.constant and t.stored for step in seen.steps for t in step.inputs[1:])
    old = trace(build(nodes, inputs, {name: inputs[name] for name in ("w", "scale", "c")}, ir_version=3))
    assert [t.name for t in old.inputs] == ["x"]
    two = trace(build([node("MatMul", ["x", "z"], ["y"])], {"x": (1, 2, 3), "z": (1, 3, 2)}))
    assert [t.name for t in two.inputs] == ["x", "z"]


def _half(alpha: bool = True) -> onnx.FunctionProto:
    body = [node("LeakyRelu", ["a"], ["c"]), node("Add", ["c", "o"], ["b"])]
    function = helper.make_function("f", "half", ["a", "o"], ["b"], body, [helper.make_opsetid("", 17)], ["alpha"])
    function.node[0].attribute.add(name="alpha", ref_attr_name="alpha", type=onnx.AttributeProto.FLOAT)
    return function


def test_functions_are_written_out_with_their_attributes(build) -> None:
    nodes = [
        node("half", ["x", "x"], ["m"], domain="f", alpha=0.5),
        node("half", ["m", "x"], ["y"], domain="f", alpha=0.25),
    ]
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)]
    seen = trace(build(nodes, functions=[_half()], opset_imports=imports))
    assert _ops(seen) == ["LeakyRelu", "Add", "LeakyRelu", "Add"]
    assert [step.attributes.get("alpha") for step in seen.steps] == [0.5, None, 0.25, None]
    assert seen.steps[2].inputs == seen.steps[1].outputs
    assert set(_shapes(seen)) == {(1, 3, 8, 8)}
    assert seen.num_nodes == 6


def _branch(name: str, op: str, captured: str = "x") -> onnx.GraphProto:
    weight = TensorProto(name=f"w{op}", dims=[3, 1, 1], data_type=TensorProto.FLOAT)
    out = helper.make_tensor_value_info("o", TensorProto.FLOAT, (1, 3, 8, 8))
    return helper.make_graph([node(op, [captured, f"w{op}"], ["o"])], name, [], [out], [weight])


def test_the_branch_that_shapes_decide_is_written_out(build) -> None:
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "one"], ["c"]),
        node("Equal", ["c", "three"], ["is"]),
        node("If", ["is"], ["y"], then_branch=_branch("t", "Add"), else_branch=_branch("e", "Mul")),
    ]
    numbers = _numbers(one=1, three=3)
    assert _ops(trace(build(nodes, numbers=numbers))) == ["Add"]
    assert _ops(trace(build(nodes, {"x": (1, 4, 8, 8)}, numbers=numbers))) == ["Mul"]


def test_a_branch_that_data_decide_is_walked_through_with_what_it_captures(build) -> None:
    nodes = [
        node("Relu", ["x"], ["r"]),
        node("ReduceMax", ["x"], ["m"], keepdims=0),
        node("Cast", ["m"], ["is"], to=TensorProto.BOOL),
        node("If", ["is"], ["y"], then_branch=_branch("t", "Add", "r"), else_branch=_branch("e", "Mul"), name="fork"),
    ]
    seen = trace(build(nodes))
    assert _ops(seen) == ["Relu", "Add", "If"]
    assert sorted(t.name for t in seen.steps[-1].inputs) == ["o", "wMul"]
    assert _shapes(seen)[2] == (1, 3, 8, 8)
    assert "data decide which branch If 'fork' takes; the larger one counts, its then_branch" in seen.warnings


def test_known_operators_of_onnx_runtime_have_shapes(build) -> None:
    nodes = [
        node("FusedConv", ["x", "w"], ["a"], domain="com.microsoft", activation="Relu", strides=[2, 2]),
        node("QuickGelu", ["a"], ["b"], domain="com.microsoft"),
        node("FusedMatMul", ["b", "b"], ["y"], domain="com.microsoft", transB=1, alpha=0.5),
    ]
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    seen = trace(build(nodes, {"x": (1, 3, 9, 8)}, {"w": (5, 3, 3, 3)}, opset_imports=imports))
    shapes = _shapes(seen)
    assert set(shapes[:-3]) == {(1, 5, 4, 3)}
    assert shapes[-3:] == [(1, 5, 3, 4), (1, 5, 4, 4), (1, 5, 4, 4)]
    assert seen.warnings == []


def test_shapes_that_the_file_states_are_used_where_no_rule_knows(build) -> None:
    model = build([node("Secret", ["x"], ["a"], domain="d"), node("Relu", ["a"], ["y"])])
    assert trace(model).outputs[0].shape is None
    model.graph.value_info.append(helper.make_tensor_value_info("a", TensorProto.FLOAT, (1, "t", 5)))
    assert trace(model).outputs[0].shape == (1, -1, 5)


@pytest.mark.parametrize("opset", range(7, 25))
def test_the_same_network_has_the_same_shapes_at_every_opset(opset, build) -> None:
    older = opset < 13
    axes = {"axes": [2]} if older else {}
    reduced = {"axes": [3]} if opset < 18 else {}
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("Unsqueeze", ["a"] if older else ["a", "two"], ["b"], **axes),
        node("Squeeze", ["b"] if older else ["b", "two"], ["c"], **axes),
        node("ReduceMean", ["c"] if opset < 18 else ["c", "three"], ["d"], keepdims=0, **reduced),
        node("Softmax", ["d"], ["e"], axis=2),
        node("Dropout", ["e"], ["f"]),
        node("BatchNormalization", ["f", "k", "k", "k", "k"], ["y"]),
    ]
    model = build(
        nodes, None, {"w": (4, 3, 3, 3), "k": (4,)}, _numbers(two=np.array([2]), three=np.array([3])), opset=opset
    )
    seen = trace(model)
    assert _shapes(seen)[:4] == [(1, 4, 6, 6), (1, 4, 1, 6, 6), (1, 4, 6, 6), (1, 4, 6)]
    assert seen.outputs[0].shape == (1, 4, 6)
    assert seen.warnings == []


def _light_models() -> list[Path]:
    return sorted((Path(onnx.__file__).parent / "backend" / "test" / "data" / "light").glob("light_*.onnx"))


@pytest.mark.parametrize("path", _light_models(), ids=lambda path: path.stem)
def test_models_of_the_onnx_package_have_the_shapes_of_whole_graph_inference(path) -> None:
    model = onnx.load(path, load_external_data=False)
    truth = {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in shape_inference.infer_shapes(model, data_prop=True).graph.value_info
    }
    seen = trace(read_proto(path))
    compared = [
        (t.shape, truth[t.name]) for step in seen.steps for t in step.outputs if t is not None and t.name in truth
    ]
    assert len(compared) > len(seen.steps) / 2
    assert all(found == expected for found, expected in compared)
    assert all(t is None or (t.shape is not None and -1 not in t.shape) for step in seen.steps for t in step.outputs)


def _is_full(seen: Trace) -> bool:
    return all(t is None or (t.shape is not None and -1 not in t.shape) for step in seen.steps for t in step.outputs)


def test_real_models_have_full_shapes(data_folder) -> None:
    # Each thirtieth, which takes a few seconds; benchmarks/onnx_models.py reads them all and prints the share.
    paths = sorted((data_folder / "imagenet_models" / "onnx").glob("*.onnx.gz"))[::30]
    for path in paths:
        seen = trace(read_proto(path))
        assert _is_full(seen), path
        assert [t.shape for t in seen.outputs] == [(1, 1000)]


def test_an_input_of_a_given_shape_is_that_input(build) -> None:
    model = build([node("GlobalAveragePool", ["x"], ["y"])], {"x": ("n", 3, "h", "w")})
    assert trace(model, {"x": [2, 3, 5, 7]}).inputs[0].shape == (2, 3, 5, 7)
    with pytest.raises(ModelFileError, match="the model has no input 'X'; its inputs are: 'x'"):
        trace(model, {"X": [1, 3, 5, 7]})
