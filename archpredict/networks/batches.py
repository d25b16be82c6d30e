"""Images in batches: a whole split on the device, augmented there, in an order that depends on the seed alone."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from archpredict.errors import UsageError
from archpredict.images.base import Images, Pixels

__all__ = ["Augmentation", "Batches", "accuracy"]


@dataclass(frozen=True)
class Augmentation:
    """Data augmentation: random changes to training images.

    Args:
        crop: Images are shifted by up to so many pixels in both directions; what enters is black.
        flip: Whether every other image is mirrored left to right.
        cutout: Side length in pixels of a square that is set to the mean colour, its centre anywhere in the image
            (DeVries & Taylor 2017, arXiv 1708.04552); 0 for none.
    """

    crop: int = 0
    flip: bool = False
    cutout: int = 0

    def __post_init__(self) -> None:
        if min(self.crop, self.cutout) < 0:
            raise UsageError(f"crop and cutout are numbers of pixels from 0, {self.crop} and {self.cutout} were given")


@dataclass(frozen=True, eq=False)
class _Draws:
    """The random numbers of one epoch, one row per batch place, on the device."""

    order: Tensor  # (N,) image
    rows: Tensor  # (N,) 0 to 2 * crop
    columns: Tensor  # (N,)
    mirrored: Tensor  # (N,) bool
    centres: Tensor  # (N, 2)


class Batches:
    """A split on a device as normalised float images in shuffled batches.

    Images are stored as bytes and normalised batch by batch, with mean and standard deviation per channel of the
    train split; in memory they lie channels-last. All random numbers of an epoch are drawn on the CPU, so every device
    sees the same batches. The last batch of a shuffled epoch is left out where it is smaller than the others, as batch
    norms would see too few.

    Args:
        images: The data set.
        split: ``train``, ``validation`` or ``test``.
        batch_size: Images in a batch; all images of the split if it has fewer.
        device: Where batches are made.
        augmentation: Random changes; None for none.
        seed: Source of randomness, together with the number of the epoch.
        shuffle: Whether every epoch has an order of its own; else all images come in theirs.

    Raises:
        UsageError: Shuffled batches of one image, which no batch norm can be trained on.

    Example:
        >>> from archpredict.images.base import load_images
        >>> batches = Batches(load_images("digits"), batch_size=64, augmentation=Augmentation(crop=1))
        >>> len(batches)
        16
        >>> images, labels = next(batches.epoch(0))
        >>> images.shape, images.dtype, labels.shape
        (torch.Size([64, 1, 8, 8]), torch.float32, torch.Size([64]))
    """

    def __init__(
        self,
        images: Images,
        split: str = "train",
        *,
        batch_size: int,
        device: torch.device | str = "cpu",
        augmentation: Augmentation | None = None,
        seed: int = 0,
        shuffle: bool = True,
    ) -> None:
        chosen = images.split(split)
        if batch_size < 1:
            raise UsageError(f"a batch has at least 1 image, {batch_size} were asked for")
        self.num_images = len(chosen)
        self.batch_size = min(batch_size, self.num_images)
        if shuffle and self.batch_size < 2:
            raise UsageError(
                f"batches of {self.batch_size} image cannot be trained on, as batch norms take mean and variance over "
                "a batch; take at least 2"
            )
        self.augmentation = augmentation or Augmentation()
        self._seed, self._shuffle = seed, shuffle
        self._images = torch.as_tensor(chosen.images, device=device)
        self._labels = torch.as_tensor(chosen.labels, device=device)
        mean, deviation = channel_statistics(images.train.images)
        self._mean = torch.tensor(mean, dtype=torch.float32, device=device).view(1, -1, 1, 1)
        self._scale = torch.tensor(1 / deviation, dtype=torch.float32, device=device).view(1, -1, 1, 1)
        self._crops = _all_crops(self._images, self.augmentation.crop)

    def __len__(self) -> int:
        return self.num_images // self.batch_size if self._shuffle else -(-self.num_images // self.batch_size)

    @property
    def device(self) -> torch.device:
        """Where batches are made."""
        return self._images.device

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of an epoch, which depend on the seed and the number alone.

        Args:
            number: Of the epoch.

        Yields:
            ``(B, C, H, W)`` float32 images and ``(B,)`` int64 labels.
        """
        draws = self._draw(number)
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            part = slice(start, min(start + self.batch_size, self.num_images))
            yield self._augmented(draws, part), self._labels[draws.order[part]]

    def endless(self, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch after another, as :meth:`epoch` gives them, without an end.

        Args:
            start: Number of the first batch, counted from 0 over all epochs.
        """
        first, done = divmod(start, len(self))
        yield from itertools.islice(self.epoch(first), done, None)
        for number in itertools.count(first + 1):
            yield from self.epoch(number)

    def plain(self) -> Iterator[tuple[Tensor, Tensor]]:
        """All images in their own order, unchanged but for the normalisation."""
        for start in range(0, self.num_images, self.batch_size):
            part = slice(start, start + self.batch_size)
            yield self._normalised(self._images[part]), self._labels[part]

    def _draw(self, number: int) -> _Draws:
        digest = hashlib.blake2b(f"{self._seed}/{number}".encode(), digest_size=8).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
        count, crop, size = self.num_images, self.augmentation.crop, self._images.shape[2]
        order = torch.randperm(count, generator=generator) if self._shuffle else torch.arange(count)
        shifts = torch.randint(0, 2 * crop + 1, (2, count), generator=generator)
        mirrored = torch.rand(count, generator=generator) < 0.5
        centres = torch.randint(0, size, (count, 2), generator=generator)
        rows, columns = shifts.to(self.device)
        return _Draws(order.to(self.device), rows, columns, mirrored.to(self.device), centres.to(self.device))

    def _augmented(self, draws: _Draws, part: slice) -> Tensor:
        chosen = draws.order[part]
        if self._crops is None:
            pixels = self._images[chosen]
        else:
            pixels = self._crops[chosen, :, draws.rows[part], draws.columns[part]]
        if self.augmentation.flip:
            pixels = torch.where(draws.mirrored[part].view(-1, 1, 1, 1), pixels.flip(3), pixels)
        images = self._normalised(pixels)
        if self.augmentation.cutout:
            images.masked_fill_(_squares(draws.centres[part], self.augmentation.cutout, images.shape[2]), 0.0)
        return images

    def _normalised(self, pixels: Tensor) -> Tensor:
        return _channels_last(pixels).float().sub_(self._mean).mul_(self._scale)


@torch.no_grad()
def accuracy(forward: Callable[[Tensor], Tensor], batches: Batches) -> float:
    """Top-1 accuracy on a split's images, unchanged, in percent; scores that are NaN are wrong.

    Args:
        forward: ``(B, C, H, W)`` images to ``(B, num_classes)`` scores. A module must be in evaluation mode.
        batches: The split; every image counts once, whatever its order and augmentation.
    """
    right = torch.zeros((), dtype=torch.int64, device=batches.device)
    for images, labels in batches.plain():
        scores = forward(images)
        right += ((scores.argmax(1) == labels) & ~scores.isnan().any(1)).sum()
    return 100 * int(right) / batches.num_images


def channel_statistics(images: Pixels) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel, ``(C,)``, from 0 to 255; a deviation of 0 is given as 1.

    Args:
        images: ``(N, C, H, W)``.
    """
    values = np.arange(256, dtype=np.float64)
    counts = np.stack([np.bincount(images[:, c].ravel(), minlength=256) for c in range(images.shape[1])])
    shares = counts / counts.sum(axis=1, keepdims=True)
    mean = shares @ values
    deviation = np.sqrt((shares * (values - mean[:, None]) ** 2).sum(axis=1))
    return mean, np.where(deviation > 0, deviation, 1.0)


def _all_crops(images: Tensor, crop: int) -> Tensor | None:
    """A view of every shift of every image: ``(N, C, 2 * crop + 1, 2 * crop + 1, H, W)``."""
    if not crop:
        return None
    size = images.shape[2]
    return F.pad(images, (crop,) * 4).unfold(2, size, 1).unfold(3, size, 1)


def _channels_last(images: Tensor) -> Tensor:
    """The images with their channels side by side in memory, which convolutions take over to the end of a network.

    Depthwise convolutions are several times faster so on a CPU. Grey images look the same either way, and would be
    taken for the slower one, unless their strides say what is meant.
    """
    _, channels, height, width = images.shape
    last = images.contiguous(memory_format=torch.channels_last)
    return last.as_strided(images.shape, (height * width * channels, 1, width * channels, channels))


def _squares(centres: Tensor, side: int, size: int) -> Tensor:
    """True within a square around each centre, ``(B, 1, size, size)``."""
    places = torch.arange(size, device=centres.device)
    first = centres - side // 2  # (B, 2)
    inside = (places >= first[..., None]) & (places < first[..., None] + side)  # (B, 2, size)
    return (inside[:, 0, :, None] & inside[:, 1, None, :])[:, None]
