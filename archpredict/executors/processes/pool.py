"""Processes that answer questions side by side: one that dies, hangs or grows too large ends nothing else.

A question and its answer are a line of JSON each. A worker is a module with a function ``handler(setup)``, which gives
the function that answers a question; the module is imported in the process alone.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

Question = Mapping[str, Any]
Answer = dict[str, Any]
Handler = Callable[[Answer], Answer]

ERROR = "error"
"""The entry of an answer that says in a sentence why there is no other."""

OUT_OF_MEMORY = "its process had no memory left for the answer"
"""What that entry is where there was less memory than it takes to answer."""

_START = (
    # The folder that the user is in comes first on the path, and may hold a file called as a module is.
    "import sys; sys.path[:] = [place for place in sys.path if place] + sys.argv[1:2]; "
    "from archpredict.executors.processes.pool import serve; serve(sys.argv[2])"
)
_FOLDER = str(Path(__file__).resolve().parents[3])
_ENDING_SECONDS = 10.0
_SAID = 300
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def cores() -> int:
    """How many cores this process may use."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # no such thing on macOS and Windows
        return max(1, os.cpu_count() or 1)


# ---------------------------------------------------------------------- the side of those who ask


class Pool:
    """Processes of one kind, started as they are needed; each computes on one thread.

    Args:
        module: Full name of the module that has ``handler``.
        setup: What ``handler`` is given, as JSON has it.
        jobs: How many processes there are at most.
        seconds: How long an answer may take; None for as long as it needs.

    Example:
        >>> with Pool("archpredict.executors.processes.pool", {"add": 2}, jobs=1) as pool:
        ...     pool.submit({"to": 3}).result()
        {'sum': 5}
    """

    def __init__(self, module: str, setup: Mapping[str, Any], jobs: int, seconds: float | None = None) -> None:
        self._module, self._setup, self._seconds = module, json.dumps(setup), seconds
        self._threads = ThreadPoolExecutor(jobs, "ask")
        self._idle: list[_Process] = []
        self._busy: dict[_Process, threading.Event | None] = {}
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def submit(self, question: Question) -> Future[Answer]:
        """The answer to come; of a process that ended without one, its ``error`` says how it ended."""
        return self._threads.submit(self.ask, question)

    def close(self) -> None:
        """End all processes, whatever they are doing."""
        with self._lock:
            self._closed = True
            for worker in (*self._idle, *self._busy):
                worker.process.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for worker in self._idle:
            worker.end()
        self._idle.clear()

    def ask(self, question: Question, stopped: threading.Event | None = None) -> Answer:
        """As :meth:`submit`, for callers with threads of their own: returns when the answer is there.

        Args:
            question: What is asked.
            stopped: What :meth:`stop` is given to have this and others of the same caller interrupted.
        """
        with self._lock:  # so that nothing starts after close() or stop() has looked
            if self._closed or (stopped is not None and stopped.is_set()):
                return {ERROR: "it was interrupted"}
            worker = self._taken()
            self._busy[worker] = stopped
        answer, why = worker.ask(question, self._seconds)
        with self._lock:
            del self._busy[worker]
            if answer is not None:
                self._idle.append(worker)
                return answer
        return {ERROR: why}

    def stop(self, stopped: threading.Event) -> None:
        """Set it, and end what is busy for those who asked with it; processes that are idle stay."""
        with self._lock:
            stopped.set()
            for worker, whose in self._busy.items():
                if whose is stopped:
                    worker.process.kill()

    def _taken(self) -> _Process:
        """A process that is idle, or a new one; one that has died meanwhile is not asked."""
        while self._idle:
            worker = self._idle.pop()
            if worker.process.poll() is None:
                return worker
            worker.end()
        return _Process(self._module, self._setup)


class _Process:
    """One process."""

    def __init__(self, module: str, setup: str) -> None:
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START, _FOLDER, module],
            env={**os.environ, **dict.fromkeys(_THREADS, "1")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,  # a file, unlike a pipe, blocks nobody
            start_new_session=True,  # Ctrl-C is for the one that asks, which then ends the others
            text=True,
            encoding="utf-8",
        )
        self._setup: str | None = setup

    def ask(self, question: Question, seconds: float | None) -> tuple[Answer | None, str]:
        """The answer; None and the reason where the process ended without one, and is no longer there."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        late = threading.Event()
        try:
            if self._setup is not None:
                self.process.stdin.write(self._setup + "\n")
                self.process.stdin.flush()
                self._setup = None
                self.process.stdout.readline()  # it is ready: a start is not part of the first question
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
            with _alarm(seconds, late, self.process):
                answer = json.loads(self.process.stdout.readline() or "null")
        except (OSError, ValueError):
            answer = None
        if isinstance(answer, dict):
            return answer, ""
        how = self.end()
        return None, f"it took longer than {seconds:g} s, and its process was killed" if late.is_set() else how

    def end(self) -> str:
        """End the process, and say how it had ended."""
        with suppress(OSError):
            assert self.process.stdin is not None
            self.process.stdin.close()
        try:
            code = self.process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._stderr.seek(0)
        said = [line.strip() for line in self._stderr.read().decode("utf-8", "replace").splitlines() if line.strip()]
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._stderr.close()
        return _how_it_ended(code, said[-1][:_SAID] if said else "")


class _alarm:  # noqa: N801 - reads as a statement
    """Kills a process that takes too long."""

    def __init__(self, seconds: float | None, late: threading.Event, process: subprocess.Popen[str]) -> None:
        self._timer = None if seconds is None else threading.Timer(seconds, self._ring)
        self._late, self._process = late, process

    def _ring(self) -> None:
        self._late.set()
        self._process.kill()

    def __enter__(self) -> None:
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()

    def __exit__(self, *error: object) -> None:
        if self._timer is not None:
            self._timer.cancel()


def _how_it_ended(code: int, said: str) -> str:
    if sys.platform != "win32" and code == -signal.SIGKILL:
        return "its process was killed, as systems do when memory runs out"
    if said == MemoryError.__name__:
        return OUT_OF_MEMORY
    how = f"exited with code {code}" if code >= 0 else f"was ended by signal {-code}"
    return f"its process {how}" + (f" and said: {said}" if said else " without an answer")


# ---------------------------------------------------------------------- the side of those who answer


def serve(module: str) -> None:
    """Answer questions until the input ends; also in the middle of one, so that nothing is left behind."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    answer: Handler = importlib.import_module(module).handler(json.loads(lines.get()))
    answers.write("{}\n")
    answers.flush()
    while True:
        answers.write(json.dumps(answer(json.loads(lines.get()))) + "\n")
        answers.flush()


def limit_memory(limit: int, *, beyond: bool = False) -> None:
    """Make this process fail where it allocates more bytes than this, on Linux; elsewhere nothing happens.

    Args:
        limit: Bytes.
        beyond: Whether what it has allocated already, such as libraries, comes on top of them.
    """
    if sys.platform == "linux":
        import resource

        limit += _allocated() if beyond else 0
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _allocated() -> int:
    """Bytes that count for the limit, as Linux tells them."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("VmData:"))


def _listen(lines: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)


def handler(setup: Answer) -> Handler:
    """The worker of the example: adds a number."""
    return lambda question: {"sum": setup["add"] + question["to"]}
