"""Batches: their order, what augmentation does to them, and accuracy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from archpredict.errors import UnknownNameError, UsageError
from archpredict.images.base import Images, Split, load_images
from archpredict.networks.batches import Augmentation, Batches, accuracy, channel_statistics

SIZE = 6


def numbered(count: int) -> Split:
    """Images that differ: noise in three channels, and the number of the image as its label."""
    pixels = np.random.default_rng(count).integers(0, 256, (count, 3, SIZE, SIZE)).astype(np.uint8)
    return Split(pixels, np.arange(count, dtype=np.int64))


IMAGES = Images("numbers", numbered(20), numbered(7), numbered(1), num_classes=20)
MEAN, DEVIATION = channel_statistics(IMAGES.train.images)


def pixels(images: Tensor) -> np.ndarray:
    """Back to 0 to 255."""
    return images.numpy() * DEVIATION[:, None, None] + MEAN[:, None, None]


def one_epoch(batches: Batches, number: int = 0) -> tuple[np.ndarray, np.ndarray]:
    images, labels = zip(*batches.epoch(number), strict=True)
    return pixels(torch.cat(images)), torch.cat(labels).numpy()


def test_statistics_are_those_of_all_pixels_of_a_channel() -> None:
    values = IMAGES.train.images.astype(np.float64)
    assert np.allclose(MEAN, values.mean(axis=(0, 2, 3)))
    assert np.allclose(DEVIATION, values.std(axis=(0, 2, 3)))


def test_a_channel_of_one_colour_becomes_zeros() -> None:
    split = Split(np.full((4, 1, 2, 2), 9, dtype=np.uint8), np.array([0, 1, 0, 1]))
    images, _ = next(Batches(Images("grey", split, split, split, 2), batch_size=4).epoch(0))
    assert (images == 0).all()


def test_training_images_have_mean_0_and_deviation_1() -> None:
    images, _ = next(Batches(IMAGES, batch_size=20).epoch(0))
    assert images.dtype == torch.float32
    assert torch.allclose(images.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(images.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-5)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_every_split_is_normalised_by_the_train_split(split: str) -> None:
    found, labels = one_epoch(Batches(IMAGES, split, batch_size=3, shuffle=False))
    assert np.allclose(found, IMAGES.split(split).images, atol=1e-3)
    assert (labels == IMAGES.split(split).labels).all()


def test_a_shuffled_epoch_has_each_image_once_with_its_own_label() -> None:
    found, labels = one_epoch(Batches(IMAGES, batch_size=5))
    assert sorted(labels.tolist()) == list(range(20))
    assert labels.tolist() != list(range(20))
    assert np.allclose(found, IMAGES.train.images[labels], atol=1e-3)


@pytest.mark.parametrize(
    ("size", "shuffle", "expected"),
    [
        (6, True, [6, 6, 6]),  # the last two are left out
        (6, False, [6, 6, 6, 2]),
        (19, True, [19]),
        (19, False, [19, 1]),
        (20, True, [20]),
        (64, True, [20]),
        (64, False, [20]),
    ],
)
def test_the_last_batch_is_left_out_of_shuffled_epochs_where_it_is_smaller(
    size: int, shuffle: bool, expected: list[int]
) -> None:
    batches = Batches(IMAGES, batch_size=size, shuffle=shuffle)
    assert [len(labels) for _, labels in batches.epoch(0)] == expected
    assert len(batches) == len(expected)
    assert batches.num_images == 20


def test_an_epoch_depends_on_the_seed_and_its_number_alone() -> None:
    def drawn(seed: int, number: int, before: int = 0) -> list[int]:
        batches = Batches(IMAGES, batch_size=4, seed=seed)
        for past in range(before):
            next(batches.epoch(past))  # abandoned in its middle
        torch.manual_seed(before)
        return one_epoch(batches, number)[1].tolist()

    assert drawn(0, 2) == drawn(0, 2, before=5)
    assert len({tuple(drawn(seed, number)) for seed in (0, 1) for number in (0, 1, 2)}) == 6


def test_endless_batches_begin_wherever_they_are_to_begin() -> None:
    batches = Batches(load_images("digits"), batch_size=500)
    assert len(batches) == 2
    whole = list(itertools.islice(batches.endless(), 6))
    for start in (0, 1, 2, 3):
        found = itertools.islice(batches.endless(start), 3)
        for (x, y), (other_x, other_y) in zip(found, whole[start : start + 3], strict=True):
            assert torch.equal(x, other_x)
            assert torch.equal(y, other_y)


def test_the_global_random_numbers_are_left_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one_epoch(Batches(IMAGES, batch_size=4, augmentation=Augmentation(1, True, 2)))
    assert (torch.get_rng_state() == before).all()


# ---------------------------------------------------------------------- augmentation


def shifts(crop: int) -> np.ndarray:
    """All shifts of all images, written with loops: ``(N, places, C, H, W)``."""
    padded = np.pad(IMAGES.train.images, ((0, 0), (0, 0), (crop, crop), (crop, crop)))
    span = range(2 * crop + 1)
    return np.stack([padded[:, :, y : y + SIZE, x : x + SIZE] for y in span for x in span], axis=1)


def test_a_crop_is_a_shift_with_black_that_enters() -> None:
    batches = Batches(IMAGES, batch_size=20, augmentation=Augmentation(crop=2))
    candidates, seen = shifts(2), set()
    for epoch in range(30):
        found, labels = one_epoch(batches, epoch)
        distance = np.abs(found[:, None] - candidates[labels]).max(axis=(2, 3, 4))
        assert (distance.min(axis=1) < 1e-3).all()
        seen |= set(distance.argmin(axis=1).tolist())
    assert seen == set(range(25))


def test_a_flip_mirrors_about_half_of_the_images_left_to_right() -> None:
    batches = Batches(IMAGES, batch_size=20, augmentation=Augmentation(flip=True))
    mirrored = 0
    for epoch in range(20):
        found, labels = one_epoch(batches, epoch)
        originals = IMAGES.train.images[labels]
        same = np.abs(found - originals).max(axis=(1, 2, 3)) < 1e-3
        flipped = np.abs(found - originals[..., ::-1]).max(axis=(1, 2, 3)) < 1e-3
        assert (same ^ flipped).all()
        mirrored += int(flipped.sum())
    assert 150 < mirrored < 250  # of 400; 5 standard deviations


@pytest.mark.parametrize("side", [1, 2, 3, 4])
def test_cutout_blanks_one_square_that_may_reach_over_the_border(side: int) -> None:
    batches = Batches(IMAGES, batch_size=20, augmentation=Augmentation(cutout=side))
    areas = set()
    for epoch in range(20):
        for image, label in zip(*next(batches.epoch(epoch)), strict=True):
            blank = (image == 0).all(0)
            rows, columns = blank.any(1).nonzero().ravel(), blank.any(0).nonzero().ravel()
            assert blank.sum() == len(rows) * len(columns)
            assert int(rows[-1] - rows[0]) == len(rows) - 1
            areas.add((len(rows), len(columns)))
            kept = pixels(image[None])[0][:, ~blank.numpy()]
            assert np.allclose(kept, IMAGES.train.images[label][:, ~blank.numpy()], atol=1e-3)
    low = (side + 1) // 2
    assert areas == {(h, w) for h in range(low, side + 1) for w in range(low, side + 1)}


def test_images_of_an_epoch_do_not_depend_on_the_batch_size() -> None:
    everything = Augmentation(crop=1, flip=True, cutout=2)
    small, large = (one_epoch(Batches(IMAGES, batch_size=n, augmentation=everything)) for n in (4, 20))
    assert (small[0] == large[0]).all()
    assert (small[1] == large[1]).all()


@pytest.mark.gpu
def test_a_gpu_gets_the_same_batches() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    everything = Augmentation(crop=1, flip=True, cutout=2)
    ours, theirs = (Batches(IMAGES, batch_size=4, device=d, augmentation=everything) for d in ("cpu", "cuda"))
    for (a, b), (x, y) in zip(ours.epoch(3), theirs.epoch(3), strict=True):
        assert torch.equal(a, x.cpu())
        assert torch.equal(b, y.cpu())


# ---------------------------------------------------------------------- accuracy


def test_accuracy_is_the_share_of_all_images_whatever_the_batches() -> None:
    right = torch.arange(20) < 13

    def forward(images: Tensor) -> Tensor:
        numbers = [int(np.abs(pixels(x[None]) - IMAGES.train.images).sum((1, 2, 3)).argmin()) for x in images]
        scores = torch.zeros(len(images), 20)
        for row, number in enumerate(numbers):
            scores[row, number if right[number] else (number + 1) % 20] = 1
        return scores

    for given in ({"batch_size": 6}, {"batch_size": 7, "shuffle": False}, {"batch_size": 64}):
        batches = Batches(IMAGES, augmentation=Augmentation(cutout=4), **given)
        assert accuracy(forward, batches) == pytest.approx(65)


def test_scores_that_are_no_numbers_are_wrong() -> None:
    batches = Batches(load_images("digits"), "test", batch_size=100, shuffle=False)
    assert accuracy(lambda x: torch.full((len(x), 10), torch.nan), batches) == 0


def test_accuracy_takes_no_gradients() -> None:
    weight = torch.zeros(3 * SIZE * SIZE, 20, requires_grad=True)
    seen = []

    def forward(images: Tensor) -> Tensor:
        seen.append((images.flatten(1) @ weight).requires_grad)
        return images.flatten(1) @ weight

    accuracy(forward, Batches(IMAGES, batch_size=10))
    assert seen == [False, False]


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(("size", "split"), [(1, "train"), (5, "test")])
def test_shuffled_batches_of_one_image_are_refused(size: int, split: str) -> None:
    with pytest.raises(
        UsageError, match=r"batches of 1 image cannot be trained on, as batch norms .*; take at least 2"
    ):
        Batches(IMAGES, split, batch_size=size)


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(UsageError, match="a batch has at least 1 image, 0 were asked for"):
        Batches(IMAGES, batch_size=0)


def test_an_unknown_split_lists_the_choices() -> None:
    with pytest.raises(UnknownNameError, match="unknown split 'valid'; choose from: test, train, validation"):
        Batches(IMAGES, "valid", batch_size=2)


@pytest.mark.parametrize("wrong", [{"crop": -1}, {"cutout": -2}])
def test_negative_pixels_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="crop and cutout are numbers of pixels from 0"):
        Augmentation(**wrong)
