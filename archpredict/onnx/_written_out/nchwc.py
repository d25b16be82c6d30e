"""Models that ONNX Runtime has laid out for one processor: channels in blocks, the last of which is filled with zeros.

Weights have as many channels as fill whole blocks. How many there are in truth is told by the operators that undo the
blocks, by biases that did not have to be filled, and by zeros at the end of those that were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper

from archpredict.onnx._file.protos import decoded, plain_domain
from archpredict.onnx._written_out.expansion import Call, Expansion
from archpredict.onnx._written_out.optimised import activated, channels_first, channels_last

DOMAIN = "com.microsoft.nchwc"
_FLOAT = 1
_LEAST, _MOST = 8, 16
"""Channels in a block, which depend on the processor."""
_MADE_FOR_BLOCKS = ("reorder", "bn_")
"""How names of weights begin that were made for blocks; a bias that fills its blocks keeps its name."""
_OF_PLACES = ("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool", "Upsample")
_OF_ELEMENTS = ("Relu", "Sigmoid", "Tanh", "Clip", "HardSigmoid", "HardSwish", "LeakyRelu", "Elu", "Gelu", "QuickGelu")
_OF_TWO = ("Add", "Sum", "Mul")


def unfilled(graph: Any, warn: Callable[[str], None]) -> Any:
    """A graph with weights of as many channels as there are in truth; the graph itself where it has no blocks.

    Args:
        graph: As in the file.
        warn: Is told of channels whose number cannot be found.
    """
    if not any(plain_domain(node.domain) == DOMAIN for node in graph.node):
        return graph
    copy = onnx.GraphProto()
    copy.CopyFrom(graph)
    _Blocks(copy, warn).unfill()
    return copy


class _Channels:
    """Numbers of channels of tensors, of which some have as many as others."""

    def __init__(self) -> None:
        self._like: dict[str, str] = {}
        self._known: dict[str, int] = {}
        self._guess: dict[str, int] = {}

    def _first(self, name: str) -> str:
        while name in self._like:
            above = self._like[name]
            if above in self._like:
                self._like[name] = self._like[above]
            name = above
        return name

    def same(self, name: str, other: str) -> None:
        """Both have the same number."""
        first, second = self._first(name), self._first(other)
        if first != second:
            self._like[second] = first
            for numbers in (self._known, self._guess):
                if second in numbers:
                    numbers.setdefault(first, numbers[second])

    def know(self, name: str, number: int) -> None:
        """The file says it."""
        self._known.setdefault(self._first(name), number)

    def guess(self, name: str, number: int) -> None:
        """As far as zeros tell."""
        place = self._first(name)
        self._guess[place] = max(number, self._guess.get(place, 0))

    def of(self, name: str) -> int | None:
        place = self._first(name)
        return self._known.get(place, self._guess.get(place))


class _Blocks:
    def __init__(self, graph: Any, warn: Callable[[str], None]) -> None:
        self.graph, self.warn = graph, warn
        self.stored = {tensor.name: tensor for tensor in graph.initializer}
        self.channels = _Channels()
        self.blocked: dict[str, int] = {}

    def unfill(self) -> None:
        for node in self.graph.node:
            self._note(node)
        convolutions = list(self._convolutions())
        unsure = [node for node in convolutions if not self._cut(node)]
        if unsure:
            self.warn(
                f"the file has the channels of layers in blocks of {_LEAST} or {_MOST}, and of {len(unsure)} of "
                f"{len(convolutions)} convolutions it does not say how many there are in truth; they are taken to fill "
                "their blocks, so that parameters and MACs may be too many; give the model as it was before it was "
                "optimised for a processor"
            )

    def _convolutions(self) -> Iterator[Any]:
        for node in self.graph.node:
            if plain_domain(node.domain) == DOMAIN and node.op_type == "Conv" and self._weight(node) is not None:
                yield node

    def _weight(self, node: Any) -> Any:
        weight = self.stored.get(node.input[1]) if len(node.input) > 1 and node.output else None
        return weight if weight is not None and len(weight.dims) == 4 and min(weight.dims) > 0 else None

    def _note(self, node: Any) -> None:
        """What an operator says of the channels of what it reads and writes."""
        if not node.output or not node.input:
            return
        blocked = plain_domain(node.domain) == DOMAIN
        if blocked and node.op_type == "Conv":
            self._note_convolution(node)
        elif blocked and node.op_type == "ReorderOutput":
            number = _integer(node, "channels")
            if number > 0:
                self.channels.know(node.input[0], number)
        elif node.input[0] in self.blocked:
            self._note_blocked(node, blocked)

    def _note_blocked(self, node: Any, known: bool) -> None:
        """An operator that reads blocks and writes blocks."""
        read = list(node.input)
        if node.op_type in (_OF_PLACES if known else (*_OF_ELEMENTS, *_OF_TWO)):
            for name in read if node.op_type in _OF_TWO else read[:1]:
                self.channels.same(name, node.output[0])
            self.blocked[node.output[0]] = self.blocked[read[0]]
        elif node.op_type == "Concat" and all(name in self.blocked for name in read):
            for name in read:  # blocks are joined where all are full
                self.channels.know(name, self.blocked[name])
            self.blocked[node.output[0]] = sum(self.blocked[name] for name in read)

    def _note_convolution(self, node: Any) -> None:
        weight = self._weight(node)
        if weight is None:
            return
        made = weight.dims[0]
        self.blocked[node.output[0]] = made
        bias = self.stored.get(node.input[2]) if len(node.input) > 2 else None
        if made % _LEAST or (bias is not None and not bias.name.startswith(_MADE_FOR_BLOCKS)):
            self.channels.know(node.output[0], made)
        elif bias is not None:
            zeros = _zeros_at_end(bias)
            if 0 < zeros < _MOST:
                self.channels.guess(node.output[0], made - zeros)
        if len(node.input) > 3 and node.input[3]:
            self.channels.same(node.input[3], node.output[0])
        if _by_channel(_integer(node, "group", 1), weight.dims):
            self.channels.same(node.input[0], node.output[0])

    def _cut(self, node: Any) -> bool:
        """Take off what fills blocks; whether the file says how much that is."""
        weight = self._weight(node)
        made, number = weight.dims[0], self.channels.of(node.output[0])
        if number is None or not made - _MOST < number <= made:
            return _integer(node, "group", 1) > 1 or number is not None
        if _by_channel(_integer(node, "group", 1), weight.dims):
            for attribute in node.attribute:
                if attribute.name == "group":
                    attribute.i = number
        for name in node.input[1:3]:
            tensor = self.stored.get(name)
            if tensor is not None and len(tensor.dims) and tensor.dims[0] == made:
                _shorten(tensor, number)
        return True


def _shorten(tensor: Any, number: int) -> None:
    """Keep so many entries of the first axis of a tensor; of a vector its elements, too."""
    data = _elements(tensor)
    tensor.ClearField("raw_data")
    tensor.ClearField("float_data")
    tensor.dims[0] = number
    if data is not None and tensor.data_type == _FLOAT:
        tensor.float_data.extend(data[:number])


def _integer(node: Any, name: str, default: int = 0) -> int:
    return next((int(a.i) for a in node.attribute if a.name == name), default)


def _by_channel(groups: int, weight: Sequence[int]) -> bool:
    """Whether every channel is taken by itself."""
    return bool(groups == weight[0] > 1 == weight[1])


def _elements(tensor: Any) -> list[Any] | None:
    """Elements of a vector, None where they are not known."""
    try:
        data = decoded(tensor)
    except ValueError:
        return None
    return None if data is None or data.ndim != 1 else list(data.tolist())


def _zeros_at_end(tensor: Any) -> int:
    """Zeros at the end of a vector; 0 where nothing else is known to be in it."""
    data = _elements(tensor) or []
    others = [i for i, number in enumerate(data) if number]
    return len(data) - 1 - others[-1] if others else 0


# Operators.


def _convolution(call: Call) -> Sequence[str]:
    """A convolution, perhaps the sum of it and another tensor, and an activation; a batch norm is written as one."""
    weight, groups = call.shape(1) or (), call.integer("group", 1)
    kernel, bias = call.input(1), call.input(2)
    arriving = (call.shape(0) or (0, 0))[1:2]
    if len(weight) == 4 and arriving and arriving[0] > 0:
        place = 0 if _by_channel(groups, weight) else 1
        if (place == 0 or groups == 1) and 0 < weight[place] - arriving[0] < _MOST:
            weight = (*weight[:place], *arriving, *weight[place + 1 :])
            kernel = call.unpacked(1, weight)
            if place == 0:
                groups, bias = arriving[0], call.unpacked(2, arriving) if bias else ""
    if weight[1:] == (1, 1, 1) and groups == weight[0] > 1 and bias:
        scale = call.write("Reshape", kernel, call.number([-1]))
        made = call.write("BatchNormalization", call.input(0), scale, bias, *_mean_and_variance(call, weight[0]))
    else:
        attributes = [a.name for a in call.node.attribute if a.name not in ("group", "activation", "activation_params")]
        made = call.plain("Conv", call.input(0), kernel, bias, only=attributes)
        call.nodes[-1].attribute.append(helper.make_attribute("group", groups))
    if call.has(3):
        made = call.write("Add", made, call.input(3))
    return (activated(call, made),)


def _mean_and_variance(call: Call, channels: int) -> list[str]:
    """Of data that is as a batch norm makes it."""
    numbers = (call.factor(np.float32(n)) for n in (0, 1))
    return [call.write("Expand", number, call.number([channels])) for number in numbers]


def _like(op: str) -> Expansion:
    """The operator of ONNX of this name."""

    def written(call: Call) -> Sequence[str]:
        return (call.plain(op, call.input(0)),)

    return written


def _turned(turn: Callable[[Call, str, int], str]) -> Expansion:
    """Only the places of elements in memory differ, but where channels are last on the other side."""

    def written(call: Call) -> Sequence[str]:
        rank = len(call.shape(0) or (0,) * 4)
        last = call.integer("channels_last") and rank > 2
        return (turn(call, call.input(0), rank) if last else call.write("Identity", call.input(0)),)

    return written


def _enlarged(call: Call) -> Sequence[str]:
    scales = call.attributes.get("scales")
    factors = [float(n) for n in scales] if isinstance(scales, tuple) else [1.0] * 4
    return (call.write("Resize", call.input(0), "", call.number(factors), mode="nearest"),)


EXPANSIONS: Mapping[tuple[str, str], Expansion] = {
    (DOMAIN, "Conv"): _convolution,
    **{(DOMAIN, op): _like(op) for op in ("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool")},
    (DOMAIN, "ReorderInput"): _turned(channels_first),
    (DOMAIN, "ReorderOutput"): _turned(channels_last),
    (DOMAIN, "Upsample"): _enlarged,
}
"""By domain and name."""
