"""Labels from a program of the user's."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from archpredict.errors import EvaluationError, UsageError
from archpredict.evaluators._score import BadScoreError, parse_json, read_score, short
from archpredict.evaluators.base import SCORE, Evaluator, Result
from archpredict.executors.local import as_they_finish, check_jobs
from archpredict.spaces.base import Architecture

__all__ = ["CommandEvaluator"]

PLACEHOLDER = "{architecture}"
MAX_OUTPUT_BYTES = 1_000_000
"""How much of the end of a program's output is kept; what comes before is read and dropped."""

_DRAIN_SECONDS = 2.0
_LIKE_PLACEHOLDER = re.compile(r"\{\s*\w*\s*\}")
_NOT_FOUND = (
    "there is no program {!r} that can be executed; give its path, make it executable, or put the interpreter before "
    "it, e.g. 'python train.py'"
)


class CommandEvaluator(Evaluator):
    """Runs a program for each architecture and reads the score from the last line it prints.

    The architecture, in its space's notation, takes the place of ``{architecture}`` in the command; without
    one it comes on the program's standard input. It is in the environment too, as
    ``ARCHPREDICT_ARCHITECTURE``, and its choices as a JSON list in ``ARCHPREDICT_CHOICES``. The last line
    that is not blank on the standard output is a JSON object with the entry ``target``, whose other entries become
    the result's metadata, or one number.

    A program that fails, hangs or prints no score gives a failed result. When a program ends or its time is
    up, all that it has started and left running is killed; so it is when the search is interrupted.

    Args:
        command: The program and its arguments, split like a shell does, but no shell runs it.
        target: Which entry of the JSON object is the score, higher is better.
        timeout: Seconds that one attempt may take; None: no limit.
        retries: Further attempts after one that fails.
        jobs: Programs at a time.

    Raises:
        UsageError: The command is empty, its quotes are not closed, there is no such program, or a number is out of
            range.
        EvaluationError: While evaluating, the program is no longer there.

    Example:
        >>> from archpredict.spaces import load_space
        >>> space = load_space("nasbench201")
        >>> evaluator = CommandEvaluator("echo 93.5")
        >>> next(evaluator.evaluate([space.architecture([0, 0, 0, 0, 0, 0])])).score
        93.5
    """

    name = "command"

    def __init__(
        self,
        command: str,
        *,
        target: str = SCORE,
        timeout: float | None = None,
        retries: int = 0,
        jobs: int = 1,
    ) -> None:
        self.command = command
        self.target = target
        self.timeout = timeout
        self.retries = retries
        self.jobs = check_jobs(jobs)
        if timeout is not None and not 0 < timeout < math.inf:
            raise UsageError(f"timeout is a number of seconds above 0, {timeout} was given")
        if retries < 0:
            raise UsageError(f"retries is a number of further attempts, at least 0; {retries} was given")
        self._arguments = _split(command)
        self._on_stdin = not any(PLACEHOLDER in argument for argument in self._arguments)
        if PLACEHOLDER not in self._arguments[0] and shutil.which(self._arguments[0]) is None:
            raise UsageError(_NOT_FOUND.format(self._arguments[0]))
        if wrong := [a for a in self._arguments if _LIKE_PLACEHOLDER.fullmatch(a) and a != PLACEHOLDER]:
            raise UsageError(f"the command has {wrong[0]}; write {PLACEHOLDER} where the architecture goes")

    def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
        running = _Running()
        return as_they_finish(lambda a: self._label(a, running), architectures, self.jobs, running.stop)

    def describe(self) -> dict[str, Any]:
        return {
            "evaluator": self.name,
            "labels": f"what the command prints: {self.command}",
            "command": self.command,
            **({} if self.target == SCORE else {"target": self.target}),
        }

    @property
    def at_a_time(self) -> int:
        return self.jobs

    @property
    def label_names(self) -> tuple[str, ...]:
        return (self.target,)

    def _label(self, architecture: Architecture, running: _Running) -> Result:
        start = time.perf_counter()
        error = ""
        for attempt in range(1, self.retries + 2):
            try:
                score, metadata = self._attempt(architecture, running)
            except _FailedError as failure:
                error = str(failure)
            else:
                attempts = {"attempts": attempt} if attempt > 1 else {}
                return Result(architecture, score, None, time.perf_counter() - start, {**metadata, **attempts})
            if running.stopped:
                break
        tries = f" (in the last of {self.retries + 1} attempts)" if self.retries else ""
        return Result(architecture, None, error + tries, time.perf_counter() - start)

    def _attempt(self, architecture: Architecture, running: _Running) -> tuple[float, dict[str, Any]]:
        text = str(architecture)
        arguments = [argument.replace(PLACEHOLDER, text) for argument in self._arguments]
        environment = {
            **os.environ,
            "ARCHPREDICT_ARCHITECTURE": text,
            "ARCHPREDICT_CHOICES": json.dumps(architecture.choices),
        }
        # A file, unlike a pipe, cannot block where the program does not read it.
        with tempfile.TemporaryFile() as stdin:
            if self._on_stdin:
                stdin.write(text.encode() + b"\n")
                stdin.seek(0)
            ended = running.run(arguments, environment, stdin, self.timeout)
        return _score(ended, self.timeout, self.target)


