"""The interpreter against plain torch: every operator, shapes at every node, parameter counts, and clear refusals."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from archpredict.errors import InvalidGraphError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.builder import Builder
from archpredict.graph.operators import ACTIVATIONS, Operation, computational_graph, total
from archpredict.images.base import load_images
from archpredict.networks.fitting import Fit
from archpredict.networks.network import build, initial_weights
from archpredict.networks.program import Program
from archpredict.networks.steps import MAKERS, Run
from archpredict.onnx.reader import load
from archpredict.proxies.base import load_proxy


class Function(nn.Module):
    """A function as a module, so that it can be exported."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def read(function: Callable[[Tensor], Tensor] | nn.Module, shape: tuple[int, ...], folder: Path) -> ArchGraph:
    module = function if isinstance(function, nn.Module) else Function(function)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), (torch.zeros(1, *shape),), str(folder / "m.onnx"), dynamo=False)
    return load(folder / "m.onnx")


def noise(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# ---------------------------------------------------------------------- operators without weights

WITHOUT_WEIGHTS: Sequence[tuple[str, Callable[[Tensor], Tensor]]] = [
    ("relu", F.relu),
    ("relu6", F.relu6),
    ("gelu", F.gelu),
    ("silu", F.silu),
    ("mish", F.mish),
    ("selu", F.selu),
    ("hard_swish", F.hardswish),
    ("hard_sigmoid", F.hardsigmoid),
    ("sigmoid", torch.sigmoid),
    ("tanh", torch.tanh),
    ("softplus", F.softplus),
    ("max_pool", lambda x: F.max_pool2d(x, 3, 2, 1)),
    ("max_pool", lambda x: F.max_pool2d(x, (3, 2), (1, 2), (1, 0))),
    ("max_pool", lambda x: F.max_pool2d(x, 3, 2, 1, dilation=2)),
    ("max_pool", lambda x: F.max_pool2d(x, 2, 2, ceil_mode=True)),
    ("avg_pool", lambda x: F.avg_pool2d(x, 3, 1, 1)),
    ("avg_pool", lambda x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)),
    ("avg_pool", lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False)),
    ("avg_pool", lambda x: F.avg_pool2d(x, (2, 3), (2, 1))),
    ("global_avg_pool", lambda x: F.adaptive_avg_pool2d(x, 1)),
    ("global_max_pool", lambda x: F.adaptive_max_pool2d(x, 1)),
    ("add", lambda x: x + F.relu(x)),
    ("sub", lambda x: x - F.relu(x)),
    ("sub", lambda x: F.relu(x) - x),
    ("mul", lambda x: x * torch.tanh(x)),
    ("mul", lambda x: F.adaptive_avg_pool2d(x, 1) * x),
    ("mul", lambda x: x.mean((2, 3), keepdim=True) * x),
    ("div", lambda x: x / (torch.sigmoid(x))),
    ("div", lambda x: torch.sigmoid(x) / F.softplus(x)),
    ("concat", lambda x: torch.cat([F.relu(x), x], 1)),
    ("concat", lambda x: torch.cat([x, F.relu(x), x], 1)),
    ("concat", lambda x: torch.cat([F.relu(x), x], 2)),
    ("slice", lambda x: x[:, 1:3]),
    ("slice", lambda x: x[:, :, 1:, 2:5]),
    ("slice", lambda x: torch.cat(x.chunk(2, 1)[::-1], 1)),
    ("pad", lambda x: F.pad(x, (1, 2, 0, 3))),
    ("resize", lambda x: F.interpolate(x, size=(5, 9), mode="bilinear", align_corners=False)),
    ("resize", lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)),
]


@pytest.mark.parametrize(("op", "function"), WITHOUT_WEIGHTS, ids=[op for op, _ in WITHOUT_WEIGHTS])
def test_what_is_read_from_a_file_of_torch_computes_the_same(
    op: str, function: Callable[[Tensor], Tensor], tmp_path: Path
) -> None:
    graph = read(function, (4, 7, 7), tmp_path)
    assert op in graph.ops
    images = noise(3, 4, 7, 7)
    found, expected = Program(graph).run(images, Run({})), function(images)
    assert found.shape == (expected.flatten(1) if expected.shape[2:] == (1, 1) else expected).shape
    assert torch.allclose(found.flatten(1), expected.flatten(1), atol=1e-5)


