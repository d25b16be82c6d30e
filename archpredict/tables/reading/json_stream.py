"""JSON documents, or what Python prints of them, read element by element.

So a list of a million architectures needs no memory for them all.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from archpredict.errors import DataError
from archpredict.spaces.notation.literals import read_at
from archpredict.tables.reading.files import TableStream, opened, shown

MAX_ELEMENT = 1_000_000
"""Characters of one element of the outermost list or object."""

_PEEK = 20_000
_MARGIN = 32
"""A number that ends this far before the end of what was read has been read whole."""

_SPACE = " \t\r\n"
_DECODER = json.JSONDecoder()


def elements(path: Path) -> Iterator[tuple[str, Any]]:
    """The elements of the outermost list, or the values of the outermost object, and where they are.

    Raises:
        DataError: The file is no JSON list or object, or an element is too long.
    """
    with opened(path) as source:
        text = _Text(path, source)
        text.skip_name()
        if text.next_mark() not in _CLOSING:
            raise text.wrong(f"found {shown(text.ahead())}, expected a JSON list or object")
        for key in _members(text):
            yield (f"element {text.number}" if key is None else f"element {shown(key)}"), text.value()
        text.end()


def keyed_elements(path: Path, is_group: Callable[[str, str], bool]) -> Iterator[tuple[str | None, str, Any]]:
    """The values of the outermost object, with the group and the key of each.

    Args:
        path: The file.
        is_group: Whether an object holds elements itself; asked with its key and the first one in it.

    Raises:
        DataError: The file is no JSON object, or an element is too long.
    """
    with opened(path) as source:
        text = _Text(path, source)
        text.skip_name()
        if text.next_mark() != "{":
            raise text.wrong(f"found {shown(text.ahead())}, expected a JSON object")
        for key in _members(text):
            inner = _FIRST_KEY.match(text.peek())
            if key is not None and inner is not None and is_group(key, inner["key"]):
                yield from ((key, str(name), text.value()) for name in _members(text))
            else:
                yield None, str(key), text.value()
        text.end()


def small_object(path: Path, limit: int = MAX_ELEMENT) -> dict[str, Any] | None:
    """The whole document where it is an object of at most so many characters; else None.

    Raises:
        DataError: The file cannot be read.
    """
    with opened(path) as source:
        raw = source.read(limit + 1, "element 1")
    if len(raw) > limit:
        return None
    try:
        text = raw.decode("utf-8-sig").strip()
        name = _NAME.match(text)
        value, end = _value_at(text, 0 if name is None else name.end(), ended=True)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and not text[end:].strip() else None


def first_key(path: Path) -> str | None:
    """The first key of a document that is an object, None where it is none or the key no name."""
    with opened(path) as source:
        match = _FIRST_NAME.match(_Text(path, source).peek())
    return None if match is None else match[1]


def first_element(path: Path) -> Any:
    """The first element, None where there is none that can be read."""
    try:
        return next((value for _, value in elements(path)), None)
    except DataError:
        return None


def _members(text: _Text) -> Iterator[str | None]:
    """The keys of an object, or None for each element of a list; whoever asks reads the value before the next."""
    closing = _CLOSING[text.next_mark()]
    text.skip()
    if text.next_mark() != closing:
        while True:
            key = _key(text) if closing == "}" else None
            text.number += 1
            text.next_mark()
            yield key
            mark = text.next_mark()
            if mark == closing:
                break
            if mark != ",":
                raise text.wrong(f"found {shown(text.ahead())}, expected ',' or {closing!r} after this element")
            text.skip()
            if text.is_python and text.next_mark() == closing:
                break
    text.skip()


_CLOSING = {"[": "]", "{": "}", "(": ")"}
_FIRST_KEY = re.compile(r"""\{\s*(?P<quote>["'])(?P<key>(?:(?!(?P=quote))[^\\]|\\.)*)(?P=quote)\s*:\s*\{""")
_FIRST_NAME = re.compile(r"""(?:\s*[A-Za-z_]\w*\s*=)?\s*\{\s*["']([A-Za-z_][\w .-]*)["']\s*:""")
_NAME = re.compile(r"\s*[A-Za-z_]\w*\s*=\s*(?=[\[({])")


def _value_at(text: str, at: int, ended: bool) -> tuple[Any, int]:
    """The value that begins at a place, as JSON or as Python prints it, and where it ends.

    Raises:
        ValueError: There is none, or it goes on behind the end of the text.
    """
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        if not ended and (error.pos >= len(text) - _MARGIN or error.msg.startswith("Unterminated")):
            raise
        value, end = read_at(text, at)
        return json.loads(json.dumps(value, default=str)), end


def _key(text: _Text) -> str:
    text.next_mark()
    key = text.value()
    if text.is_python and isinstance(key, int | float | list):
        key = json.dumps(key)
    if not isinstance(key, str) or text.next_mark() != ":":
        raise text.wrong(f"found {shown(text.ahead())}, expected a key in double quotes and ':'")
    text.skip()
    text.next_mark()
    return key


class _Text:
    """Decoded text ahead of the place that has been read to."""

    def __init__(self, path: Path, source: TableStream) -> None:
        self.number = 0
        self._path, self._source = path, source
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._buffer, self._at, self._ended = "", 0, False
        self.is_python = False

    def wrong(self, what: str) -> DataError:
        return DataError(f"{self._path}, element {max(self.number, 1)}: {what}")

    def ahead(self) -> str:
        return self._buffer[self._at : self._at + 60]

    def peek(self) -> str:
        """As much of what comes as the beginning of an object needs."""
        while len(self._buffer) - self._at < _PEEK and self._more():
            pass
        return self._buffer[self._at : self._at + _PEEK]

    def end(self) -> None:
        """See that nothing is left."""
        if self.next_mark():
            raise self.wrong(f"found {shown(self.ahead())} after the end of the JSON document")

    def skip_name(self) -> None:
        """Go past ``name =`` in front of the document."""
        match = _NAME.match(self.peek())
        self._at += match.end() if match is not None else 0

    def skip(self) -> None:
        """Go past one character."""
        self._at += 1

    def next_mark(self) -> str:
        """The next character that is no space, without going past it; empty at the end."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._more():
                return ""

    def value(self) -> Any:
        """The JSON value that begins here."""
        self.next_mark()
        while True:
            try:
                value, end = _value_at(self._buffer, self._at, self._ended)
            except (ValueError, RecursionError) as error:
                if len(self._buffer) - self._at > MAX_ELEMENT:
                    raise self.wrong(f"it is no JSON or longer than {MAX_ELEMENT:,} characters") from error
                if isinstance(error, RecursionError) or not self._more():
                    raise self.wrong(f"found {shown(self.ahead())}, which is no JSON value") from error
                continue
            if end - self._at > MAX_ELEMENT:
                raise self.wrong(f"it is longer than {MAX_ELEMENT:,} characters")
            if len(self._buffer) - end >= _MARGIN or not self._more():
                self.is_python |= self._buffer[self._at] in "'(" or self._buffer[end - 1] in "')"
                self._at = end
                return value

    def _more(self) -> bool:
        """Read on; at least as much as is ahead, so that an element is begun again only a few times."""
        if self._ended:
            return False
        ahead = self._buffer[self._at :]
        raw = self._source.read(max(1 << 16, len(ahead)), f"element {self.number + 1}")
        self._ended = not raw
        try:
            self._buffer, self._at = ahead + self._decode(raw, final=self._ended), 0
        except UnicodeDecodeError as error:
            raise self.wrong("it is not UTF-8; save the file as UTF-8") from error
        return True
