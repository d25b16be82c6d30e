"""Zero-cost scores of untrained networks as numbers that predictors read beside the graph."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from archpredict._typing import FloatArray
from archpredict.errors import DataError, InvalidGraphError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import check_computational
from archpredict.networks.form import Form
from archpredict.predict._items import Item, graph_of
from archpredict.registry import names as known_names
from archpredict.spaces.base import Architecture, SearchSpace

__all__ = ["ProxyFeatures", "planned"]

Observe = Callable[[int, int], None]

_FENCE = 4.0
"""Scores further from the median than so many standard deviations (of a normal with these quartiles) are clipped."""
_MOST = 4096
"""Largest size of networks in a saved predictor; a hostile file must not make us build without end."""

_scores: WeakKeyDictionary[SearchSpace | ArchGraph, dict[Any, float]] = WeakKeyDictionary()
"""What was computed in this process, by space or graph, then by choices, proxy and how it is computed."""


@dataclass(frozen=True)
class ProxyFeatures:
    """Which zero-cost proxies are computed, of which networks, with which images.

    Scores of positive proxies are read as logarithms; outliers are clipped to fences around the training set's
    quartiles, where scores that are not defined go to the lower one.

    Args:
        names: Of the proxies.
        form: Of the networks that architectures become; computational graphs are networks as they are.
        dataset: Reference of the data set, e.g. ``digits``; None where no proxy reads images.
        sha256: Of the data set.
        seed: Of initial weights and batch.
        bounds: ``(lower, upper)`` fence of each; set by :meth:`fit`.
    """

    names: tuple[str, ...]
    form: Form
    dataset: str | None = None
    sha256: str | None = None
    seed: int = 0
    bounds: tuple[tuple[float, float], ...] = ()

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        *,
        dataset: str | None = None,
        network: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> ProxyFeatures:
        """Scores that are to be computed.

        Args:
            names: Of proxies (see ``archpredict.proxies``).
            dataset: Reference of a data set (see ``archpredict.images``), for proxies that read images; networks are
                then in its form, else in that of CIFAR-10.
            network: Options of the space's ``network()``, such as ``channels``.
            seed: Of initial weights and batch.

        Raises:
            UnknownNameError: There is no such proxy, or data set.
            UsageError: A proxy reads images and no data set is given.

        Example:
            >>> from archpredict.spaces import load_space
            >>> cell = load_space("nasbench201").architecture([3, 0, 0, 1, 0, 3])
            >>> ProxyFeatures.of(["macs", "params"]).compute([cell]).round(1)
            array([[15.9, 11.2]])
        """
        from archpredict.images.base import load_images
        from archpredict.proxies.base import load_proxy

        images = None if dataset is None else load_images(dataset)
        for name in names:
            load_proxy(name, images)
        return cls(tuple(names), Form.of(images, network), dataset, None if images is None else images.sha256, seed)

    # ------------------------------------------------------------------ scores

    def compute(self, items: Sequence[Item], observe: Observe | None = None) -> FloatArray:
        """Scores ``(G, K)``, logarithms of positive ones; NaN where one is not defined.

        Each is computed once in a process, on the CPU.

        Args:
            items: ``G`` architectures of spaces with a ``network()``, or computational graphs.
            observe: Called with (architectures done, of how many) after each that was not known.

        Raises:
            UsageError: A space without ``network()``, or a graph that is no computational one.
            DataError: The data set is not what it was.
        """
        how = json.dumps([self.form.describe(), self.sha256, self.seed], sort_keys=True)
        found = np.empty((len(items), len(self.names)))
        measure: _Measure | None = None
        for i, item in enumerate(items):
            known, place = _remembered(item)
            keys = [(place, name, how) for name in self.names]
            if missing := [k for k, key in enumerate(keys) if key not in known]:
                measure = measure or _Measure(self)
                scores = measure(item, missing)
                known.update((keys[k], score) for k, score in zip(missing, scores, strict=True))
                if observe is not None:
                    observe(i + 1, len(items))
            found[i] = [known[key] for key in keys]
        return found

    def fit(self, items: Sequence[Item]) -> ProxyFeatures:
        """These features with fences around the scores of a training set."""
        return replace(self, bounds=tuple(_fences(column) for column in self.compute(items).T))

    def columns(self, items: Sequence[Item]) -> FloatArray:
        """Scores ``(G, K)`` within the fences, all finite."""
        lower, upper = np.array(self.bounds).T
        scores = self.compute(items)
        clipped: FloatArray = np.clip(np.where(np.isnan(scores), lower, scores), lower, upper)
        return clipped

    # ------------------------------------------------------------------ saving

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON.

        Raises:
            UsageError: The data set is read by a class of the user's own, which a saved predictor must not run.
        """
        if self.dataset is not None and not _is_own(self.dataset):
            raise UsageError(
                f"a predictor that reads zero-cost scores on {self.dataset} cannot be saved: a saved predictor opens "
                f"without code of your own; take a data set of archpredict: {', '.join(known_names('images'))}"
            )
        return {
            "names": list(self.names),
            "form": self.form.describe(),
            "dataset": self.dataset,
            "sha256": self.sha256,
            "seed": self.seed,
            "bounds": [list(pair) for pair in self.bounds],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ProxyFeatures:
        """Read :meth:`to_dict`'s result.

        Raises:
            ValueError: It does not hold together, or names what does not come with archpredict.
        """
        names, dataset, sha256 = tuple(map(str, data["names"])), data["dataset"], data["sha256"]
        own = {spelt for name in known_names("proxies") for spelt in (name, name.replace("-", "_"))}
        if not names or not set(names) <= own:
            raise ValueError(f"its zero-cost proxies {', '.join(names)} are not those of archpredict")
        if dataset is not None and not _is_own(dataset):
            raise ValueError(f"its zero-cost scores are taken on {dataset}, no data set of archpredict")
        bounds = tuple((float(lower), float(upper)) for lower, upper in data["bounds"])
        if len(bounds) != len(names) or not all(-np.inf < lower <= upper < np.inf for lower, upper in bounds):
            raise ValueError("the fences of its zero-cost scores are not one finite pair each")
        return cls(names, _form(data["form"]), dataset, sha256, int(data["seed"]), bounds)


def _remembered(item: Item) -> tuple[dict[Any, float], Any]:
    """Where scores of an item are kept, and under which key."""
    if isinstance(item, Architecture):
        return _scores.setdefault(item.space, {}), item.choices
    return _scores.setdefault(graph_of(item), {}), item.names


class _Measure:
    """Computes scores; holds what all architectures share."""

    def __init__(self, plan: ProxyFeatures) -> None:
        from archpredict.images.base import load_images
        from archpredict.proxies.base import batch_for, load_proxy

        images = None if plan.dataset is None else load_images(plan.dataset)
        if images is not None and images.sha256 != plan.sha256:
            raise DataError(
                f"the data set {plan.dataset} has the SHA-256 {images.sha256}, the predictor was fitted with scores "
                f"on {plan.sha256}; give the same files, or fit it again"
            )
        self._plan = plan
        self._proxies = [load_proxy(name, images) for name in plan.names]
        self._batch = batch_for(self._proxies, images, seed=plan.seed)

    def __call__(self, item: Item, which: Sequence[int]) -> list[float]:
        graph = self._network(item)
        found = []
        for proxy in (self._proxies[k] for k in which):
            score = np.float64(proxy.score_graph(graph, *self._batch, seed=self._plan.seed))
            with np.errstate(divide="ignore", invalid="ignore"):
                score = np.log(score) if proxy.positive else score
            found.append(float(score) if np.isfinite(score) else np.nan)
        return found

    def _network(self, item: Item) -> ArchGraph:
        if isinstance(item, Architecture):
            return self._plan.form.graph(item.space, item.choices)
        try:
            check_computational(item)
        except InvalidGraphError as error:
            raise UsageError(
                f"this predictor reads zero-cost scores of whole networks ({', '.join(self._plan.names)}), which a "
                "bare cell does not tell; give Architecture objects of a space with network(), or computational graphs"
            ) from error
        return item


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
    return isinstance(dataset, str) and dataset.partition(":")[0] in known_names("images")


def planned(names: Sequence[str], options: Mapping[str, Any] | None) -> ProxyFeatures | None:
    """:meth:`ProxyFeatures.of` names and options; None where there are no names."""
    return ProxyFeatures.of(names, **(options or {})) if names else None
