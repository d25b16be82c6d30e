"""What each operator of a computational graph does in torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from archpredict.errors import InvalidGraphError
from archpredict.graph.arch_graph import ArchGraph

Norm = Literal["batch", "running", "none"]
"""Where mean and variance of batch norms come from: the batch (training), running averages (use), or no norm at all."""

EPS = 1e-5
MOMENTUM = 0.1
_FEW_CHANNELS = 8


@dataclass(eq=False)
class Run:
    """A forward pass: what it is given beside the images.

    Args:
        tensors: Weights ``NAME/weight`` and ``NAME/bias`` of every name that :attr:`Program.shapes` has.
        statistics: ``NAME/mean`` and ``NAME/variance`` of every normalised layer; updated in a pass with
            ``norm="batch"``, needed with ``norm="running"``. None: nothing is kept.
        norm: See :data:`Norm`.
        momentum: Weight of the batch in the running averages.
        drop_path: Probability with which an operation is left out of a sum, per sample.
        generator: Source of randomness of ``drop_path``.
        observe: Called with each node's number and value.
    """

    tensors: Mapping[str, Tensor | None]
    statistics: Mapping[str, Tensor | None] | None = None
    norm: Norm = "batch"
    momentum: float = MOMENTUM
    drop_path: float = 0.0
    generator: torch.Generator | None = None
    observe: Callable[[int, Tensor], None] | None = None
    ones: dict[int, Tensor] = field(default_factory=dict)


Step = Callable[..., Tensor]
"""Takes the run and the values that arrive."""


@dataclass(frozen=True)
class Layer:
    """One layer with weights.

    Args:
        node: Its number in the graph.
        kind: ``conv``, ``linear`` or ``batch_norm``.
        weight: Shape of its weights, output channels first.
        bias: Whether it has one number per output channel.
        normalised: Whether a batch norm comes between the weights and the bias.
    """

    node: int
    kind: str
    weight: tuple[int, ...]
    bias: bool
    normalised: bool


class NodeTable:
    """Rows of the graph's attributes as plain numbers."""

    def __init__(self, graph: ArchGraph) -> None:
        self.graph = graph
        self.rows = {
            name: np.asarray(values).reshape(graph.num_nodes, -1).astype(np.int64).tolist()
            for name, values in graph.attrs.items()
        }
        self.sources: list[list[int]] = [[] for _ in graph.ops]
        for source, target in graph.edges:
            self.sources[target].append(source)

    def name(self, v: int) -> str:
        """What a node is called; names of torch's parameters have no points."""
        given = self.graph.names[v] if self.graph.names is not None else f"{v}/{self.graph.ops[v]}"
        return given.replace(".", "_")

    def shape(self, v: int) -> tuple[int, ...]:
        """Shape of a node's output without lengths of 1 at the end."""
        row = self.rows["shape"][v]
        return tuple(row[: next((i for i in range(len(row), 0, -1) if row[i - 1] != 0), 0)])

    def numbers(self, v: int, name: str, count: int) -> tuple[int, ...]:
        return tuple(self.rows[name][v][:count])

    def weight(self, v: int) -> tuple[int, ...]:
        return tuple(n for n in self.rows["weight"][v] if n > 0)

    def flag(self, v: int, name: str) -> bool:
        return bool(self.rows[name][v][0])

    def axes(self, v: int) -> int:
        """Spatial axes of a window."""
        return sum(k > 0 for k in self.rows["kernel"][v])

    def fail(self, v: int, why: str) -> InvalidGraphError:
        return InvalidGraphError(f"node {v} ({self.graph.ops[v]}, {self.name(v)}) cannot be built: {why}")


def layer_of(table: NodeTable, v: int, norm: bool) -> Layer | None:
    op, weight, bias = table.graph.ops[v], table.weight(v), table.flag(v, "bias")
    if op not in ("conv", "linear", "batch_norm"):
        if table.flag(v, "params"):
            raise table.fail(v, f"it has {table.rows['params'][v][0]} parameters, which such a node cannot learn")
        return None
    if not weight:
        raise table.fail(v, "the shape of its weights is not known")
    one_place = len(table.shape(v)) <= 2
    return Layer(v, op, weight, bias, op == "batch_norm" or (op == "conv" and bias and norm and not one_place))


