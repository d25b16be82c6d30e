"""Ranking: which of many models to train, with ties, probabilities, and what is to be said of each model."""

from __future__ import annotations

import importlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from archpredict._typing import FloatArray
from archpredict.costs.adapted import AdaptedCost
from archpredict.costs.cost import Cost
from archpredict.costs.places import OwnDevice, Place, costs_at, places_of
from archpredict.costs.settings import Setting
from archpredict.errors import MissingDependencyError, UsageError, counted, whole_number
from archpredict.graph.operators import OPERATORS
from archpredict.networks.form import Form
from archpredict.onnx.files import ONLY, Failure, not_a_classifier
from archpredict.onnx.reader import DEFAULT_SIZES, SIZE_TAKEN, OpenSizes
from archpredict.predict.predictor import Predictor
from archpredict.predict.rank._candidates import Candidate, Reading, equal
from archpredict.predict.rank.adaptation import AdaptedPredictor, load_ranker
from archpredict.predict.rank.choosing import LeftOut, Limit, split, with_front
from archpredict.predict.rank.own_labels import Adaptation, adapted
from archpredict.predict.rank.ranked import Ranked, Remark
from archpredict.predict.rank.ranker import Ranker
from archpredict.predict.rank.ranking_table import notes, speed_notes, table
from archpredict.progress import Observer, silent

if TYPE_CHECKING:
    from archpredict.onnx.modules import Example
    from archpredict.tables.model_labels import LabelsLike

__all__ = ["Ranked", "Ranking", "Remark", "rank"]

SHIPPED = "imagenet"
"""The predictor of image classifiers that ships with the package."""
OUT = "out of distribution"
_UNPLACED = 0.1
"""Share of parameters in layers of unknown size from which on a model is unlike those that were learnt from."""


