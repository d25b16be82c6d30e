"""Spellings that few exporters use: each is read as the plain one, or as what it computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archpredict.graph.operators import total
from archpredict.onnx.reader import OnnxModel, interpret

IMAGE = {"x": (1, 8, 6, 6)}
ROWS = {"x": (2, 16)}
MICROSOFT, LEARNING = "com.microsoft", "ai.onnx.ml"


def _read(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int]],
    weights: Mapping[str, Any],
    opset: int = 17,
    outputs: Sequence[str] = ("y",),
    whole: Sequence[str] = (),
) -> OnnxModel:
    """A model whose weights are arrays, or shapes of arrays of ones; the inputs named in ``whole`` are integers."""
    kinds = {name: TensorProto.INT64 if name in whole else TensorProto.FLOAT for name in inputs}
    arrays = {name: np.ones(v, np.float32) if isinstance(v, tuple) else v for name, v in weights.items()}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, kinds[name], shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    domains = {node.domain for node in nodes} - {""}
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(name, 1) for name in domains)]
    read = interpret(helper.make_model(graph, opset_imports=opsets))
    assert (read.unknown, read.warnings) == ({}, ())
    return read


def _counts(read: OnnxModel) -> tuple[int, int]:
    return int(total(read.graph, "params")), int(total(read.graph, "macs"))


class TestGemm:
    """``Gemm`` adds a bias to a linear layer only where there is a number per column."""

    @pytest.mark.parametrize(
        ("shape", "params"), [((10,), 170), ((1, 10), 170), ((2, 1), 162), ((2, 10), 180), ((), 160)]
    )
    def test_parameters_are_those_that_are_stored(self, shape: tuple[int, ...], params: int) -> None:
        node = helper.make_node("Gemm", ["x", "w", "c"], ["y"], transB=1)
        read = _read([node], ROWS, {"w": (10, 16), "c": shape}, opset=11)
        assert (_counts(read), read.outputs) == ((params, 320), {"y": (2, 10)})

    def test_what_data_add_is_a_sum(self) -> None:
        before = helper.make_node("Relu", ["z"], ["r"])
        inputs = {**ROWS, "z": (2, 10)}
        fused = _read([before, helper.make_node("Gemm", ["x", "w", "r"], ["y"])], inputs, {"w": (16, 10)})
        nodes = [before, helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Add", ["m", "r"], ["y"])]
        assert fused.graph.key == _read(nodes, inputs, {"w": (16, 10)}).graph.key
        assert _counts(fused) == (160, 320)

    def test_what_data_add_may_be_scaled(self) -> None:
        nodes = [
            helper.make_node("Relu", ["z"], ["r"]),
            helper.make_node("Gemm", ["x", "w", "r"], ["y"], beta=0.5, alpha=2.0),
        ]
        read = _read(nodes, {**ROWS, "z": (2, 10)}, {"w": (16, 10)})
        assert (_counts(read), read.outputs) == ((160, 320), {"y": (2, 10)})

    @pytest.mark.parametrize("turned", [0, 1])
    def test_a_weight_from_the_left_is_a_linear_layer(self, turned: int) -> None:
        inputs, bias = {"x": (16, 3)}, {"c": (10, 1)}
        weight = (16, 10) if turned else (10, 16)
        node = helper.make_node("Gemm", ["w", "x", "c"], ["y"], transA=turned)
        nodes = [helper.make_node("MatMul", ["w", "x"], ["m"]), helper.make_node("Add", ["m", "c"], ["y"])]
        plain = _read(nodes, inputs, {"w": (10, 16), **bias})
        read = _read([node], inputs, {"w": weight, **bias})
        assert read.graph.key == plain.graph.key
        assert _counts(read) == (170, 480)


class TestBatchNorm:
    @pytest.mark.parametrize("opset", [6, 7, 9, 13])
    def test_statistics_of_training_need_no_shape(self, opset: int) -> None:
        norm = helper.make_node("BatchNormalization", ["c", "s", "b", "m", "v"], ["y", "m2", "v2", "sm", "sv"])
        weights = {"w": (4, 8, 3, 3), **dict.fromkeys("sbmv", (4,))}
        nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), norm]
        read = _read(nodes, IMAGE, weights, opset=opset)
        del norm.output[1:]
        assert read.graph.key == _read(nodes, IMAGE, weights, opset=17).graph.key


class TestOldArguments:
    def test_lengths_of_parts_may_be_real_numbers(self) -> None:
        nodes = [
            helper.make_node("Split", ["x", "n"], ["a", "b"], axis=1),
            helper.make_node("Concat", ["b", "a"], ["y"], axis=1),
        ]
        read = _read(nodes, IMAGE, {"n": np.array([3, 5], np.float32)}, opset=1)
        assert read.outputs == {"y": (1, 8, 6, 6)}

    @pytest.mark.parametrize(("axis", "shape"), [(-1, (2, 5, 30)), (1, (2, 30, 5))])
    def test_the_depth_of_one_hot_may_be_a_real_number(self, axis: int, shape: tuple[int, ...]) -> None:
        node = helper.make_node("OneHot", ["x", "d", "v"], ["y"], axis=axis)
        numbers = {"d": np.array(30.0, np.float32), "v": np.array([0, 1], np.float32)}
        assert _read([node], {"x": (2, 5)}, numbers, whole=["x"]).outputs == {"y": shape}


class TestRuntime:
    """Operators of ONNX Runtime."""

    @pytest.mark.parametrize("masked", [True, False])
    def test_an_embedding_writes_the_length_of_each_text(self, masked: bool) -> None:
        inputs = {"x": (2, 6), **({"mask": (2, 6)} if masked else {})}
        names = ["x", "", "words", "places", "", "g", "b", *(["mask"] if masked else [])]
        node = helper.make_node("EmbedLayerNormalization", names, ["y", "lengths"], domain=MICROSOFT)
        weights = {"words": (30, 16), "places": (20, 16), "g": (16,), "b": (16,)}
        read = _read([node], inputs, weights, outputs=["y", "lengths"], whole=list(inputs))
        assert read.outputs == {"y": (2, 6, 16), "lengths": (2,)}
        assert _counts(read) == (50 * 16 + 32, 0)

    @pytest.mark.parametrize("skip", [(2, 6, 6, 16), (2, 1, 1, 16), (2, 16)])
    def test_what_is_added_before_a_group_norm_may_be_one_number_per_channel(self, skip: tuple[int, ...]) -> None:
        names = ["x", "g", "b", "s", "c"]
        node = helper.make_node(
            "SkipGroupNorm", names, ["y", "sum"], domain=MICROSOFT, groups=4, activation=1, channels_last=1
        )
        inputs = {"x": (2, 6, 6, 16), "s": skip}
        read = _read([node], inputs, dict.fromkeys("gbc", (16,)), outputs=["y", "sum"])
        assert read.outputs == {"y": (2, 6, 6, 16), "sum": (2, 6, 6, 16)}
        assert _counts(read)[0] == 48


class TestAttention:
    def test_a_mask_may_be_shorter_than_the_keys(self) -> None:
        node = helper.make_node("Attention", ["q", "k", "v", "m", "pk", "pv"], ["y"])
        cached = {"pk": (2, 4, 3, 8), "pv": (2, 4, 3, 12)}
        inputs = {"q": (2, 4, 6, 8), "k": (2, 4, 9, 8), "v": (2, 4, 9, 12), "m": (6, 7), **cached}
        read = _read([node], inputs, {}, opset=24)
        assert (_counts(read), read.outputs) == ((0, 2 * 4 * 6 * 12 * 20), {"y": (2, 4, 6, 12)})


class TestWeightsOfFewBits:
    @pytest.mark.parametrize("layer", ["MatMul", "Gather"])
    def test_zero_points_that_are_cast_are_no_parameters(self, layer: str) -> None:
        nodes = [
            helper.make_node("Cast", ["w"], ["c"], to=TensorProto.FLOAT),
            helper.make_node("Cast", ["z"], ["zero"], to=TensorProto.FLOAT),
            helper.make_node("Sub", ["c", "zero"], ["centred"]),
            helper.make_node("Mul", ["centred", "s"], ["d"]),
            helper.make_node(layer, ["x", "d"] if layer == "MatMul" else ["d", "x"], ["y"]),
        ]
        numbers = {"w": np.ones((16, 10), np.uint8), "z": np.ones((16, 1), np.uint8), "s": (16, 1)}
        read = _read(nodes, ROWS, numbers, whole=["x"] if layer == "Gather" else [])
        assert _counts(read)[0] == 160


class TestSupportVectors:
    def test_without_vectors_it_is_a_linear_layer(self) -> None:
        numbers: dict[str, Any] = {"coefficients": [0.5] * 4, "rho": [0.1], "kernel_type": "LINEAR", "n_supports": 0}
        node = helper.make_node("SVMRegressor", ["x"], ["y"], domain=LEARNING, **numbers)
        read = _read([node], {"x": (2, 4)}, {})
        assert (_counts(read), read.outputs) == ((5, 8), {"y": (2, 1)})


class TestTranspositionsThatMeet:
    """A convolution with channels last stands between transpositions."""

    TO, BACK = (0, 2, 3, 1), (0, 3, 1, 2)

    def _between(self, function: str | None) -> list[onnx.NodeProto]:
        nodes = [
            helper.make_node("Conv", ["x", "w"], ["a0"]),
            helper.make_node("Transpose", ["a0"], ["a"], perm=self.TO),
        ]
        if function:
            nodes.append(helper.make_node(function, ["a"], ["f"]))
        back = helper.make_node("Transpose", ["f" if function else "a"], ["c"], perm=self.BACK)
        return [*nodes, back, helper.make_node("BatchNormalization", ["c", *"sbmv"], ["y"])]

    WEIGHTS: Mapping[str, Any] = {"w": (4, 8, 3, 3), **dict.fromkeys("sbmv", (4,))}

    def test_a_norm_behind_them_is_folded(self) -> None:
        plain = [helper.make_node("Conv", ["x", "w"], ["c"]), self._between(None)[-1]]
        key = _read(plain, IMAGE, self.WEIGHTS).graph.key
        assert _read(self._between(None), IMAGE, self.WEIGHTS).graph.key == key

    @pytest.mark.parametrize("function", ["Relu", "Sigmoid", "HardSwish"])
    def test_they_meet_across_functions_of_single_elements(self, function: str) -> None:
        plain = [helper.make_node("Conv", ["x", "w"], ["a"]), helper.make_node(function, ["a"], ["c"])]
        plain.append(self._between(None)[-1])
        key = _read(plain, IMAGE, self.WEIGHTS).graph.key
        assert _read(self._between(function), IMAGE, self.WEIGHTS).graph.key == key

    def test_they_stay_where_the_function_is_of_an_axis(self) -> None:
        read = _read(self._between("Softmax"), IMAGE, self.WEIGHTS)
        assert list(read.graph.ops).count("permute") == 2

    def test_they_stay_where_what_is_between_is_read_by_others(self) -> None:
        nodes = [*self._between("Relu"), helper.make_node("GlobalMaxPool", ["f"], ["z"])]
        read = _read(nodes, IMAGE, self.WEIGHTS, outputs=["y", "z"])
        assert list(read.graph.ops).count("permute") == 2
        assert read.outputs["z"] == (1, 4, 1, 1)
