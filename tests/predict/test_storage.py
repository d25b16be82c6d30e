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
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from archpredict.encoders.gcn import GCN
from archpredict.errors import DataError, RunError, UsageError
from archpredict.heads.pairwise import Pairwise
from archpredict.predict import storage as saved
from archpredict.predict.parts import Part
from archpredict.predict.predictor import Predictor
from archpredict.regressors.bayesian_ridge import BayesianRidge
from archpredict.spaces.nasbench201 import NASBench201

SPACE = NASBench201()
CELLS = SPACE.architectures(SPACE.sample(30, np.random.default_rng(0)))
LABELS = np.arange(30.0)
SMALL: dict[str, Any] = {
    "encoder": Part("gcn", dim=16, layers=2),
    "head": "comparator",
    "sources": ("statistics",),
    "training__side_width": 8,
    "ensemble": 1,
    "regressors": {"gaussian-process": 1.0},
    "training__epochs": 1,
}
GP = "regressors.gaussian-process"


def small(**changes: Any) -> Predictor:
    return Predictor().set_params(**{**SMALL, **changes})


Change = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    small().fit(CELLS, LABELS).save(folder, card={"labels": "numbers"})
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


def test_all_files_may_be_read_by_those_who_may_read_one(original: Path) -> None:
    assert len({path.stat().st_mode for path in original.iterdir()}) == 1


def test_the_folder_holds_json_and_safetensors_and_its_card_is_kept(original: Path) -> None:
    assert {p.name for p in original.iterdir()} == {"README.md", "predictor.json", "weights.safetensors"}
    content = json.loads((original / "predictor.json").read_text())
    assert content["archpredict_predictor"] == 4
    assert {"archpredict", "torch", "scikit-learn", "numpy"} <= content["versions"].keys()
    loaded = Predictor.load(original)
    assert loaded.card_ == {"labels": "numbers"}
    assert (loaded.num_labels_, loaded.space_, loaded.feature_names_) == (30, "nasbench201", ())


def test_what_is_loaded_can_be_saved_again_to_the_same_files(original: Path, tmp_path: Path) -> None:
    loaded = Predictor.load(original, "cpu")
    loaded.set_params(device="auto").save(tmp_path, loaded.card_)
    assert contents(tmp_path) == contents(original)


def test_a_hidden_comparator_keeps_its_opponents(tmp_path: Path) -> None:
    predictor = small(head=Part("comparator", form="hidden")).fit(CELLS, LABELS)
    predictor.save(tmp_path)
    assert Predictor.load(tmp_path).predict(CELLS).tolist() == predictor.predict(CELLS).tolist()


def test_options_that_hold_numbers_of_numpy_are_saved_as_plain_ones(tmp_path: Path) -> None:
    predictor = small(
        training__epochs=np.int64(1),
        seed=np.int64(2**62),
        encoder=Part("gcn", layers=np.int64(2), dropout=np.float64(0.1)),
        regressors={"gaussian-process": np.float64(0.5)},
    ).fit(CELLS, LABELS)
    predictor.save(tmp_path)
    loaded = Predictor.load(tmp_path)
    assert loaded.encoder == Part("gcn", layers=2, dropout=0.1)
    assert loaded.seed == 2**62
    np.testing.assert_allclose(loaded.predict(CELLS), predictor.predict(CELLS), rtol=0, atol=1e-9)


class OwnEncoder(GCN):
    """An encoder that does not come with archpredict."""


class OwnHead(Pairwise):
    """A head likewise."""


class OwnRegressor(BayesianRidge):
    """A regressor likewise."""

    name = "own-regressor"


OWN: dict[str, Any] = {
    "encoder": Part(OwnEncoder, dim=16),
    "head": OwnHead,
    "regressors": {OwnRegressor: 0.5, "gaussian-process": (1.0, {"kernel": "laplacian"})},
}


