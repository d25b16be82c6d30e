"""BANANAS: Bayesian optimisation with an ensemble of networks on the paths through architectures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from archpredict._typing import FloatArray
from archpredict.spaces.base import Architecture
from archpredict.strategies.rounds.children import ChildrenSettings, ChildrenStrategy

__all__ = ["Bananas", "ChildrenSettings"]


class Bananas(ChildrenStrategy):
    """Fit an ensemble to all labels, and label the mutants of the best that do best in a draw of what it believes.

    White, Neiswanger and Savani, "BANANAS: Bayesian Optimization with Neural Architectures for Neural Architecture
    Search", AAAI 2021, arXiv 1910.11858, Algorithm 1: truncated path encoding, an ensemble of five multilayer
    perceptrons, independent Thompson sampling, and mutation of the best as the search for its maximum. The merit of an
    architecture ``a`` is a draw from the normal distribution of the ensemble's mean and standard deviation,
    ``N(f(a), s(a)^2)``, independent of other architectures (section 5).

    Departures: the networks are shallower (predictor ``bananas``); a mutant differs from its parent in one choice.
    Nothing isomorphic to what was labelled is labelled again.

    Args:
        problem: What is searched.
        seed: Source of all randomness.
        observer: Told about progress: stages ``training`` (value ``loss``), and ``judged`` when labels arrive whose
            scores were predicted (``kendall_tau``, over all of them so far).
        device: For the predictor: ``auto`` (what the predictor was made with), ``cpu`` or ``cuda``.
        preset: ``default``.
        options: Settings that replace the preset's, e.g. ``children=200``; see
            :class:`ChildrenSettings`.

    Raises:
        UsageError: An option that does not exist or is out of its range, or a predictor without standard deviations.

    Example:
        >>> from archpredict.predict.presets import preset
        >>> from archpredict.strategies.base import Problem
        >>> from archpredict.testing.toys import ToyEvaluator, ToySpace
        >>> quick = preset("bananas").make(training__epochs=5)
        >>> search = Bananas(Problem(ToySpace(), budget=20), predictor=quick)
        >>> while architectures := search.ask(20):
        ...     search.tell(list(ToyEvaluator().evaluate(architectures)))
        >>> search.num_told, search.recommend(1)[0].evaluated
        (20, True)
    """

    name = "bananas"
    presets: ClassVar[dict[str, ChildrenSettings]] = {"default": ChildrenSettings(predictor="bananas")}

    def _merit(
        self, predictor: Any, architectures: Sequence[Architecture], mean: FloatArray, rng: np.random.Generator
    ) -> FloatArray:
        std: FloatArray = predictor.predict_std(architectures)
        return mean + rng.standard_normal(len(mean)) * std
