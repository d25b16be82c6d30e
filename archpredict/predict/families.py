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

__all__ = ["pooled"]


def pooled(
    families: Sequence[tuple[ArchLikes, Sequence[float] | npt.NDArray[Any]]],
) -> tuple[list[ArchGraph], FloatArray]:
    """Networks of several families and labels that can be compared: within each family, normal scores of the ranks.

    Accuracies on different data sets, or after different trainings, have nothing in common but their order.

    Args:
        families: Architectures (of a space with ``network()``, or computational graphs) and their labels, higher is
            better.

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
    graphs, scores = list[ArchGraph](), list[FloatArray]()
    for architectures, labels in families:
        batch = Batch.of(architectures, as_networks=True)
        scores.append(standardize(check_labels(batch, labels), "ranks"))
        graphs += batch.networks("labelled families are read as networks")
    return graphs, np.concatenate(scores)