def test_classes_of_ones_own_are_loaded_when_they_are_handed_over(tmp_path: Path) -> None:
    predictor = small(**OWN).fit(CELLS, LABELS)
    predictor.save(tmp_path)
    loaded = Predictor.load(tmp_path, encoder=OwnEncoder, head=OwnHead, regressors=[OwnRegressor])
    assert type(loaded.ensemble_.models[0].encoder) is OwnEncoder
    assert type(loaded.ensemble_.regressors["own-regressor"]) is OwnRegressor
    assert loaded.get_params() == predictor.get_params()
    np.testing.assert_allclose(loaded.predict(CELLS), predictor.predict(CELLS), rtol=0, atol=1e-9)


def test_classes_of_ones_own_are_asked_for_and_never_imported(tmp_path: Path) -> None:
    small(**OWN).fit(CELLS, LABELS).save(tmp_path)
    given: dict[str, Any] = {}
    for name, kind, value in (
        ("regressors", OwnRegressor, [OwnRegressor]),
        ("encoder", OwnEncoder, OwnEncoder),
        ("head", OwnHead, OwnHead),
    ):
        with pytest.raises(DataError) as error:
            Predictor.load(tmp_path, **given)
        assert f"its {name} {kind.__module__}.{kind.__qualname__} is not one of archpredict's own" in str(error.value)
        assert f"hand the class over: Predictor.load(path, {name}=...)" in str(error.value)
        given[name] = value
    assert Predictor.load(tmp_path, **given).num_labels_ == 30


def test_a_class_is_not_taken_for_a_part_that_archpredict_has(original: Path) -> None:
    with pytest.raises(DataError, match="its encoder is archpredict's 'gcn'; load it without a class of your own"):
        Predictor.load(original, encoder=OwnEncoder)


def test_a_reference_to_ones_own_class_is_saved_and_handed_over_likewise(tmp_path: Path) -> None:
    predictor = small(encoder=Part("archpredict.encoders.gcn:GCN", dim=16)).fit(CELLS, LABELS)
    predictor.save(tmp_path)
    with pytest.raises(DataError, match=r"its encoder archpredict\.encoders\.gcn:GCN is not one of archpredict's own"):
        Predictor.load(tmp_path)
    loaded = Predictor.load(tmp_path, encoder="archpredict.encoders.gcn:GCN")
    np.testing.assert_allclose(loaded.predict(CELLS), predictor.predict(CELLS), rtol=0, atol=1e-9)


def test_options_that_json_cannot_hold_are_not_saved(tmp_path: Path) -> None:
    predictor = small().fit(CELLS, LABELS).set_params(encoder=Part("gcn", readout={"mean"}))
    with pytest.raises(UsageError, match="a predictor with an option of type set cannot be saved"):
        predictor.save(tmp_path / "none")
    assert not (tmp_path / "none").exists()


# ---------------------------------------------------------------------- damaged or hostile


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(archpredict_predictor=2), "its format is 2, this version reads 4; fit it again with this"),
        (lambda c: c.update(archpredict_predictor=99), "its format is 99, this version reads 4; fit it again"),
        (lambda c: c.pop("fitted"), "fitted"),
        (lambda c: c.update(fitted=[]), "list"),
        (lambda c: c["params"].update(colour="red"), "colour"),
        (lambda c: c["params"]["training"].pop("side_width"), "side_width"),
    ],
)
def test_another_format_is_refused(folder: Path, change: Change, message: str) -> None:
    assert message in refusal(changed(folder, change))


