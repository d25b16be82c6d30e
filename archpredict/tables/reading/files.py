"""A file's bytes, plain or gzip-compressed, read within bounds: what every table format begins with.

Nothing is skipped or repaired: the first thing that is not as expected raises a DataError that names the place.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archpredict.errors import DataError
from archpredict.tables.reading.digest import digested

MAX_LINE_BYTES = 1_000_000
MAX_LINES = 20_000_000
MAX_BYTES = 8_000_000_000
"""Of one file, after decompression; the largest published table has 2 GB."""

MAX_FOLDER_FILES = 1_000_000

_GZIP_MAGIC = b"\x1f\x8b"


class TableStream:
    """Decompressed bytes of one file, counted, with errors that say where."""

    def __init__(self, path: Path, stream: io.BufferedIOBase) -> None:
        self._path, self._stream, self._count = path, stream, 0

    def read(self, size: int, where: str) -> bytes:
        """Up to ``size`` bytes, fewer only at the end; ``where`` is for the message should they be unreadable."""
        parts: list[bytes] = []
        while size > 0:
            part = self._guarded(self._stream.read, size, where)
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def line(self, size: int, where: str) -> bytes:
        """The bytes up to and with the next line end, at most ``size``."""
        return self._guarded(self._stream.readline, size, where)

    def _guarded(self, read: object, size: int, where: str) -> bytes:
        try:
            raw: bytes = read(size)  # type: ignore[operator]
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(
                f"{self._path}, {where}: the gzip file is broken here ({error}); copy or make it again"
            ) from error
        except OSError as error:
            raise DataError(f"{self._path} cannot be read: {error.strerror or error}") from error
        self._count += len(raw)
        if self._count > MAX_BYTES:
            raise DataError(
                f"{self._path}, {where}: the file holds more than {MAX_BYTES:,} bytes (decompressed), the most that "
                "is read; split it"
            )
        return raw


@contextmanager
def opened(path: Path) -> Iterator[TableStream]:
    """The file's bytes, decompressed where they are gzip, whatever the name says."""
    with open_bytes(path) as stream:
        start = stream.peek(2)[:2]
        if not start:
            raise DataError(f"{path} is empty; expected a table with a header or one JSON object per line")
        if start == _GZIP_MAGIC:
            with gzip.GzipFile(fileobj=stream) as plain:
                yield TableStream(path, plain)
        elif path.name.lower().endswith(".gz"):
            raise DataError(f"{path} is no gzip file although its name ends in .gz; compress it or rename it")
        else:
            yield TableStream(path, stream)


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 text with their line ends."""
    with opened(path) as source:
        number = 0
        while True:
            number += 1
            raw = source.line(MAX_LINE_BYTES + 1, f"line {number}")
            if not raw:
                return
            if len(raw) > MAX_LINE_BYTES:
                raise DataError(
                    f"{path}, line {number}: the line is longer than {MAX_LINE_BYTES:,} bytes; is this a table?"
                )
            if number > MAX_LINES:
                raise DataError(f"{path} has more than {MAX_LINES:,} lines, the most that is read")
            try:
                # Spreadsheets put a byte order mark before the first column's name.
                yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{path}, line {number}: byte {error.start + 1} is not UTF-8; save the table as UTF-8"
                ) from error


def is_folder(path: Path) -> bool:
    """Whether a path that exists is a folder.

    Raises:
        DataError: Nothing is there, or it is neither a regular file nor a folder.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}; give the path of a table") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{str(path)!r} is no file's path: {error}") from error
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):  # a pipe would have to be read twice, and could never end
        raise DataError(f"{path} is no regular file; save the table under a name of its own")
    return stat.S_ISDIR(mode)


@contextmanager
def open_bytes(path: Path) -> Iterator[io.BufferedReader]:
    """The bytes of a regular file as they lie on disk."""
    if is_folder(path):
        raise DataError(f"{path} is a folder; give the table's file")
    try:
        raw = path.open("rb", buffering=0)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    with raw, digested(path, raw) as stream:
        yield stream


def files_below(folder: Path, ending: str | tuple[str, ...]) -> list[Path]:
    """The files of a folder and its sub-folders whose names end so, sorted; links are not followed.

    Raises:
        DataError: There are too many.
    """
    found: list[Path] = []
    for place, _, names in os.walk(folder):
        found += [Path(place, name) for name in names if name.lower().endswith(ending)]
        if len(found) > MAX_FOLDER_FILES:
            raise DataError(f"{folder} has more than {MAX_FOLDER_FILES:,} such files, the most that are read")
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes as they lie on disk; of a folder, of its files' names and digests."""
    digest = hashlib.sha256()
    if is_folder(path):
        for file in files_below(path, (".json", ".db")):
            digest.update(f"{file.relative_to(path).as_posix()}\0{file_sha256(file)}\n".encode())
        return digest.hexdigest()
    with open_bytes(path) as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def shown(value: object, limit: int = 60) -> str:
    """A value for an error message: on one line, without control characters, shortened."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."
