"""Labels by training: independent of how many are trained at a time, failures recorded, workers replaced."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from archpredict.errors import DataError, UsageError
from archpredict.evaluators.base import Result, as_evaluator
from archpredict.evaluators.train import TrainEvaluator
from archpredict.graph.arch_graph import ArchGraph
from archpredict.images.base import Images, load_images
from archpredict.networks.fitting import Fit
from archpredict.networks.form import Form
from archpredict.networks.network import build
from archpredict.networks.recipe import Recipe
from archpredict.networks.worker import read_images, write_images
from archpredict.runs.search import search
from archpredict.runtime import one_thread
from archpredict.spaces.base import Architecture, SearchSpace
from archpredict.spaces.nasbench201 import NASBench201

TINY = {"channels": 4, "cells": 1}
RECIPE = Recipe(epochs=1, batch_size=128)
SPACE = NASBench201()
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


@pytest.fixture(scope="module")
def digits() -> Images:
    return load_images("digits")


@pytest.fixture(scope="module")
def cells() -> list[Architecture]:
    return SPACE.architectures(SPACE.sample(3, np.random.default_rng(0)))


def evaluator(images: Images, recipe: Recipe = RECIPE, **more: Any) -> TrainEvaluator:
    return TrainEvaluator(images, Form.of(images, TINY), recipe, device="cpu", **more)


def labels(results: Iterator[Result]) -> dict[tuple[int, ...], Any]:
    """All but the time."""
    return {r.architecture.choices: (r.score, r.error, r.metadata) for r in results}


# ---------------------------------------------------------------------- labels


def test_a_label_is_the_validation_accuracy_of_the_network_trained_alone(
    digits: Images, cells: list[Architecture]
) -> None:
    result = next(evaluator(digits, seed=3).evaluate(cells[:1]))
    graph = Form.of(digits, TINY).graph(SPACE, cells[0].choices)
    with one_thread():
        fit = Fit(build(graph, seed=3), digits, RECIPE, seed=3)
        fit.run()
        assert result.score == fit.accuracy("validation")
    assert result.metadata["loss"] == fit.epochs[-1].loss
    assert result.metadata["params"] == sum(p.numel() for p in fit.network.parameters())
    assert result.metadata["epochs"] == 1
    assert result.seconds > 0


def test_labels_do_not_depend_on_jobs_order_or_threads(digits: Images, cells: list[Architecture]) -> None:
    alone = labels(evaluator(digits).evaluate(cells))
    assert len(set(alone)) == 3
    assert labels(evaluator(digits).evaluate(cells[::-1])) == alone
    spread = evaluator(digits, jobs=2)
    assert labels(spread.evaluate(cells)) == alone
    assert labels(spread.evaluate(cells[2:])) == {cells[2].choices: alone[cells[2].choices]}, "workers are kept"
    assert labels(evaluator(digits, jobs=2)._packed(cells)) == alone, "threads, as on CUDA"


def test_another_seed_gives_other_labels(digits: Images, cells: list[Architecture]) -> None:
    first, second = (labels(evaluator(digits, seed=seed).evaluate(cells[:1])) for seed in (0, 1))
    assert first != second


def test_the_threads_of_the_caller_stay_as_they_are(digits: Images, cells: list[Architecture]) -> None:
    before = torch.get_num_threads()
    next(evaluator(digits).evaluate(cells))
    assert torch.get_num_threads() == before


def test_the_description_tells_labels_apart_that_differ(digits: Images) -> None:
    assert evaluator(digits).describe() == evaluator(digits, jobs=2).describe()
    assert evaluator(digits).describe()["images"]["sha256"] == digits.sha256
    assert evaluator(digits).describe()["labels"] == (
        "accuracies in percent on the 359 validation images of digits, of networks trained from scratch for 1 epoch"
    )
    others = [
        evaluator(digits, Recipe(epochs=2)),
        evaluator(digits, seed=1),
        evaluator(digits, split="train"),
        TrainEvaluator(digits, recipe=RECIPE, device="cpu"),
    ]
    assert all(other.describe() != evaluator(digits).describe() for other in others)


# ---------------------------------------------------------------------- failures


def test_a_training_that_diverges_is_a_failed_result(digits: Images, cells: list[Architecture]) -> None:
    wild = Recipe(epochs=1, learning_rate=1e30, clip=0)
    for jobs in (1, 2):
        (result,) = evaluator(digits, wild, jobs=jobs).evaluate(cells[:1])
        assert result.score is None
        assert "the training diverged: the loss is" in str(result.error)
        assert result.metadata["params"] > 0


def test_an_error_of_torch_is_a_failed_result(
    digits: Images, cells: list[Architecture], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: Any, **more: Any) -> None:
        raise RuntimeError("something is\nwrong")

    monkeypatch.setattr(Fit, "run", broken)
    (result,) = evaluator(digits).evaluate(cells[:1])
    assert result.error == "the training failed: RuntimeError: something is wrong"


def watched(made: TrainEvaluator) -> list[Any]:
    """The processes that the evaluator asks, each time that it does."""
    taken: list[Any] = []
    pool = made._processes()
    take = pool._taken
    pool._taken = lambda: taken.append(take()) or taken[-1]  # type: ignore[method-assign, func-returns-value]
    return taken


def soon(condition: Callable[[], Any], then: Callable[[], Any]) -> threading.Thread:
    """Do something in a thread as soon as a condition holds."""

    def run() -> None:
        while not condition():
            time.sleep(0.02)
        then()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@posix
def test_a_worker_that_is_killed_is_a_failed_result_and_replaced(digits: Images, cells: list[Architecture]) -> None:
    made = evaluator(digits, jobs=2)
    taken = watched(made)
    killer = soon(lambda: len(taken) == 2, lambda: taken[0].process.kill())
    results = list(made.evaluate(cells))
    killer.join()
    failed = [result for result in results if result.score is None]
    assert [r.error for r in failed] == ["its process was killed, as systems do when memory runs out"]
    assert len(results) == 3
    assert taken[0] not in taken[2:], "the dead one is not asked again"


def test_an_interrupted_evaluation_leaves_no_process(digits: Images, cells: list[Architecture]) -> None:
    slow = evaluator(digits, Recipe(epochs=100_000), jobs=2)
    taken = watched(slow)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        interrupter = soon(lambda: len(taken) == 2, lambda: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            next(slow.evaluate(cells))
        interrupter.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert all(worker.process.poll() is not None for worker in taken)


def test_a_worker_ends_when_nobody_listens_any_more(digits: Images, tmp_path: Path) -> None:
    slow = evaluator(digits, Recipe(epochs=100_000), jobs=2)
    taken = watched(slow)
    graph = Form.of(digits, TINY).graph(SPACE, (3,) * 6)
    asking = threading.Thread(target=slow._processes().ask, args=({"graph": graph.to_json()},), daemon=True)
    asking.start()
    while not taken or taken[0]._setup is not None:  # it has been told what to do
        time.sleep(0.02)
    taken[0].process.stdin.close()
    assert taken[0].process.wait(60) == 0
    asking.join()


def test_a_worker_that_cannot_start_gives_its_last_words(digits: Images, cells: list[Architecture]) -> None:
    broken = evaluator(digits, jobs=2)
    broken._processes()._setup = "no JSON"
    (result,) = broken.evaluate(cells[:1])
    assert str(result.error).startswith("its process exited with code 1 and said:")
    assert "JSONDecodeError" in str(result.error)


def test_images_go_to_a_worker_as_they_are(digits: Images, tmp_path: Path) -> None:
    again = read_images(write_images(digits, tmp_path / "images"))
    assert (again.sha256, again.flips, again.num_classes) == (digits.sha256, digits.flips, digits.num_classes)


# ---------------------------------------------------------------------- what is refused at once


class Silent(SearchSpace):
    name = "silent"
    num_choices = (2,)

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        return ArchGraph(ops=("input", "output"), edges=((0, 1),))


def test_a_space_without_networks_is_refused_with_what_to_write(digits: Images) -> None:
    with pytest.raises(UsageError, match=r"the space silent does not define network\(\).*write Silent\.network"):
        next(evaluator(digits).evaluate([Silent().architecture([0])]))


def test_an_option_that_the_space_does_not_have_is_refused(digits: Images, cells: list[Architecture]) -> None:
    with pytest.raises(
        UsageError, match="networks of the space nasbench201 have no option 'depth'; they have: channels"
    ):
        TrainEvaluator(digits, Form.of(digits, {"depth": 3})).evaluate(cells)


def test_an_architecture_that_is_too_deep_for_the_images_is_a_failed_result(digits: Images) -> None:
    class Deep(NASBench201):
        def network(self, choices: Sequence[int], **form: Any) -> ArchGraph:
            raise UsageError("the image is too small")

    (result,) = TrainEvaluator(digits, recipe=RECIPE).evaluate([Deep().architecture([3] * 6)])
    assert (result.score, result.error) == (None, "the image is too small")


@pytest.mark.parametrize(
    ("name", "given", "error", "message"),
    [
        ("train", {}, UsageError, r"the evaluator train needs `dataset` \(Images to train on, .*e.g. as train:DATASET"),
        ("train:digitz", {}, UsageError, "unknown data set 'digitz'; choose from: "),
        ("train:digits", {"dataset": "digits"}, UsageError, "`dataset` of the evaluator train was given after a colon"),
        ("train", {"dataset": "cifar10:nowhere"}, DataError, "nowhere"),
        ("train:digits", {"training": {"epoch": 3.0}}, UsageError, "unknown training option 'epoch'; choose from: b"),
        ("train:digits", {"training": {"batch_size": 1.0}}, UsageError, "batches of 1 image cannot be trained on"),
        ("train:digits", {"network": {"depth": 3.0}}, UsageError, "the space nasbench201 have no option 'depth'"),
        ("train:digits", {"network": {"cells": 1.5}}, UsageError, "network: cells is a whole number, 1.5 was given"),
        (
            "train:digits",
            {"epochs": 5},
            UsageError,
            "the evaluator train has no option 'epochs'; its options are",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(
    name: str, given: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        as_evaluator(name, SPACE, options=given, device="cpu")


def test_by_name_it_takes_seed_and_jobs_of_the_search() -> None:
    made = as_evaluator("train:digits", SPACE, options={"training": {"epochs": 1.0}}, seed=3, device="cpu", jobs=2)
    assert isinstance(made, TrainEvaluator)
    assert (made.jobs, made.task.seed, made.task.recipe.epochs) == (2, 3, 1)


# ---------------------------------------------------------------------- in a search


def test_a_search_labels_by_training_and_a_resumed_one_ends_the_same(digits: Images, tmp_path: Path) -> None:
    class Stops(TrainEvaluator):
        left = 3

        def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
            for result in super().evaluate(architectures):
                if not self.left:
                    raise KeyboardInterrupt
                self.left -= 1
                yield result

    def made(kind: type[TrainEvaluator]) -> TrainEvaluator:
        return kind(digits, Form.of(digits, TINY), RECIPE, device="cpu")

    whole = search(SPACE, made(TrainEvaluator), strategy="random", budget=5, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        search(SPACE, made(Stops), strategy="random", budget=5, out=tmp_path / "run")
    resumed = search(SPACE, made(TrainEvaluator), strategy="random", budget=5, out=tmp_path / "run", resume=True)
    assert resumed.top == whole.top
    assert whole.best.score is not None
    assert whole.best.score > 12


def test_an_evaluator_that_went_to_another_process_gives_the_same_labels(
    digits: Images, cells: list[Architecture]
) -> None:
    here, there = evaluator(digits), pickle.loads(pickle.dumps(evaluator(digits)))
    assert there.describe() == here.describe()
    (one,), (two,) = here.evaluate(cells[:1]), there.evaluate(cells[:1])
    assert one.score == two.score
