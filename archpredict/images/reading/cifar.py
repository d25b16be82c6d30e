"""CIFAR-10 and CIFAR-100 in their binary form: fixed records of labels and 3x32x32 bytes, in a folder or a tar file."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np

from archpredict.errors import DataError
from archpredict.images.base import Images, Labels, Split, stratified

_PIXELS = 3 * 32 * 32
_SEED = 0
_VALIDATION = 0.1
"""Share of the training images, per class."""

_MAX_UNPACKED = 400_000_000
"""Bytes of a tar file, decompressed; the published ones have 184 million."""
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class Layout:
    """Where a data set keeps what.

    Args:
        folder: What the published archive calls its folder.
        archive: What the published archive is called.
        train: Files with training images, and how many each holds.
        test: Files with test images, and how many each holds.
        ranges: How many values each label byte of a record has; the last one is what is learned.
    """

    folder: str
    archive: str
    train: Mapping[str, int]
    test: Mapping[str, int]
    ranges: tuple[int, ...]

    @property
    def record(self) -> int:
        """Bytes per image."""
        return len(self.ranges) + _PIXELS

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes per file."""
        return {name: count * self.record for name, count in {**self.train, **self.test}.items()}


def load(name: str, layout: Layout, path: Path | None) -> Images:
    """The images of a folder or of the archive; a tenth of each class of the training images is the validation split.

    Raises:
        DataError: A file is missing or has another size, or a label is out of range.
    """
    if path is None:
        raise DataError(
            f"the data set {name} is read from a path: {name}:PATH, where PATH is the folder {layout.folder} or the "
            f"file {layout.archive}"
        )
    if not path.exists():
        raise DataError(f"there is no {path}; give the folder {layout.folder} or the file {layout.archive}")
    files = _from_folder(path, layout) if path.is_dir() else _from_archive(path, layout)
    train = _decoded(path, layout, {name: files[name] for name in layout.train})
    test = _decoded(path, layout, {name: files[name] for name in layout.test})
    first, second = (
        Split(train.images[rows], train.labels[rows]) for rows in stratified(train.labels, (_VALIDATION,), _SEED)
    )
    return Images(name, first, second, test, num_classes=layout.ranges[-1])


def _decoded(path: Path, layout: Layout, files: Mapping[str, bytes]) -> Split:
    images, labels = [], []
    for name, content in files.items():
        records = np.frombuffer(content, dtype=np.uint8).reshape(-1, layout.record)
        _check_labels(f"{path}, {name}", records, layout.ranges)
        labels.append(records[:, len(layout.ranges) - 1])
        images.append(records[:, len(layout.ranges) :])
    found: Labels = np.concatenate(labels).astype(np.int64)
    return Split(np.concatenate(images).reshape(-1, 3, 32, 32), found)


def _check_labels(place: str, records: np.ndarray, ranges: tuple[int, ...]) -> None:
    wrong = records[:, : len(ranges)] >= np.array(ranges)
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        raise DataError(
            f"{place}: record {row + 1} has the label {records[row, column]}, expected 0 to {ranges[column] - 1}; "
            "the file is broken or is another data set: get it again"
        )


# ---------------------------------------------------------------- files


def _from_folder(path: Path, layout: Layout) -> dict[str, bytes]:
    below = path / layout.folder
    folder = below if below.is_dir() else path
    found = {}
    for name, size in layout.sizes.items():
        file = folder / name
        if not file.is_file():
            raise DataError(
                f"{folder} has no file {name}; expected the binary version with {', '.join(layout.sizes)} "
                "(not the Python one)"
            )
        _check_size(str(file), file.stat().st_size, size)
        try:
            with file.open("rb") as stream:
                found[name] = stream.read(size)
        except OSError as error:
            raise DataError(f"{file} cannot be read: {error.strerror or error}") from error
        _check_size(str(file), len(found[name]), size)
    return found


def _from_archive(path: Path, layout: Layout) -> dict[str, bytes]:
    """Nothing is unpacked to disk: the members of the right name and size are read in passing."""
    found: dict[str, bytes] = {}
    with _broken_archives(path), _plain(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            name = member.name.rpartition("/")[2]
            if name not in layout.sizes or name in found or not member.isreg():
                continue
            _check_size(f"{path}, {name}", member.size, layout.sizes[name])
            content = archive.extractfile(member)
            assert content is not None  # a regular file has content
            found[name] = content.read(member.size)
            _check_size(f"{path}, {name}", len(found[name]), layout.sizes[name])
    for name in layout.sizes:
        if name not in found:
            raise DataError(f"{path} holds no file {name}; give the binary version, published as {layout.archive}")
    return found


def _check_size(place: str, found: int, expected: int) -> None:
    if found != expected:
        what = "truncated" if found < expected else "another data set"
        raise DataError(f"{place} has {found:,} bytes, expected {expected:,}; the file is {what}: get it again")


@contextmanager
def _broken_archives(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise DataError(f"{path} cannot be read: {error.strerror}") from error
        raise DataError(
            f"{path} is no whole .tar or .tar.gz file ({error or type(error).__name__}); get it again"
        ) from error


@contextmanager
def _plain(path: Path) -> Iterator[IO[bytes]]:
    if not path.is_file():
        raise DataError(f"{path} is no regular file; give a folder or a .tar.gz file")
    with path.open("rb") as raw:
        if raw.peek(2)[:2] == _GZIP_MAGIC:
            with gzip.GzipFile(fileobj=raw) as stream:
                yield cast(IO[bytes], _BoundedFile(path, stream))
        else:
            yield cast(IO[bytes], _BoundedFile(path, raw))


class _BoundedFile:
    """A stream that gives no more bytes than a data set has, whatever its headers promise."""

    def __init__(self, path: Path, stream: IO[bytes] | gzip.GzipFile) -> None:
        self._path, self._stream, self._count = path, stream, 0

    def read(self, size: int) -> bytes:
        part = self._stream.read(size)
        self._count += len(part)
        if self._count > _MAX_UNPACKED:
            raise DataError(
                f"{self._path} holds more than {_MAX_UNPACKED:,} bytes (decompressed), the most that is read; "
                "give the archive as published"
            )
        return part
