"""``archpredict.rank``: models of every kind in one order, each read and packed once."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import archpredict
from archpredict.errors import DataError, MissingDependencyError, UnknownNameError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.networks.form import Form
from archpredict.onnx.apart import FileReading
from archpredict.onnx.modules import exported
from archpredict.onnx.reader import load
from archpredict.predict.predictor import Predictor
from archpredict.predict.presets import preset
from archpredict.predict.rank.adaptation import AdaptedPredictor
from archpredict.progress import Event
from archpredict.testing.toys import ToySpace

IMAGE = torch.zeros(1, 3, 16, 16)


def network(*widths: int) -> nn.Module:
    """Convolutions of some widths, one after another, and a classifier."""
    layers: list[nn.Module] = []
    for before, width in zip((3, *widths), widths, strict=False):
        layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 10))


def write(path: Path, *widths: int, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(exported(network(*widths), (IMAGE,), input_names=["image"], **options))
    return path


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> list[ArchGraph]:
    """30 networks of one to six convolutions."""
    rng, place = np.random.default_rng(0), tmp_path_factory.mktemp("graphs")
    return [load(write(place / f"{i}.onnx", *rng.integers(4, 33, 1 + i % 6).tolist())) for i in range(30)]


@pytest.fixture(scope="module")
def ranker(graphs: list[ArchGraph]) -> Predictor:
    """Has learnt that depth is good."""
    depths = np.array([graph.ops.count("conv") for graph in graphs], dtype=float)
    noise = np.random.default_rng(1).normal(0, 0.5, len(graphs))
    return preset("ranker").make().fit(graphs, 60 + 3 * depths + noise)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``nets`` with networks of 1, 3 and 5 convolutions, and the second once more."""
    for depth in (1, 3, 5):
        write(tmp_path / "nets" / f"net{depth}.onnx", *[16] * depth)
    write(tmp_path / "nets" / "again" / "copy3.onnx", 16, 16, 16)
    return tmp_path / "nets"


def names(ranking: Sequence[Any]) -> list[str]:
    return [row.name for row in ranking]


# ---------------------------------------------------------------------- what is ranked


def test_models_of_every_kind_stand_in_one_order(folder: Path, ranker: Predictor) -> None:
    proto, graph = onnx.load(str(folder / "net1.onnx")), load(folder / "net5.onnx")
    proto.graph.name = "by hand"
    models = [folder / "net3.onnx", proto, (network(16, 16), IMAGE), graph]
    ranking = archpredict.rank(models, ranker)
    assert names(ranking) == ["graph", str(folder / "net3.onnx"), "Sequential", "by hand"]
    assert [row.model for row in ranking] == [graph, models[0], models[2][0], proto]
    files = archpredict.rank([folder / f"net{depth}.onnx" for depth in (1, 3, 5)], ranker)
    assert [ranking[i].score for i in (0, 1, 3)] == [row.score for row in files]


@pytest.mark.parametrize("given", ["{}", "{}/*.onnx", "{}/**/*.onnx"])
def test_folders_and_patterns_lead_to_files_each_ranked_once(folder: Path, ranker: Predictor, given: str) -> None:
    ranking = archpredict.rank([folder / "net1.onnx", given.format(folder), str(folder)], ranker)
    assert {*names(ranking)} == {
        str(folder / name) for name in ("net1.onnx", "net3.onnx", "net5.onnx", "again/copy3.onnx")
    }
    assert (ranking[0].name, ranking[3].name) == (str(folder / "net5.onnx"), str(folder / "net1.onnx"))
    assert [row.rank for row in ranking] == [1, 2, 2, 4]
    assert [row.tied for row in ranking] == [False, True, True, False]


def test_a_mapping_gives_the_names_and_one_example_serves_all_modules(ranker: Predictor, folder: Path) -> None:
    nets = {"shallow": network(16), "deep": network(16, 16, 16, 16), "file": str(folder / "net3.onnx")}
    assert names(archpredict.rank(nets, ranker, example=IMAGE)) == ["deep", "file", "shallow"]


def test_one_model_may_stand_alone(folder: Path, ranker: Predictor) -> None:
    alone = [
        archpredict.rank(folder / "net3.onnx", ranker),
        archpredict.rank(onnx.load(str(folder / "net3.onnx")), ranker),
        archpredict.rank((network(16, 16, 16), IMAGE), ranker),
        archpredict.rank(network(16, 16, 16), ranker, example=IMAGE),
        archpredict.rank(load(folder / "net3.onnx"), ranker),
    ]
    assert len({row.score for (row,) in alone}) == 1
    assert [row.beats_next for (row,) in alone] == [None] * 5