class _FailedError(Exception):
    """One attempt gave no score; the message is the sentence that says why."""


@dataclass(frozen=True)
class _Ended:
    code: int
    timed_out: bool
    stdout: str
    stderr: str


class _Running:
    """The programs that run now, so that all can be killed at once."""

    def __init__(self) -> None:
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self.stopped = False

    def run(self, arguments: list[str], environment: dict[str, str], stdin: IO[bytes], timeout: float | None) -> _Ended:
        with self._lock:  # so that nothing starts after stop() has looked
            if self.stopped:
                raise _FailedError("the evaluation was interrupted")
            process = _start(arguments, environment, stdin)
            self._processes.add(process)
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            tails = [_Tail(process.stdout), _Tail(process.stderr)]
            timed_out = False
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                timed_out = True
        finally:
            _kill_group(process)
            process.wait()
            with self._lock:
                self._processes.discard(process)
        if self.stopped:
            raise _FailedError("the evaluation was interrupted")
        stdout, stderr = (tail.text() for tail in tails)
        return _Ended(process.returncode, timed_out, stdout, stderr)

    def stop(self) -> None:
        with self._lock:
            self.stopped = True
            for process in self._processes:
                _kill_group(process)


class _Tail:
    """Reads a pipe to its end in a thread, keeping what came last."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._kept = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._pipe:
            while block := os.read(self._pipe.fileno(), 1 << 16):
                self._kept += block
                del self._kept[:-MAX_OUTPUT_BYTES]

    def text(self) -> str:
        # A process that left the group keeps the pipe open after the program's end: not waited for.
        self._thread.join(_DRAIN_SECONDS)
        return bytes(self._kept).decode("utf-8", errors="replace")


def _split(command: str) -> list[str]:
    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise UsageError(
            f"the command {command!r} cannot be split into arguments: {error}; close its quotes"
        ) from error
    if not arguments:
        raise UsageError(
            "the command is empty; give a program and its arguments, e.g. 'python train.py {architecture}'"
        )
    return arguments


def _start(arguments: list[str], environment: dict[str, str], stdin: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            arguments,
            env=environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a group of its own, to be killed as a whole
        )
    except (FileNotFoundError, PermissionError) as error:
        raise EvaluationError(_NOT_FOUND.format(arguments[0])) from error
    except (OSError, ValueError) as error:  # e.g. an argument that is too long
        raise _FailedError(f"the program could not be started: {error}") from error


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        process.kill()
        return
    with suppress(ProcessLookupError, PermissionError):  # nobody is left (macOS says it the second way)
        os.killpg(process.pid, signal.SIGKILL)


def _score(ended: _Ended, timeout: float | None, target: str) -> tuple[float, dict[str, Any]]:
    if ended.timed_out:
        raise _FailedError(f"the program was killed because it took longer than {timeout:g} s")
    if ended.code:
        last = _last_line(ended.stderr)
        said = f"and said: {short(last)}" if last else "and said nothing on its standard error"
        raise _FailedError(f"the program {_how_it_ended(ended.code)} {said}")
    line = _last_line(ended.stdout)
    if line is None:
        raise _FailedError(f"the program printed nothing; expected a JSON object with a {target!r}, or a number")
    try:
        return read_score(_parse(line, target), target)
    except BadScoreError as bad:
        raise _FailedError(f"the program {bad}") from bad


def _parse(line: str, target: str) -> Any:
    try:
        return parse_json(line)
    except (ValueError, RecursionError):
        pass
    try:
        return float(line)  # nan and inf as Python and C print them
    except ValueError:
        raise _FailedError(
            f"the program's last line is {short(line)!r}; expected a JSON object with a {target!r}, or a number"
        ) from None


def _last_line(text: str) -> str | None:
    return next((line.strip() for line in reversed(text.split("\n")) if line.strip()), None)


def _how_it_ended(code: int) -> str:
    if code > 0:
        return f"exited with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
