"""Settings of CTNAS: the publication, its published code, and ours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from archpredict.errors import UsageError
from archpredict.predict.parts import Part, with_options
from archpredict.predict.presets import ALONE, PUBLISHED_GCN, PUBLISHED_TRAINING
from archpredict.registry.arguments import (
    check_choice,
    check_flag,
    check_integer,
    check_not_negative,
    check_positive,
    check_share,
)
from archpredict.strategies.rounds.ctnas_pairs import Confidence
from archpredict.strategies.rounds.one_order import Several
from archpredict.strategies.rounds.settings import RoundSettings

Baseline = Literal["curriculum", "fixed", "random"]

_COUNTS = (
    *("rounds", "epochs", "final", "iterations", "samples", "baseline_every", "baseline_samples"),
    *("explore_every", "explore_samples", "explore_epochs", "derive", "hidden"),
)
_NAC: dict[str, Any] = {**ALONE, "training": PUBLISHED_TRAINING}


@dataclass(frozen=True)
class CTNASSettings(RoundSettings):
    """Settings of CTNAS: everything that its presets differ in.

    Args:
        predictor: What compares: the name of a predictor, arguments of Predictor (or parts of them, such as
            ``training__epochs``), or an unfitted one, of which copies are fitted; None: the one that the space names.
            Any will do; those that are no networks do not learn from pairs with predicted labels.
        first_share: Share of the budget that is labelled before the first training.
        random_share: Share of each round but the last that is labelled at random. Comparator and controller that have
            settled on the wrong corner of the space learn of others only so: what they draw themselves is from there.
        rounds: How often labels, comparator and controller take turns. The paper has one round: M random labels, one
            search, and a few architectures evaluated at the end.
        epochs: Passes over the labels in which a round's comparator is trained, where neither settings nor space name
            one, so that it is the default; others keep their own number.
        final: Evaluations kept for the derived architectures when there is one round.
        iterations: Policy updates per round.
        samples: Architectures per policy update (``N``).
        learning_rate: Of the policy.
        entropy_weight: Of the entropy bonus.
        center: Subtract the batch's mean reward, which lowers the variance of REINFORCE, and divide by its spread.
        baseline: How the baseline moves: ``curriculum``, ``fixed`` or ``random``.
        remember: Whether the curriculum compares all past baselines and samples (the paper's Algorithm 2) or only the
            current samples (the published code).
        baseline_every: Policy updates between two updates of the baseline.
        baseline_first: Update the baseline right after the first policy update (Algorithm 1, and the published code),
            not only after ``baseline_every`` of them.
        baseline_samples: Architectures sampled for each of them.
        share: Share ``r`` of pairs with predicted labels in comparator training, as their part of the loss.
        confidence: How such pairs are chosen.
        explore_every: Policy updates between two explorations.
        explore_samples: Architectures sampled for each exploration. By ``distance`` as many of all their pairs are kept
            (the paper gives no ``K``), by ``probability`` half of one random pairing.
        explore_first: Architectures sampled for an exploration before the first policy update; 0 for none.
        explore_epochs: Epochs of comparator training after each exploration.
        explore_rate: Learning rate of these epochs, as a factor on the comparator's.
        derive: Architectures sampled from the trained policy.
        local: Whether everything sampled in the round and mutations of the best labelled architectures join the
            candidates.
        random_candidates: Random architectures that join them, which a controller that has gone to one point would
            not draw.
        dummies: Average over as many node slots as the largest labelled architecture has, as the published code does.
        hidden: Width of the policy's LSTM cell.
        betas, weight_decay: Of the policy's Adam.
        several: How several objectives become the order that the comparator learns: ``dominance``, with contributions
            to the hypervolume as tie-break, or ``scalarisation``, drawn anew in every round
            (:func:`archpredict.strategies.rounds.one_order.one_label`).
    """

    first_share: float = 0.4
    random_share: float = 0.2
    rounds: int = 5
    epochs: int = 60
    final: int = 10
    iterations: int = 60
    samples: int = 64
    learning_rate: float = 1e-2
    entropy_weight: float = 0.01
    center: bool = True
    baseline: Baseline = "curriculum"
    remember: bool = True
    baseline_every: int = 10
    baseline_first: bool = False
    baseline_samples: int = 64
    share: float = 0.5
    confidence: Confidence = "distance"
    explore_every: int = 20
    explore_samples: int = 64
    explore_first: int = 0
    explore_epochs: int = 2
    explore_rate: float = 0.1
    derive: int = 500
    local: bool = True
    random_candidates: int = 2000
    dummies: bool = False
    hidden: int = 64
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    several: Several = "dominance"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in _COUNTS:
            check_integer(name, getattr(self, name), 1)
        for name in ("explore_first", "random_candidates"):
            check_integer(name, getattr(self, name), 0)
        for name in ("learning_rate", "explore_rate"):
            check_positive(name, getattr(self, name))
        for name in ("entropy_weight", "weight_decay"):
            check_not_negative(name, getattr(self, name))
        for name in ("center", "remember", "baseline_first", "local", "dummies"):
            check_flag(name, getattr(self, name))
        check_share("first_share", self.first_share, above_0=True, up_to_1=True)
        for name in ("random_share", "share"):
            check_share(name, getattr(self, name))
        check_choice("baseline", self.baseline, get_args(Baseline))
        check_choice("confidence", self.confidence, get_args(Confidence))
        check_choice("several", self.several, get_args(Several))
        if not isinstance(self.betas, list | tuple) or len(self.betas) != 2:
            raise UsageError(f"betas are two numbers of at least 0 and below 1, {self.betas!r} was given")
        for beta in self.betas:
            check_share("each of betas", beta)


_PAPER = CTNASSettings(
    predictor={
        **_NAC,
        "encoder": with_options(PUBLISHED_GCN, {"layers": 2, "residual": False, "last_activation": False}),
        "head": Part("comparator", form="linear", pairs="all"),
    },
    transfer=False,
    first_share=1.0,
    random_share=0.0,
    rounds=1,
    iterations=10_000,
    samples=1,
    learning_rate=2e-4,
    entropy_weight=5e-4,
    center=False,
    baseline_every=100,
    baseline_first=True,
    baseline_samples=100,
    explore_every=100,
    explore_samples=100,
    explore_first=100,
    explore_epochs=1,
    explore_rate=1.0,
    derive=100,
    local=False,
    random_candidates=0,
    betas=(0.5, 0.999),
    weight_decay=5e-4,
)

PRESETS: dict[str, CTNASSettings] = {
    "default": CTNASSettings(),
    "front": CTNASSettings(first_share=0.3, random_share=0.0, random_candidates=0),
    "long": CTNASSettings(first_share=0.1, random_share=0.0, random_candidates=0, rounds=20),
    "paper": _PAPER,
    "repo": replace(
        _PAPER,
        predictor={
            **_NAC,
            "encoder": PUBLISHED_GCN,
            "head": Part("comparator", form="linear", pairs="permutation"),
        },
        remember=False,
        baseline_every=500,
        baseline_samples=10,
        confidence="probability",
        explore_samples=200,
        explore_first=512,  # twice the batch size
        derive=10,
        dummies=True,
    ),
}
