"""What ``adapt --save`` keeps, as a device of ``rank`` and ``inspect``."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.cli.conftest import write_onnx

BY = ("--predictor", "ranker")
WIDTHS = (8, 16, 24, 32, 48)
MEASURED = WIDTHS[:4]


@pytest.fixture
def own(ranker: Path, cli: Any) -> None:
    """Networks, and two files by four measured ones: their speeds at a batch of 8, and their latencies."""
    Path("nets").mkdir()
    for width in WIDTHS:
        write_onnx(Path("nets") / f"net{width}.onnx", [width, width])
    rows = [f"net{width}.onnx,{1000 / width},{width / 4},8,fp32" for width in MEASURED]
    Path("costs.csv").write_text("\n".join(["model,samples_per_sec,latency,batch_size,precision", *rows]))
    for column, name in (("samples_per_sec", "mine"), ("latency", "slow")):
        saved = ("--save", f"{name}.safetensors")
        assert cli("adapt", "nets", "--costs", "costs.csv", "--column", column, *saved).exit_code == 0


def ranked(cli: Any, *options: str) -> list[dict[str, Any]]:
    result = cli("rank", "nets", *BY, *options, "--json")
    assert result.exit_code == 0, result.stderr
    rows: list[dict[str, Any]] = json.loads(result.stdout)["ranking"]
    return rows


def test_a_file_stands_beside_devices_that_ship_and_measured_models_keep_what_was_measured(cli: Any, own: None) -> None:
    for row in ranked(cli, "--device", "rtx4090", "--device", "mine.safetensors", "--compiler", "dynamo"):
        shipped, mine = row["speed"]
        width = int(Path(row["model"]).stem[3:])
        assert (shipped["device"], shipped["compiler"]) == ("rtx4090", "dynamo")
        assert list(mine)[: len(shipped)] == list(shipped)
        assert (mine["device"], mine["batch_size"], mine["precision"], mine["compiler"]) == ("mine", 8, "fp32", None)
        assert (mine["measured"], mine["column"]) == (width in MEASURED, "samples_per_sec")
        assert mine["images_per_second"] == mine["value"]
        if width in MEASURED:
            assert mine["low"] == mine["value"] == mine["high"] == pytest.approx(1000 / width)
        else:
            assert mine["low"] < mine["value"] < mine["high"]


def test_of_what_is_no_speed_less_is_better(cli: Any, own: None) -> None:
    rows = ranked(cli, "--device", "slow.safetensors")
    assert all(row["speed"][0]["images_per_second"] is None for row in rows)
    points = [(row["score"], -row["speed"][0]["value"]) for row in rows]
    for row, (score, cost) in zip(rows, points, strict=True):
        beaten = any(s >= score and c >= cost and (s, c) != (score, cost) for s, c in points)
        assert row["pareto"] is not beaten
    front = ranked(cli, "--device", "slow.safetensors", "--pareto")
    assert [row["model"] for row in front] == [row["model"] for row in rows if row["pareto"]]


def test_limits_are_on_any_cost_that_is_known(cli: Any, own: None) -> None:
    devices = ("--device", "slow.safetensors", "--device", "mine.safetensors")
    assert len(ranked(cli, *devices, "--at-least", "throughput=60")) == 2  # of the second device, the first with speeds
    assert len(ranked(cli, *devices, "--at-most", "latency=6")) == 3
    result = cli("rank", "nets", *BY, "--device", "slow.safetensors", "--at-least", "throughput=60")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "a limit on throughput needs a device" in result.stderr
    assert "give --device too" in " ".join(result.stderr.split())


def test_tables_pictures_and_csv_say_what_was_measured(cli: Any, own: None) -> None:
    given = ("rank", "nets", *BY, "--device", "slow.safetensors", "--device", "mine.safetensors")
    shown = " ".join(cli(*given, "--plot", "out.svg").stdout.split())
    assert (
        "slow: latency, of which less is better, on slow, precision fp32, batch_size 8, by 4 measured models" in shown
    )
    assert shown.count("(measured)") == 2 * len(MEASURED)
    assert "latency (slow, precision fp32" in Path("out.svg").read_text()
    rows = list(csv.DictReader(io.StringIO(cli(*given, "--format", "csv").stdout)))
    (column,) = (name for name in rows[0] if name.startswith("latency: slow"))
    (measured,) = (name for name in rows[0] if name.startswith("measured: slow"))
    assert sorted(row[measured] for row in rows) == ["no", *["yes"] * 4]
    assert all(float(row[column]) > 0 for row in rows)


def test_inspect_takes_the_file_too(cli: Any, own: None) -> None:
    given = ("inspect", "nets/net48.onnx", "--device", "rtx4090", "--device", "slow.safetensors")
    shipped, slow = json.loads(cli(*given, "--json").stdout)["speed"]
    assert (shipped["device"], slow["column"], slow["measured"]) == ("rtx4090", "latency", False)
    shown = cli(*given).stdout
    assert "Devices of one's own" in shown
    assert "rtx4090" in shown


def test_devices_lists_files_with_their_errors(cli: Any, own: None) -> None:
    (mine,) = json.loads(cli("devices", "mine.safetensors", "--json").stdout)["own"]
    adapted = json.loads(cli("adapt", "nets", "--costs", "costs.csv", "--json").stdout)["left_out"]
    assert {name: mine[name] for name in adapted} == adapted
    assert (mine["file"], mine["name"], mine["setting"]) == (
        "mine.safetensors",
        "mine",
        {"precision": "fp32", "batch_size": "8"},
    )
    assert "Devices of one's own" in cli("devices", "slow.safetensors").stdout
    assert "own" not in json.loads(cli("devices", "--json").stdout)
    result = cli("devices", "costs.csv")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "costs.csv does not hold an adapted cost" in result.stderr


def test_two_files_of_one_name_are_told_apart(cli: Any, own: None) -> None:
    Path("other").mkdir()
    Path("other/mine.safetensors").write_bytes(Path("slow.safetensors").read_bytes())
    rows = ranked(cli, "--device", "mine.safetensors", "--device", "other/mine.safetensors")
    assert [speed["device"] for speed in rows[0]["speed"]] == ["mine", "mine 2"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--device", "none.safetensors"), "there is no file none.safetensors"),
        (("--device", "costs.csv"), "costs.csv does not hold an adapted cost"),
        (("--device", "other.safetensors"), "other.safetensors does not hold an adapted cost: it is a file of some"),
        (("--device", "half.safetensors"), "half.safetensors does not hold an adapted cost"),
        (("--device", "nets/"), "does not hold an adapted cost"),
        (("--device", "mine.safetensors", "--batch-size", "8"), "--batch-size is of devices that"),
        (("--device", "mine.safetensors", "--at-most", "energy=8"), "unknown number of models 'energy'"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_in_a_sentence(
    cli: Any, own: None, options: tuple[str, ...], message: str
) -> None:
    whole = Path("mine.safetensors").read_bytes()
    Path("half.safetensors").write_bytes(whole[: len(whole) // 2])
    save_file({"values": np.ones(3)}, "other.safetensors")
    result = cli("rank", "nets", *BY, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
