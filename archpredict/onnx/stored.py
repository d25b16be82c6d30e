"""What was read of ONNX files as plain JSON, and a file that keeps it, so that what has not changed is read once."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from archpredict.errors import RunError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.onnx.reader import OnnxModel

__all__ = ["ReadCache", "model_from_dict", "model_to_dict"]

_APPLICATION = 0x61_72_63_68
"""Marks the file as ours; any other database is left alone."""
_LARGEST = 1 << 30
_PLAIN = ("warnings", "folded", "unknown", "num_nodes", "opset", "producer", "unplaced")
_SHAPES = ("inputs", "outputs", "assumed")


def model_to_dict(model: OnnxModel) -> dict[str, Any]:
    """Plain JSON that :func:`model_from_dict` reads back; the key of the graph is made and kept."""
    plain = {name: getattr(model, name) for name in (*_PLAIN, *_SHAPES)}
    types = {name: np.asarray(values).dtype.str for name, values in model.graph.attrs.items()}
    return {**plain, "graph": model.graph.to_json(), "types": types, "key": model.graph.key}


def model_from_dict(content: Mapping[str, Any], path: Path | None) -> OnnxModel:
    """The model that was stored.

    Args:
        content: What :func:`model_to_dict` made.
        path: The file that it was read from.

    Raises:
        ValueError: It does not hold together.
    """
    try:
        graph = ArchGraph.from_json(content["graph"])
        attrs = {name: np.asarray(values).astype(content["types"][name]) for name, values in graph.attrs.items()}
        graph = replace(graph, attrs=attrs)
        vars(graph)["key"] = str(content["key"])  # it need not be computed again
        shapes = {name: {k: tuple(map(int, v)) for k, v in content[name].items()} for name in _SHAPES}
        plain = {name: content[name] for name in _PLAIN}
        return OnnxModel(path=path, graph=graph, **{**plain, "warnings": tuple(plain["warnings"]), **shapes})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no stored model: {error}") from error


class ReadCache:
    """A file with what was read of other files: SQLite, which several programs may read while one writes.

    What was read is used again where path, size and time of change of a file are the same, as well as the version of
    the package and everything that the reading depends on.

    Args:
        path: The file; made if it is not there.
        depends: What the reading depends on, as JSON has it.

    Raises:
        UsageError: It is another file, or cannot be opened.
    """

    def __init__(self, path: Path, depends: Any) -> None:
        self._path = path
        self._depends = hashlib.sha256(json.dumps([version("archpredict"), depends]).encode()).hexdigest()
        try:
            self._base = sqlite3.connect(path, timeout=60, isolation_level=None)
            self._begin()
        except sqlite3.Error as error:
            raise UsageError(
                f"{path} cannot be used to keep what was read ({error}); give another name, or remove it"
            ) from error

    def _begin(self) -> None:
        (mark,) = self._base.execute("PRAGMA application_id").fetchone()
        (tables,) = self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and mark != _APPLICATION:
            raise UsageError(f"{self._path} is a database of something else; give another name for what was read")
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = NORMAL")
        self._base.execute(f"PRAGMA application_id = {_APPLICATION}")
        self._base.execute(
            "CREATE TABLE IF NOT EXISTS reads (path TEXT PRIMARY KEY, size INTEGER, changed INTEGER, depends TEXT, "
            "content BLOB)"
        )

    def __enter__(self) -> ReadCache:
        return self

    def __exit__(self, *error: object) -> None:
        self._base.close()

    def get(self, path: Path, stamp: tuple[int, int]) -> dict[str, Any] | None:
        """What was kept of a file; None where there is nothing, or it has changed.

        Args:
            path: The file.
            stamp: Its size, and when it was changed (:func:`stamp_of`).
        """
        row = self._base.execute(
            "SELECT content FROM reads WHERE path = ? AND size = ? AND changed = ? AND depends = ?",
            (str(path.resolve()), *stamp, self._depends),
        ).fetchone()
        if row is None:
            return None
        try:
            found = json.loads(zlib.decompressobj().decompress(row[0], _LARGEST))
        except (zlib.error, ValueError, TypeError, RecursionError):  # damaged: it is read again
            return None
        return found if isinstance(found, dict) else None

    def put(self, path: Path, stamp: tuple[int, int], content: Mapping[str, Any]) -> None:
        """Keep what was read of a file; it is there from now on, also if this process is killed.

        Raises:
            RunError: It cannot be written.
        """
        packed = zlib.compress(json.dumps(content).encode(), 1)
        try:
            self._base.execute(
                "INSERT OR REPLACE INTO reads VALUES (?, ?, ?, ?, ?)",
                (str(path.resolve()), *stamp, self._depends, packed),
            )
        except sqlite3.Error as error:
            raise RunError(f"what was read cannot be kept in {self._path}: {error}; free some space") from error


def stamp_of(path: Path) -> tuple[int, int]:
    """Size of a file, and when it was changed in nanoseconds; zeros where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return 0, 0
    return found.st_size, found.st_mtime_ns
