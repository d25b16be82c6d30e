"""Entries to the leaderboard: classes of someone's own, and what is submitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archpredict.cli._options import flag_of
from archpredict.errors import UsageError

if TYPE_CHECKING:
    from archpredict.predict.leaderboard import Entrant
    from archpredict.predict.protocols import Protocol
    from archpredict.predict.validation import Trial

_OF_OURS = ("encoder", "head", "option", "no_transfer", "transfer", "ensemble", "epochs", "features", "plots")
"""Options that a class of someone's own does not have."""


def entrant_of(given: Mapping[str, Any]) -> Entrant | None:
    """The class of someone's own that --predictor names, under a protocol; else None."""
    from archpredict.predict.leaderboard import entrant

    if given["protocol"] is None or given["predictor"] is None:
        return None
    found = entrant(given["predictor"])
    unwanted = [name for name in _OF_OURS if given[name]] if found is not None else []
    if unwanted:
        raise UsageError(
            f"{flag_of(unwanted[0])} is an option of archpredict's own predictors, and --predictor "
            f"{given['predictor']} is a class of its own; leave it out"
        )
    return found


def submit(
    given: Mapping[str, Any],
    name: str,
    protocol: Protocol,
    results: Sequence[Trial],
    others: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """The submission of --submit."""
    from archpredict.cli._machine import machine
    from archpredict.cli._output import write_json
    from archpredict.predict.leaderboard import submission

    if given["submit"] is not None:
        about = {**machine(), "transfer": dict(others or {})}
        write_json(given["submit"], submission(name, protocol, results, about))
