"""Reading the notations of Once-for-All's MobileNetV3 architectures."""

from __future__ import annotations

import json
import re
from typing import Any

from archpredict.spaces._mobilenetv3_network import MAX_DEPTH, STAGES, Subnet

_MAX_TEXT = 5_000
_RESOLUTION = re.compile(r"r([0-9]{1,4})")
_LAYER = re.compile(r"k([0-9])e([0-9])")
_KEYS = ("ks", "e", "d", "r")


def write(subnet: Subnet) -> str:
    """One line: resolution, then the layers of each stage."""
    stages = (" ".join(f"k{kernel}e{expansion}" for kernel, expansion in stage) for stage in subnet.stages)
    return " | ".join((f"r{subnet.resolution}", *stages))


def read(text: str) -> Subnet:
    """The subnet of either notation; numbers may be outside the space.

    Raises:
        ValueError: The text is in neither notation; the message says why.
    """
    if len(text) > _MAX_TEXT:
        raise ValueError(f"it has {len(text)} characters")
    return _from_json(text) if text.lstrip().startswith("{") else _from_line(text)


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


def _from_json(text: str) -> Subnet:
    try:
        given: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("it does not parse") from error
    missing = [key for key in _KEYS if key not in given]
    if missing:
        raise ValueError(f"it has no {missing[0]!r}")
    slots = len(STAGES) * MAX_DEPTH
    kernels, expansions, depths = (
        _integers(given, key, count) for key, count in (("ks", slots), ("e", slots), ("d", len(STAGES)))
    )
    resolution = [given["r"]] if type(given["r"]) is int else _integers(given, "r", 1)
    for depth in depths:
        if depth > MAX_DEPTH:
            raise ValueError(f"a stage has {depth} layers")
    layers = list(zip(kernels, expansions, strict=True))
    stages = (layers[s * MAX_DEPTH : s * MAX_DEPTH + max(0, depth)] for s, depth in enumerate(depths))
    return Subnet(resolution[0], tuple(tuple(stage) for stage in stages))


def _integers(given: Any, key: str, count: int) -> list[int]:
    values = given[key]
    if not isinstance(values, list) or len(values) != count or not all(type(value) is int for value in values):
        raise ValueError(f"{key!r} is not a list of {count} integers")
    return values
