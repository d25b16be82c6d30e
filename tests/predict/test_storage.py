"""Predictors on disk: what is written, and that a damaged or hostile folder does not pass."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from archpredict.encoders.gcn import GCN
from archpredict.errors import DataError, UsageError
from archpredict.heads.pairwise import Pairwise
from archpredict.predict import storage as saved
from archpredict.predict.predictor import Predictor
from archpredict.spaces.nasbench201 import NASBench201

SPACE = NASBench201()
CELLS = SPACE.architectures(SPACE.sample(30, np.random.default_rng(0)))
LABELS = np.arange(30.0)
SMALL: dict[str, Any] = {
    "encoder": "gcn",
    "head": "comparator",
    "encoder_options": {"dim": 16, "layers": 2},
    "head_options": None,
    "side": ("statistics",),
    "side_width": 8,
    "ensemble": 1,
    "regressors": {"gaussian-process": 1.0},
    "regressor_options": None,
    "epochs": 1,
}
GP = "regressors.gaussian-process"
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    Predictor(**SMALL).fit(CELLS, LABELS).save(folder, card={"labels": "numbers"})
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(original, tmp_path / "copy"))


def refusal(folder: Path) -> str:
    with pytest.raises(DataError, match=f"{folder} does not hold a valid predictor: ") as error:
        Predictor.load(folder)
    return str(error.value)


def changed(folder: Path, change: Change) -> Path:
    path = folder / "predictor.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return folder


def reweighted(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> Path:
    weights = {name: value.clone() for name, value in load_file(folder / "weights.safetensors").items()}
    change(weights)
    save_file(weights, folder / "weights.safetensors")
    return folder


def test_the_folder_holds_json_and_safetensors_and_its_card_is_kept(original: Path) -> None:
    assert {p.name for p in original.iterdir()} == {"predictor.json", "weights.safetensors"}
    content = json.loads((original / "predictor.json").read_text())
    assert content["archpredict_predictor"] == 3
    assert {"archpredict", "torch", "scikit-learn", "numpy"} <= content["versions"].keys()
    loaded = Predictor.load(original)
    assert loaded.card_ == {"labels": "numbers"}
    assert (loaded.num_labels_, loaded.space_, loaded.feature_names_) == (30, "nasbench201", ())


def test_what_is_loaded_can_be_saved_again_to_the_same_files(original: Path, tmp_path: Path) -> None:
    loaded = Predictor.load(original, "cpu")
    loaded.set_params(device="auto").save(tmp_path, loaded.card_)
    for name in ("predictor.json", "weights.safetensors"):
        assert (tmp_path / name).read_bytes() == (original / name).read_bytes()


def test_a_hidden_comparator_keeps_its_opponents(tmp_path: Path) -> None:
    predictor = Predictor(**{**SMALL, "head_options": {"form": "hidden"}}).fit(CELLS, LABELS)
    predictor.save(tmp_path)
    assert Predictor.load(tmp_path).predict(CELLS).tolist() == predictor.predict(CELLS).tolist()


def test_options_that_hold_numbers_of_numpy_are_saved_as_plain_ones(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        **SMALL,
        "epochs": np.int64(1),
        "seed": np.int64(2**62),
        "encoder_options": {"layers": np.int64(2), "dropout": np.float64(0.1)},
        "regressors": {"gaussian-process": np.float64(0.5)},
    }
    predictor = Predictor(**options).fit(CELLS, LABELS)
    predictor.save(tmp_path)
    loaded = Predictor.load(tmp_path)
    assert loaded.encoder_options == {"layers": 2, "dropout": 0.1}
    assert loaded.seed == 2**62
    np.testing.assert_allclose(loaded.predict(CELLS), predictor.predict(CELLS), rtol=0, atol=1e-9)


@pytest.mark.parametrize("arguments", [{"encoder": GCN}, {"head": Pairwise}, {"encoder": "some.module:Encoder"}])
def test_classes_of_your_own_are_not_saved(arguments: dict[str, Any], tmp_path: Path) -> None:
    predictor = Predictor(**SMALL).fit(CELLS, LABELS).set_params(**arguments)
    with pytest.raises(UsageError, match="only predictors whose encoder, head and regressors are given by name can be"):
        predictor.save(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_options_that_json_cannot_hold_are_not_saved(tmp_path: Path) -> None:
    predictor = Predictor(**SMALL).fit(CELLS, LABELS).set_params(side={"statistics"})
    with pytest.raises(UsageError, match="a predictor with an option of type set cannot be saved"):
        predictor.save(tmp_path / "none")
    assert not (tmp_path / "none").exists()


# ---------------------------------------------------------------------- damaged or hostile


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(archpredict_predictor=2), "its format is 2, this version reads 3; fit it again with this"),
        (lambda c: c.update(archpredict_predictor=99), "its format is 99, this version reads 3; fit it again"),
        (lambda c: c.pop("fitted"), "fitted"),
        (lambda c: c.update(fitted=[]), "list"),
        (lambda c: c["params"].update(colour="red"), "colour"),
        (lambda c: c["params"].pop("side_width"), "side_width"),
    ],
)
def test_another_format_is_refused(folder: Path, change: Change, message: str) -> None:
    assert message in refusal(changed(folder, change))


@pytest.mark.parametrize("name", ["os:system", "archpredict.encoders.gcn:GCN", "/tmp/mine.py:Mine"])
def test_code_that_is_not_archpredicts_own_is_never_imported(folder: Path, name: str) -> None:
    changes: list[Change] = [
        lambda c: c["params"].update(encoder=name),
        lambda c: c["params"].update(head=name),
        lambda c: c["params"].update(regressors={name: 1.0}),
        lambda c: c["params"].update(proxies=[name]),
    ]
    for change in changes:
        message = refusal(changed(folder, change))
        assert "its encoder, head, regressor or proxy is not one of archpredict's own" in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.update(encoder="gnc"), "unknown encoder 'gnc'"),
        (lambda p: p.update(encoder=None), "weights are missing"),
        (lambda p: p.update(encoder="lstm", encoder_options=None), "its encoder does not read graphs in the form 'nod"),
        (lambda p: p.update(head="compare"), "unknown head 'compare'"),
        (lambda p: p.update(regressors={"forest": 1.0}), "unknown regressor 'forest'"),
        (lambda p: p.update(regressors={"gaussian-process": -1.0}), "regressors have weights above 0"),
        (lambda p: p.update(regressors={"gaussian-process": float("inf")}), "regressors have weights above 0"),
        (
            lambda p: p.update(regressors={"random-forest": 1.0}),
            "it holds what ['gaussian-process'] learnt, its regressors are ['random-forest']",
        ),
        (lambda p: p.update(regressor_options={"gaussian-process": {"max_labels": 29}}), "its max_labels is 29"),
        (lambda p: p.update(regressor_options={"gaussian-process": {"kernel": "rbf"}}), "unknown kernel 'rbf'"),
        (lambda p: p.update(regressors=None), "its scores are not scaled once for each model"),
        (lambda p: p.update(ensemble=10**9), "an option of 1000000000 is out of bounds"),
        (lambda p: p.update(ensemble=3), "its scores are not scaled once for each model"),
        (lambda p: p.update(ensemble=-1), "-1 was given"),
        (lambda p: p.update(side_width=10**9), "an option of 1000000000 is out of bounds"),
        (lambda p: p.update(side_width=16), "size mismatch"),
        (lambda p: p["encoder_options"].update(dim=10**9), "an option of 1000000000 is out of bounds"),
        (lambda p: p["encoder_options"].update(dim=32), "size mismatch"),
        (lambda p: p["encoder_options"].update(layers=500), "of its weights are missing and 0 unknown"),
        (lambda p: p["encoder_options"].update(dropout=7), "7"),
        (lambda p: p.update(regressor_options={"gaussian-process": {"max_labels": 10**9}}), "is out of bounds"),
        (lambda p: p.update(regressor_options={"gaussian-process": {"colour": 1}}), "colour"),
    ],
)
def test_arguments_that_do_not_fit_the_weights_are_refused(folder: Path, change: Change, message: str) -> None:
    assert message in refusal(changed(folder, lambda c: change(c["params"])))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f["location"].__setitem__(0, float("nan")), "the scale of its scores is not finite"),
        (lambda f: f["scale"].__setitem__(1, -1.0), "the scale of its scores does not increase"),
        (lambda f: f["scale"].append(1.0), "its scores are not scaled once for each model"),
        (lambda f: f["calibration"][0].reverse(), "the scale of its scores does not increase"),
        (lambda f: f["calibration"][0].pop(), "its scores are not scaled once for each model"),
        (lambda f: f["spec"].update(num_cells=10**9), "an option of 1000000000 is out of bounds"),
        (lambda f: f["spec"].update(form="native"), "its encoder does not read graphs in the form 'native'"),
        (lambda f: f["spec"]["scale"].pop(), "a scale of"),
        (lambda f: f["spec"]["vocabulary"].pop(), "its statistics are of another vocabulary"),
        (lambda f: f["spec"]["sources"][0]["statistics"].pop("operators"), "statistics must be a mapping"),
        (lambda f: f.update(regressors={}), "gaussian-process"),
        (
            lambda f: f["regressors"]["gaussian-process"].update(length=-1.0),
            "has a positive amplitude, length and noise",
        ),
        (
            lambda f: f["regressors"]["gaussian-process"].update(noise=float("nan")),
            "has a positive amplitude, length and noise",
        ),
        (
            lambda f: f["regressors"]["gaussian-process"].update(amplitude="large"),
            "has a positive amplitude, length and noise",
        ),
        (lambda f: f.pop("deviation"), "deviation"),
        (lambda f: f.update(deviation=[1.0]), "not enough values"),
        (lambda f: f.update(deviation=[1.0, -1.0]), "calibrated by [1.0, -1.0], not by numbers of at least 0"),
        (lambda f: f.update(deviation=[float("nan"), 0.0]), "calibrated by [nan, 0.0], not by numbers of at least 0"),
        (lambda f: f.update(num_labels="many"), "many"),
    ],
)
def test_what_fitting_has_set_must_hold_together(folder: Path, change: Change, message: str) -> None:
    assert message in refusal(changed(folder, lambda c: change(c["fitted"])))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda w: w.pop("0.head.fc.weight"),
            "1 of its weights are missing and 0 unknown, the first is head.fc.weight",
        ),
        (
            lambda w: w.update({"0.more": torch.zeros(1)}),
            "0 of its weights are missing and 1 unknown, the first is more",
        ),
        (
            lambda w: w.update({"1.more": torch.zeros(1)}),
            "it holds weights of 0, 1, familiarity, regressors; expected are 0, familiarity, regressors",
        ),
        (lambda w: w["0.head.fc.weight"].fill_(float("nan")), "its weights are not all finite"),
        (lambda w: w["regressors.gaussian-process.x"].fill_(float("inf")), "its weights are not all finite"),
        (
            lambda w: w.update({"0.head.fc.weight": w["0.head.fc.weight"].double()}),
            "torch.float64, its encoder and head",
        ),
        (lambda w: w.update({"0.head.fc.weight": w["0.head.fc.weight"][:, :1].clone()}), "size mismatch"),
        (lambda w: w.pop(f"{GP}.y"), "y"),
        (lambda w: w.update({f"{GP}.x": w[f"{GP}.x"][:, 1:].clone()}), "arrays of floating-point numbers"),
        (lambda w: w.update({f"{GP}.x": w[f"{GP}.x"][1:].clone()}), "arrays of floating-point numbers"),
        (lambda w: w.update({f"{GP}.y": w[f"{GP}.y"].long()}), "arrays of floating-point numbers"),
        (lambda w: w.update({"regressors.other.x": torch.zeros(1)}), "it holds what ['gaussian-process', 'other'] le"),
        (lambda w: w.pop("familiarity.axes"), "the distances from its training set are of shapes"),
        (lambda w: w["familiarity.limits"].zero_(), "the distances from its training set are not positive"),
        (lambda w: w.update({"familiarity.more": torch.zeros(1)}), "the distances from its training set are of shapes"),
        (
            lambda w: [w.pop(name) for name in list(w) if name.startswith("familiarity.")],
            "it holds weights of 0, regressors; expected are 0, familiarity, regressors",
        ),
    ],
)
def test_weights_must_be_those_of_the_members(folder: Path, change: Callable[..., Any], message: str) -> None:
    assert message in refusal(reweighted(folder, change))


def test_a_json_file_beyond_all_measure_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved, "_MAX_JSON_BYTES", 1000)
    assert "predictor.json is larger than 1,000 bytes" in refusal(folder)


def test_files_that_are_missing_or_no_json_are_refused(folder: Path) -> None:
    (folder / "predictor.json").write_text("{")
    assert "Expecting property name" in refusal(folder)
    (folder / "predictor.json").unlink()
    assert "predictor.json" in refusal(folder)


class _Trap:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def test_a_pickle_in_the_place_of_the_weights_is_refused_and_never_loaded(folder: Path, tmp_path: Path) -> None:
    trap = pickle.dumps(_Trap(tmp_path / "sprung"))
    (folder / "weights.safetensors").write_bytes(trap)
    refusal(folder)
    (folder / "predictor.json").write_bytes(trap)
    refusal(folder)
    assert not (tmp_path / "sprung").exists()
    pickle.loads(trap)
    assert (tmp_path / "sprung").exists()  # the trap works


def test_a_device_that_is_not_there_is_the_users_mistake_and_not_the_folders(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"^unknown device 'tpu'; choose from: auto, cpu, cuda"):
        Predictor.load(folder, device="tpu")
