"""Evaluator: what labels architectures (one file each), and what turns a name, a table or a function into one."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from archpredict._typing import IntArray
from archpredict.errors import ArchPredictError, UsageError, described
from archpredict.registry import find, names, resolve
from archpredict.registry.options import Option, check_options, options_of
from archpredict.spaces.base import Architecture, SearchSpace, load_space
from archpredict.tables.table import Table

_KIND = "evaluators"
SCORE = "score"
"""What the label of an evaluator is called where it has no name of its own."""

__all__ = ["SCORE", "Evaluator", "Result", "as_evaluator", "evaluator_options"]


@dataclass(frozen=True)
class Result:
    """The result of one evaluation. A failed one is a result too: ``score`` is None and ``error`` says why.

    Args:
        architecture: What was evaluated.
        score: The label, higher is better; finite, or None where the evaluation failed.
        error: One sentence, set exactly where ``score`` is None.
        seconds: Wall time the evaluation took.
        metadata: Whatever else the evaluator knows, JSON-serialisable.
        values: The numbers that a search asks for beside one score, by name: its objectives, and what is limited. The
            search fills them in, from metadata, score and costs; an evaluator leaves them empty.
    """

    architecture: Architecture
    score: float | None
    error: str | None = None
    seconds: float = 0.0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)


class Evaluator(ABC):
    """A performance estimator: labels architectures with scores.

    Stateless from the outside: the same architecture may be asked for again.
    """

    name: ClassVar[str]

    @classmethod
    def for_space(cls, space: str | SearchSpace, /, *arguments: Any, **options: Any) -> Evaluator:
        """The evaluator of a space, made of plain values: texts, numbers, and mappings of them.

        This is what a name becomes, in ``search(space, "train", evaluator_options={"dataset": "digits"})`` as on the
        command line. The keyword arguments are the options of the evaluator; the first may be written after its name,
        as in ``zero-cost:synflow``. ``seed``, ``device`` and ``jobs`` are those of the search where they are not given.
        A class whose constructor takes plain values alone need not define this.

        Args:
            space: What is searched.
            arguments: Of the constructor.
            options: Of the constructor, by name.

        Raises:
            UsageError: They make no sense.
        """
        return cls(*arguments, **options)

    @classmethod
    def options(cls) -> dict[str, Option]:
        """The options of :meth:`for_space` by name."""
        plain = cls.for_space.__func__ is Evaluator.for_space.__func__  # type: ignore[attr-defined]
        return options_of(cls if plain else cls.for_space, leave_out=("space",) if not plain else ())

    @abstractmethod
    def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
        """Yield one result per architecture, each as soon as it is known, in any order (see :attr:`at_a_time` too).

        The caller records a result before it takes the next one, so that nothing finished is lost.
        A failure of one architecture is a Result with an error; an exception means that no evaluation can work.
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Configuration for the record of the run: JSON-serialisable, with hashes of the data it reads.

        Two evaluators with equal descriptions give the same labels. ``labels`` says in one plain sentence what a score
        of this evaluator is, and is shown to the user.
        """

    @property
    def at_a_time(self) -> int:
        """Evaluations that run side by side.

        Where it is more than 1, :meth:`evaluate` takes architectures one by one from an iterator whenever it has room
        for one; where the iterator has none, it is asked again after the next result, until nothing runs any more.
        """
        return 1

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names under which the score may be asked for as an objective, the first of them for sentences."""
        return (SCORE,)

    @property
    def also_measures(self) -> tuple[str, ...] | None:
        """Names of the numbers in the metadata of its results, None where only an evaluation can tell."""
        return None

    def believed(self, score: float) -> str | None:
        """How far this score can be believed, in a sentence that is shown to the user; None where it is what it is."""
        return None

    def pool(self) -> IntArray | None:
        """The choices ``(R, L)`` of the only architectures that can be labelled, or None where all can."""
        return None


