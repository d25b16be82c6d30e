"""Named predictors: configurations of Predictor that can be asked for by name (one file each)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, ClassVar

from sklearn.base import clone

from archpredict.errors import UnknownNameError, UsageError
from archpredict.predictor import Predictor
from archpredict.registry import resolve


class NamedPredictor(ABC):
    """A published predictor, a baseline, or ours. The docstring's first line is shown to users.

    Example:
        >>> from archpredict.registry import resolve
        >>> resolve("predictors", "extra-trees", NamedPredictor).make(seed=3).seed
        3
    """

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def arguments(cls) -> dict[str, Any]:
        """Arguments of :class:`~archpredict.predictor.Predictor`."""

    @classmethod
    def make(cls, **overrides: Any) -> Predictor:
        """The unfitted predictor.

        Args:
            overrides: Arguments of :class:`~archpredict.predictor.Predictor` that replace those of the configuration.
        """
        return Predictor(**{**deepcopy(cls.arguments()), **overrides})


def unfitted(predictor: str | Predictor | Mapping[str, Any]) -> Predictor:
    """A predictor of one's own of what the user named or gave.

    Args:
        predictor: The name of a predictor, an unfitted one (a copy is made), or arguments of Predictor.

    Example:
        >>> unfitted({"ensemble": 2}).ensemble
        2
    """
    if isinstance(predictor, str):
        made: Predictor = resolve("predictors", predictor, NamedPredictor).make()
        return made
    if isinstance(predictor, Mapping):
        known = Predictor().get_params(deep=False)
        for name in predictor:
            if name not in known:
                raise UnknownNameError("argument of Predictor", name, known)
        return Predictor(**predictor)
    if not isinstance(predictor, Predictor):
        raise UsageError(
            f"the predictor is a name, an unfitted Predictor, or a mapping of its arguments; {predictor!r} was given"
        )
    copy: Predictor = clone(predictor)
    return copy
