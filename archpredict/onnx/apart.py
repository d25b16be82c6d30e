"""Thousands of ONNX files, read in processes: what is slow, too large or hostile among them holds up nothing else."""

from __future__ import annotations

import os
import socket
import weakref
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from archpredict.errors import ModelFileError, UsageError, whole_number
from archpredict.executors.base import Executor
from archpredict.executors.processes.pool import (
    ERROR,
    OUT_OF_MEMORY,
    Answer,
    Handler,
    Pool,
    Question,
    cores,
    limit_memory,
)
from archpredict.onnx.files import Shapes, read_model
from archpredict.onnx.reader import OnnxModel, OpenSizes
from archpredict.onnx.stored import ReadCache, model_from_dict, model_to_dict, stamp_of

__all__ = ["FileReading", "read_apart"]

MANY = 64
"""Files from which on processes read them, where nothing else is asked for."""
_AHEAD = 8
"""Files on their way for each process."""
_MODULE = "archpredict.onnx.apart"
_FINAL = "final"
"""Marks an answer that will be the same as long as the file is."""

Stamp = tuple[int, int]
_Answered = tuple[int, Stamp | None, Answer]
"""Number of a file, its stamp before it was read or None where it was known, and what was read."""


@dataclass(frozen=True)
class FileReading:
    """How many files are read.

    Args:
        jobs: Processes; if left out as many as there are cores, from 64 files on, and none for fewer. 0 for none.
        seconds: For one file, where processes read.
        memory: Bytes that one file may take in such a process, on Linux.
        cache: A file that keeps what was read. What it knows is not read again as long as it has not changed.
        executor: Where files are read instead, with the same limits: each by a machine that has it under the same path.

    Raises:
        UsageError: A number that cannot be, or both processes and an executor.

    Example:
        >>> FileReading(jobs=4).jobs_for(2), FileReading(jobs=0).jobs_for(1000), FileReading().jobs_for(2)
        (4, 0, 0)
    """

    jobs: int | None = None
    seconds: float = 120.0
    memory: int = 4_000_000_000
    cache: Path | None = None
    executor: Executor | None = None

    def __post_init__(self) -> None:
        if self.jobs is not None and self.executor is not None:
            raise UsageError("`jobs` are processes of this machine; leave them out where an executor reads")
        if self.jobs is not None:
            whole_number("`jobs`", self.jobs, 0)
        if not self.seconds > 0:
            raise UsageError(f"`seconds` for one file are above 0, {self.seconds!r} was given")
        whole_number("`memory`", self.memory, 1)

    def jobs_for(self, files: int) -> int:
        """Processes for so many files; a file that keeps what was read needs at least one."""
        if self.jobs is not None:
            return self.jobs
        return cores() if files >= MANY or self.cache is not None else 0

    def is_apart(self, files: int) -> bool:
        """Whether anything else than this process, and this alone, reads so many files."""
        return self.jobs_for(files) > 0 or self.cache is not None or self.executor is not None


def read_apart(
    files: Mapping[int, Path], shapes: Shapes, sizes: OpenSizes, how: FileReading
) -> Iterator[tuple[int, OnnxModel | ModelFileError]]:
    """Each file as it is read, in any order; what cannot be read is the error that says why.

    Args:
        files: Paths by number.
        shapes: As for :func:`archpredict.onnx.files.read_model`.
        sizes: Likewise.
        how: In how many processes, and with which limits.
    """
    setup: dict[str, Any] = {"shapes": {name: list(shape) for name, shape in shapes.items()}, "sizes": asdict(sizes)}
    with ExitStack() as stack:
        cache = None if how.cache is None else stack.enter_context(ReadCache(how.cache, setup))
        answers = _by_processes if how.executor is None else _by_executor
        for number, stamp, content in answers(files, setup | {"memory": how.memory}, how, cache):
            if cache is not None and content.get(_FINAL) and stamp is not None:
                cache.put(files[number], stamp, content)
            yield number, _outcome(files[number], content)


def _looked_up(files: Mapping[int, Path], cache: ReadCache | None) -> Iterator[tuple[int, Stamp, Answer | None]]:
    """The number of each file, its stamp, and what the cache knows of it."""
    for number, path in files.items():
        stamp = stamp_of(path)
        yield number, stamp, None if cache is None else cache.get(path, stamp)


