"""Files that are whole or not there."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from archpredict.errors import UsageError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to, which takes its name once all is written.

    Raises:
        UsageError: There is a file already, or the folder cannot be written to.
    """
    if path.exists():
        raise UsageError(f"{path} exists already; give another name, or remove it first")
    part = path.with_name(f".part{os.getpid()}.{path.name}")  # the ending still says what it is
    try:
        part.touch(exist_ok=False)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}; give another place") from error
    try:
        yield part
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


@contextmanager
def text_writer(path: Path) -> Iterator[IO[str]]:
    """A UTF-8 text file to write, gzip-compressed where ``.gz`` is among its endings (without name and time of day)."""
    with path.open("wb") as raw:
        if ".gz" in path.suffixes:
            with (
                gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
                io.TextIOWrapper(packed, encoding="utf-8", errors="backslashreplace", newline="") as text,
            ):
                yield text
        else:
            with io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", newline="") as text:
                yield text
