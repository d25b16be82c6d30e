"""What is a parameter: the rules of the table in docs/onnx.md, one by one, and those that files alone have."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from archpredict.graph.operators import total
from archpredict.onnx.modules import exported
from archpredict.onnx.reader import OnnxModel, interpret


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(torch.relu(self.layer(x)))
        return y


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(30, 8), nn.Linear(8, 30, bias=False)
        self.head.weight = self.table.weight

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(torch.relu(self.table(x)))
        return y


class Token(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token, self.layer = nn.Parameter(torch.rand(1, 1, 8)), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1))
        return y


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale, self.layer = nn.Parameter(torch.rand(8)), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * self.layer(x)


class Sloped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.PReLU(8)
        self.first, self.second = (nn.Conv2d(8, 8, 1, bias=False) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.slope(self.second(self.slope(self.first(x))))
        return y


class Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.first, self.second = (nn.Linear(8, 8, bias=False) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.second(self.norm(self.first(x))))
        return y


class Rotated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.sines, self.cosines = nn.Buffer(torch.rand(4, 8)), nn.Buffer(torch.rand(4, 8))
        self.layer = nn.Linear(8, 8, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer(x)
        return x * self.cosines + torch.cat([-x[..., 4:], x[..., :4]], -1) * self.sines


class Filtered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.filter, self.layer = nn.Parameter(torch.rand(1, 8, 4, 4)), nn.Conv2d(8, 8, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) * self.filter


class Lstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LSTM(8, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x)[0]
        return y


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x, x, x, need_weights=False)[0]
        return y


IMAGE, TOKENS, IDS = torch.rand(1, 8, 4, 4), torch.rand(1, 4, 8), torch.arange(4)[None]


def _trained(module: nn.Module) -> nn.Module:
    """With weights of which no two are equal."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
    return module.eval()


def _read(module: nn.Module, example: Tensor) -> OnnxModel:
    return interpret(onnx.load(io.BytesIO(exported(_trained(module), (example,)))))


@pytest.mark.parametrize(
    ("make", "example", "params", "macs"),
    [
        (lambda: nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)), IMAGE, 584, 9216),
        (lambda: nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)), IMAGE, 584, 9216),
        (
            lambda: nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1, bias=False)),
            IMAGE,
            592,
            9216,
        ),
        (Twice, TOKENS, 72, 512),
        (Tied, IDS, 240, 960),
        (Token, TOKENS, 80, 320),
        (Scaled, TOKENS, 80, 256),
        (Sloped, IMAGE, 136, 2048),
        (Normed, TOKENS, 144, 512),
        (Rotated, TOKENS, 64, 256),
        (Filtered, IMAGE, 192, 1024),
        (Lstm, TOKENS, 224, 768),
        (Attention, TOKENS, 288, 1280),
        (lambda: nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8)), TOKENS, 88, 256),
    ],
)
def test_a_module_counts_by_the_rules(make: Callable[[], nn.Module], example: Tensor, params: int, macs: int) -> None:
    seen = _read(make(), example)
    assert (total(seen.graph, "params"), total(seen.graph, "macs")) == (params, macs)


# ---------------------------------------------------------------------- rules of files


def _number(values: object, dtype: type = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values, dtype))


def test_a_bias_that_two_layers_share_counts_once(writer) -> None:
    w = writer(x=(1, 4, 4, 4))
    bias = w("Identity", np.arange(1.0, 5.0))
    first = w("Conv", "x", w.weight(4, 4, 1, 1), bias)
    assert total(w.graph(w("Conv", first, w.weight(4, 4, 1, 1), bias)), "params") == 16 + 16 + 4


@pytest.mark.parametrize(("number", "params"), [(0.0, 40), (0.5, 36)])
def test_biases_of_zero_are_those_of_networks_that_are_not_trained(writer, number: float, params: int) -> None:
    w = writer(x=(1, 4, 4, 4))
    bias = w("Identity", np.full(4, number))
    first = w("Conv", "x", w.weight(4, 4, 1, 1), bias)
    assert total(w.graph(w("Conv", first, w.weight(4, 4, 1, 1), bias)), "params") == params


def test_a_layer_that_is_applied_twice_has_one_bias_whatever_is_in_it(writer) -> None:
    w = writer(x=(1, 4, 4, 4))
    weight, bias = w.weight(4, 4, 1, 1), w.weight(4)
    assert total(w.graph(w("Conv", w("Conv", "x", weight, bias), weight, bias)), "params") == 20


def test_peepholes_count_and_states_of_zeros_do_not(writer) -> None:
    for states, more in ((np.zeros((1, 1, 3)), 0), (np.ones((1, 1, 3)), 6)):
        w = writer(x=(5, 1, 4))
        weights = w.weight(1, 12, 4), w.weight(1, 12, 3), w.weight(1, 24)
        made = w("LSTM", "x", *weights, "", states, states + 0, w.weight(1, 9), outputs=3, hidden_size=3)
        assert total(w.graph(made[0]), "params") == 12 * 7 + 24 + 9 + more


def test_tables_that_are_computed_from_integers_are_none(writer) -> None:
    w = writer(ids=(1, 6))
    places = w("Cast", w("Range", 0, 16, 1), to=1)
    angles = w("Mul", w("Unsqueeze", places, [1]), w("Constant", value=_number([[1.0, 0.1, 0.01]])))
    made = w("Gather", w("Sin", angles), w("Cast", "ids", to=7))
    assert total(w.graph(made), "params") == 0


def test_a_weight_that_is_computed_counts_as_what_it_is_computed_from(writer) -> None:
    w = writer(x=(1, 4))
    weight = w("MatMul", w.weight(4, 2), w.weight(2, 6))
    graph = w.graph(w("MatMul", "x", weight))
    assert (total(graph, "params"), total(graph, "macs")) == (4 * 2 + 2 * 6, 4 * 6)


def test_no_count_is_ever_negative(writer) -> None:
    w = writer(x=(1, 4, 4, 4))
    weight = w.weight(4, 4, 1, 1)
    bent = w("Bend", w("Slice", weight, [0], [2], [0]), domain="acme")
    graph = w.graph(w("Add", w("Conv", "x", bent), w("Conv", "x", bent)))
    assert graph.attrs["params"].min() >= 0
    assert total(graph, "params") == 16


def test_a_constant_that_is_written_between_operators_is_a_parameter_in_a_layer_alone(writer) -> None:
    w = writer(x=(1, 4))
    layer = w("Gemm", "x", w("Constant", value=_number(np.ones((4, 3)))), w("Constant", value=_number([1, 2, 3])))
    assert total(w.graph(w("Add", layer, w("Constant", value=_number([3, 2, 1])))), "params") == 15


def test_a_weight_of_a_body_counts_once_however_often_it_runs() -> None:
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("MatMul", ["h", "w"], ["out"]), helper.make_node("Identity", ["go"], ["on"])],
        "body",
        [value("i", 7, ()), value("go", 9, ()), value("h", 1, (1, 4))],
        [value("on", 9, ()), value("out", 1, (1, 4))],
        [onnx.TensorProto(name="w", dims=(4, 4), data_type=1)],
    )
    nodes = [helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)]
    stored = [numpy_helper.from_array(np.array(7), "n")]
    graph = helper.make_graph(nodes, "g", [value("x", 1, (1, 4))], [value("y", 1, (1, 4))], stored)
    seen = interpret(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]))
    assert (total(seen.graph, "params"), total(seen.graph, "macs")) == (16, 7 * 16)
