"""A leaderboard of predictors: whoever fits and predicts takes part, and figures follow from stored predictions.

A submission is a JSON file: a protocol, the digests of its table and splits, and the predictions of every trial, with
versions and the machine. :func:`check_submission` draws the splits anew and computes the figures from the predictions,
so that nobody's figures need to be believed; that the predictions come from the predictor has to be.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from archpredict import registry
from archpredict._typing import FloatArray, IntArray
from archpredict.errors import DataError, UsageError
from archpredict.predict.presets import Preset
from archpredict.predict.protocols import HoldOut, Protocol
from archpredict.predict.validation import Trial, evaluate_predictions
from archpredict.progress import Observer, silent
from archpredict.spaces.base import Architecture

__all__ = ["Entrant", "Notated", "check_submission", "entrant", "read_submission", "submission"]

_FORMAT = 1
_MAX_BYTES = 1_000_000_000
_FIGURES = ("kendall_tau", "spearman", "pearson", "n_at_k", "precision_at_k", "ndcg", "regret")
_TOLERANCE = 1e-9
"""By how much stated figures may differ from those that follow from the predictions."""
_SEEDS = ("seed", "random_state")


@dataclass(frozen=True, eq=False)
class Notated:
    """An architecture for programs that know nothing of this library.

    Args:
        notation: In the notation of the space.
        choices: ``(L,)`` its choices.
        operators: ``N`` labels of the nodes of its graph, with operations on nodes, in topological order.
        adjacency: ``(N, N)``, 1 where an edge leads from row to column.
    """

    notation: str
    choices: tuple[int, ...]
    operators: tuple[str, ...]
    adjacency: IntArray

    @classmethod
    def of(cls, architecture: Architecture) -> Notated:
        """The same architecture.

        Example:
            >>> from archpredict.spaces import load_space
            >>> cell = Notated.of(load_space("nasbench201").architecture([3, 0, 0, 3, 0, 3]))
            >>> cell.operators, cell.adjacency.sum(axis=1).tolist()
            (('input', 'nor_conv_3x3', 'output'), [1, 1, 0])
        """
        graph = architecture.graph.on_nodes
        adjacency = np.zeros((graph.num_nodes, graph.num_nodes), dtype=np.int64)
        for source, target in graph.edges:
            adjacency[source, target] = 1
        return cls(str(architecture), architecture.choices, graph.ops, adjacency)


class Entrant(BaseEstimator):  # type: ignore[misc]
    """A class with ``fit(X, y)`` and ``predict(X)``, as validation takes predictors: ``X`` is a list of Notated.

    Args:
        kind: The class; it is made without arguments, but for ``seed`` or ``random_state`` where it has one.
        seed: For that.

    Example:
        >>> class Longest:
        ...     def fit(self, X, y):
        ...         return self
        ...     def predict(self, X):
        ...         return [len(cell.operators) for cell in X]
        >>> from archpredict.spaces import load_space
        >>> space = load_space("nasbench201")
        >>> cells = space.architectures(np.array([[3] * 6, [3, 0, 0, 0, 0, 0]]))
        >>> Entrant(Longest).fit(cells, [1, 2]).predict(cells)
        array([8., 2.])
    """

    has_std = False

    def __init__(self, kind: Any, seed: int = 0) -> None:
        self.kind = kind
        self.seed = seed

    def fit(
        self,
        architectures: Sequence[Architecture],
        y: FloatArray,
        features: Mapping[str, Any] | None = None,
        observer: Observer = silent,
    ) -> Entrant:
        """Make an object of the class, and fit it."""
        taken = [name for name in _SEEDS if name in inspect.signature(self.kind).parameters]
        self.model_ = self.kind(**dict.fromkeys(taken[:1], self.seed))
        self.model_.fit(self.pack(architectures), np.asarray(y, dtype=np.float64))
        return self

    def pack(self, architectures: Sequence[Any], features: Mapping[str, Any] | None = None) -> list[Notated]:
        """Architectures as the class is given them."""
        return [Notated.of(one) if isinstance(one, Architecture) else one for one in architectures]

    def predict(self, architectures: Sequence[Any]) -> FloatArray:
        """Scores ``(n,)``, higher is better.

        Raises:
            UsageError: It gives other than one finite number for each.
        """
        packed = self.pack(architectures)
        try:
            found = np.asarray(self.model_.predict(packed), dtype=np.float64)
        except (ValueError, TypeError) as error:
            raise UsageError(f"predict of {self.kind.__name__} failed or gave no numbers: {error}") from error
        if found.shape != (len(packed),) or not np.isfinite(found).all():
            raise UsageError(
                f"predict of {self.kind.__name__} gives finite numbers of the shape ({len(packed)},), one for each "
                f"architecture; it gave {'some that are not finite' if found.shape == (len(packed),) else found.shape}"
            )
        return found


def entrant(reference: str) -> Entrant | None:
    """The entrant that ``module:Class`` or ``file.py:Class`` names; None for the name of a predictor of ours.

    Raises:
        UsageError: There is no such class, or it lacks a method.
    """
    if ":" not in reference:
        return None
    found = registry.find("predictors", reference)
    if isinstance(found, Preset) or callable(getattr(found, "arguments", None)):
        return None
    lacking = [name for name in ("fit", "predict") if not callable(getattr(found, name, None))]
    if not inspect.isclass(found) or lacking:
        raise UsageError(
            f"{reference} is no class with the methods fit(X, y) and predict(X)"
            + (f": it has no {' and no '.join(lacking)}" if inspect.isclass(found) else "")
            + ", and no named predictor"
        )
    return Entrant(found)


# ---------------------------------------------------------------------- submissions


def submission(name: str, protocol: Protocol, trials: Sequence[Trial], about: Mapping[str, Any]) -> dict[str, Any]:
    """A submission, as JSON has it.

    Args:
        name: What the predictor is called.
        protocol: Under which it was evaluated.
        trials: From :func:`archpredict.predict.validation.learning_curve`.
        about: Versions, machine, and whatever else is to be kept.
    """
    return {
        "archpredict_submission": _FORMAT,
        "predictor": name,
        "protocol": protocol.name,
        "table_sha256": table_digest(protocol),
        "about": dict(about),
        "trials": [
            {
                "n": trial.n,
                "seed": trial.seed,
                "split_sha256": split_digest(trial.split),
                "seconds": trial.seconds,
                "figures": {figure: trial.figures[figure] for figure in _FIGURES},
                "predicted": [float(score) for score in trial.predicted],
            }
            for trial in trials
        ],
    }


def read_submission(path: str | Path) -> dict[str, Any]:
    """A submission as it is in a file; nothing of it is believed.

    Raises:
        DataError: It is none, or there is no such file.
    """
    try:
        if Path(path).stat().st_size > _MAX_BYTES:
            raise DataError(f"{path} is larger than {_MAX_BYTES:,} bytes, the most that is read")
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON file: {error}; submit again") from error
    if not isinstance(content, dict) or content.get("archpredict_submission") != _FORMAT:
        raise DataError(f"{path} is no submission of the format {_FORMAT}; make it with `submit`")
    return content


def check_submission(content: Mapping[str, Any], protocol: Protocol) -> list[dict[str, float]]:
    """The figures of a submission's trials, computed from its predictions; each with ``labels`` and ``seed``.

    Args:
        content: From :func:`read_submission`.
        protocol: Of its name, read anew.

    Raises:
        DataError: It is of another protocol, table or split, lacks predictions, or states other figures.
    """
    if content.get("protocol") != protocol.name:
        raise DataError(f"the submission is for the protocol {content.get('protocol')!r}, not {protocol.name}")
    if content.get("table_sha256") != table_digest(protocol):
        raise DataError(f"the submission was made with another table than that of {protocol.name} here; bring that one")
    trials = content.get("trials")
    if not isinstance(trials, list) or not trials:
        raise DataError("the submission has no trials")
    found = [_checked(number, trial, protocol) for number, trial in enumerate(trials, start=1)]
    if len({(trial["labels"], trial["seed"]) for trial in found}) < len(found):
        raise DataError("the submission has a trial twice: the same number of labels and seed")
    return found


def _checked(number: int, trial: Any, protocol: Protocol) -> dict[str, float]:
    try:
        n, seed = int(trial["n"]), int(trial["seed"])
        predicted = np.array(trial["predicted"], dtype=np.float64)
        stated = {name: float(trial["figures"][name]) for name in _FIGURES}
        digest = trial["split_sha256"]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"trial {number} lacks what a trial has, or holds something else: {error}") from error
    if seed < 0:
        raise DataError(f"trial {number}: the seed is {seed}, expected at least 0")
    try:
        split = protocol.split(n, seed)
    except UsageError as error:
        raise DataError(f"trial {number}: {error}") from error
    if digest != split_digest(split):
        raise DataError(f"trial {number}: it was made on another split than that of {n} labels and seed {seed}")
    if predicted.shape != split.test.shape or not np.isfinite(predicted).all():
        raise DataError(f"trial {number}: expected {len(split.test):,} finite predictions, one for each test row")
    figures = evaluate_predictions(protocol.test_labels[split.test], predicted)
    for name, value in stated.items():
        if not np.isclose(value, figures[name], rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True):
            raise DataError(
                f"trial {number}: it states {name} {value:.6g}, and {figures[name]:.6g} follows from its predictions"
            )
    return {"labels": float(n), "seed": float(seed), **{name: figures[name] for name in _FIGURES}}


def table_digest(protocol: Protocol) -> str:
    """SHA-256 of what a protocol's table holds, whatever its file: choices and labels."""
    digest = hashlib.sha256(np.ascontiguousarray(protocol.choices, dtype="<i8").tobytes())
    for labels in (protocol.train_labels, protocol.test_labels):
        digest.update(np.ascontiguousarray(labels, dtype="<f8").tobytes())
    return digest.hexdigest()


def split_digest(split: HoldOut) -> str:
    """SHA-256 of the rows of a split, in their order."""
    rows = [np.ascontiguousarray(part, dtype="<i8").tobytes() for part in split]
    return hashlib.sha256(b"|".join(rows)).hexdigest()
