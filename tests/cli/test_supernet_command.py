"""``archpredict supernet train``: a folder that labels, resume after Ctrl-C, what is refused."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

TINY = ("--space", "nasbench201", "--dataset", "digits", "--network", "channels=2", "--network", "cells=1")
FAST = ("--training", "epochs=2", "--training", "batch_size=256", "--device", "cpu")
FILE = "supernet.safetensors"


def test_a_supernet_is_trained_and_labels_a_search(cli: Any) -> None:
    result = cli("supernet", "train", *TINY, *FAST, "--out", "net", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["out"], told["epochs"], told["space"], told["dataset"]) == ("net", 2, "nasbench201", "digits")
    assert told["belongs_to"]["recipe"]["batch_size"] == 256
    words = ("search", "--space", "nasbench201", "--strategy", "random", "--budget", "3", "--device", "cpu")
    found = cli(*words, "--evaluator", "supernet:net", "--out", "run", "--json", "--quiet")
    assert found.exit_code == 0, found.output
    assert 0 <= json.loads(found.stdout)["best"]["score"] <= 100


def test_without_out_it_goes_into_the_first_free_folder(cli: Any) -> None:
    for n in (1, 2):
        result = cli("supernet", "train", *TINY, *FAST, "--quiet")
        assert result.exit_code == 0, result.output
        assert f"supernet:runs/nasbench201-supernet-seed0-{n}" in result.stdout
        assert (Path("runs") / f"nasbench201-supernet-seed0-{n}" / FILE).is_file()


def test_the_same_seed_gives_the_same_weights_and_another_one_others(cli: Any) -> None:
    for folder, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert cli("supernet", "train", *TINY, *FAST, "--seed", seed, "--out", folder, "--quiet").exit_code == 0
    a, b, c = (load_file(Path(folder) / FILE) for folder in "abc")
    assert all((a[name] == b[name]).all() for name in a)
    assert not (a["weights/linear/weight"] == c["weights/linear/weight"]).all()


def test_an_interrupted_training_says_how_to_go_on(cli: Any, start: Any) -> None:
    words = ("supernet", "train", *TINY, "--device", "cpu", "--training", "epochs=300", "--out", "net")
    program = start("from archpredict.cli.main import main; main()", *words)
    file = Path("net", FILE)
    while not file.exists() or len(_about(file)["epochs"]) < 1:
        assert not program.ended()
        time.sleep(0.02)
    program.send_signal(signal.SIGINT)
    exit_code, _, stderr = program.wait()
    assert exit_code == 130
    assert stderr.splitlines()[-1] == "Error: interrupted; go on with: archpredict supernet train --resume net"
    assert len(_about(file)["epochs"]) < 300


def test_resume_ends_where_an_uninterrupted_training_does(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from archpredict.networks.supernet_training import SupernetTraining

    assert cli("supernet", "train", *TINY, *FAST, "--sandwich", "--out", "whole", "--quiet").exit_code == 0
    epoch = SupernetTraining._epoch

    def interrupted(self: SupernetTraining, number: int) -> Any:
        if number == 1:
            raise KeyboardInterrupt
        return epoch(self, number)

    monkeypatch.setattr(SupernetTraining, "_epoch", interrupted)
    stopped = cli("supernet", "train", *TINY, *FAST, "--sandwich", "--out", "net", "--quiet")
    assert stopped.exit_code == 130
    assert stopped.stderr == "Error: interrupted; go on with: archpredict supernet train --resume net\n"
    monkeypatch.setattr(SupernetTraining, "_epoch", epoch)
    assert cli("supernet", "train", "--resume", "net", "--quiet").exit_code == 0
    net, whole = load_file("net/" + FILE), load_file("whole/" + FILE)
    assert net.keys() == whole.keys()
    assert all((net[name] == whole[name]).all() for name in net)


def test_a_finished_training_that_is_resumed_stays_as_it_is(cli: Any) -> None:
    assert cli("supernet", "train", *TINY, *FAST, "--out", "net", "--quiet").exit_code == 0
    before = Path("net", FILE).read_bytes()
    result = cli("supernet", "train", "--resume", "net", "--quiet")
    assert (result.exit_code, Path("net", FILE).read_bytes()) == (0, before)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "archpredict supernet train needs --space and --dataset, or --resume DIR"),
        ((*TINY, "--training", "epoch=3"), "unknown training option 'epoch'; choose from"),
        ((*TINY, "--network", "width=3"), "networks of the space nasbench201 have no option 'width'"),
        ((*TINY, "--network", "channels=2.5"), "network: channels is a whole number"),
        ((*TINY, "--distillation"), "which the sandwich rule alone trains"),
        ((*TINY[:2], "--dataset", "digit"), "unknown data set 'digit'; choose from"),
        (("--resume", "nothing"), "there is no checkpoint nothing"),
        (("--resume", "nothing", "--seed", "3"), "--seed cannot be given with --resume"),
        (("--resume", "nothing", "--out", "x"), "--out cannot be given with --resume"),
    ],
)
def test_what_cannot_be_trained_is_refused(cli: Any, words: tuple[str, ...], message: str) -> None:
    assert message in cli.fails("supernet", "train", *words, "--quiet")
    assert not list(Path().iterdir())


def test_a_space_without_network_is_told_what_to_write(cli: Any) -> None:
    space = "archpredict.testing.toys:ToySpace"
    message = cli.fails("supernet", "train", "--space", space, "--dataset", "digits", "--quiet")
    assert "the space toy does not define network()" in message
    assert not list(Path().rglob("*.safetensors"))


def test_a_folder_with_something_in_it_is_left_alone(cli: Any) -> None:
    Path("net").mkdir()
    Path("net", "mine.txt").write_text("mine")
    assert cli.fails("supernet", "train", *TINY, *FAST, "--out", "net").endswith(
        "the folder net is not empty; give another --out"
    )
    assert [path.name for path in Path("net").iterdir()] == ["mine.txt"]


def test_a_training_in_the_folder_is_to_be_gone_on_with(cli: Any) -> None:
    assert cli("supernet", "train", *TINY, *FAST, "--out", "net", "--quiet").exit_code == 0
    message = cli.fails("supernet", "train", *TINY, *FAST, "--out", "net")
    assert message.endswith("give another --out, or --resume net to go on with the training in it")


def test_a_diverged_training_fails_in_one_sentence_and_keeps_the_checkpoint(cli: Any) -> None:
    words = ("--training", "learning_rate=1e30", "--training", "clip=0", "--training", "momentum=0")
    result = cli("supernet", "train", *TINY, *FAST, *words, "--out", "net", "--quiet")
    assert result.exit_code == 1
    assert "Error: the training diverged: the loss is" in result.stderr
    assert Path("net", FILE).is_file()


def _about(file: Path) -> dict[str, Any]:
    from safetensors import safe_open

    with safe_open(str(file), framework="pt") as opened:
        about: dict[str, Any] = json.loads(opened.metadata()["about"])
    return about
