"""What a network costs somewhere, as rankings read it: a predicted speed, or whatever its user has measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["SPEEDS", "Cost", "OwnCost"]

SPEEDS = ("samples_per_sec", "images_per_second", "throughput", "fps")
"""Names of columns that hold speeds, of which more is better; of all other costs less is."""
_SHARED = ("precision", "layout", "compiler", "runtime", "batch_size", "mode")


class Cost(Protocol):
    """What one network costs on one device: ``value``, between ``low`` and ``high`` nine times in ten."""

    @property
    def value(self) -> float:
        """In the unit that it was measured in."""

    @property
    def low(self) -> float:
        """Nine in ten lie above, or between this and ``high``."""

    @property
    def high(self) -> float:
        """Likewise."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences on what is outside of what was measured."""

    @property
    def what(self) -> str:
        """What it is: ``images_per_second``, ``latency`` and the like."""

    @property
    def is_speed(self) -> bool:
        """Whether it is images per second, of which more is better."""

    @property
    def is_measured(self) -> bool:
        """Whether this very network was measured."""

    @property
    def device(self) -> str:
        """What the device is called, in a word."""

    @property
    def where(self) -> str:
        """Device and setting, in words."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""


@dataclass(frozen=True)
class OwnCost:
    """What a network costs on a device of the user's own, by an adapted cost.

    Args:
        device: What the device is called.
        column: What was measured.
        value, low, high: Nine in ten lie between ``low`` and ``high``; all the same where this network was measured.
        is_measured: Whether it was.
        models: By how many measured ones it is known.
        setting: What was the same for all of these.
        remarks: Sentences on what is outside of what was measured.
    """

    device: str
    column: str
    value: float
    low: float
    high: float
    is_measured: bool
    models: int
    setting: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def is_speed(self) -> bool:
        """Whether it is images per second."""
        return self.column.lower() in SPEEDS

    @property
    def what(self) -> str:
        """``images_per_second``, or the name of the column."""
        return "images_per_second" if self.is_speed else self.column

    @property
    def where(self) -> str:
        """Device and setting, in words."""
        texts = [f"{name} {value}" for name, value in self.setting.items()]
        return ", ".join([self.device, *texts, f"by {self.models} measured models"])

    def to_dict(self) -> dict[str, Any]:
        """For JSON: as of a predicted speed, with nulls for what is not known, and what was measured beside."""
        size = self.setting.get("batch_size", "")
        shared = {name: self.setting.get(name) for name in _SHARED}
        return {
            "device": self.device,
            **shared,
            "batch_size": int(size) if size.isdecimal() else None,
            "images_per_second": self.value if self.is_speed else None,
            "low": self.low,
            "high": self.high,
            "warnings": list(self.remarks),
            "column": self.column,
            "value": self.value,
            "measured": self.is_measured,
            "measured_models": self.models,
        }
