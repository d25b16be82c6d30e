"""``archpredict train`` as a user meets it."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from archpredict.evaluators.train import TrainEvaluator
from archpredict.images.base import load_images
from archpredict.networks.batches import Batches, accuracy
from archpredict.networks.form import Form
from archpredict.networks.network import load
from archpredict.networks.recipe import Recipe
from archpredict.spaces.nasbench201 import NASBench201

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|"
FORM = ("--space", "nasbench201", "--dataset", "digits", "--network", "channels=4", "--network", "cells=1")
SHORT = ("--training", "epochs=2", "--training", "batch_size=128", "--device", "cpu")
TINY = ("train", CELL, *FORM, *SHORT)


def without_time(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name not in ("seconds", "out", "network")}


def weights(folder: str) -> dict[str, torch.Tensor]:
    network, _ = load(Path(folder) / "network.safetensors")
    return network.state_dict()


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_network_is_trained_judged_on_the_test_images_and_saved(cli: Any) -> None:
    done = cli(*TINY, "--out", "net", "--json")
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert json.loads(Path("net/result.json").read_text()) == result
    assert (result["split"], result["images"], result["epochs"]) == ("test", 359, 2)
    network, card = load("net/network.safetensors")
    test = Batches(load_images("digits"), "test", batch_size=359, shuffle=False)
    # Normalised by the images for training alone, not with those for validation as in the command.
    assert accuracy(network, test) == pytest.approx(result["accuracy"], abs=1.5)
    assert (card["architecture"], card["space"], card["recipe"]["epochs"]) == (CELL, "nasbench201", 2)
    assert card["accuracy"] == result["accuracy"]
    assert card["images"]["sha256"] == load_images("digits").sha256
    assert (
        f"Training {result['params']:,} parameters on 1,438 images of digits for 2 epochs; record in net" in done.stderr
    )
    assert "epoch 2/2, loss" in done.stderr


def test_validate_gives_the_label_of_a_search(cli: Any) -> None:
    done = cli(*TINY, "--validate", "--json", "--quiet")
    images = load_images("digits")
    form = Form.of(images, {"channels": 4, "cells": 1})
    evaluator = TrainEvaluator(images, form, Recipe(epochs=2, batch_size=128), device="cpu")
    label = next(evaluator.evaluate([NASBench201().from_text(CELL)]))
    result = json.loads(done.stdout)
    assert (result["split"], result["accuracy"]) == ("validation", label.score)
    assert result["out"] == "runs/train-nasbench201-seed0-1"
    assert done.stderr == ""


def test_an_interrupted_training_says_how_to_go_on_and_ends_the_same(cli: Any, start: Any) -> None:
    long = (*TINY[:-4], "--training", "batch_size=128", "--training", "epochs=8", "--device", "cpu")
    for _ in range(3):  # a busy machine may have it end before the signal comes
        program = start("from archpredict.cli.main import main; main()", *long, "--out", "net", "--quiet")
        while not Path("net/checkpoint.safetensors").exists():
            assert not program.ended(), program.wait()
            time.sleep(0.01)
        program.send_signal(signal.SIGINT)
        exit_code, stdout, stderr = program.wait()
        if exit_code:
            break
        for file in Path("net").iterdir():
            file.unlink()
    assert (exit_code, stdout) == (130, "")
    assert stderr == "Error: interrupted; go on with: archpredict train --resume net\n"
    assert not Path("net/network.safetensors").exists()
    resumed = cli("train", "--resume", "net", "--device", "cpu", "--json")
    whole = cli(*long, "--out", "whole", "--json")
    assert without_time(json.loads(resumed.stdout)) == without_time(json.loads(whole.stdout))
    assert equal(weights("net"), weights("whole"))


def test_a_finished_training_can_be_resumed_and_stays(cli: Any) -> None:
    first = cli(*TINY, "--out", "net", "--json")
    before = weights("net")
    again = cli("train", "--resume", "net", "--json")
    assert "2 epochs, 2 of them done" in again.stderr
    assert json.loads(again.stdout) == json.loads(first.stdout)
    assert equal(weights("net"), before)


def test_the_best_architecture_of_a_search_is_trained_with_its_data_and_form(cli: Any) -> None:
    found = cli(
        "search", *FORM, "--training", "epochs=1", "--evaluator", "train", "--strategy", "random", "--budget", "2",
        "--out", "run", "--json",
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    done = cli("train", "--from", "run", *SHORT, "--out", "net", "--json")
    result = json.loads(done.stdout)
    assert result["architecture"] == json.loads(found.stdout)["best"]["architecture"]
    assert result["params"] < 100_000, "the form of the search, not that of the paper"


def test_a_search_by_training_in_two_processes_is_the_same_every_time(cli: Any) -> None:
    """What random search asks for beside others depends on how many there are, and not on which of them ends first."""
    words = ("search", *FORM, "--training", "epochs=1", "--evaluator", "train", "--strategy", "random", "--budget", "4")
    one = json.loads(cli(*words, "--out", "one", "--json", "--jobs", "2").stdout)
    two = json.loads(cli(*words, "--out", "two", "--json", "--jobs", "2").stdout)
    assert one["queries"] == 4
    assert {**one, "seconds": 0, "run_dir": ""} == {**two, "seconds": 0, "run_dir": ""}


def test_a_training_that_diverges_ends_with_a_sentence_and_code_1(cli: Any) -> None:
    done = cli(*TINY, "--training", "learning_rate=1e30", "--out", "net")
    assert done.exit_code == 1
    assert "Error: the training diverged: the loss is" in done.stderr
    assert not Path("net/checkpoint.safetensors").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train",), "give an architecture to train, in the notation of its space, or --from RUN_DIR of a search"),
        (("train", CELL), "give --space, the space of the architecture"),
        (("train", CELL, "--space", "nasbench201"), "give --dataset, the images to train on; those there are: cifar10"),
        (("train", "[0]", *FORM), "'[0]' is no architecture of the space nasbench201"),
        ((*TINY[:4], "--dataset", "digitz"), "unknown data set 'digitz'; choose from: cifar10, cifar100, digits"),
        ((*TINY, "--training", "epoch=1"), "unknown training option 'epoch'; choose from: batch_size, clip"),
        ((*TINY, "--network", "depth=1"), "networks of the space nasbench201 have no option 'depth'; they have:"),
        (("train", "--resume", "nowhere"), "there is no training to resume in nowhere: nowhere/config.json does not"),
        (("train", "--resume", "x", "--out", "y"), "--resume goes on in the folder it names; leave out --out"),
        (("train", "--from", "nowhere"), "there is no run in nowhere"),
        (
            ("train", "[0, 1, 0, 0, 0, 0]", "--space", "archpredict.testing.toys:ToySpace", "--dataset", "digits"),
            "network()",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(cli: Any, words: tuple[str, ...], message: str) -> None:
    assert message in cli.fails(*words)
    assert not Path("runs").exists()


def test_what_is_in_a_folder_is_kept(cli: Any) -> None:
    cli(*TINY, "--out", "net")
    assert "the folder net is not empty; give another --out, or --resume net to go" in cli.fails(*TINY, "--out", "net")
    cases = {
        ("--training", "epochs=3"): "training.epochs is 2 there and 3.0 now",
        ("--space", "darts"): "space is nasbench201 there and darts now",
        ("--network", "channels=8"): "network.channels is 4.0 there and 8.0 now",
        ("--seed", "1"): "seed is 0 there and 1 now",
    }
    for words, message in cases.items():
        refused = cli.fails("train", "--resume", "net", *words)
        assert f"the training in net was started with other settings: {message}. Resume it without" in refused
    same = cli("train", CELL, "--resume", "net", "--training", "epochs=2", "--seed", "0")
    assert same.exit_code == 0


def test_a_folder_in_use_or_damaged_is_refused(cli: Any) -> None:
    from filelock import FileLock

    cli(*TINY, "--out", "net")
    with FileLock("net/.lock"):
        done = cli("train", "--resume", "net")
        assert done.exit_code == 1
        assert "the folder net is in use by another process; wait until it ends, or give another --out" in done.stderr
    checkpoint = Path("net/checkpoint.safetensors")
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    assert "the checkpoint net/checkpoint.safetensors is damaged" in cli.fails("train", "--resume", "net", "--quiet")
    config = json.loads(Path("net/config.json").read_text())
    del config["settings"]["seed"]
    Path("net/config.json").write_text(json.dumps(config))
    done = cli("train", "--resume", "net")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "the folder net is corrupt: net/config.json is not the configuration of a training" in done.stderr


def test_a_search_in_that_folder_is_told_apart(cli: Any) -> None:
    toys = "archpredict.testing.toys:"
    words = ("--space", f"{toys}ToySpace", "--evaluator", f"{toys}ToyEvaluator", "--strategy", "random")
    cli("search", *words, "--budget", "3", "--out", "run")
    assert "run is not the folder of a training by 'archpredict train'" in cli.fails("train", "--resume", "run")
