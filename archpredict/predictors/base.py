"""Named predictors: configurations of Predictor that can be asked for by name (one file each)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, ClassVar

from sklearn.base import BaseEstimator, clone

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


def unfitted(predictor: Any) -> Any:
    """A predictor of one's own of what the user named or gave.

    Args:
        predictor: The name of a predictor, arguments of Predictor, or an unfitted estimator with its methods, of which
            a copy is made.

    Raises:
        UsageError: It is none of these.

    Example:
        >>> unfitted({"ensemble": 2}).ensemble
        2
    """
    if isinstance(predictor, str):
        return resolve("predictors", predictor, NamedPredictor).make()
    if isinstance(predictor, Mapping):
        known = Predictor().get_params(deep=False)
        for name in predictor:
            if name not in known:
                raise UnknownNameError("argument of Predictor", name, known)
        return Predictor(**predictor)
    if not isinstance(predictor, BaseEstimator):
        raise UsageError(
            f"the predictor is a name, an unfitted Predictor, or a mapping of its arguments; {predictor!r} was given"
        )
    return clone(predictor)
