"""Folders of image files."""

from __future__ import annotations

import builtins
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict.errors import DataError, MissingDependencyError
from archpredict.images import folder as module
from archpredict.images.base import load_images

Image = pytest.importorskip("PIL.Image", reason="needs Pillow")

RED, BLUE = (200, 0, 0), (0, 0, 100)


def paint(file: Path, colour: tuple[int, ...] = RED, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour if len(colour) > 1 else colour[0]).save(file)


def classes(place: Path, count: int, names: tuple[str, ...] = ("cat", "dog")) -> Path:
    for shade, name in enumerate(names):
        for i in range(count):
            paint(place / name / f"{i:02}.png", (100 * shade, i, 0))
    return place


def test_one_level_of_classes_is_divided_80_10_10(tmp_path: Path) -> None:
    images = load_images(f"folder:{classes(tmp_path, 10)}?size=8")
    parts = (images.train, images.validation, images.test)
    assert [np.bincount(part.labels).tolist() for part in parts] == [[8, 8], [1, 1], [1, 1]]
    found = sorted(
        (int(x[0, 0, 0]), int(x[1, 0, 0]), int(y)) for s in parts for x, y in zip(s.images, s.labels, strict=True)
    )
    assert found == [(100 * label, i, label) for label in (0, 1) for i in range(10)]  # fmt: skip
    assert images.flips


def test_given_splits_are_kept(tmp_path: Path) -> None:
    for name, count in (("train", 3), ("validation", 2), ("test", 1)):
        classes(tmp_path / name, count)
    images = load_images(f"folder:{tmp_path}")
    assert [len(s) for s in (images.train, images.validation, images.test)] == [6, 4, 2]
    assert images.size == 64


def test_without_validation_a_tenth_of_train_is_taken(tmp_path: Path) -> None:
    classes(tmp_path / "train", 10)
    classes(tmp_path / "test", 1)
    images = load_images(f"folder:{tmp_path}?size=4")
    assert [len(s) for s in (images.train, images.validation, images.test)] == [18, 2, 2]


def test_the_largest_centred_square_is_resized(tmp_path: Path) -> None:
    wide = np.zeros((4, 12, 3), dtype=np.uint8)
    wide[:, 4:8] = RED
    for name in ("a", "b"):
        for i in range(3):
            paint(tmp_path / name / f"{i}.png")
    Image.fromarray(wide).save(tmp_path / "a" / "0.png")
    images = load_images(f"folder:{tmp_path}?size=2")
    for part in (images.train, images.validation, images.test):
        assert (part.images == np.array(RED, dtype=np.uint8)[None, :, None, None]).all()


@pytest.mark.parametrize(
    ("mode", "ending", "colour", "expected"),
    [
        ("L", "png", (7,), [7, 7, 7]),
        ("1", "png", (1,), [255, 255, 255]),
        ("RGBA", "png", (*RED, 255), [*RED]),
        ("P", "png", (0,), [0, 0, 0]),
        ("LA", "png", (9, 255), [9, 9, 9]),
        ("RGB", "bmp", BLUE, [*BLUE]),
        ("RGB", "ppm", BLUE, [*BLUE]),
        ("L", "PGM", (3,), [3, 3, 3]),
    ],
)
def test_every_kind_of_file_becomes_three_channels(
    tmp_path: Path, mode: str, ending: str, colour: tuple[int, ...], expected: list[int]
) -> None:
    for name in ("a", "b"):
        for i in range(3):
            paint(tmp_path / name / f"{i}.{ending}", colour, mode=mode)
    assert load_images(f"folder:{tmp_path}?size=4").train.images[0, :, 0, 0].tolist() == expected


def test_one_channel_is_the_brightness(tmp_path: Path) -> None:
    images = load_images(f"folder:{classes(tmp_path, 3, ('a', 'b'))}?size=4&channels=1")
    assert images.train.images.shape == (2, 1, 4, 4)
    assert images.train.images[1, 0, 0, 0] == pytest.approx(0.299 * 100, abs=2)  # 100 red, hardly any green


def test_jpeg_files_are_read_at_any_size(tmp_path: Path) -> None:
    for name, colour in (("a", RED), ("b", BLUE)):
        for i in range(3):
            paint(tmp_path / name / f"{i}.JPEG", colour, (300, 200))
    found = load_images(f"folder:{tmp_path}?size=16").train.images
    assert np.abs(found[0].astype(int) - np.array(RED)[:, None, None]).max() <= 3


def test_other_files_and_hidden_ones_are_left_alone(tmp_path: Path) -> None:
    classes(tmp_path, 3)
    (tmp_path / "README.txt").write_text("hello")
    (tmp_path / "cat" / "notes.txt").write_text("hello")
    (tmp_path / "cat" / "._00.png").write_bytes(b"\0")
    (tmp_path / ".cache").mkdir()
    assert load_images(f"folder:{tmp_path}?size=4").num_classes == 2


# ---------------------------------------------------------------------- what is wrong


def test_without_a_path_the_message_says_what_to_give() -> None:
    with pytest.raises(DataError, match="an image folder is read from a path: folder:PATH, with one sub-folder per cl"):
        load_images("folder")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"there is no folder {tmp_path}/none; give the folder whose sub-folders are"):
        load_images(f"folder:{tmp_path}/none?size=4")


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    paint(tmp_path / "0.png")
    with pytest.raises(DataError, match=f"{tmp_path} has no sub-folder; expected one sub-folder per class"):
        load_images(f"folder:{tmp_path}")