# ---------------------------------------------------------------- steps with weights


def _conv(table: NodeTable, v: int, name: str, layer: Layer | None) -> Step:
    assert layer is not None
    if len(table.sources[v]) != 1:
        raise table.fail(v, f"it reads {len(table.sources[v])} nodes instead of one")
    if table.axes(v) != 2 or len(layer.weight) != 4:
        raise table.fail(v, "its window does not go over two axes")
    top, left, _, bottom, right, _ = table.numbers(v, "padding", 6)
    even = (top, left) == (bottom, right)
    convolve = partial(
        _convolve,
        stride=table.numbers(v, "stride", 2),
        dilation=tuple(max(1, d) for d in table.numbers(v, "dilation", 2)),
        padding=(top, left) if even else 0,
        groups=max(1, table.rows["groups"][v][0]),
    )
    weight, bias, uneven = f"{name}/weight", f"{name}/bias", None if even else (left, right, top, bottom)

    if _is_scale(table, v, layer):
        return lambda run, x: x * run.tensors[weight].view(1, -1, 1, 1)

    def plain(run: Run, x: Tensor) -> Tensor:
        x = x if uneven is None else F.pad(x, uneven)
        return convolve(x, run.tensors[weight], run.tensors[bias] if layer.bias else None)

    def normalised(run: Run, x: Tensor) -> Tensor:
        x = x if uneven is None else F.pad(x, uneven)
        if run.norm == "none":
            return convolve(x, run.tensors[weight], run.tensors[bias])
        return _normalise(run, name, convolve(x, run.tensors[weight], None), None)

    return normalised if layer.normalised else plain


def _is_scale(table: NodeTable, v: int, layer: Layer) -> bool:
    """Whether a convolution multiplies each channel by a number, as in mixtures; a product takes a part of its time."""
    depthwise = layer.weight == (table.rows["groups"][v][0], 1, 1, 1)
    moves = any(table.numbers(v, "padding", 6)) or table.numbers(v, "stride", 2) != (1, 1)
    return depthwise and not moves and not layer.bias


def _convolve(x: Tensor, weight: Any, bias: Tensor | None, **options: Any) -> Tensor:
    """A convolution, on a CPU of images that lie as its kernel can take them.

    oneDNN's AVX2 kernels for images that lie channels-last write past the end of their gradients where a convolution
    reads fewer than 8 channels (torch 2.13, oneDNN 3.12), as the first one of a network does; where the images lie
    channel by channel they do not. What comes out lies as the images did.
    """
    if x.device.type != "cpu" or x.shape[1] >= _FEW_CHANNELS:
        return F.conv2d(x, weight, bias, **options)
    y = F.conv2d(_channel_by_channel(x), _channel_by_channel(weight), bias, **options)
    return y if _lies_so(x) else y.contiguous(memory_format=torch.channels_last)


def _channel_by_channel(x: Tensor) -> Tensor:
    """The same ``(N, C, H, W)`` numbers, also by their strides: one channel has two ways to say the same place."""
    return x if _lies_so(x) else x.clone(memory_format=torch.contiguous_format)


def _lies_so(x: Tensor) -> bool:
    return x.stride(1) == x.shape[2] * x.shape[3]


def _batch_norm(table: NodeTable, v: int, name: str, layer: Layer | None) -> Step:
    weight, bias = f"{name}/weight", f"{name}/bias"

    def step(run: Run, x: Tensor) -> Tensor:
        if run.norm == "none":
            return x
        return _normalise(run, name, x, run.tensors[weight])

    if layer is None or not layer.bias:
        raise table.fail(v, f"a batch norm has a scale and a shift, {weight} comes without {bias}")
    return step