@dataclass(frozen=True)
class Ranking(Sequence[Ranked]):
    """Models, best first: a sequence of rows that prints as a table. Made by :func:`rank`.

    Args:
        predictor: Name of the predictor.
        meaning: What a score means.
        rows: The models.
        failures: Those that could not be read, and why.
        adaptation: How well labels of one's own were learnt, where they were given.
        sizes: Of images and sequences, where files leave them open.
        recipe: By which the models are taken to be trained; None where the predictor knows no recipes, or was adapted
            to labels, whose recipe is then meant.
        left_out: Models outside of limits, and why (:meth:`within`).
    """

    predictor: str
    meaning: str
    rows: tuple[Ranked, ...]
    failures: tuple[Failure, ...] = ()
    adaptation: Adaptation | None = field(default=None, compare=False)
    sizes: OpenSizes = DEFAULT_SIZES
    recipe: str | None = None
    left_out: tuple[LeftOut, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    def __iter__(self) -> Iterator[Ranked]:
        return iter(self.rows)

    @property
    def title(self) -> str:
        """The title: what was done, for the line above a table."""
        under = "" if self.recipe is None else f" under the recipe {self.recipe}"
        return f"{counted(len(self), 'model')} ranked by {self.predictor}{under}"

    @property
    def notes(self) -> list[str]:
        """Notes below a table, a line each: what columns mean, what to know of models, how well labels were learnt."""
        found = [*notes(self.rows, self.meaning), *speed_notes(self.rows)]
        if self._takes_sizes:
            size = self.sizes.image
            taken = f"images as {size} x {size}, sequences as {self.sizes.sequence} long, batches as 1"
            found.append(f"Sizes that a file leaves open are taken as stated: {taken}.")
        return found if self.adaptation is None else [*found, str(self.adaptation)]

    @property
    def _takes_sizes(self) -> bool:
        """Whether a file leaves open how large its inputs are."""
        return any(row.assumed for row in self.rows)

    def __str__(self) -> str:
        lines = [self.title, *table(self.rows)] if self.rows or not self.failures else []
        return "\n".join([*lines, *self.notes, *(f"Error: {failure.error}" for failure in self.failures)])

    def to_dict(self) -> dict[str, Any]:
        """For JSON, stable from version to version.

        Its keys are ``predictor``, ``score`` (what it means), ``recipe`` (where the predictor knows recipes),
        ``input_size`` and ``sequence_length`` (where files leave the sizes of inputs open), ``ranking``, ``failed``,
        with limits ``left_out`` and, with labels, ``adaptation``.
        """
        content: dict[str, Any] = {
            "predictor": self.predictor,
            "score": self.meaning,
            **({} if self.recipe is None else {"recipe": self.recipe}),
            **({"input_size": self.sizes.image, "sequence_length": self.sizes.sequence} if self._takes_sizes else {}),
            "ranking": [row.to_dict() for row in self.rows],
            "failed": [{"model": failure.model, "error": failure.error} for failure in self.failures],
        }
        if self.left_out:
            content["left_out"] = [{"model": row.name, "reason": row.reason} for row in self.left_out]
        return content if self.adaptation is None else {**content, "adaptation": self.adaptation.to_dict()}

    def within(self, limits: Sequence[Limit]) -> Ranking:
        """The models inside of all limits, with the ranks that they have among all.

        Args:
            limits: On ``score``, ``params``, ``macs``, ``nodes``, ``throughput``, or another cost that is known.

        Raises:
            UsageError: There is a limit on ``throughput`` or another cost, and nothing is known of it.
        """
        kept, left_out = split(self.rows, limits)
        return replace(self, rows=with_front(kept), left_out=(*self.left_out, *left_out))

    @property
    def front(self) -> tuple[Ranked, ...]:
        """The models that no other beats in both score and speed; empty where no speeds were asked for."""
        return tuple(row for row in self.rows if row.on_front)

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame`` with one row per model; what is not known is missing.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            raise MissingDependencyError(
                "to_pandas() needs the package pandas, which is not installed; pip install pandas, or use to_dict()"
            ) from error
        others = ("remarks", "model", "assumed", "speeds", "on_front")
        names = [name for name in Ranked.__dataclass_fields__ if name not in others]
        columns = {name: [getattr(row, name) for row in self.rows] for name in names}
        for i, speed in enumerate(self.rows[0].speeds if self.rows else ()):
            what = "images per second" if speed.is_speed else speed.what
            columns[f"{what}: {speed.where}"] = [row.speeds[i].value for row in self.rows]
        remarks = ["; ".join(remark.sentence for remark in row.remarks) for row in self.rows]
        return pandas.DataFrame({**columns, "remarks": remarks})


def rank(
    models: Any,
    predictor: str | Path | Predictor | AdaptedPredictor = SHIPPED,
    *,
    example: Example | None = None,
    input_shape: Sequence[int] | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    input_size: int = DEFAULT_SIZES.image,
    sequence_length: int = DEFAULT_SIZES.sequence,
    labels: LabelsLike | None = None,
    recipe: str | None = None,
    form: Form | None = None,
    settings: Sequence[Setting | OwnDevice | AdaptedCost | str | Path] = (),
    device: str = "auto",
    observer: Observer = silent,
) -> Ranking:
    """Rank models by the score that they are expected to reach, without training them.

    Every model is read once, equal ones are scored once. Weights are not needed. Models that cannot be read are among
    the ``failures``; the others are ranked.

    Args:
        models: What to rank, in a sequence or a mapping by name; one model may stand alone. A model is

            - a path of an ``.onnx`` or ``.onnx.gz`` file, a folder of them, or a pattern,
            - an ``onnx.ModelProto``,
            - a ``torch.nn.Module`` with an input, ``(module, example)``; it is traced in memory
              (:func:`archpredict.onnx.modules.read_module`),
            - an ArchGraph of a whole network, or an Architecture of a space that has ``network()``,
            - for a predictor of a search space: an Architecture or graph of this space.

        predictor: Name of a shipped predictor, a folder with a saved one, or a fitted one.
        example: Input of torch modules that come without one.
        input_shape: Shape of the input where files leave it open, for models with one input.
        input_shapes: The same by the name of the input.
        input_size: Height and width of images, where files leave them open and no shape is given.
        sequence_length: Length of texts and time series, likewise.
        labels: Scores of models that you have measured, by name, or a table with the columns ``model`` and ``score``;
            higher is better. The predictor is adapted to them first (:mod:`archpredict.predict.rank.adaptation`).
        recipe: How the models are taken to be trained: one of the recipes that the predictor has learnt from, its own
            choice if left out. With labels, where the adaptation starts from.
        form: Images and options with which architectures become networks; as for CIFAR-10 if left out.
        settings: Where the models are to run: names of devices, settings of the predictor of speed
            (:func:`archpredict.costs.shipped.shipped_speed`), adapted costs
            (:class:`archpredict.costs.adapted.AdaptedCost`) or files of these. The rows have a speed, or another cost,
            for each.
        device: Where to predict: ``auto``, ``cpu`` or ``cuda``. A fitted predictor stays where it is.
        observer: Is told how many models are read.

    Raises:
        UsageError: Something is no model, or none that the predictor reads; there is no such predictor or recipe; a
            shape is of no input.
        DataError: The labels cannot be used.

    Example:
        >>> from torch import nn, zeros
        >>> def network(width):
        ...     first, second = nn.Conv2d(3, width, 3, stride=2), nn.Conv2d(width, 2 * width, 3, stride=2)
        ...     rest = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, 1000)
        ...     return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), *rest)
        >>> ranking = rank({"narrow": network(8), "wide": network(32)}, example=zeros(1, 3, 64, 64))
        >>> [row.name for row in ranking], ranking[0].params
        (['wide', 'narrow'], 84392)
    """
    asked = places_of(settings)
    name = str(predictor) if isinstance(predictor, str | Path) else type(predictor).__name__
    ranker = load_ranker(predictor, device) if isinstance(predictor, str | Path) else predictor
    if recipe is not None:
        ranker = _under(ranker, name, recipe)
    image, sequence = (
        whole_number(f"`{what}`", number, 1)
        for what, number in (("input_size", input_size), ("sequence_length", sequence_length))
    )
    sizes = OpenSizes(image, sequence)
    reading = _reading(ranker, name, example, _shapes(input_shape, input_shapes), sizes, form or Form())
    candidates, failures = reading.candidates(models, observer)
    adaptation = None
    if labels is not None:
        names, architectures = [c.name for c in candidates], [c.architecture for c in candidates]
        adaptation = adapted(ranker, name, labels, names, architectures, [failure.model for failure in failures])
        ranker = adaptation.ranker
    card = ranker.card_
    meaning = str(card.get("meaning") or card.get("labels") or "higher is better").rstrip(".")
    stated = ranker.recipe_ if isinstance(ranker, Predictor) else None
    meaning += "" if stated is None else f", {_described(stated, card)}"
    rows = tuple(_ranked(candidates, ranker, _speeds(candidates, asked)))
    return Ranking(name, meaning, with_front(rows), tuple(failures), adaptation, sizes, stated)


def _speeds(candidates: Sequence[Candidate], places: Sequence[Place]) -> list[tuple[Cost, ...]]:
    """What each candidate costs, once for each place.

    Raises:
        UsageError: They are no networks as a whole.
    """
    if not places or not candidates:
        return [() for _ in candidates]
    return costs_at(places, [candidate.graph for candidate in candidates])


def _under(ranker: Any, name: str, recipe: str) -> Predictor:
    """The predictor, with models taken to be trained by a recipe.

    Raises:
        UsageError: It knows no recipes, or not this one.
    """
    if isinstance(ranker, AdaptedPredictor):
        raise UsageError(
            f"the predictor {name} is adapted to labels, and ranks as they were trained; leave `recipe` out"
        )
    if not isinstance(ranker, Predictor) or not ranker.recipes_:
        raise UsageError(f"the predictor {name} knows no training recipes; leave `recipe` out")
    return ranker.under(recipe)


def _described(recipe: str, card: Mapping[str, Any]) -> str:
    """A recipe in words, as far as the card has any.

    Example:
        >>> _described("short", {"recipes": {"short": "100 epochs at 160 pixels"}})
        'under the recipe short (100 epochs at 160 pixels)'
    """
    words = (card.get("recipes") or {}).get(recipe)
    return f"under the recipe {recipe}" + (f" ({words})" if words else "")


def _shapes(only: Sequence[int] | None, by_name: Mapping[str, Sequence[int]] | None) -> dict[str, tuple[int, ...]]:
    shapes = {} if only is None else {ONLY: tuple(only)}
    return {**shapes, **{name: tuple(shape) for name, shape in (by_name or {}).items()}}


def _reading(
    ranker: Any,
    name: str,
    example: Example | None,
    shapes: Mapping[str, tuple[int, ...]],
    sizes: OpenSizes,
    form: Form,
) -> Reading:
    """The reading of models that the predictor needs.

    Raises:
        UsageError: It is no predictor, or reads numbers that models do not tell.
    """
    if not isinstance(ranker, Predictor | AdaptedPredictor):
        raise UsageError(f"`predictor` is a name, a folder or a fitted predictor; {type(ranker).__name__} was given")
    if ranker.feature_names_:
        raise UsageError(
            f"the predictor {name} also reads {', '.join(ranker.feature_names_)}, which a model does not tell; "
            "take another one"
        )
    networks = ranker.space_ is None and set(ranker.spec_.vocabulary) <= set(OPERATORS)
    return Reading(name, ranker.space_, networks, example, shapes, sizes, form)


def _reads_choices(ranker: Ranker) -> bool:
    spec = ranker.spec_
    return spec.form == "choices" or any(source.name == "choices" for source in spec.sources.sources)


# ---------------------------------------------------------------------- rows


class _Predicted(NamedTuple):
    """``(n,)`` predictions for distinct architectures; None where the predictor cannot tell."""

    scores: FloatArray
    stds: FloatArray | None
    novelty: FloatArray | None


def _predicted(ranker: Ranker, architectures: Sequence[Any]) -> _Predicted:
    inputs = ranker.pack(architectures)
    novelty = ranker.novelty(inputs) if ranker.has_novelty else None
    if not ranker.has_std:
        return _Predicted(ranker.predict(inputs), None, novelty)
    return _Predicted(*ranker.predict(inputs, return_std=True), novelty)


def _ranked(candidates: Sequence[Candidate], ranker: Ranker, speeds: Sequence[tuple[Cost, ...]]) -> list[Ranked]:
    """The models, best first; equal ones are scored once and tied."""
    if not candidates:
        return []
    kinds = equal(candidates, by_choices=_reads_choices(ranker))
    distinct = sorted(set(kinds))
    place = {kind: i for i, kind in enumerate(distinct)}
    scores, stds, novelty = _predicted(ranker, [candidates[kind].architecture for kind in distinct])
    of = [place[kind] for kind in kinds]
    counts = Counter(scores[k] for k in of)
    order = sorted(range(len(candidates)), key=lambda i: -scores[of[i]])  # stable: ties stay as they were given
    rows: list[Ranked] = []
    for i, after in zip_longest(order, order[1:]):
        k, candidate = of[i], candidates[i]
        above = rows and rows[-1].score == scores[k]
        params, macs = candidate.costs
        better = None
        if after is not None and stds is not None:
            better = _better(scores[k] - scores[of[after]], stds[k], stds[of[after]])
        row = Ranked(
            rank=rows[-1].rank if above else len(rows) + 1,
            tied=counts[scores[k]] > 1,
            name=candidate.name,
            score=float(scores[k]),
            std=None if stds is None else float(stds[k]),
            beats_next=better,
            params=params,
            macs=macs,
            nodes=candidate.graph.num_nodes,
            novelty=None if novelty is None else float(novelty[k]),
            remarks=_remarks(candidate, novelty is not None and bool(novelty[k] > 1)),
            assumed={} if candidate.source is None else candidate.source.assumed,
            model=candidate.model,
            speeds=speeds[i],
        )
        rows.append(row)
    return rows


def _remarks(candidate: Candidate, novel: bool) -> tuple[Remark, ...]:
    """Remarks on a model: first what size it was taken to have, then the others, the gravest first."""
    found, source = [], candidate.source
    sentences = () if source is None else source.warnings
    sizes = [sentence for sentence in sentences if sentence.startswith(SIZE_TAKEN)]
    found += [Remark("size taken", sentence) for sentence in sizes]
    other = None if source is None else not_a_classifier(source)
    if other is not None:
        found.append(Remark(OUT, f"out of distribution: it looks like no image classifier: {other}"))
    elif source is not None and source.unplaced >= _UNPLACED:
        share = f"{100 * source.unplaced:.0f} % of its parameters are in layers whose sizes are not known"
        found.append(Remark(OUT, f"out of distribution: {share}"))
    elif novel:
        found.append(Remark(OUT, "out of distribution: it is far from all models that the predictor has learnt from"))
    for sentence in sentences:
        if sentence not in sizes:
            of_operators = source is not None and any(name in sentence for name in source.unknown)
            found.append(Remark("unknown operators" if of_operators else "see below", sentence))
    return tuple(found)


def _better(difference: float, a: float, b: float) -> float:
    """``Phi(difference / sqrt(a² + b²))``.

    Example:
        >>> _better(0.0, 0.0, 0.0), round(_better(1.0, 0.6, 0.8), 4)
        (0.5, 0.8413)
    """
    spread = math.hypot(a, b)
    if not spread:
        return 0.5 if not difference else float(difference > 0)
    return 0.5 * (1 + math.erf(difference / spread / math.sqrt(2)))
