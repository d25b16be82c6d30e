"""Transfer models of labels of one's own: what they are made of, their direction, and files that are none."""

from __future__ import annotations

import json
import struct
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from archpredict.errors import DataError, UsageError
from archpredict.predict.families import pooled
from archpredict.predict.predictor import Predictor
from archpredict.predict.transfer.direction import opposed
from archpredict.predict.transfer.learning import learn_transfer
from archpredict.predict.transfer.model import TransferModel
from archpredict.predict.transfer.shipped import shipped_model, transfer_model
from archpredict.predict.universal import UniversalPredictor
from archpredict.spaces.base import Architecture, load_space
from archpredict.testing.toys import ToySpace

Labelled = tuple[list[Architecture], np.ndarray]


def drawn(name: str, count: int = 80) -> Labelled:
    """Architectures of a space, and labels that grow with their multiply-adds."""
    space, rng = load_space(name), np.random.default_rng(0)
    architectures = space.architectures(np.unique(space.sample(count, rng), axis=0))
    macs = np.log([architecture.cost["macs"] + 1 for architecture in architectures])
    return architectures, macs + 0.2 * macs.std() * rng.normal(size=len(macs))


@pytest.fixture(scope="module")
def families() -> dict[str, Labelled]:
    return {name: drawn(name) for name in ("nasbench-macro", "nasbench201", "darts")}


@pytest.fixture(scope="module")
def model(families: dict[str, Labelled]) -> TransferModel:
    return learn_transfer([families["nasbench-macro"], families["nasbench201"]], ["counted", "counted"])


class TestLearning:
    def test_every_space_is_learnt_from_but_in_itself(self, model: TransferModel) -> None:
        assert model.zero_shot(load_space("darts")).sources == ("nasbench-macro", "nasbench201")
        found = model.zero_shot(load_space("nasbench201"))
        assert (found.sources, found.left_out) == (("nasbench-macro",), ("nasbench201",))

    def test_labels_count_by_their_order_so_that_their_scales_may_differ(self, families: dict[str, Labelled]) -> None:
        cells, labels = families["nasbench201"]
        percent, fractions = (learn_transfer([(cells, y)]) for y in (labels, labels / 100))
        space = load_space("darts")
        np.testing.assert_allclose(percent.zero_shot(space).weights, fractions.zero_shot(space).weights)

    def test_a_file_is_used_by_whatever_takes_its_path(
        self, model: TransferModel, families: dict[str, Labelled], tmp_path: Path
    ) -> None:
        path, (cells, _) = tmp_path / "mine.safetensors", families["darts"]
        model.save(path)
        np.testing.assert_array_equal(UniversalPredictor(path).predict(cells), UniversalPredictor(model).predict(cells))
        assert Predictor(transfer=path).learns_from(load_space("darts"))["sources"] == ["nasbench-macro", "nasbench201"]

    def test_a_file_that_was_written_anew_is_read_anew(
        self, model: TransferModel, families: dict[str, Labelled], tmp_path: Path
    ) -> None:
        path = tmp_path / "mine.safetensors"
        model.save(path)
        assert transfer_model(path) is transfer_model(str(path))
        learn_transfer([families["darts"]]).save(path)
        assert [s.name for s in transfer_model(path).spaces if s.has_labels] == ["darts"]

    def test_a_predictor_fitted_with_a_file_is_saved_and_needs_the_file_no_more(
        self, model: TransferModel, families: dict[str, Labelled], tmp_path: Path
    ) -> None:
        path, (cells, labels) = tmp_path / "mine.safetensors", families["darts"]
        model.save(path)
        kept = Predictor(None, ensemble=0, regressors={"gaussian-processes": 1.0}, transfer=path)
        kept.fit(cells[:30], labels[:30]).save(tmp_path / "kept")
        path.unlink()
        again = Predictor.load(tmp_path / "kept")
        np.testing.assert_array_equal(again.predict(cells), kept.predict(cells))
        assert again.transfer_["sources"] == ["nasbench-macro", "nasbench201"]

    @pytest.mark.parametrize("wrong", [None, 1, "", b"mine"])
    def test_what_is_neither_a_truth_value_nor_a_path_is_refused(self, wrong: Any) -> None:
        with pytest.raises(UsageError, match="transfer is True, False or the file of a transfer model"):
            Predictor(transfer=wrong).check()

    def test_what_cannot_be_learnt_from_is_refused_in_one_sentence(self, families: dict[str, Labelled]) -> None:
        cells, labels = families["nasbench201"]
        alike = load_space("nasbench201").architectures([[3] * 6, [3] * 6])
        toys = ToySpace().architectures(ToySpace().enumerate()[:4])
        for given, error, message in [
            ([], UsageError, "none were given; give one at least"),
            ([(cells[:1], labels[:1])], DataError, "at least 2 labelled architectures"),
            ([(cells, labels[:3])], DataError, "need as many labels"),
            ([(cells, np.ones(len(cells)))], DataError, "are equal"),
            ([(alike, [1.0, 2.0])], DataError, "have the same size and depth, which tell nothing of others"),
            ([(toys, range(4))], UsageError, r"does not define network\(\)"),
            ([([cells[0], families["darts"][0][0]], [1.0, 2.0])], UsageError, "of several, were given in one"),
            ([([cell.graph for cell in cells], labels)], UsageError, "of several, were given in one"),
        ]:
            with pytest.raises(error, match=message):
                learn_transfer(given)  # type: ignore[arg-type]


