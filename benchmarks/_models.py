"""Thousands of small ONNX files: random residual networks of convolutions, written without an exporter.

Their weights are said to be in other files, as exporters do with large ones, and are not there: nobody reads them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

_OPSET = 17


def write_models(folder: Path, count: int, seed: int = 0) -> None:
    """Write ``count`` networks of 3 to 12 blocks as ``m00000.onnx`` and so on; every hundredth is noise."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        content = _network(rng).SerializeToString() if i % 100 else rng.bytes(10_000)
        (folder / f"m{i:05d}.onnx").write_bytes(content)


def _network(rng: np.random.Generator) -> onnx.ModelProto:
    made = _Making()
    width = int(rng.choice([8, 16, 24, 32]))
    x = made.conv("image", 3, width, 3, 2)
    for _ in range(int(rng.integers(3, 13))):
        wider = min(256, width * int(rng.choice([1, 1, 1, 2])))
        y = made.relu(made.conv(x, width, wider, int(rng.choice([1, 3, 5])), 1 if wider == width else 2))
        y = made.conv(y, wider, wider, int(rng.choice([1, 3])), 1)
        x = made.relu(made.node("Add", [x, y]) if wider == width else y)
        width = wider
    x = made.node("Flatten", [made.node("GlobalAveragePool", [x])])
    made.nodes.append(helper.make_node("Gemm", [x, made.weight(width, 1000), made.weight(1000)], ["scores"]))
    shapes = {"image": [1, 3, 64, 64], "scores": [1, 1000]}
    image, scores = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items())
    graph = helper.make_graph(made.nodes, "network", [image], [scores], made.weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)


class _Making:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, *shape: int) -> str:
        name = f"w{len(self.weights)}"
        weights = TensorProto(name=name, dims=shape, data_type=TensorProto.FLOAT)
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value="weights.bin")
        self.weights.append(weights)
        return name

    def node(self, op: str, inputs: list[str], **attributes: object) -> str:
        name = f"x{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def relu(self, x: str) -> str:
        return self.node("Relu", [x])

    def conv(self, x: str, before: int, after: int, kernel: int, stride: int) -> str:
        side = kernel // 2
        weights = [self.weight(after, before, kernel, kernel), self.weight(after)]
        sizes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [side] * 4}
        return self.node("Conv", [x, *weights], **sizes)
