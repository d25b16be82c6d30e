"""Labels estimated by a saved predictor."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from archpredict.errors import UsageError
from archpredict.evaluators.base import SCORE, Evaluator, Result
from archpredict.spaces.base import Architecture, SearchSpace

__all__ = ["SurrogateEvaluator"]


class Estimator(Protocol):
    """The protocol of predictors that label; :class:`archpredict.predict.predictor.Predictor` has it."""

    def predict(self, architectures: Sequence[Architecture], /) -> npt.NDArray[np.float64]: ...


class SurrogateEvaluator(Evaluator):
    """Gives what a fitted predictor expects, instead of training: an estimate, at once.

    Zela et al., "Surrogate NAS benchmarks", 2020, arXiv 2008.09777, show when such labels stand for trained
    ones. Each architecture is predicted alone, not in a batch: the last bits of a prediction depend on its
    batch, and a run that is resumed must get the labels of one that was never interrupted.

    Args:
        predictor: A fitted predictor; higher predictions are better.
        name: What to call it.
        card: Its model card; ``card["labels"]`` says in one sentence what the predictions estimate.
        sha256: Digest of its files, to tell two versions of it apart.
        label_range: The smallest and the largest label that it has learnt from, if that is known.

    Example:
        >>> from archpredict.spaces import load_space
        >>> class Parity:
        ...     def predict(self, architectures):
        ...         return np.array([sum(a.choices) % 2 for a in architectures], dtype=float)
        >>> space = load_space("nasbench201")
        >>> next(SurrogateEvaluator(Parity()).evaluate([space.architecture([3, 0, 0, 0, 0, 0])])).score
        1.0
    """

    name = "surrogate"

    def __init__(
        self,
        predictor: Estimator,
        name: str | None = None,
        *,
        card: Mapping[str, Any] | None = None,
        sha256: str | None = None,
        label_range: tuple[float, float] | None = None,
    ) -> None:
        self.predictor = predictor
        self.predictor_name = name or type(predictor).__name__
        self.card = dict(card or {})
        self.sha256 = sha256
        self.label_range = label_range

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> SurrogateEvaluator:
        """The evaluator of a saved predictor: its folder, or the name of one that ships with the package.

        Raises:
            UnknownNameError: Neither a folder nor a shipped name.
            DataError: The folder does not hold a valid predictor.
        """
        from archpredict.predict.predictor import Predictor
        from archpredict.predict.storage import located

        predictor, folder = Predictor.load(path, device), located(path)
        digest, labels = _digest(folder), predictor.label_range_
        return cls(predictor, folder.name, card=predictor.card_, sha256=digest, label_range=labels)

    @classmethod
    def for_space(
        cls, space: str | SearchSpace, /, predictor: str | Path | None = None, device: str = "auto"
    ) -> SurrogateEvaluator:
        """The evaluator of a saved predictor, or of the one that ships with the package for a space.

        That is the one whose card has ``"space": NAME``; where there are several, one of them has
        ``"default": true``.

        Args:
            space: What is searched.
            predictor: Folder of a saved predictor, or the name of a shipped one; if left out, that of the space.
            device: ``auto``, ``cpu`` or ``cuda``.

        Raises:
            UsageError: No predictor ships for this space.
        """
        if predictor is not None:
            return cls.load(predictor, device)
        from archpredict.predict.storage import located, read_card, shipped

        name = space if isinstance(space, str) else space.name
        cards = {model: read_card(located(model)) for model in shipped()}
        cards = {model: card for model, card in cards.items() if card.get("space") == name}
        if not cards:
            raise UsageError(
                f"the space {name} has no embedded surrogate: give another `evaluator`, such as table, command or "
                "train, and what it needs"
            )
        return cls.load(max(cards, key=lambda model: cards[model].get("default", False)), device)

    def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
        for architecture in architectures:
            start = time.perf_counter()
            score = float(self.predictor.predict([architecture])[0])
            seconds = time.perf_counter() - start
            if math.isfinite(score):
                yield Result(architecture, score, seconds=seconds)
            else:
                yield Result(architecture, None, f"the surrogate predicted {score}, no finite number", seconds)

    def believed(self, score: float) -> str | None:
        """What is to be said of a score at or beyond the end of the labels that the surrogate has learnt from.

        Example:
            >>> SurrogateEvaluator(None, "mine", label_range=(90.0, 94.5)).believed(95.4).partition(":")[0]
            'The score 95.4 is beyond what mine has learnt from, labels from 90 to 94.5'
        """
        if self.label_range is None or self.label_range[0] < score < self.label_range[1]:
            return None
        low, high = self.label_range
        figures: Any = list((self.card.get("cross_validation") or {}).values())
        tau = figures[-1].get("kendall_tau") if figures else None
        error = self.card.get("held_out_error")
        told = "" if tau is None else f"; Kendall's tau with held-out labels {tau:.3f}"
        told += "" if error is None else f"; error on held-out labels {error:.3g}"
        place = "at the end of" if score in self.label_range else "beyond"
        return (
            f"The score {score:.4g} is {place} what {self.predictor_name} has learnt from, labels from {low:.4g} to "
            f"{high:.4g}: believe the order, not the value{told}"
        )

    @property
    def label_names(self) -> tuple[str, ...]:
        return (SCORE, "accuracy")

    @property
    def also_measures(self) -> tuple[str, ...]:
        return ()

    def describe(self) -> dict[str, Any]:
        meaning = f": {self.card['labels']}" if "labels" in self.card else ""
        return {
            "evaluator": self.name,
            "labels": f"estimates of the surrogate {self.predictor_name}, no network was trained for them{meaning}",
            "predictor": self.predictor_name,
            "sha256": self.sha256,
        }


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in ("predictor.json", "weights.safetensors"):
        digest.update((folder / file).read_bytes())
    return digest.hexdigest()
