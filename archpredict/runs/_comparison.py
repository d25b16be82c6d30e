"""Settings of two runs, compared by value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archpredict.registry.arguments import INCOMPARABLE

_LABELS = "evaluator.labels"
"""Says in words what the other settings of the evaluator say already."""
_KINDS = ("class", "type", "function", INCOMPARABLE)
_ABSENT = object()


@dataclass
class Comparison:
    """The differences between the settings of a record and those that are given now.

    Args:
        differences: One clause for each setting that differs.
        unknown: Names of settings whose values cannot be compared: objects of which only the class is known, and
            objects in records of before values were described, which hold their ``repr``.
    """

    differences: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def compare(known: Mapping[str, Any], given: Mapping[str, Any]) -> Comparison:
    """Compare settings, as :func:`archpredict.registry.arguments.describe` gives them.

    Example:
        >>> compare({"seed": 0, "options": {"rounds": 3}}, {"seed": 1, "options": {"rounds": 3}}).differences
        ['seed is 0 there and 1 now']
    """
    comparison = Comparison()
    _compare(known, given, "", comparison)
    others = [d for d in comparison.differences if not d.startswith(f"{_LABELS} ")]
    if any(d.startswith("evaluator.") for d in others):
        comparison.differences = others
    return comparison


def _compare(known: Any, given: Any, name: str, into: Comparison) -> None:
    if isinstance(given, dict) and INCOMPARABLE in given and known == given:
        into.unknown.append(name)
    elif isinstance(known, str) and (kind := _kind(given)) is not None:
        if _is_repr_of(known, kind):
            into.unknown.append(name)
        else:
            into.differences.append(_difference(name, known, given))
    elif isinstance(known, dict) and isinstance(given, dict):
        for key in sorted({*known, *given}):
            _compare(known.get(key, _ABSENT), given.get(key, _ABSENT), f"{name}.{key}" if name else key, into)
    elif isinstance(known, list) and isinstance(given, list) and len(known) == len(given):
        for i, (a, b) in enumerate(zip(known, given, strict=True)):
            _compare(a, b, f"{name}[{i}]", into)
    elif known != given:
        into.differences.append(_difference(name, known, given))


def _kind(given: Any) -> str | None:
    """The qualified name in a description of an object, None where it describes none."""
    if isinstance(given, dict):
        return next((str(given[kind]) for kind in _KINDS if kind in given), None)
    return None


def _is_repr_of(text: str, kind: str) -> bool:
    """Whether a text may be the ``repr`` of an object of this class, or of this class or function itself."""
    if text.startswith("<function "):
        return kind.endswith(f".{text[10:].partition(' at ')[0]}")
    return text == kind or text.startswith((f"{kind.rpartition('.')[2]}(", f"<{kind} ", f"<class '{kind}'"))


def _difference(name: str, known: Any, given: Any) -> str:
    return f"{name} is {_shown(known)} there and {_shown(given)} now"


def _shown(value: Any) -> str:
    return "not set" if value is _ABSENT else json.dumps(value)
