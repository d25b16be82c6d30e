"""Settings of predictor-guided search: the publication, and ours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from archpredict.registry.arguments import check_choice, check_flag, check_integer, check_share
from archpredict.strategies.rounds.candidates import Inner
from archpredict.strategies.rounds.settings import RoundSettings

Acquisition = Literal["mean", "ucb", "thompson"]


@dataclass(frozen=True)
class PredictorGuidedSettings(RoundSettings):
    """Settings of predictor-guided search: everything that its presets differ in.

    Args:
        predictor: Fitted anew in each round: the name of a predictor, or an unfitted one, of which copies are fitted;
            None: the one that the space names.
        initial: Share of the budget that is labelled before the first round.
        explore: Share of each round but the last that is labelled at random, so that a predictor that has settled on
            the wrong corner of the space learns of others.
        rounds: Rounds that the rest of the budget is divided into.
        batch: Architectures to evaluate in each round, instead of ``rounds``.
        inner: How candidates are found: ``all`` architectures, ``evolution``, ``random``, or ``auto``: ``all`` in
            spaces of at most 100,000 vectors of choices, else ``evolution``.
        candidates: How many are scored in a round, except by ``all``.
        population: Members of a generation of the inner evolution.
        acquisition: What candidates are chosen by: the ``mean`` prediction; ``ucb``, one standard deviation above it;
            or ``thompson``, a draw from the normal distribution of both, independent between architectures.
        separate: Take the best of each of as many random parts of the candidates as are to be evaluated, instead of
            the best of all.
    """

    initial: float = 0.4
    explore: float = 0.2
    rounds: int = 5
    batch: int | None = None
    inner: Inner = "auto"
    candidates: int = 2000
    population: int = 100
    acquisition: Acquisition = "mean"
    separate: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in {"rounds": 1, "candidates": 1, "population": 4}.items():
            check_integer(name, getattr(self, name), least)
        if self.batch is not None:
            check_integer("batch", self.batch, 1)
        check_share("initial", self.initial, above_0=True)
        check_share("explore", self.explore)
        check_choice("inner search", self.inner, get_args(Inner))
        check_choice("acquisition", self.acquisition, get_args(Acquisition))
        check_flag("separate", self.separate)


_ONE_SEARCH = PredictorGuidedSettings(transfer=False, initial=0.9, explore=0.0, rounds=1, inner="evolution")
"""Most labels at random, one search with what was learnt from them, and the rest for what it found."""

PRESETS = {
    "default": PredictorGuidedSettings(),
    "front": PredictorGuidedSettings(transfer=False, initial=0.2, explore=0.0, rounds=16),
    "gates": PredictorGuidedSettings(
        predictor="gates", transfer=False, initial=0.2, explore=0.0, rounds=4, separate=True
    ),
    "general-purpose": PredictorGuidedSettings(
        predictor="general-purpose",
        transfer=False,
        initial=0.2,
        explore=0.0,
        rounds=8,
        inner="evolution",
        candidates=1000,
    ),
    "regression-nas": replace(_ONE_SEARCH, predictor="regression-nas"),
    "renas": replace(_ONE_SEARCH, predictor="renas"),
}
