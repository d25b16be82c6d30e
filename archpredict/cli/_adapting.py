"""``rank --labels``: the predictor bent to models that the user has measured, judged, and kept."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archpredict.errors import RunError, UsageError
from archpredict.tables.model_labels import Labels, read_labels

if TYPE_CHECKING:
    from archpredict.onnx.reader import OnnxModel
    from archpredict.predict.adaptation import AdaptedPredictor, LeaveOneOut
    from archpredict.predict.predictor import Predictor

_AGAINST = -0.3
"""Kendall's tau below which labels look as if fewer were better."""


@dataclass(frozen=True, eq=False)
class Adaptation:
    """The adapted predictor, what it was adapted to, and how well that went."""

    ranker: AdaptedPredictor
    labels: Labels
    figures: LeaveOneOut
    saved: Path | None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "labels": self.labels.title,
            "models": self.figures.labels,
            "not_found": self.labels.missing,
            "tau_before": self.figures.before,
            "tau_after": self.figures.after,
            "saved": None if self.saved is None else str(self.saved),
        }

    def sentence(self) -> str:
        """How well it went, in one line."""
        return (
            f"Adapted to {self.figures.labels} labels of {self.labels.title}; Kendall's tau with them, each left "
            f"out in turn: {self.figures.before:.3f} before, {self.figures.after:.3f} after."
        )


def check_save(out: Path) -> None:
    """The folder for ``--save`` can be made or replaced: nothing but an adapted predictor is overwritten."""
    from archpredict.cli._output import check_folder
    from archpredict.predict.adaptation import MANIFEST

    check_folder(out)
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise UsageError(f"the folder {out} is not empty and holds no adapted predictor; choose another one for --save")


def adapt(
    base: Predictor | AdaptedPredictor, name: str, table: Path, models: Sequence[OnnxModel], unreadable: Sequence[str]
) -> Adaptation:
    """Adapt the predictor called ``name`` to the models that the table has a score of."""
    from archpredict.predict.adaptation import MIN_LABELS, AdaptedPredictor

    if isinstance(base, AdaptedPredictor):
        raise UsageError(
            f"the predictor {name} is adapted already; name the one it came from, and put all labels into one table"
        )
    labels = read_labels(table, [str(model.path) for model in models], unreadable, MIN_LABELS)
    adapted = AdaptedPredictor.fit(base, [models[i].graph for i in labels.models], labels.scores)
    figures = adapted.leave_one_out()
    if figures.before < _AGAINST and figures.labels >= 2 * MIN_LABELS:
        warnings.warn(
            f"{table}: the scores go against the predictor's (Kendall's tau {figures.before:.2f}); "
            "if they are errors or latencies, give them with a minus: higher must be better",
            stacklevel=2,
        )
    adapted.card_ = _card(base, name, table, labels, figures)
    return Adaptation(adapted, labels, figures, None)


def _card(base: Predictor, name: str, table: Path, labels: Labels, figures: LeaveOneOut) -> dict[str, Any]:
    return {
        "labels": f"score as in {table.name}, expected by {name} adapted to {figures.labels} labels",
        "data": table.name,
        "data_sha256": labels.sha256,
        "rows": figures.labels,
        "range": [float(labels.scores.min()), float(labels.scores.max())],
        "protocol": "leave-one-out" if figures.labels <= 200 else "a twentieth left out at a time",
        "kendall_tau_before": figures.before,
        "kendall_tau_after": figures.after,
        "adapted_from": {"name": name, "card": base.card_},
    }


def save(ranker: AdaptedPredictor, out: Path) -> None:
    """Write a folder beside the one that is wanted, then put it there: what was there stays until the new one is."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.resolve().parent) as folder:
            new, old = Path(folder, "new"), Path(folder, "old")
            ranker.save(new)
            if out.exists():
                os.replace(out, old)
            os.replace(new, out)
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise RunError(
            f"cannot save the predictor in {out}: {error.strerror or error}; choose another place"
        ) from error
