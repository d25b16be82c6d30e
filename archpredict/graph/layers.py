"""Operations that builders of networks ask for again and again, each made and counted once."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from archpredict.errors import InvalidGraphError
from archpredict.graph.operators import Operation, count_macs, count_params

Shape = tuple[int, ...]
Window = tuple[int, int, int | None, int]
"""A window of a layer: kernel, stride, padding (None for what keeps the size), dilation."""


@lru_cache(maxsize=4096)
def plain(op: str, shape: Shape) -> Operation:
    """An operator without weights."""
    return Operation(op, shape)


@lru_cache(maxsize=4096)
def weighted(op: str, shape: Shape, weight: Shape, bias: bool) -> Operation:
    """An operator with weights and without a window."""
    return Operation(op, shape, weight=weight, bias=bias)


@lru_cache(maxsize=4096)
def sliced(shape: Shape, start: Shape) -> Operation:
    """One part of a tensor."""
    return Operation("slice", shape, start=start)


@lru_cache(maxsize=4096)
def convolution(shape: Shape, channels: int, window: Window, groups: int, bias: bool) -> Operation:
    """A convolution of square windows over a shape, counted."""
    before = shape[1]
    if channels < 1 or groups < 1 or before % groups or channels % groups:
        raise InvalidGraphError(
            f"a convolution from {before} to {channels} channels in {groups} groups: "
            "both must be positive multiples of the groups"
        )
    kernel = window[0]
    return windowed("conv", shape, channels, window, groups, (channels, before // groups, kernel, kernel), bias)


@lru_cache(maxsize=4096)
def windowed(
    op: str, shape: Shape, channels: int, window: Window, groups: int = 0, weight: Shape = (), bias: bool = False
) -> Operation:
    """A convolution or a pool over a shape, counted; networks of equal cells ask for the same ones again and again."""
    kernel, stride, given, dilation = window
    padding = (kernel - 1) // 2 * dilation if given is None else given
    if len(shape) != 4 or min(kernel, stride, dilation) < 1 or padding < 0:
        raise InvalidGraphError(
            f"a {op} with kernel {kernel}, stride {stride}, dilation {dilation} and padding {padding} over the shape "
            f"{shape}: it takes (batch, channels, height, width), positive numbers and a padding of at least 0"
        )
    places = tuple((n + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1 for n in shape[2:])
    if min(places) < 1:
        raise InvalidGraphError(
            f"a {op} with a window of {kernel} places does not fit into the shape {shape}; take a larger image"
        )
    made = Operation(
        op,
        (shape[0], channels, *places),
        kernel=(kernel, kernel),
        stride=(stride, stride),
        dilation=(dilation, dilation),
        padding=(padding, padding, 0) * 2,
        groups=groups,
        weight=weight,
        bias=bias,
    )
    return replace(made, params=count_params(made), macs=count_macs(made))
