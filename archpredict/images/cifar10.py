"""CIFAR-10 in its binary form."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from archpredict.images.base import Images, ImageSet
from archpredict.images.reading import cifar as _cifar

__all__ = ["Cifar10"]

_LAYOUT = _cifar.Layout(
    folder="cifar-10-batches-bin",
    archive="cifar-10-binary.tar.gz",
    train={f"data_batch_{number}.bin": 10_000 for number in range(1, 6)},
    test={"test_batch.bin": 10_000},
    ranges=(10,),
)


class Cifar10(ImageSet):
    """60,000 colour photographs of 32x32 pixels in ten classes (Krizhevsky 2009).

    The binary version is read: the folder ``cifar-10-batches-bin`` or the file ``cifar-10-binary.tar.gz`` as it is.
    Of the 50,000 training images a fixed tenth of each class is the validation split.

    Example:
        >>> Cifar10().load(None)
        Traceback (most recent call last):
        archpredict.errors.DataError: the data set cifar10 is read from a path: cifar10:PATH, where PATH is ...
    """

    name: ClassVar[str] = "cifar10"

    def load(self, path: Path | None) -> Images:
        """The images of the folder or the archive.

        Raises:
            DataError: There is none, or it is truncated, broken or another data set.
        """
        return _cifar.load(self.name, _LAYOUT, path)
