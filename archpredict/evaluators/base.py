"""Evaluator: who labels an architecture (one file each)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from archpredict._typing import IntArray
from archpredict.errors import UsageError
from archpredict.spaces.base import Architecture, SearchSpace

__all__ = ["Evaluator", "Result"]


@dataclass(frozen=True)
class Result:
    """One evaluation. A failed one is a result too: ``score`` is None and ``error`` says why.

    Args:
        architecture: What was evaluated.
        score: The label, higher is better; finite, or None where the evaluation failed.
        error: One sentence, set exactly where ``score`` is None.
        seconds: Wall time the evaluation took.
        metadata: Whatever else the evaluator knows, JSON-serialisable.
    """

    architecture: Architecture
    score: float | None
    error: str | None = None
    seconds: float = 0.0
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Evaluator(ABC):
    """Gives architectures a score. Stateless from the outside: the same architecture may be asked for again."""

    name: ClassVar[str]

    command_line_options: ClassVar[tuple[str, ...]] = ()
    """Options of ``archpredict search`` that are this evaluator's: ``data``, ``command``, ``dataset``, ...; giving
    one of these with another evaluator is an error."""

    @classmethod
    def from_command_line(cls, argument: str | None, space: SearchSpace, options: Mapping[str, Any]) -> Evaluator:
        """The evaluator that ``--evaluator NAME:ARGUMENT`` and further options describe.

        Args:
            argument: What follows the colon, None where nothing does.
            space: What is searched.
            options: Values of all options of the command, by name, with the defaults of those not given.

        Raises:
            UsageError: An option that is needed is missing, or the argument makes no sense.
        """
        if argument is not None:
            raise UsageError(
                f"--evaluator {cls.name} takes nothing after a colon, {argument!r} was given; leave it out"
            )
        return cls()

    @abstractmethod
    def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
        """Yield one result per architecture, each as soon as it is known, in any order.

        The caller records a result before it takes the next one, so that nothing finished is lost.
        A failure of one architecture is a Result with an error; an exception means that no evaluation can work.
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Configuration for the record of the run: JSON-serialisable, with hashes of the data it reads.

        Two evaluators with equal descriptions give the same labels. ``labels`` says in one plain sentence what a score
        of this evaluator is, and is shown to the user.
        """

    def pool(self) -> IntArray | None:
        """The choices ``(R, L)`` of the only architectures that can be labelled, or None where all can."""
        return None