def test_models_without_names_are_numbered_where_several_are_called_alike(ranker: Predictor) -> None:
    ranking = archpredict.rank([network(16), network(16, 16)], ranker, example=IMAGE)
    assert names(ranking) == ["Sequential 2", "Sequential 1"]


def test_architectures_of_a_space_are_ranked_as_the_networks_they_are(ranker: Predictor) -> None:
    space = archpredict.load_space("nasbench201")
    cells = space.architectures(space.sample(3, np.random.default_rng(0)))
    form = Form(image_size=16, options={"channels": 8, "cells": 1})
    ranking = archpredict.rank(cells, ranker, form=form)
    graphs = {str(cell): form.graph(space, cell.choices) for cell in cells}
    assert [row.score for row in ranking] == pytest.approx([ranker.predict([graphs[row.name]])[0] for row in ranking])
    assert [row.params for row in ranking] == [int(graphs[row.name].attrs["params"].sum()) for row in ranking]
    with pytest.raises(UsageError, match=r"the space toy does not define network\(\)"):
        archpredict.rank(ToySpace().architectures(np.zeros((1, 6), dtype=int)), ranker)


def test_a_predictor_of_a_space_ranks_its_architectures(folder: Path) -> None:
    space = archpredict.load_space("nasbench201")
    drawn = {cell.key: cell for cell in space.architectures(space.sample(60, np.random.default_rng(0)))}
    cells = list(drawn.values())
    predictor = preset("bayesian-ridge").make().fit(cells[:30], [cell.cost["params"] for cell in cells[:30]])
    ranking = archpredict.rank(cells[30:40], predictor)
    assert names(ranking) == [str(cells[30 + i]) for i in predictor.rank(cells[30:40])]
    assert [row.params for row in ranking] == [int(row.model.cost["params"]) for row in ranking]
    with pytest.raises(
        UsageError, match="the predictor Predictor was fitted on the space nasbench201, not on ONNX mod"
    ):
        archpredict.rank([folder], predictor)
    others = archpredict.load_space("darts")
    with pytest.raises(
        UsageError, match=r"was fitted on the space nasbench201, and .* is of the space darts; take anoth"
    ):
        archpredict.rank(others.architectures(others.sample(1, np.random.default_rng(0))), predictor)


def test_isomorphic_architectures_are_tied() -> None:
    space = archpredict.load_space("nasbench201")
    a = "nor_conv_1x1"
    same = f"|{a}~0|+|none~0|none~1|+|none~0|{a}~1|none~2|", f"|none~0|+|{a}~0|none~1|+|none~0|none~1|{a}~2|"
    cells = [space.from_text(text) for text in same]
    assert cells[0].key == cells[1].key
    others = space.architectures(space.sample(20, np.random.default_rng(0)))
    predictor = preset("gates").make().fit(others, [cell.cost["params"] for cell in others])
    assert [(row.rank, row.tied) for row in archpredict.rank(cells, predictor)] == [(1, True), (1, True)]


# ---------------------------------------------------------------------- what is said of them


def test_scores_are_the_predictors_and_probabilities_those_of_normal_variables(folder: Path, ranker: Predictor) -> None:
    rows = archpredict.rank(folder, ranker)
    graphs = [load(row.model) for row in rows]
    assert [row.score for row in rows] == pytest.approx(ranker.predict(graphs).tolist())
    assert [row.std for row in rows] == pytest.approx(ranker.predict_std(graphs).tolist())
    z = (rows[0].score - rows[1].score) / math.hypot(rows[0].std, rows[1].std)
    assert rows[0].beats_next == pytest.approx(0.5 * math.erfc(-z / math.sqrt(2)))
    assert [rows[1].beats_next, rows[3].beats_next] == [0.5, None]
    assert (rows[3].params, rows[3].macs) == (3 * 16 * 9 + 16 + 16 * 10 + 10, 16 * 16 * 16 * 27 + 160)


def test_what_is_far_from_the_training_set_has_a_large_novelty_and_a_remark(ranker: Predictor) -> None:
    ranking = archpredict.rank({"usual": network(16, 16), "huge": network(*[512] * 20)}, ranker, example=IMAGE)
    novelty = {row.name: row.novelty for row in ranking}
    assert novelty["usual"] < 1 < novelty["huge"]
    remarks = {row.name: [remark.sentence for remark in row.remarks] for row in ranking}
    assert remarks["usual"] == []
    assert remarks["huge"] == ["out of distribution: it is far from all models that the predictor has learnt from"]


