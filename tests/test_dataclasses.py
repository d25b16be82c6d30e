"""Dataclasses of the whole package: comparing two never raises, and arrays of immutable ones cannot be written to."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator

import numpy as np
import pytest

import archpredict
from archpredict import Problem
from archpredict._typing import freeze, read_only
from archpredict.errors import BudgetError, InvalidArchitectureError
from archpredict.graph.packed import PackedGraphs
from archpredict.testing.toys import ToySpace

_ARRAYS = re.compile(r"\b(\w*Array|NDArray|ndarray|torch\.Tensor|Tensor|Pixels|Labels|Samples|DataFrame)\b")


def _dataclasses() -> Iterator[type]:
    for info in pkgutil.walk_packages(archpredict.__path__, "archpredict."):
        if info.name.rpartition(".")[2] == "__main__":
            continue
        module = importlib.import_module(info.name)
        for value in vars(module).values():
            if inspect.isclass(value) and value.__module__ == module.__name__ and dataclasses.is_dataclass(value):
                yield value


def _compares_arrays(kind: type) -> bool:
    """Whether the equality that ``dataclass`` writes would ask two arrays for one truth value."""
    if kind.__eq__ is object.__eq__ or kind.__eq__.__code__.co_filename != "<string>":  # of its own, or none
        return False
    return any(field.compare and _ARRAYS.search(str(field.type)) for field in dataclasses.fields(kind))


@dataclasses.dataclass
class Wrong:
    array: np.ndarray


def test_no_dataclass_compares_arrays_field_by_field() -> None:
    assert _compares_arrays(Wrong)  # the test sees what it looks for
    found = [f"{kind.__module__}.{kind.__name__}" for kind in _dataclasses() if _compares_arrays(kind)]
    assert not found, f"{found}: say eq=False, or write an __eq__ that compares the elements"


def test_values_with_arrays_can_be_compared_and_hashed() -> None:
    space = ToySpace()
    problems = [Problem(space, 3, pool=space.enumerate()[:4]) for _ in range(2)]
    packs = [
        PackedGraphs.from_graphs([a.graph for a in space.architectures(space.enumerate()[:3])], space.operators)
    ] * 2
    for first, second in (problems, packs):
        assert isinstance(first == second, bool)
        assert first == first
        assert hash(first) == hash(first)


def test_packed_graphs_and_pools_cannot_be_written_to() -> None:
    space = ToySpace()
    graphs = [a.graph for a in space.architectures(space.enumerate()[:3])]
    packed = PackedGraphs.from_graphs(graphs, space.operators)
    for part in (packed, packed[1:], PackedGraphs.concat([packed, packed])):
        for field in dataclasses.fields(part):
            value = getattr(part, field.name)
            if isinstance(value, np.ndarray):
                with pytest.raises(ValueError, match="read-only"):
                    value[...] = 0
    problem = Problem(space, 3, pool=space.enumerate()[:4])
    assert problem.pool is not None
    with pytest.raises(ValueError, match="read-only"):
        problem.pool[0] = 1


def test_a_read_only_array_shares_memory_and_leaves_the_original_as_it_was() -> None:
    array = np.zeros(3)
    view = read_only(array)
    assert np.shares_memory(array, view)
    assert array.flags.writeable
    assert read_only(view) is view

    @dataclasses.dataclass(frozen=True, eq=False)
    class Holder:
        array: np.ndarray | None

    holder = Holder(None)
    freeze(holder, "array")
    assert holder.array is None


@pytest.mark.parametrize("wrong", [2.5, "3", True, None, 0, -1])
def test_the_budget_of_a_problem_is_an_integer(wrong: object) -> None:
    with pytest.raises(BudgetError, match=rf"the budget is a number of evaluations of at least 1, {wrong!r} was given"):
        Problem(ToySpace(), wrong)  # type: ignore[arg-type]


def test_a_pool_is_of_integers() -> None:
    with pytest.raises(InvalidArchitectureError, match="choices of the space toy are integers, an array of float64"):
        Problem(ToySpace(), 3, pool=np.full((2, 6), 1.5))  # type: ignore[arg-type]
