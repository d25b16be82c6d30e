"""Every exception that archpredict raises on purpose.

::

    ArchPredictError                 anything below; ``exit_code`` is what the command line returns
    ├── UsageError (ValueError)      what was asked cannot be done as asked            exit code 2
    │   ├── UnknownNameError         a name that does not resolve; lists the choices
    │   ├── InvalidGraphError        an ArchGraph that is no directed acyclic graph
    │   ├── InvalidArchitectureError choices or a notation outside the search space
    │   ├── DataError                a table that is missing, malformed or unusable
    │   ├── ModelFileError           an ONNX file that cannot be read as a network
    │   ├── BudgetError              fewer evaluations than the strategy needs
    │   └── NotFittedError           a predictor used before ``fit``
    └── RunError (RuntimeError)      a run that was asked for correctly and failed     exit code 1
        ├── EvaluationError          the evaluator cannot go on
        ├── TrainingError            a network's training diverged or found no memory
        ├── RunDirectoryError        a run directory in use, corrupt or not writable
        └── MissingDependencyError   an optional package is not installed; names the extra

Every message says what was given, what was expected and what to do. It speaks of arguments, between backquotes: "leave
out `out`", "give `device='cpu'`", "go on with `search(..., out='run', resume=True)`"; the command line shows its flags
in their place. Warnings do the same.
"""

from __future__ import annotations

import operator
import os
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = [
    "ArchPredictError",
    "BudgetError",
    "DataError",
    "EvaluationError",
    "InvalidArchitectureError",
    "InvalidGraphError",
    "MissingDependencyError",
    "ModelFileError",
    "NotFittedError",
    "RunDirectoryError",
    "RunError",
    "TrainingError",
    "UnknownNameError",
    "UsageError",
]


class ArchPredictError(Exception):
    """Base of all exceptions of this package.

    They go through pickle, as they do from a worker process to the one that waits for it: whatever a constructor makes
    its message of, the message is what is kept.
    """

    exit_code = 1

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args), self.__dict__


class UsageError(ArchPredictError, ValueError):
    """What was asked cannot be done as asked; nothing has been started."""

    exit_code = 2


class UnknownNameError(UsageError):
    """A name that does not resolve. The message lists the choices."""

    def __init__(self, kind: str, name: str, choices: Iterable[str], hint: str = "") -> None:
        from difflib import get_close_matches  # slow to load, and seldom needed

        known = sorted(choices)
        close = get_close_matches(name, known, n=1)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        super().__init__(
            f"unknown {kind} {name!r}; choose from: {', '.join(known)}.{guess}{' ' + hint if hint else ''}"
        )


class InvalidGraphError(UsageError):
    """Nodes, edges or attributes that do not make a valid ArchGraph."""


class InvalidArchitectureError(UsageError):
    """Choices or text that are not in the search space."""


class DataError(UsageError):
    """A table that is missing, malformed or unusable; the message names file, line and column."""


class ModelFileError(UsageError):
    """An ONNX file that cannot be read as a network; the message names the file."""


class BudgetError(UsageError):
    """A budget below what the strategy needs."""


class NotFittedError(UsageError):
    """A predictor that is used before it was fitted or loaded."""


class RunError(ArchPredictError, RuntimeError):
    """A run that was asked for correctly and failed."""


class EvaluationError(RunError):
    """The evaluator cannot go on (a single failed evaluation is a recorded result instead)."""


class TrainingError(RunError):
    """A training of a network that diverged or ran out of memory; the message says where."""


class RunDirectoryError(RunError):
    """A run directory that is in use, corrupt or not writable."""


class MissingDependencyError(RunError):
    """An optional package is not installed; the message names the extra to install."""


def _restored(kind: type[ArchPredictError], args: tuple[Any, ...]) -> ArchPredictError:
    """An exception as it was, of which no constructor makes its message anew."""
    return kind.__new__(kind, *args)


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """What the system says against writing a file becomes one sentence.

    Args:
        path: The file.

    Raises:
        RunError: The file cannot be written.

    Example:
        >>> with writing("there/page.html"):
        ...     raise FileNotFoundError(2, "No such file or directory")
        Traceback (most recent call last):
        archpredict.errors.RunError: cannot write there/page.html: No such file or directory; choose another place
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise RunError(f"cannot write {os.fspath(path)}: {reason}; choose another place") from error


def described(error: BaseException) -> str:
    """An exception in one line, with the place in the user's own code that it came out of, if it did.

    Example:
        >>> described(KeyError("sep_conv"))
        "KeyError: 'sep_conv'"
    """
    if isinstance(error, ArchPredictError):
        text = str(error)
    else:
        text = " ".join(traceback.format_exception_only(type(error), error)[-1].split())
    place = users_place(error)
    return text if place is None else f"{text} ({place})"


def users_place(error: BaseException) -> str | None:
    """Where in code that is neither ours nor of an installed package an exception came from; None if nowhere there."""
    if isinstance(error, SyntaxError) and error.filename and not _is_installed(error.filename):
        return f"{error.filename}, line {error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not _is_installed(f.filename)]
    return f"{frames[-1].filename}, line {frames[-1].lineno}, in {frames[-1].name}" if frames else None


def _is_installed(filename: str) -> bool:
    folders = [
        Path(__file__).parent,
        *(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")),
    ]
    return filename.startswith("<") or any(Path(filename).is_relative_to(folder) for folder in folders)


def counted(number: int, noun: str) -> str:
    """A number with its noun, of which the plural ends in s.

    Example:
        >>> counted(1, "shape"), counted(1200, "shape")
        ('1 shape', '1,200 shapes')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def integer(value: Any) -> int | None:
    """An int, a NumPy integer or anything else with ``__index__`` as an int; None for numbers that may have a
    fraction, truth values, texts and everything else.

    Example:
        >>> integer(3), integer(3.0), integer(True), integer("3")
        (3, None, None, None)
    """
    if type(value) is int:
        return value
    if type(value).__name__ in ("bool", "bool_"):  # NumPy has a truth value of its own
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def whole_number(what: str, value: Any, least: int) -> int:
    """The value as an int of at least ``least``.

    Args:
        what: What the message begins with, e.g. ``"the seed"``.
        value: What was given.
        least: The smallest number that is allowed.

    Raises:
        UsageError: It is no integer (truth values and numbers such as 2.0 are none), or too small.
    """
    number = integer(value)
    if number is None or number < least:
        raise UsageError(f"{what} is an integer of at least {least}, {value!r} was given")
    return number
