"""A model that ONNX Runtime's tools have quantised has the parameters, the MACs and the graph of the float model."""

from __future__ import annotations

import io
import logging
import math
import warnings
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archpredict.graph.operators import total
from archpredict.onnx.reader import OnnxModel, interpret, read

pytest.importorskip("onnxruntime.quantization", reason="onnxruntime is not installed")
from onnxruntime import quantization
from onnxruntime.quantization import QuantFormat, QuantType, matmul_nbits_quantizer
from onnxruntime.quantization.shape_inference import quant_pre_process

IMAGE, TOKENS, SEQUENCE, TABLE = (1, 3, 16, 16), (1, 6), (6, 1), (4, 16)


class Residual(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor] = functional.relu) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8)
        self.first, self.norm1 = nn.Conv2d(8, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8)
        self.second, self.norm2 = nn.Conv2d(8, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8)
        self.head, self.function = nn.Linear(8, 10), function

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(self.function(self.norm(self.stem(x))), 3, 2, 1)
        y = self.norm2(self.second(self.function(self.norm1(self.first(x)))))
        x = functional.adaptive_avg_pool2d(self.function(x + y), 1)
        return self.head(torch.flatten(x, 1))


class Mobile(nn.Module):
    """Depthwise convolution, squeeze and excitation, branches side by side, pools."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.expand, self.depthwise = (
            nn.Conv2d(3, 8, 3, 2, 1),
            nn.Conv2d(8, 16, 1),
            nn.Conv2d(16, 16, 3, 1, 1, groups=16),
        )
        self.squeeze, self.excite, self.project = nn.Conv2d(16, 8, 1), nn.Conv2d(8, 16, 1), nn.Conv2d(16, 8, 1)
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.stem(x))
        y = functional.hardswish(self.depthwise(functional.relu(self.expand(x))))
        gate = torch.sigmoid(self.excite(functional.relu(self.squeeze(y.mean((2, 3), keepdim=True)))))
        y = functional.leaky_relu(torch.cat([x, x + self.project(y * gate)], 1))
        return self.head(functional.interpolate(functional.avg_pool2d(y, 2), scale_factor=2.0).mean((2, 3)))


class Layers(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor] = functional.relu) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(16, 32), nn.Linear(32, 32), nn.Linear(32, 10)
        self.norm, self.function = nn.LayerNorm(32), function

    def forward(self, x: Tensor) -> Tensor:
        x = self.function(self.first(x))
        return self.third(self.norm(self.function(self.second(x)) + x)).softmax(-1)


class Transformer(nn.Module):
    """One block over tokens; the layer to the scores of tokens has the table's weight."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.positions = nn.Embedding(50, 32), nn.Parameter(torch.randn(1, 6, 32))
        self.qkv, self.out, self.up, self.down = (
            nn.Linear(32, 96),
            nn.Linear(32, 32),
            nn.Linear(32, 64),
            nn.Linear(64, 32),
        )
        self.norm1, self.norm2 = nn.LayerNorm(32), nn.LayerNorm(32)
        self.head = nn.Linear(32, 50, bias=False)
        self.head.weight = self.table.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.table(tokens) + self.positions
        q, k, v = self.qkv(self.norm1(x)).reshape(1, 6, 3, 4, 8).permute(2, 0, 3, 1, 4).unbind(0)
        y = (q @ k.transpose(-2, -1) / math.sqrt(8)).softmax(-1) @ v
        x = x + self.out(y.transpose(1, 2).reshape(1, 6, 32))
        return self.head(x + self.down(functional.gelu(self.up(self.norm2(x)))))


class Recurrent(nn.Module):
    def __init__(self, bidirectional: bool = False) -> None:
        super().__init__()
        self.table, self.lstm = nn.Embedding(50, 16), nn.LSTM(16, 24, bidirectional=bidirectional)
        self.head = nn.Linear(48 if bidirectional else 24, 10)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.lstm(self.table(tokens))[0][-1])


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "residual": (Residual, IMAGE),
    "residual_silu": (partial(Residual, functional.silu), IMAGE),
    "linear_residual": (partial(Residual, nn.Identity()), IMAGE),
    "mobile": (Mobile, IMAGE),
    "layers": (Layers, TABLE),
    "transformer": (Transformer, TOKENS),
    "lstm": (Recurrent, SEQUENCE),
    "both_ways": (partial(Recurrent, True), SEQUENCE),
}


