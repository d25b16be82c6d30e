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

from archpredict._typing import FloatArray
from archpredict.errors import UsageError

__all__ = [
    "calibration_error",
    "coverage",
    "error_correlation",
    "gaussian_nll",
    "kendall_tau",
    "n_at_k",
    "ndcg",
    "pearson",
    "precision_at_k",
    "regret",
    "spearman",
]


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
    """Regret: what is lost by training only the ``k`` predicted best: the best true score minus the best among them.

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


def coverage(true: npt.ArrayLike, predicted: npt.ArrayLike, std: npt.ArrayLike, level: float = 0.9) -> float:
    r"""Share of the true scores inside the central interval that should hold ``level`` of them.

    The interval is that of a Gaussian, :math:`\hat y \pm \Phi^{-1}((1 + level) / 2)\, \sigma`. Below ``level`` the
    predictor is overconfident.

    Args:
        true: ``(n,)`` true scores.
        predicted: ``(n,)`` predicted scores, in the same unit.
        std: ``(n,)`` predicted standard deviations, at least 0, in the same unit.
        level: What share of the scores the interval is meant to hold, between 0 and 1.

    Raises:
        UsageError: The arrays are not of one length, a ``std`` is negative, or ``level`` is out of range.

    Example:
        >>> coverage([1, 2, 3, 4], [1, 1, 3, 3], [0.5, 0.5, 0.5, 0.5])
        0.5
    """
    from scipy.special import ndtri

    y, p, s = _with_std(true, predicted, std)
    if not 0 < level < 1:
        raise UsageError(f"the level of an interval is between 0 and 1, {level:g} was given")
    if not _known(y, p, s):
        return math.nan
    return float((np.abs(y - p) <= ndtri((1 + level) / 2) * s).mean())


def calibration_error(true: npt.ArrayLike, predicted: npt.ArrayLike, std: npt.ArrayLike, num_levels: int = 9) -> float:
    r"""Expected calibration error: :math:`\frac 1 m \sum_{j=1}^{m} |p_j - \hat p_j|`, :math:`p_j = j / (m + 1)`.

    Kuleshov, Fenner and Ermon, "Accurate uncertainties for deep learning using calibrated regression", 2018, arXiv
    1807.00263, section 3.5: :math:`\hat p_j` is the share of true scores whose predicted (here Gaussian) cumulative
    probability :math:`\Phi((y - \hat y) / \sigma)` is at most :math:`p_j`. There the differences are squared; here they
    are taken as they are, so that the figure reads as a share of the scores.

    Args:
        true: ``(n,)`` true scores.
        predicted: ``(n,)`` predicted scores, in the same unit.
        std: ``(n,)`` predicted standard deviations, at least 0, in the same unit.
        num_levels: ``m``, at least 1.

    Returns:
        Between 0, calibrated, and about 0.5.

    Example:
        >>> round(calibration_error([-1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0], num_levels=1), 4)  # 2/3 - 1/2
        0.1667
    """
    from scipy.special import ndtr

    y, p, s = _with_std(true, predicted, std)
    if num_levels < 1:
        raise UsageError(f"at least 1 level is compared, num_levels={num_levels} was given")
    if not _known(y, p, s):
        return math.nan
    probability = ndtr(_standard_errors(y, p, s))
    levels = np.arange(1, num_levels + 1) / (num_levels + 1)
    found = (probability[None] <= levels[:, None]).mean(axis=1)
    return float(np.abs(found - levels).mean())


def gaussian_nll(true: npt.ArrayLike, predicted: npt.ArrayLike, std: npt.ArrayLike) -> float:
    r"""Mean negative log-likelihood :math:`\frac 1 2 \ln(2 \pi \sigma^2) + (y - \hat y)^2 / (2 \sigma^2)` of Gaussians.

    Gneiting and Raftery, "Strictly proper scoring rules, prediction, and estimation", 2007: the logarithmic score,
    lower is better; it depends on the unit. Arguments and errors as in :func:`coverage`.

    Returns:
        In nats; infinite where a ``std`` is 0 and its prediction is off.

    Example:
        >>> round(gaussian_nll([0.0, 1.0], [0.0, 0.0], [1.0, 1.0]), 4)  # 0.9189 + (0 + 1/2) / 2
        1.1689
    """
    y, p, s = _with_std(true, predicted, std)
    if not _known(y, p, s):
        return math.nan
    with np.errstate(divide="ignore"):
        density = np.log(s) + 0.5 * math.log(2 * math.pi)
    return (
        math.inf
        if (s == 0).any() and (y[s == 0] != p[s == 0]).any()
        else float((density + _standard_errors(y, p, s) ** 2 / 2).mean())
    )


def error_correlation(true: npt.ArrayLike, predicted: npt.ArrayLike, std: npt.ArrayLike) -> float:
    """Spearman's correlation between the predicted ``std`` and the size of the error that was made.

    Says whether the uncertainty points at the predictions that are off, whatever its scale; NaN where all errors or
    all ``std`` are equal. Arguments and errors as in :func:`coverage`.

    Example:
        >>> round(error_correlation([1, 2, 3], [1.1, 2.5, 5], [0.1, 0.2, 0.3]), 4)
        1.0
    """
    y, p, s = _with_std(true, predicted, std)
    return spearman(np.abs(y - p), s)


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


def _with_std(
    true: npt.ArrayLike, predicted: npt.ArrayLike, std: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    y, p = _pair(true, predicted)
    s = np.asarray(std, dtype=np.float64)
    if s.shape != p.shape:
        raise UsageError(f"each of the {len(p)} predictions needs a std, an array of shape {s.shape} was given")
    if (s < 0).any():
        raise UsageError(f"a std is at least 0, {s[s < 0][0]:g} was given")
    return y, p, s


def _known(*arrays: FloatArray) -> bool:
    return bool(arrays[0].size) and all(bool(np.isfinite(a).all()) for a in arrays)


def _standard_errors(y: FloatArray, p: FloatArray, s: FloatArray) -> FloatArray:
    """Errors in units of ``std``; where that is 0, infinite or, without error, 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z: FloatArray = np.where(y == p, 0.0, (y - p) / s)
    return z
