from pathlib import Path

import numpy as np
import pytest

from archpredict.errors import UsageError
from archpredict.evaluators._convert import as_evaluator
from archpredict.evaluators.function import FunctionEvaluator
from archpredict.evaluators.table import TableEvaluator
from archpredict.tables.table import Table
from archpredict.testing.toys import ToyEvaluator, ToySpace

SPACE = ToySpace()
TABLE = Table(SPACE, SPACE.enumerate(), np.arange(702.0), Path("some/t.csv"), "accuracy", "architecture", "abc")


class OtherSpace(ToySpace):
    name = "other"


def test_it_takes_evaluators_tables_and_functions():
    evaluator = ToyEvaluator()
    assert as_evaluator(evaluator, SPACE) is evaluator
    assert isinstance(as_evaluator(TABLE, SPACE), TableEvaluator)
    made = as_evaluator(sum, SPACE, jobs=2)
    assert isinstance(made, FunctionEvaluator)
    assert made.jobs == 2


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (ToyEvaluator, "the class ToyEvaluator"),
        (3, "an object of type int"),
        ("table", "an object of type str"),
    ],
)
def test_it_refuses_everything_else(given, what):
    with pytest.raises(UsageError, match=f"{what} was given as the evaluator; expected an Evaluator instance"):
        as_evaluator(given, SPACE)


def test_it_refuses_a_table_of_another_space():
    with pytest.raises(UsageError, match="is of the space toy, the search is in other"):
        as_evaluator(TABLE, OtherSpace())
