"""Small ONNX models, built without weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archpredict.graph.arch_graph import ArchGraph
from archpredict.onnx.reader import OnnxModel, interpret

Build = Callable[..., onnx.ModelProto]


def _build(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Any] | None = None,
    weights: Mapping[str, Sequence[int]] | None = None,
    numbers: Sequence[onnx.TensorProto] = (),
    outputs: Sequence[str] = ("y",),
    opset: int = 17,
    **more: Any,
) -> onnx.ModelProto:
    given = {"x": (1, 3, 8, 8)} if inputs is None else inputs
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in given.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [
            *(TensorProto(name=name, dims=dims, data_type=TensorProto.FLOAT) for name, dims in (weights or {}).items()),
            *numbers,
        ],
    )
    return helper.make_model(graph, **{"opset_imports": [helper.make_opsetid("", opset)], **more})


@pytest.fixture(scope="session")
def build() -> Build:
    """Makes a model of nodes, by default from ``x`` of shape (1, 3, 8, 8) to ``y``; weights have no data."""
    return _build


class Writer:
    """Writes a model one operator at a time: ``y = w("Mul", x, w("Sigmoid", x))``; numbers become constants."""

    def __init__(self, opset: int = 17, **inputs: tuple[int, ...]) -> None:
        self.opset, self.inputs = opset, inputs
        self.nodes: list[onnx.NodeProto] = []
        self.numbers: list[onnx.TensorProto] = []
        self.weights: dict[str, tuple[int, ...]] = {}

    def __call__(self, op: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        made = [f"t{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, [self._name(i) for i in inputs], made, **attributes))
        return made[0] if outputs == 1 else made

    def weight(self, *shape: int) -> str:
        """A parameter without elements."""
        name = f"w{len(self.weights)}"
        self.weights[name] = shape
        return name

    def _name(self, given: Any) -> str:
        if isinstance(given, str):
            return given
        array = np.asarray(given)
        kind = np.int64 if array.dtype.kind == "i" else np.float32
        self.numbers.append(numpy_helper.from_array(array.astype(kind), f"c{len(self.numbers)}"))
        return self.numbers[-1].name

    def model(self, *outputs: str) -> onnx.ModelProto:
        """The model with these outputs."""
        domains = {node.domain for node in self.nodes} - {""}
        opsets = [helper.make_opsetid("", self.opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
        return _build(self.nodes, self.inputs, self.weights, self.numbers, outputs, opset_imports=opsets)

    def read(self, *outputs: str) -> OnnxModel:
        """The model as a computational graph, with what was folded."""
        return interpret(self.model(*outputs))

    def graph(self, *outputs: str) -> ArchGraph:
        """The model as a computational graph."""
        return self.read(*outputs).graph


@pytest.fixture(scope="session")
def writer() -> type[Writer]:
    """The class that writes models: ``writer(x=(1, 3, 8, 8))``."""
    return Writer