class TestDirection:
    def test_what_ships_has_no_space_that_goes_against_the_others(self) -> None:
        spaces = shipped_model().spaces
        labelled = {known.name: known.moments for known in spaces if known.has_labels}
        assert opposed(labelled, [known.moments for known in spaces if not known.has_labels]) == {}

    @pytest.mark.parametrize("name", ["nasbench201", "darts", "nasbench-macro", "mobilenetv3"])
    def test_a_space_whose_labels_were_turned_round_is_found_and_no_other(self, name: str) -> None:
        labelled = {known.name: known.moments for known in shipped_model().spaces if known.has_labels}
        turned = labelled[name].of_labels
        assert turned is not None
        assert list(opposed({**labelled, name: replace(labelled[name], of_labels=-turned)})) == [name]

    def test_the_warning_names_the_space_and_says_what_to_do(self, families: dict[str, Labelled]) -> None:
        cells, labels = families["nasbench201"]
        with pytest.warns(UserWarning, match="the labels of nasbench201 go against .* give them with a minus"):
            learn_transfer([families["nasbench-macro"], (cells, -labels)])
        with pytest.warns(UserWarning, match="the labels of nasbench201 go against what their size"):
            learn_transfer([(cells, -labels)])

    def test_families_that_are_pooled_are_held_against_each_other_too(self, families: dict[str, Labelled]) -> None:
        cells, labels = families["nasbench201"]
        with pytest.warns(UserWarning, match="the labels of nasbench201 go against"):
            pooled([families["nasbench-macro"], (cells, -labels)])

    def test_of_a_few_labels_nothing_is_said(self, families: dict[str, Labelled]) -> None:
        cells, labels = families["nasbench201"]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            learn_transfer([families["nasbench-macro"], (cells[:8], -labels[:8])])


def changed(path: Path, change: Callable[[dict[str, str], dict[str, np.ndarray]], None]) -> None:
    """The file with other metadata and arrays."""
    with safe_open(path, "np") as opened:
        told, arrays = dict(opened.metadata()), {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    change(told, arrays)
    save_file(arrays, path, told)


def _spoilt(name: str, value: float) -> Callable[[dict[str, str], dict[str, np.ndarray]], None]:
    def change(told: dict[str, str], arrays: dict[str, np.ndarray]) -> None:
        arrays[name].flat[0] = value

    return change


class TestFilesThatAreNone:
    @pytest.fixture
    def path(self, model: TransferModel, tmp_path: Path) -> Path:
        model.save(tmp_path / "mine.safetensors")
        return tmp_path / "mine.safetensors"

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            (lambda told, arrays: told.update(archpredict_transfer="2"), "its format is 2, and this version reads 1"),
            (lambda told, arrays: told.update(columns='["x"]'), "not those that this version computes"),
            (lambda told, arrays: told.update(spaces="{}"), "its spaces are no list"),
            (lambda told, arrays: told.update(spaces="null"), "its spaces are no list"),
            (lambda told, arrays: told.update(spaces=json.dumps([{}] * 1001)), "its spaces are no list of at most"),
            (lambda told, arrays: told.update(spaces="[" * 100_000), "make it again with this version"),
            (lambda told, arrays: arrays.pop("0.mean"), "it holds no mean of its space 0"),
            (_spoilt("0.mean", np.nan), "its mean is not"),
            (_spoilt("0.covariance", np.inf), "its covariance is not"),
            (_spoilt("1.of_labels", np.nan), "its of_labels is not"),
            (_spoilt("0.covariance", -1.0), "of no numbers and labels"),
            (_spoilt("0.covariance", 1e300), "of no numbers and labels"),
            (_spoilt("1.of_labels", 1e6), "of no numbers and labels"),
            (lambda told, arrays: arrays.update({"0.cells": np.zeros(3)}), "its marks are not"),
            (lambda told, arrays: told.pop("archpredict_transfer"), "a safetensors file of something else"),
        ],
    )
    def test_what_was_changed_is_said(self, path: Path, change: Any, why: str) -> None:
        changed(path, change)
        with pytest.raises(DataError, match=why):
            TransferModel.load(path)

    def test_bytes_that_are_no_safetensors_are_not_read_as_such(self, path: Path) -> None:
        whole = path.read_bytes()
        for content in (b"", b"accuracy\n93.1\n", whole[: len(whole) // 2], struct.pack("<Q", 2**62) + whole):
            path.write_bytes(content)
            with pytest.raises(DataError, match="it is no safetensors file, or not whole"):
                TransferModel.load(path)

    def test_a_folder_and_a_file_that_is_too_large_are_refused_unread(self, path: Path) -> None:
        with path.open("r+b") as file:
            file.truncate(10_000_000_000)
        for place in (path, path.parent):
            with pytest.raises(DataError, match="no regular file of at most 64,000,000 bytes"):
                TransferModel.load(place)

    def test_one_that_is_not_there_is_named(self, path: Path) -> None:
        with pytest.raises(DataError, match=r"there is no file none\.safetensors"):
            Predictor(transfer="none.safetensors").check()
