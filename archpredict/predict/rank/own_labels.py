"""Adaptation: a predictor adapted to labels that the user has of some of the models that are ranked."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.predict.predictor import Predictor
from archpredict.predict.rank.adaptation import MIN_LABELS, AdaptedPredictor, LeaveOneOut
from archpredict.spaces.base import Architecture
from archpredict.tables.model_labels import Labels, LabelsLike, read_labels

__all__ = ["Adaptation"]

_AGAINST = -0.3
"""Kendall's tau below which labels look as if fewer were better."""
_ALL_IN_TURN = 200


@dataclass(frozen=True, eq=False)
class Adaptation:
    """An adapted predictor, what it was adapted to, and how well that went.

    Args:
        ranker: The adapted predictor, for ``save``.
        labels: What it was adapted to.
        figures: Kendall's tau with them before and after.
    """

    ranker: AdaptedPredictor
    labels: Labels
    figures: LeaveOneOut

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "labels": self.labels.title,
            "models": self.figures.labels,
            "not_found": self.labels.missing,
            "tau_before": self.figures.before,
            "tau_after": self.figures.after,
        }

    def __str__(self) -> str:
        """The outcome of the adaptation, in one line."""
        return (
            f"Adapted to {self.figures.labels} labels of {self.labels.title}; Kendall's tau with them, each left "
            f"out in turn: {self.figures.before:.3f} before, {self.figures.after:.3f} after."
        )


def adapted(
    base: Predictor | AdaptedPredictor,
    name: str,
    source: LabelsLike,
    names: Sequence[str],
    architectures: Sequence[Architecture | ArchGraph],
    unreadable: Sequence[str] = (),
) -> Adaptation:
    """Adapt a predictor to the labels of some models; it stays as it is.

    Args:
        base: The predictor.
        name: What it is called.
        source: A table with the columns ``model`` and ``score``, or scores by model.
        names: What the models are called.
        architectures: The models as the predictor reads them.
        unreadable: Names of models that are there and could not be read: their labels are passed over.

    Raises:
        UsageError: The predictor is adapted already.
        DataError: The labels cannot be used (:func:`archpredict.tables.model_labels.read_labels`).
    """
    if isinstance(base, AdaptedPredictor):
        raise UsageError(
            f"the predictor {name} is adapted already; name the one it came from, and put all labels into one table"
        )
    labels = read_labels(source, names, unreadable, MIN_LABELS)
    ranker = AdaptedPredictor.fit(base, [architectures[i] for i in labels.models], labels.scores)
    figures = ranker.leave_one_out()
    if figures.before < _AGAINST and figures.labels >= 2 * MIN_LABELS:
        warnings.warn(
            f"{labels.title}: the scores go against the predictor's (Kendall's tau {figures.before:.2f}); "
            "if they are errors or latencies, give them with a minus: higher must be better",
            stacklevel=3,
        )
    ranker.card_ = _card(base, name, labels, figures)
    return Adaptation(ranker, labels, figures)


def _card(base: Predictor, name: str, labels: Labels, figures: LeaveOneOut) -> dict[str, Any]:
    data = labels.title if labels.path is None else labels.path.name
    return {
        "labels": f"score as in {data}, expected by {name} adapted to {figures.labels} labels",
        "data": data,
        "data_sha256": labels.sha256,
        "rows": figures.labels,
        "range": [float(labels.scores.min()), float(labels.scores.max())],
        "protocol": "leave-one-out" if figures.labels <= _ALL_IN_TURN else "a twentieth left out at a time",
        "kendall_tau_before": figures.before,
        "kendall_tau_after": figures.after,
        "adapted_from": {"name": name, "card": base.card_},
    }
