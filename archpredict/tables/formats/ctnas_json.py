"""The table that is published with CTNAS: NAS-Bench-101 as one JSON list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archpredict.errors import DataError
from archpredict.progress import Observer, silent
from archpredict.tables.formats.base import ARCHITECTURE, Format, Row
from archpredict.tables.reading.files import shown
from archpredict.tables.reading.json_stream import elements, first_element

__all__ = ["CtnasJson"]

_CELLS = (("matrix", "ops"), ("module_adjacency", "module_operations"))
"""As CTNAS names the parts of a cell, and as the benchmark's own code does."""


class CtnasJson(Format):
    """JSON list of NAS-Bench-101 cells as published with CTNAS (``nas_bench.json``).

    Chen et al., "Contrastive neural architecture search with neural architecture comparators", 2021,
    arXiv 2103.05471. Each element is an object with ``matrix`` and ``ops``, which become the column
    ``architecture``, and with ``validation_accuracy``, ``test_accuracy``, ``train_accuracy``, ``training_time``,
    ``n_params``, ``hash_`` and ``rank``, which keep their names. ``module_adjacency`` and ``module_operations``, as the
    benchmark's own code calls them, are read too.
    """

    endings = (".json",)
    also = (".txt",)

    def recognises(self, path: Path) -> bool:
        return _cell_names(first_element(path)) is not None

    def rows(self, path: Path, observe: Observer = silent) -> Iterator[Row]:
        for where, value in elements(path):
            names = _cell_names(value)
            if names is None:
                raise DataError(f"{path}, {where}: found {shown(value)}, expected an object with 'matrix' and 'ops'")
            cell = {ARCHITECTURE: {name: value[name] for name in names}}
            yield Row(where, cell | {name: v for name, v in value.items() if name not in (*names, ARCHITECTURE)})


def _cell_names(value: Any) -> tuple[str, str] | None:
    """What the parts of an element's cell are called; None where it has none."""
    if not isinstance(value, dict):
        return None
    return next((names for names in _CELLS if all(name in value for name in names)), None)
