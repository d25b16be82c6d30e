"""Training: how the networks of a predictor are made and trained, and pairs with predicted labels."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from archpredict.errors import UsageError
from archpredict.predict.calibration import Target
from archpredict.predict.inputs import Inputs
from archpredict.registry.arguments import (
    check_choice,
    check_integer,
    check_not_negative,
    check_positive,
    check_share,
)

__all__ = ["PseudoPairs", "Training"]

_CHOICES = {"optimizer": ("adamw", "adam"), "schedule": ("cosine", "constant"), "target": ("ranks", "values", "errors")}


@dataclass(frozen=True, repr=False)
class Training:
    """Hyperparameters of the networks of a predictor: optimiser, schedule, sizes, pre-training, target.

    It never changes; :meth:`Predictor.set_params <archpredict.predict.predictor.Predictor.set_params>` with names such
    as ``training__epochs``, or :func:`dataclasses.replace`, make another one. Two are equal if all values are.

    Args:
        epochs: Passes over the labelled architectures; fewer of many, see ``max_steps``.
        batch_size: Architectures per step, about: an epoch is cut into batches of equal size. Pairs are formed within
            a batch, so that no batch has fewer than two architectures.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled for ``adamw``, added to the gradient for ``adam``.
        optimizer: ``adamw`` or ``adam``.
        betas: Moment decay rates.
        schedule: ``cosine`` to zero after 5 % of warm-up, or ``constant``.
        held_out: Share of the labelled architectures kept aside for early stopping: the weights of the epoch with the
            best Kendall's tau on them are kept. 0 trains on all of them to the end.
        patience: With ``held_out``, stop after so many epochs without a better tau.
        pretrain: Steps for which encoders first learn to tell the statistics of random architectures of the space
            (:mod:`archpredict.predict.pretraining.cells`); 0 for none. Bare graphs name no space, and choices no graph:
            there it is left out.
        max_labels: The most labelled architectures that are learnt from; of more a random sample of so many, by the
            predictor's seed. None for all of them, whatever time and memory that takes.
        max_steps: The most steps of a network, mini-batches of all epochs: of so many labels that ``epochs`` would take
            more, there are fewer epochs. None for no limit.
        target: What is learnt: ``ranks`` of the labels, as normal scores, their ``values``, or of accuracies in percent
            the logarithms of their ``errors``.
        side_width: Units of the layer that takes in the numbers beside the graph.
        side_dropout: Share of these numbers dropped while training; if left out 0.3, and more where there are many, so
            that about 130 are left.

    Raises:
        UsageError: A value out of its range or of a wrong type.

    Example:
        >>> Training(epochs=30, target="values")
        Training(epochs=30, target='values')
        >>> Training(learning_rate=-1.0)
        Traceback (most recent call last):
        archpredict.errors.UsageError: learning_rate is a finite number above 0, -1.0 was given
    """

    epochs: int = 120
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    optimizer: Literal["adamw", "adam"] = "adamw"
    betas: tuple[float, float] = (0.9, 0.999)
    schedule: Literal["cosine", "constant"] = "cosine"
    held_out: float = 0.0
    patience: int = 20
    pretrain: int = 400
    max_labels: int | None = 20_000
    max_steps: int | None = 8_000
    target: Target = "ranks"
    side_width: int = 64
    side_dropout: float | None = None

    def __post_init__(self) -> None:
        for name, least in {"epochs": 1, "batch_size": 1, "patience": 1, "pretrain": 0, "side_width": 1}.items():
            check_integer(name, getattr(self, name), least)
        for name, least in {"max_labels": 2, "max_steps": 1}.items():
            if getattr(self, name) is not None:
                check_integer(name, getattr(self, name), least)
        check_positive("learning_rate", self.learning_rate)
        check_not_negative("weight_decay", self.weight_decay)
        check_share("held_out", self.held_out)
        if self.side_dropout is not None:
            check_share("side_dropout", self.side_dropout)
        for name, choices in _CHOICES.items():
            check_choice(name, getattr(self, name), choices)
        if not isinstance(self.betas, (tuple, list)) or len(self.betas) != 2:
            raise UsageError(f"betas are two numbers of at least 0 and below 1, {self.betas!r} was given")
        for i, beta in enumerate(self.betas):
            check_share(f"betas[{i}]", beta)
        object.__setattr__(self, "betas", tuple(self.betas))

    def num_batches(self, labels: int) -> int:
        """Into how many mini-batches an epoch over so many labelled architectures is cut."""
        return max(1, min(round(labels / self.batch_size), labels // 2))

    def of_labels(self, labels: int) -> Training:
        """The same with the epochs that so many labelled architectures get.

        Example:
            >>> Training().of_labels(1_000).epochs, Training().of_labels(20_000).epochs
            (120, 25)
        """
        if self.max_steps is None:
            return self
        return replace(self, epochs=min(self.epochs, max(1, self.max_steps // self.num_batches(labels))))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All values by name, as scikit-learn asks for them."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def __sklearn_clone__(self) -> Training:
        return self

    def __repr__(self) -> str:
        changed = [f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if getattr(self, f.name) != f.default]
        return f"Training({', '.join(changed)})"


@dataclass(frozen=True, eq=False)
class PseudoPairs:
    """Pairs of unlabelled architectures with predicted labels (data exploration).

    Args:
        inputs: The architectures.
        first, second: ``(P,)`` indices into ``inputs``.
        target: ``(P,)`` probability that the first is better.
    """

    inputs: Inputs
    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    target: npt.NDArray[np.float32]