def _normalise(run: Run, name: str, x: Tensor, scale: Tensor | None) -> Tensor:
    """Batch norm; layers without a scale are given ones, for which the fast kernels are made."""
    if scale is None:
        scale, shift = run.ones.get(x.shape[1]), run.tensors[f"{name}/bias"]
        if scale is None or scale.device != x.device or (shift is not None and scale.dtype != shift.dtype):
            scale = torch.ones(x.shape[1], device=x.device, dtype=None if shift is None else shift.dtype)
            run.ones[x.shape[1]] = scale
    kept = run.statistics
    mean, variance = (None, None) if kept is None else (kept[f"{name}/mean"], kept[f"{name}/variance"])
    return F.batch_norm(x, mean, variance, scale, run.tensors[f"{name}/bias"], run.norm == "batch", run.momentum, EPS)


def _linear(table: NodeTable, v: int, name: str, layer: Layer | None) -> Step:
    assert layer is not None
    weight, bias = f"{name}/weight", f"{name}/bias"
    source = table.shape(table.sources[v][0])
    flat = len(source) < 3 or (source[-1] != layer.weight[1] and prod(source[1:]) == layer.weight[1])

    def step(run: Run, x: Tensor) -> Tensor:
        return F.linear(x.flatten(1) if flat else x, run.tensors[weight], run.tensors[bias] if layer.bias else None)  # type: ignore[arg-type]

    return step


# ---------------------------------------------------------------- steps without


def _unary(function: Callable[[Tensor], Tensor]) -> Callable[..., Step]:
    def make(table: NodeTable, v: int, name: str, layer: Layer | None) -> Step:
        if len(table.sources[v]) != 1:
            raise table.fail(v, f"it reads {len(table.sources[v])} nodes instead of one")
        return lambda run, x: function(x)

    return make


def _pool(mean: bool) -> Callable[..., Step]:
    def make(table: NodeTable, v: int, name: str, layer: Layer | None) -> Step:
        if table.axes(v) != 2:
            raise table.fail(v, "its window does not go over two axes")
        kernel, stride = table.numbers(v, "kernel", 2), table.numbers(v, "stride", 2)
        dilation = tuple(max(1, d) for d in table.numbers(v, "dilation", 2))
        top, left, _, bottom, right, _ = table.numbers(v, "padding", 6)
        before, after = table.shape(table.sources[v][0]), table.shape(v)
        spans = [
            n + p - d * (k - 1) - 1
            for n, p, d, k in zip(_places(before), (top + bottom, left + right), dilation, kernel, strict=True)
        ]
        ceil = any(span // s + 1 < m for span, s, m in zip(spans, stride, _places(after), strict=True))
        counts = table.flag(v, "counts_padding")
        if mean:
            if (top, left) != (bottom, right) or dilation != (1, 1):
                raise table.fail(v, "an average pool with uneven padding or dilation")
            return lambda run, x: F.avg_pool2d(x, kernel, stride, (top, left), ceil, counts)
        if (top, left) != (bottom, right):
            return lambda run, x: F.max_pool2d(
                F.pad(x, (left, right, top, bottom), value=-torch.inf), kernel, stride, 0, dilation, ceil
            )
        return lambda run, x: F.max_pool2d(x, kernel, stride, (top, left), dilation, ceil)

    return make


def _places(shape: Sequence[int]) -> tuple[int, int]:
    height, width = (*shape[2:], 1, 1)[:2]
    return height, width


def _add(table: NodeTable, v: int, name: str, layer: Layer | None) -> Step:
    sources = table.sources[v]
    if len(sources) != 2:
        raise table.fail(v, f"it adds {len(sources)} nodes instead of two")
    droppable = [table.graph.ops[u] in _OPERATIONS for u in sources]

    def step(run: Run, x: Tensor, y: Tensor) -> Tensor:
        if run.drop_path > 0:
            x = _dropped(run, x) if droppable[0] else x
            y = _dropped(run, y) if droppable[1] else y
        x, y = _aligned(x, y)
        return x + y

    return step


_OPERATIONS = frozenset({"conv", "batch_norm", "max_pool", "avg_pool"})
"""What drop-path may leave out of a sum; what only passes a value on always stays."""


def _dropped(run: Run, x: Tensor) -> Tensor:
    """Zeros for some samples, the others scaled such that the mean stays (Larsson et al. 2016, arXiv 1605.07648)."""
    kept = 1 - run.drop_path
    # Drawn where the generator is, so that every device drops the same paths.
    draws = torch.rand(len(x), generator=run.generator) < kept
    return x * (draws.to(x.device, x.dtype) / kept).view(-1, *(1 for _ in x.shape[1:]))


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Step]:
    def make(table: NodeTable, v: int, name: str, layer: Layer | None) -> Step:
        if len(table.sources[v]) != 2:
            raise table.fail(v, f"it reads {len(table.sources[v])} nodes instead of two")
        return lambda run, x, y: function(*_aligned(x, y))

    return make


