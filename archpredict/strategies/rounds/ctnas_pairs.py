"""What CTNAS does with comparisons: Algorithms 2 and 3 of the paper."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from archpredict._typing import FloatArray

Confidence = Literal["distance", "probability"]


def mean_win_rate(p: FloatArray) -> FloatArray:
    """Mean probability of beating the others (CTNAS, equation 5): ``s_i = 1 / (n - 1) sum over j != i of p_ij``.

    Args:
        p: ``(n, n)`` probabilities that row beats column; the diagonal does not count.

    Returns:
        ``(n,)``; all 1/2 for a single architecture.

    Example:
        >>> mean_win_rate(np.array([[0.5, 0.9, 0.6], [0.1, 0.5, 0.2], [0.4, 0.8, 0.5]]))
        array([0.75, 0.15, 0.6 ])
    """
    n = len(p)
    if n == 1:
        return np.full(1, 0.5)
    rates: FloatArray = (p.sum(axis=1) - np.diag(p)) / (n - 1)
    return rates


def confident_pairs(
    p: FloatArray,
    k: int,
    by: Confidence = "distance",
    partner: npt.NDArray[np.int64] | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Data exploration (CTNAS, Algorithm 3): the ``k`` pairs whose predicted label is the most certain.

    Args:
        p: ``(n, n)`` probabilities that row beats column.
        k: How many pairs to keep at most.
        by: ``distance``, the paper's confidence ``|p - 1/2|``; ``probability``, the published code's top ``p``, which
            labels nearly everything positive.
        partner: ``(n,)`` the one opponent of each architecture, as in the published code; all ``n (n - 1) / 2`` pairs
            if left out.

    Returns:
        First and second architecture of each pair and its label ``1[p >= 1/2]``, ``(k,)`` each, most certain first.

    Example:
        >>> confident_pairs(np.array([[0.5, 0.9, 0.6], [0.1, 0.5, 0.2], [0.4, 0.8, 0.5]]), k=2)
        (array([0, 1]), array([1, 2]), array([1., 0.], dtype=float32))
    """
    first, second = np.triu_indices(len(p), k=1) if partner is None else (np.arange(len(p)), partner)
    probability = p[first, second]
    confidence = np.abs(probability - 0.5) if by == "distance" else probability
    best = np.argsort(-confidence, kind="stable")[:k]
    return first[best], second[best], (probability[best] >= 0.5).astype(np.float32)
