"""Handwritten digits that come with scikit-learn: a data set that is always at hand."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from archpredict.errors import DataError
from archpredict.images.base import Images, ImageSet, Split, stratified

__all__ = ["Digits"]

_SEED = 0


class Digits(ImageSet):
    """1,797 grey images of 8x8 pixels in ten classes (Alpaydin & Kaynak 1998, UCI optical recognition of digits).

    Values 0 to 16 are scaled to 0 to 255. 60 % of each class are for training, 20 % for validation, 20 % for the
    test; the split is fixed.

    Example:
        >>> images = Digits().load(None)
        >>> images.train.images.shape, len(images.validation), len(images.test)
        ((1079, 1, 8, 8), 359, 359)
    """

    name: ClassVar[str] = "digits"

    def load(self, path: Path | None) -> Images:
        """The images; there is no path, as they are a part of scikit-learn.

        Raises:
            DataError: A path was given.
        """
        from sklearn.datasets import load_digits

        if path is not None:
            raise DataError(f"digits come with scikit-learn and have no path, {path} was given; leave it out")
        pixels, targets = load_digits(return_X_y=True)
        images = np.rint(pixels * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
        labels = targets.astype(np.int64)
        train, validation, test = (Split(images[rows], labels[rows]) for rows in stratified(labels, (0.2, 0.2), _SEED))
        return Images(self.name, train, validation, test, num_classes=10, flips=False)