@pytest.mark.parametrize("name", ["os:system", "archpredict.encoders.gcn:GCN", "/tmp/mine.py:Mine"])
def test_code_that_is_not_archpredicts_own_is_never_imported(folder: Path, name: str) -> None:
    row = {"weight": 1.0, "options": {}}
    changes: dict[str, Change] = {  # each is found before those above it
        "proxy": lambda p: p.update(sources=[{"proxies": [name]}]),
        "head": lambda p: p["head"].update(name=name),
        "encoder": lambda p: p["encoder"].update(name=name),
        "regressors": lambda p: p.update(regressors=[{"name": name, **row}]),
    }
    for what, change in changes.items():
        message = refusal(changed(folder, lambda c, change=change: change(c["params"])))
        assert f"its {what} {name} is not one of archpredict's own" in message, what


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p["encoder"].update(name="gnc"), "unknown encoder 'gnc'"),
        (lambda p: p.update(encoder=None), "weights are missing"),
        (
            lambda p: p.update(encoder={"name": "lstm", "options": {}}),
            "its encoder does not read graphs in the form 'nod",
        ),
        (lambda p: p["head"].update(name="compare"), "unknown head 'compare'"),
        (lambda p: p["regressors"][0].update(name="forest"), "unknown regressor 'forest'"),
        (lambda p: p["regressors"][0].update(weight=-1.0), "the weight of the regressor gaussian-process is a finite"),
        (lambda p: p["regressors"][0].update(weight=float("inf")), "the weight of the regressor gaussian-process is"),
        (
            lambda p: p["regressors"][0].update(name="random-forest"),
            "it holds what ['gaussian-process'] learnt, its regressors are ['random-forest']",
        ),
        (lambda p: p["regressors"][0].update(options={"max_labels": 29}), "its max_labels is 29"),
        (lambda p: p["regressors"][0].update(options={"kernel": "rbf"}), "unknown kernel 'rbf'"),
        (lambda p: p.update(regressors=[]), "its scores are not scaled once for each model"),
        (lambda p: p.update(ensemble=10**9), "an option of 1000000000 is out of bounds"),
        (lambda p: p.update(ensemble=3), "its scores are not scaled once for each model"),
        (lambda p: p.update(ensemble=-1), "-1 was given"),
        (lambda p: p["training"].update(side_width=10**9), "an option of 1000000000 is out of bounds"),
        (lambda p: p["training"].update(side_width=16), "size mismatch"),
        (lambda p: p["encoder"]["options"].update(dim=10**9), "an option of 1000000000 is out of bounds"),
        (lambda p: p["encoder"]["options"].update(dim=32), "size mismatch"),
        (lambda p: p["encoder"]["options"].update(layers=500), "of its weights are missing and 0 unknown"),
        (lambda p: p["encoder"]["options"].update(dropout=7), "7"),
        (lambda p: p["regressors"][0].update(options={"max_labels": 10**9}), "is out of bounds"),
        (lambda p: p["regressors"][0].update(options={"colour": 1}), "colour"),
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
            "it holds weights of 0, 1, novelty, regressors; expected are 0, novelty, regressors",
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
        (lambda w: w.pop("novelty.axes"), "the distances from its training set are of shapes"),
        (lambda w: w["novelty.limits"].zero_(), "the distances from its training set are not positive"),
        (lambda w: w.update({"novelty.more": torch.zeros(1)}), "the distances from its training set are of shapes"),
        (
            lambda w: [w.pop(name) for name in list(w) if name.startswith("novelty.")],
            "it holds weights of 0, regressors; expected are 0, novelty, regressors",
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


# ---------------------------------------------------------------------- whole or not at all


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), SafetensorError("No space left on device")], ids=["os", "library"]
)
def test_a_predictor_that_cannot_be_written_leaves_the_one_that_was_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(tensors: Any, path: Path) -> None:
        path.write_bytes(b"half")
        raise error

    before, predictor = contents(folder), Predictor.load(folder)
    monkeypatch.setattr(saved, "save_file", full)
    with pytest.raises(RunError, match=r"^cannot save the predictor in .*copy: No space left on device; choose"):
        predictor.save(folder)
    assert contents(folder) == before


def test_a_predictor_that_is_saved_again_leaves_other_files_alone(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    Predictor.load(folder).save(folder, {"labels": "others"})
    assert contents(folder).keys() == {"README.md", "notes.txt", "predictor.json", "weights.safetensors"}
    assert Predictor.load(folder).card_ == {"labels": "others"}


def test_a_machine_that_stops_between_two_files_leaves_no_mixture(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    predictor = Predictor.load(folder)
    monkeypatch.setattr("archpredict._files.os.replace", stop)
    with pytest.raises(KeyboardInterrupt):
        predictor.save(folder)
    assert contents(folder).keys() == {"README.md", "weights.safetensors"}
    with pytest.raises(DataError, match="does not hold a valid predictor"):
        Predictor.load(folder)


def test_a_card_is_read_without_the_weights(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()
    assert saved.read_card(folder) == {"labels": "numbers"}
    assert all("space" in saved.read_card(saved.located(name)) or name == "imagenet" for name in saved.shipped())
