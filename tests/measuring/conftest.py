"""Small ONNX models, and a reference load that is always the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archpredict.measuring.quiet import Load
from archpredict.measuring.timing import Limits

QUICK = Limits(tolerance=10.0, seconds=5.0, repeats=6, warmup=1, timeout=300.0)
"""Six repeats, whatever the interval."""


def quiet() -> Load:
    """A machine on which nothing else runs."""
    return Load(1.0, 0.0)


def net(
    nodes: Sequence[Any],
    weights: Sequence[Any] = (),
    *,
    shape: Sequence[Any] = (1, 3, 8, 8),
    out: Sequence[Any] | None = None,
    kind: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    """A model that reads ``x`` and puts out ``y``."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out)],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def absent_weight(name: str, *dims: int, kind: int = TensorProto.FLOAT) -> onnx.TensorProto:
    """A weight whose elements are in a file that is not there."""
    tensor = TensorProto(name=name, data_type=kind, dims=dims, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="absent.bin")
    return tensor


def convolution(shape: Sequence[Any] = (1, 3, 8, 8)) -> onnx.ModelProto:
    """One convolution, of 4 x 3 x 3 x 3 weights that are absent."""
    return net([helper.make_node("Conv", ["x", "w"], ["y"])], [absent_weight("w", 4, 3, 3, 3)], shape=shape)


def class_token() -> onnx.ModelProto:
    """Patches as tokens behind a class token, mixed by two matrices, all with constants for a batch of 1."""
    constants = {
        "tokens": np.array([1, 3, 64]),
        "flat": np.array([4, 64]),
        "back": np.array([1, 4 * 64]),
        "token": np.random.default_rng(0).random((1, 1, 64), np.float32),
        "matrix": np.random.default_rng(1).random((64, 64), np.float32) / 32,
    }
    nodes = [
        helper.make_node("Reshape", ["x", "tokens"], ["t"]),
        helper.make_node("Concat", ["token", "t"], ["all"], axis=1),
        helper.make_node("Reshape", ["all", "flat"], ["rows"]),
        helper.make_node("MatMul", ["rows", "matrix"], ["mixed"]),
        helper.make_node("Reshape", ["mixed", "back"], ["y"]),
    ]
    return net(nodes, [numpy_helper.from_array(value, name) for name, value in constants.items()])


def endless() -> onnx.ModelProto:
    """A loop that ends after some centuries."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["goes"]), helper.make_node("Sin", ["before"], ["after"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, [1, 3, 8, 8]),
        ],
        [
            helper.make_tensor_value_info("goes", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, [1, 3, 8, 8]),
        ],
    )
    trips = numpy_helper.from_array(np.array(2**62), "trips")
    go = numpy_helper.from_array(np.array(True), "go0")
    return net([helper.make_node("Loop", ["trips", "go0", "x"], ["y"], body=body)], [trips, go])


def unknown_operator() -> onnx.ModelProto:
    """A model with an operator that nobody has."""
    made = net([helper.make_node("Conjure", ["x"], ["y"], domain="of.my.own")])
    made.opset_import.append(helper.make_opsetid("of.my.own", 1))
    return made


@pytest.fixture(scope="session")
def toys() -> Any:
    """The functions of this file."""
    return SimpleNamespace(
        QUICK=QUICK,
        quiet=quiet,
        net=net,
        absent_weight=absent_weight,
        convolution=convolution,
        class_token=class_token,
        endless=endless,
        unknown_operator=unknown_operator,
    )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path
