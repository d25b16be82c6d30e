"""The example of a custom space, loaded the way a user loads it."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from archpredict.errors import InvalidArchitectureError
from archpredict.evaluators.train import TrainEvaluator
from archpredict.graph.operators import total
from archpredict.images.base import load_images
from archpredict.networks.form import Form
from archpredict.networks.recipe import Recipe
from archpredict.runs.search import search
from archpredict.spaces import SearchSpace, load_space
from archpredict.tables.table import Table
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


def test_networks_have_the_parameters_and_multiply_adds_of_the_table(space: SearchSpace, data_folder: Path) -> None:
    path = data_folder / "nas_bench_macro" / "nas_bench_macro_cifar10.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[::20]
    for row in rows:
        graph = space.network(space.parse(row["arch"]))
        convolutions = np.array(graph.ops) == "conv"
        scales = graph.attrs["weight"][convolutions, 0].sum()  # batch norms, folded here, have a scale there
        assert total(graph, "params") + scales == int(row["params"])
        assert total(graph, "macs") == int(row["flops"])


def test_its_networks_are_trained_without_another_line(space: SearchSpace) -> None:
    images = load_images("digits")
    evaluator = TrainEvaluator(images, Form.of(images, {"channels": 4}), Recipe(epochs=1))
    (result,) = evaluator.evaluate([space.from_text("01200000")])
    assert result.error is None
    assert result.score is not None
    assert result.score > 20  # ten classes


def test_the_documentation_shows_the_file_as_it_is() -> None:
    page = (_FILE.parents[1] / "docs" / "spaces.md").read_text(encoding="utf-8")
    assert f"```python\n{_FILE.read_text(encoding='utf-8')}```" in page
