"""JSON dictionaries from architectures to what is known of them, as zero-cost benchmarks are published."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archpredict.errors import DataError
from archpredict.progress import Observer, silent
from archpredict.tables.columns import is_name_of_architectures
from archpredict.tables.formats.base import ARCHITECTURE, Format, Row
from archpredict.tables.reading.files import shown
from archpredict.tables.reading.json_stream import keyed_elements
from archpredict.tables.reading.naslib import arch_string

__all__ = ["KeyedJson"]

_NAME = re.compile(r"[A-Za-z_][\w .-]*")
_SCORE = "score"
_VALUE = "value"
_CELL = ("matrix", "module_adjacency")
_MAX_GROUPED = 500_000


class KeyedJson(Format):
    """JSON dictionary by architecture, or by task and then architecture, as NAS-Bench-Suite-Zero is.

    Krishnakumar, White, Zela, Tu, Safari and Hutter, "NAS-Bench-Suite-Zero: accelerating research on zero cost
    proxies", 2022, arXiv 2210.03230. A key is the column ``architecture``; what it stands for is the other columns.
    An object with a ``score`` is the column of its name, and the rest of it columns such as ``synflow.time``; a bare
    number is the column ``value``. Of several tasks, an architecture is one row, with columns such as
    ``cifar10.val_accuracy``. Where there are such scores, six digits are a cell of NAS-Bench-201 as NASLib numbers
    operators and edges.
    """

    endings = (".json",)
    also = (".txt",)

    def recognises(self, path: Path) -> bool:
        try:
            first = next(keyed_elements(path, _is_group), None)
        except DataError:
            return False
        if first is None:
            return False
        _, key, value = first
        if _NAME.fullmatch(key):
            return False
        if isinstance(value, dict):
            return bool(value) and not any(is_name_of_architectures(name) or name in _CELL for name in value)
        return type(value) in (int, float)

    def rows(self, path: Path, observe: Observer = silent) -> Iterator[Row]:
        elements = keyed_elements(path, _is_group)
        scored: bool | None = None
        grouped: dict[str, dict[str, dict[str, Any]]] = {}
        count = 0
        for group, key, value in elements:
            if not isinstance(value, dict | int | float) or isinstance(value, bool) or (group is None and grouped):
                raise DataError(
                    f"{path}, element {shown(key)}: found {shown(value)}, expected an object or a number for each "
                    "architecture"
                )
            if scored is None:
                scored = _has_scores(value)
            architecture = (arch_string(key) or key) if scored else key
            if group is None:
                yield Row(f"element {shown(key)}", {ARCHITECTURE: architecture, **_columns(value)})
                continue
            count += 1
            if count > _MAX_GROUPED:
                raise DataError(f"{path} has more than {_MAX_GROUPED:,} elements by task, the most that are read")
            grouped.setdefault(architecture, {})[group] = _columns(value)
        yield from _joined(grouped)


def _is_group(key: str, first: str) -> bool:
    """Whether a key is the name of a task: a name, below which are keys that are none."""
    return _NAME.fullmatch(key) is not None and _NAME.fullmatch(first) is None


def _has_scores(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(item, dict) and _SCORE in item for item in value.values())


def _columns(value: Any) -> dict[str, Any]:
    """What is known of an architecture, by column."""
    if not isinstance(value, dict):
        return {_VALUE: value}
    found: dict[str, Any] = {}
    for name, item in value.items():
        if name == ARCHITECTURE:
            continue
        if not isinstance(item, dict):
            found[name] = item
            continue
        for part, inner in item.items():
            found[name if part == _SCORE else f"{name}.{part}"] = inner
    return found


def _joined(grouped: dict[str, dict[str, dict[str, Any]]]) -> Iterator[Row]:
    """One row for each architecture, with the columns of all its tasks; their names are left out if there is one."""
    tasks = {task for by_task in grouped.values() for task in by_task}

    def named(task: str, name: str) -> str:
        return name if len(tasks) == 1 else f"{task}.{name}"

    names = {
        named(task, name): None for by_task in grouped.values() for task, columns in by_task.items() for name in columns
    }
    for architecture, by_task in grouped.items():
        values = {named(task, name): v for task, columns in by_task.items() for name, v in columns.items()}
        yield Row(f"element {shown(architecture)}", {ARCHITECTURE: architecture, **names, **values})
