"""Parameters of other tools as a search space."""

from __future__ import annotations

import pytest

from archpredict.errors import InvalidArchitectureError, UsageError
from archpredict.integrations.parameters import ParameterSpace
from archpredict.testing.spaces import SpaceContract


class TestParameters(SpaceContract):
    @pytest.fixture
    def space(self) -> ParameterSpace:
        return ParameterSpace(
            {"operator": ["conv", "pool", None], "depth": [1, 2, 4, 8], "bias": [True, False], "one": ["only"]},
            {"depth": [0.0, 1.0, 2.0, 3.0]},
        )


def test_options_that_python_takes_for_equal_are_told_apart() -> None:
    space = ParameterSpace({"x": [1, True, 1.0, "1", 1]})
    assert space.num_choices == (4,)
    assert [space.choices_of({"x": value}) for value in (1, True, 1.0, "1", 2)] == [(0,), (1,), (2,), (3,), None]


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(UsageError, match="at least one parameter"):
        ParameterSpace({})
    with pytest.raises(UsageError, match="'x' has no options"):
        ParameterSpace({"x": []})
    with pytest.raises(UsageError, match="2 options and 1 numbers"):
        ParameterSpace({"x": [1, 2]}, {"x": [1.0]})
    with pytest.raises(InvalidArchitectureError, match="none of its options"):
        ParameterSpace({"x": [1, 2]}).from_text('{"x": 3}')
