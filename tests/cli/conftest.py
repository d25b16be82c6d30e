"""A small table and a saved predictor for the tests of commands."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from archpredict.cli.main import main
from archpredict.predictor import Predictor
from archpredict.spaces.base import Architecture, load_space


class Commands:
    """Runs commands as the shell would, in the folder of the test."""

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(main, list(words), catch_exceptions=False)

    def fails(self, *words: str) -> str:
        """The one line on stderr of a call that is refused with exit code 2; nothing on stdout."""
        result = self(*words)
        assert (result.exit_code, result.stdout) == (2, ""), result.output
        return result.stderr.splitlines()[-1]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    return Commands()


@pytest.fixture(scope="session")
def cells() -> list[Architecture]:
    """40 cells, no two of them isomorphic."""
    space = load_space("nasbench201")
    drawn = {a.key: a for a in space.architectures(space.sample(80, np.random.default_rng(1)))}
    return list(drawn.values())[:40]


@pytest.fixture
def table(cli: Commands, cells: list[Architecture]) -> Path:
    """``cells.csv``: a label that can be learnt, and a column to learn from."""
    return write_cells(Path("cells.csv"), cells)


def write_cells(path: Path, cells: list[Architecture]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["architecture", "size", "proxy", "note"])
        for i, cell in enumerate(cells):
            writer.writerow([str(cell), cell.cost["params"] / 1e6 + i * 1e-6, i % 7, f"1.50 ({i})"])
    return path


@pytest.fixture(scope="session")
def fitted(cells: list[Architecture], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fitted") / "model"
    predictor = Predictor("gcn", "pairwise", regressors=None, epochs=5, ensemble=2, device="cpu")
    sizes = [cell.cost["params"] / 1e6 for cell in cells]
    predictor.fit(cells[:30], sizes[:30]).save(folder, {"target": "size"})
    return folder


@pytest.fixture
def model(cli: Commands, fitted: Path) -> Path:
    """The folder ``model`` with a predictor of ``size``."""
    shutil.copytree(fitted, "model")
    return Path("model")
