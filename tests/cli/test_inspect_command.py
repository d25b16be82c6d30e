"""``archpredict inspect`` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def net(cli: Any, onnx_writer: Any) -> Path:
    """``net.onnx``: two convolutions."""
    path: Path = onnx_writer("net.onnx", [8, 12])
    return path


def test_json_is_one_object_with_all_there_is_to_know(cli: Any, net: Path) -> None:
    result = cli("inspect", "net.onnx", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    content = json.loads(result.stdout)
    assert list(content) == [
        "model", "producer", "opset", "inputs", "outputs", "nodes_in_file", "nodes", "edges", "params", "macs",
        "operators", "stages", "folded", "unknown", "warnings", "drawing",
    ]  # fmt: skip
    params, macs = 8 * 28 + 12 * 73 + 130, 256 * (8 * 27 + 12 * 72) + 120
    known = {name: content[name] for name in ("model", "producer", "opset", "inputs", "outputs", "nodes_in_file")}
    assert known == {
        "model": "net.onnx", "producer": "by hand", "opset": 17, "inputs": {"image": [1, 3, 16, 16]},
        "outputs": {"scores": [1, 10]}, "nodes_in_file": 7,
    }  # fmt: skip
    assert (content["params"], content["macs"]) == (params, macs)
    assert content["operators"][0] == {"operator": "conv", "count": 2, "params": 8 * 28 + 12 * 73, "macs": macs - 120}
    assert content["stages"][0] == {
        "resolution": "16x16", "positions": 256, "channels": [8, 12], "nodes": 5, "params": params - 130,
        "macs": macs - 120,
    }  # fmt: skip
    assert sum(stage["nodes"] for stage in content["stages"]) == content["nodes"] == 8
    assert (content["unknown"], content["warnings"], content["drawing"]) == ({}, [], None)


def test_the_summary_is_for_people(cli: Any, net: Path) -> None:
    result = cli("inspect", "net.onnx")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    for line in (
        "Model: net.onnx",
        "Written by: by hand, opset 17",
        "Inputs: image 1x3x16x16",
        "Outputs: scores 1x10",
        "Nodes: 7 in the file, 8 in the graph",
        "Parameters: 1.23k (1,230)",
        "Multiply-adds: 277k (276,600)",
        "Unknown operators: none",
        "conv 2 1.10k 276k",
        "16x16 8-12 5 1.10k 276k",
    ):
        assert line in lines, result.stdout


def test_unknown_operators_are_named(cli: Any, onnx_writer: Any) -> None:
    onnx_writer("custom.onnx", [8], extra="Wavelet")
    content = json.loads(cli("inspect", "custom.onnx", "--json").stdout)
    assert len(content["unknown"]) == 1
    assert "Wavelet" in next(iter(content["unknown"]))
    assert any("Wavelet" in warning for warning in content["warnings"])
    shown = cli("inspect", "custom.onnx").stdout
    assert "Warning: " in shown
    assert "Wavelet 1" in shown


@pytest.mark.parametrize(("name", "begin"), [("out.svg", b"<svg"), ("out.png", b"\x89PNG")])
def test_the_graph_is_drawn(cli: Any, net: Path, name: str, begin: bytes) -> None:
    result = cli("inspect", "net.onnx", "--draw", name)
    assert result.exit_code == 0
    assert f"Drawn: {name}" in result.stdout
    assert Path(name).read_bytes().startswith(begin)
    assert json.loads(cli("inspect", "net.onnx", "--draw", name, "--json").stdout)["drawing"] == name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("missing.onnx",), "missing.onnx"),
        (("text.onnx",), "text.onnx"),
        (("net.onnx", "--draw", "out.pdf"), "a drawing cannot be written as out.pdf; give a name that ends in .svg or"),
        (("net.onnx", "--draw", "no/out.svg"), "there is no folder no to write out.svg into; make it first"),
        (("net.onnx", "--input-shape", "img=1x3x8x8"), "--input-shape: no model has an input 'img'; there are: image"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(cli: Any, net: Path, words: tuple[str, ...], message: str) -> None:
    Path("text.onnx").write_text("no model")
    assert message in cli.fails("inspect", *words)
    assert not Path("out.svg").exists()
