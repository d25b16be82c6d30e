"""Tables taken in by pieces are what they are row by row, with the same messages."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archpredict.errors import DataError
from archpredict.spaces.base import SearchSpace, load_space
from archpredict.tables import check, table
from archpredict.tables.check import problems, survey
from archpredict.tables.columns import Parsed, parsed
from archpredict.tables.formats.base import Piece, Row, in_pieces
from archpredict.tables.isomorphic import graph_classes
from archpredict.tables.table import Table

SPACES = [load_space(name) for name in ("darts", "nasbench101", "mobilenetv3", "nasbench201")]
VALUES: st.SearchStrategy[Any] = st.sampled_from([1, 2.5, -3, "4", "5.5", "", " ", None, "x", "nan", True, [1], "1_0"])


def notations(space: SearchSpace) -> st.SearchStrategy[str]:
    texts = [space.format(row) for row in space.sample(12, np.random.default_rng(0)).tolist()]
    wrong = [texts[0][:-1], texts[1].replace("3", "9"), "nonsense", ""]
    return st.sampled_from([*texts, *texts, *wrong])


@st.composite
def tables(draw: st.DrawFn, proper: bool = False) -> tuple[SearchSpace, list[dict[str, Any]]]:
    """Rows as objects, each with a few of the columns."""
    space = draw(st.sampled_from(SPACES))
    texts = notations(space)
    count = draw(st.integers(1, 12))
    rows: list[dict[str, Any]] = []
    for _ in range(count):
        row: dict[str, Any] = {"architecture": draw(texts)}
        if not rows or proper or draw(st.booleans()):
            row["accuracy"] = draw(VALUES) if not proper else draw(st.floats(-5, 5))
        if draw(st.booleans()):
            row["error"] = draw(st.sampled_from(["", "out of memory"]))
        if rows and draw(st.integers(0, 8)) == 0:
            del row["architecture"]
        rows.append(row)
    return space, rows


def _written(folder: Path, rows: list[dict[str, Any]], end: str = "") -> Path:
    file = folder / "t.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows) + end)
    return file


def _told(file: Path, space: SearchSpace) -> Any:
    try:
        found = survey(file, space, "accuracy")
    except DataError as error:
        return str(error)
    columns = {name: (c.kind, c.missing, c.range, repr(list(c.numbers))) for name, c in found.columns.items()}
    seen = [found.where(i) for i in range(len(found.choices))]
    counts = found.num_rows, found.num_unreadable, found.num_failed, found.num_distinct, found.num_classes
    said = problems(found, "accuracy"), found.unreadable, found.stopped
    return counts, columns, seen, said, found.choices.tolist(), found.keys().tolist(), repr(found.labels("accuracy"))


def _read(file: Path, space: SearchSpace) -> Any:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            made = Table.read(file, space, "accuracy")
        except DataError as error:
            return str(error)
    return made.choices.tolist(), made.labels.tolist(), [str(warning.message) for warning in caught]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@settings(max_examples=25)
@given(tables(), st.sampled_from(["", '{"architecture"\n']))
def test_what_is_said_of_a_table_does_not_depend_on_the_pieces(
    folder: Path, made: tuple[SearchSpace, list[dict[str, Any]]], end: str
) -> None:
    space, rows = made
    file = _written(folder, rows, end)
    told = []
    for size in (1, 3, 100):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(check, "_PIECE", size)
            patch.setattr(table, "_PIECE", size)
            told.append((_told(file, space), _read(file, space)))
    assert told[0] == told[1] == told[2]


@settings(max_examples=25)
@given(tables(proper=True))
def test_a_piece_is_parsed_as_its_rows_are(made: tuple[SearchSpace, list[dict[str, Any]]]) -> None:
    space, values = made
    rows = [Row(f"row {i}", row) for i, row in enumerate(values)]
    choices, wrong = Parsed(Path("t"), "architecture", space)(Piece.of(rows))
    found = [str(wrong[i]) if i in wrong else tuple(row) for i, row in enumerate(choices.tolist())]
    assert found == [_parsed(row, space) for row in rows]


def _parsed(row: Row, space: SearchSpace) -> tuple[int, ...] | str:
    try:
        return parsed(Path("t"), row, "architecture", space)
    except DataError as error:
        return str(error)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_classes_of_rows_are_those_of_the_keys_of_their_graphs(space: SearchSpace) -> None:
    rows = space.sample(100, np.random.default_rng(3))
    rows = np.concatenate([rows, rows[:10]])
    keys = [space.decode(row).key for row in rows.tolist()]
    numbers: dict[str, int] = {}
    assert graph_classes(space, rows).tolist() == [numbers.setdefault(key, len(numbers)) for key in keys]


def test_what_comes_before_an_error_comes_before_it_in_pieces_too() -> None:
    def broken() -> Iterator[int]:
        yield from range(5)
        raise DataError("the end is missing")

    found = in_pieces(broken(), 3)
    assert [next(found), next(found)] == [[0, 1, 2], [3, 4]]
    with pytest.raises(DataError, match="the end is missing"):
        next(found)


def test_columns_beyond_the_limit_are_told_at_their_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "_MAX_COLUMNS", 4)
    space = load_space("nasbench201")
    rows = [{"architecture": space.format([i] * 6), f"c{i}": i} for i in range(5)]
    found = survey(_written(tmp_path, rows), space)
    assert found.num_rows == 3
    assert str(found.stopped).endswith("line 4: there are more than 4 columns")
    assert list(found.columns) == ["c0", "c1", "c2"]
