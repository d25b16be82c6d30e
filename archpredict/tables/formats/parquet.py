"""Apache Parquet files, where pyarrow is installed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from archpredict.errors import DataError, MissingDependencyError, UsageError
from archpredict.progress import Observer, silent
from archpredict.tables.formats.base import ABSENT, Format, Kind, Piece, Row
from archpredict.tables.reading.files import MAX_BYTES, MAX_LINES, open_bytes

__all__ = ["Parquet"]

_BATCH = 4096
_MAX_GROUP = 1_000_000_000


class Parquet(Format):
    """Apache Parquet (needs the extra ``parquet``)."""

    endings = (".parquet", ".pq")
    writable = True

    def rows(self, path: Path, observe: Observer = silent) -> Iterator[Row]:
        row = 0
        with _opened(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for values in batch.to_pylist():
                    row += 1
                    yield Row(f"row {row}", values)

    def pieces(self, path: Path, size: int, observe: Observer = silent) -> Iterator[Piece]:
        with _opened(path) as file:
            rows = 0
            for batch in file.iter_batches(batch_size=size):
                columns = {name: values.to_pylist() for name, values in zip(batch.schema.names, batch, strict=True)}
                yield Piece(columns, lambda i, rows=rows: f"row {rows + i + 1}", len(batch))  # type: ignore[misc]
                rows += len(batch)

    def count(self, path: Path) -> int:
        with _opened(path) as file:
            return int(file.metadata.num_rows)

    def kinds(self, path: Path) -> Mapping[str, Kind]:
        pyarrow, _ = _pyarrow()
        with _opened(path) as file:
            return {field.name: _kind(pyarrow.types, field.type) for field in file.schema_arrow}

    def write(self, path: Path, columns: Mapping[str, Kind], rows: Iterable[Mapping[str, Any]]) -> None:
        pyarrow, parquet = _pyarrow()
        if path.name.lower().endswith(".gz"):
            raise UsageError(f"a Parquet file is compressed already; leave .gz out of the name {path.name}")
        schema = _schema(pyarrow, columns)
        rest = iter(rows)
        with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            while batch := list(islice(rest, _BATCH * 16)):
                arrays = [
                    pyarrow.array([_cell(row.get(name), kind) for row in batch], schema.field(name).type)
                    for name, kind in columns.items()
                ]
                writer.write_batch(pyarrow.record_batch(arrays, schema=schema))

    def write_pieces(self, path: Path, columns: Mapping[str, Kind], pieces: Iterable[Piece]) -> None:
        pyarrow, parquet = _pyarrow()
        schema = _schema(pyarrow, columns)
        with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            for piece in pieces:
                arrays = [
                    pyarrow.array(_column(piece, name, kind), schema.field(name).type) for name, kind in columns.items()
                ]
                writer.write_batch(pyarrow.record_batch(arrays, schema=schema))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file, with what is wrong in it said in a sentence."""
    pyarrow, parquet = _pyarrow()
    with open_bytes(path) as stream:
        try:
            file = parquet.ParquetFile(stream, pre_buffer=False)  # else it keeps all that was read
            _check_size(path, file.metadata)
            yield file
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            why = " ".join(str(error).split())[:200]
            raise DataError(f"{path} is no Parquet file that can be read ({why}); make it again") from error


def _schema(pyarrow: Any, columns: Mapping[str, Kind]) -> Any:
    types = {"integer": pyarrow.int64(), "number": pyarrow.float64()}
    return pyarrow.schema([(name, types.get(kind, pyarrow.string())) for name, kind in columns.items()])


def _kind(types: Any, of: Any) -> Kind:
    if types.is_dictionary(of):
        return _kind(types, of.value_type)
    if types.is_string(of) or types.is_large_string(of):
        return "text"
    if types.is_floating(of):
        return "number"
    return "integer" if types.is_integer(of) and not types.is_uint64(of) else "value"


def _column(piece: Piece, name: str, kind: Kind) -> Sequence[Any]:
    """A column of a piece as its type has it."""
    values = piece.columns.get(name)
    if values is None:
        return [None] * piece.size
    if kind == "value" or any(value is ABSENT for value in values):
        return [None if value is ABSENT else _cell(value, kind) for value in values]
    return values


def _cell(value: Any, kind: Kind) -> Any:
    """A value as its column's type has it; what is no text, in a column of mixed values, as JSON."""
    return value if value is None or kind != "value" or isinstance(value, str) else json.dumps(value)


def _check_size(path: Path, metadata: Any) -> None:
    groups = [metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)]
    if metadata.num_rows > MAX_LINES:
        raise DataError(f"{path} has more than {MAX_LINES:,} rows, the most that is read")
    if sum(groups) > MAX_BYTES or max(groups, default=0) > _MAX_GROUP:
        raise DataError(
            f"{path} holds more than {MAX_BYTES:,} bytes (decompressed), or more than {_MAX_GROUP:,} in one row group, "
            "the most that is read; split it"
        )


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingDependencyError(
            "Parquet files need the package pyarrow, which is not installed; pip install 'archpredict[parquet]', "
            "or use CSV"
        ) from error
    return pyarrow, pyarrow.parquet
