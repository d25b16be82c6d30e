"""The rule by which labels of some spaces order the architectures of another: linear, its coefficients vary with space.

Every space has a linear model of its own, ``y = x β_s``, and those of spaces that are alike are alike: the coefficients
are a Gaussian process over spaces, ``Cov(β_s, β_t) = exp(-d(s, t)² / 2 ℓ²) I / λ``, where ``d`` is the distance between
the mean networks of the two. That is a multi-task Gaussian process (Bonilla, Chai and Williams, "Multi-task Gaussian
Process Prediction", NeurIPS 2007, equation 3) with a linear kernel, whose covariance of tasks is not learnt but read
from what networks look like, as there are too few spaces to learn it from. Its mean is not 0 but that larger networks
are better: where nothing like a space is known, that is what is left.

How far coefficients carry and how numbers are scaled are constants that a handful of labelled spaces cannot settle:
each choice is best somewhere. So none is chosen, scores are the mean over both ends of their ranges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import solve

from archpredict._typing import FloatArray
from archpredict.predict.transfer.moments import COLUMNS, Moments

__all__ = ["RULES", "Rule", "agreement", "coefficients", "in_units", "trust_in"]

_LEAST_NOISE = 0.05
"""Share of a source's variance that is taken for noise at least."""
_LEAST_TRUST = 0.1
_OWN_RIDGE = 0.01
_TYPICAL_NOISE = 0.2
_JITTER = 1e-6


@dataclass(frozen=True)
class Rule:
    """The constants of the rule; ``benchmarks/transfer.py`` tells how others fare, and what a choice is worth.

    Args:
        reach: ``ℓ``, the distance over which coefficients stay alike; typical distances are 0.6 to 1.5.
        prior: ``c``, standard deviations of the label for one of the size.
        shrinkage: ``λ``.
        own_scale: How far numbers are scaled by their spread in their own space (1), or by what is typical (0). Of the
            first, what varies little counts as much as what varies much; the second is blind where all vary little.
        size: Exponents of what is taken for the size of a network.
    """

    reach: float = 0.5
    prior: float = 0.2
    shrinkage: float = 0.1
    own_scale: float = 0.5
    size: Mapping[str, float] = field(default_factory=lambda: {"log macs": 1.0, "log params": 0.25, "log layers": 0.5})


RULES = tuple(Rule(reach=reach, own_scale=own_scale) for reach in (0.4, 0.8) for own_scale in (0.0, 1.0))
"""Both ends of what is plausible of the two constants that matter most."""


def in_units(weights: FloatArray, target: Moments) -> FloatArray:
    """Weights ``(F,)`` of a score whose standard deviation in the target is 1; 0 if it does not vary there."""
    spread = float(np.sqrt(max(0.0, float(weights @ target.covariance @ weights))))
    return weights / spread if spread > 1e-9 else np.zeros(len(weights))


def coefficients(
    target: Moments,
    sources: Sequence[Moments],
    reference: Sequence[Moments],
    rule: Rule = Rule(),
    trust: Sequence[float] | None = None,
) -> FloatArray:
    """Coefficients ``(F,)`` of the numbers, less their mean in the space, that give the zero-shot score there.

    Args:
        target: Of unlabelled architectures of the space.
        sources: Of labelled architectures of others; none: what is left is the size.
        reference: Of unlabelled architectures of many spaces, which say what spread and what distance is typical.
        rule: The constants.
        trust: How much the labels of each source count, 1 each without it; see :func:`trust_in`.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(200, len(COLUMNS)))
        >>> known, unknown = Moments.of(x, x[:, 3]), Moments.of(x)
        >>> weights = coefficients(unknown, [known], [known])
        >>> bool(np.corrcoef(x @ weights, x[:, 3])[0, 1] > 0.9)
        True
    """
    typical, width = yardstick(reference)
    scale = [_scale(moments, typical, rule.own_scale) for moments in (*sources, target)]
    sizes = [_size(moments, rule.size) for moments in (*sources, target)]
    prior = rule.prior * sizes[-1]
    if not sources:
        return prior
    means = np.array([moments.mean for moments in (*sources, target)]) / width
    alike = np.exp(-((means[:, None] - means[None]) ** 2).mean(axis=2) / (2 * rule.reach**2))
    alike += _JITTER * np.eye(len(alike))
    count, among = len(typical), np.linalg.inv(alike[:-1, :-1])
    precision = np.kron(among, rule.shrinkage * np.eye(count))
    moment = np.zeros(len(sources) * count)
    for i, source in enumerate(sources):
        assert source.of_labels is not None
        own = slice(i * count, (i + 1) * count)
        gram = source.covariance / np.outer(scale[i], scale[i])
        weight = _TYPICAL_NOISE / _noise(gram, source.of_labels / scale[i])
        weight *= 1.0 if trust is None else trust[i]
        precision[own, own] += weight * gram
        moment[own] = weight * (source.of_labels - rule.prior * source.covariance @ sizes[i]) / scale[i]
    beyond_size = solve(precision, moment, assume_a="pos").reshape(len(sources), count)
    return np.asarray((among @ alike[:-1, -1]) @ beyond_size / scale[-1] + prior)


