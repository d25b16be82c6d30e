"""TrainingSession: the training of an ensemble, which can go on after it ended; a fitted predictor does not keep it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archpredict._typing import FloatArray
from archpredict.errors import RunError
from archpredict.predict.calibration import standardize
from archpredict.predict.ensemble.ensemble import Ensemble
from archpredict.predict.ensemble.weighing import HeldOut
from archpredict.predict.inputs import Inputs
from archpredict.predict.training.stacking import fit_all
from archpredict.predict.training.trainer import Trainer
from archpredict.predict.training.training import PseudoPairs, Training
from archpredict.progress import Observer, silent

__all__ = ["TrainingSession", "run_together"]


class TrainingSession:
    """A training session: the trainers of an ensemble, their optimisers, and the architectures that they train on.

    Made by :meth:`Predictor.fit_session <archpredict.predict.predictor.Predictor.fit_session>`. What it does to the
    ensemble it does to the predictor.

    Args:
        ensemble: Trained in place.
        inputs: ``n`` labelled architectures.
        labels: ``(n,)``.
        training: How.
        seed: Of mini-batches, pairs and dropout.
    """

    def __init__(self, ensemble: Ensemble, inputs: Inputs, labels: FloatArray, training: Training, seed: int) -> None:
        self.ensemble, self.inputs, self.labels, self.training = ensemble, inputs, labels, training
        self._target = standardize(labels, training.target)
        self._held_out: HeldOut | None = None
        self._trainers = [
            Trainer(m, ensemble.spec, inputs, self._target, training, seed=seed * 1009 + i, device=ensemble.device)
            for i, m in enumerate(ensemble.models)
        ]

    def run(self, observer: Observer = silent) -> None:
        """Train all members from beginning to end, and set the scale of their scores.

        Args:
            observer: Told after each epoch, stage ``training`` with ``loss``; epochs of all networks count together,
                and those that a network leaves out by stopping early count as done.

        Raises:
            RunError: The training diverged.
        """
        run_together([self], observer)

    def refine(self, pairs: PseudoPairs, *, share: float, epochs: int, slow_down: float) -> None:
        """A few more epochs on the training set and on pairs with predicted labels; regressors stay as they are.

        Args:
            pairs: The pairs.
            share: Their part in the loss.
            epochs: How many.
            slow_down: Factor on the learning rate.
        """
        for trainer in self._trainers:
            leaves = trainer.optimizer.leaves
            leaves.attach()
            trainer.slow_down(slow_down)
            for _ in range(epochs):
                trainer.epoch(pairs, share)
            leaves.detach()

    def rescale(self) -> None:
        """Fit the scale of the scores to the labels, anew after :meth:`refine`.

        Raises:
            RunError: Scores are not finite.
        """
        scores = self.ensemble.after_fit(self.inputs)
        if not np.isfinite(scores).all():
            raise RunError(
                "the training diverged, scores are not finite; lower the learning rate, "
                f"{self.training.learning_rate:g}"
            )
        self.ensemble.fit_scale(scores, self.labels)
        if self._held_out is not None:
            self.ensemble.weigh(self._held_out, self._target, self.labels)

    def weigh(self, held_out: HeldOut) -> None:
        """Weigh the members by what their like said of the labels without having seen them.

        Args:
            held_out: From :func:`archpredict.predict.ensemble.cross_fitting.cross_fit`.
        """
        self._held_out = held_out
        self.ensemble.weigh(self._held_out, self._target, self.labels)


def run_together(sessions: Sequence[TrainingSession], observer: Observer = silent) -> None:
    """Run several sessions as :meth:`TrainingSession.run` does each, all networks as one model where that is possible.

    Args:
        sessions: Of ensembles that are built alike, which may learn from different labels.
        observer: As for one session; epochs of all count together.

    Raises:
        RunError: A training diverged.
    """
    trainers = [trainer for session in sessions for trainer in session._trainers]
    fit_all(trainers, observer)
    for trainer in trainers:
        trainer.optimizer.leaves.detach()
    for session in sessions:
        session.ensemble.fit_regressors(session.inputs, session._target)
        session.rescale()