def _aligned(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """``(N, C)`` beside ``(N, C, H, W)`` is one number per channel."""
    if x.dim() < y.dim():
        x = x.view(*x.shape, *(1 for _ in range(y.dim() - x.dim())))
    elif y.dim() < x.dim():
        y = y.view(*y.shape, *(1 for _ in range(x.dim() - y.dim())))
    return x, y


def _concat(table: NodeTable, v: int, name: str, layer: Layer | None) -> Step:
    shapes, after = [table.shape(u) for u in table.sources[v]], table.shape(v)
    if len(shapes) == 1:
        return lambda run, x: x
    rank = len(after)
    padded = [(*shape, *(1,) * (rank - len(shape))) for shape in shapes]
    axes = [a for a in range(rank) if sum(shape[a] for shape in padded) == after[a]]
    if not axes:
        raise table.fail(v, f"shapes {shapes} do not make up {after} along one axis")
    axis = 1 if 1 in axes else axes[0]
    return lambda run, *xs: torch.cat(xs, dim=axis)


def _slice(table: NodeTable, v: int, name: str, layer: Layer | None) -> Step:
    before, after = table.shape(table.sources[v][0]), table.shape(v)
    start = table.numbers(v, "start", 6)
    after = (*after, *(1,) * (len(before) - len(after)))
    if min(start) < 0 or len(after) != len(before):
        raise table.fail(v, "it is not known which places it takes")
    cuts = [(axis, start[axis], n) for axis, (n, m) in enumerate(zip(after, before, strict=True)) if n != m and axis]
    if any(first + length > before[axis] for axis, first, length in cuts):
        raise table.fail(v, f"it takes places that the shape {before} does not have")

    def step(run: Run, x: Tensor) -> Tensor:
        for axis, first, length in cuts:
            x = x.narrow(axis, first, length)
        return x

    return step


def _pad(table: NodeTable, v: int, name: str, layer: Layer | None) -> Step:
    top, left, _, bottom, right, _ = table.numbers(v, "padding", 6)
    before, after = _places(table.shape(table.sources[v][0])), _places(table.shape(v))
    if (before[0] + top + bottom, before[1] + left + right) != after:
        raise table.fail(v, "only zeros around height and width can be added")
    return lambda run, x: F.pad(x, (left, right, top, bottom))


def _resize(table: NodeTable, v: int, name: str, layer: Layer | None) -> Step:
    size = _places(table.shape(v))
    return lambda run, x: F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def _output(table: NodeTable, v: int, name: str, layer: Layer | None) -> Step:
    return lambda run, x: x


MAKERS: Mapping[str, Callable[..., Step | None]] = {
    "input": lambda table, v, name, layer: None,
    "output": _output,
    "conv": _conv,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "relu": _unary(F.relu),
    "relu6": _unary(F.relu6),
    "gelu": _unary(F.gelu),
    "silu": _unary(F.silu),
    "mish": _unary(F.mish),
    "selu": _unary(F.selu),
    "hard_swish": _unary(F.hardswish),
    "hard_sigmoid": _unary(F.hardsigmoid),
    "sigmoid": _unary(torch.sigmoid),
    "tanh": _unary(torch.tanh),
    "softplus": _unary(F.softplus),
    "max_pool": _pool(mean=False),
    "avg_pool": _pool(mean=True),
    "global_avg_pool": _unary(lambda x: F.adaptive_avg_pool2d(x, 1)),
    "global_max_pool": _unary(lambda x: F.adaptive_max_pool2d(x, 1)),
    "add": _add,
    "sub": _binary(torch.sub),
    "mul": _binary(torch.mul),
    "div": _binary(torch.div),
    "concat": _concat,
    "slice": _slice,
    "pad": _pad,
    "resize": _resize,
}
