"""Every command's help ends with an example that runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from archpredict.cli.main import main
from archpredict.spaces.base import Architecture
from tests.cli.conftest import Commands, write_cells

SLOW = {
    *("adapt", "evaluate", "export", "fit", "measure", "pretrain", "rank", "search"),
    *("supernet train", "train", "transfer"),
}
"""Those whose own tests run them; here they are only parsed."""
NEEDS_MODEL = {"compare", "explain", "predict"}
NEEDS_RUN = {"report", "report-bug"}


def _commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield (*words, name), command
        if isinstance(command, click.Group):
            yield from _commands(command, (*words, name))


FOUND = {" ".join(words): command for words, command in _commands(main)}  # type: ignore[arg-type]


def _example(command: click.Command) -> list[str]:
    """The words of the example in a command's help, as a shell splits them, without the program's name."""
    _, found, text = (command.epilog or "").partition("$ archpredict ")
    assert found, "the help ends with no example; give the command an epilog=example(...)"
    return shlex.split(text.replace("\\\n", " "))


@pytest.mark.parametrize("name", FOUND)
def test_the_example_is_of_the_command_and_has_options_that_there_are(name: str) -> None:
    command, words = FOUND[name], _example(FOUND[name])
    own = name.split()
    assert words[: len(own)] == own
    if not isinstance(command, click.Group):
        command.make_context(name, words[len(own) :]).close()


@pytest.mark.parametrize("name", [name for name in FOUND if name not in SLOW | NEEDS_MODEL | NEEDS_RUN])
def test_the_example_runs(name: str, cli: Commands, cells: list[Architecture], onnx_model: bytes) -> None:
    table = write_cells(Path("table.csv"), cells)
    table.write_text(table.read_text().replace("size", "accuracy", 1))
    Path("models").mkdir()
    Path("models/a.onnx").write_bytes(onnx_model)
    assert cli(*_example(FOUND[name])).exit_code == 0


@pytest.fixture
def onnx_model() -> bytes:
    import onnx
    from onnx import TensorProto, helper

    node = helper.make_node("Relu", ["x"], ["y"])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("x", "y")]
    graph = helper.make_graph([node], "relu", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
