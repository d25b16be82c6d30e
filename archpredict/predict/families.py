"""Labelled families of networks, pooled so that one predictor can learn from all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict._typing import FloatArray
from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.predict.batch import ArchLikes, Batch
from archpredict.predict.calibration import check_labels, standardize
from archpredict.predict.transfer.direction import warn_of_opposed
from archpredict.predict.transfer.moments import Moments, numbers_of

__all__ = ["pooled"]

_COMPARED = 512
"""Networks of a family whose labels are held against those of the others."""


def pooled(
    families: Sequence[tuple[ArchLikes, Sequence[float] | npt.NDArray[Any]]],
) -> tuple[list[ArchGraph], FloatArray]:
    """Networks of several families and labels that can be compared: within each family, normal scores of the ranks.

    Accuracies on different data sets, or after different trainings, have nothing in common but their order.

    Args:
        families: Architectures (of a space with ``network()``, or computational graphs) and their labels, higher is
            better; where one family's go against the others' expectation, a warning says so.

    Returns:
        ``N`` computational graphs, and ``(N,)`` labels with mean 0 and standard deviation about 1 in each family.

    Raises:
        UsageError: There is no family, or one whose networks cannot be made.
        DataError: Labels of a family that are too few, not finite, or all equal.

    Example:
        >>> from archpredict.spaces import load_space
        >>> cells, chains = (load_space(name) for name in ("nasbench201", "nasbench101"))
        >>> drawn = [space.architectures(space.sample(3, np.random.default_rng(0))) for space in (cells, chains)]
        >>> networks, labels = pooled([(drawn[0], [90.0, 93.0, 91.0]), (drawn[1], [0.7, 0.8, 0.9])])
        >>> len(networks), labels.round(2).tolist()
        (6, [-0.97, 0.97, 0.0, -0.97, 0.0, 0.97])
    """
    if not families:
        raise UsageError("families are pairs of architectures and labels, none were given; give one at least")
    graphs, scores, moments = list[ArchGraph](), list[FloatArray](), dict[str, Moments]()
    for i, (architectures, labels) in enumerate(families):
        batch = Batch.of(architectures, as_networks=True)
        values = check_labels(batch, labels)
        scores.append(standardize(values, "ranks"))
        networks = batch.networks("labelled families are read as networks")
        graphs += networks
        some = np.unique(np.linspace(0, len(networks) - 1, _COMPARED).astype(int))
        if np.ptp(values[some]) > 0:
            name = f"family {i + 1}" if batch.space is None else batch.space.name
            moments[name] = Moments.of(numbers_of(Batch.of([networks[j] for j in some])), values[some])
    warn_of_opposed(moments)
    return graphs, np.concatenate(scores)
