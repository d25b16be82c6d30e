"""Ranking: which of many models to train, with ties, probabilities, and what is to be said of each model."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archpredict.costs.adapted import AdaptedCost
from archpredict.costs.places import OwnDevice, places_of
from archpredict.costs.settings import Setting
from archpredict.errors import MissingDependencyError, UsageError, counted, whole_number, writing
from archpredict.graph.operators import OPERATORS
from archpredict.networks.form import Form
from archpredict.onnx.apart import FileReading
from archpredict.onnx.files import ONLY, Failure
from archpredict.onnx.reader import DEFAULT_SIZES, OpenSizes
from archpredict.predict.predictor import Predictor
from archpredict.predict.rank._candidates import Reading
from archpredict.predict.rank.adaptation import AdaptedPredictor, load_ranker
from archpredict.predict.rank.choosing import LeftOut, Limit, split, with_front
from archpredict.predict.rank.drawings import MOST_DRAWINGS, Drawings
from archpredict.predict.rank.following import following
from archpredict.predict.rank.own_labels import Adaptation, adapted
from archpredict.predict.rank.ranked import Ranked, Remark
from archpredict.predict.rank.ranking_table import html_table, notes, speed_notes, table
from archpredict.predict.rank.scored import ScoredModel, Scoring, ranked
from archpredict.progress import Observer, silent

if TYPE_CHECKING:
    from archpredict.onnx.modules import Example
    from archpredict.tables.model_labels import LabelsLike

__all__ = ["Ranked", "Ranking", "Remark", "rank"]

SHIPPED = "imagenet"
"""The predictor of image classifiers that ships with the package."""
_CHUNK = 256
"""Models that are scored together, and whose graphs are held at a time where there are more."""


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

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        below = [*self.notes, *(f"Error: {failure.error}" for failure in self.failures)]
        shown = html_table(self.rows) if self.rows or not self.failures else ""
        return f"<p>{escape(self.title)}</p>{shown}" + "".join(
            f"<p><small>{escape(line)}</small></p>" for line in below
        )

    def write_html(self, path: str | Path, again: Mapping[str, str] | None = None) -> Path:
        """Write a page of it: one HTML file that needs no network, with all rows, charts and drawings.

        Args:
            path: The file to make; one that is there is replaced.
            again: Texts that repeat the ranking, by what they do.

        Raises:
            RunError: It cannot be written.

        Example:
            >>> import tempfile
            >>> from archpredict.spaces import load_space
            >>> from archpredict.predict.predictor import Predictor
            >>> cells = load_space("nasbench201").architectures([[3] * 6, [1] * 6, [2] * 6])
            >>> ridge = Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0}).fit(cells, [3.0, 1.0, 2.0])
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     "3 models ranked" in rank(cells, ridge).write_html(f"{folder}/page.html").read_text()
            True
        """
        from archpredict.pages.page import write_page
        from archpredict.predict.rank.page import ranking_page

        with writing(path):
            return write_page(ranking_page(self, again), Path(path))

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
        others = ("remarks", "model", "assumed", "speeds", "on_front", "picture")
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
    files: FileReading = FileReading(),  # noqa: B008  # it never changes
    follow: str | Path | None = None,
    drawings: int = MOST_DRAWINGS,
    observer: Observer = silent,
) -> Ranking:
    """Rank models by the score that they are expected to reach, without training them.

    Every model is read once, equal ones are scored once. Weights are not needed. Models that cannot be read are among
    the ``failures``; the others are ranked.

    Args:
        models: What to rank, in a sequence or a mapping by name; one model may stand alone. A model is

            - a path of an ``.onnx`` or ``.onnx.gz`` file, a folder of them, or a pattern,
            - the name of a model of timm, ``"timm:resnet18"``, where timm is installed (extra ``timm``): it is made
              without trained weights, with an input of its default size,
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
        files: In how many processes files are read, or by which executor, how long and how large one may be, and a
            file that keeps what was read (:class:`archpredict.onnx.apart.FileReading`).
        follow: A CSV file that is written while models are read: their scores as they become known, in the order of
            reading and without ranks.
        drawings: How many files and modules are drawn, the best ones, for :meth:`Ranking.write_html`; 0 for none.
        observer: Is told how many models are read.

    Raises:
        UsageError: Something is no model, or none that the predictor reads; there is no such predictor or recipe; a
            shape is of no input.
        DataError: The labels cannot be used.
        MissingDependencyError: A model of timm is named, which is not installed.

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
    sizes, drawings = OpenSizes(image, sequence), whole_number("`drawings`", drawings, 0)
    reading = _reading(ranker, name, example, _shapes(input_shape, input_shapes), sizes, form or Form())
    reading = replace(reading, files=files)
    scored: list[ScoredModel] = []
    failures: dict[int, Failure] = {}
    adaptation, scoring, pictures = None, Scoring(ranker, asked), Drawings(drawings)
    with following(follow) as told:
        for chunk in reading.chunks(models, observer, None if labels is not None else _CHUNK):
            if labels is not None:  # all models are in this chunk
                found = chunk.candidates.values()
                names, architectures = [c.name for c in found], [c.architecture for c in found]
                unreadable = [failure.model for failure in chunk.failures.values()]
                adaptation = adapted(ranker, name, labels, names, architectures, unreadable)
                ranker = adaptation.ranker
                scoring = Scoring(ranker, asked)
            known = scoring(chunk)
            told(known, chunk.failures.values())
            pictures.add(known, chunk.candidates)
            scored += known
            failures |= chunk.failures
    card = ranker.card_
    meaning = str(card.get("meaning") or card.get("labels") or "higher is better").rstrip(".")
    stated = ranker.recipe_ if isinstance(ranker, Predictor) else None
    meaning += "" if stated is None else f", {_described(stated, card)}"
    unread = tuple(failures[i] for i in sorted(failures))
    return Ranking(
        name, meaning, with_front(tuple(ranked(scored, pictures.by_number))), unread, adaptation, sizes, stated
    )


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
