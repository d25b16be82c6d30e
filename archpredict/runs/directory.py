"""RunDirectory: everything a run leaves behind, and what a resumed run goes on from."""

from __future__ import annotations

import errno
import json
import os
import platform
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import filelock

from archpredict._files import write_atomically
from archpredict.backends import versions
from archpredict.errors import RunDirectoryError, UsageError
from archpredict.runs._changes import Change, changes_of, check_growth, with_change
from archpredict.runs._comparison import compare
from archpredict.runs.checkpoint import Checkpoint
from archpredict.runs.history import History, disk_full
from archpredict.strategies.base import State

__all__ = ["RunDirectory", "is_run", "read_best", "read_config"]

_FORMAT = 1
_BUDGET, _HOURS = "budget", "hours"
_LOCK, _CONFIG, _HISTORY, _CHECKPOINT, _BEST = (
    ".lock",
    "config.json",
    "history.db",
    "checkpoint.safetensors",
    "best.json",
)


class RunDirectory:
    """A run's folder: configuration, history, checkpoint, ``best.json`` and ``report/``.

    Holds a lock for as long as it is open, which the operating system releases however the process ends.

    Args:
        path: The folder.
        settings: What decides the run's result; a run is resumed only with equal settings, or with a larger
            budget and other hours.
        resume: Go on with the run that is there, instead of making a new one.
        invocation: How a command line rebuilds the run, kept to resume it.
        other_labels: Names of other spaces whose labels the strategy learns from.

    Raises:
        UsageError: There is a run already, there is none to resume, or its settings differ.
        RunDirectoryError: In use, corrupt, or not writable.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        settings: Mapping[str, Any],
        *,
        resume: bool = False,
        invocation: Mapping[str, Any] | None = None,
        other_labels: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = Path(path)
        if resume:
            read_config(self.path)  # before the lock, which would make a file in a folder that is no run
        else:
            self._refuse_used()
        self._hold = ExitStack()
        self._hold.enter_context(held(self.path))
        try:
            with disk_errors(self.path):
                if resume:
                    config = read_config(self.path)
                    self._compare(config["settings"], settings)
                else:
                    self._refuse_used()
                    write_json(self.path, _CONFIG, _config(settings, invocation, other_labels))
                self.history = History(self.path / _HISTORY)
                if resume:
                    self._keep_changes(config, settings, invocation)
        except BaseException:
            self._hold.close()
            raise

    # ------------------------------------------------------------------ checkpoint and result

    def save_checkpoint(self, state: State, num_told: int, budget: int | None = None) -> None:
        """Replace the checkpoint by this one, whole or not at all."""
        self.history.flush()
        checkpoint = Checkpoint(state, num_told, self.history.num_events, budget)
        with disk_errors(self.path):
            write_atomically(self.path / _CHECKPOINT, checkpoint.to_bytes())

    def load_checkpoint(self) -> Checkpoint | None:
        """The newest checkpoint; None where there is none.

        Raises:
            ValueError: It is there and cannot be used.
        """
        path = self.path / _CHECKPOINT
        return Checkpoint.read(path) if path.exists() else None

    def remove_checkpoint(self) -> None:
        """Forget what the strategy had learnt, which follows from the record."""
        with disk_errors(self.path):
            (self.path / _CHECKPOINT).unlink(missing_ok=True)

    def save_best(self, result: Mapping[str, Any]) -> None:
        """Write ``best.json``, which also marks the run as finished."""
        write_json(self.path, _BEST, result)

    def finished_seconds(self, queries: int) -> float | None:
        """Seconds that the whole run took, where it is finished with so many evaluations."""
        try:
            best = json.loads((self.path / _BEST).read_text(encoding="utf-8"))
            return float(best["seconds"]) if best["queries"] == queries else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @property
    def changes(self) -> tuple[Change, ...]:
        """Changes of the budget, oldest first."""
        return changes_of(read_config(self.path))

    @property
    def report(self) -> Path:
        return self.path / "report"

    # ------------------------------------------------------------------ opening and closing

    def close(self) -> None:
        self.history.close()
        self._hold.close()

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _refuse_used(self) -> None:
        if is_used(self.path):
            again = f"`out={str(self.path)!r}, resume=True`"
            resume = f", or {again} to go on with the run in it" if is_run(self.path) else ""
            raise UsageError(f"the directory {self.path} is not empty; give another `out`{resume}")

    def _compare(self, known: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        given = json.loads(json.dumps(settings))
        found = compare(
            *({n: v for n, v in settings.items() if n not in (_BUDGET, _HOURS)} for settings in (known, given))
        )
        if found.differences:
            raise UsageError(
                f"the run in {self.path} belongs to another configuration: {'; '.join(found.differences)}. Resume "
                "it with the settings it was started with, or start a new run in another directory"
            )
        check_growth(self.path, known.get(_BUDGET, 0), given.get(_BUDGET, 0))
        if found.unknown:
            warnings.warn(
                f"the record in {self.path} cannot tell whether {', '.join(found.unknown)} are as the run was started "
                "with; see that they are",
                RuntimeWarning,
                stacklevel=4,
            )
        if not (self.path / _HISTORY).exists() and (self.path / _CHECKPOINT).exists():
            raise RunDirectoryError(
                f"the run directory {self.path} is corrupt: {_HISTORY} is missing; restore it from a copy, "
                "or start a new run in another directory"
            )

    def _keep_changes(
        self, config: dict[str, Any], settings: Mapping[str, Any], invocation: Mapping[str, Any] | None
    ) -> None:
        """Keep a larger budget, and an invocation with what may change, for whoever resumes the run next."""
        kept = config
        if settings.get(_BUDGET, 0) > config["settings"].get(_BUDGET, 0):
            kept = with_change(config, settings[_BUDGET], len(self.history))
        if settings.get(_HOURS) != config["settings"].get(_HOURS):
            rest = {name: value for name, value in kept["settings"].items() if name != _HOURS}
            kept = {**kept, "settings": rest | ({_HOURS: settings[_HOURS]} if _HOURS in settings else {})}
        if invocation is not None and config["invocation"] is not None:
            kept = {**kept, "invocation": dict(invocation)}
        if kept != config:
            write_json(self.path, _CONFIG, kept)


def write_json(folder: Path, name: str, value: Mapping[str, Any]) -> None:
    """A value as JSON in a file of the folder, the old file or the new one whatever happens.

    Raises:
        RunDirectoryError: It cannot be written.
    """
    with disk_errors(folder):
        write_atomically(folder / name, (json.dumps(value, indent=2) + "\n").encode())


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder, made if it is not there, against other processes; it is free however this one ends.

    Raises:
        RunDirectoryError: It is in use, or cannot be written.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / _LOCK)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise RunDirectoryError(
                f"the folder {folder} is in use by another process; wait until it ends, or give another `out`"
            ) from error
    try:
        yield
    finally:
        lock.release()


def is_used(folder: Path) -> bool:
    """Whether there is anything in a folder but what :func:`held` leaves."""
    with disk_errors(folder):
        return folder.is_dir() and any(entry.name != _LOCK for entry in folder.iterdir())


def is_run(path: Path) -> bool:
    """Whether a run has begun in ``path``."""
    return (path / _CONFIG).is_file()


def read_config(path: Path) -> dict[str, Any]:
    """The configuration of the run in ``path``.

    Raises:
        UsageError: There is no run.
        RunDirectoryError: The file is damaged.
    """
    file = path / _CONFIG
    if not is_run(path):
        raise UsageError(f"there is no run in {path}: {file} does not exist; give the directory of a run")
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(config["format"], str):  # that of a training, which has a name
            raise UsageError(f"{path} is no run of a search ({config['format']}); go on with it by what made it")
        if config["format"] != _FORMAT:
            why = f"its format is {config['format']}, this version of archpredict reads format {_FORMAT}"
        elif isinstance(config["settings"], dict) and isinstance(config["invocation"], dict | None):
            changes_of(config)
            if not isinstance(config["settings"].get(_BUDGET, 0), int):
                raise ValueError(f"its budget is {config['settings'][_BUDGET]!r}")
            if not isinstance(config["settings"].get(_HOURS, 0.0), int | float):
                raise ValueError(f"its hours are {config['settings'][_HOURS]!r}")
            return dict(config)
        else:
            why = "its settings or its invocation are no JSON objects"
    except UsageError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {error}"
    raise corrupt_config(path, why)


def read_best(path: Path) -> str:
    """The best architecture that the finished run in ``path`` recommends, in the notation of its space.

    Raises:
        UsageError: The run has no result yet.
        RunDirectoryError: The file is damaged.
    """
    file = path / _BEST
    if not file.is_file():
        raise UsageError(
            f"the run in {path} has no result yet; finish it with `search(..., out={str(path)!r}, resume=True)`"
        )
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["best"]["architecture"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunDirectoryError(
            f"the run directory {path} is corrupt: {file} is not the result of a run ({type(error).__name__}: "
            f"{error}); restore it from a copy, or remove it and resume the run"
        ) from error


def corrupt_config(path: Path, why: str) -> RunDirectoryError:
    """The error for a configuration that is damaged."""
    return RunDirectoryError(
        f"the run directory {path} is corrupt: {path / _CONFIG} is not the configuration of a run ({why}); restore it "
        "from a copy, or start a new run in another directory"
    )


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says about a place into one sentence that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(path) from error
        raise RunDirectoryError(
            f"cannot write the run directory {path} ({error.strerror or error}); make it writable, or give "
            "another `out`; what was recorded before is kept"
        ) from error


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted names.

    Example:
        >>> flatten({"a": {"b": 1}, "c": [2]})
        {'a.b': 1, 'c': [2]}
    """
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for name, inner in value.items():
        flat.update(flatten(inner, f"{prefix}.{name}" if prefix else name))
    return flat


def _config(
    settings: Mapping[str, Any], invocation: Mapping[str, Any] | None, other_labels: Mapping[str, Any] | None
) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "settings": settings,
        "invocation": invocation,
        "other_labels": other_labels,
        "versions": {
            "python": platform.python_version(),
            **versions("archpredict", "torch", "numpy"),
        },
    }
