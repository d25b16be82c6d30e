"""Zero-shot scores: what labels of other spaces say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archpredict._typing import FloatArray
from archpredict.predict.batch import Batch
from archpredict.predict.sources.base import Source
from archpredict.predict.transfer.model import TransferModel, ZeroShot
from archpredict.predict.transfer.moments import COLUMNS, numbers_of
from archpredict.predict.transfer.shipped import transfer_model

__all__ = ["ZeroShotScores"]


@dataclass(frozen=True, eq=False)
class ZeroShotScores(Source):
    """Zero-shot scores of architectures, learnt from labels of other search spaces and never from those of their own.

    See :class:`archpredict.predict.transfer.model.TransferModel`. There are none of bare graphs, and of spaces that do
    not define their networks.

    Args:
        model: File of a transfer model (``TransferModel.save``); the one that comes with the package if left out.
        scores: Which; set by :meth:`fit`, None where there are none.

    Example:
        >>> from archpredict.spaces import load_space
        >>> space = load_space("nasbench201")
        >>> batch = Batch.of([space.architecture([3] * 6), space.architecture([4] * 6)])
        >>> source = ZeroShotScores().fit(batch)
        >>> convolutions, pools = source(batch)[:, source.names.index("zero-shot")]
        >>> bool(convolutions > pools), "nasbench201" in source.scores.sources
        (True, False)
    """

    name = "transfer"
    is_standardised = True

    model: str | Path | None = None
    scores: ZeroShot | None = None

    @property
    def known(self) -> TransferModel:
        """What is known of other spaces."""
        return transfer_model(self.model)

    @property
    def names(self) -> tuple[str, ...]:
        return () if self.scores is None else self.scores.names

    def fit(self, batch: Batch) -> ZeroShotScores:
        if batch.space is None or not batch.has_networks:
            return ZeroShotScores(self.model)
        return ZeroShotScores(self.model, self.known.zero_shot_or_none(batch.space))

    def can_read(self, batch: Batch) -> bool:
        return batch.space is not None and batch.has_networks

    def __call__(self, batch: Batch) -> FloatArray:
        if self.scores is None:
            return np.zeros((len(batch), 0))
        return self.scores(numbers_of(batch))

    def to_dict(self) -> dict[str, Any]:
        if self.scores is None:
            return {}
        found = self.scores
        return {
            "scores": list(found.names),
            "numbers": list(COLUMNS),
            "weights": found.weights.tolist(),
            "centre": found.centre.tolist(),
            "sources": list(found.sources),
            "left_out": list(found.left_out),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ZeroShotScores:
        if "scores" not in data:
            return cls()
        if tuple(data["numbers"]) != COLUMNS:
            raise ValueError("its zero-shot scores are of numbers that this version does not compute; fit it again")
        names, weights = tuple(map(str, data["scores"])), np.array(data["weights"], dtype=np.float64)
        centre = np.array(data["centre"], dtype=np.float64)
        shapes = (weights.shape, centre.shape)
        if shapes != ((len(names), len(COLUMNS)), (len(COLUMNS),)) or not np.isfinite(weights).all():
            raise ValueError(f"zero-shot scores of {len(COLUMNS)} numbers have coefficients of another shape")
        sources = tuple(map(str, data["sources"]))
        return cls(None, ZeroShot(names, weights, centre, sources, tuple(map(str, data["left_out"]))))
