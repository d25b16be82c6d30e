"""The worker that predicts architectures given by their notations, in this process or in one of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from archpredict.errors import ArchPredictError, UsageError
from archpredict.executors.processes.pool import ERROR, Answer, Handler
from archpredict.predict.batch import Batch
from archpredict.predict.cards import proxies_of
from archpredict.predict.predictor import Predictor
from archpredict.predict.transfer.model import TransferModel
from archpredict.predict.universal import UniversalPredictor
from archpredict.progress import Observer, silent
from archpredict.runtime import one_thread
from archpredict.spaces.base import SearchSpace, load_space
from archpredict.spaces.notation.texts import TextReader
from archpredict.tables.columns import notation


def setup_of(model: Predictor | UniversalPredictor, space: str, column: str, folder: Path) -> dict[str, Any] | None:
    """What :func:`handler` needs to make the same scorer in another process; None where it has to stay in this one.

    Args:
        model: The predictor, which is saved for it.
        space: Reference of the space.
        column: The column of the architectures.
        folder: A folder for the predictor, which is there as long as the process.
    """
    of_all: dict[str, Any] = {"space": space, "column": column}
    if isinstance(model, UniversalPredictor):
        learnt = model.transfer
        assert isinstance(learnt, TransferModel)
        learnt.save(folder / "transfer.safetensors")
        return {**of_all, "transfer": str(folder / "transfer.safetensors")}
    if model.ensemble_.device.type != "cpu" or proxies_of(model) is not None:
        return None
    model.save(folder / "model")
    return {**of_all, "model": str(folder / "model")}


def handler(setup: Mapping[str, Any]) -> Handler:
    """Load predictor and space."""
    model: Predictor | UniversalPredictor
    model = Predictor.load(setup["model"], "cpu") if "model" in setup else UniversalPredictor(setup["transfer"])
    return Scorer(model, load_space(setup["space"]), setup["column"])


class Scorer:
    """Scores of architectures, computed on one thread: the last bits depend on how many there are.

    Args:
        model: A fitted predictor.
        space: The space of the notations.
        column: The column that they are from, as some have a notation of their own.
        observer: Is told of zero-cost proxies that are computed.
    """

    def __init__(
        self,
        model: Predictor | UniversalPredictor,
        space: SearchSpace,
        column: str,
        observer: Observer = silent,
    ) -> None:
        self._model, self._space, self._column, self._observer = model, space, column, observer
        self._reader = TextReader(space)
        self._proxies = proxies_of(model) if isinstance(model, Predictor) else None

    def __call__(self, question: Mapping[str, Any]) -> Answer:
        """The ``scores`` of ``texts`` and ``features``: predictions, and standard deviations where they are known.

        Or why there are none: ``error`` is the sentence, ``wrong`` the first text that is no architecture.
        """
        choices, wrong = self._reader.read([notation(text, self._column) for text in question["texts"]])
        if wrong:
            first = min(wrong)
            return {ERROR: str(wrong[first]), "wrong": first}
        try:
            with one_thread():
                return {"scores": self._scores(choices, question.get("features") or {})}
        except ArchPredictError as error:
            return {ERROR: str(error), "usage": isinstance(error, UsageError)}

    def _scores(self, choices: Any, features: Mapping[str, Any]) -> list[list[float]]:
        architectures = self._space.architectures(choices)
        if self._proxies is not None:  # which are then known
            self._proxies.compute(Batch.of(architectures), self._observer)
        packed = self._model.pack(architectures, {name: np.array(values) for name, values in features.items()})
        if isinstance(self._model, UniversalPredictor) or not self._model.has_std:
            return [self._model.predict(packed).tolist()]
        return [part.tolist() for part in self._model.predict(packed, return_std=True)]
