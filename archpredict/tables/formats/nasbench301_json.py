"""The training results that NAS-Bench-301 publishes: one JSON file each, or a list, or a folder of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from archpredict.errors import DataError
from archpredict.progress import Observer, silent
from archpredict.tables.formats.base import ARCHITECTURE, Format, Row
from archpredict.tables.reading.files import files_below, is_folder, shown
from archpredict.tables.reading.json_stream import elements, first_element, small_object

__all__ = ["NASBench301Json"]

_CONFIGURATION = "optimized_hyperparamater_config"  # so spelt in the published files
_PREFIX = "NetworkSelectorDatasetInfo:darts:"
_FIRST_EDGE = {2: 0, 3: 2, 4: 5, 5: 9}
"""Edges of a cell are numbered node by node, for each node its earlier nodes in turn."""

_INPUTS = re.compile(r"([0-4])_([0-4])")
_SETTINGS = {
    "layers": f"{_PREFIX}layers",
    "init_channels": f"{_PREFIX}init_channels",
    "learning_rate": "OptimizerSelector:sgd:learning_rate",
    "weight_decay": "OptimizerSelector:sgd:weight_decay",
}
_INFO = {"val_accuracy": "val_accuracy", "train_accuracy": "train_accuracy", "params": "model_parameters"}


class NASBench301Json(Format):
    """JSON results of NAS-Bench-301: one file, a list of results, or a folder of files.

    Zela, Siems, Zimmer, Lukasik, Keuper and Hutter, "Surrogate NAS benchmarks: going beyond the limited search
    spaces of tabular NAS benchmarks", 2022, arXiv 2008.09777. A result has the configuration of a DARTS network and
    what training gave. Columns: ``architecture`` (a genotype), ``val_accuracy`` and ``train_accuracy`` (in percent, of
    the first entry of ``info``, which the publication uses), ``test_accuracy``, ``runtime`` (seconds), ``budget``
    (epochs), ``params``, ``layers``, ``init_channels``, ``learning_rate``, ``weight_decay``; those that a result lacks
    are missing. A bare configuration, without a result, is a row without labels.
    """

    endings = (".json",)
    folders = True

    def recognises(self, path: Path) -> bool:
        if is_folder(path):
            files = files_below(path, ".json")
            return bool(files) and self.recognises(files[0])
        whole = small_object(path)
        return (whole is not None and _is_result(whole)) or _is_result(first_element(path))

    def rows(self, path: Path, observe: Observer = silent) -> Iterator[Row]:
        if is_folder(path):
            for file in files_below(path, ".json"):
                name = file.relative_to(path).as_posix()
                for row in self._of_file(file):
                    yield Row(f"file {name}", row.values)
        else:
            yield from self._of_file(path)

    def _of_file(self, path: Path) -> Iterator[Row]:
        whole = small_object(path)
        results = iter([("element 1", whole)]) if whole is not None and _is_result(whole) else elements(path)
        for where, value in results:
            if not _is_result(value):
                raise DataError(f"{path}, {where}: found {shown(value)}, expected a result of NAS-Bench-301")
            try:
                yield Row(where, _values(value))
            except ValueError as error:
                raise DataError(f"{path}, {where}: {error}") from error


def _is_result(value: Any) -> bool:
    return isinstance(value, dict) and (
        isinstance(value.get(_CONFIGURATION), dict) or any(key.startswith(f"{_PREFIX}edge_") for key in value)
    )


def _values(result: dict[str, Any]) -> dict[str, Any]:
    configuration = result.get(_CONFIGURATION, result)
    info = result.get("info")
    entry = info[0] if isinstance(info, list) and info and isinstance(info[0], dict) else {}
    values = {ARCHITECTURE: genotype(configuration)}
    values |= {name: entry[key] for name, key in _INFO.items() if key in entry}
    values |= {name: result[name] for name in ("test_accuracy", "runtime", "budget") if name in result}
    return values | {name: configuration[key] for name, key in _SETTINGS.items() if key in configuration}


def genotype(configuration: Mapping[str, Any]) -> str:
    """The genotype that a configuration of NAS-Bench-301 describes.

    Raises:
        ValueError: An edge or the inputs of a node are missing or malformed.

    Example:
        >>> cell = {f"inputs_node_{{}}_{node}": "0_1" for node in (3, 4, 5)}
        >>> cell |= {f"edge_{{}}_{edge}": "skip_connect" for edge in (0, 1, 2, 3, 5, 6, 9, 10)}
        >>> both = {_PREFIX + k.format(name): v for name in ("normal", "reduce") for k, v in cell.items()}
        >>> genotype(both)[:60]
        "Genotype(normal=[('skip_connect', 0), ('skip_connect', 1), ("
    """
    parts = []
    for cell in ("normal", "reduce"):
        pairs = [pair for node in _FIRST_EDGE for pair in _pairs(configuration, cell, node)]
        parts.append(f"{cell}={pairs}, {cell}_concat=[2, 3, 4, 5]")
    return f"Genotype({', '.join(parts)})"


def _pairs(configuration: Mapping[str, Any], cell: str, node: int) -> list[tuple[str, int]]:
    key = f"{_PREFIX}inputs_node_{cell}_{node}"
    inputs = "0_1" if node == 2 else configuration.get(key)
    match = _INPUTS.fullmatch(inputs) if isinstance(inputs, str) else None
    if match is None:
        raise ValueError(f"{key!r} is {shown(inputs)}, expected two earlier nodes, e.g. '0_2'")
    pairs = []
    for source in map(int, match.groups()):
        key = f"{_PREFIX}edge_{cell}_{_FIRST_EDGE[node] + source}"
        operator = configuration.get(key)
        if not isinstance(operator, str):
            raise ValueError(f"{key!r} is {shown(operator)}, expected the operator of an edge that node {node} reads")
        pairs.append((operator, source))
    return pairs
