"""CIFAR-100 in its binary form."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from archpredict.images.base import Images, ImageSet
from archpredict.images.reading import cifar as _cifar

__all__ = ["Cifar100"]

_LAYOUT = _cifar.Layout(
    folder="cifar-100-binary",
    archive="cifar-100-binary.tar.gz",
    train={"train.bin": 50_000},
    test={"test.bin": 10_000},
    ranges=(20, 100),  # coarse, fine
)


class Cifar100(ImageSet):
    """60,000 colour photographs of 32x32 pixels in a hundred classes (Krizhevsky 2009), by their fine labels.

    The binary version is read: the folder ``cifar-100-binary`` or the file ``cifar-100-binary.tar.gz`` as it is. Of
    the 50,000 training images a fixed tenth of each class is the validation split.

    Example:
        >>> Cifar100().load(None)
        Traceback (most recent call last):
        archpredict.errors.DataError: the data set cifar100 is read from a path: cifar100:PATH, where PATH is ...
    """

    name: ClassVar[str] = "cifar100"

    def load(self, path: Path | None) -> Images:
        """The images of the folder or the archive.

        Raises:
            DataError: There is none, or it is truncated, broken or another data set.
        """
        return _cifar.load(self.name, _LAYOUT, path)
