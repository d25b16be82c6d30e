"""The record of a run, read from its directory, which may go on meanwhile."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archpredict.errors import InvalidArchitectureError, RunDirectoryError, UnknownNameError
from archpredict.evaluators.objectives.objective import Objective
from archpredict.progress import Event
from archpredict.registry import names
from archpredict.runs.checkpoint import Checkpoint
from archpredict.runs.directory import read_config
from archpredict.runs.history import HISTORY, RecordedEvent
from archpredict.spaces.base import SearchSpace, load_space

__all__ = ["RecordedEvaluation", "RunRecord", "read_record", "space_of"]

_CHECKPOINT, _BEST = "checkpoint.safetensors", "best.json"


@dataclass(frozen=True)
class RecordedEvaluation:
    """One evaluation as it was recorded."""

    number: int
    choices: tuple[int, ...]
    notation: str
    score: float | None
    error: str | None
    seconds: float
    time: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class RunRecord:
    """What the directory of a run says.

    Args:
        path: The directory.
        config: Settings, invocation and versions.
        evaluations: In the order in which they were asked for.
        events: In the order in which they came, as far as they are written.
        sessions: When each began and how many seconds it worked.
        judged: Predicted scores with the labels that came later.
        is_finished: Whether the run has its result.
    """

    path: Path
    config: Mapping[str, Any]
    evaluations: Sequence[RecordedEvaluation]
    events: Sequence[RecordedEvent]
    sessions: Sequence[tuple[float, float]]
    judged: Sequence[tuple[float, float]]
    is_finished: bool

    @property
    def settings(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.config["settings"]
        return found

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """The objectives; one score without a name is none."""
        return tuple([Objective.parse(str(text)) for text in self.settings.get("objectives", ())])

    @property
    def name(self) -> str:
        """Space, strategy and seed."""
        return " ".join(str(self.settings.get(part, "?")) for part in ("space", "strategy")) + f", seed {self.seed}"

    @property
    def seed(self) -> Any:
        return self.settings.get("seed", "?")


def read_record(path: Path) -> RunRecord:
    """Read the record of a run; nothing is changed or locked.

    Raises:
        UsageError: There is no run.
        RunDirectoryError: It cannot be read.
    """
    config = read_config(path)
    columns = 'number, choices, architecture, score, error, seconds, time, "values"'
    try:
        with closing(sqlite3.connect(f"{(path / HISTORY).absolute().as_uri()}?mode=ro", uri=True)) as db:
            evaluations = [
                _evaluation(*row) for row in db.execute(f"SELECT {columns} FROM evaluations ORDER BY number")
            ]
            rows = db.execute('SELECT round, stage, step, total, "values" FROM events ORDER BY sequence')
            events = [
                RecordedEvent(r, Event(stage, done, total or None, json.loads(v))) for r, stage, done, total, v in rows
            ]
            sessions = [
                (float(a), float(b)) for a, b in db.execute("SELECT started, seconds FROM sessions ORDER BY number")
            ]
    except (sqlite3.Error, ValueError, TypeError, AttributeError) as error:
        raise RunDirectoryError(
            f"the record of the run in {path} cannot be read ({error}); restore {HISTORY} from a copy, or leave the "
            "run out"
        ) from error
    return RunRecord(path, config, evaluations, events, sessions, _judged(path), (path / _BEST).is_file())


def _evaluation(
    number: int, choices: str, notation: str, score: Any, error: Any, seconds: float, time: float, values: str
) -> RecordedEvaluation:
    known = {str(name): float(value) for name, value in json.loads(values).items()}
    row, score = tuple(int(c) for c in json.loads(choices)), None if score is None else float(score)
    return RecordedEvaluation(int(number), row, str(notation), score, error, float(seconds), float(time), known)


def _judged(path: Path) -> list[tuple[float, float]]:
    """The pairs that the strategy keeps, where it does and its checkpoint can be read."""
    try:
        state = Checkpoint.read(path / _CHECKPOINT).state if (path / _CHECKPOINT).is_file() else {}
        return [(float(predicted), float(label)) for predicted, label in state.get("judged", ())]
    except (ValueError, TypeError, OSError):
        return []


def space_of(record: RunRecord) -> SearchSpace | None:
    """The space of a run, where it is one that is known by name: code that only the record names is not run."""
    name = record.settings.get("space")
    if name not in names("spaces"):
        return None
    try:
        space = load_space(str(name))
        for evaluation in record.evaluations[:1]:
            space.validate(evaluation.choices)
    except (UnknownNameError, InvalidArchitectureError):
        return None
    return space if list(space.num_choices) == record.settings.get("num_choices") else None
