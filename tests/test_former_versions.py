"""What earlier versions saved, and plug-ins that were written for them, go on working (``tests/data``)."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archpredict
from archpredict.cli.main import main as command_line
from archpredict.encoders.base import Encoder
from archpredict.evaluators.base import Evaluator
from archpredict.heads.base import Head
from archpredict.images.base import ImageSet, load_images
from archpredict.predict import presets
from archpredict.predict.predictor import Predictor
from archpredict.predict.rank.adaptation import load_ranker
from archpredict.predict.training.training import Training
from archpredict.proxies.base import Proxy
from archpredict.registry import names, resolve
from archpredict.regressors.base import Regressor
from archpredict.runs.history import History
from archpredict.runs.search import SearchResult
from archpredict.spaces.base import SearchSpace, load_space
from archpredict.strategies.base import Strategy
from archpredict.tables.formats.base import read_rows

DATA = Path(__file__).parent / "data"
PLUGINS = DATA / "plugins"
VERSIONS = sorted(path.parent for path in DATA.glob("*/expected.json"))


def _loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKE = _loaded(DATA / "make.py")


@pytest.fixture(params=VERSIONS, ids=lambda path: path.name)
def version(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of what one version saved."""
    return Path(shutil.copytree(request.param, tmp_path / "saved"))


# ---------------------------------------------------------------------- predictors


@pytest.mark.parametrize(
    ("name", "of", "labels"),
    [
        pytest.param("network", lambda: MAKE.cells("nasbench201", 40)[30:], 30, id="network"),
        pytest.param("comparator", lambda: MAKE.cells("darts", 20)[10:], 10, id="comparator"),
        pytest.param("regressors", lambda: MAKE.cells("nasbench201", 40)[30:], 30, id="regressors"),
    ],
)
def test_a_saved_predictor_predicts_what_it_did(
    version: Path, name: str, of: Callable[[], Sequence[Any]], labels: int
) -> None:
    predictor, architectures = Predictor.load(version / name), of()
    features = MAKE.columns(architectures) if name == "network" else None
    assert predictor.num_labels_ == labels
    _assert_as_expected(version, name, predictor.predict(architectures, features))


def test_a_saved_adapted_predictor_predicts_what_it_did(version: Path) -> None:
    adapted = load_ranker(version / "adapted")
    _assert_as_expected(version, "adapted", adapted.predict(MAKE.graphs(40)[30:]))


def test_the_card_of_a_saved_predictor_is_kept(version: Path) -> None:
    assert Predictor.load(version / "network").card_ == {"labels": "sums of choices"}


def test_a_saved_predictor_can_be_saved_again(version: Path, tmp_path: Path) -> None:
    predictor, cells = Predictor.load(version / "regressors"), MAKE.cells("nasbench201", 40)
    predictor.save(tmp_path / "again")
    assert np.array_equal(Predictor.load(tmp_path / "again").predict(cells), predictor.predict(cells))


def _assert_as_expected(version: Path, name: str, predicted: Any) -> None:
    expected = json.loads((version / "expected.json").read_text())[name]
    # Another processor, or batches of another size, round the networks' single precision differently: a few units in
    # the seventh digit, of labels of up to 9.8.
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=1e-4)


# ---------------------------------------------------------------------- runs


@pytest.mark.parametrize(("name", "how"), [("ctnas-interrupted", "CTNAS"), ("guided-interrupted", "GUIDED")])
def test_an_interrupted_run_goes_on_without_asking_again(version: Path, name: str, how: str) -> None:
    before = _recorded(version / name)
    assert len(before) == MAKE.INTERRUPTED
    evaluator = MAKE.Sums()
    result = _resumed(version / name, evaluator, getattr(MAKE, how))
    after = _recorded(version / name)
    assert result.queries == len(after) == MAKE.BUDGET
    assert list(after.items())[: len(before)] == list(before.items())
    assert [str(a) for a in evaluator.asked] == list(after)[len(before) :]
    assert result.best.score == max(after.values())


def test_a_finished_run_is_read_again_as_it_is(version: Path) -> None:
    was, evaluator = json.loads((version / "ctnas-finished" / "best.json").read_text()), MAKE.Sums()
    result = _resumed(version / "ctnas-finished", evaluator, MAKE.CTNAS)
    assert evaluator.asked == []
    assert [each["architecture"] for each in was["top"]] == [str(r.architecture) for r in result.top]


def test_a_run_of_the_command_line_is_resumed_by_it(version: Path, capsys: pytest.CaptureFixture[str]) -> None:
    best = json.loads((version / "command-line" / "best.json").read_text())["best"]
    table = str(version / "cells.csv")
    with pytest.raises(SystemExit) as end:
        command_line(["search", "--resume", str(version / "command-line"), "--data", table, "--quiet", "--json"])
    assert end.value.code in (0, None)
    assert json.loads(capsys.readouterr().out)["best"] == best


def _resumed(folder: Path, evaluator: Evaluator, how: dict[str, Any]) -> SearchResult:
    return archpredict.search("nasbench201", evaluator, budget=MAKE.BUDGET, out=folder, resume=True, **how)


def _recorded(folder: Path) -> dict[str, float | None]:
    space = load_space("nasbench201")
    with History(folder / "history.db") as history:
        return {str(result.architecture): result.score for result in history.results(space).values()}


# ---------------------------------------------------------------------- entry points


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another distribution is installed, with one plug-in in every entry-point group."""
    monkeypatch.syspath_prepend(PLUGINS)
    monkeypatch.delitem(sys.modules, "archpredict_example", raising=False)


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize(
    ("kind", "name", "base"),
    [
        ("encoders", "example-bag", Encoder),
        ("evaluators", "example-sum", Evaluator),
        ("heads", "example-linear", Head),
        ("images", "example-stripes", ImageSet),
        ("proxies", "example-depth", Proxy),
        ("regressors", "example-mean", Regressor),
        ("spaces", "example-toy", SearchSpace),
        ("strategies", "example-first", Strategy),
    ],
)
def test_a_plug_in_of_another_distribution_is_found_by_its_name(kind: str, name: str, base: type) -> None:
    assert name in names(kind)
    assert issubclass(resolve(kind, name, base), base)


@pytest.mark.usefixtures("plugins")
def test_plug_ins_of_another_distribution_make_a_search() -> None:
    result = archpredict.search(
        "example-toy", resolve("evaluators", "example-sum", Evaluator)(), strategy="example-first"
    )
    assert result.best.evaluated


@pytest.mark.usefixtures("plugins")
def test_plug_ins_of_another_distribution_make_a_predictor() -> None:
    cells = MAKE.cells("nasbench201", 30)
    labels = [MAKE.label(cell) for cell in cells]
    predictor = Predictor(
        "example-bag",
        "example-linear",
        ensemble=1,
        training=Training(epochs=2, pretrain=0),
        regressors={"example-mean": 1.0},
    )
    assert np.isfinite(predictor.fit(cells, labels).predict(cells)).all()


@pytest.mark.usefixtures("plugins")
def test_a_named_predictor_of_another_distribution_is_found() -> None:
    assert "example-trees" in presets.names()
    assert presets.unfitted("example-trees").ensemble == 0


@pytest.mark.usefixtures("plugins")
def test_a_format_of_another_distribution_reads_its_files(tmp_path: Path) -> None:
    (tmp_path / "two.lines").write_text("A 1\nB 2\n")
    assert [row.values["label"] for row in read_rows(tmp_path / "two.lines")] == ["1", "2"]


@pytest.mark.usefixtures("plugins")
def test_images_of_another_distribution_are_read() -> None:
    assert load_images("example-stripes").num_classes == 2
