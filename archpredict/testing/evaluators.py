"""The contract of evaluators, as a test class."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np

from archpredict.evaluators.base import Evaluator
from archpredict.spaces.base import Architecture

__all__ = ["EvaluatorContract"]


class EvaluatorContract:
    """The contract of evaluators: what every one keeps to.

    An evaluator's own tests derive from it and give the evaluator and a few distinct architectures to label,
    of which some may fail::

        class TestMyEvaluator(EvaluatorContract):
            @pytest.fixture
            def evaluator(self):
                return MyEvaluator()

            @pytest.fixture
            def architectures(self):
                space = load_space("nasbench201")
                return space.architectures(space.sample(5, np.random.default_rng(0)))
    """

    def test_each_architecture_gets_exactly_one_result(
        self, evaluator: Evaluator, architectures: Sequence[Architecture]
    ) -> None:
        results = list(evaluator.evaluate(architectures))
        assert len(results) == len(architectures)
        assert sorted(r.architecture.choices for r in results) == sorted(a.choices for a in architectures)

    def test_a_result_has_either_a_finite_score_or_an_error(
        self, evaluator: Evaluator, architectures: Sequence[Architecture]
    ) -> None:
        for result in evaluator.evaluate(architectures):
            assert (result.score is None) != (result.error is None)
            assert result.score is None or (type(result.score) is float and math.isfinite(result.score))
            assert result.error is None or result.error.strip()
            assert result.seconds >= 0
            json.dumps(dict(result.metadata), allow_nan=False)

    def test_asked_again_it_gives_the_same_label(
        self, evaluator: Evaluator, architectures: Sequence[Architecture]
    ) -> None:
        first, again = (
            {r.architecture.choices: r.score for r in evaluator.evaluate(order)}
            for order in (architectures, list(reversed(architectures)))
        )
        assert first == again

    def test_nothing_asked_gives_nothing(self, evaluator: Evaluator) -> None:
        assert list(evaluator.evaluate([])) == []

    def test_the_description_is_json_and_says_what_the_labels_are(self, evaluator: Evaluator) -> None:
        description = evaluator.describe()
        assert json.loads(json.dumps(description, allow_nan=False)) == description
        assert isinstance(description["labels"], str)
        assert description["labels"].strip()
        assert evaluator.describe() == description

    def test_the_pool_holds_legal_architectures(
        self, evaluator: Evaluator, architectures: Sequence[Architecture]
    ) -> None:
        pool = evaluator.pool()
        if pool is not None:
            assert pool.dtype == np.int64
            assert len(pool)
            assert architectures[0].space.is_valid(pool).all()
