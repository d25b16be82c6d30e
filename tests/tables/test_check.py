from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpredict.errors import DataError
from archpredict.spaces.base import load_space
from archpredict.tables.check import problems, survey
from archpredict.tables.isomorphic import Duplicates, duplicates
from archpredict.tables.table import Table
from archpredict.testing.toys import ToySpace

SPACE = ToySpace()
A, ALIKE, B, C = ("[1,0,0,0,0,0]", "[0,1,0,0,0,0]", "[2,2,0,0,0,0]", "[2,1,0,0,0,0]")


@pytest.fixture
def write(tmp_path):
    def _write(*rows, name="t.csv", header="architecture,accuracy,note"):
        file = tmp_path / name
        file.write_text("\n".join([header, *(f'"{architecture}",{rest}' for architecture, rest in rows)]) + "\n")
        return file

    return _write


def found(file, target="accuracy"):
    return {problem.name: problem for problem in problems(survey(file, SPACE, target), target)}


# ---------------------------------------------------------------------- duplicates


def test_no_two_rows_of_a_class_means_no_duplicates():
    assert duplicates(["a", "b"]) == Duplicates(0, 0, 0, 0.0, 0.0, ())
    assert duplicates([]) == Duplicates(0, 0, 0, 0.0, 0.0, ())


def test_spreads_by_hand():
    classes = ["a", "b", "a", "c", "b", "a", "d", "d"]
    labels = np.array([1.0, 5.0, 4.0, 9.0, 5.0, 2.0, 0.5, 1.0])
    assert duplicates(classes, labels) == Duplicates(3, 7, 2, pytest.approx(3.5 / 3), 3.0, (0, 2, 5))


def test_labels_that_are_missing_do_not_count():
    assert duplicates(["a", "a", "a"], np.array([np.nan, 1.0, 2.0])).largest_spread == 1.0
    assert duplicates(["a", "a"], np.array([np.nan, 1.0])).num_conflicts == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(-10, 10)), min_size=1, max_size=30))
def test_duplicates_agree_with_a_dictionary_of_lists(rows):
    groups = {}
    for name, label in rows:
        groups.setdefault(name, []).append(label)
    spreads = [max(labels) - min(labels) for labels in groups.values() if len(labels) > 1]
    result = duplicates([name for name, _ in rows], np.array([label for _, label in rows]))
    assert result.num_classes == len(spreads)
    assert result.num_rows == sum(len(labels) for labels in groups.values() if len(labels) > 1)
    assert result.num_conflicts == sum(spread > 0 for spread in spreads)
    assert result.largest_spread == max(spreads, default=0.0)
    assert result.mean_spread == pytest.approx(sum(spreads) / max(len(spreads), 1))


def test_a_table_tells_its_isomorphic_rows(write):
    table = Table.read(write((A, "1,"), (ALIKE, "4,"), (B, "2,")), SPACE, "accuracy")
    assert table.duplicates() == Duplicates(1, 2, 1, 3.0, 3.0, (0, 1))


# ---------------------------------------------------------------------- what a table holds


def test_columns_with_what_they_hold(write):
    seen = survey(write((A, "1,x"), (B, "2.5,"), (C, ",y")), SPACE)
    assert (seen.num_rows, seen.column, seen.format) == (3, "architecture", "csv")
    accuracy, note = seen.columns["accuracy"], seen.columns["note"]
    assert (accuracy.kind, accuracy.missing, accuracy.range) == ("number", 1, (1.0, 2.5))
    assert (note.kind, note.missing, note.range) == ("text", 1, None)


def test_columns_that_some_objects_lack_are_missing_there(tmp_path):
    file = tmp_path / "t.jsonl"
    file.write_text(f'{{"architecture": {A}}}\n{{"architecture": {B}, "late": 3}}\n{{"architecture": {C}}}\n')
    late = survey(file, SPACE).columns["late"]
    assert (late.kind, late.missing, late.range) == ("integer", 2, (3.0, 3.0))


def test_rows_are_aligned_with_labels_although_some_cannot_be_read(write):
    seen = survey(write((A, "1,"), ("[9]", "2,"), (B, "3,")), SPACE)
    assert seen.labels("accuracy").tolist() == [1, 3]
    assert [seen.where(i) for i in range(2)] == ["line 2", "line 4"]


# ---------------------------------------------------------------------- what is wrong with it


