"""The contract of data sets, references to them, and stratified splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archpredict.errors import DataError, UnknownNameError, UsageError
from archpredict.images.base import Images, Split, load_images, stratified


def split(n: int = 4, *, channels: int = 1, size: int = 2, classes: int = 2) -> Split:
    images = np.arange(n * channels * size**2).astype(np.uint8).reshape(n, channels, size, size)
    return Split(images, np.arange(n, dtype=np.int64) % classes)


def make(**changes: object) -> Images:
    given = {"train": split(), "validation": split(), "test": split(), "num_classes": 2} | changes
    return Images("mine", **given)  # type: ignore[arg-type]


def test_digits_are_the_1797_images_of_scikit_learn_each_once() -> None:
    from sklearn.datasets import load_digits

    images = load_images("digits")
    parts = (images.train, images.validation, images.test)
    pixels, labels = load_digits(return_X_y=True)
    expected = sorted(zip(np.rint(pixels * 255 / 16).astype(int).tolist(), labels.tolist(), strict=True))
    found = [(x.ravel().tolist(), int(y)) for s in parts for x, y in zip(s.images, s.labels, strict=True)]
    assert sorted(found) == expected
    assert [len(part) for part in parts] == [1079, 359, 359]
    assert images.flips is False


def test_the_split_of_the_digits_is_fixed() -> None:
    assert load_images("digits").sha256 == "79a512d24d378a85e96f9ef402384713842a0b2afa9d90b5c03c2df32c92c7e7"


def test_the_validation_images_are_learned_from_too_in_a_final_training() -> None:
    images = load_images("digits")
    both = images.trainval()
    assert len(both.train) == len(images.train) + len(images.validation)
    np.testing.assert_array_equal(both.train.images[: len(images.train)], images.train.images)
    np.testing.assert_array_equal(both.train.labels[len(images.train) :], images.validation.labels)
    assert (both.validation, both.test, both.flips) == (images.validation, images.test, images.flips)


def test_digits_take_no_path() -> None:
    with pytest.raises(DataError, match="digits come with scikit-learn and have no path, here was given; leave it out"):
        load_images("digits:here")


def test_a_description_has_checksum_sizes_and_classes() -> None:
    described = make(test=split(3)).describe()
    assert len(described.pop("sha256")) == 64
    assert described == {
        "name": "mine", "num_classes": 2, "channels": 1, "size": 2, "train": 4, "validation": 4, "test": 3,
    }  # fmt: skip


def test_one_pixel_or_one_label_changes_the_checksum() -> None:
    pixel, label = split(), split()
    pixel.images[3, 0, 1, 1] += 1
    label.labels[0] = 1
    assert len({make().sha256, make(test=pixel).sha256, make(test=label).sha256, make(validation=pixel).sha256}) == 4
    assert make().sha256 == make().sha256


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 1}, "mine: 1 class is given; there must be at least 2 to tell apart"),
        ({"test": split(channels=3)}, r"test split: images have the shape \(3, 2, 2\), .* train split \(1, 2, 2\)"),
        ({"test": split(0)}, "mine, test split: it is empty; give at least one image"),
        ({"train": split(1)}, "mine: the train split has a single image; give at least 2"),
        ({"validation": split(classes=3)}, "mine, validation split: image 2 has the label 2; expected 0 to 1"),
        ({"train": Split(split().images, -split().labels)}, "train split: image 1 has the label -1; expected 0 to 1"),
        ({"train": Split(split().images, split(5).labels)}, r"labels are given as int64 of shape \(5,\)"),
        ({"train": Split(split().images / 255, split().labels)}, "images are given as float64 of .*; expected uint8"),
        ({"train": Split(split().images[..., :1], split().labels)}, "with equal height and width"),
    ],
)  # fmt: skip
def test_what_is_no_data_set_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        make(**changes)


def test_an_unknown_split_lists_the_choices() -> None:
    with pytest.raises(UnknownNameError, match="unknown split 'val'; choose from: test, train, validation"):
        make().split("val")


def test_an_unknown_data_set_lists_the_choices() -> None:
    with pytest.raises(
        UnknownNameError,
        match=r"unknown data set 'digit'; choose from: cifar10, cifar100, digits, folder\. Did you mean",
    ):
        load_images("digit")


# ---------------------------------------------------------------------- own data sets

OWN = """
import numpy as np
from archpredict.images.base import Images, ImageSet, Split

class Mine(ImageSet):
    name = "mine"
    def load(self, path):
        count = 4 if path is None else int(path.read_text())
        split = Split(np.zeros((count, 1, 2, 2), np.uint8), np.arange(count) % 2)
        return Images("mine", split, split, split, 2)

class Wrong(Mine):
    def load(self, path):
        return "no images"

class Broken(Mine):
    def __init__(self):
        raise ValueError("not today")

class Other:
    pass
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "own_images.py").write_text(OWN)
    (tmp_path / "count").write_text("6")
    return tmp_path


def test_a_class_of_ones_own_is_named_by_file_and_may_have_a_path(own: Path) -> None:
    assert len(load_images(f"{own}/own_images.py:Mine").train) == 4
    assert len(load_images(f"{own}/own_images.py:Mine:{own}/count").train) == 6


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Wrong", r"own_images.py:Wrong.load\(\) must return Images, it returned str"),
        ("Broken", "own_images.py:Broken' cannot be made: ValueError: not today"),
        ("Other", "is the class Other; expected a class derived from archpredict.images.base.ImageSet"),
        ("None", "has no 'None' to use from images; its classes are: Broken, Mine, Other, Wrong"),
    ],
)
def test_what_is_no_data_set_class_is_named(own: Path, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_images(f"{own}/own_images.py:{name}")


# ---------------------------------------------------------------------- stratified


def test_stratified_parts_hold_each_image_once_and_each_class_in_equal_shares() -> None:
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [100, 50, 10])).astype(np.int64)
    parts = stratified(labels, (0.2, 0.1), seed=0)
    assert sorted(np.concatenate(parts).tolist()) == list(range(160))
    assert [np.bincount(labels[part]).tolist() for part in parts] == [[70, 35, 7], [20, 10, 2], [10, 5, 1]]


def test_every_part_gets_one_of_a_class_of_three() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1], dtype=np.int64)
    assert [np.bincount(labels[part]).tolist() for part in stratified(labels, (0.1, 0.1), seed=0)] == [[1, 1]] * 3


def test_another_seed_gives_another_split() -> None:
    labels = np.zeros(100, dtype=np.int64)
    one, two = (stratified(labels, (0.5,), seed)[0].tolist() for seed in (0, 1))
    assert one != two
    assert one == stratified(labels, (0.5,), 0)[0].tolist()
