from pathlib import Path

import numpy as np
import pytest

from archpredict.evaluators.table import TableEvaluator
from archpredict.tables.table import Table
from archpredict.testing.evaluators import EvaluatorContract
from archpredict.testing.toys import ToySpace

SPACE = ToySpace()


def table_of(choices, space=SPACE):
    rows = np.array(choices, dtype=np.int64)
    return Table(space, rows, np.arange(len(rows), dtype=float), Path("some/t.csv"), "accuracy", "arch", "abc")


class Unmasked(ToySpace):
    def mask(self, prefix):
        return np.ones((len(prefix), 3), dtype=bool)


class TestTableEvaluatorContract(EvaluatorContract):
    @pytest.fixture
    def evaluator(self):
        return TableEvaluator(table_of(SPACE.enumerate()[::7]))

    @pytest.fixture
    def architectures(self):
        return SPACE.architectures(SPACE.enumerate()[::50])


def test_it_gives_the_label_of_the_row_or_says_that_there_is_none():
    evaluator = TableEvaluator(table_of([[1, 0, 0, 0, 0, 0], [2, 0, 0, 0, 0, 0]]))
    asked = [SPACE.architecture(c) for c in ([0, 2, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0])]
    isomorphic, exact, missing = evaluator.evaluate(asked)
    assert (isomorphic.score, isomorphic.architecture) == (1.0, asked[0])
    assert exact.score == 0.0
    assert missing.score is None
    assert missing.error == "t.csv has no row for this architecture, nor for one isomorphic to it"


def test_a_part_of_the_space_is_the_pool_and_a_whole_table_has_none():
    rows = SPACE.enumerate()[:5]
    assert np.array_equal(TableEvaluator(table_of(rows)).pool(), rows)
    space = Unmasked()
    assert TableEvaluator(table_of(space.enumerate(), space)).pool() is None
    assert len(TableEvaluator(table_of(space.enumerate()[1:], space)).pool()) == 728


def test_the_description_identifies_the_data():
    assert TableEvaluator(table_of(SPACE.enumerate())).describe() == {
        "evaluator": "table",
        "labels": "the column 'accuracy' of t.csv, which has 702 architectures",
        "file": "t.csv",
        "column": "arch",
        "target": "accuracy",
        "rows": 702,
        "sha256": "abc",
    }
