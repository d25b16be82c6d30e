"""Where networks are to run: a setting that ships, or a device of one's own that an adapted cost tells of."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from archpredict.costs.adapted import AdaptedCost
from archpredict.costs.cost import SPEEDS, Cost, OwnCost
from archpredict.costs.settings import Setting
from archpredict.costs.shipped import shipped_speed
from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph

__all__ = ["OwnDevice", "costs_at", "place_of", "places_of"]

_ENDING = ".safetensors"


@dataclass(frozen=True, eq=False)
class OwnDevice:
    """A device of the user's own.

    Args:
        name: What it is called.
        cost: Of networks there.
    """

    name: str
    cost: AdaptedCost

    @property
    def what(self) -> str:
        """What is known of networks there: ``images_per_second``, ``latency`` and the like."""
        return "images_per_second" if self.cost.name.lower() in SPEEDS else self.cost.name

    def predict(self, graphs: Sequence[ArchGraph]) -> list[OwnCost]:
        """What networks cost there; of those that were measured, what was measured.

        Args:
            graphs: ``G`` computational graphs.
        """
        said, known = self.cost.predict(graphs), self.cost.known(graphs)
        columns = (np.where(np.isnan(known), each, known) for each in (said.values, said.low, said.high))
        rows = zip(graphs, *columns, ~np.isnan(known), strict=True)
        return [self._row(graph, *map(float, numbers), is_measured=bool(has)) for graph, *numbers, has in rows]

    def _row(self, graph: ArchGraph, value: float, low: float, high: float, *, is_measured: bool) -> OwnCost:
        remarks = () if is_measured else tuple(shipped_speed().fitted[1].unlike(graph, 1.0))
        cost, models = self.cost, len(self.cost.values)
        return OwnCost(self.name, cost.name, value, low, high, is_measured, models, cost.setting, remarks)


Place: TypeAlias = Setting | OwnDevice


def place_of(given: Setting | OwnDevice | AdaptedCost | str | Path, **asked: Any) -> Place:
    """The place that is meant.

    Args:
        given: A setting, an adapted cost or a file of one (``.safetensors``), or the name of a device that ships.
        asked: Of a device that ships, as :meth:`archpredict.costs.speed.SpeedPredictor.setting` takes it.

    Raises:
        UnknownNameError: There is no such device.
        DataError: The file holds no adapted cost.
        UsageError: It is none of these.
    """
    if isinstance(given, Setting | OwnDevice):
        return given
    if isinstance(given, AdaptedCost):
        return OwnDevice(given.setting.get("device") or "own device", given)
    if not isinstance(given, str | Path):
        raise UsageError(
            f"models are to run on devices by name, files of adapted costs, settings; {type(given).__name__} was given"
        )
    if is_file(given):
        return OwnDevice(Path(given).stem, AdaptedCost.load(given))
    return shipped_speed().setting(str(given), **asked)


def places_of(given: Sequence[Any], **asked: Any) -> list[Place]:
    """The places that are meant, own devices with different names.

    Args:
        given: Each as :func:`place_of` takes it.
        asked: Of devices that ship.
    """
    found: list[Place] = []
    seen: dict[str, int] = {}
    for each in given:
        place = place_of(each, **asked)
        if isinstance(place, OwnDevice):
            seen[place.name] = seen.get(place.name, 0) + 1
            place = place if seen[place.name] == 1 else replace(place, name=f"{place.name} {seen[place.name]}")
        found.append(place)
    return found


def is_file(given: str | Path) -> bool:
    """Whether a file is meant, not the name of a device that ships.

    Example:
        >>> is_file("rtx4090"), is_file("mine.safetensors")
        (False, True)
    """
    if isinstance(given, Path) or given.endswith(_ENDING) or os.sep in given or "/" in given:
        return True
    return given not in shipped_speed().devices and Path(given).exists()


def costs_at(places: Sequence[Place], graphs: Sequence[ArchGraph]) -> list[tuple[Cost, ...]]:
    """What each network costs in each place.

    Args:
        places: At least one.
        graphs: Computational graphs, at least one.
    """
    found: list[Sequence[Cost]] = []
    for place in places:
        found.append(shipped_speed().predict(graphs, place) if isinstance(place, Setting) else place.predict(graphs))
    return list(zip(*found, strict=True))
