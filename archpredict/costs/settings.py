"""Settings that a speed is measured in: device, precision, layout, runtime, batch size, inference or training."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from archpredict.errors import UnknownNameError, UsageError, whole_number

__all__ = ["COMPILERS", "LAYOUTS", "MODES", "PRECISIONS", "Device", "Setting", "device", "devices"]

PRECISIONS = ("fp32", "amp", "amp_bf16", "bf16", "fp16")
"""``amp``, ``amp_bf16``: products of matrices in half precision, what is delicate in single (autocast)."""
LAYOUTS = ("nchw", "nhwc")
"""Of images in memory: channels first or last."""
COMPILERS = ("eager", "dynamo")
"""``dynamo``: ``torch.compile``."""
MODES = ("infer", "train")
"""A forward pass, or a whole step of training."""
_FACTS = Path(__file__).parent.parent / "pretrained" / "speed" / "devices.json"
_MERGES_SINCE = (2, 9)


@dataclass(frozen=True)
class Device:
    """What is known of a device without measuring: peak arithmetic, memory bandwidth, cores.

    Args:
        name: What it is called here.
        title: What its maker calls it.
        kind: ``gpu`` or ``cpu``.
        tflops, half_tflops: Peak, in 10¹² operations per second, a multiply-add being two; ``half_tflops`` with
            accumulation in single precision.
        bandwidth: Of memory, in 10⁹ bytes per second.
        cores: Processors that share nothing but memory.
        source: Where these numbers are from.
    """

    name: str
    title: str
    kind: str
    tflops: float
    half_tflops: float
    bandwidth: float
    cores: int
    source: str = ""

    def __post_init__(self) -> None:
        if self.kind not in ("gpu", "cpu"):
            raise UsageError(f"a device is a gpu or a cpu, {self.kind!r} was given for {self.name}")
        for what in ("tflops", "half_tflops", "bandwidth", "cores"):
            value = getattr(self, what)
            if not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
                raise UsageError(f"`{what}` of the device {self.name} is a number above 0, {value!r} was given")


@dataclass(frozen=True)
class Setting:
    """A setting in which the speed of a network is measured.

    Args:
        device: Name of the device.
        precision: One of :data:`PRECISIONS`.
        layout: Of images in memory, one of :data:`LAYOUTS`.
        compiler: One of :data:`COMPILERS`.
        runtime: Name and version, such as ``torch 2.9``.
        mode: ``infer``, or ``train`` for a whole step.
        batch_size: Images at once; None for what is usual in this setting.

    Raises:
        UnknownNameError: A precision, layout, compiler or mode that there is not.
        UsageError: The batch size is no positive integer.

    Example:
        >>> str(Setting("rtx4090", "amp", batch_size=256))
        'rtx4090, amp, nchw, eager, torch 2.9, infer, batch size 256'
    """

    device: str
    precision: str = "amp"
    layout: str = "nchw"
    compiler: str = "eager"
    runtime: str = "torch 2.9"
    mode: str = "infer"
    batch_size: int | None = None

    def __post_init__(self) -> None:
        for what, choices in _CHOICES.items():
            if getattr(self, what) not in choices:
                raise UnknownNameError(what, str(getattr(self, what)), choices)
        if self.batch_size is not None:
            object.__setattr__(self, "batch_size", whole_number("`batch_size`", self.batch_size, 1))

    def __str__(self) -> str:
        size = "" if self.batch_size is None else f", batch size {self.batch_size}"
        return ", ".join(self.options) + size

    @property
    def what(self) -> str:
        """What is known of networks in it."""
        return "images_per_second"

    @property
    def options(self) -> tuple[str, ...]:
        """All but the batch size."""
        return (self.device, self.precision, self.layout, self.compiler, self.runtime, self.mode)

    @property
    def version(self) -> tuple[int, ...]:
        """The numbers of the runtime's version; (0,) without any."""
        found = re.findall(r"\d+", self.runtime)
        return tuple(map(int, found)) or (0,)

    @property
    def merges_branches(self) -> bool:
        """Whether parallel linear branches were merged before measuring, as in the measurements from torch 2.9 on."""
        return self.version >= _MERGES_SINCE

    @property
    def autocast(self) -> bool:
        """Whether some tensors stay in single precision, and others do not."""
        return self.precision.startswith("amp")

    @property
    def element(self) -> float:
        """Bytes of an element."""
        return 4.0 if self.precision == "fp32" else 2.0

    def with_batch_size(self, batch_size: int | None) -> Setting:
        """The same with another batch size."""
        return replace(self, batch_size=batch_size)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "device": self.device,
            "precision": self.precision,
            "layout": self.layout,
            "compiler": self.compiler,
            "runtime": self.runtime,
            "batch_size": self.batch_size,
            "mode": self.mode,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Setting:
        """From what :meth:`to_dict` gave."""
        texts = {name: str(values[name]) for name in ("device", "runtime", *_CHOICES)}
        return cls(**texts, batch_size=values.get("batch_size"))


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "precision": PRECISIONS,
    "layout": LAYOUTS,
    "compiler": COMPILERS,
    "mode": MODES,
}


@cache
def devices() -> Mapping[str, Device]:
    """The devices that facts are known of, by name."""
    return {row["name"]: Device(**row) for row in json.loads(_FACTS.read_text(encoding="utf-8"))}


def device(name: str, known: Iterable[str] | None = None) -> Device:
    """A device by name.

    Args:
        name: As in :func:`devices`.
        known: Names to choose from; all of them if left out.

    Raises:
        UnknownNameError: There is none of this name; the message says which there are, and the nearest one.

    Example:
        >>> device("rtx4090").bandwidth
        1008.0
    """
    if name not in devices():
        raise UnknownNameError("device", name, devices() if known is None else known)
    return devices()[name]
