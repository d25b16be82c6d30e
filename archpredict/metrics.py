"""How well predicted scores rank architectures: thin over scipy and scikit-learn.

Everywhere: the true scores come first, higher is better, and a figure that is not defined is NaN. Where
several predictions are equal, the truly worse architecture counts as ranked higher, so that a figure depends
neither on the order of the arrays nor on luck, and a constant prediction earns nothing.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict.errors import UsageError

FloatArray = npt.NDArray[np.float64]


def kendall_tau(true: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    r"""Kendall's tau-b.

    M. G. Kendall, "The treatment of ties in ranking problems", Biometrika 33, 1945:
    :math:`(C - D) / \sqrt{(C + D + T_t)(C + D + T_p)}` over pairs that are concordant, discordant, or tied in
    one of the two.

    Args:
        true: ``(n,)`` true scores.
        predicted: ``(n,)`` predicted scores.

    Returns:
        Between -1 and 1; NaN where either is constant or there are fewer than two.

    Raises:
        UsageError: The arrays are not of one length.

    Example:
        >>> round(kendall_tau([1, 2, 3, 4], [10, 30, 20, 40]), 4)
        0.6667
    """
    from scipy.stats import kendalltau

    return _correlation(kendalltau, true, predicted)


def spearman(true: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Spearman's rank correlation: Pearson's of the (average) ranks. Arguments as in :func:`kendall_tau`.

    Example:
        >>> round(spearman([1, 2, 3, 4], [10, 30, 20, 40]), 4)
        0.8
    """
    from scipy.stats import spearmanr

    return _correlation(spearmanr, true, predicted)


def pearson(true: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Pearson's linear correlation. Arguments as in :func:`kendall_tau`.

    Example:
        >>> round(pearson([1, 2, 3], [5, 7, 9]), 4)
        1.0
    """
    from scipy.stats import pearsonr

    return _correlation(pearsonr, true, predicted)


def n_at_k(true: npt.ArrayLike, predicted: npt.ArrayLike, k: int) -> float:
    """N@K: the best true rank among the ``k`` architectures that are predicted best; 1 is best.

    Ning et al., "A generic graph-based neural architecture encoding scheme for predictor-based NAS", 2020,
    arXiv 2004.01899. Equal true scores share the better rank.

    Args:
        true: ``(n,)`` true scores.
        predicted: ``(n,)`` predicted scores.
        k: How many are looked at, 1 to n.

    Raises:
        UsageError: The arrays are not of one length, or ``k`` is out of range.

    Example:
        >>> n_at_k([90, 94, 92, 93], [4, 1, 2, 3], k=2)  # the 90 and the 93
        2.0
    """
    y, p = _pair(true, predicted)
    top = _top(y, p, k)
    return math.nan if top is None else float((y > y[top].max()).sum() + 1)


def precision_at_k(true: npt.ArrayLike, predicted: npt.ArrayLike, k: int) -> float:
    """Precision@K: the share of the ``k`` predicted best that belongs to the true ``k`` best.

    Ning et al. 2020, arXiv 2004.01899, where it is the proportion of the true top K among the predicted
    top K, and K a share of all: here ``k = max(1, round(share * n))``. Where true scores tie at the border,
    all of the tied count as among the best. Arguments and errors as in :func:`n_at_k`.

    Example:
        >>> precision_at_k([90, 94, 92, 93], [4, 1, 2, 3], k=2)
        0.5
    """
    y, p = _pair(true, predicted)
    top = _top(y, p, k)
    return math.nan if top is None else float((y[top] >= np.sort(y)[-k]).mean())


def regret(true: npt.ArrayLike, predicted: npt.ArrayLike, k: int = 1) -> float:
    """What is lost by training only the ``k`` predicted best: the best true score minus the best among them.

    In the unit of the true scores, at least 0. Arguments and errors as in :func:`n_at_k`.

    Example:
        >>> regret([90, 94, 92, 93], [4, 1, 2, 3], k=2)
        1.0
    """
    y, p = _pair(true, predicted)
    top = _top(y, p, k)
    return math.nan if top is None else float(y.max() - y[top].max())


def ndcg(true: npt.ArrayLike, predicted: npt.ArrayLike, k: int | None = None) -> float:
    r"""Normalised discounted cumulative gain: :math:`\sum_i g_i / \log_2(i + 1)` over its largest value.

    Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002. The gain :math:`g_i` of
    the architecture at place :math:`i` is its true score above the worst one, so that the figure does not
    depend on the unit and the zero of the scores. Equal predictions share their mean gain.

    Args:
        true: ``(n,)`` true scores.
        predicted: ``(n,)`` predicted scores.
        k: Only the first ``k`` places count; all if left out.

    Returns:
        Between 0 and 1; NaN where the true scores are constant or a score is infinite.

    Raises:
        UsageError: The arrays are not of one length, or ``k`` is out of range.

    Example:
        >>> ndcg([1, 2, 3], [10, 20, 30])
        1.0
    """
    y, p = _pair(true, predicted)
    k = len(y) if k is None and len(y) else k
    if k is None or _top(y, p, k) is None or not np.isfinite([y, p]).all() or y.min() == y.max():
        return math.nan
    from sklearn.metrics import ndcg_score

    gains = (y - y.min()) / (y.max() - y.min())
    return float(ndcg_score(gains[None], p[None], k=k))


def _correlation(statistic: Callable[..., Any], true: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    y, p = _pair(true, predicted)
    if len(y) < 2 or not np.isfinite([y, p]).all() or y.min() == y.max() or p.min() == p.max():
        return math.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nearly constant input: the figure is what it is
        return float(statistic(y, p)[0])


def _pair(true: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    y, p = np.asarray(true, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if y.ndim != 1 or y.shape != p.shape:
        raise UsageError(
            f"true and predicted scores must be two lists of one length, shapes {y.shape} and {p.shape} were given"
        )
    return y, p


def _top(y: FloatArray, p: FloatArray, k: int) -> npt.NDArray[np.int64] | None:
    """Indices of the predicted best ``k``, None where a NaN leaves the order undefined."""
    if not 1 <= k <= len(y):
        raise UsageError(f"k must be 1 to the number of architectures, {len(y)}; {k} was given")
    if np.isnan(y).any() or np.isnan(p).any():
        return None
    top: npt.NDArray[np.int64] = np.lexsort((y, -p))[:k]
    return top
