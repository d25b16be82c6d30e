"""Mutated files: whatever the bytes are, a graph comes out or a ModelFileError, nothing else."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from archpredict.errors import ModelFileError
from archpredict.onnx import reader as loader

node = helper.make_node

_SETTINGS = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def _numbers(**arrays) -> list[onnx.TensorProto]:
    return [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]


def _vision(build) -> onnx.ModelProto:
    nodes = [
        node("Conv", ["x", "w", "b"], ["a"], pads=[1, 1, 1, 1], strides=[2, 2], kernel_shape=[3, 3]),
        node("BatchNormalization", ["a", "b", "b", "b", "b"], ["c"]),
        node("Clip", ["c", "low", "high"], ["d"]),
        node("MaxPool", ["d"], ["e"], kernel_shape=[2, 2], ceil_mode=1),
        node("Resize", ["e", "", "scales"], ["f"], mode="nearest"),
        node("Pad", ["f", "pads"], ["g"]),
        node("Split", ["g", "sizes"], ["h", "i"], axis=1),
        node("Concat", ["i", "h"], ["j"], axis=1),
        node("ReduceMean", ["j"], ["k"], axes=[2, 3], keepdims=0),
        node("Gemm", ["k", "v"], ["y"], transB=1),
    ]
    numbers = _numbers(
        low=np.float32(0),
        high=np.float32(6),
        scales=np.array([1, 1, 2, 2], np.float32),
        pads=np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        sizes=np.array([1, 3]),
    )
    return build(nodes, weights={"w": (4, 3, 3, 3), "b": (4,), "v": (10, 4)}, numbers=numbers)


def _sequence(build) -> onnx.ModelProto:
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "zero"], ["n"], axis=0),
        node("Unsqueeze", ["n", "axis"], ["m"]),
        node("Concat", ["m", "rest"], ["t"], axis=0),
        node("Reshape", ["x", "t"], ["a"]),
        node("MatMul", ["a", "w"], ["q"]),
        node("Transpose", ["q"], ["k"], perm=[0, 2, 1]),
        node("MatMul", ["q", "k"], ["p"]),
        node("Softmax", ["p"], ["o"], axis=-1),
        node("MatMul", ["o", "a"], ["z"]),
        node("LayerNormalization", ["z", "g"], ["l"], axis=-1),
        node("Einsum", ["l", "l"], ["e"], equation="bij,bkj->bik"),
        node("Slice", ["e", "axis", "axis1", "axis1"], ["r"]),
        node("Expand", ["r", "t"], ["y"]),
    ]
    numbers = _numbers(zero=0, axis=np.array([0]), axis1=np.array([1]), rest=np.array([64, -1]))
    return build(nodes, {"x": ("n", 3, 8, 8)}, weights={"w": (3, 3), "g": (3,)}, numbers=numbers)


def _control(build) -> onnx.ModelProto:
    def body(op: str) -> onnx.GraphProto:
        weight = TensorProto(name="u", dims=[3, 1, 1], data_type=1)
        out = helper.make_tensor_value_info("o", TensorProto.FLOAT, (1, 3, 8, 8))
        return helper.make_graph([node(op, ["x", "u"], ["o"])], "b", [], [out], [weight])

    function = helper.make_function(
        "f", "half", ["a"], ["b"], [node("LeakyRelu", ["a"], ["b"])], [helper.make_opsetid("", 17)], ["alpha"]
    )
    function.node[0].attribute.add(name="alpha", ref_attr_name="alpha", type=1)
    condition = helper.make_tensor_value_info("c", TensorProto.BOOL, ())
    inner = helper.make_tensor_value_info("v", TensorProto.FLOAT, None)
    loop = helper.make_graph(
        [node("Relu", ["v"], ["w"]), node("Identity", ["c"], ["c2"])],
        "l",
        [helper.make_tensor_value_info("i", TensorProto.INT64, ()), condition, inner],
        [helper.make_tensor_value_info("c2", TensorProto.BOOL, ()), helper.make_tensor_value_info("w", 1, None)],
    )
    nodes = [
        node("half", ["x"], ["d"], domain="f", alpha=0.3),
        node("If", ["yes"], ["e"], then_branch=body("Add"), else_branch=body("Mul")),
        node("ReduceMax", ["d"], ["m"], keepdims=0),
        node("Cast", ["m"], ["n"], to=9),
        node("If", ["n"], ["g"], then_branch=body("Add"), else_branch=body("Mul")),
        node("Loop", ["count", "yes", "g"], ["h"], body=loop),
        node("SequenceConstruct", ["h", "e"], ["q"]),
        node("ConcatFromSequence", ["q"], ["r"], axis=0),
        node("FusedMatMul", ["r", "r"], ["y"], domain="com.microsoft", transB=1),
    ]
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)]
    numbers = _numbers(yes=np.array(True), count=3)
    return build(nodes, numbers=numbers, functions=[function], opset_imports=imports)


@pytest.fixture(scope="module")
def files(build) -> list[bytes]:
    return [make(build).SerializeToString() for make in (_vision, _sequence, _control)]


def _read_or_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    try:
        seen = loader.read(path)
    except ModelFileError:
        return
    assert seen.graph.num_nodes > 0
    assert all(isinstance(text, str) and len(text) < 1000 for text in seen.warnings)


def test_the_files_to_be_mutated_are_read(files, tmp_path) -> None:
    for data in files:
        (tmp_path / "m.onnx").write_bytes(data)
        assert loader.read(tmp_path / "m.onnx").graph.num_nodes > 3


@given(data=st.data())
@_SETTINGS
def test_files_with_changed_bytes_are_read_or_refused(data, files, tmp_path) -> None:
    raw = bytearray(data.draw(st.sampled_from(files)))
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    _read_or_refused(tmp_path / "m.onnx", bytes(raw))


@given(data=st.data())
@_SETTINGS
def test_files_with_moved_and_missing_parts_are_read_or_refused(data, files, tmp_path) -> None:
    raw = data.draw(st.sampled_from(files))
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(raw))] * 2)))
    place = data.draw(st.integers(0, len(raw)))
    part = raw[start:end] if data.draw(st.booleans()) else data.draw(st.binary(max_size=20))
    raw = raw[:place] + part + raw[place + data.draw(st.integers(0, 20)) :]
    _read_or_refused(tmp_path / "m.onnx", gzip.compress(raw) if data.draw(st.booleans()) else raw)


_NUMBERS = st.sampled_from([0, 1, -1, 2, 3, 7, 2**31, -(2**31), 2**62, -(2**63), 2**63 - 1])
_OPERATORS = sorted({schema.name for schema in onnx.defs.get_all_schemas()})


@given(data=st.data())
@_SETTINGS
def test_models_with_changed_fields_are_read_or_refused(data, files, tmp_path) -> None:
    model = onnx.ModelProto.FromString(data.draw(st.sampled_from(files)))
    for _ in range(data.draw(st.integers(1, 5))):
        _change(model, data)
    _read_or_refused(tmp_path / "m.onnx", model.SerializeToString())


def _change(model: onnx.ModelProto, data: st.DataObject) -> None:
    """One change of what a field says: lengths, attributes, operators, connections, versions, elements."""
    graph = model.graph
    some = data.draw(st.sampled_from(list(graph.node)))
    what = data.draw(st.integers(0, 7))
    if what == 0:
        stored = data.draw(st.sampled_from(list(graph.initializer)))
        stored.dims[:] = data.draw(st.lists(_NUMBERS, max_size=6))
    elif what == 1 and some.attribute:
        attribute = data.draw(st.sampled_from(list(some.attribute)))
        if attribute.ints:
            attribute.ints[:] = data.draw(st.lists(_NUMBERS, max_size=9))
        attribute.i = data.draw(_NUMBERS)
        attribute.s = data.draw(st.sampled_from([b"", b"...", b"SAME_UPPER", b"i.j->k", b"linear", b"\xff"]))
        attribute.type = data.draw(st.sampled_from([0, 1, 2, 3, 4, 5, 7, attribute.type, attribute.type]))
    elif what == 2:
        some.op_type = data.draw(st.sampled_from(_OPERATORS))
    elif what == 3 and some.input:
        names = [name for n in graph.node for name in (*n.input, *n.output)]
        some.input[data.draw(st.integers(0, len(some.input) - 1))] = data.draw(st.sampled_from(names))
    elif what == 4:
        model.opset_import[0].version = data.draw(st.integers(-1, 40))
    elif what == 5:
        stored = data.draw(st.sampled_from([t for t in graph.initializer if t.raw_data] or [graph.initializer[0]]))
        values = data.draw(st.lists(_NUMBERS, min_size=1, max_size=6))
        stored.CopyFrom(numpy_helper.from_array(np.array(values, np.int64), stored.name))
    elif what == 6:
        some.output.extend(data.draw(st.lists(st.sampled_from(["", "extra", "y"]), max_size=3)))
    else:
        some.attribute.add(
            name=data.draw(st.sampled_from(["axis", "axes", "perm", "strides", "k", "keepdims", "num_outputs", "to"])),
            type=data.draw(st.sampled_from([2, 7])),
            i=data.draw(_NUMBERS),
            ints=data.draw(st.lists(_NUMBERS, max_size=5)),
        )


@given(data=st.data())
@settings(_SETTINGS, max_examples=8)
def test_real_files_with_changed_bytes_are_read_or_refused(data, data_folder, tmp_path) -> None:
    folder = data_folder / "imagenet_models" / "onnx"
    names = ("resnet10t@224", "mobilenetv3_small_050@224", "regnetx_002@224")
    path = data.draw(st.sampled_from([p for p in (folder / f"{name}.onnx.gz" for name in names) if p.is_file()]))
    raw = bytearray(gzip.decompress(path.read_bytes()))
    for _ in range(data.draw(st.integers(1, 40))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    _read_or_refused(tmp_path / "m.onnx", bytes(raw))
