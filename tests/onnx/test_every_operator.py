"""Each operator of each version, with arguments at random, is read or refused in a sentence: nothing raises."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, defs, helper, numpy_helper

from archpredict.errors import ModelFileError
from archpredict.onnx.reader import interpret

_INTEGERS = (0, 1, -1, 2, 7, 2**31, -(2**62))
_REALS = (0.0, 1.0, float("nan"), float("inf"), 1e30)
_WORDS = ("", "x", "NOTSET", "SAME_UPPER", "mean", "linear", "ij->ji", "LINEAR")
_INDICES = ([1], [0, 1], [1, 2, 3, 4], [-(2**62)], [2**40] * 4, 3)
_SHAPES = ((4,), (4, 4, 3, 3), (4, 4), (), (1, 12, 6))


def _attribute(draw: random.Random, kind: int) -> Any:
    length = draw.choice((0, 1, 2, 4, 8))
    made = {
        1: lambda: draw.choice(_REALS),
        2: lambda: draw.choice(_INTEGERS),
        3: lambda: draw.choice(_WORDS),
        4: lambda: numpy_helper.from_array(np.ones(1, np.float32)),
        6: lambda: draw.choices(_REALS, k=length),
        7: lambda: draw.choices(_INTEGERS, k=length),
        8: lambda: ["a"] * length,
    }.get(kind)
    return None if made is None else made()


def _model(schema: Any, draw: random.Random) -> onnx.ModelProto:
    """A model of the operator, whose inputs are an image, indices, numbers or weights."""
    given = {name: _attribute(draw, int(a.type.value)) for name, a in schema.attributes.items() if draw.random() < 0.6}
    attributes = {name: value for name, value in given.items() if value not in (None, [])}
    inputs, stored = [], []
    for i, parameter in enumerate(schema.inputs):
        kinds = ("image", "integers", "reals", "weight", "" if "Optional" in str(parameter.option) else "image")
        kind = draw.choice(kinds) if i else "image"
        inputs.append({"image": "x", "": ""}.get(kind, f"c{i}"))
        if kind == "integers":
            stored.append(numpy_helper.from_array(np.array(draw.choice(_INDICES), np.int64), f"c{i}"))
        elif kind == "reals":
            stored.append(numpy_helper.from_array(np.array(draw.choice(([1.0], [np.nan], 2.5)), np.float32), f"c{i}"))
        elif kind == "weight":
            stored.append(TensorProto(name=f"c{i}", dims=draw.choice(_SHAPES), data_type=TensorProto.FLOAT))
    outputs = [f"y{i}" for i in range(max(1, len(schema.outputs)))]
    node = helper.make_node(schema.name, inputs, outputs, domain=schema.domain, **attributes)
    graph = helper.make_graph(
        [node, helper.make_node("Relu", ["y0"], ["z"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4, 6, 6))],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
        stored,
    )
    versions = {"": 13, schema.domain: schema.since_version}
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(*pair) for pair in versions.items()])


def test_no_operator_of_any_version_raises_whatever_its_arguments() -> None:
    draw, failed = random.Random(7), []
    for schema in defs.get_all_schemas_with_history():
        model = _model(schema, draw)
        try:
            interpret(model)
        except ModelFileError:
            pass
        except Exception as error:
            failed.append((schema.name, schema.since_version, repr(error)))
    assert failed == []
