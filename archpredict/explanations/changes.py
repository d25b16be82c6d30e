"""What one change of an architecture would do, and what makes one of two architectures better."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from archpredict._typing import FloatArray, IntArray
from archpredict.errors import UsageError
from archpredict.explanations.places import Place, place_of
from archpredict.explanations.shapley import MOST_PARTS, coalitions, shapley_values
from archpredict.predict.predictor import Predictor
from archpredict.spaces.base import Architecture

__all__ = ["Changes", "Difference", "OneChange", "changes", "differences"]

_ORDERS = 128
"""Orders of the differences that are looked at where these are too many for all of them."""


@dataclass(frozen=True)
class OneChange:
    """One step from an architecture: one choice is another one.

    Args:
        place: Number of the choice.
        what: What changes, where, before and after.
        architecture: After the change.
        gain: How much more it is predicted to score.
        std: Standard deviation of the gain, None where the predictor has none. It is that of two predictions whose
            errors have nothing to do with each other; those of alike architectures do, so that it is rather too large.
        better: Probability that it is better, by the predictor's own comparison.
        at: The one node or edge that it changes; None where it changes several.
        same: Nodes and edges whose change leads to an isomorphic architecture.
    """

    place: int
    what: str
    architecture: Architecture
    gain: float
    std: float | None
    better: float
    at: Place | None = None
    same: tuple[Place, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        named = {"choice": self.place, "change": self.what, "architecture": str(self.architecture)}
        told = {"gain": self.gain, "std": self.std, "better": self.better, "same": list(map(str, self.same))}
        return {**named, **_place(self.at), **told}


@dataclass(frozen=True)
class Changes:
    """All changes of one choice, the one with the largest gain first.

    Args:
        architecture: What is changed.
        score: What it is predicted to score.
        std: Standard deviation of that, None where the predictor has none.
        steps: The changes; of those that lead to isomorphic architectures the first, and none that changes nothing.
    """

    architecture: Architecture
    score: float
    std: float | None
    steps: tuple[OneChange, ...]


@dataclass(frozen=True)
class Difference:
    """One choice in which two architectures differ.

    Args:
        place: Number of the choice.
        what: What differs, where, in the second and in the first.
        gain: What it adds to the predicted score of the first, compared with the second.
        at: The one node or edge of the second that differs; None where several do.
    """

    place: int
    what: str
    gain: float
    at: Place | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"choice": self.place, "difference": self.what, **_place(self.at), "gain": self.gain}


def changes(predictor: Predictor, architecture: Architecture) -> Changes:
    """Every architecture one step away, with what it is predicted to gain.

    Args:
        predictor: Fitted on the space.
        architecture: The architecture.

    Raises:
        UsageError: The predictor reads numbers of one's own, which no change tells.

    Example:
        >>> from archpredict.spaces import load_space
        >>> space = load_space("nasbench201")
        >>> cells = space.architectures(space.sample(60, np.random.default_rng(0)))
        >>> convolutions = [sum(choice == 3 for choice in cell.choices) for cell in cells]
        >>> predictor = Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0}).fit(cells, convolutions)
        >>> found = changes(predictor, space.architecture([3, 0, 3, 1, 3, 3]))
        >>> len(found.steps), found.steps[0].what, found.steps[0].gain > 0
        (23, 'edge 0→3: skip_connect → nor_conv_3x3', True)
    """
    _check(predictor)
    space = architecture.space
    alike: dict[str, list[Architecture]] = {}
    for other in space.architectures(space.neighbours(architecture.choices)):
        if other.key != architecture.key:
            alike.setdefault(other.key, []).append(other)
    near = [first for first, *_ in alike.values()]
    scores, stds = _predicted(predictor, [architecture, *near])
    better = predictor.compare(near, [architecture])[:, 0] if near else np.zeros(0)
    found = []
    for i, (other, *others) in enumerate(alike.values(), start=1):
        place = next(p for p, (a, b) in enumerate(zip(architecture.choices, other.choices, strict=True)) if a != b)
        std = None if stds is None else float(np.hypot(stds[0], stds[i]))
        gain = float(scores[i] - scores[0])
        what, at = _said(architecture, other)
        same = tuple([at for _, at in (_said(architecture, each) for each in others) if at is not None])
        found.append(OneChange(place, what, other, gain, std, float(better[i - 1]), at, same))
    found.sort(key=lambda change: -change.gain)
    return Changes(architecture, float(scores[0]), None if stds is None else float(stds[0]), tuple(found))


def differences(predictor: Predictor, first: Architecture, second: Architecture, *, seed: int = 0) -> list[Difference]:
    """What makes the first of two architectures better, or worse, than the second.

    Each choice in which they differ gets its Shapley value (:func:`archpredict.explanations.shapley.shapley_values`):
    what it adds, on average over all orders in which one could turn into the other. Together they are the difference of
    the predicted scores. Where a mixture of both is not legal, the other one's choice takes the place of what may not
    be. With more than 14 differences the orders are 128 random ones.

    Args:
        predictor: Fitted on the space.
        first: One architecture.
        second: Another one of the same space.
        seed: Of the random orders.

    Raises:
        UsageError: They are of two spaces, or the predictor reads numbers of one's own.

    Example:
        >>> from archpredict.spaces import load_space
        >>> space = load_space("nasbench201")
        >>> cells = space.architectures(space.sample(60, np.random.default_rng(0)))
        >>> convolutions = [sum(choice == 3 for choice in cell.choices) for cell in cells]
        >>> predictor = Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0}).fit(cells, convolutions)
        >>> a, b = space.architecture([3, 3, 3, 3, 3, 3]), space.architecture([3, 0, 3, 1, 3, 3])
        >>> found = differences(predictor, a, b)
        >>> sorted((each.place, each.what, each.gain > 0) for each in found)
        [(1, 'edge 0→2: none → nor_conv_3x3', True), (3, 'edge 0→3: skip_connect → nor_conv_3x3', True)]
        >>> bool(np.isclose(sum(each.gain for each in found), np.subtract(*predictor.predict([a, b]))))
        True
    """
    _check(predictor)
    if first.space != second.space:
        raise UsageError(
            f"the first architecture is of the space {first.space.name}, the second of {second.space.name}; give two "
            "of one space"
        )
    places = [p for p, (a, b) in enumerate(zip(first.choices, second.choices, strict=True)) if a != b]
    if not places:
        return []
    added = _added(lambda taken: _mixed_scores(predictor, first, second, places, taken), len(places), seed)
    found = []
    for place, gain in zip(places, added.tolist(), strict=True):
        only = list(second.choices)
        only[place] = first.choices[place]
        legal = bool(first.space.is_valid(np.array([only]))[0])
        what, at = _said(second, Architecture(first.space, tuple(only))) if legal else (f"choice {place}", None)
        found.append(Difference(place, what, gain, at))
    return sorted(found, key=lambda difference: -difference.gain)


def _said(before: Architecture, after: Architecture) -> tuple[str, Place | None]:
    """What changes: a place of the graph, or, where it is none, what is another in the notation."""
    space = before.space
    at = place_of(space.outline(before.choices), space.outline(after.choices))
    return (_in_notation(before, after) if at is None else str(at)), at


def _place(at: Place | None) -> dict[str, str | None]:
    if at is None:
        return dict.fromkeys(("where", "before", "after"))
    return {"where": at.where, "before": at.before, "after": at.after}


def _in_notation(before: Architecture, after: Architecture) -> str:
    """What changes in the notation, as ``before → after``."""
    one, other = (re.findall(r"[^\s|+,()\[\]{}'\"]+", str(a)) for a in (before, after))
    parts = []
    for kind, i, j, k, m in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if kind != "equal":
            parts.append(f"{' '.join(one[i:j]) or 'nothing'} → {' '.join(other[k:m]) or 'nothing'}")
    return ", ".join(parts)


def _check(predictor: Predictor) -> None:
    if predictor.feature_names_:
        raise UsageError(
            f"the predictor also reads {', '.join(predictor.feature_names_)}, which an architecture alone does not "
            "tell; take another one"
        )


def _predicted(predictor: Predictor, architectures: Sequence[Architecture]) -> tuple[FloatArray, FloatArray | None]:
    if predictor.has_std:
        scores, stds = predictor.predict(architectures, return_std=True)
        return scores, stds
    return predictor.predict(architectures), None


def _added(score: Callable[[FloatArray], FloatArray], parts: int, seed: int) -> FloatArray:
    """``(n,)`` Shapley values of a number of ``(m, n)`` sets of parts."""
    if parts <= MOST_PARTS:
        return shapley_values(score(coalitions(parts).astype(np.float64)))
    rng = np.random.default_rng(seed)
    orders = np.array([rng.permutation(parts) for _ in range(_ORDERS)])
    place = np.argsort(orders, axis=1)
    sets = (place[:, None, :] < np.arange(parts + 1)[None, :, None]).astype(np.float64)  # (orders, n + 1, n)
    values = score(sets.reshape(-1, parts)).reshape(_ORDERS, parts + 1)
    steps = np.take_along_axis(np.diff(values, axis=1), place, axis=1)
    found: FloatArray = steps.mean(axis=0)
    return found


def _mixed_scores(
    predictor: Predictor, first: Architecture, second: Architecture, places: Sequence[int], taken: FloatArray
) -> FloatArray:
    """``(m,)`` predictions for mixtures: of the first where a set has a place, else of the second."""
    wanted = np.repeat(np.array([second.choices]), len(taken), axis=0)
    for column, place in enumerate(places):
        wanted[taken[:, column] > 0, place] = first.choices[place]
    rows = _legal(wanted, first, second)
    distinct, back = np.unique(rows, axis=0, return_inverse=True)
    scores: FloatArray = predictor.predict(first.space.architectures(distinct))[back.ravel()]
    return scores


def _legal(wanted: IntArray, first: Architecture, second: Architecture) -> IntArray:
    """The rows with what may not be replaced: by the other one's choice, else by the first that may."""
    rows, everyone = wanted.copy(), np.arange(len(wanted))
    for place, pair in enumerate(zip(first.choices, second.choices, strict=True)):
        legal = first.space.mask(rows[:, :place])
        for choice in pair:
            bad = ~legal[everyone, rows[:, place]]
            rows[bad, place] = choice
        bad = ~legal[everyone, rows[:, place]]
        rows[bad, place] = legal[bad].argmax(axis=1)
    return rows
