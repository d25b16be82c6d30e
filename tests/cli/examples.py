"""The examples in the commands' helps: what they are, what they read, and a run of them as a program.

``python -P tests/cli/examples.py [--all]`` runs them in the current folder, an empty one, with the archpredict that is
installed: the help of every command, then the examples that take seconds, or all.
"""

from __future__ import annotations

import contextlib
import io
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

import archpredict
from archpredict.cli.main import main

SLOW = {
    *("adapt", "evaluate", "export", "fit", "measure", "pretrain", "rank", "search"),
    *("supernet", "supernet train", "train", "transfer"),
}
"""Those whose own tests run them."""
NEEDS_MODEL = {"compare", "explain", "predict"}
NEEDS_RUN = {"report", "report-bug"}
FIRST = ("fit", "search", "measure")
"""Those that make what others read."""


def _commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield (*words, name), command
        if isinstance(command, click.Group):
            yield from _commands(command, (*words, name))


FOUND = {" ".join(words): command for words, command in _commands(main)}  # type: ignore[arg-type]
QUICK = [name for name in FOUND if name not in SLOW | NEEDS_MODEL | NEEDS_RUN]
"""Those that take a second or two, and read nothing that another command has to make."""


def example(name: str) -> list[str]:
    """The words of the example in a command's help, as a shell splits them, without the program's name."""
    _, found, text = (FOUND[name].epilog or "").partition("$ archpredict ")
    assert found, "the help ends with no example; give the command an epilog=example(...)"
    return shlex.split(text.replace("\\\n", " "))


def write_inputs() -> None:
    """The table and the model files that examples read, into the current folder."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    space = archpredict.load_space("nasbench201")
    drawn = {cell.key: cell for cell in space.architectures(space.sample(60, np.random.default_rng(0)))}
    rows = [f"{cell},{cell.cost['params'] / 1e6 + i * 1e-6}" for i, cell in enumerate(drawn.values())]
    Path("table.csv").write_text("\n".join(["architecture,accuracy", *rows]) + "\n")
    Path("models").mkdir()
    for name, width in (("a", 8), ("b", 16), ("c", 24)):
        weights = {"w": np.ones((width, 3, 3, 3), np.float32), "v": np.ones((width, 10), np.float32)}
        nodes = [
            helper.make_node("Conv", ["x", "w"], ["c"]),
            helper.make_node("Relu", ["c"], ["r"]),
            helper.make_node("GlobalAveragePool", ["r"], ["p"]),
            helper.make_node("Flatten", ["p"], ["f"]),
            helper.make_node("MatMul", ["f", "v"], ["y"]),
        ]
        shapes = {"x": [1, 3, 16, 16], "y": [1, 10]}
        ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, shape) for end, shape in shapes.items()]
        arrays = [numpy_helper.from_array(value, key) for key, value in weights.items()]
        graph = helper.make_graph(nodes, name, ends[:1], ends[1:], arrays)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        Path(f"models/{name}.onnx").write_bytes(model.SerializeToString())


def run(words: list[str]) -> str:
    """What a command prints.

    Raises:
        SystemExit: It fails.
    """
    printed, start = io.StringIO(), time.monotonic()
    with contextlib.redirect_stdout(printed):
        try:
            main.main(words, prog_name="archpredict")
        except SystemExit as end:
            if end.code:
                raise SystemExit(f"{shlex.join(words)} ended with exit code {end.code}") from end
    print(f"{time.monotonic() - start:5.1f} s  {shlex.join(words)[:100]}", flush=True)
    return printed.getvalue()


def smoke(names: list[str]) -> None:
    """The help of every command, and the examples of some."""
    for name in FOUND:
        assert f"$ archpredict {name}" in run([*name.split(), "--help"]), name
    write_inputs()
    for name in sorted(names, key=lambda name: name not in FIRST):
        run(example(name))
    print(f"{len(FOUND)} helps and {len(names)} examples run with archpredict {archpredict.__version__}")


if __name__ == "__main__":
    # A group's example is like that of one of its commands, and may write where that one does.
    every = [name for name, command in FOUND.items() if not isinstance(command, click.Group)]
    smoke(every if "--all" in sys.argv else QUICK)
