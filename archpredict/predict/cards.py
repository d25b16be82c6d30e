"""Cards: what users of a saved predictor should know of its labels, its training and its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict.graph.arch_graph import ArchGraph
from archpredict.predict.predictor import Predictor
from archpredict.predict.sources.proxies import Proxies
from archpredict.predict.validation import Summary
from archpredict.regressors.base import sampled_rows
from archpredict.spaces.base import Architecture

__all__ = ["fitted_card", "judged_by_others", "own_figures", "proxies_of"]

_MOST_JUDGED = 10_000
_FIGURES = ("kendall_tau", "spearman", "seconds")


def fitted_card(
    predictor: Predictor,
    labels: npt.ArrayLike,
    *,
    name: str,
    about: Mapping[str, Any],
    seconds: float,
    features: Sequence[str] = (),
    folds: int | None = None,
    summary: Summary | None = None,
) -> dict[str, Any]:
    """The card of a predictor that was fitted to labels.

    Args:
        predictor: The predictor; its seed is told.
        labels: ``(n,)`` what it was fitted to.
        name: What it is called.
        about: What is to be said of the labels: where they are from and what they mean.
        seconds: How long fitting took.
        features: Names of the further columns it reads.
        folds: Of the cross-validation that the summary is of.
        summary: Figures of that cross-validation, if there was one.

    Example:
        >>> from archpredict.spaces import load_space
        >>> cells = load_space("nasbench201").architectures(np.eye(6, dtype=int))
        >>> ridge = Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0}).fit(cells, range(6))
        >>> card = fitted_card(ridge, range(6), name="ridge", about={"labels": "counted"}, seconds=0.1)
        >>> card["labels"], card["rows"], card["range"]
        ('counted', 6, [0.0, 5.0])
    """
    numbers, proxies = np.asarray(labels, dtype=np.float64), proxies_of(predictor)
    card: dict[str, Any] = {
        "predictor": name,
        **about,
        "rows": len(numbers),
        "range": [float(numbers.min()), float(numbers.max())],
        "features": list(features),
        "proxies": [] if proxies is None else list(proxies.names),
        "transfer": predictor.transfer_,
        "seed": int(predictor.seed),
        "seconds": round(seconds, 2),
    }
    if predictor.held_out_error_ is not None:
        card["held_out_error"] = round(predictor.held_out_error_, 6)
    if summary is not None:
        card["protocol"] = f"{folds}-fold cross-validation, seed {predictor.seed}, isomorphic rows in one fold"
        card["cross_validation"] = {name: _figures(summary)}
    return card


def judged_by_others(
    predictor: Predictor,
    architectures: Sequence[Architecture] | Sequence[ArchGraph],
    labels: npt.ArrayLike,
    features: Mapping[str, npt.ArrayLike],
) -> dict[str, Any]:
    """How a predictor ranks architectures that were given to its fit, which learnt from a sample of them.

    Args:
        predictor: The predictor, just fitted.
        architectures: All ``n`` that it was given.
        labels: ``(n,)`` their labels.
        features: ``(n,)`` numbers by name.

    Returns:
        Kendall's tau on a random 10,000 at most of those that were not learnt from, for the card; nothing where all
        were.
    """
    numbers, learnt = np.asarray(labels, dtype=np.float64), predictor.rows_learnt(len(architectures))
    others = np.setdiff1d(np.arange(len(architectures)), learnt, assume_unique=True)
    others = others[sampled_rows(len(others), _MOST_JUDGED, int(predictor.seed))]
    if len(others) < 2 or np.ptp(numbers[others]) == 0:
        return {}
    columns = {name: np.asarray(column)[others] for name, column in features.items()}
    tau = predictor.score([architectures[i] for i in others.tolist()], numbers[others], columns)
    return {"rows_learnt": len(learnt), "others": {"rows": len(others), "kendall_tau": round(tau, 4)}}


def own_figures(card: Mapping[str, Any]) -> dict[str, float]:
    """The cross-validated figures of the predictor itself on a card, which come after those of base lines.

    Example:
        >>> own_figures({"cross_validation": {"parameters": {"kendall_tau": 0.4}, "mine": {"kendall_tau": 0.7}}})
        {'kendall_tau': 0.7}
        >>> own_figures({})
        {}
    """
    figures = card.get("cross_validation") or {}
    return dict(list(figures.values())[-1]) if figures else {}


def proxies_of(predictor: Predictor) -> Proxies | None:
    """The zero-cost scores that a predictor reads, or will read once fitted; None where it reads none."""
    if "ensemble_" in vars(predictor):
        return predictor.spec_.source(Proxies)
    return next((source for source in predictor.sources if isinstance(source, Proxies)), None)


def _figures(summary: Summary) -> dict[str, float]:
    """Means and standard deviations over the folds, rounded."""
    found = {}
    for name in _FIGURES:
        found[name], found[f"{name}_std"] = round(summary.mean[name], 4), round(summary.std[name], 4)
    return found
