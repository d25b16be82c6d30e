"""Pieces of tables hold what rows hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archpredict.tables.formats.base import Piece, format_of, format_to_write, write_pieces

COLUMNS = {"name": "text", "n": "integer", "x": "number", "any": "value"}
ROWS: list[dict[str, Any]] = [
    {"name": f'a "{i}",\n;', "n": i, "x": i / 7 if i % 4 else None, "any": [i, None] if i % 3 else "t"}
    for i in range(23)
]


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "parquet"])
@pytest.mark.parametrize("size", [1, 5, 23, 100])
def test_pieces_are_the_rows_with_their_places(tmp_path: Path, ending: str, size: int) -> None:
    path = tmp_path / f"t.{ending}"
    format_to_write(path).write(path, COLUMNS, ROWS)  # type: ignore[arg-type]
    form = format_of(path)[1]
    pieces = list(form.pieces(path, size))
    found = [piece.row(i) for piece in pieces for i in range(piece.size)]
    assert found == list(form.rows(path))
    assert max(piece.size for piece in pieces) <= size
    assert form.count(path) in (None, len(ROWS))


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_writing_pieces_writes_what_writing_rows_does(tmp_path: Path, ending: str) -> None:
    whole, parts = tmp_path / f"whole.{ending}", tmp_path / f"parts.{ending}"
    format_to_write(whole).write(whole, COLUMNS, ROWS)  # type: ignore[arg-type]
    columns = {name: [row[name] for row in ROWS] for name in COLUMNS}
    pieces = [
        Piece({name: values[at : at + 6] for name, values in columns.items()}, str, len(ROWS[at : at + 6]))
        for at in range(0, len(ROWS), 6)
    ]
    write_pieces(parts, COLUMNS, pieces)  # type: ignore[arg-type]
    assert list(format_of(parts)[1].rows(parts)) == list(format_of(whole)[1].rows(whole))
