"""Literals: architectures as Python, JSON and NumPy print them, as plain values.

A plain value is None, a truth value, a number, a text, a list or a dictionary of these, or a :class:`WrittenCall`.
Text comes from files and users, so nothing is ever evaluated, and length, depth and numbers are bounded.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from archpredict.spaces.notation.tokens import MAX_DIGITS, TOKEN, NotALiteralError, number_of, unquoted

MAX_TEXT = 10_000
MAX_DEPTH = 24
_MAX_BOUND = 100
"""Of a range, on either side."""
_MAX_QUOTES = 3
"""How often a text may stand in quotes inside another."""
_MAX_PREFIX = 300
_MAX_STARTS = 8


@dataclass(frozen=True)
class WrittenCall:
    """A call that is written down, such as ``Genotype(normal=[...])``: its last name, and what it is given."""

    name: str
    arguments: list[Any] = field(default_factory=list)
    keywords: dict[str, Any] = field(default_factory=dict)

    def parts(self, names: Sequence[str]) -> dict[str, Any]:
        """The arguments by name.

        Args:
            names: What those are called that are given without a name.

        Raises:
            ValueError: There are more of them, or one is given twice.
        """
        if len(self.arguments) > len(names) or {*names[: len(self.arguments)]} & self.keywords.keys():
            raise ValueError(f"the arguments of {self.name} are {', '.join(names)}, each once")
        return {**dict(zip(names, self.arguments, strict=False)), **self.keywords}


def read(text: str) -> Any:
    """The value that a text stands for; the text itself, without blanks around it, where it is no literal or a number.

    Read are what Python, JSON and NumPy print: numbers, texts, lists in any brackets with commas or blanks between
    their elements (brackets around the outermost may be missing), dictionaries, calls, and ``name=value, ...``. In
    front there may be ``name =``, and before that what a log puts in front of a line.

    Raises:
        ValueError: It is longer or deeper nested than any architecture.

    Example:
        >>> read("{'d': (2, 3), 'r': [np.int64(224)], 'wid': None}")
        {'d': [2, 3], 'r': [224], 'wid': None}
        >>> read("2019-01-01 12:00:00,123 INFO cell = [0 1]"), read("|none~0|")
        ([0, 1], '|none~0|')
    """
    if len(text) > MAX_TEXT:
        raise ValueError(f"it has {len(text)} characters, more than the limit of {MAX_TEXT}")
    value: Any = text.strip(_AROUND)
    for _ in range(_MAX_QUOTES):
        if not isinstance(value, str):
            break
        _check_depth(value)
        read_as = _read(value)
        if read_as is None or not isinstance(read_as[0], str | list | dict | WrittenCall) or read_as[0] == value:
            break
        value = read_as[0]
    return value


def read_at(text: str, at: int) -> tuple[Any, int]:
    """The value that begins at a place of a text, and where it ends.

    Raises:
        ValueError: None does, or it goes on behind the end of the text.

    Example:
        >>> read_at("[{'acc': np.float64(0.5)}, 2]", 1)
        ({'acc': 0.5}, 25)
    """
    reader = _LiteralReader(text, at)
    return reader.one(), reader.end


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("(") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _BRACKETS.findall(text):
        depth += 1 if bracket in "[({" else -1
        if depth > MAX_DEPTH:
            raise ValueError(f"it does not parse: it is nested deeper than {MAX_DEPTH} levels")


def _read(text: str) -> tuple[Any] | None:
    """The value, None where the text is no literal."""
    if text[:1] in ("{", "[", '"') and not _LONG_NUMBER.search(text):
        try:
            return (json.loads(text),)  # by far the quickest where it is JSON
        except (ValueError, RecursionError):
            pass
    for start in _starts(text):
        try:
            return (_LiteralReader(text, start).whole(),)
        except NotALiteralError:
            continue
    return None


def _starts(text: str) -> Iterator[int]:
    """Where the literal may begin: at the beginning, or after what a log puts in front."""
    if text[:1] in _NEVER_FIRST:
        return
    yield 0
    found = 0
    for match in _START.finditer(text, 0, _MAX_PREFIX):
        prefix = text[: match.start()]
        balanced = all(prefix.count(a) == prefix.count(b) for a, b in ("()", "[]", "{}"))
        if prefix and balanced and found < _MAX_STARTS:
            found += 1
            yield match.start()


_NEVER_FIRST = ("", "|")
_AROUND = " \t\r\n`;,"
"""What stands around a literal that was copied out of a text."""
_LONG_NUMBER = re.compile(rf"[0-9]{{{MAX_DIGITS + 1}}}")
_BRACKETS = re.compile(r"[\[\](){}]")
_START = re.compile(
    r"""(?<![\w.=])(?:(?:\w+\s*=\s*)?(?=[A-Za-z_][\w.]*\()|\w+\s*=\s*(?=[\[({'"]))|(?<=[\s:>])(?=[\[{])"""
)
"""A name with an equals sign, a call, or both; or a bracket."""
_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("None", "null", "nil"), None),
    **dict.fromkeys(("True", "true", "True_"), True),
    **dict.fromkeys(("False", "false", "False_"), False),
    **dict.fromkeys(("nan", "NaN"), math.nan),
    **dict.fromkeys(("inf", "Infinity"), math.inf),
}
_CLOSING = {"[": "]", "(": ")", "{": "}"}
_SCALARS: dict[str, Callable[[str], Any]] = {
    "number": number_of,
    "special": float,
    "text": unquoted,
    "object": lambda _: None,  # such as <class 'list'>
}


class _LiteralReader:
    """The token of a text that comes next, and where the one before it ends."""

    def __init__(self, text: str, start: int) -> None:
        self._text, self._depth = text, 0
        self._after = self.end = start
        self._next()

    def one(self) -> Any:
        """The value of what comes next; a name alone is none."""
        return self._value()

    def whole(self) -> Any:
        """The value of all that is left; several, with commas or blanks between them, are a list."""
        items = [self._entry()]
        commas = self._taken(",")
        while self._kind != "end":
            items.append(self._entry())
            if commas and self._kind != "end":
                self._expect(",")
        if len(items) == 1:
            return items[0][1]
        call = arguments("", items)
        if call.arguments and call.keywords:
            raise NotALiteralError
        return call.arguments or call.keywords

    def _entry(self) -> tuple[str | None, Any]:
        """``name=value``, ``name: value`` or a value."""
        if self._kind == "text":
            text = self._value()
            return (text, self._value()) if self._taken(":") else (None, text)
        if self._kind != "name":
            return None, self._value()
        name = self._advance()
        if self._taken("="):
            if self._kind == "name":  # such as a type, which is no value elsewhere
                return name, self._named(self._advance(), bare=True)
            return name, self._value()
        return (name, self._value()) if self._taken(":") else (None, self._named(name))

    def _value(self) -> Any:
        kind, token = self._kind, self._token
        if kind == "name":
            return self._named(self._advance())
        if kind == "mark" and token in _CLOSING:
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise NotALiteralError
            self._next()
            found = self._dictionary() if token == "{" else self._list(_CLOSING[token])
            self._depth -= 1
            return found
        if kind not in _SCALARS:
            raise NotALiteralError
        self._next()
        return _SCALARS[kind](token)

    def _list(self, closing: str) -> list[Any]:
        """Elements up to the closing bracket, between all of them a comma, or between all of them blanks."""
        values: list[Any] = []
        commas: bool | None = None
        while not self._taken(closing):
            values.append(self._value())
            comma = self._taken(",")
            if self._is(closing):
                continue
            if commas is not None and comma != commas:
                raise NotALiteralError
            commas = comma
        return values

    def _dictionary(self) -> dict[Any, Any] | list[Any]:
        """Entries up to the closing bracket; a list where they have no keys, as in a set."""
        found: dict[Any, Any] = {}
        elements: list[Any] = []
        while not self._taken("}"):
            key = self._key()
            if self._taken(":"):
                found[key if isinstance(key, str | int | float) else json.dumps(key, default=str)] = self._value()
            else:
                elements.append(key)
            if not self._is("}"):
                self._expect(",")
        if found and elements:
            raise NotALiteralError
        return elements or found

    def _key(self) -> Any:
        """A value, or a name without quotes."""
        if self._kind != "name":
            return self._value()
        name = self._advance()
        return name if self._is(":") and name not in _CONSTANTS else self._named(name)

    def _named(self, name: str, bare: bool = False) -> Any:
        """A constant or a call; ``name`` has been passed."""
        last = name.rpartition(".")[2]
        if not self._taken("("):
            if last in _CONSTANTS:
                return _CONSTANTS[last]
            if bare:
                return name
            raise NotALiteralError
        items: list[tuple[str | None, Any]] = []
        while not self._taken(")"):
            items.append(self._entry())
            if not self._is(")"):
                self._expect(",")
        return called(arguments(last, items))

    def _is(self, mark: str) -> bool:
        return self._token == mark and self._kind == "mark"

    def _taken(self, mark: str) -> bool:
        if self._token == mark and self._kind == "mark":
            self._next()
            return True
        return False

    def _expect(self, mark: str) -> None:
        if not self._taken(mark):
            raise NotALiteralError

    def _advance(self) -> str:
        token = self._token
        self._next()
        return token

    def _next(self) -> None:
        """Go past a token; nothing goes past the end."""
        match = TOKEN.match(self._text, self._after)
        if match is None or match.lastgroup in (None, "wrong"):
            raise NotALiteralError
        self.end, self._after = self._after, match.end()
        self._kind, self._token = str(match.lastgroup), match[match.lastgroup]


# ---------------------------------------------------------------------- calls


def arguments(name: str, items: Sequence[tuple[str | None, Any]]) -> WrittenCall:
    """The call of a name with what stands between its brackets."""
    call = WrittenCall(name)
    for keyword, value in items:
        if keyword is None:
            if call.keywords:
                raise NotALiteralError
            call.arguments.append(value)
        elif keyword in call.keywords:
            raise NotALiteralError
        else:
            call.keywords[keyword] = value
    return call


def called(call: WrittenCall) -> Any:
    """What a call of Python's or NumPy's own stands for; other calls as they are."""
    known = _FUNCTIONS.get(call.name)
    return call if known is None else known(call)


def _range(call: WrittenCall) -> list[int]:
    bounds = call.arguments
    if call.keywords or not 1 <= len(bounds) <= 3 or not all(type(b) is int and abs(b) <= _MAX_BOUND for b in bounds):
        raise NotALiteralError
    if bounds[2:] == [0]:
        raise NotALiteralError
    return list(range(*bounds))


def _sequence(call: WrittenCall) -> list[Any]:
    if call.keywords or len(call.arguments) > 1 or not all(isinstance(value, list) for value in call.arguments):
        raise NotALiteralError
    return list(call.arguments[0]) if call.arguments else []


def _array(call: WrittenCall) -> Any:
    """The elements; types and devices do not matter."""
    if not call.arguments:
        raise NotALiteralError
    return call.arguments[0]


def _scalar(call: WrittenCall) -> Any:
    if call.keywords or len(call.arguments) != 1 or isinstance(call.arguments[0], list | dict | WrittenCall):
        raise NotALiteralError
    return call.arguments[0]


def _mapping(call: WrittenCall) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for argument in call.arguments:
        if argument is None:  # such as the type that a defaultdict makes its values of
            continue
        pairs = argument.items() if isinstance(argument, dict) else argument
        if isinstance(pairs, str | WrittenCall) or not hasattr(pairs, "__iter__"):
            raise NotALiteralError
        for pair in pairs:
            if not isinstance(pair, list | tuple) or len(pair) != 2 or not isinstance(pair[0], str | int | float):
                raise NotALiteralError
            found[pair[0]] = pair[1]
    return {**found, **call.keywords}


_FUNCTIONS: dict[str, Callable[[WrittenCall], Any]] = {
    **dict.fromkeys(("range", "xrange", "arange"), _range),
    **dict.fromkeys(("list", "tuple", "deque", "set", "frozenset", "dict_values", "dict_keys"), _sequence),
    **dict.fromkeys(("array", "asarray", "matrix", "tensor", "Tensor", "as_tensor"), _array),
    **dict.fromkeys(
        ("dict", "OrderedDict", "defaultdict", "mappingproxy", "Namespace", "SimpleNamespace", "namespace"), _mapping
    ),
    **dict.fromkeys(("int", "float", "bool", "str", "int_", "bool_", "str_", "intp", "uintp", "longlong"), _scalar),
    **dict.fromkeys([f"{kind}{bits}" for kind in ("int", "uint", "float") for bits in (8, 16, 32, 64)], _scalar),
}
