"""Settings of strategies that have presets: a preset, some of whose values the user replaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from archpredict.errors import UnknownNameError
from archpredict.predict.presets import unfitted
from archpredict.predict.transfer.shipped import Transfer, model_of
from archpredict.registry.arguments import check_choice


@dataclass(frozen=True)
class RoundSettings:
    """Settings that strategies in rounds have in common.

    Args:
        predictor: Fitted anew in each round: the name of a predictor, arguments of Predictor, or an unfitted one, of
            which copies are fitted; None: the one that the space names.
        transfer: Start with what labels of other search spaces expect most of, and learn from these labels too, where
            the space defines its networks. Labels of the space itself, or of one that shares its cells, never help. Or
            the file of a transfer model of your own
            (:meth:`TransferModel.save <archpredict.predict.transfer.model.TransferModel.save>`) to learn from instead.
    """

    predictor: Any = None
    transfer: Transfer = True

    def __post_init__(self) -> None:
        model_of(self.transfer)  # says what is wrong with it
        if self.predictor is not None:
            unfitted(self.predictor)  # says what is wrong with it


S = TypeVar("S", bound=RoundSettings)


def with_options(strategy: str, presets: Mapping[str, S], preset: str, options: Mapping[str, Any]) -> S:
    """A preset's settings, some of them replaced; arguments of a predictor are put on top of the preset's.

    Args:
        strategy: Its name, for messages.
        presets: Settings by name.
        preset: One of the names.
        options: Values by the name of a setting.

    Raises:
        UnknownNameError: There is no such preset or setting.
        UsageError: A value that is out of its range.
    """
    check_choice("preset", preset, presets)
    settings = presets[preset]
    known = {f.name for f in fields(settings)}
    for name in options:
        if name not in known:
            raise UnknownNameError(f"option of {strategy}", name, known)
    given = options.get("predictor")
    if isinstance(given, Mapping) and isinstance(settings.predictor, Mapping):
        options = {**options, "predictor": {**settings.predictor, **given}}
    return replace(settings, **options)
