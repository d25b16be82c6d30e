"""A small table and a saved predictor for the tests of commands."""

from __future__ import annotations

import csv
import gzip
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from archpredict.cli.main import main
from archpredict.predict.predictor import Predictor
from archpredict.predict.training.training import Training
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
    predictor = Predictor("gcn", "pairwise", regressors=None, training=Training(epochs=5), ensemble=2, device="cpu")
    sizes = [cell.cost["params"] / 1e6 for cell in cells]
    predictor.fit(cells[:30], sizes[:30]).save(folder, {"target": "size"})
    return folder


@pytest.fixture
def model(cli: Commands, fitted: Path) -> Path:
    """The folder ``model`` with a predictor of ``size``."""
    shutil.copytree(fitted, "model")
    return Path("model")


def write_onnx(
    path: str | Path, widths: Sequence[int], kernel: int = 3, *, shape: Sequence[Any] = (1, 3, 16, 16), extra: str = ""
) -> Path:
    """An image classifier: convolutions with ReLU, global pooling, a linear layer; weights are not stored.

    Args:
        path: The file to make; compressed where it ends in .gz.
        widths: Output channels of the convolutions.
        kernel: Their size.
        shape: Of the input ``image``; names for lengths that are left open.
        extra: An operator of another domain after the first convolution.
    """
    from onnx import TensorProto, helper

    nodes, weights, before, at = [], [], 3, "image"

    def weight(name: str, *dims: int) -> str:
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=dims)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="weights.bin")
        weights.append(tensor)
        return name

    for i, width in enumerate(widths):
        parameters = [weight(f"w{i}", width, before, kernel, kernel), weight(f"b{i}", width)]
        nodes.append(helper.make_node("Conv", [at, *parameters], [f"c{i}"], pads=[kernel // 2] * 4))
        if extra and i == 0:
            nodes.append(helper.make_node(extra, ["c0"], ["x0"], domain="of.my.own"))
        nodes.append(helper.make_node("Relu", ["x0" if extra and i == 0 else f"c{i}"], [f"r{i}"]))
        before, at = width, f"r{i}"
    nodes.append(helper.make_node("GlobalAveragePool", [at], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"]))
    nodes.append(helper.make_node("Gemm", ["flat", weight("w", 10, before), weight("b", 10)], ["scores"], transB=1))
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [shape[0], 10])],
        weights,
    )
    opsets = [helper.make_opsetid("", 17), *([helper.make_opsetid("of.my.own", 1)] if extra else [])]
    content = helper.make_model(graph, producer_name="by hand", opset_imports=opsets, ir_version=8).SerializeToString()
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(content) if file.name.endswith(".gz") else content)
    return file


@pytest.fixture(scope="session")
def onnx_writer() -> Any:
    """The function :func:`write_onnx`."""
    return write_onnx


@pytest.fixture(scope="session")
def fitted_on_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A predictor that has learnt from 30 small networks that depth is good."""
    from archpredict.onnx.reader import load

    place, rng = tmp_path_factory.mktemp("ranker"), np.random.default_rng(0)
    depths = rng.integers(1, 7, 30)
    files = [write_onnx(place / f"{i}.onnx", rng.integers(4, 33, depth).tolist()) for i, depth in enumerate(depths)]
    predictor = Predictor(encoder=None, ensemble=0, regressors={"bayesian-ridge": 1.0}, sources=("network",))
    predictor.fit([load(file) for file in files], 60 + 3 * depths + rng.normal(0, 0.5, 30))
    predictor.save(place / "model", {"meaning": "accuracy on toys in percent"})
    return place / "model"


@pytest.fixture
def ranker(cli: Commands, fitted_on_onnx: Path) -> Path:
    """The folder ``ranker`` with a predictor of ONNX models."""
    shutil.copytree(fitted_on_onnx, "ranker")
    return Path("ranker")