def test_every_operator_that_can_be_built_is_compared_with_torch() -> None:
    weighted = {"conv", "linear", "batch_norm"}
    assert {op for op, _ in WITHOUT_WEIGHTS} | weighted | {"input", "output"} == set(MAKERS)


# ---------------------------------------------------------------------- operators with weights


def alone(op: Callable[[Builder, int], int], image: tuple[int, int, int] = (4, 7, 7)) -> ArchGraph:
    b = Builder(image)
    return b.output(op(b, b.input())).graph()


CONVOLUTIONS = [
    {"kernel": 3},
    {"kernel": 1, "stride": 2},
    {"kernel": 5, "stride": 2, "padding": 0},
    {"kernel": 3, "dilation": 2},
    {"kernel": 3, "groups": 4},
    {"kernel": 3, "groups": 2, "bias": True},
    {"kernel": 2, "padding": 1, "bias": True},
]


@pytest.mark.parametrize("given_", CONVOLUTIONS, ids=str)
def test_a_convolution_is_torchs(given_: dict[str, int]) -> None:
    program = Program(alone(lambda b, x: b.conv(x, 8, **given_)), norm=False)
    weights = initial_weights(program, seed=3)
    (name,) = program.layers
    kernel, dilation = given_["kernel"], given_.get("dilation", 1)
    padding = given_.get("padding", (kernel - 1) // 2 * dilation)
    expected = F.conv2d(
        noise(2, 4, 7, 7), weights[f"{name}/weight"], weights.get(f"{name}/bias"), given_.get("stride", 1), padding,
        dilation, given_.get("groups", 1),
    )  # fmt: skip
    assert torch.allclose(program.run(noise(2, 4, 7, 7), Run(weights)), expected, atol=1e-5)


def test_a_convolution_with_uneven_padding_pads_as_the_file_says() -> None:
    window = {"kernel": (3, 3), "stride": (2, 2), "dilation": (1, 1), "padding": (0, 1, 0, 1, 0, 0)}
    operations = [
        Operation("input", (1, 2, 6, 6)),
        Operation("conv", (1, 2, 3, 3), groups=1, weight=(2, 2, 3, 3), **window),
        Operation("output", (1, 2, 3, 3)),
    ]
    program = Program(computational_graph(operations, [(0, 1), (1, 2)]))
    weights = initial_weights(program, 0)
    (weight,) = weights.values()
    expected = F.conv2d(F.pad(noise(2, 2, 6, 6), (1, 0, 0, 1)), weight, None, 2)  # left, right, top, bottom
    assert torch.allclose(program.run(noise(2, 2, 6, 6), Run(weights)), expected, atol=1e-6)


def test_a_linear_layer_flattens_what_arrives() -> None:
    program = Program(alone(lambda b, x: b.linear(x, 5)))
    weights = initial_weights(program, 0)
    expected = F.linear(noise(2, 4, 7, 7).flatten(1), weights["linear/weight"], weights["linear/bias"])
    assert torch.allclose(program.run(noise(2, 4, 7, 7), Run(weights)), expected, atol=1e-5)


def test_a_batch_norm_takes_mean_and_variance_from_the_batch_and_keeps_running_averages_as_torch() -> None:
    program = Program(alone(lambda b, x: b.batch_norm(b.relu(x))))
    weights = {"batch_norm/weight": noise(4, seed=1), "batch_norm/bias": noise(4, seed=2)}
    statistics, module = program.fresh_statistics(), nn.BatchNorm2d(4)
    with torch.no_grad():
        module.weight.copy_(weights["batch_norm/weight"])
        module.bias.copy_(weights["batch_norm/bias"])
    for seed in range(3):
        images = noise(5, 4, 7, 7, seed=seed)
        expected = module(F.relu(images))
        assert torch.allclose(program.run(images, Run(weights, statistics)), expected, atol=1e-5)
    assert torch.allclose(statistics["batch_norm/mean"], module.running_mean)
    assert torch.allclose(statistics["batch_norm/variance"], module.running_var)
    running = program.run(images, Run(weights, statistics, norm="running"))
    assert torch.allclose(running, module.eval()(F.relu(images)), atol=1e-5)
    assert torch.equal(program.run(images, Run(weights, norm="none")), F.relu(images))


def test_a_convolution_with_a_norm_is_a_convolution_then_a_batch_norm_without_scale() -> None:
    program = Program(alone(lambda b, x: b.conv(x, 6, 3, norm=True)))
    weights = {**initial_weights(program, 0), "conv/bias": noise(6)}
    plain = F.conv2d(noise(5, 4, 7, 7), weights["conv/weight"], padding=1)
    expected = F.batch_norm(plain, None, None, None, weights["conv/bias"], training=True)
    assert torch.allclose(program.run(noise(5, 4, 7, 7), Run(weights)), expected, atol=1e-5)
    without = program.run(noise(5, 4, 7, 7), Run(weights, norm="none"))
    assert torch.allclose(without, plain + weights["conv/bias"][:, None, None], atol=1e-5)


def test_a_convolution_over_one_place_is_not_normalised() -> None:
    program = Program(alone(lambda b, x: b.conv(b.global_avg_pool(x), 6, 1, bias=True)))
    assert program.layers["conv"].bias
    assert not program.layers["conv"].normalised
    assert program.statistics == {}


# ---------------------------------------------------------------------- drop-path


def test_drop_path_leaves_an_operation_out_for_whole_images_and_keeps_the_mean() -> None:
    graph = alone(lambda b, x: b.add(x, b.max_pool(x, 3)))
    program, images = Program(graph), noise(2000, 4, 7, 7)
    run = Run({}, drop_path=0.3, generator=torch.Generator().manual_seed(0))
    ratio = (program.run(images, run).view_as(images) - images) / F.max_pool2d(images, 3, 1, 1)
    per_image = ratio.flatten(1)
    assert torch.allclose(per_image.std(1), torch.zeros(2000), atol=1e-3)
    kept = per_image.mean(1) > 0.5
    assert torch.allclose(per_image.mean(1)[kept], torch.tensor(1 / 0.7), atol=1e-3)
    assert abs(float(kept.float().mean()) - 0.7) < 0.05  # 5 standard deviations


def test_drop_path_never_drops_what_is_only_passed_on() -> None:
    program = Program(alone(lambda b, x: b.add(x, b.relu(x))))
    run = Run({}, drop_path=0.9, generator=torch.Generator().manual_seed(0))
    assert torch.equal(program.run(noise(9, 4, 7, 7), run), noise(9, 4, 7, 7) + noise(9, 4, 7, 7).relu())


# ---------------------------------------------------------------------- any graph


@st.composite
def networks(draw: st.DrawFn) -> ArchGraph:
    """Random networks of the builder, with branches, and ending in a linear layer."""
    b = Builder((draw(st.integers(1, 3)), 8, 8))
    nodes = [b.input()]
    for _ in range(draw(st.integers(1, 8))):
        x = draw(st.sampled_from(nodes))
        alike = [y for y in nodes if b.shape(y) == b.shape(x)]
        stride = draw(st.sampled_from([1, 2])) if b.shape(x)[-1] > 2 else 1
        makers = {
            "conv": lambda x=x, s=stride: b.conv(x, draw(st.integers(1, 5)), draw(st.sampled_from([1, 3])), stride=s,
                                                 norm=draw(st.booleans())),
            "depthwise": lambda x=x, s=stride: b.conv(x, b.channels(x), 3, stride=s, groups=b.channels(x)),
            "activation": lambda x=x: b.activation(x, draw(st.sampled_from(["relu", "silu", "hard_swish", "sigmoid"]))),
            "max_pool": lambda x=x, s=stride: b.max_pool(x, 3, stride=s),
            "avg_pool": lambda x=x, s=stride: b.avg_pool(x, 3, stride=s),
            "batch_norm": lambda x=x: b.batch_norm(x),
            "add": lambda x=x, y=alike: b.add(x, draw(st.sampled_from(y))),
            "scale": lambda x=x: b.mul(x, b.global_avg_pool(x)),
            "concat": lambda x=x, y=alike: b.concat(x, draw(st.sampled_from(y))),
            "slice": lambda x=x: b.slice(x, draw(st.integers(1, b.channels(x)))),
            "resize": lambda x=x: b.resize(x, draw(st.integers(3, 9))),
            "zeros": lambda x=x: b.zeros(x),
        }  # fmt: skip
        nodes.append(makers[draw(st.sampled_from(sorted(makers)))]())
    return b.output(b.linear(b.global_avg_pool(nodes[-1]), 3)).graph()


@settings(deadline=None, max_examples=60)
@given(graph=networks())
def test_shapes_at_every_node_and_parameters_are_those_of_the_graph(graph: ArchGraph) -> None:
    program = Program(graph)
    weights = initial_weights(program, 0)
    seen: dict[int, tuple[int, ...]] = {}
    run = Run(weights, program.fresh_statistics(), observe=lambda v, value: seen.update({v: tuple(value.shape)}))
    scores = program.run(noise(4, *graph.attrs["shape"][0, 1:4].astype(int).tolist()), run)
    assert scores.shape == (4, 3)
    for v, row in enumerate(graph.attrs["shape"].astype(int).tolist()):
        expected = [n for n in row if n > 0]
        found = list(seen[v])
        assert found[0] == 4
        assert found[1:] + [1] * (len(expected) - len(found)) == expected[1:] + [1] * (len(found) - len(expected))
    assert sum(w.numel() for w in weights.values()) == total(graph, "params")
    assert {name: tuple(w.shape) for name, w in weights.items()} == program.shapes


@settings(deadline=None, max_examples=30)
@given(graph=networks())
def test_in_use_an_image_does_not_depend_on_those_beside_it(graph: ArchGraph) -> None:
    program = Program(graph)
    run = Run(initial_weights(program, 0), program.fresh_statistics(), norm="running")
    images = noise(3, *graph.attrs["shape"][0, 1:4].astype(int).tolist())
    together = program.run(images, run)
    assert torch.allclose(together, torch.cat([program.run(x[None], run) for x in images]), atol=1e-5)


def test_values_that_nobody_reads_any_more_are_let_go() -> None:
    import weakref

    b = Builder((1, 4, 4))
    x = b.input()
    for _ in range(4):
        x = b.relu(b.conv(x, 1, 3))
    program = Program(b.output(x).graph())
    alive: list[weakref.ref[Tensor]] = []
    counts = []

    def observe(v: int, value: Tensor) -> None:
        alive.append(weakref.ref(value))
        counts.append(sum(reference() is not None for reference in alive))

    with torch.no_grad():
        program.run(noise(1, 1, 4, 4), Run(initial_weights(program, 0), observe=observe))
    assert max(counts) <= 3  # the image, which the caller holds, what is read and what is made


# ---------------------------------------------------------------------- what cannot be built


def chain(*operations: Operation) -> ArchGraph:
    ends = (Operation("input", (1, 2, 4, 4)), *operations, Operation("output", operations[-1].shape))
    return computational_graph(ends, [(v, v + 1) for v in range(len(ends) - 1)])


@pytest.mark.parametrize("op", sorted(set(ACTIVATIONS) - set(MAKERS)))
def test_functions_whose_numbers_a_graph_does_not_keep_are_refused(op: str) -> None:
    with pytest.raises(
        InvalidGraphError, match=f"node 1 is '{op}', which cannot be built as a network; what can: add, "
    ):
        Program(chain(Operation(op, (1, 2, 4, 4))))


@pytest.mark.parametrize("op", ["unknown:Mystery", "opaque", "attention", "permute"])
def test_operators_without_a_meaning_in_torch_are_refused(op: str) -> None:
    with pytest.raises(InvalidGraphError, match=f"node 1 is '{op}', which cannot be built as a network"):
        Program(chain(Operation(op, (1, 2, 4, 4))))


def test_a_convolution_over_one_axis_is_refused() -> None:
    sound = Operation("conv", (1, 2, 4), kernel=(3,), stride=(1,), dilation=(1,), padding=(1, 0, 0, 1, 0, 0), groups=1,
                      weight=(2, 2, 3))  # fmt: skip
    with pytest.raises(
        InvalidGraphError, match=r"node 1 \(conv, 1/conv\) cannot be built: its window does not go over"
    ):
        Program(chain(sound))


def test_a_graph_with_two_inputs_is_refused() -> None:
    operations = [Operation(op, (1, 2, 4, 4)) for op in ("input", "input", "add", "output")]
    with pytest.raises(InvalidGraphError, match="has one input and an output, the graph has 2 and 1"):
        Program(computational_graph(operations, [(0, 2), (1, 2), (2, 3)]))


def test_a_cell_is_not_a_network() -> None:
    with pytest.raises(InvalidGraphError):
        Program(ArchGraph(ops=("input", "conv3x3", "output"), edges=((0, 1), (1, 2))))


def test_two_layers_of_one_name_are_refused() -> None:
    operations = [
        Operation("input", (1, 2, 4, 4)),
        *(Operation("batch_norm", (1, 2, 4, 4), weight=(2,), bias=True) for _ in range(2)),
        Operation("output", (1, 2, 4, 4)),
    ]
    graph = computational_graph(operations, [(0, 1), (1, 2), (2, 3)], ["a", "twice", "twice", "b"])
    with pytest.raises(InvalidGraphError, match="two layers are named 'twice'; give each a name of its own"):
        Program(graph)


def test_names_are_those_of_the_scopes_and_have_no_points() -> None:
    b = Builder((1, 4, 4))
    with b.scope("stage.1"), b.scope(0):
        x = b.conv(b.input(), 2, 3, norm=True)
    program = Program(b.output(b.linear(x, 2)).graph())
    assert list(program.shapes) == ["stage_1/0/conv/weight", "stage_1/0/conv/bias", "linear/weight", "linear/bias"]
    assert program.statistics == {"stage_1/0/conv/mean": 2, "stage_1/0/conv/variance": 2}


def test_nodes_of_graphs_without_names_are_numbered(tmp_path: Path) -> None:
    graph = read(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2)), (1, 4, 4), tmp_path)
    assert list(Program(graph, norm=False).layers) == ["1/conv", "2/linear"]


