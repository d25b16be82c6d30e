"""SpeedPredictor: images per second of networks that nobody has measured, in settings that somebody has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, overload

import numpy as np

from archpredict._typing import FloatArray
from archpredict.costs.known import FOLDS, KnownSetting, Seen, known_settings, seen_of, spread
from archpredict.costs.model import Numbers, SpeedModel
from archpredict.costs.numbers import numbers_of, read
from archpredict.costs.regimes import regime_of
from archpredict.costs.roofline import launching, roofline
from archpredict.costs.settings import Setting, device
from archpredict.costs.table import SpeedTable
from archpredict.errors import DataError, NotFittedError, UnknownNameError, UsageError, counted
from archpredict.graph.arch_graph import ArchGraph

__all__ = ["Speed", "SpeedPredictor", "Speeds"]

_FEWEST = 10
"""Models that a setting is learnt from at least."""
_BORROWED = 1.5
"""How much wider intervals are in settings or at batch sizes that were not measured."""


@dataclass(frozen=True)
class Speed:
    """A predicted speed of one network.

    Args:
        setting: With its batch size.
        images_per_second, low, high: Nine in ten lie between ``low`` and ``high``.
        remarks: Sentences on what is outside of what was measured.
    """

    setting: Setting
    images_per_second: float
    low: float
    high: float
    remarks: tuple[str, ...] = ()
    what: ClassVar[str] = "images_per_second"
    is_speed: ClassVar[bool] = True
    is_measured: ClassVar[bool] = False

    @property
    def value(self) -> float:
        """The speed, as what a network costs in general (:class:`archpredict.costs.cost.Cost`)."""
        return self.images_per_second

    @property
    def device(self) -> str:
        """Name of the device."""
        return self.setting.device

    @property
    def where(self) -> str:
        """The setting, in words."""
        return str(self.setting)

    def to_dict(self) -> dict[str, Any]:
        """For JSON, stable from version to version."""
        return {
            **self.setting.to_dict(),
            "images_per_second": self.images_per_second,
            "low": self.low,
            "high": self.high,
            "warnings": list(self.remarks),
        }


@dataclass(frozen=True, eq=False)
class Speeds(Sequence[Speed]):
    """Predicted speeds of ``G`` networks in one setting.

    Args:
        setting: With its batch size.
        images_per_second, low, high: ``(G,)``; nine in ten lie between ``low`` and ``high``.
        remarks: For each network, sentences on what is outside of what was measured.
    """

    setting: Setting
    images_per_second: FloatArray
    low: FloatArray
    high: FloatArray
    remarks: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.images_per_second)

    @overload
    def __getitem__(self, index: int) -> Speed: ...

    @overload
    def __getitem__(self, index: slice) -> list[Speed]: ...

    def __getitem__(self, index: int | slice) -> Speed | list[Speed]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        speed, low, high = (float(values[index]) for values in (self.images_per_second, self.low, self.high))
        return Speed(self.setting, speed, low, high, self.remarks[index])


class SpeedPredictor:
    """A predictor of speed: a roofline of the network's kernels, weighed for each setting, and what statistics add.

    The roofline (:mod:`archpredict.costs.roofline`) has a coefficient for each kind of kernel and of bound, learnt from
    the measurements of the setting (:mod:`archpredict.costs.fitting`); a Gaussian process on statistics of the network
    expects its errors (:mod:`archpredict.costs.residual`), most of which settings share. In a setting without
    measurements the coefficients are those of its regime (GPUs step by step, GPUs compiled, CPUs, training), with the
    peaks of the device.

    Example:
        >>> from archpredict.costs.shipped import shipped_speed
        >>> from archpredict.graph.builder import Builder
        >>> b = Builder(image=(3, 224, 224))
        >>> x = b.relu(b.conv(b.input(), 64, kernel=7, stride=4, norm=True))
        >>> graph = b.output(b.linear(b.global_avg_pool(x), 1000)).graph()
        >>> speeds = shipped_speed().predict([graph], shipped_speed().setting("rtx4090"))
        >>> bool(speeds.low[0] < speeds.images_per_second[0] < speeds.high[0])
        True
    """

    def __init__(self) -> None:
        self._model: SpeedModel | None = None
        self.known_: tuple[KnownSetting, ...] = ()
        self.seen_: Seen | None = None

    @classmethod
    def of(cls, model: SpeedModel, known: tuple[KnownSetting, ...], seen: Seen) -> SpeedPredictor:
        """A fitted predictor of its parts."""
        made = cls()
        made._model, made.known_, made.seen_ = model, known, seen
        return made

    @property
    def fitted(self) -> tuple[SpeedModel, Seen]:
        """The model, and what the measured networks have in common.

        Raises:
            NotFittedError: Nothing was learnt yet.
        """
        if self._model is None or self.seen_ is None:
            raise NotFittedError("the predictor of speed knows no measurements; call `fit`, or load a fitted one")
        return self._model, self.seen_

    # ------------------------------------------------------------------ fitting

    def fit(
        self, graphs: Sequence[ArchGraph], table: SpeedTable, families: Sequence[str] | None = None
    ) -> SpeedPredictor:
        """Learn from measured speeds.

        Args:
            graphs: ``G`` computational graphs.
            table: Their speeds, in the same order.
            families: What each belongs to; intervals and errors are those of families that were left out.

        Raises:
            DataError: A setting has fewer than 10 models, or there are fewer than 5 families.
        """
        if len(graphs) != len(table.models):
            raise DataError(f"the table has {len(table.models)} models, {counted(len(graphs), 'graph')} were given")
        for setting, count in table.counts().items():
            if count < _FEWEST:
                raise DataError(
                    f"the setting {setting} has {counted(count, 'measured model')}, at least {_FEWEST} are needed; "
                    "measure more, or leave it out"
                )
        numbers = numbers_of(graphs, table)
        return self.fit_numbers(numbers, table, families, seen_of(graphs))

    def fit_numbers(
        self, numbers: Numbers, table: SpeedTable, families: Sequence[str] | None, seen: Seen
    ) -> SpeedPredictor:
        """:meth:`fit` of networks whose numbers are known."""
        groups = np.asarray(table.models if families is None else families)
        if len(np.unique(groups)) < FOLDS:
            raise DataError(f"at least {FOLDS} families of models are needed, {len(np.unique(groups))} were given")
        regimes = [regime_of(setting, device(setting.device)).name for setting in table.settings]
        self.known_ = known_settings(numbers, table, regimes, groups)
        self._model = SpeedModel.fit(numbers, table.speeds, regimes)
        similar = self._model.similarity(numbers.statistics)
        np.fill_diagonal(similar, 0.0)
        self.seen_ = replace(seen, farthest=float(np.quantile(similar.max(axis=1), 0.01)))
        return self

    # ------------------------------------------------------------------ settings

    @property
    def devices(self) -> list[str]:
        """Names of the devices that were measured."""
        return sorted({known.setting.device for known in self.known_})

    def setting(
        self,
        device: str,
        precision: str | None = None,
        layout: str | None = None,
        compiler: str | None = None,
        runtime: str | None = None,
        mode: str = "infer",
        batch_size: int | None = None,
    ) -> Setting:
        """The measured setting that is meant by what is given of it; the nearest one with what is given, if none is.

        What is left out is as in the device's setting with the newest runtime, of several the one with most models.

        Args:
            device: Name of a device; :attr:`devices` lists them.
            precision: As in :class:`archpredict.costs.settings.Setting`.
            layout: Likewise.
            compiler: Likewise.
            runtime: Likewise.
            mode: Likewise.
            batch_size: Images at once; that which is usual there if left out.

        Raises:
            UnknownNameError: No such device was measured, or there is no such precision, layout, compiler or mode.
        """
        own = [known for known in self.known_ if known.setting.device == device]
        if not own:
            raise UnknownNameError("device", device, self.devices)
        asked = {"precision": precision, "layout": layout, "compiler": compiler, "runtime": runtime, "mode": mode}
        given = {name: value for name, value in asked.items() if value is not None}

        def nearness(known: KnownSetting) -> tuple[Any, ...]:
            agrees = sum(getattr(known.setting, name) == value for name, value in given.items())
            eager, plain = known.setting.compiler == "eager", known.setting.precision == "amp"
            return agrees, known.setting.version, eager, known.setting.layout == "nchw", plain, known.models

        best = max(own, key=nearness)
        found = Setting.from_dict({**best.setting.to_dict(), **given})
        return found if batch_size is None else found.with_batch_size(batch_size)

    def known(self, setting: Setting) -> KnownSetting | None:
        """What was measured in a setting; None if nothing was."""
        asked = setting.options
        return next((known for known in self.known_ if known.setting.options == asked), None)

    # ------------------------------------------------------------------ prediction

    def predict(self, graphs: Sequence[ArchGraph], setting: Setting) -> Speeds:
        """Speeds of networks in a setting.

        Args:
            graphs: ``G`` computational graphs; speeds are those of single images of their batches.
            setting: As :meth:`setting` gives it; without a batch size, the one that is usual there.

        Raises:
            NotFittedError: Nothing was learnt yet.
            UsageError: There is no such device, or a graph has no kernel.
        """
        model, seen = self.fitted
        if not graphs:
            raise UsageError("speeds are predicted of computational graphs, none was given; give one at least")
        known = self.known(setting)
        size = setting.batch_size or (known or self._nearest(setting)).setting.batch_size or 1
        setting = setting.with_batch_size(size)
        where = device(setting.device)
        work, statistics = read(graphs)
        terms = np.concatenate([roofline(part, setting, where, float(size)) for part in work])
        similar = model.similarity(statistics)
        if known is None:
            regime = regime_of(setting, where).name
            logarithm = model.borrow(regime, terms, similar)
            alike = [k.width for k in self.known_ if regime_of(k.setting, device(k.setting.device)).name == regime]
            width = _BORROWED * max(alike or [k.width for k in self.known_])
        else:
            logarithm = model.predict(self.known_.index(known), terms, similar)
            width = known.width * (1.0 if known.smallest <= size <= known.largest else _BORROWED)
        least = np.concatenate([launching(part, setting, where, float(size)) for part in work])
        logarithm = -np.log(np.maximum(np.exp(-logarithm), least))
        half = width * spread(similar)
        remarks = tuple(
            (*self._on_setting(setting, known), *seen.unlike(graph, float(row.max())))
            for graph, row in zip(graphs, similar, strict=True)
        )
        speeds = np.exp(logarithm)
        return Speeds(setting, speeds, speeds * np.exp(-half), speeds * np.exp(half), remarks)

    def _nearest(self, setting: Setting) -> KnownSetting:
        """The measured setting of the device that is most like one without measurements."""
        options = {name: getattr(setting, name) for name in ("precision", "layout", "compiler", "runtime", "mode")}
        own = [known for known in self.known_ if known.setting.device == setting.device] or list(self.known_)
        return max(own, key=lambda known: sum(getattr(known.setting, name) == v for name, v in options.items()))

    def _on_setting(self, setting: Setting, known: KnownSetting | None) -> list[str]:
        """What of a setting is outside of what was measured."""
        if known is None:
            unknown = ", ".join(setting.options)
            return [f"nothing was measured in the setting {unknown}: its speeds follow from those of similar settings"]
        size = setting.batch_size or known.smallest
        if known.smallest <= size <= known.largest:
            return []
        seen = f"{known.smallest}" if known.smallest == known.largest else f"{known.smallest} to {known.largest}"
        return [f"batch size {size} was not measured on {setting.device} in this setting, only {seen}"]
