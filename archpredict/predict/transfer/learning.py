"""A transfer model of labels of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from archpredict.errors import DataError, UsageError
from archpredict.predict.batch import Batch
from archpredict.predict.calibration import check_labels
from archpredict.predict.transfer.direction import warn_of_opposed
from archpredict.predict.transfer.known import KnownSpace, Sample
from archpredict.predict.transfer.model import TransferModel
from archpredict.predict.transfer.shipped import shipped_model
from archpredict.spaces.base import Architecture

__all__ = ["learn_transfer"]


def learn_transfer(
    labelled: Sequence[tuple[Sequence[Architecture], npt.ArrayLike]], about: Sequence[str] = ()
) -> TransferModel:
    """The transfer model of labelled spaces, to save in a file and to give to whatever takes ``transfer``.

    Of labels nothing counts but their order within the space, so that their scales may differ. What is typical of a
    space's networks is told by the unlabelled ones of built-in spaces too.

    Args:
        labelled: For each space architectures and their labels, higher is better. It defines ``network()``.
        about: For each space where the labels are from, and under which licence.

    Raises:
        UsageError: There is no space, or one that does not define its networks; or architectures of several in one.
        DataError: Labels that are too few, not finite or all equal, or networks that are all alike.

    Example:
        >>> import numpy as np
        >>> from archpredict.spaces import load_space
        >>> space = load_space("nasbench201")
        >>> cells = space.architectures(np.unique(space.sample(60, np.random.default_rng(0)), axis=0))
        >>> model = learn_transfer([(cells, [cell.cost["macs"] for cell in cells])], ["counted"])
        >>> model.zero_shot(load_space("darts")).sources
        ('nasbench201',)
    """
    if not labelled:
        raise UsageError(
            "transfer is learnt from pairs of architectures and labels, none were given; give one at least"
        )
    if about and len(about) != len(labelled):
        raise UsageError(f"{len(labelled)} spaces need as many words about their labels, {len(about)} were given")
    spaces = [
        KnownSpace.of(_sample(*pair), told) for pair, told in zip(labelled, about or [""] * len(labelled), strict=True)
    ]
    typical = [known for known in shipped_model().spaces if not known.has_labels]
    warn_of_opposed({known.name: known.moments for known in spaces}, [known.moments for known in typical])
    return TransferModel([*spaces, *typical])


def _sample(architectures: Sequence[Architecture], labels: Any) -> Sample:
    batch = Batch.of(architectures)
    values = check_labels(batch, labels)
    if batch.space is None:
        raise UsageError(
            "transfer is learnt from architectures of search spaces, of one in each pair; graphs, or architectures of "
            "several, were given in one"
        )
    sample = Sample.of(batch.space, list(architectures), values)
    if not sample.moments.spread.any():
        raise DataError(
            f"the networks of all {len(batch)} architectures of {batch.space.name} have the same size and depth, which "
            "tell nothing of others; bring architectures that differ"
        )
    return sample
