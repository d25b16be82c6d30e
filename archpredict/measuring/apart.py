"""A process of its own for one question, so that what crashes or hangs ends nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

WORKER = (
    sys.executable,
    "-c",
    # The folder that the user is in comes first on the path, and may hold a file called as a module is.
    "import sys; sys.path[:] = [place for place in sys.path if place] + sys.argv[1:]; "
    "from archpredict.measuring.worker import main; main()",
    str(Path(__file__).resolve().parents[2]),
)
_KEPT = 1 << 20
_SAID = 300


def answered_apart(
    command: Sequence[str], question: Mapping[str, Any], timeout: float, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What a process answers to a question; where it gives no answer, ``error`` is the sentence that says why.

    Args:
        command: The program: it reads a line of JSON, and the last line that it prints is a JSON object.
        question: Sent to it.
        timeout: Seconds after which it is killed, with all that it has started.
        environment: Variables beside those of this process.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=out,  # files, unlike pipes, block nobody
            stderr=err,
            start_new_session=True,  # Ctrl-C is for this process, which then ends the other
        )
        assert process.stdin is not None
        try:
            with suppress(OSError):  # it has already ended
                process.stdin.write(json.dumps(question).encode() + b"\n")
                process.stdin.flush()
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            return {"error": f"it took longer than {timeout:g} s, and its process was killed"}
        finally:
            _end(process)
        return _answer(out) or {"error": _how_it_ended(code, _last_line(err))}


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):  # nobody is left (macOS says it the second way)
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    with suppress(OSError):  # what was not yet sent cannot be sent any more
        assert process.stdin is not None
        process.stdin.close()


def _answer(stream: IO[bytes]) -> dict[str, Any] | None:
    try:
        found = json.loads(_last_line(stream))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _last_line(stream: IO[bytes]) -> str:
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - _KEPT))
    lines = [line.strip() for line in stream.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _how_it_ended(code: int, said: str) -> str:
    if code < 0:
        with suppress(ValueError):
            name = signal.Signals(-code).name
            hint = ", as systems do when memory runs out" if name == "SIGKILL" else ""
            return f"its process was ended by {name}{hint}" + (f", and said: {said[:_SAID]}" if said else "")
    return f"its process exited with code {code}" + (f", and said: {said[:_SAID]}" if said else " without an answer")
