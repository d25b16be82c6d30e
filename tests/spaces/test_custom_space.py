"""The example of a custom space, loaded the way a user loads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from archpredict.datasets.table import Table
from archpredict.errors import InvalidArchitectureError
from archpredict.search import search
from archpredict.spaces import SearchSpace, load_space
from archpredict.testing.spaces import SpaceContract

_FILE = Path(__file__).resolve().parents[2] / "examples" / "custom_space.py"


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return load_space(f"{_FILE}:NASBenchMacro")


class TestContract(SpaceContract):
    pass


def test_a_chain_keeps_the_place_of_each_block(space: SearchSpace) -> None:
    graph = space.from_text("01200000").graph
    assert graph.ops[:3] == ("identity", "mb3x3_e3", "mb5x5_e6")
    assert graph.cells == tuple(range(8))
    assert graph.key != space.from_text("02100000").key


def test_a_wrong_text_shows_the_notation(space: SearchSpace) -> None:
    with pytest.raises(InvalidArchitectureError, match="not eight digits from 0 to 2; expected eight digits"):
        space.parse("01234567")


def test_it_searches_its_table(space: SearchSpace, data_folder: Path) -> None:
    path = data_folder / "nas_bench_macro" / "nas_bench_macro_cifar10.csv.gz"
    table = Table.read(path, space, "mean_acc")
    assert len(table) == 6_561
    assert table.labels.max() == pytest.approx(93.127, abs=5e-4)  # the best that the benchmark reports
    result = search(space, table, strategy="random", budget=10)
    assert result.queries == 10
    assert result.best.score is not None
    assert result.best.score <= table.labels.max()


def test_the_documentation_shows_the_file_as_it_is() -> None:
    page = (_FILE.parents[1] / "docs" / "spaces.md").read_text(encoding="utf-8")
    assert f"```python\n{_FILE.read_text(encoding='utf-8')}```" in page
