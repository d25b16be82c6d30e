"""Recommendations of strategies that have a predictor: labels and predictions in one order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archpredict.spaces.base import Architecture, Choices
from archpredict.strategies.base import Problem, Recommendation

Candidate = tuple[Choices, float]
"""An architecture's choices and its predicted score."""


def with_predicted(
    problem: Problem, labelled: Sequence[Recommendation], candidates: Sequence[Candidate], told: set[str]
) -> list[Recommendation]:
    """Labelled architectures by their label, and what cannot be labelled by its predicted score, best first.

    An architecture that could have been labelled comes, by its prediction, only after all that were.

    Args:
        problem: What is searched.
        labelled: The best that were labelled, best first.
        candidates: The best that were predicted, best first.
        told: Keys of everything that was evaluated, which are left out of the candidates.
    """
    if not candidates:
        return list(labelled)
    can_label = problem.can_label(np.array([choices for choices, _ in candidates], dtype=np.int64))
    predicted = [
        (Recommendation(Architecture(problem.space, choices), score, evaluated=False), bool(can))
        for (choices, score), can in zip(candidates, can_label, strict=True)
    ]
    predicted = [(r, can) for r, can in predicted if r.architecture.key not in told]
    outside = [r for r, can in predicted if not can]
    merged = sorted([*labelled, *outside], key=lambda r: -(r.score if r.score is not None else -np.inf))
    worst = merged[-1].score if merged else None
    return [*merged, *(r for r, can in predicted if can and (worst is None or (r.score or 0.0) <= worst))]


def distinct_first(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates in their order, those that the predictor cannot tell from an earlier one put last.

    Example:
        >>> distinct_first([((0, 1), 0.9), ((1, 0), 0.9), ((0, 0), 0.5)])
        [((0, 1), 0.9), ((0, 0), 0.5), ((1, 0), 0.9)]
    """
    seen: set[str] = set()
    distinct, twins = list[Candidate](), list[Candidate]()
    for candidate in candidates:
        score = f"{candidate[1]:.6g}"
        (twins if score in seen else distinct).append(candidate)
        seen.add(score)
    return distinct + twins