def test_a_clean_table_has_no_problems(write):
    file = write((A, "1,x"), (B, "2,"), (C, "2,"))
    assert found(file) == {}
    assert found(file, None) == {}


def test_rows_that_do_not_parse_are_counted_and_the_first_are_shown(write):
    rows = [(A, "1,"), (B, "2,"), *[("[9]", "3,")] * 5]
    (problem,) = found(write(*rows)).values()
    assert (problem.name, problem.count) == ("unreadable-architectures", 5)
    assert problem.message.startswith("5 of 7 rows hold no architecture of the space toy: line 4, column 'archite")
    assert problem.message.endswith("; and 2 more")
    assert "line 6" in problem.message
    assert "line 7" not in problem.message


def test_labels_that_are_no_finite_numbers_are_named(write):
    rows = [(A, "1,"), (B, "nan,"), (C, "inf,"), ("[1,1,0,0,0,0]", ",")]
    (problem,) = found(write(*rows)).values()
    assert problem.name == "labels-not-finite"
    assert problem.message == (
        "3 labels in 'accuracy' are no finite numbers: line 3 (missing or not a number), line 4 (inf), "
        "line 5 (missing or not a number)"
    )


def test_repeated_architectures_with_different_labels_are_told_from_isomorphic_ones(write):
    problems_found = found(write((A, "1,"), (A, "3,"), (B, "2,")))
    assert set(problems_found) == {"repeated-with-different-labels"}
    assert "by 2 in the mean and 2 at most (line 2, line 3)" in problems_found["repeated-with-different-labels"].message
    problems_found = found(write((A, "1,"), (ALIKE, "4,"), (B, "2,")))
    assert set(problems_found) == {"isomorphic-with-different-labels"}
    assert problems_found["isomorphic-with-different-labels"].message == (
        "rows with isomorphic architectures differ in 'accuracy' in 1 of 1 classes, "
        "by 3 in the mean and 3 at most (line 2, line 3)"
    )
    assert found(write((A, "1,"), (ALIKE, "1,"), (B, "2,"))) == {}


def test_equal_labels_and_too_few_architectures(write):
    assert set(found(write((A, "1,"), (B, "1,")))) == {"labels-all-equal"}
    assert set(found(write((A, "1,"), (A, "1,")))) == {"too-few", "labels-all-equal"}
    assert set(found(write((A, "1,")), None)) == {"too-few"}


def test_a_file_that_breaks_off_is_a_problem_with_what_was_read_before(write):
    file = write((A, "1,"), (B, "2,"))
    file.write_text(file.read_text() + "x,1\n")
    problems_found = found(file)
    assert set(problems_found) == {"broken-file"}
    assert "reading stopped after 2 rows: " in problems_found["broken-file"].message
    assert "line 4: found 2 fields, expected 3" in problems_found["broken-file"].message


def test_what_cannot_be_begun_is_an_error(write, tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        survey(tmp_path / "none.csv", SPACE)
    with pytest.raises(DataError, match="has no rows"):
        survey(write(), SPACE)
    with pytest.raises(DataError, match="has no column 'acc'; its columns of numbers are: accuracy"):
        survey(write((A, "1,")), SPACE, "acc")


def test_an_object_with_a_new_key_in_each_row_is_stopped(tmp_path):
    file = tmp_path / "t.jsonl"
    file.write_text("".join(f'{{"architecture": {A}, "k{i}": 1}}\n' for i in range(1_100)))
    seen = survey(file, SPACE)
    assert seen.stopped is not None
    assert "there are more than 1,000 columns" in seen.stopped


def test_a_file_with_too_many_columns_is_refused_in_a_sentence(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text(
        ",".join(["architecture", *(f"k{i}" for i in range(5_000))]) + "\n" + f'"{A}"' + ",1" * 5_000 + "\n"
    )
    with pytest.raises(DataError, match="has 5,001 columns, more than 1,000, the most that can be looked at") as caught:
        survey(file, SPACE)
    assert len(str(caught.value)) < 300


def test_the_isomorphism_classes_of_nasbench201(data_folder):
    seen = survey(data_folder / "nasbench201" / "nasbench201.csv.gz", load_space("nasbench201"))
    assert len(set(seen.tokens)) == 15_625
    assert len(set(seen.keys())) == 8_765
    assert seen.isomorphic("index").num_rows == 15_625 - (8_765 - seen.isomorphic().num_classes)
