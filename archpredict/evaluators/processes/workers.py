"""Processes that train networks side by side, one thread each; one that dies is replaced."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from archpredict.evaluators._score import short
from archpredict.graph.arch_graph import ArchGraph
from archpredict.networks.labelling import Label, Task
from archpredict.networks.worker import write_images

_FOLDER = str(Path(__file__).resolve().parents[2])
_START = (
    # The folder that the user is in comes first on the path, and may hold a file called as a module is.
    "import sys; sys.path[:] = [place for place in sys.path if place] + sys.argv[1:]; "
    "from archpredict.networks.worker import main; main()"
)

_ENDING_SECONDS = 10.0
"""How long a process that has closed its output may take to end."""


class Workers:
    """Idle processes, started when they are needed and kept for the next batch of architectures.

    Args:
        task: How they label, on the CPU.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._setup = ""

    def take(self) -> _Worker:
        """A process of the caller's own, until it is given back."""
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.process.poll() is None:
                    return worker
                worker.kill()
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="archpredict-")
                self._setup = json.dumps(_setup(self._task, Path(self._folder.name) / "images.safetensors"))
            return _Worker(self._setup)

    def give_back(self, worker: _Worker) -> None:
        with self._lock:
            self._idle.append(worker)

    def close(self) -> None:
        """End all that are idle, and forget the images."""
        with self._lock:
            for worker in self._idle:
                worker.kill()
            self._idle.clear()
            if self._folder is not None:
                self._folder.cleanup()
                self._folder = None


class Labelling:
    """The workers that are busy for one caller, so that all can be stopped at once."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._busy: set[_Worker] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def label(self, graph: ArchGraph) -> Label:
        """The label that a worker gives; one that dies is a label that says so."""
        start = time.perf_counter()
        with self._lock:  # so that nothing starts after stop() has looked
            if self._stopped:
                return Label(None, "the evaluation was interrupted")
            worker = self._workers.take()
            self._busy.add(worker)
        answer = worker.ask({"graph": graph.to_json()})
        with self._lock:
            self._busy.discard(worker)
        if answer is not None:
            self._workers.give_back(worker)
            return Label(**answer)
        return Label(None, worker.last_words(), {}, time.perf_counter() - start)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for worker in self._busy:
                worker.process.kill()


class _Worker:
    """One process."""

    def __init__(self, setup: str) -> None:
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START, _FOLDER],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            start_new_session=True,  # Ctrl-C is for the search, which then stops its workers
            text=True,
            encoding="utf-8",
        )
        self._unsent = setup + "\n"

    def ask(self, question: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The answer; None where the process ended without one."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(self._unsent + json.dumps(question) + "\n")
            self.process.stdin.flush()
            self._unsent = ""
            answer = json.loads(self.process.stdout.readline() or "null")
        except (OSError, ValueError):
            return None
        return answer if isinstance(answer, dict) else None

    def last_words(self) -> str:
        """Why it ended, in a sentence; it is no longer there after that."""
        try:
            code = self.process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:  # it only gave a strange answer
            self.process.kill()
            code = self.process.wait()
        self._stderr.seek(0)
        said = [line.strip() for line in self._stderr.read().decode("utf-8", "replace").splitlines() if line.strip()]
        self.kill()
        if sys.platform != "win32" and code == -signal.SIGKILL:
            return "the process of the training was killed, as systems do when memory runs out"
        how = f"exited with code {code}" if code >= 0 else f"was killed by signal {-code}"
        return f"the process of the training {how}" + (f" and said: {short(said[-1])}" if said else "")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self._stderr):
            if stream is not None:
                _close(stream)


def _close(stream: IO[Any]) -> None:
    with suppress(OSError):  # what was not yet sent cannot be sent any more
        stream.close()


def _setup(task: Task, file: Path) -> dict[str, Any]:
    return {
        "images": write_images(task.images, file),
        "recipe": asdict(task.recipe),
        "seed": task.seed,
        "split": task.split,
    }
