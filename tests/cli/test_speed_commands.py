"""``archpredict devices``, and speeds in ``rank`` and ``inspect``, as a user meets them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

BY = ("--predictor", "ranker")
KEYS = [
    "device",
    "precision",
    "layout",
    "compiler",
    "runtime",
    "batch_size",
    "mode",
    "images_per_second",
    "low",
    "high",
]


@pytest.fixture
def models(ranker: Path, onnx_writer: Any) -> Path:
    """``models`` with three networks of 1, 3 and 5 convolutions."""
    for depth in (1, 3, 5):
        onnx_writer(f"models/net{depth}.onnx", [16] * depth)
    return Path("models")


def test_devices_lists_every_setting_with_its_error(cli: Any) -> None:
    result = cli("devices", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    devices = {row["name"]: row for row in json.loads(result.stdout)["devices"]}
    assert sorted(devices) == ["i7_12700h", "i9_10940x", "pro6000maxq", "rtx3090", "rtx4090", "rtx5090"]
    assert sum(len(row["settings"]) for row in devices.values()) == 22
    first = devices["rtx4090"]["settings"][0]
    assert {"kendall_tau", "error_percent", "models", "batch_sizes"} < set(first)
    assert "whitepaper" in devices["rtx4090"]["source"]


def test_devices_shows_a_table(cli: Any) -> None:
    result = cli("devices")
    assert result.exit_code == 0
    assert "NVIDIA GeForce RTX 4090" in result.stdout


def test_rank_gives_each_model_its_speed_in_each_setting(cli: Any, models: Path) -> None:
    result = cli("rank", "models", *BY, "--device", "rtx4090", "--device", "i9_10940x", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    for row in json.loads(result.stdout)["ranking"]:
        assert [speed["device"] for speed in row["speed"]] == ["rtx4090", "i9_10940x"]
        for speed in row["speed"]:
            assert list(speed) == [*KEYS, "warnings"]
            assert speed["low"] < speed["images_per_second"] < speed["high"]
            assert any("images of 16 pixels were not measured" in text for text in speed["warnings"])
        assert isinstance(row["pareto"], bool)


def test_options_of_the_setting_are_taken(cli: Any, models: Path) -> None:
    options = ("--precision", "bf16", "--compiler", "dynamo", "--batch-size", "512")
    result = cli("rank", "models", *BY, "--device", "pro6000maxq", *options, "--json")
    speed = json.loads(result.stdout)["ranking"][0]["speed"][0]
    assert (speed["precision"], speed["compiler"], speed["batch_size"]) == ("bf16", "dynamo", 512)


def test_a_batch_size_that_was_not_measured_is_said(cli: Any, models: Path) -> None:
    result = cli("rank", "models", *BY, "--device", "rtx4090", "--batch-size", "7")
    assert "all models: speed: batch size 7 was not measured on rtx4090 in this setting, only 192 to 1024" in " ".join(
        result.stdout.split()
    )


def test_an_unknown_device_names_the_nearest_and_all(cli: Any, models: Path) -> None:
    result = cli("rank", "models", *BY, "--device", "rtx409")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "unknown device 'rtx409'" in result.stderr
    assert "Did you mean 'rtx4090'?" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--precision", "amp"), "--precision is of a device that models are to run on; give --device NAME too"),
        (("--pareto",), "--pareto weighs score against speed; give --device NAME too"),
        (("--at-least", "throughput=5"), "a limit on throughput needs a device"),
        (("--at-least", "throughput"), "a limit is NAME=NUMBER, such as throughput=1000"),
        (("--at-most", "size=5"), "unknown number of models 'size'; choose from"),
        (("--device", "rtx4090", "--precision", "int8"), "unknown precision 'int8'; choose from"),
        (("--device", "rtx4090", "--batch-size", "0"), "is an integer of at least 1, 0 was given"),
        (("--device", "cpu", "--device", "cuda"), "the predictor computes in one place"),
        (("--device", "rtx4090", "--plot", "a.bmp"), "a picture is one of .svg, .png, .pdf; a.bmp was given"),
    ],
)
def test_what_cannot_be_asked_is_told_in_a_sentence(
    cli: Any, models: Path, options: tuple[str, ...], message: str
) -> None:
    result = cli("rank", "models", *BY, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_where_the_predictor_computes_can_still_be_said(cli: Any, models: Path) -> None:
    result = cli("rank", "models", *BY, "--device", "cpu", "--json")
    assert result.exit_code == 0
    assert all("speed" not in row for row in json.loads(result.stdout)["ranking"])


def test_the_front_holds_what_no_other_model_beats(cli: Any, models: Path) -> None:
    everything = json.loads(cli("rank", "models", *BY, "--device", "rtx4090", "--json").stdout)["ranking"]
    numbers = [(row["score"], row["speed"][0]["images_per_second"]) for row in everything]
    expected = [
        row["model"]
        for row, (score, speed) in zip(everything, numbers, strict=True)
        if not any(s >= score and v >= speed and (s, v) != (score, speed) for s, v in numbers)
    ]
    front = json.loads(cli("rank", "models", *BY, "--device", "rtx4090", "--pareto", "--json").stdout)["ranking"]
    assert [row["model"] for row in front] == expected
    assert [row["model"] for row in everything if row["pareto"]] == expected


def test_limits_leave_models_out_and_say_which(cli: Any, models: Path) -> None:
    rows = json.loads(cli("rank", "models", *BY, "--json").stdout)["ranking"]
    middle = sorted(row["params"] for row in rows)[1]
    result = cli("rank", "models", *BY, "--at-most", f"params={middle}", "--json")
    content = json.loads(result.stdout)
    assert len(content["ranking"]) == 2
    (left_out,) = content["left_out"]
    assert left_out["model"] == "models/net5.onnx"
    assert "its params is" in left_out["reason"]
    assert "Left out: models/net5.onnx" in result.stderr


def test_limits_that_nothing_satisfies_are_said_and_nothing_is_lost(cli: Any, models: Path) -> None:
    result = cli("rank", "models", *BY, "--at-most", "params=1", "--json")
    content = json.loads(result.stdout)
    assert (content["ranking"], len(content["left_out"])) == ([], 3)
    assert "no model is inside of the limits" in result.stderr


def test_csv_and_markdown_have_the_speeds(cli: Any, models: Path) -> None:
    given = ("rank", "models", *BY, "--device", "rtx4090", "--format")
    rows = list(csv.DictReader(io.StringIO(cli(*given, "csv").stdout)))
    (column,) = (name for name in rows[0] if name.startswith("images_per_second: rtx4090"))
    assert all(float(row[column]) > 0 and row["pareto"] in ("yes", "no") for row in rows)
    lines = cli(*given, "markdown").stdout.splitlines()
    assert len(lines) == 2 + 3
    assert all(line.count("|") == lines[0].count("|") for line in lines)
    assert "img/s rtx4090" in lines[0]


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_a_picture_of_score_over_speed_is_drawn(cli: Any, models: Path, ending: str) -> None:
    result = cli("rank", "models", *BY, "--device", "rtx4090", "--plot", f"out.{ending}")
    assert result.exit_code == 0
    assert Path(f"out.{ending}").stat().st_size > 1000


def test_inspect_says_the_speed(cli: Any, onnx_writer: Any) -> None:
    onnx_writer("net.onnx", [8, 12])
    content = json.loads(cli("inspect", "net.onnx", "--device", "i7_12700h", "--json").stdout)
    assert list(content["speed"][0]) == [*KEYS, "warnings"]
    shown = cli("inspect", "net.onnx", "--device", "i7_12700h").stdout
    assert "i7_12700h" in shown
    assert "Speed: images of 16 pixels were not measured" in shown
