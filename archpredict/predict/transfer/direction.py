"""The direction of labels: which space's go against those of the others, as errors do beside accuracies."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from archpredict.predict.transfer.moments import Moments
from archpredict.predict.transfer.rule import agreement

__all__ = ["opposed", "warn_of_opposed"]

_AGAINST, _CHANCE = 0.3, 3.0
"""How far a correlation with what is expected is below 0 where labels look as if lower were better: by this much, and
by so many standard deviations of what as many labels have by chance."""


def opposed(labelled: Mapping[str, Moments], reference: Sequence[Moments] = ()) -> dict[str, float]:
    """Names of spaces whose labels go against what those of the others, and the size of networks, let expect.

    The space that goes against them most is taken out first, and the others are judged as if it had been turned round.

    Args:
        labelled: Moments of labelled architectures by the name of their space.
        reference: Of unlabelled ones of further spaces.

    Returns:
        The correlation of the labels with what is expected of them, below 0, by name.

    Example:
        >>> from archpredict.predict.transfer.moments import COLUMNS
        >>> rng, place = np.random.default_rng(0), COLUMNS.index("log macs")
        >>> x = rng.normal(size=(3, 200, len(COLUMNS)))
        >>> y = x[:, :, place] * np.array([[1], [1], [-1]])
        >>> list(opposed({name: Moments.of(x[i], y[i]) for i, name in enumerate("abc")}))
        ['c']
    """
    kept, found = dict(labelled), dict[str, float]()
    while True:
        others = [*reference, *kept.values()]
        expected = {
            name: (agreement(own, [m for n, m in kept.items() if n != name], others), agreement(own, [], others))
            for name, own in kept.items()
            if name not in found
        }
        against = {
            name: both
            for name, both in expected.items()
            if both[0] < -max(_AGAINST, _CHANCE / np.sqrt(kept[name].count))
        }
        if not against:
            return found
        worst = min(against, key=lambda name: sum(against[name]))
        found[worst] = against[worst][0]
        turned = kept[worst].of_labels
        assert turned is not None
        kept[worst] = replace(kept[worst], of_labels=-turned)


def warn_of_opposed(labelled: Mapping[str, Moments], reference: Sequence[Moments] = ()) -> None:
    """Warn of each space whose labels look as if lower were better."""
    for name, correlation in opposed(labelled, reference).items():
        others = "the labels of the other spaces and the size of networks" if len(labelled) > 1 else "their size"
        warnings.warn(
            f"the labels of {name} go against what {others} let expect of its networks (correlation "
            f"{correlation:.2f}); if they are errors or latencies, give them with a minus, as higher must be better, "
            "else go on",
            stacklevel=3,
        )
