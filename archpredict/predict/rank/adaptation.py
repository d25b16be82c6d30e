"""AdaptedPredictor: a predictor that was trained on others' labels, adapted to a few labels of the user's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from archpredict._files import damage, read_tensors
from archpredict._typing import FloatArray
from archpredict.errors import DataError
from archpredict.metrics import kendall_tau
from archpredict.predict._data import Architectures, Columns, is_one
from archpredict.predict.batch import ArchLike
from archpredict.predict.calibration import check_labels
from archpredict.predict.inputs import Inputs, InputSpec
from archpredict.predict.model_card import write_model_card
from archpredict.predict.predictor import Predictor
from archpredict.predict.rank.reweighting import MAX_LABELS, Known, Reweighting, held_out
from archpredict.predict.storage import saving, write
from archpredict.predict.universal import UNIVERSAL, UniversalPredictor

__all__ = ["AdaptedPredictor", "LeaveOneOut", "load_ranker"]

MIN_LABELS = 3
BASE = "base"
MANIFEST = "adaptation.json"
_ARRAYS = "adaptation.safetensors"
_FORMAT = 1
_MAX_BYTES = 100_000_000
_COLUMNS = ("scores", "stds", "members", "numbers")


@dataclass(frozen=True)
class LeaveOneOut:
    """Leave-one-out figures: how well labelled architectures are ordered, each from the labels of all others.

    Args:
        before: Kendall's tau of the predictor as it was, which has seen none of the labels.
        after: Kendall's tau of what is learnt from all labels but one, for that one (of all but a twentieth, above 200
            labels); hyper-parameters included.
        labels: How many there are.
    """

    before: float
    after: float
    labels: int


class AdaptedPredictor:
    """An adapted predictor: a fitted one and a :class:`~archpredict.predict.rank.reweighting.Reweighting` on top of it.

    Predictions are on the scale of the new labels, whatever that of the old ones was; higher is better.

    Args:
        base: The fitted predictor.
        reweighting: What the labels say about its scores.
        card: What users should know.

    Attributes:
        card_: The card.

    Example:
        >>> from archpredict.spaces import load_space
        >>> space = load_space("nasbench201")
        >>> cells = space.architectures(space.sample(40, np.random.default_rng(0)))
        >>> sizes = [cell.cost["params"] for cell in cells]
        >>> base = Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0}).fit(cells[:20], sizes[:20])
        >>> adapted = AdaptedPredictor.fit(base, cells[20:30], [size / 1e6 for size in sizes[20:30]])
        >>> adapted.leave_one_out().labels, adapted.predict(cells[30:]).shape
        (10, (10,))
    """

    has_std = True

    def __init__(self, base: Predictor, reweighting: Reweighting, card: Mapping[str, Any] | None = None) -> None:
        self._base = base
        self._reweighting = reweighting
        self.card_ = dict(card or {})

    @classmethod
    def fit(
        cls,
        base: Predictor,
        architectures: Architectures,
        y: Sequence[float] | npt.NDArray[Any],
        features: Columns | None = None,
    ) -> AdaptedPredictor:
        """Adapt a fitted predictor; it stays as it is.

        Args:
            base: The predictor.
            architectures: ``n`` of the kind it reads, 3 to 1,000.
            y: ``(n,)`` finite labels on any scale, higher is better, not all equal.
            features: The columns that the base predictor was fitted with.

        Raises:
            DataError: Too few or too many labels, or labels that are not finite or all equal.
        """
        inputs = base.pack(architectures, features)
        labels = check_labels(inputs, y)
        if len(labels) < MIN_LABELS:
            raise DataError(f"adapting needs at least {MIN_LABELS} labelled models, {len(labels)} were given")
        if len(labels) > MAX_LABELS:
            raise DataError(
                f"adapting takes at most {MAX_LABELS:,} labels, {len(labels):,} were given; so many can train a "
                "predictor of their own: `Predictor.fit`"
            )
        return cls(base, Reweighting(_known(base, inputs), labels))

    def leave_one_out(self) -> LeaveOneOut:
        """Kendall's tau on the labels it was adapted to, before and after."""
        known, labels = self._reweighting.known, self._reweighting.labels
        before, after = kendall_tau(labels, known.scores), kendall_tau(labels, held_out(known, labels))
        return LeaveOneOut(before, after, len(labels))

    # ------------------------------------------------------------------ what it was made of

    @property
    def space_(self) -> str | None:
        """Name of the search space that the base predictor was fitted on; None for bare graphs."""
        return self._base.space_

    @property
    def feature_names_(self) -> tuple[str, ...]:
        """Names of the further columns that the base predictor was fitted with."""
        return self._base.feature_names_

    @property
    def spec_(self) -> InputSpec:
        """The inputs that the base predictor reads of an architecture."""
        return self._base.spec_

    def pack(self, architectures: Architectures, features: Columns | None = None) -> Inputs:
        """Architectures as the base predictor reads them; any method takes them too."""
        return self._base.pack(architectures, features)

    @property
    def has_novelty(self) -> bool:
        """Whether :meth:`novelty` works: numbers are read beside the graph."""
        return self._base.has_novelty

    # ------------------------------------------------------------------ predicting

    @overload
    def predict(
        self, architectures: Architectures, features: Columns | None = None, return_std: Literal[False] = False
    ) -> FloatArray: ...

    @overload
    def predict(
        self, architectures: Architectures, features: Columns | None = None, *, return_std: Literal[True]
    ) -> tuple[FloatArray, FloatArray]: ...

    def predict(self, architectures: Architectures, features: Columns | None = None, return_std: bool = False) -> Any:
        """Predicted scores on the scale of the new labels, ``(n,)``; higher is better.

        Args:
            architectures: ``n`` of the kind that the base predictor reads.
            features: The columns that it was fitted with.
            return_std: Also return standard deviations, ``(n,)``, from the same encodings.
        """
        mean, std = self._reweighting(_known(self._base, self._base.pack(architectures, features)))
        return (mean, std) if return_std else mean

    def predict_std(self, architectures: Architectures, features: Columns | None = None) -> FloatArray:
        """Standard deviation of the predictions, ``(n,)``, on the same scale."""
        return self.predict(architectures, features, return_std=True)[1]

    def rank(self, architectures: Architectures, features: Columns | None = None) -> npt.NDArray[np.int64]:
        """Indices of the architectures, best first."""
        return np.argsort(-self.predict(architectures, features), kind="stable")

    def compare(
        self,
        a: ArchLike | Architectures,
        b: ArchLike | Architectures | None = None,
        features: Columns | None = None,
        other_features: Columns | None = None,
    ) -> Any:
        """Probability that ``a`` is better than ``b``: ``Phi(difference / sqrt(std_a² + std_b²))``.

        Args:
            a: An architecture, or a sequence of ``n``.
            b: An architecture, or a sequence of ``m``; ``a`` itself if left out.
            features: The columns that the base predictor was fitted with, of ``a``.
            other_features: Those of ``b``.

        Returns:
            A float for two architectures, an ``(n, m)`` array for sequences.
        """
        from scipy.special import ndtr

        first = self.predict(self._base.pack_side(a, features), return_std=True)
        second = first if b is None else self.predict(self._base.pack_side(b, other_features), return_std=True)
        difference = first[0][:, None] - second[0][None, :]
        p: FloatArray = ndtr(difference / np.hypot(first[1][:, None], second[1][None, :]))
        return float(p[0, 0]) if is_one(a) and is_one(b) else p

    def score(
        self, architectures: Architectures, y: Sequence[float] | npt.NDArray[Any], features: Columns | None = None
    ) -> float:
        """Kendall's tau-b between predictions and labels."""
        return kendall_tau(np.asarray(y, dtype=float), self.predict(architectures, features))

    def novelty(self, architectures: Architectures, features: Columns | None = None) -> FloatArray:
        """Novelty ``(n,)``: how unlike all that the base predictor learnt from; above 1 is novel."""
        return self._base.novelty(architectures, features)

    # ------------------------------------------------------------------ saving

    def save(self, path: str | Path, card: Mapping[str, Any] | None = None) -> None:
        """Write a folder: the base predictor in ``base``, ``adaptation.json``, ``adaptation.safetensors``; no pickle.

        Args:
            path: Folder, made if it is not there.
            card: What users should know; ``card_`` if left out.

        Raises:
            RunError: It cannot be written; what was there is there still.
        """
        from safetensors.numpy import save_file

        known = self._reweighting.known
        arrays = {name: np.ascontiguousarray(getattr(known, name)) for name in _COLUMNS}
        card = dict(self.card_ if card is None else card)
        content = {"archpredict_adaptation": _FORMAT, "card": card}
        base = self._base._stored()
        with saving(Path(path)) as folder:
            write(folder / BASE, base)
            write_model_card(folder, Path(path), replace(base, card=card))
            save_file({**arrays, "labels": self._reweighting.labels}, folder / _ARRAYS)
            (folder / MANIFEST).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> AdaptedPredictor:
        """Read what :meth:`save` has written.

        Args:
            path: The folder.
            device: Where to predict: ``auto``, ``cpu`` or ``cuda``.

        Raises:
            DataError: The folder does not hold a valid adapted predictor.
        """
        folder = Path(path)
        try:
            card, known, labels = _read(folder)
            base = Predictor.load(folder / BASE, device)
            if known.numbers.shape[1] != int(_varied(base).sum()):
                raise ValueError("its numbers are not those of its predictor")
            if known.members.shape[1] != len(base.ensemble_.weights):
                raise ValueError("its members are not those of its predictor")
            return cls(base, Reweighting(known, labels), card)
        except Exception as error:  # whatever a damaged or hostile folder provokes
            raise DataError(f"{folder} does not hold a valid adapted predictor: {damage(error)}") from error


