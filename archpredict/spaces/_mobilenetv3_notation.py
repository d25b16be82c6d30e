"""Reading and writing the notations of Once-for-All's MobileNetV3 architectures."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from archpredict.spaces._mobilenetv3_network import MAX_DEPTH, STAGES, Subnet
from archpredict.spaces._plain import wholes
from archpredict.spaces.notation.literals import WrittenCall

_RESOLUTIONS = ("r", "image_size", "resolution")
ATTRIBUTES = ("ks", "e", "d", *_RESOLUTIONS, "wid")
"""Keys of a configuration; ``r``, ``image_size`` and ``resolution`` are one thing."""

WIDTH = 1.2
"""The width multiplier of all networks of the space."""

_RESOLUTION = re.compile(r"(?:.*[:=]\s*)?r([0-9]{1,4})", re.IGNORECASE)
_LAYER = re.compile(r"k([0-9])e([0-9])", re.IGNORECASE)
_SLOTS = len(STAGES) * MAX_DEPTH


def write(subnet: Subnet) -> str:
    """One line: resolution, then the layers of each stage."""
    stages = (" ".join(f"k{kernel}e{expansion}" for kernel, expansion in stage) for stage in subnet.stages)
    return " | ".join((f"r{subnet.resolution}", *stages))


def subnet_of(value: Any) -> Subnet:
    """The subnet of either notation; numbers may be outside the space.

    Args:
        value: A line, or a configuration with the keys that Once-for-All's own code has.

    Raises:
        ValueError: It is in neither notation; the message says why.
    """
    if isinstance(value, str):
        if value.startswith(("{", "[", "(")):
            raise ValueError("it does not parse")
        return _from_line(value)
    if isinstance(value, WrittenCall):
        value = value.parts(())
    if not isinstance(value, dict):
        raise ValueError("it is neither a line nor a configuration")
    return _from_configuration({name.lower(): part for name, part in value.items() if isinstance(name, str)})


def _from_line(text: str) -> Subnet:
    first, *rest = (part.strip() for part in text.split("|"))
    resolution = _RESOLUTION.fullmatch(first)
    if resolution is None:
        raise ValueError("it does not begin with a resolution such as r224")
    if len(rest) != len(STAGES):
        raise ValueError(f"it has {len(rest)} stages instead of {len(STAGES)}")
    stages = []
    for s, stage in enumerate(rest):
        layers = [(word, _LAYER.fullmatch(word)) for word in stage.split()]
        for word, found in layers:
            if found is None:
                raise ValueError(f"stage {s} has the layer {word!r}")
        stages.append(tuple((int(found[1]), int(found[2])) for _, found in layers if found))
    return Subnet(int(resolution[1]), tuple(stages))


def _from_configuration(given: dict[str, Any]) -> Subnet:
    sizes = {key: given[key] for key in _RESOLUTIONS if given.get(key) is not None}
    if not sizes:
        raise ValueError("it has no 'r'")
    for key in ("ks", "e", "d"):
        if given.get(key) is None:
            raise ValueError(f"it has no {key!r}")
    _check_width(given.get("wid"))
    (first, resolution), *others = [(key, _single(size, key)) for key, size in sizes.items()]
    for key, size in others:
        if size != resolution:
            raise ValueError(f"{first!r} is {resolution}, and {key!r} is {given[key]}")
    depths = _depths(given["d"])
    kernels, expansions = _used(given, "ks", depths), _used(given, "e", depths)
    layers = iter(zip(kernels, expansions, strict=True))
    return Subnet(resolution, tuple(tuple(next(layers) for _ in range(depth)) for depth in depths))


def _check_width(given: Any) -> None:
    for width in given if isinstance(given, list) else [given]:
        if type(width) in (int, float) and width not in (0, WIDTH) and not _is_missing(width):
            raise ValueError(f"'wid' is {width}, and networks of this space have the width multiplier {WIDTH}")


def _single(given: Any, key: str) -> int:
    """A number, alone or repeated, such as for both dimensions of an image."""
    values = wholes(given if isinstance(given, list) else [given])
    if not values or len(set(values)) > 1:
        raise ValueError(f"{key!r} is not an integer, nor a list of one")
    return values[0]


def _depths(given: Any) -> list[int]:
    depths = wholes(given if isinstance(given, list) else [given] * len(STAGES))
    if depths is None or len(depths) != len(STAGES):
        raise ValueError(f"'d' is not a list of {len(STAGES)} integers, nor one integer")
    for depth in depths:
        if not 0 <= depth <= MAX_DEPTH:
            raise ValueError(f"a stage has {depth} layers")
    return depths


def _used(given: dict[str, Any], key: str, depths: Sequence[int]) -> list[int]:
    """The numbers of the layers that there are.

    They come as one number for all; in twenty slots, of which the unused ones hold anything; without the unused slots,
    one stage after the other or each in a list; or in this shorter form, filled up at the end.
    """
    values = given[key]
    count = sum(depths)
    if not isinstance(values, list):
        values = [values] * count
    elif len(values) == len(STAGES) and all(isinstance(stage, list) for stage in values):
        for s, (stage, depth) in enumerate(zip(values, depths, strict=True)):
            if len(stage) not in (depth, MAX_DEPTH):
                raise ValueError(f"{key!r} has {len(stage)} numbers for stage {s}, which has {depth} layers")
        values = [value for stage, depth in zip(values, depths, strict=True) for value in stage[:depth]]
    elif len(values) == _SLOTS:
        slots = [values[s * MAX_DEPTH + i] for s, depth in enumerate(depths) for i in range(depth)]
        there = [value for value in values if not _is_missing(value)]
        values = there if len(there) == count and any(map(_is_missing, slots)) else slots
    numbers = wholes(values)
    if numbers is None or len(numbers) != count:
        raise ValueError(
            f"{key!r} is not a list of {_SLOTS} integers, nor of {count}, one for each layer that there is, nor one "
            "integer"
        )
    return numbers


def _is_missing(value: Any) -> bool:
    """Whether a slot holds what stands for nothing: None, 0, or what arrays have for None."""
    return value is None or (type(value) in (int, float) and (value == 0 or math.isnan(value)))
