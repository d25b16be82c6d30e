"""The contract of data sets of labelled images."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from archpredict.errors import DataError, UnknownNameError, UsageError
from archpredict.registry import make, names

__all__ = ["ImageSet", "Images", "Split", "load_images", "stratified"]

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Split:
    """A split of a data set: images and their labels.

    Args:
        images: ``(N, C, H, W)``, 0 to 255.
        labels: ``(N,)``, numbers of classes from 0.
    """

    images: Pixels
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Images:
    """A data set in its three splits: to train on, to choose architectures by, and to report at the end.

    Args:
        name: Name of the data set.
        train: Images that weights are learned from.
        validation: Images that architectures are compared by.
        test: Images that nothing is chosen by.
        num_classes: Number of classes.
        flips: Whether an image mirrored left to right shows the same.

    Raises:
        DataError: The splits do not belong together, or are no square images with labels of the classes.

    Example:
        >>> images = load_images("digits")
        >>> images.channels, images.size, images.num_classes, len(images.train)
        (1, 8, 10, 1079)
    """

    name: str
    train: Split
    validation: Split
    test: Split
    num_classes: int
    flips: bool = True

    def __post_init__(self) -> None:
        if self.num_classes < 2:
            raise DataError(f"{self.name}: {self.num_classes} class is given; there must be at least 2 to tell apart")
        for name in SPLITS:
            _check_split(f"{self.name}, {name} split", self.split(name), self.train.images.shape[1:], self.num_classes)
        if len(self.train) < 2:
            raise DataError(f"{self.name}: the train split has a single image; give at least 2")

    def split(self, name: str) -> Split:
        """The split called ``train``, ``validation`` or ``test``."""
        found = {"train": self.train, "validation": self.validation, "test": self.test}
        if name not in found:
            raise UnknownNameError("split", name, found)
        return found[name]

    def trainval(self) -> Images:
        """The data set with the validation images among those that weights are learned from, for a final training.

        Example:
            >>> images = load_images("digits")
            >>> len(images.train), len(images.validation), len(images.trainval().train)
            (1079, 359, 1438)
        """
        parts = (self.train, self.validation)
        train = Split(np.concatenate([p.images for p in parts]), np.concatenate([p.labels for p in parts]))
        return replace(self, train=train)

    @property
    def channels(self) -> int:
        """3 for colours, 1 for grey."""
        return int(self.train.images.shape[1])

    @property
    def size(self) -> int:
        """Height and width in pixels."""
        return int(self.train.images.shape[2])

    @cached_property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of shapes, pixels and labels of the three splits in turn."""
        digest = hashlib.sha256()
        for name in SPLITS:
            split = self.split(name)
            digest.update(f"{name} {split.images.shape}\n".encode())
            digest.update(np.ascontiguousarray(split.images).data)
            digest.update(np.ascontiguousarray(split.labels, dtype="<i8").data)
        return digest.hexdigest()

    def describe(self) -> dict[str, Any]:
        """The description of the data set as JSON, for the record of a run."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "num_classes": self.num_classes,
            "channels": self.channels,
            "size": self.size,
            **{name: len(self.split(name)) for name in SPLITS},
        }


class ImageSet(ABC):
    """A data set that can be read; one class per file in ``archpredict/images``."""

    name: ClassVar[str]

    @abstractmethod
    def load(self, path: Path | None) -> Images:
        """The images.

        Args:
            path: What follows the name and a colon in a reference, e.g. the folder that the files lie in; None if
                nothing does.

        Raises:
            DataError: The files are missing, broken or of another shape.
        """


def load_images(reference: str) -> Images:
    """The images of a reference: ``NAME``, ``NAME:PATH``, or ``module:Class`` and ``file.py:Class`` of your own.

    Your own classes may be followed by a colon and a path too.

    Args:
        reference: E.g. ``"digits"``, ``"cifar10:data/cifar-10-batches-bin"`` or ``"mine.py:Flowers:photos"``.

    Raises:
        UnknownNameError: There is no such data set; the message lists those there are.
        DataError: Its files are missing, broken or of another shape.
        UsageError: The class of your own cannot be loaded, or is no :class:`ImageSet`.
    """
    known = names("images")
    name, _, rest = reference.partition(":")
    if name not in known:
        attribute, _, path = rest.partition(":")
        if not attribute:
            hint = "Or name your own as module:Class or path/to/file.py:Class."
            raise UnknownNameError("data set", reference, known, hint)
        name, rest = f"{name}:{attribute}", path
    made: ImageSet = make("images", name, ImageSet)
    images = made.load(Path(rest) if rest else None)
    if not isinstance(images, Images):
        raise UsageError(f"{name}.load() must return Images, it returned {type(images).__name__}")
    return images


def stratified(labels: Labels, shares: Sequence[float], seed: int) -> list[npt.NDArray[np.int64]]:
    """Divide images into parts that hold each class in equal shares; each part gets at least one of each class.

    The images of a class are put in the order of the SHA-256 of ``SEED/INDEX``, so that a split is the same with
    every version of every package.

    Args:
        labels: ``(N,)`` classes.
        shares: Of all parts but the first, which takes the rest.
        seed: Source of randomness.

    Returns:
        Ascending indices of the first part, then of the others.

    Example:
        >>> first, second = stratified(np.array([0, 0, 0, 1, 1, 1]), [1 / 3], seed=0)
        >>> len(first), len(second)
        (4, 2)
    """
    parts: list[list[int]] = [[] for _ in range(len(shares) + 1)]
    for label in np.unique(labels):
        members = sorted(np.flatnonzero(labels == label).tolist(), key=lambda index: _shuffle_key(seed, index))
        counts = [max(1, round(share * len(members))) for share in shares]
        start = 0
        for part, count in zip(parts, (len(members) - sum(counts), *counts), strict=True):
            part.extend(members[start : start + count])
            start += count
    return [np.array(sorted(part), dtype=np.int64) for part in parts]


def _shuffle_key(seed: int, index: int) -> bytes:
    return hashlib.sha256(f"{seed}/{index}".encode()).digest()


def _check_split(place: str, split: Split, shape: tuple[int, ...], num_classes: int) -> None:
    images, labels = split.images, split.labels
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[2] != images.shape[3] or not images.shape[2]:
        raise DataError(
            f"{place}: images are given as {images.dtype} of shape {images.shape}; expected uint8 of shape "
            "(number, channels, height, width) with equal height and width"
        )
    if images.shape[1:] != shape:
        raise DataError(f"{place}: images have the shape {images.shape[1:]}, those of the train split {shape}")
    if labels.dtype != np.int64 or labels.shape != images.shape[:1]:
        raise DataError(
            f"{place}: labels are given as {labels.dtype} of shape {labels.shape}; expected int64, one per image"
        )
    if not len(labels):
        raise DataError(f"{place}: it is empty; give at least one image")
    if labels.min() < 0 or labels.max() >= num_classes:
        wrong = int(np.flatnonzero((labels < 0) | (labels >= num_classes))[0])
        raise DataError(f"{place}: image {wrong} has the label {labels[wrong]}; expected 0 to {num_classes - 1}")
