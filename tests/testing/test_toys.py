"""The toy space and its labels keep to the contracts they are used to test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from archpredict.spaces.base import Architecture
from archpredict.testing.evaluators import EvaluatorContract
from archpredict.testing.spaces import SpaceContract
from archpredict.testing.toys import ToyEvaluator, ToySpace


class TestToySpace(SpaceContract):
    @pytest.fixture
    def space(self) -> ToySpace:
        return ToySpace()

    def test_has_702_vectors_and_243_structures(self, space: ToySpace) -> None:
        architectures = space.architectures(space.enumerate())
        assert len(architectures) == 27 * 27 - 27
        assert len({a.key for a in architectures}) == 9 * 27  # multisets of three branches, less the empty one


def _architectures() -> list[Architecture]:
    space = ToySpace()
    return space.architectures(space.sample(6, np.random.default_rng(0)))


class TestToyEvaluator(EvaluatorContract):
    @pytest.fixture(params=["all well", "one failure", "constant"])
    def evaluator(self, request: pytest.FixtureRequest) -> ToyEvaluator:
        failing = frozenset({_architectures()[2].key}) if request.param == "one failure" else frozenset[str]()
        return ToyEvaluator(failing=failing, constant=1.0 if request.param == "constant" else None)

    @pytest.fixture
    def architectures(self) -> Sequence[Architecture]:
        return _architectures()

    def test_isomorphic_architectures_have_the_same_label(self) -> None:
        space = ToySpace()
        everything = space.architectures(space.enumerate())
        labels: dict[str, set[float | None]] = {}
        for result in ToyEvaluator().evaluate(everything):
            labels.setdefault(result.architecture.key, set()).add(result.score)
        assert all(len(scores) == 1 for scores in labels.values())