def _by_processes(
    files: Mapping[int, Path], setup: Answer, how: FileReading, cache: ReadCache | None
) -> Iterator[_Answered]:
    """What processes of this machine read, or this one does; what is known comes between."""
    jobs = how.jobs_for(len(files))
    setup = setup | {"apart": bool(jobs)}
    with ExitStack() as stack:
        ask = stack.enter_context(Pool(_MODULE, setup, jobs, how.seconds)).submit if jobs else _here(handler(setup))
        waiting: dict[Future[Answer], tuple[int, Stamp]] = {}

        def settled(most: int) -> Iterator[_Answered]:
            while len(waiting) > most:
                for answer in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield *waiting.pop(answer), _in_megabytes(answer.result(), how.memory)

        for number, stamp, known in _looked_up(files, cache):
            if known is not None:
                yield number, None, known
            else:
                waiting[ask({"path": str(files[number])})] = number, stamp
                yield from settled(_AHEAD * jobs)
        yield from settled(0)


def _by_executor(
    files: Mapping[int, Path], setup: Answer, how: FileReading, cache: ReadCache | None
) -> Iterator[_Answered]:
    """What is known first, then what the executor has read; nothing is started where all is known."""
    left: dict[int, Stamp] = {}
    for number, stamp, known in _looked_up(files, cache):
        if known is not None:
            yield number, None, known
        else:
            left[number] = stamp
    if left:
        assert how.executor is not None
        questions = [(number, {"path": str(files[number]), "size": size}) for number, (size, _) in left.items()]
        reader = _ReaderBeside(setup | {"apart": True, "folder": os.getcwd()}, how.seconds)
        for done in how.executor.each(reader, questions):
            number = done.item[0]
            answer = {ERROR: str(done.error)} if done.value is None else done.value
            yield number, left[number], _in_megabytes(answer, how.memory)


class _ReaderBeside:
    """Reads files where an executor calls it, in a process beside that one, which the limits may end.

    Args:
        setup: As :func:`handler` takes it.
        seconds: For one file.
    """

    def __init__(self, setup: Answer, seconds: float) -> None:
        self._setup, self._seconds = setup, seconds
        self._pool: Pool | None = None

    def __call__(self, item: tuple[int, Question]) -> Answer:
        if self._pool is None:
            self._pool = Pool(_MODULE, self._setup, 1, self._seconds)
            weakref.finalize(self, self._pool.close)
        return self._pool.ask(item[1])


def _in_megabytes(answer: Answer, memory: int) -> Answer:
    """The answer; of a process that had too little memory, how much it had."""
    return _too_large(memory) if answer.get(ERROR) == OUT_OF_MEMORY else answer


def _outcome(path: Path, content: Answer) -> OnnxModel | ModelFileError:
    if "model" in content:
        try:
            return model_from_dict(content["model"], path)
        except ValueError as error:
            return ModelFileError(
                f"{path}: what was kept of it cannot be read ({error}); remove the file that keeps it"
            )
    text = str(content[ERROR])
    return ModelFileError(text if str(path) in text else f"{path}: {text}")


def _here(answer: Callable[[Answer], Answer]) -> Callable[[Mapping[str, Any]], Future[Answer]]:
    """Read in this process, at once."""

    def submit(question: Mapping[str, Any]) -> Future[Answer]:
        done: Future[Answer] = Future()
        done.set_result(answer(dict(question)))
        return done

    return submit


def handler(setup: Mapping[str, Any]) -> Handler:
    """The reader of a process."""
    shapes = {name: tuple(shape) for name, shape in setup["shapes"].items()}
    sizes = OpenSizes(**setup["sizes"])
    if "folder" in setup:
        with suppress(OSError):  # then nothing is found in it, which is said of each file
            os.chdir(setup["folder"])
    if setup.get("apart"):
        limit_memory(setup["memory"], beyond=True)

    def answer(question: Answer) -> Answer:
        size = question.get("size")
        if size is not None and stamp_of(Path(setup["folder"], question["path"]))[0] != size:
            return {
                ERROR: f"the machine {socket.gethostname()} has no such file of {size:,} bytes; all machines that read "
                "need it under the same path, as on a shared disk"
            }
        try:
            return {"model": model_to_dict(read_model(Path(question["path"]), shapes, sizes)), _FINAL: True}
        except ModelFileError as error:
            return {ERROR: str(error), _FINAL: True}
        except MemoryError:
            return _too_large(setup["memory"])

    return answer


def _too_large(memory: int) -> Answer:
    return {ERROR: f"it needs more than the {memory / 1e6:,.0f} MB that one file may take"}
