"""TransferModel: spaces that are known, and the zero-shot scores that they give in another one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

from archpredict._files import damage, read_tensors, write_atomically
from archpredict._typing import FloatArray
from archpredict.errors import DataError, writing
from archpredict.predict.per_space import PerSpace
from archpredict.predict.transfer.known import KnownSpace, Sample, classes_of
from archpredict.predict.transfer.moments import COLUMNS, Moments
from archpredict.predict.transfer.rule import RULES, Rule, coefficients, in_units, trust_in, yardstick
from archpredict.spaces.base import SearchSpace

__all__ = ["VIEWS", "TransferModel", "ZeroShot", "origins_of"]

_SAMPLE = 512
"""Unlabelled architectures of a space that is not known."""
_ARRAYS = ("mean", "covariance", "of_labels", "cells", "networks")
_MAX_SPACES = 1000
_MAX_BYTES = 64_000_000
_FORMAT, _VERSION = "archpredict_transfer", "1"

MAIN = "zero-shot"
VIEWS: Mapping[str, Callable[[Rule], bool]] = {
    MAIN: lambda rule: True,
    "size": lambda rule: False,
    "own scale": lambda rule: rule.own_scale > 0,
    "shared scale": lambda rule: rule.own_scale == 0,
    "from afar": lambda rule: rule.reach == max(each.reach for each in RULES),
}
"""Zero-shot scores by name, and which of the rules each is the mean of; of none, it is the size alone. Labels of a
space may prefer another one than the first."""


@dataclass(frozen=True, eq=False)
class ZeroShot:
    """Zero-shot scores of one space: linear in the numbers of its networks.

    Args:
        names: ``K`` names of scores, those of :data:`VIEWS`.
        weights: ``(K, F)``.
        centre: ``(F,)``; scores are of numbers less this one, so that their mean in the space is 0, and their standard
            deviation 1.
        sources: Names of the spaces whose labels were learnt from.
        left_out: Names of those that were left out, as they share cells with the space.
    """

    names: tuple[str, ...]
    weights: FloatArray
    centre: FloatArray
    sources: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def __call__(self, numbers: FloatArray) -> FloatArray:
        """Scores ``(B, K)`` of ``(B, F)`` numbers, higher is better."""
        scores: FloatArray = (numbers - self.centre) @ self.weights.T
        return scores


def origins_of(found: ZeroShot | None) -> dict[str, list[str]]:
    """Names of spaces by what became of their labels, ``sources`` and ``left_out``, for JSON; none without scores."""
    if found is None:
        return {"sources": [], "left_out": []}
    return {"sources": list(found.sources), "left_out": list(found.left_out)}


@dataclass(frozen=True, eq=False)
class TransferModel:
    """What has been learnt from labelled spaces, for spaces that nobody has labels of.

    Args:
        spaces: Known spaces; those without labels say what is typical.
        columns: ``F`` names of the numbers that their moments are of.

    Example:
        >>> from archpredict.spaces import load_space
        >>> known = load_space("nasbench201")
        >>> cells = known.architectures(known.sample(60, np.random.default_rng(0)))
        >>> labels = [cell.choices.count(3) - cell.choices.count(4) for cell in cells]
        >>> model = TransferModel([KnownSpace.of(Sample.of(known, cells, labels))])
        >>> model.zero_shot(load_space("nasbench-macro")).sources
        ('nasbench201',)
        >>> model.zero_shot(known).left_out
        ('nasbench201',)
    """

    spaces: Sequence[KnownSpace]
    columns: tuple[str, ...] = field(default=COLUMNS)

    def zero_shot(self, space: SearchSpace) -> ZeroShot:
        """The zero-shot scores of a space, which know no label of it, or of a space that shares its cells.

        Args:
            space: It defines ``network()``.

        Raises:
            UsageError: The space does not define its networks.
            DataError: All its architectures look alike.
        """
        found = self._found[space]
        if MAIN not in found:
            found[MAIN] = self.scores_of(self._sample(space))
        return found[MAIN]

    def zero_shot_or_none(self, space: SearchSpace | None) -> ZeroShot | None:
        """The same; None of no space, one that does not define its networks, and one whose networks all look alike."""
        if space is None or not space.defines_networks:
            return None
        try:
            return self.zero_shot(space)
        except DataError:
            return None

    @cached_property
    def _found(self) -> PerSpace[dict[str, ZeroShot]]:
        return PerSpace(dict)

    def scores_of(self, sample: Sample) -> ZeroShot:
        """The same of unlabelled architectures, e.g. those of a table."""
        target = sample.moments
        if not target.spread.any():
            raise DataError(
                f"all {target.count} architectures of the space {sample.space.name} have networks of the same size and "
                "depth, which zero-shot scores tell apart; give architectures that differ"
            )
        _, width = yardstick([*(known.moments for known in self.spaces if known.name != sample.space.name), target])
        related = {known.name for known in self.spaces if known.is_related(sample, width)}
        others = [known for known in self.spaces if known.name not in related]
        sources = [known for known in others if known.has_labels]
        with_labels = {known.name for known in sources}
        reference = [known.moments for known in others if known.has_labels or known.name not in with_labels]
        reference.append(target)
        labelled = [known.moments for known in sources]
        trust = trust_in(labelled, reference)
        by_rule = [in_units(coefficients(target, labelled, reference, rule, trust), target) for rule in RULES]
        size = in_units(coefficients(target, [], reference), target)
        rows = []
        for belongs in VIEWS.values():
            chosen = [weights for rule, weights in zip(RULES, by_rule, strict=True) if belongs(rule)]
            rows.append(in_units(np.mean(chosen or [size], axis=0), target))
        left_out = sorted(known.name for known in self.spaces if known.name in related and known.has_labels)
        names = tuple(sorted(known.name for known in sources))
        return ZeroShot(tuple(VIEWS), np.array(rows), target.mean, names, tuple(left_out))

    def without(self, *names: str) -> TransferModel:
        """The model that has learnt nothing from these spaces."""
        return replace(self, spaces=[known for known in self.spaces if not (known.has_labels and known.name in names)])

    def _sample(self, space: SearchSpace) -> Sample:
        """Unlabelled architectures of the space; those of a built-in one are known."""
        told = (space.name, classes_of(space), tuple(space.operators))
        for known in self.spaces:
            if not known.has_labels and (known.name, known.classes, known.operators) == told:
                return Sample(space, known.moments, known.cells, known.networks)
        return _drawn(space)

    # ------------------------------------------------------------------ saving

    def save(self, path: str | Path) -> None:
        """Write one safetensors file: arrays, and the rest as JSON in its metadata.

        Raises:
            RunError: It cannot be written; what was there is there still.
        """
        from safetensors.numpy import save

        arrays: dict[str, Any] = {}
        told = []
        for i, known in enumerate(self.spaces):
            moments = known.moments
            values = {**asdict(moments), "cells": known.cells, "networks": known.networks}
            arrays |= {f"{i}.{name}": values[name] for name in _ARRAYS if values[name] is not None}
            told.append(
                {
                    "name": known.name,
                    "classes": known.classes,
                    "operators": known.operators,
                    "count": moments.count,
                    "about": known.about,
                }
            )
        content = {_FORMAT: _VERSION, "columns": json.dumps(self.columns), "spaces": json.dumps(told)}
        with writing(path):
            write_atomically(Path(path), save(arrays, content))

    @classmethod
    def load(cls, path: str | Path) -> TransferModel:
        """Read what :meth:`save` has written.

        Raises:
            DataError: There is no such file, it does not hold a transfer model, or one of another version.
        """
        try:
            return cls(_spaces(Path(path)))
        except FileNotFoundError as error:
            raise DataError(f"there is no file {path}; give one that TransferModel.save() has written") from error
        except _OtherError as error:
            raise DataError(
                f"{path} does not hold a transfer model: {error}; give a file that TransferModel.save() has written"
            ) from error
        except Exception as error:  # whatever a damaged or hostile file provokes
            raise DataError(
                f"{path} does not hold a transfer model of this version: {damage(error)}; make it again "
                "with this version"
            ) from error


@lru_cache(maxsize=16)
def _drawn(space: SearchSpace) -> Sample:
    return Sample.draw(space, _SAMPLE)


class _OtherError(ValueError):
    """The file is something else, or has been damaged."""


def _spaces(path: Path) -> list[KnownSpace]:
    """The known spaces of a file.

    Raises:
        ValueError: It is of another version, or does not hold together.
    """
    size = path.stat().st_size
    if not path.is_file() or size > _MAX_BYTES:
        raise _OtherError(f"it is no regular file of at most {_MAX_BYTES:,} bytes")
    try:
        told, arrays = read_tensors(path, "np")
    except SafetensorError as error:
        raise _OtherError(f"it is no safetensors file, or not whole ({error})") from error
    if _FORMAT not in told:
        raise _OtherError("it is a safetensors file of something else")
    if told[_FORMAT] != _VERSION:
        raise ValueError(f"its format is {told[_FORMAT]}, and this version reads {_VERSION}")
    spaces = json.loads(told.get("spaces", "null"))
    if tuple(json.loads(told.get("columns", "[]"))) != COLUMNS:
        raise ValueError("its numbers are not those that this version computes")
    if not isinstance(spaces, list) or len(spaces) > _MAX_SPACES:
        raise ValueError(f"its spaces are no list of at most {_MAX_SPACES}")
    return [_known(i, given, arrays) for i, given in enumerate(spaces)]


def _known(i: int, told: Mapping[str, Any], arrays: Mapping[str, Any]) -> KnownSpace:
    """The i-th known space of a file.

    Raises:
        ValueError: Its arrays do not go together.
    """
    own = {name: arrays[f"{i}.{name}"] for name in _ARRAYS if f"{i}.{name}" in arrays}
    count = len(COLUMNS)
    shapes = {"mean": (count,), "covariance": (count, count), "of_labels": (count,)}
    for name, shape in shapes.items():
        if name in own and (
            own[name].shape != shape or own[name].dtype != np.float64 or not np.isfinite(own[name]).all()
        ):
            raise ValueError(f"its {name} is not {shape} finite numbers")
    if missing := [name for name in ("mean", "covariance", "cells", "networks") if name not in own]:
        raise ValueError(f"it holds no {missing[0]} of its space {i}")
    if any(own[name].dtype != np.uint64 or own[name].ndim != 1 for name in ("cells", "networks")):
        raise ValueError("its marks are not 64-bit numbers")
    moments = Moments(int(told["count"]), own["mean"], own["covariance"], own.get("of_labels"))
    if not moments.is_possible:
        raise ValueError(f"its covariances of the space {told['name']} are those of no numbers and labels")
    names = (tuple(map(str, told["classes"])), tuple(map(str, told["operators"])))
    return KnownSpace(str(told["name"]), *names, moments, own["cells"], own["networks"], str(told["about"]))
