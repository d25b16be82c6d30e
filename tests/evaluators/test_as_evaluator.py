from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict.errors import UsageError
from archpredict.evaluators.base import as_evaluator, evaluator_options
from archpredict.evaluators.function import FunctionEvaluator
from archpredict.evaluators.table import TableEvaluator
from archpredict.registry import names
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
    ],
)
def test_it_refuses_everything_else(given, what):
    with pytest.raises(
        UsageError, match=f"{what} was given as the evaluator; expected an Evaluator instance, the name of one"
    ):
        as_evaluator(given, SPACE)


def test_it_refuses_a_table_of_another_space():
    with pytest.raises(UsageError, match="is of the space toy, the search is in other"):
        as_evaluator(TABLE, OtherSpace())


def test_a_name_with_options_is_an_evaluator_and_common_ones_go_where_they_belong():
    made = as_evaluator("command", SPACE, options={"command": "echo 1", "retries": 2}, seed=5, jobs=3)
    assert (made.name, made.command, made.retries, made.jobs) == ("command", "echo 1", 2, 3)
    assert as_evaluator("command:echo 2", SPACE).command == "echo 2"


def test_a_class_of_the_users_own_takes_its_constructors_arguments(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from archpredict.testing.toys import ToyEvaluator\n"
        "class Mine(ToyEvaluator):\n"
        "    name = 'mine'\n"
        "    def __init__(self, bonus: float, seed: int = 0):\n"
        "        super().__init__()\n"
        "        self.bonus, self.seed = bonus, seed\n"
        "def made(constant: float = 0.5):\n"
        "    return ToyEvaluator(constant=constant)\n"
    )
    made = as_evaluator(f"{file}:Mine", SPACE, options={"bonus": 2.0}, seed=4, jobs=2)
    assert (made.bonus, made.seed) == (2.0, 4)
    assert as_evaluator(f"{file}:made", SPACE, options={"constant": 3.0}).constant == 3.0
    assert [str(option) for option in evaluator_options(f"{file}:made").values()] == ["constant=0.5"]
    with pytest.raises(UsageError, match="the evaluator mine needs `bonus`; give it"):
        as_evaluator(f"{file}:Mine", SPACE)
    with pytest.raises(UsageError, match="the evaluator mine has no option 'bonsu'; its options are: bonus, seed"):
        as_evaluator(f"{file}:Mine", SPACE, options={"bonsu": 2.0})


def test_options_without_a_name_and_a_function_by_name_are_refused():
    with pytest.raises(UsageError, match="are for an evaluator that is given by name, jobs were given with an object"):
        as_evaluator(ToyEvaluator(), SPACE, options={"jobs": 2})
    with pytest.raises(UsageError, match="the evaluator function has no other name than the function itself"):
        as_evaluator("function", SPACE)
    with pytest.raises(UsageError, match="the evaluator function takes nothing after a colon, 'len' was given"):
        as_evaluator("function:len", SPACE)


@pytest.mark.parametrize("name", names("evaluators"))
def test_every_option_is_documented_and_has_a_type(name):
    for option in evaluator_options(name).values():
        assert option.description, option.name
        assert option.type is not Any, option.name
