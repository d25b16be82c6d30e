"""Zero-cost scores of untrained networks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from archpredict._typing import FloatArray
from archpredict.errors import DataError, InvalidGraphError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import check_computational
from archpredict.networks.form import Form
from archpredict.predict.batch import Batch
from archpredict.predict.per_space import PerSpace
from archpredict.predict.sources.base import Source
from archpredict.progress import Event, Observer, silent
from archpredict.registry import names as names_of
from archpredict.tables.columns import listed, named

__all__ = ["Proxies", "columns_or_proxies"]

_READS = "this predictor reads zero-cost scores of networks"
_FENCE = 4.0
"""Scores further from the median than so many standard deviations (of a normal with these quartiles) are clipped."""
_MOST = 4096
"""Largest size of networks in a saved predictor; a hostile file must not make us build without end."""

_Scores = dict[Any, float]
"""Scores by choices or names of nodes, by proxy, and by how it is computed."""

_of_spaces: PerSpace[_Scores] = PerSpace(dict)
"""What was computed in this process, by space."""
_of_graphs: WeakKeyDictionary[ArchGraph, _Scores] = WeakKeyDictionary()
"""The same, by graph."""


@dataclass(frozen=True)
class Proxies(Source):
    """Zero-cost scores of untrained networks, computed of each architecture.

    Scores of positive proxies are read as logarithms; outliers are clipped to fences around the training set's
    quartiles, where scores that are not defined go to the lower one.

    Args:
        proxies: Names (see ``archpredict.proxies``).
        dataset: Reference of a data set (see ``archpredict.images``), for proxies that read images; networks are
            then in its form, else in that of CIFAR-10.
        network: Options of the space's ``network()``, such as ``channels``; computational graphs are networks as they
            are.
        seed: Of initial weights and batch.
        form: Form of the networks; set by :meth:`fit`.
        sha256: Of the data set; set by :meth:`fit`.
        bounds: ``(lower, upper)`` fence of each proxy; set by :meth:`fit`.

    Raises:
        UsageError: No proxies.

    Example:
        >>> from archpredict.spaces import load_space
        >>> batch = Batch.of([load_space("nasbench201").architecture([3, 0, 0, 1, 0, 3])])
        >>> Proxies(["macs", "params"]).compute(batch).round(1)
        array([[15.9, 11.2]])
    """

    name = "proxies"

    proxies: Sequence[str] = ()
    dataset: str | None = None
    network: Mapping[str, float] | None = None
    seed: int = 0
    form: Form | None = None
    sha256: str | None = None
    bounds: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.proxies, str) or not self.proxies:
            raise UsageError(
                f'the source proxies takes names, as in Proxies(["synflow"]); {self.proxies!r} was given; '
                f"choose from: {', '.join(names_of('proxies'))}"
            )
        object.__setattr__(self, "proxies", tuple(self.proxies))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.proxies)

    def fit(self, batch: Batch) -> Proxies:
        """These proxies with fences around the scores of a training set.

        Raises:
            UnknownNameError: There is no such proxy, or data set.
            UsageError: A proxy reads images and no data set is given; else what :meth:`compute` raises.
        """
        ready = self._ready()
        return replace(ready, bounds=tuple(_fences(column) for column in ready.compute(batch).T))

    def __call__(self, batch: Batch) -> FloatArray:
        """Scores ``(B, F)`` within the fences, all finite."""
        lower, upper = np.array(self.bounds).T
        scores = self.compute(batch)
        clipped: FloatArray = np.clip(np.where(np.isnan(scores), lower, scores), lower, upper)
        return clipped

    def compute(self, batch: Batch, observe: Observer = silent) -> FloatArray:
        """Scores ``(B, F)``, logarithms of positive ones; NaN where one is not defined.

        Each is computed once in a process, on the CPU.

        Args:
            batch: Architectures of spaces with a ``network()``, or computational graphs.
            observe: Told of the architectures done, after each that was not known.

        Raises:
            UsageError: A space without ``network()``, a graph that is no computational one, or packed graphs.
            DataError: The data set is not what it was.
        """
        ready = self._ready()
        how = json.dumps([ready._networks.describe(), ready.sha256, ready.seed], sort_keys=True)
        found = np.empty((len(batch), len(ready.proxies)))
        measure: _Measure | None = None
        for i, (place, remembered) in enumerate(_remembered(batch)):
            keys = [(place, name, how) for name in ready.proxies]
            if missing := [k for k, key in enumerate(keys) if key not in remembered]:
                measure = measure or _Measure(ready)
                scores = measure(batch, i, missing)
                remembered.update((keys[k], score) for k, score in zip(missing, scores, strict=True))
                observe(Event("zero-cost proxies", i + 1, len(batch)))
            found[i] = [remembered[key] for key in keys]
        return found

    @property
    def _networks(self) -> Form:
        assert self.form is not None  # that of a source made by _ready
        return self.form

    def _ready(self) -> Proxies:
        """With form and digest, which the data set tells."""
        if self.form is not None:
            return self
        from archpredict.images.base import load_images
        from archpredict.proxies.base import load_proxy

        images = None if self.dataset is None else load_images(self.dataset)
        for name in self.proxies:
            load_proxy(name, images)
        return replace(self, form=Form.of(images, self.network), sha256=None if images is None else images.sha256)

    # ------------------------------------------------------------------ saving

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON.

        Raises:
            UsageError: Proxies or a data set that are code of the user's own, which a saved predictor must not run.
        """
        if self.dataset is not None and not _is_own(self.dataset):
            raise UsageError(
                f"a predictor that reads zero-cost scores on {self.dataset} cannot be saved: a saved predictor opens "
                f"without code of your own; take a data set of archpredict: {', '.join(names_of('images'))}"
            )
        if references := [name for name in self.proxies if ":" in name]:
            raise UsageError(
                f"a predictor that reads the zero-cost proxy {references[0]} cannot be saved: a saved predictor opens "
                f"without code of your own; take proxies of archpredict: {', '.join(names_of('proxies'))}"
            )
        return {
            "names": list(self.proxies),
            "form": self._networks.describe(),
            "dataset": self.dataset,
            "sha256": self.sha256,
            "seed": self.seed,
            "bounds": [list(pair) for pair in self.bounds],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Proxies:
        """Read :meth:`to_dict`'s result.

        Raises:
            ValueError: It does not hold together, or names what does not come with archpredict.
        """
        names, dataset, sha256 = tuple(map(str, data["names"])), data["dataset"], data["sha256"]
        own = {spelt for name in names_of("proxies") for spelt in (name, name.replace("-", "_"))}
        if not names or not set(names) <= own:
            raise ValueError(f"its zero-cost proxies {', '.join(names)} are not those of archpredict")
        if dataset is not None and not _is_own(dataset):
            raise ValueError(f"its zero-cost scores are taken on {dataset}, no data set of archpredict")
        bounds = tuple((float(lower), float(upper)) for lower, upper in data["bounds"])
        if len(bounds) != len(names) or not all(-np.inf < lower <= upper < np.inf for lower, upper in bounds):
            raise ValueError("the fences of its zero-cost scores are not one finite pair each")
        form = _form(data["form"])
        return cls(names, dataset, dict(form.options) or None, int(data["seed"]), form, sha256, bounds)


def columns_or_proxies(wanted: Sequence[str], columns: Sequence[str], table: str | Path) -> tuple[list[str], list[str]]:
    """Names of columns, and of zero-cost proxies, among the features that are wanted; what is both is a column.

    Args:
        wanted: Names of features.
        columns: Names of the table's columns.
        table: What the message calls the table.

    Raises:
        DataError: A name that is neither.

    Example:
        >>> columns_or_proxies(["flops", "synflow", "macs"], ["architecture", "flops", "macs"], "cells.csv")
        (['flops', 'macs'], ['synflow'])
    """
    known = names_of("proxies")
    there = [name for name in wanted if named(columns, name) is not None]
    proxies = [name for name in wanted if name not in there and name.replace("_", "-") in known]
    if neither := [name for name in wanted if name not in (*there, *proxies)]:
        raise DataError(
            f"{table} has no column {neither[0]!r}, which the predictor reads as a feature; its columns are: "
            f"{listed(columns)}; zero-cost proxies are: {', '.join(known)}"
        )
    return there, proxies


def _remembered(batch: Batch) -> Iterator[tuple[Any, _Scores]]:
    """Under which key, and where, the scores of each architecture are kept."""
    if batch.packed is not None and not batch.origins:
        raise UsageError(f"{_READS}, which packed graphs do not have; give Architecture objects")
    spaces = {id(origin[0]): origin[0] for origin in batch.origins if origin is not None}
    found = {number: _of_spaces[space] for number, space in spaces.items()}
    for i, origin in enumerate(batch.origins):
        if origin is None:
            graph = batch.given_graphs[i]
            yield graph.names, _of_graphs.setdefault(graph, {})
        else:
            space, choices = origin
            yield choices, found[id(space)]


class _Measure:
    """Computes scores; holds what all architectures share."""

    def __init__(self, plan: Proxies) -> None:
        from archpredict.images.base import load_images
        from archpredict.proxies.base import batch_for, load_proxy

        images = None if plan.dataset is None else load_images(plan.dataset)
        if images is not None and images.sha256 != plan.sha256:
            raise DataError(
                f"the data set {plan.dataset} has the SHA-256 {images.sha256}, the predictor was fitted with scores "
                f"on {plan.sha256}; give the same files, or fit it again"
            )
        self._plan = plan
        self._proxies = [load_proxy(name, images) for name in plan.proxies]
        self._images = batch_for(self._proxies, images, seed=plan.seed)

    def __call__(self, batch: Batch, i: int, which: Sequence[int]) -> list[float]:
        graph = self._network(batch, i)
        found = []
        for proxy in (self._proxies[k] for k in which):
            score = np.float64(proxy.score_graph(graph, *self._images, seed=self._plan.seed))
            with np.errstate(divide="ignore", invalid="ignore"):
                score = np.log(score) if proxy.positive else score
            found.append(float(score) if np.isfinite(score) else np.nan)
        return found

    def _network(self, batch: Batch, i: int) -> ArchGraph:
        if (origin := batch.origins[i]) is not None:
            return self._plan._networks.graph(*origin)
        graph = batch.given_graphs[i]
        try:
            check_computational(graph)
        except InvalidGraphError as error:
            raise UsageError(
                f"this predictor reads zero-cost scores of whole networks ({', '.join(self._plan.proxies)}), which a "
                "bare cell does not tell; give Architecture objects of a space with network(), or computational graphs"
            ) from error
        return graph


def _form(data: Mapping[str, Any]) -> Form:
    """Read what :meth:`Form.describe` gave."""
    options = {str(name): int(value) for name, value in data["options"].items()}
    classes, size, channels = (int(data[name]) for name in ("num_classes", "image_size", "image_channels"))
    if not all(0 <= number <= _MOST for number in (*options.values(), classes, size, channels)):
        raise ValueError(f"the networks of its zero-cost scores have sizes out of bounds, above {_MOST}")
    return Form(classes, size, channels, options)


def _fences(scores: FloatArray) -> tuple[float, float]:
    known = scores[~np.isnan(scores)]
    if not len(known):
        return 0.0, 0.0
    first, middle, third = np.quantile(known, (0.25, 0.5, 0.75))
    reach = _FENCE * (third - first) / 1.349 if third > first else float(np.ptp(known))
    return float(middle - reach), float(middle + reach)


def _is_own(dataset: Any) -> bool:
    """Whether a reference is of a data set that comes with archpredict."""
    return isinstance(dataset, str) and dataset.partition(":")[0] in names_of("images")