def trust_in(sources: Sequence[Moments], reference: Sequence[Moments], rule: Rule = Rule()) -> list[float]:
    """How much the labels of each source count: twice the correlation with what the others foretell, from 0.1 to 1.

    Labels that nothing foretells, such as those of weight sharing, are not those that are wanted elsewhere. Of one or
    two sources it cannot be told which is the odd one.

    Args:
        sources: Labelled.
        reference: As of :func:`coefficients`.
        rule: The constants.
    """
    if len(sources) < 3:
        return [1.0] * len(sources)
    others = [[other for other in sources if other is not source] for source in sources]
    found = [agreement(*pair, reference, rule) for pair in zip(sources, others, strict=True)]
    return [min(max(2 * each, _LEAST_TRUST), 1.0) for each in found]


def agreement(
    own: Moments, sources: Sequence[Moments], reference: Sequence[Moments] = (), rule: Rule = Rule()
) -> float:
    """The correlation of a space's labels with the zero-shot scores that others give it; 0 if these are all equal.

    Args:
        own: Labelled.
        sources: Labelled, of other spaces; none: the agreement with the size.
        reference: As of :func:`coefficients`.
        rule: The constants.
    """
    assert own.of_labels is not None
    return float(in_units(coefficients(own, sources, reference, rule), own) @ own.of_labels)


def yardstick(reference: Sequence[Moments]) -> tuple[FloatArray, FloatArray]:
    """The typical spread of each number within a space, and its spread over architectures of all spaces, ``(F,)`` each;
    infinite for what never varies.
    """
    within = np.mean([moments.spread**2 for moments in reference], axis=0)
    over = within + np.var([moments.mean for moments in reference], axis=0)
    return _or_infinite(np.sqrt(within)), _or_infinite(np.sqrt(over))


def _scale(moments: Moments, typical: FloatArray, own: float) -> FloatArray:
    """What each number is divided by in a space, so that the numbers that vary have a mean variance of 1."""
    spread = moments.spread
    varies = (spread > 0) & np.isfinite(typical)
    scale = np.full(len(spread), np.inf)
    scale[varies] = spread[varies] ** own * typical[varies] ** (1 - own)
    level = np.sqrt(np.mean((spread[varies] / scale[varies]) ** 2)) if varies.any() else 1.0
    return scale * level


def _size(moments: Moments, exponents: Mapping[str, float]) -> FloatArray:
    """Coefficients of the size, whose standard deviation in the space is 1; 0 where all are of one size."""
    return in_units(np.array([exponents.get(name, 0.0) for name in COLUMNS]), moments)


def _noise(gram: FloatArray, moment: FloatArray) -> float:
    """The share of the labels' variance that a linear model of the space's own does not explain."""
    own = np.linalg.solve(gram + _OWN_RIDGE * np.eye(len(gram)), moment)
    return float(np.clip(1 - (2 * own @ moment - own @ gram @ own), _LEAST_NOISE, 1.0))


def _or_infinite(values: FloatArray) -> FloatArray:
    return np.where(values > 1e-9, values, np.inf)
