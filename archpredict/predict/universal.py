"""UniversalPredictor: one predictor for every space that defines its networks, and for every ONNX model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict._typing import FloatArray
from archpredict.errors import UsageError
from archpredict.metrics import kendall_tau
from archpredict.predict._data import Architectures, Columns, as_columns
from archpredict.predict.batch import Batch
from archpredict.predict.inputs import Inputs
from archpredict.predict.predictor import Predictor
from archpredict.predict.transfer.model import MAIN, TransferModel
from archpredict.predict.transfer.moments import numbers_of
from archpredict.predict.transfer.shipped import transfer_model

__all__ = ["UNIVERSAL", "UniversalPredictor"]

UNIVERSAL = "universal"
"""The name that it is loaded by."""
_MODELS = "imagenet"


class UniversalPredictor:
    """A predictor that needs no label: of architectures of any search space that defines its networks, and of models.

    Architectures of a space get a zero-shot score (:class:`~archpredict.predict.transfer.model.TransferModel`), with
    mean 0 and standard deviation 1 in the space, so that scores of two spaces cannot be compared. It has learnt from
    published benchmarks, but in a space from none whose cells it shares. Computational graphs without a space, which
    ONNX files are read as, get the score of the predictor ``imagenet``.

    Args:
        transfer: What is known of spaces, a transfer model or the file of one; what comes with the package if left out.

    Example:
        >>> from archpredict.spaces import load_space
        >>> space = load_space("nasbench201")
        >>> convolutions, pools = space.architecture([3] * 6), space.architecture([4] * 6)
        >>> UniversalPredictor().rank([pools, convolutions]).tolist()
        [1, 0]
    """

    space_ = None
    feature_names_: tuple[str, ...] = ()
    has_std = False
    has_novelty = False

    def __init__(self, transfer: TransferModel | str | Path | None = None) -> None:
        self._transfer = transfer

    @cached_property
    def transfer(self) -> TransferModel:
        """What is known of spaces.

        Raises:
            DataError: There is no such file, or it does not hold a transfer model of this version.
        """
        return self._transfer if isinstance(self._transfer, TransferModel) else transfer_model(self._transfer)

    @cached_property
    def models(self) -> Predictor:
        """The predictor of models."""
        return Predictor.load(_MODELS)

    @property
    def card_(self) -> dict[str, Any]:
        """What users should know: the spaces that were learnt from, and where their labels are from."""
        spaces = {known.name: known.about for known in self.transfer.spaces if known.has_labels}
        labels = "expected rank within the space, in standard deviations; of models the score of imagenet"
        return {"labels": labels, "sources": spaces, "models": self.models.card_}

    def pack(self, architectures: Architectures, features: Columns | None = None) -> Batch:
        """Architectures as they are read; any method takes them too."""
        if as_columns(features):
            raise UsageError("the predictor universal reads no further columns, and some were given; leave them out")
        if isinstance(architectures, Inputs):
            raise UsageError("these architectures were packed by another predictor; give Architecture objects")
        return Batch.of(architectures)

    def predict(self, architectures: Architectures, features: Columns | None = None) -> FloatArray:
        """Scores ``(n,)``, higher is better.

        Raises:
            UsageError: The architectures are of several spaces, of one that does not define its networks, or graphs
                of cells.
            DataError: The networks of the space all look alike.
        """
        if isinstance(architectures, Inputs):
            return self.models.predict(architectures)
        batch = self.pack(architectures, features)
        if not len(batch):
            return np.zeros(0)
        if not batch.is_of_spaces:
            return self.models.predict(batch)
        if batch.space is None:
            raise UsageError(
                "zero-shot scores of different spaces cannot be compared, and architectures of several were given; "
                "rank those of one space at a time"
            )
        if not batch.has_networks:
            raise UsageError(
                f"the space {batch.space.name} does not define network(), by which {UNIVERSAL} compares it with "
                "others; write that method, or fit a predictor to labels of its architectures, which needs none"
            )
        zero_shot = self.transfer.zero_shot(batch.space)
        return np.asarray(zero_shot(numbers_of(batch))[:, zero_shot.names.index(MAIN)])

    def predict_std(self, architectures: Architectures, features: Columns | None = None) -> FloatArray:
        """There are none.

        Raises:
            UsageError: Always.
        """
        raise UsageError("the predictor universal knows no standard deviations; see has_std")

    def rank(self, architectures: Architectures, features: Columns | None = None) -> npt.NDArray[np.int64]:
        """Indices of the architectures, best first."""
        return np.argsort(-self.predict(architectures, features), kind="stable")

    def score(
        self, architectures: Architectures, y: Sequence[float] | npt.NDArray[Any], features: Columns | None = None
    ) -> float:
        """Kendall's tau-b between predictions and labels."""
        return kendall_tau(np.asarray(y, dtype=float), self.predict(architectures, features))
