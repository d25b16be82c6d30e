"""Calls of one function in processes of this machine."""

from __future__ import annotations

import base64
import pickle
import sys
import tempfile
from pathlib import Path
from typing import Any

from archpredict.errors import ArchPredictError, EvaluationError, described
from archpredict.executors.processes.pool import ERROR, Answer, Handler, Pool

_MODULE = "archpredict.executors.processes.calls"
_VALUE, _RAISED = "value", "raised"


class Calls:
    """Processes that call one function; what they import is what this process would.

    Args:
        function: Pickled.
        jobs: How many processes there are at most.
    """

    def __init__(self, function: bytes, jobs: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="archpredict-")
        path = Path(self._folder.name) / "function"
        path.write_bytes(function)  # a file, since it may hold all that is learnt from
        self._pool = Pool(_MODULE, {"function": str(path), "path": sys.path}, jobs)

    def __call__(self, item: bytes) -> tuple[Any, str | None]:
        """What the function gives for an item that is pickled, and None; or nothing, and why its process ended.

        Raises:
            Exception: What the function raised.
            EvaluationError: It cannot be made in other processes.
        """
        answer = self._pool.ask({"item": base64.b64encode(item).decode("ascii")})
        if ERROR in answer:
            return None, answer[ERROR]
        if _RAISED in answer:
            raise _unpacked(answer[_RAISED])
        return _unpacked(answer[_VALUE]), None

    def close(self) -> None:
        """End all processes, whatever they are doing."""
        self._pool.close()
        self._folder.cleanup()


def handler(setup: Answer) -> Handler:
    """The side of the processes."""
    sys.path[:] = setup["path"]
    try:
        function = pickle.loads(Path(setup["function"]).read_bytes())
    except Exception as error:
        function = _Failing(EvaluationError(f"another process cannot make what is to run: {described(error)}"))

    def answer(question: Answer) -> Answer:
        try:
            return {_VALUE: _packed(function(pickle.loads(base64.b64decode(question["item"]))))}
        except Exception as error:
            return {_RAISED: _packed(_portable(error))}

    return answer


class _Failing:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def __call__(self, item: object) -> Any:
        raise self._error


def _portable(error: Exception) -> Exception:
    """The same exception where another process can make it, else what it says."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return error if isinstance(error, ArchPredictError) else EvaluationError(described(error))
    return error


def _packed(value: Any) -> str:
    import cloudpickle

    content: bytes = cloudpickle.dumps(value)
    return base64.b64encode(content).decode("ascii")


def _unpacked(text: str) -> Any:
    return pickle.loads(base64.b64decode(text))
