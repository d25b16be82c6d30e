"""CIFAR files: made small here, and told from broken ones."""

from __future__ import annotations

import gzip
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from archpredict.errors import DataError
from archpredict.images import cifar10, cifar100
from archpredict.images.base import Images, load_images
from archpredict.images.reading import cifar as _cifar

FILES = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
COUNT = 40


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of 40 images instead of 10,000; everything else as published."""
    for module in (cifar10, cifar100):
        layout = module._LAYOUT
        fewer = replace(
            layout, train=dict.fromkeys(layout.train, 5 * COUNT if module is cifar100 else COUNT),
            test=dict.fromkeys(layout.test, COUNT),
        )  # fmt: skip
        monkeypatch.setattr(module, "_LAYOUT", fewer)


def records(count: int, classes: tuple[int, ...], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    labels = np.stack([np.arange(count) % n for n in classes], axis=1)
    return np.concatenate([labels, rng.integers(0, 256, (count, 3072))], axis=1).astype(np.uint8)


@pytest.fixture
def ten(tmp_path: Path) -> Path:
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for seed, name in enumerate(FILES):
        (folder / name).write_bytes(records(COUNT, (10,), seed).tobytes())
    (folder / "batches.meta.txt").write_text("airplane\n")
    return folder


def packed(folder: Path, file: Path, mode: str = "w:gz") -> Path:
    with tarfile.open(file, mode) as archive:  # type: ignore[call-overload]
        archive.add(folder, arcname=folder.name)
    return file


def test_published_layouts_have_the_published_sizes() -> None:
    import importlib

    fresh = importlib.reload(cifar10)._LAYOUT.sizes, importlib.reload(cifar100)._LAYOUT.sizes
    assert fresh[0] == dict.fromkeys(FILES, 30_730_000)
    assert fresh[1] == {"train.bin": 153_700_000, "test.bin": 30_740_000}


def test_cifar10_pixels_are_rows_of_red_then_green_then_blue(ten: Path) -> None:
    images = load_images(f"cifar10:{ten}")
    content = records(COUNT, (10,), seed=5)
    assert images.test.labels.tolist() == [i % 10 for i in range(COUNT)]
    for c, y, x in ((0, 0, 0), (1, 4, 31), (2, 31, 7)):
        assert (images.test.images[:, c, y, x] == content[:, 1 + c * 1024 + y * 32 + x]).all()


def test_a_tenth_of_each_class_of_the_training_images_is_for_validation(ten: Path) -> None:
    images = load_images(f"cifar10:{ten}")
    assert [len(s) for s in (images.train, images.validation, images.test)] == [180, 20, 40]
    assert np.bincount(images.validation.labels).tolist() == [2] * 10
    everything = np.concatenate([records(COUNT, (10,), seed)[:, 1:] for seed in range(5)])
    found = np.concatenate([images.train.images, images.validation.images]).reshape(200, -1)
    assert sorted(map(bytes, found)) == sorted(map(bytes, everything))


def same(one: Images, two: Images) -> bool:
    return one.sha256 == two.sha256


def test_folder_the_folder_above_and_archives_give_the_same_images(ten: Path, tmp_path: Path) -> None:
    images = load_images(f"cifar10:{ten}")
    assert same(images, load_images(f"cifar10:{tmp_path}"))
    assert same(images, load_images(f"cifar10:{packed(ten, tmp_path / 'c.tar.gz')}"))
    assert same(images, load_images(f"cifar10:{packed(ten, tmp_path / 'c.tar', 'w')}"))


def test_cifar100_learns_the_fine_labels(tmp_path: Path) -> None:
    (tmp_path / "train.bin").write_bytes(records(5 * COUNT, (20, 100), 0).tobytes())
    (tmp_path / "test.bin").write_bytes(records(COUNT, (20, 100), 1).tobytes())
    images = load_images(f"cifar100:{tmp_path}")
    assert images.num_classes == 100
    assert images.test.labels.tolist() == list(range(COUNT))
    assert [len(s) for s in (images.train, images.validation)] == [100, 100]  # of two per class at least one


# ---------------------------------------------------------------------- what is wrong


def test_without_a_path_the_message_says_what_to_give() -> None:
    with pytest.raises(
        DataError, match="cifar10:PATH, where PATH is the folder cifar-10-batches-bin or the file cifar"
    ):
        load_images("cifar10")


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"there is no {tmp_path}/none; give the folder cifar-10-batches-bin or"):
        load_images(f"cifar10:{tmp_path}/none")


def test_a_missing_file_is_named(ten: Path) -> None:
    (ten / FILES[3]).unlink()
    with pytest.raises(DataError, match=r"cifar-10-batches-bin has no file data_batch_4.bin; expected the binary"):
        load_images(f"cifar10:{ten}")


@pytest.mark.parametrize(("change", "what"), [(-1, "truncated"), (1, "another data set")])
def test_a_file_of_another_size_is_refused(ten: Path, tmp_path: Path, change: int, what: str) -> None:
    content = (ten / FILES[1]).read_bytes()
    (ten / FILES[1]).write_bytes((content + b"\0")[: len(content) + change])
    message = rf"data_batch_2.bin has {len(content) + change:,} bytes, expected {len(content):,}; the file is {what}"
    with pytest.raises(DataError, match=message):
        load_images(f"cifar10:{ten}")
    with pytest.raises(DataError, match=message):
        load_images(f"cifar10:{packed(ten, tmp_path / 'c.tar.gz')}")


def test_a_label_out_of_range_is_found(ten: Path) -> None:
    content = records(COUNT, (10,), 0)
    content[6, 0] = 10
    (ten / FILES[0]).write_bytes(content.tobytes())
    with pytest.raises(
        DataError, match=r"data_batch_1.bin: record 7 has the label 10, expected 0 to 9; the file is brok"
    ):
        load_images(f"cifar10:{ten}")


def test_a_coarse_label_out_of_range_is_found(tmp_path: Path) -> None:
    content = records(COUNT, (20, 100), 1)
    content[2, 0] = 20
    (tmp_path / "train.bin").write_bytes(records(5 * COUNT, (20, 100), 0).tobytes())
    (tmp_path / "test.bin").write_bytes(content.tobytes())
    with pytest.raises(DataError, match=r"test.bin: record 3 has the label 20, expected 0 to 19"):
        load_images(f"cifar100:{tmp_path}")


def test_a_truncated_archive_is_refused(ten: Path, tmp_path: Path) -> None:
    file = packed(ten, tmp_path / "c.tar.gz")
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(DataError, match=r"c.tar.gz is no whole .tar or .tar.gz file \(.*\); get it again"):
        load_images(f"cifar10:{file}")


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x1f\x8bhello", gzip.compress(b"hello" * 1000, mtime=0), bytes(5000)]
)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.tar.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"c.tar.gz (is no whole .tar or|holds no file data_batch_1.bin)"):
        load_images(f"cifar10:{tmp_path}/c.tar.gz")


def test_the_python_version_of_the_archive_is_told_from_the_binary_one(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "data_batch_1").write_bytes(b"pickled")
    file = packed(folder, tmp_path / "cifar-10-python.tar.gz")
    with pytest.raises(
        DataError, match=r"holds no file data_batch_1.bin; give the binary version, published as cifar-10-b"
    ):
        load_images(f"cifar10:{file}")


def test_links_in_an_archive_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(records(COUNT, (10,), 0).tobytes())
    with tarfile.open(tmp_path / "c.tar", "w") as archive:
        for name in FILES:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, str(secret)
            archive.addfile(link)
    with pytest.raises(DataError, match=r"holds no file data_batch_1.bin"):
        load_images(f"cifar10:{tmp_path}/c.tar")


def test_an_archive_that_unpacks_to_far_more_than_it_should_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_cifar, "_MAX_UNPACKED", 1_000_000)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        bomb = tarfile.TarInfo("zeros")
        bomb.size = 5_000_000
        archive.addfile(bomb, io.BytesIO(bytes(bomb.size)))
    (tmp_path / "c.tar.gz").write_bytes(stream.getvalue())
    with pytest.raises(DataError, match=r"holds more than 1,000,000 bytes \(decompressed\), the most that is read"):
        load_images(f"cifar10:{tmp_path}/c.tar.gz")
