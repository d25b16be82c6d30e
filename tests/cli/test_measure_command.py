"""``archpredict measure`` as a user meets it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from archpredict.measuring import measure as module
from archpredict.measuring.quiet import Load


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Models that processes are asked for, which answer at once."""
    found: list[str] = []

    def answer(command: Any, question: Any, timeout: float, environment: Any) -> dict[str, Any]:
        found.append(question["path"])
        if "bad" in question["path"]:
            return {"error": "ONNX Runtime refuses it: so it does"}
        return {"times": [0.5] * 6, "precision": "fp32", "made_up": 10, "peak_memory": 2_000_000}

    monkeypatch.setattr(module, "answered_apart", answer)
    monkeypatch.setattr(module, "ReferenceLoad", lambda *_: lambda: Load(1.0, 0.0))
    return found


@pytest.fixture
def files(cli: Any) -> None:
    for name in ("a", "bad"):
        Path(f"{name}.onnx").write_text(name)


def test_the_table_tells_speeds_and_what_failed(cli: Any, files: None, answers: list[str]) -> None:
    result = cli("measure", "a.onnx", "bad.onnx", "--out", "speed.csv", "--batch-size", "1", "--batch-size", "4")
    assert result.exit_code == 1
    assert "Weights were made up in 2 measurements, as the files have none." in result.stdout
    assert "Table: speed.csv" in result.stdout
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error")]
    assert errors == [f"Error: bad.onnx, batch size {n}: ONNX Runtime refuses it: so it does" for n in (1, 4)]
    with open("speed.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["model"], row["batch_size"], row["samples_per_sec"]) for row in rows] == [
        ("a.onnx", "1", "2.0"), ("a.onnx", "4", "8.0"), ("bad.onnx", "1", ""), ("bad.onnx", "4", ""),
    ]  # fmt: skip


def test_json_is_alone_on_stdout(cli: Any, files: None, answers: list[str]) -> None:
    result = cli("measure", "a.onnx", "bad.onnx", "--json", "--quiet", "--threads", "2")
    content = json.loads(result.stdout)
    assert (result.exit_code, result.stderr) == (1, "")
    assert list(content) == ["measured", "failed", "reused"]
    assert content["measured"][0]["threads"] == 2
    assert content["failed"][0]["samples_per_sec"] is None


def test_the_same_command_again_measures_nothing(cli: Any, files: None, answers: list[str]) -> None:
    for _ in range(2):
        result = cli("measure", "a.onnx", "--out", "speed.csv")
        assert result.exit_code == 0
    assert answers == ["a.onnx"]
    assert "1 measurement had been made before." in result.stdout


def test_an_interrupted_command_says_how_to_go_on(
    cli: Any, files: None, answers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = module.answered_apart

    def interrupt(command: Any, question: Any, *more: Any) -> dict[str, Any]:
        if "bad" in question["path"]:
            raise KeyboardInterrupt
        return before(command, question, *more)

    monkeypatch.setattr(module, "answered_apart", interrupt)
    result = cli("measure", "a.onnx", "bad.onnx", "--out", "speed.csv")
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == (
        "Error: interrupted; go on with: archpredict measure ... --out speed.csv (the same command again)"
    )
    assert "a.onnx" in Path("speed.csv").read_text()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--tolerance", "0"), "Error: --tolerance is a number above 0, 0.0 was given"),
        (("--out", "speed.xyz"), "Error: a table cannot be written as speed.xyz"),
        (("--device", "gpu"), "Error: unknown device 'gpu'; choose from: cpu, cuda"),
        (("--threads", "0"), "Error: Invalid value for '--threads'"),
    ],
)
def test_wrong_usage_is_one_sentence(
    cli: Any, files: None, answers: list[str], words: tuple[str, ...], sentence: str
) -> None:
    assert cli.fails("measure", "a.onnx", *words).startswith(sentence)
    assert answers == []