def load_ranker(path: str | Path, device: str = "auto") -> Predictor | AdaptedPredictor:
    """A saved predictor, a shipped one by its name, or an adapted one: what the folder holds.

    Of the predictor ``universal`` it is the part that ranks models.
    """
    if str(path) == UNIVERSAL:
        return UniversalPredictor().models
    if (Path(path) / MANIFEST).is_file():
        return AdaptedPredictor.load(path, device)
    return Predictor.load(path, device)


def _known(base: Predictor, inputs: Inputs) -> Known:
    """What the predictor tells of architectures, each of which is encoded once."""
    ensemble = base.ensemble_
    members = ensemble.member_predictions(inputs)
    scores = ensemble.calibration(ensemble.mean_scores(members.scores))
    stds = ensemble.std(members) if ensemble.has_std else np.zeros(len(scores))
    standardized = ensemble.standardized(members.scores)
    deviations = (standardized - standardized.mean(axis=0)).T
    return Known(scores, stds, deviations, members.side[:, : base.spec_.num_shared][:, _varied(base)])


def _varied(base: Predictor) -> npt.NDArray[np.bool_]:
    """Which of the numbers beside the graph vary; those that were constant in training would thin out distances."""
    scale = base.spec_.scale
    return np.zeros(0, dtype=np.bool_) if scale is None else np.asarray(scale[: base.spec_.num_shared] > 0)


def _read(folder: Path) -> tuple[dict[str, Any], Known, FloatArray]:
    for name in (MANIFEST, _ARRAYS):
        if (folder / name).stat().st_size > _MAX_BYTES:
            raise ValueError(f"{name} is larger than {_MAX_BYTES:,} bytes")
    content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if content["archpredict_adaptation"] != _FORMAT:
        raise ValueError(f"its format is {content['archpredict_adaptation']!r}, this version reads {_FORMAT}")
    arrays = read_tensors(folder / _ARRAYS, "np")[1]
    labels, parts = arrays["labels"], [arrays[name] for name in _COLUMNS]
    n = len(labels)
    if not MIN_LABELS <= n <= MAX_LABELS or labels.ndim != 1:
        raise ValueError(f"it holds {n} labels")
    if [part.ndim for part in parts] != [1, 1, 2, 2] or {len(part) for part in parts} != {n}:
        raise ValueError("it does not hold one row for each label")
    if not all(part.dtype == np.float64 and np.isfinite(part).all() for part in (labels, *parts)):
        raise ValueError("its numbers are not all finite doubles")
    return dict(content["card"]), Known(*parts), labels
