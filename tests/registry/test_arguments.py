"""Arguments described as JSON: equal values alike in every process, different ones apart."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from archpredict.registry.arguments import describe


@dataclass(frozen=True, eq=False)
class Options:
    depth: int
    weights: Any = None


class Size(Enum):
    SMALL = 1


def scaled(factor: float) -> Any:
    return lambda x: factor * x


def method_of(value: Any) -> Any:
    return Options(value).__repr__


PAIRS = [
    (1, np.int64(1)),
    (0.5, np.float64(0.5)),
    ((1, 2), [1, 2]),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({"x", "y", "z"}, {"z", "y", "x"}),
    (Options(3, np.arange(3)), Options(3, np.arange(3))),
    (Ridge(alpha=2.0), Ridge(alpha=np.float64(2.0))),
    (scaled(2), scaled(2)),
    (functools.partial(scaled, 2), functools.partial(scaled, 2)),
    (Path("/a") / "b", Path("/a/b")),
    (float("nan"), np.float32("nan")),
]
APART = [
    (1, 1.5),
    (True, 1),
    ("1", 1),
    (Options(3), Options(4)),
    (Options(3, np.arange(3)), Options(3, np.arange(3.0))),
    (Ridge(alpha=2.0), Ridge(alpha=3.0)),
    ({f"option{i}": i for i in range(400)}, {**{f"option{i}": i for i in range(400)}, "option399": 0}),
    (scaled(2), scaled(3)),
    (lambda a: a.choices.count(1), lambda a: a.choices.count(2)),
    (lambda a: a.choices, lambda a: a.key),
    (lambda a, b=1: a, lambda a, b=2: a),
    (lambda a: [x for x in a if x > 1], lambda a: [x for x in a if x > 2]),
    (functools.partial(scaled, 2), functools.partial(scaled, 3)),
    (Options, Size),
    (len, max),
    (float("inf"), float("-inf")),
]


def text(value: Any) -> str:
    return json.dumps(describe(value), sort_keys=True)


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_equal_values_have_equal_descriptions(a: Any, b: Any) -> None:
    assert json.loads(text(a)) == json.loads(text(b))


@pytest.mark.parametrize(("a", "b"), APART)
def test_different_values_have_different_descriptions(a: Any, b: Any) -> None:
    assert text(a) != text(b)


def test_what_cannot_be_described_is_told_by_its_class_and_holds_no_address() -> None:
    assert describe({"model": object()}) == {"model": {"incomparable": "builtins.object"}}
    model = object()
    assert describe(lambda a: model)["closure"] == {"model": {"incomparable": "builtins.object"}}
    assert "0x" not in text([lambda a: model, Size.SMALL, object(), Options, len])


def test_a_function_that_calls_itself_or_that_another_calls_back_is_described() -> None:
    def even(n: int) -> bool:
        return n == 0 or odd(n - 1)

    def odd(n: int) -> bool:
        return n > 0 and even(n - 1)

    assert describe(even)["function"].endswith("even")


_PRINTS = """
import json
from archpredict.registry.arguments import describe
words = {"sep_conv", "skip", "pool", "none"}
print(json.dumps(describe({"f": lambda a: a in {"conv", "skip", "pool"} and words, "words": words}), sort_keys=True))
"""


def test_descriptions_are_the_same_in_another_process_whatever_the_order_of_sets() -> None:
    printed = {
        subprocess.run(
            [sys.executable, "-c", _PRINTS],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(printed) == 1
