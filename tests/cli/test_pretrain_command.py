"""``archpredict pretrain``: an encoder of any folder and any spaces, and what is said of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from archpredict.predict.pretraining import networks as encoder_pretraining
from archpredict.predict.pretraining.pretrained_encoder import PretrainedEncoder

SMALL = ("--option", "dim=8", "--option", "layers=1", "--option", "batch_size=4", "--steps", "3")


@pytest.fixture
def models(cli: Any, onnx_writer: Any) -> Path:
    """Three networks, one of them in a folder below, and a file that is none."""
    for name, widths in (("a.onnx", [4, 4]), ("b.onnx.gz", [4, 8, 4]), ("deep/c.onnx", [6])):
        onnx_writer(Path("models") / name, widths)
    Path("models/broken.onnx").write_bytes(b"nothing")
    return Path("models")


def test_an_encoder_of_files_and_spaces_names_its_sources_and_what_was_left_out(cli: Any, models: Path) -> None:
    result = cli("pretrain", "--onnx", "models", "--space", "nasbench201", "--samples", "5", *SMALL, "--out", "made")
    assert result.exit_code == 0, result.output
    assert "on 8 networks (nasbench201, models)" in result.stdout
    assert "1 files could not be read and were left out" in result.stdout
    assert "Warning: left out: models/broken.onnx" in result.stderr
    assert "pre-training step 3/3, loss" in result.stderr
    space, files = PretrainedEncoder.load("made").card["sources"]
    assert (space["kind"], space["name"], space["networks"]) == ("space", "nasbench201", 5)
    digest = hashlib.sha256(Path("models/deep/c.onnx").read_bytes()).hexdigest()
    assert (sorted(files["files"]), files["files"]["deep/c.onnx"]) == (["a.onnx", "b.onnx.gz", "deep/c.onnx"], digest)
    assert sorted(path.name for path in Path("made").iterdir()) == ["encoder.json", "weights.safetensors"]


def test_json_says_everything_on_stdout(cli: Any, models: Path) -> None:
    result = cli("pretrain", "--onnx", "models", *SMALL, "--out", "made", "--json", "--quiet")
    told = json.loads(result.stdout)
    assert set(told) == {
        "out", "encoder", "objective", "steps", "batch_size", "batches", "learning_rate", "seed", "sources", "loss",
        "left_out", "seconds",
    }  # fmt: skip
    assert told["objective"]["name"] == "spectral"
    assert [row["model"] for row in told["left_out"]] == ["models/broken.onnx"]


@pytest.mark.parametrize("objective", ["none", "contrastive", "spectral", "statistics"])
def test_every_objective_makes_an_encoder_that_fit_and_evaluate_begin_with(
    cli: Any, models: Path, table: Path, objective: str
) -> None:
    made = cli("pretrain", "--onnx", "models", "--objective", objective, *SMALL, "--out", "made", "--quiet")
    assert made.exit_code == 0, made.output
    asked = ("--space", "nasbench201", "--data", str(table), "--target", "size", "--encoder", "made", "--epochs", "1")
    fitted = cli("fit", *asked, "--out", "model", "--quiet")
    assert fitted.exit_code == 0, fitted.output
    assert cli("predict", "--model", "model", "--data", str(table), "--out", "-").exit_code == 0
    assert cli("evaluate", *asked, "--folds", "2", "--quiet").exit_code == 0


def test_what_was_interrupted_goes_on(cli: Any, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ("pretrain", "--onnx", "models", *SMALL, "--out", "made", "--quiet")
    assert cli(*asked[:-3], "--out", "whole", "--quiet").exit_code == 0

    def stop(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(encoder_pretraining, "_drawn", stop)
        result = cli(*asked)
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == "Error: interrupted; go on with: the same command and --resume"
    assert "there is an interrupted pre-training in made; go on with it by --resume" in cli.fails(*asked)
    assert "another seed" in cli.fails(*asked, "--resume", "--seed", "1")
    assert cli(*asked, "--resume").exit_code == 0
    whole, again = (Path(name, "weights.safetensors").read_bytes() for name in ("whole", "made"))
    assert whole == again
    assert "there is no interrupted pre-training in made; leave --resume out" in cli.fails(*asked, "--resume")


def test_a_folder_where_nothing_is_readable_fails_with_one_sentence(cli: Any) -> None:
    Path("models").mkdir()
    Path("models/broken.onnx").write_bytes(b"nothing")
    result = cli("pretrain", "--onnx", "models", *SMALL, "--out", "made", "--quiet")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: none of the 1 ONNX files in models can be read as a network")
    assert not Path("made").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "there is nothing to learn from; give --onnx with a folder, --space with a name, or both"),
        (("--space", "nowhere"), "unknown space 'nowhere'"),
        (("--space", "enas-micro"), "the space enas-micro does not define network()"),
        (("--onnx", "empty"), "there is no ONNX model in empty"),
        (("--space", "nasbench201", "--objective", "labels"), "unknown objective 'labels'"),
        (("--space", "nasbench201", "--option", "width=3"), "there is no option 'width'"),
        (("--space", "nasbench201", "--option", "dim=small"), "--option encoder.dim=small: expected an integer"),
        (("--space", "nasbench201", "--option", "temperature=0"), "temperature is a finite number above 0"),
        (("--space", "nasbench201", "--option", "steps=3"), "this has a flag of its own, --steps"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(cli: Any, words: tuple[str, ...], message: str) -> None:
    Path("empty").mkdir()
    assert message in cli.fails("pretrain", *words, "--samples", "3", "--out", "made", "--quiet")
    assert not Path("made").exists()


def test_a_folder_with_something_else_is_left_alone(cli: Any) -> None:
    Path("made").mkdir()
    Path("made/notes.txt").write_text("mine")
    message = cli.fails("pretrain", "--space", "nasbench201", "--out", "made")
    assert "the folder made is not empty and holds no encoder; choose another one for --out" in message


def test_an_encoder_of_another_version_is_refused_by_fit(cli: Any, models: Path, table: Path) -> None:
    cli("pretrain", "--onnx", "models", *SMALL, "--out", "made", "--quiet")
    manifest = Path("made/encoder.json")
    manifest.write_text(manifest.read_text().replace('"archpredict_encoder": 1', '"archpredict_encoder": 9'))
    asked = ("--space", "nasbench201", "--data", str(table), "--target", "size", "--encoder", "made")
    message = cli.fails("fit", *asked, "--out", "model", "--quiet")
    assert "made does not hold a valid encoder: its format is 9, this version reads 1; pre-train it again" in message
