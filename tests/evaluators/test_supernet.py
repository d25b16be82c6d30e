"""Labels by a supernet: right, the same in any order, refused where nothing fits."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from archpredict.errors import DataError, UsageError
from archpredict.evaluators.base import Evaluator, as_evaluator
from archpredict.evaluators.supernet import SupernetEvaluator
from archpredict.executors.local import Local
from archpredict.images.base import Images, load_images
from archpredict.networks.batches import Batches
from archpredict.networks.form import Form
from archpredict.networks.recipe import Recipe
from archpredict.networks.supernet import Supernet
from archpredict.networks.supernet_training import SupernetTraining
from archpredict.networks.trained_supernet import FILE
from archpredict.registry import resolve
from archpredict.spaces.base import Architecture
from archpredict.spaces.enas import ENAS
from archpredict.spaces.nasbench201 import NASBench201

CELLS = NASBench201()


@pytest.fixture(scope="module")
def images() -> Images:
    return load_images("digits")


@pytest.fixture(scope="module")
def folder(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("supernet")
    supernet = Supernet(CELLS, Form.of(images, {"channels": 4, "cells": 1}))
    SupernetTraining(supernet, images, Recipe(epochs=4)).run(checkpoint=made / FILE, about={"dataset": "digits"})
    return made


@pytest.fixture(scope="module")
def cells() -> list[Architecture]:
    return CELLS.architectures(CELLS.sample(4, np.random.default_rng(0)))


def test_a_label_is_the_validation_accuracy_of_the_inherited_network(
    folder: Path, images: Images, cells: list[Architecture]
) -> None:
    evaluator = SupernetEvaluator.load(folder, CELLS, device="cpu", dataset="digits")
    calibration = Batches(images, batch_size=64)
    for result in evaluator.evaluate(cells):
        network = evaluator.trained.supernet.network(result.architecture.choices, calibration, len(calibration))
        x, y = next(Batches(images, "validation", batch_size=1000, shuffle=False).plain())
        with torch.no_grad():
            scores = network(x)
        assert result.score == 100 * int((scores.argmax(1) == y).sum()) / len(y)
        loss = float(torch.nn.functional.cross_entropy(scores, y))
        assert result.metadata["cross_entropy"] == pytest.approx(loss, abs=1e-5)


def test_labels_depend_neither_on_the_order_nor_on_what_was_labelled_before(
    folder: Path, cells: list[Architecture]
) -> None:
    first, second = (SupernetEvaluator.load(folder, CELLS, device="cpu") for _ in range(2))
    mixed = random.Random(0).sample(cells, len(cells))
    mine = {r.architecture.choices: (r.score, dict(r.metadata)) for r in first.evaluate(cells)}
    yours = {r.architecture.choices: (r.score, dict(r.metadata)) for r in second.evaluate(mixed)}
    assert mine == yours
    assert mine == {r.architecture.choices: (r.score, dict(r.metadata)) for r in first.evaluate(mixed)}


def test_labels_of_other_processes_are_the_same(folder: Path, cells: list[Architecture]) -> None:
    evaluator = SupernetEvaluator.load(folder, CELLS, device="cpu")
    here = {r.architecture.choices: (r.score, dict(r.metadata)) for r in evaluator.evaluate(cells)}
    results = (done.value for done in Local(jobs=2).each(lambda cell: next(evaluator.evaluate([cell])), cells))
    assert here == {r.architecture.choices: (r.score, dict(r.metadata)) for r in results if r is not None}


def test_it_is_found_by_name_and_made_of_its_options(folder: Path) -> None:
    kind = resolve("evaluators", "supernet", Evaluator)
    assert kind is SupernetEvaluator
    for argument in (str(folder), str(folder / FILE)):
        made = as_evaluator(f"supernet:{argument}", CELLS, device="cpu")
        assert made.describe()["form"]["options"] == {"channels": 4, "cells": 1}
    with pytest.raises(UsageError, match=r"needs `checkpoint` \(Folder of a trained supernet.*e.g. as supernet:"):
        as_evaluator("supernet", CELLS)


def test_the_description_has_the_digests_of_weights_and_images(folder: Path, images: Images) -> None:
    described = SupernetEvaluator.load(folder, CELLS, device="cpu").describe()
    assert described["images"]["sha256"] == images.sha256
    assert len(described["sha256"]) == 64
    assert described["labels"] == (
        "accuracies in percent on the 359 validation images of digits, with weights that all architectures share, of a "
        "supernet trained for 4 epochs"
    )


def test_a_supernet_of_another_space_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match=r"is one of the space nasbench201, not of enas; give another one, or train it"):
        SupernetEvaluator.load(folder, ENAS(), device="cpu")


def test_other_images_than_those_of_the_training_are_refused(folder: Path, images: Images) -> None:
    trained = SupernetEvaluator.load(folder, CELLS, device="cpu").trained
    other = Images("mine", images.validation, images.train, images.test, 10, flips=False)
    with pytest.raises(DataError, match=r"the images of mine .* are not those of digits .* same `dataset`"):
        SupernetEvaluator(trained, other)


def test_a_checkpoint_that_does_not_say_where_its_images_are_asks_for_them(images: Images, tmp_path: Path) -> None:
    supernet = Supernet(CELLS, Form.of(images, {"channels": 2, "cells": 1}))
    SupernetTraining(supernet, images, Recipe(epochs=1, batch_size=500)).run(checkpoint=tmp_path / FILE)
    with pytest.raises(UsageError, match="does not say where its images are; give `dataset`"):
        SupernetEvaluator.load(tmp_path, CELLS, device="cpu")
    assert SupernetEvaluator.load(tmp_path, "nasbench201", dataset="digits", device="cpu").images.name == "digits"


def test_weights_that_compute_nothing_finite_are_a_failed_evaluation(folder: Path, cells: list[Architecture]) -> None:
    evaluator = SupernetEvaluator.load(folder, CELLS, device="cpu")
    with torch.no_grad():
        evaluator.trained.supernet.weights["linear/weight"].fill_(3e38)
    result = next(evaluator.evaluate(cells))
    assert result.score is None
    assert result.error == "the network gives scores that are not finite with the weights of the supernet"


def test_weights_that_were_never_trained_are_counted(images: Images, tmp_path: Path) -> None:
    supernet = Supernet(CELLS, Form.of(images, {"channels": 2, "cells": 1}))
    training = SupernetTraining(supernet, images, Recipe(epochs=1, batch_size=500))
    training.choices_of = lambda number: [(1,) * 6]  # type: ignore[method-assign]
    training.run(checkpoint=tmp_path / FILE)
    evaluator = SupernetEvaluator.load(tmp_path, CELLS, dataset="digits", device="cpu")
    skips, convolutions = evaluator.evaluate([CELLS.architecture((1,) * 6), CELLS.architecture((3,) * 6)])
    assert skips.metadata["untrained_weights"] == 0
    # Six edges in cells of 2, 4 and 8 channels.
    assert convolutions.metadata["untrained_weights"] == 6 * sum(9 * c * c + c for c in (2, 4, 8))
