"""The trainings of NAS-Bench-101 as one row per cell, with means over the repeats."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from archpredict._typing import FloatArray
from archpredict.errors import DataError
from archpredict.tables.formats.base import ARCHITECTURE, Row

MAX_CELLS = 1_000_000
"""The benchmark has 423,624."""

MAX_VERTICES = 32

_METRICS = ("valid_accuracy", "test_accuracy", "train_accuracy", "training_time")
_OF_EACH_RUN = ("valid_accuracy", "test_accuracy")
_MAX_RUNS = 3
_CHUNK = 4096


class CellTraining(NamedTuple):
    """The end of one training of one cell."""

    epochs: int
    valid_accuracy: float
    test_accuracy: float
    train_accuracy: float
    training_time: float


class Cells:
    """Collects trainings in any order, in some tens of bytes for each."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}
        self._wheres: list[str] = []
        self._architectures: list[str] = []
        self._params = array("q")
        self._cell, self._epochs = array("q"), array("q")
        self._metrics = {name: array("d") for name in _METRICS}

    def __len__(self) -> int:
        return len(self._index)

    def add(
        self, digest: str, where: str, architecture: Callable[[], str], params: int, trainings: Sequence[CellTraining]
    ) -> None:
        """Add trainings of a cell.

        Args:
            digest: The benchmark's MD5 of the cell.
            where: Place of the first of them, for messages.
            architecture: Gives its text; called when the cell is new.
            params: Trainable parameters.
            trainings: Any number of them.

        Raises:
            ValueError: The cell is malformed, or there are too many.
        """
        cell = self._index.get(digest)
        if cell is None:
            if len(self._index) >= MAX_CELLS:
                raise ValueError(f"it is of one more than {MAX_CELLS:,} cells, the most that are read")
            self._architectures.append(architecture())
            cell = self._index[digest] = len(self._index)
            self._wheres.append(where)
            self._params.append(params)
        for training in trainings:
            self._cell.append(cell)
            self._epochs.append(training.epochs)
            for values, value in zip(self._metrics.values(), training[1:], strict=True):
                values.append(value)

    def rows(self) -> Iterator[Row]:
        """One row per cell, in the order in which the cells came first."""
        columns = dict(self._columns())
        names = (ARCHITECTURE, "hash", "params", *columns)
        digests = iter(self._index)
        for start in range(0, len(self), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            parts = [_or_none(values[chunk]) for values in columns.values()]
            known = (self._architectures[chunk], islice(digests, _CHUNK), self._params[chunk])
            for where, *values in zip(self._wheres[chunk], *known, *parts, strict=True):
                yield Row(where, dict(zip(names, values, strict=True)))

    def _columns(self) -> Iterator[tuple[str, FloatArray]]:
        cell, epochs = np.array(self._cell), np.array(self._epochs)
        budgets = np.unique(epochs).tolist()
        for budget in reversed(budgets):
            chosen = np.flatnonzero(epochs == budget)
            metrics = {name: np.array(values)[chosen] for name, values in self._metrics.items()}
            means = {name: self._means(cell[chosen], values) for name, values in metrics.items()}
            if budget == budgets[-1]:
                yield from means.items()
                for name in _OF_EACH_RUN:
                    yield from self._runs(name, cell[chosen], metrics[name])
            if len(budgets) > 1:
                yield from ((f"{name}_{budget}", values) for name, values in means.items())

    def _means(self, cell: npt.NDArray[np.int64], values: FloatArray) -> FloatArray:
        counts = np.bincount(cell, minlength=len(self))
        sums = np.bincount(cell, weights=values, minlength=len(self))
        means: FloatArray = np.divide(sums, counts, out=np.full(len(self), np.nan), where=counts > 0)
        return means

    def _runs(self, name: str, cell: npt.NDArray[np.int64], values: FloatArray) -> Iterator[tuple[str, FloatArray]]:
        """The values of the first, second, ... training of each cell in a column each."""
        order = np.argsort(cell, kind="stable")
        cell, values = cell[order], values[order]
        place = np.arange(len(cell)) - np.searchsorted(cell, cell)
        for run in range(min(_MAX_RUNS, int(place.max(initial=-1)) + 1)):
            column = np.full(len(self), np.nan)
            column[cell[place == run]] = values[place == run]
            yield f"{name}_run{run + 1}", column


def cell_text(adjacency: str, operations: Sequence[str]) -> str:
    """The notation of a cell from its matrix, row by row in digits, and its operators.

    Raises:
        ValueError: They are malformed, or do not fit.

    Example:
        >>> cell_text("0100", ["input", "output"])
        '{"matrix": [[0, 1], [0, 0]], "ops": ["input", "output"]}'
    """
    n = len(operations)
    if n > MAX_VERTICES or len(adjacency) != n * n or adjacency.strip("01"):
        raise ValueError(
            f"its matrix has {len(adjacency)} entries for {n} operators; expected {n} times {n}, each 0 or 1"
        )
    if any('"' in op or "\\" in op or not op.isprintable() for op in operations):
        raise ValueError("the name of an operator has quotes or control characters")
    rows = (", ".join(adjacency[i : i + n]) for i in range(0, n * n, n))
    names = '", "'.join(operations)
    return f'{{"matrix": [[{"], [".join(rows)}]], "ops": ["{names}"]}}'


def _or_none(values: FloatArray) -> list[float | None]:
    found: list[float | None] = values.tolist()
    missing = np.flatnonzero(np.isnan(values))
    for i in missing.tolist():
        found[i] = None
    return found


def api_rows(api: Any, epochs: int, path: Path) -> Iterator[Row]:
    """The rows of a ``nasbench.api.NASBench`` object for one length of training.

    Args:
        api: The object.
        epochs: Length of the trainings.
        path: What stands for it in messages.

    Raises:
        DataError: The object is none, or has no trainings of this length.
    """
    cells, lengths = Cells(), set[int]()
    digest = ""
    try:
        for digest in api.hash_iterator():
            fixed, computed = api.get_metrics_from_hash(digest)
            lengths.update(map(int, computed))
            trainings = [_training(epochs, run) for run in computed.get(epochs, ())]
            if trainings:
                text = partial(_api_text, fixed)
                cells.add(str(digest), f"cell {digest}", text, int(fixed["trainable_parameters"]), trainings)
    except AttributeError as error:
        raise DataError(
            f"{path}: a {type(api).__name__} was given; expected an object with hash_iterator() and "
            f"get_metrics_from_hash(), as nasbench.api.NASBench has them ({error})"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}, cell {digest}: its metrics are not those of nasbench.api ({error!r})") from error
    if not len(cells):
        known = ", ".join(map(str, sorted(lengths))) or "none at all"
        raise DataError(f"{path} has no trainings of {epochs} epochs; it has: {known}")
    return cells.rows()


def _training(epochs: int, run: Mapping[str, Any]) -> CellTraining:
    named = ("final_validation_accuracy", "final_test_accuracy", "final_train_accuracy", "final_training_time")
    return CellTraining(epochs, *(float(run[name]) for name in named))


def _api_text(fixed: Mapping[str, Any]) -> str:
    digits = "".join(str(int(entry)) for entry in np.asarray(fixed["module_adjacency"]).ravel())
    return cell_text(digits, list(map(str, fixed["module_operations"])))