def _sample(shape: tuple[int, ...], seed: int = 0) -> Any:
    made = np.random.default_rng(seed)
    return made.integers(0, 50, shape) if shape in (TOKENS, SEQUENCE) else made.normal(size=shape).astype(np.float32)


@cache
def _exported(name: str) -> onnx.ModelProto:
    build, shape = NETWORKS[name]
    torch.manual_seed(0)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        args = (torch.from_numpy(_sample(shape)),)
        torch.onnx.export(build().eval(), args, file, dynamo=False, opset_version=17, input_names=["x"])
    return onnx.load_from_string(file.getvalue())


class _Samples(quantization.CalibrationDataReader):
    def __init__(self, shape: tuple[int, ...]) -> None:
        self._left = iter([{"x": _sample(shape, seed)} for seed in range(2)])

    def get_next(self) -> Any:
        return next(self._left, None)


def _dynamic(source: Path, made: Path, shape: tuple[int, ...], **more: Any) -> None:
    quantization.quantize_dynamic(source, made, **more)


def _static(source: Path, made: Path, shape: tuple[int, ...], **more: Any) -> None:
    prepared = source.with_name("prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    quantization.quantize_static(prepared, made, _Samples(shape), **more)


def _few_bits(source: Path, made: Path, shape: tuple[int, ...], bits: int, **more: Any) -> None:
    ops = ("MatMul", "Gather") if bits == 4 and more.get("quant_format") is not QuantFormat.QDQ else ("MatMul",)
    model = onnx.load(source)
    made_of = matmul_nbits_quantizer.MatMulNBitsQuantizer(
        model, bits=bits, block_size=16, op_types_to_quantize=ops, **more
    )
    made_of.process()
    onnx.save(made_of.model.model, made)


_CONTRIB = {"UseQDQContribOps": True}
_SYMMETRIC = {"ActivationSymmetric": True, "WeightSymmetric": True}
_KEPT = {"AddQDQPairToWeight": True, "DedicatedQDQPair": True, "QDQKeepRemovableActivations": True}
FORMS: dict[str, Callable[[Path, Path, tuple[int, ...]], None]] = {
    "dynamic": partial(_dynamic, weight_type=QuantType.QInt8),
    "dynamic per channel": partial(_dynamic, weight_type=QuantType.QUInt8, per_channel=True, reduce_range=True),
    "QDQ": partial(_static, quant_format=QuantFormat.QDQ, activation_type=QuantType.QUInt8),
    "QDQ int8": partial(_static, quant_format=QuantFormat.QDQ, activation_type=QuantType.QInt8, per_channel=True),
    "QDQ 16 bits": partial(
        _static, activation_type=QuantType.QUInt16, weight_type=QuantType.QInt16, extra_options=_CONTRIB
    ),
    "QDQ 4 bits": partial(
        _static, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt4, extra_options=_CONTRIB
    ),
    "QDQ symmetric": partial(_static, activation_type=QuantType.QInt8, extra_options={**_SYMMETRIC, **_KEPT}),
    "QDQ float biases": partial(_static, extra_options={"QDQKeepRemovableActivations": True, "QuantizeBias": False}),
    "operators": partial(_static, quant_format=QuantFormat.QOperator, activation_type=QuantType.QUInt8),
    "operators int8": partial(
        _static, quant_format=QuantFormat.QOperator, activation_type=QuantType.QInt8, per_channel=True
    ),
    "4 bits": partial(_few_bits, bits=4),
    "4 bits QDQ": partial(_few_bits, bits=4, quant_format=QuantFormat.QDQ),
    "8 bits": partial(_few_bits, bits=8, is_symmetric=True),
}


def _quantised(name: str, form: str, folder: Path) -> OnnxModel:
    source, made = folder / "float.onnx", folder / "quantised.onnx"
    onnx.save(_exported(name), source)
    logging.disable(logging.ERROR)
    try:
        FORMS[form](source, made, NETWORKS[name][1])
    finally:
        logging.disable(logging.NOTSET)
    return read(made)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_quantised_network_is_the_network(name: str, form: str, tmp_path) -> None:
    whole, quantised = interpret(_exported(name)), _quantised(name, form, tmp_path)
    assert not quantised.unknown
    assert len(quantised.warnings) == len(whole.warnings) == (name == "transformer")  # a table that is stored twice
    for what in ("params", "macs"):
        assert total(quantised.graph, what) == total(whole.graph, what) > 0
    assert quantised.graph.key == whole.graph.key
