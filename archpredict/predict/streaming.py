"""Predictions for tables of any length: read, predicted and written in pieces, on all cores, in little memory.

Architectures that occur again are predicted once, in the order of their first appearance and in batches that depend on
the table alone, so that the scores do not depend on the number of processes.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from archpredict._typing import FloatArray, IntArray
from archpredict.errors import DataError, RunError, UsageError
from archpredict.executors.processes.pool import ERROR, Answer, Pool, cores
from archpredict.predict.predictor import Predictor
from archpredict.predict.scoring import Scorer, setup_of
from archpredict.predict.universal import UniversalPredictor
from archpredict.progress import Event, Observer, silent
from archpredict.spaces.base import SearchSpace, load_space
from archpredict.tables.columns import Columns, architecture_column, as_text, value_of
from archpredict.tables.formats.base import ABSENT, ARCHITECTURE, Kind, Piece, format_of, format_to_write, write_pieces
from archpredict.tables.reading.numbers import as_written, joined, kind_of

__all__ = ["Predicted", "predict_table"]

SCORE, STD = "score", "std"
_ROWS = 65_536
"""Rows in hand at a time."""
_BATCH = 8192
"""Architectures that are predicted together."""
_MOST_KNOWN = 262_144
"""Architectures whose predictions are kept: where there are more, all are forgotten and begun anew."""
_MODULE = "archpredict.predict.scoring"

Submit = Callable[[dict[str, Any]], "Future[Answer]"]
Key = Any
"""The notation of an architecture; with its features where the predictor reads any."""


@dataclass
class Predicted:
    """What was predicted.

    Args:
        columns: Names of the columns that were added.
        labels: The lowest and the highest label that the predictor has seen.
        rows: How many.
        beyond: Rows whose score is beyond all labels that the predictor has seen.
        seconds: How long it took.
    """

    columns: tuple[str, ...]
    labels: tuple[float, float] = (-np.inf, np.inf)
    rows: int = 0
    beyond: int = 0
    seconds: float = 0.0

    @property
    def beyond_labels(self) -> str:
        """What is to be said of these, nothing where there are none."""
        if not self.beyond:
            return ""
        low, high = self.labels
        return (
            f"{self.beyond:,} of the scores are beyond all labels it has seen ({low:.4g} to {high:.4g}): believe their "
            "order"
        )


def predict_table(
    model: Predictor | UniversalPredictor,
    data: str | Path,
    out: str | Path,
    space: str | SearchSpace,
    *,
    column: str = ARCHITECTURE,
    jobs: int | None = None,
    observer: Observer = silent,
) -> Predicted:
    r"""Predict the scores of the architectures of a table, and write them beside its columns.

    The table may be larger than memory. What was at ``out`` stays there until all is written.

    Args:
        model: A fitted predictor.
        data: The table, in any format (``docs/data.md``).
        out: The table to write, in a format by its name. Between two Parquet files columns keep their types; otherwise
            numbers in texts become numbers, but for CSV.
        space: The space of its architectures, or its name; processes need the name.
        column: The column of the architectures.
        jobs: Processes to predict in, where there is enough to do for them; all cores if left out, 0 for none. A
            predictor on a GPU, or one that computes zero-cost proxies, needs none.
        observer: Is told of the rows that are predicted.

    Raises:
        DataError: The table is missing or malformed, or a row has no architecture of the space; as
            :meth:`archpredict.tables.unlabelled.Unlabelled.read`.
        UsageError: It has a column that would be overwritten, or ``out`` cannot be written by its name.
        RunError: A process ended before its time, or ``out`` cannot be written.

    Example:
        >>> cells = load_space("nasbench201").architectures(np.eye(6, dtype=int))
        >>> ridge = Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0}).fit(cells, range(6))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table, scored = Path(folder, "cells.csv"), Path(folder, "scored.csv")
        ...     _ = table.write_text("id,arch\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells)))
        ...     found = predict_table(ridge, table, scored, "nasbench201")
        ...     found.rows, scored.read_text().partition("\n")[0]
        (6, 'id,arch,score,std')
    """
    data, out, start = Path(data), Path(out), time.monotonic()
    names = (SCORE, STD) if model.has_std else (SCORE,)
    format_to_write(out)
    kinds, total = _kinds(data, out, observer)
    for name in names:
        if name in kinds:
            raise UsageError(f"{data} has a column {name!r} already; rename it, so that nothing is overwritten")
    found = Predicted(names, model.label_range_ if isinstance(model, Predictor) else (-np.inf, np.inf))
    low, high = found.labels

    def written(pieces: Iterable[tuple[Piece, FloatArray]]) -> Iterator[Piece]:
        for piece, scores in pieces:
            found.rows += piece.size
            found.beyond += int(((scores[0] < low) | (scores[0] > high)).sum())
            found.seconds = time.monotonic() - start
            rate = found.rows / max(found.seconds, 1e-9)
            observer(Event("predicted", found.rows, total, {"rows_per_second": rate}))
            own = {name: _as_kind(piece, name, kind) for name, kind in kinds.items()}
            yield Piece({**own, **dict(zip(names, scores.tolist(), strict=True))}, piece.where, piece.size)

    with ExitStack() as stack:
        scores = _Scores(model, data, space, column, jobs, stack, observer)
        columns = {**{name: kind or "text" for name, kind in kinds.items()}, **dict.fromkeys(names, "number")}
        write_pieces(out, columns, written(scores.of(format_of(data)[1].pieces(data, _ROWS))))  # type: ignore[arg-type]
    return found


def _as_kind(piece: Piece, name: str, kind: Kind | None) -> Sequence[Any]:
    values = piece.columns.get(name)
    if values is None:
        return [ABSENT] * piece.size
    return values if kind is None else as_written(values, kind)


def _kinds(data: Path, out: Path, observer: Observer) -> tuple[dict[str, Kind | None], int | None]:
    """What the columns hold, None where they stay texts; and the number of rows, None where it is not known.

    CSV to CSV needs the header alone. Where the file itself does not say it, it is read once more.

    Raises:
        DataError: There are no rows.
    """
    form = format_of(data)[1]
    first = next(form.pieces(data, 1), None)
    if first is None:
        raise DataError(f"{data} has no rows; expected a header with {ARCHITECTURE!r}, then at least 1 row")
    stated, is_text = form.kinds(data), ".csv" in out.suffixes
    if stated is not None:
        return {name: None if is_text and kind == "text" else kind for name, kind in stated.items()}, form.count(data)
    if is_text and ".csv" in [*data.suffixes, *(form.also if ".csv" in form.endings else ())]:
        return dict.fromkeys(first.columns), form.count(data)
    kinds: dict[str, Kind | None] = {}
    rows = 0
    for piece in form.pieces(data, _ROWS):
        for name, values in piece.columns.items():
            for value in _distinct(values):
                kinds[name] = joined(kinds.get(name), None if value is ABSENT else kind_of(value))
        rows += piece.size
        observer(Event("rows read", rows))
    return {name: None if is_text else kind or "text" for name, kind in kinds.items()}, rows


def _distinct(values: Sequence[Any]) -> Iterable[Any]:
    return set(values) if {str}.issuperset(map(type, values)) else values


# ---------------------------------------------------------------------- scores


@dataclass(eq=False)
class _Known:
    """Predictions of architectures, each in a place that it has from its first appearance on.

    Args:
        scores: ``(C, most)``, not a number where they are not known yet.
        place: By key.
    """

    scores: FloatArray
    place: dict[Key, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A piece whose predictions are on their way.

    Args:
        piece: The rows.
        known: Where they will be.
        places: ``(n,)`` the place of each row there.
        asked: For each batch the first of its places, the row of the piece that each came from, and the answer.
    """

    piece: Piece
    known: _Known
    places: IntArray
    asked: list[tuple[int, list[int], Future[Answer]]]


class _Scores:
    """The scores of the architectures of a table."""

    def __init__(
        self,
        model: Predictor | UniversalPredictor,
        path: Path,
        space: str | SearchSpace,
        column: str,
        jobs: int | None,
        stack: ExitStack,
        observer: Observer,
    ) -> None:
        self._model, self._path, self._stack, self._observer = model, path, stack, observer
        self._reference, self._space = space, load_space(space)
        self._asked_column, self._column = column, ""
        self._jobs = cores() if jobs is None else jobs
        self._here: Submit | None = None
        self._apart: Submit | None = None

    def of(self, pieces: Iterator[Piece]) -> Iterator[tuple[Piece, FloatArray]]:
        """Each piece with its ``(C, n)`` scores, in order; a few are on their way at a time."""
        waiting: deque[_Waiting] = deque()
        known = self._nothing()
        for piece in pieces:
            keys = self._keys(piece)
            new = [key for key in dict.fromkeys(keys) if key not in known.place]
            if len(known.place) + len(new) > _MOST_KNOWN:
                known, new = self._nothing(), list(dict.fromkeys(keys))
            waiting.append(self._asked(piece, keys, known, new))
            while len(waiting) > self._jobs + 1:
                yield self._told(waiting.popleft())
        while waiting:
            yield self._told(waiting.popleft())

    def _nothing(self) -> _Known:
        return _Known(np.full((1 + self._model.has_std, _MOST_KNOWN), np.nan))

    def _keys(self, piece: Piece) -> list[Key]:
        """Notations of the architectures, with features where these are read.

        Raises:
            DataError: A row has none.
        """
        features = self._model.feature_names_
        if not self._column:
            first = piece.row(0)
            self._column = architecture_column(self._path, first, self._asked_column, self._space)
            Columns(self._path, first, features)
        values: Sequence[Any] = piece.columns.get(self._column, ())
        if not values or ABSENT in values:
            values = [value_of(self._path, piece.row(i), self._column) for i in range(piece.size)]
        texts = list(values)
        if not {str}.issuperset(map(type, texts)):
            texts = list(map(as_text, texts))
        if not features:
            return texts
        numbers = Columns(self._path, piece.row(0), features)
        for i in range(piece.size):
            numbers.add(piece.row(i))
        columns = numbers.at(np.arange(piece.size))
        return list(zip(texts, *(columns[name].tolist() for name in features), strict=True))

    def _asked(self, piece: Piece, keys: list[Key], known: _Known, new: list[Key]) -> _Waiting:
        begin = len(known.place)
        known.place.update(zip(new, range(begin, begin + len(new)), strict=True))
        places = np.fromiter(map(known.place.__getitem__, keys), np.int64, len(keys))
        of_new, rows = np.unique(places, return_index=True)
        rows = rows[of_new >= begin]
        submit = self._submitted(len(new))
        asked = []
        for start in range(0, len(new), _BATCH):
            batch = new[start : start + _BATCH]
            asked.append((begin + start, rows[start : start + _BATCH].tolist(), submit(self._question(batch))))
        return _Waiting(piece, known, places, asked)

    def _question(self, batch: list[Key]) -> dict[str, Any]:
        names = self._model.feature_names_
        if not names:
            return {"texts": batch}
        texts, *columns = zip(*batch, strict=True)
        return {"texts": texts, "features": dict(zip(names, columns, strict=True))}

    def _told(self, waiting: _Waiting) -> tuple[Piece, FloatArray]:
        """A piece and its scores.

        Raises:
            DataError: A row holds no architecture of the space.
        """
        scores = waiting.known.scores
        for begin, rows, answer in waiting.asked:
            found = answer.result()
            if "wrong" in found:
                where = waiting.piece.where(rows[found["wrong"]])
                raise DataError(f"{self._path}, {where}, column {self._column!r}: {found[ERROR]}")
            if ERROR in found:
                raise (UsageError if found.get("usage") else RunError)(
                    str(found[ERROR]) if found.get("usage") else f"a prediction failed: {found[ERROR]}"
                )
            scores[:, begin : begin + len(rows)] = found["scores"]
        return waiting.piece, scores[:, waiting.places]

    # ------------------------------------------------------------------ where it is computed

    def _submitted(self, count: int) -> Submit:
        """What predicts: processes from where there are several batches on, before that this one."""
        if self._apart is None and self._jobs and count > _BATCH and isinstance(self._reference, str):
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="archpredict-"))
            setup = setup_of(self._model, self._reference, self._column, Path(folder))
            if setup is None:
                self._jobs = 0
            else:
                self._apart = self._stack.enter_context(Pool(_MODULE, setup, self._jobs)).submit
        if self._apart is not None:
            return self._apart
        if self._here is None:
            self._here = _at_once(Scorer(self._model, self._space, self._column, self._observer))
        return self._here


def _at_once(scorer: Scorer) -> Submit:
    def submit(question: dict[str, Any]) -> Future[Answer]:
        done: Future[Answer] = Future()
        done.set_result(scorer(question))
        return done

    return submit
