"""How a predictor guides a search: settings, presets, and the predictor itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from archpredict.errors import UnknownNameError, UsageError
from archpredict.strategies._inner import Inner

Acquisition = Literal["mean", "ucb", "thompson"]


@dataclass(frozen=True)
class Settings:
    """How a predictor guides the search.

    Args:
        predictor: Fitted anew in each round: the name of a predictor, or an unfitted one, of which copies are fitted;
            None: the one that the space names.
        initial: Share of the budget that is labelled at random before the first round.
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

    predictor: Any = None
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
        for name, least in {"rounds": 1, "candidates": 1, "population": 4}.items():
            if getattr(self, name) < least:
                raise UsageError(f"{name} is a number of at least {least}, {getattr(self, name)} was given")
        if self.batch is not None and self.batch < 1:
            raise UsageError(f"batch is a number of at least 1, {self.batch} was given")
        if not 0 < self.initial < 1:
            raise UsageError(
                "initial is the share of the budget that is labelled at random first, above 0 and below 1; "
                f"{self.initial} was given"
            )
        if not 0 <= self.explore < 1:
            raise UsageError(
                "explore is the share of a round that is labelled at random, at least 0 and below 1; "
                f"{self.explore} was given"
            )
        if self.inner not in get_args(Inner):
            raise UnknownNameError("inner search", self.inner, get_args(Inner))
        if self.acquisition not in get_args(Acquisition):
            raise UnknownNameError("acquisition", self.acquisition, get_args(Acquisition))


PRESETS = {
    "default": Settings(),
    "gates": Settings(predictor="gates", initial=0.2, explore=0.0, rounds=4, separate=True),
}


def with_options(preset: str, options: Mapping[str, Any]) -> Settings:
    """A preset's settings, some of them replaced."""
    if preset not in PRESETS:
        raise UnknownNameError("preset", preset, PRESETS)
    known = {f.name for f in fields(Settings)}
    for name in options:
        if name not in known:
            raise UnknownNameError("option of predictor-guided", name, known)
    return replace(PRESETS[preset], **options)
