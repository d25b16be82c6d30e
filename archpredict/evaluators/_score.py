"""What a program printed or a function returned, as a score and metadata."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


class BadScoreError(Exception):
    """No score can be read; the message ends the sentence that begins with who gave it."""


def read_score(value: object, name: str) -> tuple[float, dict[str, Any]]:
    """A finite score and the metadata beside it, from a number or a mapping that has an entry of this name.

    Raises:
        BadScoreError: There is no score, or it is no finite number.
    """
    if not isinstance(value, Mapping):
        return _finite(value, "a value"), {}
    if name not in value:
        keys = ", ".join(str(key) for key in list(value)[:20])
        raise BadScoreError(f"gave no {name!r} but only: {keys or 'nothing'}")
    metadata = {str(key): item for key, item in value.items() if key != name}
    return _finite(value[name], f"a {name!r}"), parse_json(json.dumps(metadata, default=_plain, skipkeys=True))


def parse_json(text: str) -> Any:
    """JSON in which numbers that are not finite stay text, so that it can be written as JSON again."""
    return json.loads(text, parse_constant=str, parse_float=_float_or_text)


def short(text: str, limit: int = 200) -> str:
    """Foreign text for an error message: one line, printable, shortened."""
    line = "".join(c if c.isprintable() else " " for c in text[: 2 * limit]).strip()
    return line if len(line) <= limit else line[: limit - 3] + "..."


def _finite(value: Any, what: str) -> float:
    if value is None or isinstance(value, bool | bytes) or (isinstance(value, str) and not _spells_infinity(value)):
        raise BadScoreError(f"gave {what} that is no number: {short(repr(value))}")
    try:
        score = float(value)
    except OverflowError:
        score = math.inf
    except (
        TypeError,
        ValueError,
        RuntimeError,
    ) as error:  # torch says RuntimeError of a tensor with several values
        raise BadScoreError(f"gave {what} that is no number: {short(repr(value))}") from error
    if not math.isfinite(score):
        raise BadScoreError(f"gave {what} that is not finite: {short(str(value), 20)}")
    return score


def _plain(value: Any) -> float | str:
    """Values that JSON does not know: numbers of numpy and torch as floats, everything else as text."""
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        return str(value)


def _spells_infinity(text: str) -> bool:
    """Whether a text is what :func:`parse_json` made of a number that is not finite."""
    try:
        return not math.isfinite(float(text))
    except ValueError:
        return False


def _float_or_text(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text