def test_a_single_network_knows_neither_uncertainty_nor_novelty() -> None:
    space = archpredict.load_space("nasbench201")
    cells = [cell.graph for cell in space.architectures(space.sample(12, np.random.default_rng(0)))]
    predictor = preset("gates").make().fit(cells[:10], range(10))
    ranking = archpredict.rank(cells[10:], predictor)
    assert [(row.std, row.beats_next, row.novelty, row.params) for row in ranking] == [(None, None, None, None)] * 2
    assert " - " in str(ranking)


def test_a_ranking_is_a_sequence_that_prints_as_a_table(folder: Path, ranker: Predictor) -> None:
    ranking = archpredict.rank(folder, ranker)
    assert (len(ranking), ranking[0], ranking[-1]) == (4, ranking.rows[0], ranking.rows[3])
    lines = str(ranking).splitlines()
    assert lines[0] == "4 models ranked by Predictor"
    assert lines[1].split() == ["rank", "model", "score", "±", "beats", "next", "params", "macs", "nodes", "warnings"]
    assert [line.split()[:2] for line in lines[2:6]] == [
        ["1", "net5.onnx"], ["=2", "net3.onnx"], ["=2", "copy3.onnx"], ["4", "net1.onnx"],
    ]  # fmt: skip
    assert lines[6] == "Score: higher is better; ± is one standard deviation."
    assert ranking == archpredict.rank(folder, ranker)


def test_a_ranking_becomes_json_and_a_data_frame(folder: Path, ranker: Predictor) -> None:
    (folder / "broken.onnx").write_text("no model")
    ranking = archpredict.rank(folder, ranker)
    content = json.loads(json.dumps(ranking.to_dict()))
    assert list(content) == ["predictor", "score", "ranking", "failed"]
    keys = ["rank", "model", "score", "std", "beats_next", "params", "macs", "nodes", "warnings"]
    assert all(list(row) == keys for row in content["ranking"])
    assert [failure["model"] for failure in content["failed"]] == [str(folder / "broken.onnx")]
    frame = pytest.importorskip("pandas") and ranking.to_pandas()
    assert list(frame.columns) == [
        "rank", "tied", "name", "score", "std", "beats_next", "params", "macs", "nodes", "novelty", "remarks",
    ]  # fmt: skip
    assert frame["name"].tolist() == names(ranking)
    assert frame["beats_next"].isna().tolist() == [False, False, False, True]


def test_without_pandas_to_pandas_says_what_to_do(
    folder: Path, ranker: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranking = archpredict.rank(folder, ranker)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingDependencyError, match="needs the package pandas, which is not installed; pip install"):
        ranking.to_pandas()


# ---------------------------------------------------------------------- once


