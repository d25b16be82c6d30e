"""SpeedTable: measured speeds of models, a row per setting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archpredict._typing import FloatArray, freeze
from archpredict.costs.settings import Setting
from archpredict.errors import DataError

__all__ = ["Measured", "SpeedTable"]

APART = 10.0
"""Factor between two measurements of one model in one setting from which on one of them is wrong."""


@dataclass(frozen=True)
class Measured:
    """A measured speed of one model.

    Args:
        model: Its name.
        setting: Where it was measured, with its batch size.
        images_per_second: The speed, above 0.
    """

    model: str
    setting: Setting
    images_per_second: float


@dataclass(frozen=True, eq=False)
class SpeedTable:
    """A table of speeds: ``S`` settings by ``G`` models.

    Args:
        models: ``G`` names.
        settings: ``S``, without batch sizes.
        speeds: ``(S, G)`` images per second; NaN where nothing was measured.
        batch_sizes: ``(S, G)``; NaN likewise.
    """

    models: tuple[str, ...]
    settings: tuple[Setting, ...]
    speeds: FloatArray
    batch_sizes: FloatArray

    def __post_init__(self) -> None:
        shape = (len(self.settings), len(self.models))
        if self.speeds.shape != shape or self.batch_sizes.shape != shape:
            raise DataError(f"speeds and batch sizes of {shape} settings and models are expected")
        freeze(self, "speeds", "batch_sizes")

    @classmethod
    def of(cls, rows: Iterable[Measured], models: Sequence[str]) -> SpeedTable:
        """Speeds of these models; of several in one setting the median counts.

        Args:
            rows: Measurements; those of other models are left out.
            models: Names of the models, in their order.

        Raises:
            DataError: A speed is no positive number, or two of one model in one setting differ tenfold.

        Example:
            >>> rows = [Measured("a", Setting("rtx4090", batch_size=8), speed) for speed in (90.0, 100.0, 110.0)]
            >>> SpeedTable.of(rows, ["a", "b"]).speeds
            array([[100.,  nan]])
        """
        place = {name: i for i, name in enumerate(models)}
        cells: dict[Setting, dict[int, list[Measured]]] = {}
        for row in rows:
            _check(row)
            if row.model in place:
                of_setting = cells.setdefault(row.setting.with_batch_size(None), {})
                of_setting.setdefault(place[row.model], []).append(row)
        settings = sorted(cells, key=lambda setting: setting.options)
        speeds, sizes = (np.full((len(settings), len(models)), np.nan) for _ in range(2))
        for i, setting in enumerate(settings):
            for g, found in cells[setting].items():
                _check_agree(found)
                speeds[i, g] = np.median([row.images_per_second for row in found])
                sizes[i, g] = np.median([row.setting.batch_size or np.nan for row in found])
        return cls(tuple(models), tuple(settings), speeds, sizes)

    def counts(self) -> Mapping[Setting, int]:
        """How many models were measured in each setting."""
        return {setting: int(np.isfinite(row).sum()) for setting, row in zip(self.settings, self.speeds, strict=True)}

    def rows(self, chosen: Any) -> SpeedTable:
        """The table of some of the models, in their order; settings stay, whether any of these was measured or not."""
        index = np.arange(len(self.models))[chosen]
        names = tuple(self.models[i] for i in index)
        return SpeedTable(names, self.settings, self.speeds[:, index], self.batch_sizes[:, index])


def _check(row: Measured) -> None:
    if not (np.isfinite(row.images_per_second) and row.images_per_second > 0):
        raise DataError(
            f"a speed is a number of images per second above 0, {row.model} has {row.images_per_second} in the setting "
            f"{row.setting}; take the row out"
        )


def _check_agree(rows: Sequence[Measured]) -> None:
    speeds = [row.images_per_second for row in rows]
    if max(speeds) > APART * min(speeds):
        raise DataError(
            f"{rows[0].model} was measured several times in the setting {rows[0].setting}, with {min(speeds):g} and "
            f"{max(speeds):g} images per second; take out the rows that are wrong, or are in another unit"
        )