def test_the_choices_of_averages_are_numpys(tmp_path: Path) -> None:
    graph = read(lambda x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=True), (1, 3, 3), tmp_path)
    corner = Program(graph).run(torch.ones(1, 1, 3, 3), Run({}))[0, 0, 0, 0]
    assert float(corner) == pytest.approx(np.ones(4).sum() / 9)


def test_an_output_with_places_keeps_them_and_is_no_classifier() -> None:
    graph = alone(lambda b, x: b.conv(x, 5, kernel=3))
    network = build(graph)
    assert network.program.output_shape == (5, 7, 7)
    assert network(noise(2, 4, 7, 7)).shape == (2, 5, 7, 7)
    with pytest.raises(UsageError, match=r"the network gives an output of shape \(5, 7, 7\) per image; a loss against"):
        Fit(network, load_images("digits"))
    with pytest.raises(UsageError, match=r"an output of shape \(5, 7, 7\) per image"):
        load_proxy("snip", load_images("digits")).score(network, noise(2, 4, 7, 7), torch.zeros(2, dtype=torch.int64))
    assert np.isfinite(load_proxy("synflow", None).score(network))


def test_lengths_of_one_at_the_end_of_an_output_are_left_out() -> None:
    graph = alone(lambda b, x: b.global_avg_pool(b.conv(x, 5, kernel=3)))
    assert build(graph)(noise(2, 4, 7, 7)).shape == (2, 5)


_GRADIENTS = """
import sys, torch
from archpredict.graph.builder import Builder
from archpredict.networks.program import Program
from archpredict.networks.steps import Run
torch.set_num_threads(1)
torch.manual_seed(0)
channels, width = map(int, sys.argv[1:])
for trial in range(120):
    b = Builder(image=(channels, 8, 8))
    kernel, stride, count = (1, 3, 5)[trial % 3], 1 + trial % 2, (64, 7, 33)[trial // 12 % 3]
    program = Program(b.output(b.conv(b.input(), width, kernel=kernel, stride=stride)).graph())
    weights = {name: torch.randn(shape).requires_grad_() for name, shape in program.shapes.items()}
    images = torch.randn(count, 8, 8, channels).permute(0, 3, 1, 2).requires_grad_()
    program.run(images, Run(weights)).square().sum().backward()
print("done")
"""


@pytest.mark.parametrize(("channels", "width"), [(3, 16), (4, 4)])
def test_gradients_of_few_channels_leave_memory_as_it_was(start: Any, channels: int, width: int) -> None:
    # Where something has been written past the end of a tensor, the C library stops the program sooner or later.
    assert start(_GRADIENTS, str(channels), str(width)).wait() == (0, "done\n", "")