def test_every_model_is_read_and_packed_once(folder: Path, ranker: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    from archpredict.onnx import files
    from archpredict.predict import network_numbers

    counts = {"reads": 0, "statistics": 0}
    read_proto, statistics = files.read_proto, network_numbers.network_statistics_of

    def reading(*arguments: Any) -> Any:
        counts["reads"] += 1
        return read_proto(*arguments)

    def computing(view: Any) -> Any:
        counts["statistics"] += len(view)
        return statistics(view)

    for i in range(6):
        write(folder / f"more{i}.onnx", *[8 + i] * (1 + i % 3))
    write(folder / "open.onnx", 8, 8, dynamic_axes={"image": {2: "h", 3: "w"}})
    monkeypatch.setattr(network_numbers, "network_statistics_of", computing)
    monkeypatch.setattr(files, "read_proto", reading)
    adapted = AdaptedPredictor.fit(ranker, [load(folder / f"net{depth}.onnx") for depth in (1, 3, 5)], [1.0, 2.0, 3.0])
    for predictor in (ranker, adapted):
        counts.update(reads=0, statistics=0)
        ranking = archpredict.rank(folder, predictor, input_shape=(1, 3, 16, 16))
        assert (len(ranking), counts["reads"]) == (11, 11)
        assert counts["statistics"] <= 10  # two of them are equal, and some may be known


def test_reading_is_reported(folder: Path, ranker: Predictor) -> None:
    seen: list[Event] = []
    archpredict.rank([folder, network(16)], ranker, example=IMAGE, observer=seen.append)
    assert [(event.stage, event.done, event.total) for event in seen] == [("reading", i, 5) for i in range(1, 6)]


def test_shapes_are_given_by_name_or_for_the_only_input(folder: Path, ranker: Predictor) -> None:
    path = write(folder / "open.onnx", 16, dynamic_axes={"image": {2: "h", 3: "w"}})
    (closed,) = archpredict.rank(folder / "net1.onnx", ranker)
    for shapes in ({"input_shape": (1, 3, 16, 16)}, {"input_shapes": {"image": [1, 3, 16, 16]}}):
        (row,) = archpredict.rank(path, ranker, **shapes)
        assert (row.macs, row.score) == (closed.macs, closed.score)


# ---------------------------------------------------------------------- labels


def test_labels_adapt_the_predictor_and_say_how_well(ranker: Predictor, tmp_path: Path) -> None:
    nets = {f"n{i}": network(*[8 + i] * (1 + i % 4)) for i in range(8)}
    labels = {f"n{i}": 0.5 + 0.05 * (1 + i % 4) + 0.001 * i for i in range(6)}
    ranking = archpredict.rank(nets, ranker, example=IMAGE, labels={**labels, "other": 0.9})
    assert ranking.adaptation is not None
    assert ranking.adaptation.to_dict().keys() == {"labels", "models", "not_found", "tau_before", "tau_after"}
    assert (ranking.adaptation.figures.labels, ranking.adaptation.labels.missing) == (6, ["other"])
    assert all(0.4 < row.score < 0.9 for row in ranking)
    assert str(ranking).endswith("after.")
    table = tmp_path / "labels.csv"
    table.write_text("model,score\n" + "".join(f"{name},{score}\n" for name, score in labels.items()))
    same = archpredict.rank(nets, ranker, example=IMAGE, labels=table)
    assert [(row.name, row.score) for row in same] == [(row.name, row.score) for row in ranking]
    again = archpredict.rank(nets, ranking.adaptation.ranker, example=IMAGE)
    assert [row.score for row in again] == pytest.approx([row.score for row in ranking])
    with pytest.raises(UsageError, match="is adapted already; name the one it came from"):
        archpredict.rank(nets, again and ranking.adaptation.ranker, example=IMAGE, labels=labels)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"a": 1, "b": 2}, "2 of the 2 labels name one of the models given; at least 3 labelled models are needed"),
        ({"a": 1, "b": "high", "c": 2}, "the label of 'b': found 'high', expected a finite number"),
        ({"a": 1, "b": math.nan, "c": 2}, "the label of 'b': found nan, expected a finite number"),
        ({"a": 1, "b": 1, "c": 1}, "all 3 labels are equal"),
    ],
)
def test_labels_that_cannot_be_used_are_one_sentence(ranker: Predictor, labels: dict[str, Any], message: str) -> None:
    nets = {name: network(4 + i) for i, name in enumerate("abc")}
    with pytest.raises(DataError, match=message):
        archpredict.rank(nets, ranker, example=IMAGE, labels=labels)


# ---------------------------------------------------------------------- recipes


@pytest.fixture(scope="module")
def by_recipe(graphs: list[ArchGraph]) -> Predictor:
    """Has learnt that depth is good, and the recipe ``new`` better than ``old``."""
    recipes = ["new", "old", "new"] * 10
    labels = [60.0 + 3 * g.ops.count("conv") - 5 * (r == "old") for g, r in zip(graphs, recipes, strict=True)]
    ranker = preset("ranker").make().fit(graphs, labels, features={"recipe": recipes})
    ranker.card_ = {"meaning": "accuracy in percent", "recipes": {"old": "100 epochs"}}
    return ranker


def test_a_score_is_under_one_recipe_which_is_named(folder: Path, by_recipe: Predictor) -> None:
    stated, old = archpredict.rank(folder, by_recipe), archpredict.rank(folder, by_recipe, recipe="old")
    assert (stated.recipe, old.recipe, old.to_dict()["recipe"]) == ("new", "old", "old")
    assert all(new.score > its.score for new, its in zip(stated, old, strict=True))
    assert str(old).splitlines()[0] == "4 models ranked by Predictor under the recipe old"
    assert "Score: accuracy in percent, under the recipe old (100 epochs); ± is" in str(old)
    assert "Score: accuracy in percent, under the recipe new; ± is" in str(stated)