def test_a_folder_with_one_class_is_refused(tmp_path: Path) -> None:
    classes(tmp_path, 3, ("cat",))
    with pytest.raises(DataError, match=f"{tmp_path} has the only sub-folder 'cat'; .* at least two classes"):
        load_images(f"folder:{tmp_path}")


def test_a_class_with_too_few_images_is_refused(tmp_path: Path) -> None:
    classes(tmp_path, 3)
    (tmp_path / "dog" / "00.png").unlink()
    with pytest.raises(DataError, match=f"{tmp_path}/dog has 2 image files .* at least 3 per class are needed"):
        load_images(f"folder:{tmp_path}")


def test_train_without_test_is_refused(tmp_path: Path) -> None:
    classes(tmp_path / "train", 3)
    with pytest.raises(DataError, match=f"{tmp_path} has a folder train but no folder test; add one"):
        load_images(f"folder:{tmp_path}")


def test_a_class_that_is_not_trained_on_is_refused(tmp_path: Path) -> None:
    classes(tmp_path / "train", 3)
    classes(tmp_path / "test", 1, ("cat", "bird"))
    with pytest.raises(DataError, match=f"{tmp_path}/test/bird: there is no class 'bird' in {tmp_path}/train"):
        load_images(f"folder:{tmp_path}")


def test_a_split_without_images_is_refused(tmp_path: Path) -> None:
    classes(tmp_path / "train", 3)
    (tmp_path / "test" / "cat").mkdir(parents=True)
    with pytest.raises(DataError, match=f"{tmp_path}/test has no image files"):
        load_images(f"folder:{tmp_path}")


def test_of_broken_files_the_first_is_named_and_the_others_are_counted(tmp_path: Path) -> None:
    classes(tmp_path, 5)
    whole = (tmp_path / "cat" / "01.png").read_bytes()
    (tmp_path / "cat" / "01.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "dog" / "00.png").write_bytes(b"GIF89a no image")
    (tmp_path / "dog" / "03.png").write_bytes(b"")
    with pytest.raises(
        DataError, match=rf"{tmp_path}/cat/01.png: .* \(2 other files cannot be read either\); remove or"
    ):
        load_images(f"folder:{tmp_path}")


def test_a_single_broken_file_is_named(tmp_path: Path) -> None:
    classes(tmp_path, 3)
    (tmp_path / "dog" / "02.png").write_bytes(b"hello")
    with pytest.raises(DataError, match=rf"{tmp_path}/dog/02.png: cannot identify .*; remove or replace"):
        load_images(f"folder:{tmp_path}")


def test_a_decompression_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    classes(tmp_path, 3)
    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)
    chunks = (b"IHDR" + header, b"IDAT" + zlib.compress(bytes(10_000_000)))
    content = b"\x89PNG\r\n\x1a\n"
    for chunk in chunks:
        content += struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "cat" / "01.png").write_bytes(content)
    with pytest.raises(
        DataError, match=r"cat/01.png: it has 10000x10000 pixels, more than the 50,000,000 that are read"
    ):
        load_images(f"folder:{tmp_path}")


def test_sixteen_bits_per_channel_are_refused(tmp_path: Path) -> None:
    classes(tmp_path, 3)
    Image.fromarray(np.full((4, 4), 1000, dtype=np.uint16)).save(tmp_path / "cat" / "01.png")
    with pytest.raises(
        DataError, match=r"cat/01.png: it has more than 8 bits per channel \(mode I;16\); save it with 8"
    ):
        load_images(f"folder:{tmp_path}")


def test_more_pixels_than_fit_into_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_BYTES", 1000)
    with pytest.raises(
        DataError, match="6 images of 64 pixels take 73,728 bytes, more than 1,000; take a smaller size"
    ):
        load_images(f"folder:{classes(tmp_path, 3)}")


def test_more_files_than_are_read_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_FILES", 5)
    with pytest.raises(DataError, match="has more than 5 image files, the most that are read"):
        load_images(f"folder:{classes(tmp_path, 3)}")


@pytest.mark.parametrize("query", ["size=", "size=-1", "size=a", "width=3", "size"])
def test_an_unknown_option_is_refused(tmp_path: Path, query: str) -> None:
    with pytest.raises(DataError, match=f"'{query}' is no option of an image folder; expected e.g. PATH"):
        load_images(f"folder:{classes(tmp_path, 3)}?{query}")


@pytest.mark.parametrize("query", ["size=0", "size=4096", "channels=2"])
def test_a_size_or_channels_out_of_range_are_refused(tmp_path: Path, query: str) -> None:
    with pytest.raises(DataError, match="images are made 1 to 1024 pixels wide and high, with 1 or 3 channels"):
        load_images(f"folder:{classes(tmp_path, 3)}?{query}")


def test_without_pillow_the_message_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classes(tmp_path, 3)
    original = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name.startswith("PIL"):
            raise ImportError(name)
        return original(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(sys.modules, "PIL.Image")
    with pytest.raises(
        MissingDependencyError, match=r"Pillow, which is not installed: pip install 'archpredict\[images\]'"
    ):
        load_images(f"folder:{tmp_path}")
