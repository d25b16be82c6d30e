"""The official files of NAS-Bench-101, read without TensorFlow."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archpredict.errors import DataError
from archpredict.progress import Event, Observer, silent
from archpredict.tables.formats.base import Format, Row
from archpredict.tables.reading.files import shown
from archpredict.tables.reading.nasbench101 import Cells, CellTraining, cell_text
from archpredict.tables.reading.protobuf import model_metrics
from archpredict.tables.reading.tfrecord import records

__all__ = ["NASBench101TFRecord"]

_OBSERVE_EVERY = 10_000
_TYPES = (str, int, str, str, str)


class NASBench101TFRecord(Format):
    """TFRecord of NAS-Bench-101 (``nasbench_only108.tfrecord``, ``nasbench_full.tfrecord``).

    Ying et al., "NAS-Bench-101: towards reproducible neural architecture search", 2019, arXiv 1902.09635. Each record
    is one training of one cell; a row is a cell, in the order of first appearance. Accuracies are fractions, times
    seconds, means over the trainings (three in the official files). Columns: ``architecture``, ``hash``, ``params``;
    ``valid_accuracy``, ``test_accuracy``, ``train_accuracy``, ``training_time`` at the end of the longest training
    (108 epochs); ``valid_accuracy_run1`` to ``_run3`` and ``test_accuracy_run1`` to ``_run3``, the single trainings;
    and, where the file has several lengths of training, each of the four means for each length, ``valid_accuracy_4``
    to ``valid_accuracy_108``.
    """

    endings = (".tfrecord",)

    def rows(self, path: Path, observe: Observer = silent) -> Iterator[Row]:
        cells = Cells()
        for number, data in enumerate(records(path), start=1):
            try:
                _add(cells, f"record {number}", data)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path}, record {number}: {error}") from error
            if number % _OBSERVE_EVERY == 0:
                observe(Event("rows read", number))
        yield from cells.rows()


def _add(cells: Cells, where: str, data: bytes) -> None:
    row = _decoded(data)
    digest, epochs, adjacency, operations, metrics = row
    evaluations, params = model_metrics(base64.b64decode(metrics))
    if not evaluations:
        raise ValueError("its metrics have no evaluation")
    end = max(evaluations, key=lambda evaluation: evaluation.epoch)
    training = CellTraining(epochs, end.valid_accuracy, end.test_accuracy, end.train_accuracy, end.training_time)
    cells.add(digest, where, lambda: cell_text(adjacency, operations.split(",")), params, [training])


def _decoded(data: bytes) -> Any:
    try:
        row = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"found {shown(data)}, expected a JSON list") from error
    if not isinstance(row, list) or tuple(map(type, row)) != _TYPES or not 0 < row[1] < 1_000_000:
        raise ValueError(f"found {shown(row)}, expected [hash, epochs, matrix, operators, metrics] of NAS-Bench-101")
    return row