def test_labels_replace_the_recipe_by_that_of_their_own(by_recipe: Predictor) -> None:
    nets = {f"n{i}": network(*[8 + i] * (1 + i % 4)) for i in range(6)}
    labels = {f"n{i}": 0.5 + 0.05 * (1 + i % 4) for i in range(5)}
    ranking = archpredict.rank(nets, by_recipe, example=IMAGE, labels=labels, recipe="old")
    assert ranking.adaptation is not None
    assert (ranking.recipe, "recipe" in ranking.to_dict()) == (None, False)
    with pytest.raises(UsageError, match="is adapted to labels, and ranks as they were trained; leave `recipe` out"):
        archpredict.rank(nets, ranking.adaptation.ranker, example=IMAGE, recipe="old")


def test_a_recipe_that_is_not_known_is_one_sentence(folder: Path, ranker: Predictor, by_recipe: Predictor) -> None:
    with pytest.raises(UsageError, match="unknown recipe 'nonsense'; choose from: new, old"):
        archpredict.rank(folder, by_recipe, recipe="nonsense")
    with pytest.raises(UsageError, match="the predictor Predictor knows no training recipes; leave `recipe` out"):
        archpredict.rank(folder, ranker, recipe="new")


# ---------------------------------------------------------------------- what cannot be done


def test_what_cannot_be_read_is_a_failure_and_the_others_are_ranked(folder: Path, ranker: Predictor) -> None:
    (folder / "broken.onnx").write_text("no model")
    module = nn.Linear(3, 4)
    ranking = archpredict.rank([folder, folder / "missing.onnx", (module, torch.zeros(1, 5))], ranker)
    assert len(ranking) == 4
    assert [failure.model for failure in ranking.failures] == [
        str(folder / "broken.onnx"), str(folder / "missing.onnx"), "Linear",
    ]  # fmt: skip
    assert str(ranking).splitlines()[-1].startswith("Error: Linear cannot be traced with its example")
    nothing = archpredict.rank(folder / "broken.onnx", ranker)
    assert (len(nothing), len(nothing.failures), str(nothing).count("\n")) == (0, 1, 0)


def test_what_is_no_model_or_no_predictor_is_one_sentence(folder: Path, ranker: Predictor) -> None:
    with pytest.raises(
        UsageError, match=r"models are paths, folders, patterns, ONNX models, torch modules .*; int was gi"
    ):
        archpredict.rank(3, ranker)
    with pytest.raises(UsageError, match="graphs or architectures; float was given"):
        archpredict.rank([folder, 3.0], ranker)
    with pytest.raises(UsageError, match="Sequential is a torch module without an example input; give"):
        archpredict.rank([network(4)], ranker)
    with pytest.raises(UsageError, match=r"nets is the folder .*; in a mapping, each name has one model"):
        archpredict.rank({"nets": folder}, ranker)
    with pytest.raises(UsageError, match="there is no ONNX model in nothing"):
        archpredict.rank("nothing.onnx", ranker)
    with pytest.raises(UsageError, match="no model has an input 'imag'; there are: image"):
        archpredict.rank(folder, ranker, input_shapes={"imag": (1, 3, 8, 8)})
    with pytest.raises(UsageError, match="graph is no graph of a whole network: "):
        archpredict.rank(archpredict.load_space("nasbench201").decode([3] * 6), ranker)
    with pytest.raises(UsageError, match="`predictor` is a name, a folder or a fitted predictor; int was given"):
        archpredict.rank(folder, 3)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="unknown predictor 'nothing'"):
        archpredict.rank(folder, "nothing")


def test_a_predictor_that_reads_columns_cannot_rank_models(graphs: list[ArchGraph]) -> None:
    predictor = preset("ranker").make().fit(graphs[:8], range(8), features={"speed": np.arange(8.0)})
    with pytest.raises(UsageError, match="the predictor Predictor also reads speed, which a model does not tell"):
        archpredict.rank(graphs[8:], predictor)


def test_chunks_and_processes_give_the_ranking_of_the_whole(
    folder: Path, ranker: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "broken.onnx").write_bytes(b"noise")
    whole = archpredict.rank(folder, ranker)
    monkeypatch.setattr("archpredict.predict.rank.ranking._CHUNK", 2)
    follow = tmp_path / "follow.csv"
    files = FileReading(jobs=1, cache=tmp_path / "kept.db")
    parts = archpredict.rank(folder, ranker, files=files, follow=follow)
    assert [(row.rank, row.name, row.tied) for row in parts] == [(row.rank, row.name, row.tied) for row in whole]
    assert [row.score for row in parts] == pytest.approx([row.score for row in whole])
    assert parts.failures == whole.failures
    told = [line.split(",")[0] for line in follow.read_text().splitlines()[1:]]
    assert sorted(told) == sorted([*(row.name for row in whole), str(folder / "broken.onnx")])
