"""SHA-256 of files on their way through a reader, so that a table's file is opened once."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

_BLOCK = 1 << 17

_found: ContextVar[dict[Path, str] | None] = ContextVar("digests of what is read", default=None)


@contextmanager
def digests() -> Iterator[Mapping[Path, str]]:
    """Digests of the files that are read to their ends inside; those that are read out of order are left out.

    Formats are handed a path and open it themselves, at any depth: that is why the digests come by the context, not as
    an argument.
    """
    found: dict[Path, str] = {}
    token = _found.set(found)
    try:
        yield found
    finally:
        _found.reset(token)


@contextmanager
def digested(path: Path, raw: io.FileIO) -> Iterator[io.BufferedReader[Any]]:
    """The bytes of an open file, buffered; hashed as they are read where somebody asked for digests."""
    found = _found.get()
    if found is None:
        with io.BufferedReader(raw) as stream:
            yield stream
        return
    hashing = _Hashing(raw)
    with io.BufferedReader(hashing, _BLOCK) as stream:
        yield stream
        if (digest := hashing.finish()) is not None:
            found[path] = digest


class _Hashing(io.RawIOBase):
    """A file whose bytes are hashed as they are read from its beginning to its end."""

    def __init__(self, raw: io.FileIO) -> None:
        self._raw, self._hash, self._in_order = raw, hashlib.sha256(), True

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._raw.readinto(buffer) or 0
        if self._in_order:
            self._hash.update(memoryview(buffer)[:count])
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        before = self._raw.tell()
        after = self._raw.seek(offset, whence)
        self._in_order &= after == before
        return after

    def tell(self) -> int:
        return self._raw.tell()

    def finish(self) -> str | None:
        """The digest of the whole file, the rest of which is read now; None where it was not read in order."""
        block = bytearray(_BLOCK)
        while self._in_order and self.readinto(block):
            pass
        return self._hash.hexdigest() if self._in_order else None

    def close(self) -> None:
        self._raw.close()
        super().close()
