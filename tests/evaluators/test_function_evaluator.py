import functools
import math
import re
import threading

import numpy as np
import pytest
import torch

from archpredict.errors import UsageError
from archpredict.evaluators.function import FunctionEvaluator
from archpredict.testing.evaluators import EvaluatorContract
from archpredict.testing.toys import ToySpace

SPACE = ToySpace()
ARCHITECTURES = SPACE.architectures(SPACE.enumerate()[::50])


def total(architecture):
    if architecture.choices[0] == 2:
        raise ValueError("no twos")
    return sum(architecture.choices)


@pytest.mark.parametrize("jobs", [1, 3])
class TestFunctionEvaluatorContract(EvaluatorContract):
    @pytest.fixture
    def evaluator(self, jobs):
        return FunctionEvaluator(total, jobs=jobs)

    @pytest.fixture
    def architectures(self):
        return ARCHITECTURES


def outcome(value):
    def function(architecture):
        if isinstance(value, BaseException):
            raise value
        return value

    (result,) = FunctionEvaluator(function).evaluate(ARCHITECTURES[:1])
    return result


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int64(2), torch.tensor(2.0), np.array(2.0)])
def test_any_kind_of_number_is_a_score(value):
    result = outcome(value)
    assert result.score == 2.0
    assert type(result.score) is float


def test_what_a_mapping_holds_beside_the_score_is_metadata():
    result = outcome(
        {
            "score": 1,
            "epochs": 3,
            "loss": math.nan,
            "n": np.int64(4),
            "where": pytest,
            5: [1e999],
            "t": torch.ones(2),
        }
    )
    assert result.score == 1.0
    assert result.metadata["epochs"] == 3
    assert result.metadata["loss"] == "NaN"
    assert result.metadata["n"] == 4.0
    assert "module" in result.metadata["where"]
    assert result.metadata["5"] == ["Infinity"]
    assert "tensor" in result.metadata["t"]


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (ValueError("bad\nluck"), "the function raised ValueError: bad luck"),
        (RuntimeError("x" * 999), "the function raised RuntimeError: xxx"),
        (math.nan, "the function gave a value that is not finite: nan"),
        (-math.inf, "the function gave a value that is not finite: -inf"),
        (10**400, "the function gave a value that is not finite"),
        (None, "the function gave a value that is no number: None"),
        (True, "the function gave a value that is no number: True"),
        ("93.1", "the function gave a value that is no number: '93.1'"),
        ([1], r"the function gave a value that is no number: \[1\]"),
        (torch.ones(2), r"the function gave a value that is no number: tensor"),
        ({}, "the function gave no 'score' but only: nothing"),
        ({"acc": 1}, "the function gave no 'score' but only: acc"),
        ({"score": "high"}, "the function gave a 'score' that is no number: 'high'"),
        ({"score": math.inf}, "the function gave a 'score' that is not finite: inf"),
    ],
)
def test_what_is_no_score_is_a_failed_result_that_says_why(value, error):
    result = outcome(value)
    assert result.score is None
    assert result.error is not None
    assert len(result.error) < 300
    assert re.match(error, result.error)


def test_ctrl_c_is_not_a_failed_result():
    with pytest.raises(KeyboardInterrupt):
        outcome(KeyboardInterrupt())


def test_jobs_run_at_the_same_time_and_each_result_comes_when_it_is_there():
    meet, last = threading.Barrier(2, timeout=30), threading.Event()

    def function(architecture):
        meet.wait()  # breaks where the two do not run together
        if architecture is ARCHITECTURES[0]:
            assert last.wait(30)
        return 1.0

    results = FunctionEvaluator(function, jobs=2).evaluate(ARCHITECTURES[:2])
    assert next(results).architecture is ARCHITECTURES[1]
    last.set()
    assert next(results).architecture is ARCHITECTURES[0]


def test_nothing_is_started_before_the_results_before_it_are_taken():
    started = []
    results = FunctionEvaluator(lambda a: started.append(a) or 1.0, jobs=2).evaluate(ARCHITECTURES)
    next(results)
    assert len(started) <= 2
    results.close()
    assert len(started) <= 2


def test_the_description_names_the_function_and_nothing_that_changes():
    assert FunctionEvaluator(total).describe()["function"]["function"] == f"{__name__}.total"
    assert FunctionEvaluator(functools.partial(total)).describe()["function"]["class"] == "functools.partial"


def test_jobs_below_one_are_refused():
    with pytest.raises(UsageError, match="at least 1; 0 was given"):
        FunctionEvaluator(total, jobs=0)
