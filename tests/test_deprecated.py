"""Old names work with a warning, which points at the caller, and none outlives the version that was to remove it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator, clone

import archpredict
from archpredict.deprecated import renamed_arguments, renamed_function
from archpredict.errors import UsageError

PACKAGE = Path(archpredict.__file__).parent


class Estimator(BaseEstimator):
    @renamed_arguments("0.9", rate="learning_rate", committee="ensemble")
    def __init__(self, learning_rate: float = 0.1, ensemble: int = 2) -> None:
        self.learning_rate = learning_rate
        self.ensemble = ensemble


def test_an_old_name_gives_the_argument_under_the_new_one() -> None:
    with pytest.warns(FutureWarning, match="argument 'rate' of Estimator.. is called 'learning_rate' now; version 0.9"):
        estimator = Estimator(rate=0.5)
    assert (estimator.learning_rate, estimator.ensemble) == (0.5, 2)


def test_the_new_names_give_no_warning() -> None:
    assert Estimator(0.5, ensemble=3).ensemble == 3  # warnings are errors here


def test_several_old_names_warn_one_by_one() -> None:
    with pytest.warns(FutureWarning) as caught:
        estimator = Estimator(rate=0.5, committee=4)
    assert len(caught) == 2
    assert (estimator.learning_rate, estimator.ensemble) == (0.5, 4)


def test_an_argument_under_both_names_is_refused() -> None:
    with pytest.raises(UsageError, match="was given 'ensemble' and, by its old name, 'committee' too; leave out"):
        Estimator(ensemble=1, committee=2)


def test_the_signature_knows_the_new_names_alone_so_that_estimators_are_cloned() -> None:
    assert list(inspect.signature(Estimator).parameters) == ["learning_rate", "ensemble"]
    assert clone(Estimator(0.7)).get_params() == {"learning_rate": 0.7, "ensemble": 2}


def test_a_function_under_its_old_name_does_what_it_did() -> None:
    def novelty(x: float, *, scale: float = 1.0) -> float:
        return x * scale

    unfamiliar = renamed_function(novelty, "unfamiliar", "0.9")
    with pytest.warns(FutureWarning, match=r"^unfamiliar\(\) is called .*novelty\(\) now; version 0.9 removes"):
        assert unfamiliar(2.0, scale=3.0) == 6.0
    assert unfamiliar.__name__ == "unfamiliar"


def test_the_warning_points_at_the_line_that_uses_the_old_name() -> None:
    former = renamed_function(Estimator, "Former", "0.9")
    with pytest.warns(FutureWarning) as first:
        Estimator(rate=1.0)
    with pytest.warns(FutureWarning) as second:
        former()
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    assert {warning.filename for warning in (*first, *second)} == {__file__}
    assert lines[first[0].lineno - 1].strip() == "Estimator(rate=1.0)"
    assert lines[second[0].lineno - 1].strip() == "former()"


def test_no_old_name_outlives_its_version() -> None:
    now = _numbers(archpredict.__version__)
    late = [f"{place}: {version}" for place, version in _removals() if _numbers(version) <= now]
    assert not late, "remove the old names"


def _removals() -> Iterator[tuple[str, str]]:
    """Where the package renames something, and the version that is to remove the old name."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            place = {"renamed_arguments": 0, "renamed_function": 2}.get(node.func.id)
            if place is not None:
                version = ast.literal_eval(node.args[place])
                yield f"{path.relative_to(PACKAGE)}, line {node.lineno}", version


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
