"""Where a search starts that knows no label yet: with what labels of other spaces expect most of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archpredict._typing import FloatArray
from archpredict.errors import UsageError
from archpredict.predict.batch import Batch
from archpredict.predict.transfer.model import MAIN, ZeroShot, origins_of
from archpredict.predict.transfer.moments import numbers_of
from archpredict.predict.transfer.shipped import Transfer, file_of, model_of
from archpredict.progress import Event, Observer, silent
from archpredict.spaces.base import Architecture, Choices, SearchSpace
from archpredict.strategies.base import Problem
from archpredict.strategies.rounds.candidates import InnerSearch

_CANDIDATES, _POPULATION = 2000, 100
"""Of the inner evolution, in spaces that are too large to look at whole."""


def zero_shot_order(
    problem: Problem, count: int, seed: int, observer: Observer = silent, transfer: Transfer = True
) -> list[Choices]:
    """The ``count`` architectures that can be labelled and promise most, best first, no two isomorphic.

    Args:
        problem: What is searched.
        count: How many; fewer where there are fewer, none in a space that defines no networks.
        seed: Of the inner search.
        observer: Told once, stage ``zero-shot``, how many ``candidates`` were scored.
        transfer: Whose labels speak: those that come with the package, or those of a file.
    """
    zero_shot = _zero_shot(problem.space, transfer)
    if zero_shot is None:
        return []
    place = zero_shot.names.index(MAIN)

    def score(architectures: Sequence[Architecture]) -> tuple[FloatArray, FloatArray]:
        found = zero_shot(numbers_of(Batch.of(architectures)))[:, place]
        return found, found

    inner = InnerSearch(problem, "auto", _CANDIDATES, _POPULATION)
    nobody = np.zeros((0, problem.space.num_decisions), dtype=np.int64)
    scored = inner.run(score, nobody, np.random.default_rng([seed, 0]))
    observer(Event("zero-shot", 1, 1, {"candidates": float(len(scored.architectures))}))
    found: list[Choices] = []
    for i in np.argsort(-scored.merit, kind="stable"):
        if len(found) == count:
            break
        if problem.is_labelable(scored.architectures[i]):
            found.append(scored.architectures[i].choices)
    return found


def check_useful(transfer: Transfer, space: SearchSpace) -> None:
    """Check that something can be learnt from a file of one's own.

    Raises:
        UsageError: The space defines no networks.
    """
    if (file := file_of(transfer)) is not None and not space.defines_networks:
        raise UsageError(
            f"nothing can be learnt from the transfer model {file}: the space {space.name} does not define network(), "
            "by which spaces are compared; write that method, or leave out `transfer`"
        )


def zero_shot_sources(space: SearchSpace, transfer: Transfer = True) -> dict[str, list[str]]:
    """Names of the spaces whose labels say something of a space, ``sources``, and of those that are ``left_out``."""
    return origins_of(_zero_shot(space, transfer))


def _zero_shot(space: SearchSpace, transfer: Transfer) -> ZeroShot | None:
    """Zero-shot scores; None where there are none, or none are wanted."""
    model = model_of(transfer)
    return None if model is None else model.zero_shot_or_none(space)
