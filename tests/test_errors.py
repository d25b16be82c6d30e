"""Every exception of the package reaches another process as it was."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

import archpredict
from archpredict import errors
from archpredict.encoders.base import Encoder
from archpredict.errors import ArchPredictError, UnknownNameError
from archpredict.registry import resolve

_ARGUMENTS: dict[type[BaseException], tuple[object, ...]] = {
    UnknownNameError: ("encoder", "gcm", ["gcn", "lstm"], "See the list.")
}
"""Of the constructors that take more than a message."""


def _exceptions() -> Iterable[type[BaseException]]:
    modules = (info.name for info in pkgutil.walk_packages(archpredict.__path__, "archpredict."))
    for module in map(importlib.import_module, (name for name in modules if not name.endswith("__main__"))):
        for value in vars(module).values():
            if inspect.isclass(value) and value.__module__ == module.__name__ and issubclass(value, BaseException):
                yield value


class OwnError(ArchPredictError):
    """One that somebody derives, which says more than its message."""

    def __init__(self, file: str, *, line: int) -> None:
        super().__init__(f"{file}, line {line}: this cannot be read")
        self.line = line


@pytest.mark.parametrize("kind", list(_exceptions()), ids=lambda kind: kind.__name__)
def test_an_exception_is_the_same_once_it_has_been_pickled(kind: type[BaseException]) -> None:
    error = kind(*_ARGUMENTS.get(kind, ("the table is empty; bring another",)))
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        back = pickle.loads(pickle.dumps(error, protocol))
        assert (type(back), str(back), back.args) == (kind, str(error), error.args)


def test_every_exception_of_the_tree_is_pickled_here() -> None:
    assert {getattr(errors, name) for name in errors.__all__} <= set(_exceptions())


def test_an_exception_of_someone_elses_keeps_what_its_constructor_cannot_be_given_again() -> None:
    back = pickle.loads(pickle.dumps(OwnError("cells.csv", line=3)))
    assert (type(back), str(back), back.line) == (OwnError, "cells.csv, line 3: this cannot be read", 3)


def test_an_unknown_name_in_a_worker_is_raised_where_its_result_is_waited_for() -> None:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool, pytest.raises(UnknownNameError, match="choose from"):
        pool.submit(resolve, "encoders", "gcm", Encoder).result(timeout=120)
