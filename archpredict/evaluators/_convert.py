"""What a user may give as an evaluator, as an Evaluator."""

from __future__ import annotations

from typing import Any

from archpredict.errors import UsageError
from archpredict.evaluators.base import Evaluator
from archpredict.registry import resolve
from archpredict.spaces.base import SearchSpace
from archpredict.tables.table import Table


def as_evaluator(given: Any, space: SearchSpace, *, jobs: int = 1) -> Evaluator:
    """An evaluator as it is, a table as a TableEvaluator, a function as a FunctionEvaluator.

    Args:
        given: An Evaluator, a Table, or a callable that takes an Architecture.
        space: The space that is searched.
        jobs: Calls at a time, where a callable is given.

    Raises:
        UsageError: It is none of these, or a table of another space.

    Example:
        >>> from archpredict.spaces import load_space
        >>> as_evaluator(len, load_space("nasbench201")).name
        'function'
    """
    if isinstance(given, Evaluator):
        return given
    if isinstance(given, Table):
        if (given.space.name, given.space.num_choices) != (space.name, space.num_choices):
            raise UsageError(
                f"the table {given.path} is of the space {given.space.name}, the search is in {space.name}; "
                "read the table with the space that is searched"
            )
        return _made("table", given)
    if callable(given) and not isinstance(given, type):
        return _made("function", given, jobs=jobs)
    what = f"the class {given.__name__}" if isinstance(given, type) else f"an object of type {type(given).__name__}"
    raise UsageError(
        f"{what} was given as the evaluator; expected an Evaluator instance, a Table, "
        "or a function that takes an Architecture and returns its score"
    )


def _made(name: str, *arguments: Any, **options: Any) -> Evaluator:
    made: Evaluator = resolve("evaluators", name, Evaluator)(*arguments, **options)
    return made