def as_evaluator(
    given: Any,
    space: str | type[SearchSpace] | SearchSpace,
    *,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: str = "auto",
    jobs: int = 1,
    measured: Sequence[str] = (),
) -> Evaluator:
    """The evaluator that was given: as an object, by name with its options, as a table, or as a function.

    Args:
        given: An Evaluator; a name such as ``"train"`` or ``"zero-cost:synflow"``, or a reference ``module:Class`` or
            ``path/to/file.py:Class``; a Table; or a callable that takes an Architecture.
        space: The space that is searched.
        options: Of an evaluator that is given by name.
        seed: For an evaluator given by name that has this option.
        device: The same.
        jobs: Evaluations at a time, for those too and for callables.
        measured: Names of the numbers that are wanted of an evaluation, where it is not the score alone. The first is
            the ``target`` of an evaluator that has this option and is not given it, the others are ``features`` of it.

    Raises:
        UsageError: It is none of these, a table of another space, or has other options.

    Example:
        >>> as_evaluator(len, "nasbench201").name
        'function'
    """
    space = load_space(space)
    if isinstance(given, str):
        common = {"seed": seed, "device": device, "jobs": jobs, **_wanted(measured, options or {})}
        return _named(given, space, options or {}, common)
    if options:
        raise UsageError(
            f"`evaluator_options` are for an evaluator that is given by name, {', '.join(options)} were given with an "
            "object; set them where it is made"
        )
    if isinstance(given, Evaluator):
        return given
    if isinstance(given, Table):
        if (given.space.name, given.space.num_choices) != (space.name, space.num_choices):
            raise UsageError(
                f"the table {given.path} is of the space {given.space.name}, the search is in {space.name}; "
                "read the table with the space that is searched"
            )
        return _built_in("table", given)
    if callable(given) and not isinstance(given, type):
        return _built_in(
            "function", given, jobs=jobs, **{k: v for k, v in _wanted(measured, {}).items() if k == "target"}
        )
    what = f"the class {given.__name__}" if isinstance(given, type) else f"an object of type {type(given).__name__}"
    raise UsageError(
        f"{what} was given as the evaluator; expected an Evaluator instance, the name of one, a Table, "
        "or a function that takes an Architecture and returns its score"
    )


def evaluator_options(reference: str) -> dict[str, Option]:
    """Options of the evaluator of a name or a reference; the one that may follow a colon comes first.

    Example:
        >>> list(evaluator_options("command"))
        ['command', 'target', 'timeout', 'retries', 'jobs']
    """
    return _options(_found(reference)[0])


def _wanted(measured: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that say which numbers are wanted of an evaluation."""
    if not measured:
        return {}
    target = options.get("target", measured[0])
    return {"target": target, "features": [name for name in measured if name not in (target, SCORE)]}


def _built_in(name: str, *arguments: Any, **options: Any) -> Evaluator:
    made: Evaluator = resolve(_KIND, name, Evaluator)(*arguments, **options)
    return made


def _found(reference: str) -> tuple[Any, str | None]:
    """A class of evaluators, a function or an object of the user's, and what follows the colon of a name."""
    name, colon, argument = reference.partition(":")
    if colon and name.replace("_", "-") in names(_KIND):
        return resolve(_KIND, name, Evaluator), argument
    found = find(_KIND, reference)
    if ":" in reference and not isinstance(found, type):
        return found, None
    return resolve(_KIND, reference, Evaluator), None


def _options(maker: Any) -> dict[str, Option]:
    if isinstance(maker, Evaluator):
        return {}
    return maker.options() if isinstance(maker, type) and issubclass(maker, Evaluator) else options_of(maker)


def _named(reference: str, space: SearchSpace, given: Mapping[str, Any], common: Mapping[str, Any]) -> Evaluator:
    """The evaluator that a name and options describe; of the common ones those that it has."""
    maker, argument = _found(reference)
    known = _options(maker)
    is_class, first = inspect.isclass(maker), next(iter(known), "")
    what = f"the evaluator {maker.name if is_class else reference}"
    if argument is not None:
        if not first:
            raise UsageError(f"{what} takes nothing after a colon, {argument!r} was given; leave it out")
        if first in given:
            raise UsageError(f"`{first}` of {what} was given after a colon too, as {argument!r}; leave one out")
        given = {first: argument, **given}
    options = {**{name: value for name, value in common.items() if name in known}, **given}
    check_options(what, options, known, "" if first in options else f", e.g. as {reference}:{first.upper()}")
    if isinstance(maker, Evaluator):
        return maker
    made = _made(reference, partial(maker.for_space, space) if is_class else maker, options)
    if not isinstance(made, Evaluator):
        raise UsageError(
            f"{reference} makes a {type(made).__name__}; expected a class derived from archpredict.Evaluator"
        )
    return made


def _made(reference: str, maker: Any, options: Mapping[str, Any]) -> Any:
    try:
        return maker(**options)
    except ArchPredictError:
        raise
    except Exception as error:
        if reference.partition(":")[0].replace("_", "-") in names(_KIND):
            raise
        raise UsageError(f"{reference} cannot be made: {described(error)}") from error
