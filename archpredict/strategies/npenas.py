"""NPENAS: evolution whose children are chosen by a predictor of graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from archpredict._typing import FloatArray
from archpredict.spaces.base import Architecture
from archpredict.strategies.rounds.children import ChildrenSettings, ChildrenStrategy

__all__ = ["NPENAS", "ChildrenSettings"]


class NPENAS(ChildrenStrategy):
    """Give the best labelled architectures many children, and label those that a predictor of graphs ranks first.

    Wei, Niu, Tang, Wang, Hu and Liang, "NPENAS: Neural Predictor Guided Evolution for Neural Architecture Search",
    2020, arXiv 2003.12857, Algorithm 1 with the neural predictor (NPENAS-NP): the parents are the best labelled, each
    has many mutants, a graph network that was fitted to all labels predicts them, and the best predicted are labelled.

    Departures: the predictor's layers (predictor ``npenas``); a mutant differs from its parent in one choice. Nothing
    isomorphic to what was labelled is labelled again.

    Args:
        problem: What is searched.
        seed: Source of all randomness.
        observer: Told about progress: stages ``training`` (value ``loss``), and ``judged`` when labels arrive whose
            scores were predicted (``kendall_tau``, over all of them so far).
        device: For the predictor: ``auto`` (what the predictor was made with), ``cpu`` or ``cuda``.
        preset: ``default``.
        options: Settings that replace the preset's, e.g. ``predictor="gates"``; see
            :class:`ChildrenSettings`.

    Raises:
        UsageError: An option that does not exist or is out of its range.

    Example:
        >>> from archpredict.strategies.base import Problem
        >>> from archpredict.testing.toys import ToyEvaluator, ToySpace
        >>> search = NPENAS(Problem(ToySpace(), budget=20), predictor="extra-trees")
        >>> while architectures := search.ask(20):
        ...     search.tell(list(ToyEvaluator().evaluate(architectures)))
        >>> search.num_told, search.recommend(1)[0].evaluated
        (20, True)
    """

    name = "npenas"
    presets: ClassVar[dict[str, ChildrenSettings]] = {"default": ChildrenSettings(predictor="npenas")}

    def _merit(
        self, predictor: Any, architectures: Sequence[Architecture], mean: FloatArray, rng: np.random.Generator
    ) -> FloatArray:
        return mean
