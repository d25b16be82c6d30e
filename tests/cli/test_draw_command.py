"""``archpredict draw``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|avg_pool_3x3~1|skip_connect~2|"


def test_a_notation_is_drawn_in_the_space_that_reads_it(cli: Any) -> None:
    assert cli("draw", CELL, "--out", "cell.svg").stdout == "Drawn: cell.svg\n"
    assert "avg_pool_3x3" in Path("cell.svg").read_text()
    assert json.loads(cli("draw", CELL, "--network", "--out", "net.svg", "--json").stdout) == {
        "drawing": "net.svg",
        "nodes": [111],
    }


def test_files_are_drawn_and_compared(cli: Any, onnx_writer: Any) -> None:
    onnx_writer("a<b>.onnx", [4, 8])
    onnx_writer("c.onnx", [4, 4])
    assert cli("draw", "a<b>.onnx", "c.onnx", "--out", "two.svg").exit_code == 0
    text = Path("two.svg").read_text()
    assert "a&lt;b&gt;.onnx" in text
    assert "changed" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("nonsense", "--out", "o.svg"),
            "'nonsense' is neither an ONNX file nor in the notation of any space; give --sp",
        ),
        (("text.txt", "--out", "o.svg"), "text.txt is no ONNX file; give a file whose name ends in .onnx or .onnx.gz"),
        (("no.onnx", "--out", "o.svg"), "no.onnx"),
        ((CELL, "--out", "o.pdf"), "a drawing cannot be written as o.pdf; give a name that ends in .svg or .png"),
        ((CELL, "--space", "darts", "--out", "o.svg"), "darts"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(cli: Any, words: tuple[str, ...], message: str) -> None:
    Path("text.txt").write_text("no model")
    assert message in cli.fails("draw", *words)
    assert not Path("o.svg").exists()
