"""Many files in processes: every outcome is that of the file alone, and what is known is not read again."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from archpredict.errors import ModelFileError, UsageError
from archpredict.executors.base import Executor
from archpredict.executors.local import Local
from archpredict.onnx import apart
from archpredict.onnx.apart import FileReading, read_apart
from archpredict.onnx.files import read_model
from archpredict.onnx.reader import DEFAULT_SIZES, OnnxModel
from archpredict.onnx.stored import model_from_dict, model_to_dict

Outcomes = dict[int, Any]


@pytest.fixture
def files(tmp_path: Path) -> dict[int, Path]:
    """Two networks and two files that are none."""
    found = {number: tmp_path / f"{number}.onnx" for number in (3, 1, 4, 2)}
    for number in (1, 2):
        write(found[number], number)
    found[3].write_bytes(b"noise" * 10)
    return found


def write(path: Path, convolutions: int) -> None:
    nodes = [
        helper.make_node("Conv", [f"x{i}", f"w{i}"], [f"x{i + 1}"], kernel_shape=[3, 3], pads=[1] * 4)
        for i in range(convolutions)
    ]
    weights = [helper.make_tensor(f"w{i}", TensorProto.FLOAT, (3, 3, 3, 3), bytes(324), raw=True) for i in range(4)]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, 8, 8]) for n in ("x0", f"x{convolutions}")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], weights[:convolutions])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def read(files: dict[int, Path], how: FileReading) -> Outcomes:
    return dict(read_apart(files, {}, DEFAULT_SIZES, how))


def shown(outcomes: Outcomes) -> Outcomes:
    return {
        number: model_to_dict(outcome) if isinstance(outcome, OnnxModel) else str(outcome)
        for number, outcome in outcomes.items()
    }


def test_a_stored_model_is_the_model_in_all_that_it_says(files: dict[int, Path]) -> None:
    model = read_model(files[2], {})
    back = model_from_dict(model_to_dict(model), files[2])
    assert back.graph == model.graph
    assert {name: values.dtype for name, values in back.graph.attrs.items()} == {
        name: values.dtype for name, values in model.graph.attrs.items()
    }
    assert back.graph.key == model.graph.key
    assert {**vars(back), "graph": None} == {**vars(model), "graph": None}


def test_processes_find_what_one_finds_alone_and_the_errors_of_others(files: dict[int, Path]) -> None:
    alone: Outcomes = {}
    for number, path in files.items():
        try:
            alone[number] = read_model(path, {})
        except ModelFileError as error:
            alone[number] = error
    assert shown(read(files, FileReading(jobs=0))) == shown(alone)
    assert shown(read(files, FileReading(jobs=1))) == shown(alone)


def test_what_has_not_changed_is_not_read_again(
    files: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = FileReading(jobs=0, cache=tmp_path / "kept.db")
    first = read(files, how)
    asked: list[str] = []

    def counted(path: Path, *rest: Any) -> OnnxModel:
        asked.append(path.name)
        return read_model(path, *rest)

    monkeypatch.setattr(apart, "read_model", counted)
    assert shown(read(files, how)) == shown(first)
    assert asked == []
    write(files[2], 3)
    os.utime(files[2], ns=(1, 1))
    again = read(files, how)
    assert asked == ["2.onnx"]
    assert again[2].graph.num_nodes > first[2].graph.num_nodes
    asked.clear()
    dict(read_apart(files, {"x0": (1, 3, 8, 8)}, DEFAULT_SIZES, how))  # other shapes are another reading
    assert len(asked) == 4


def test_a_damaged_entry_is_read_again_and_another_database_is_left_alone(
    files: dict[int, Path], tmp_path: Path
) -> None:
    import sqlite3
    from contextlib import closing

    kept, other = tmp_path / "kept.db", tmp_path / "other.db"
    first = read(files, FileReading(jobs=0, cache=kept))
    with closing(sqlite3.connect(kept)) as base:
        base.execute("UPDATE reads SET content = x'00ff'")
        base.commit()
    assert shown(read(files, FileReading(jobs=0, cache=kept))) == shown(first)
    with closing(sqlite3.connect(other)) as base:
        base.execute("CREATE TABLE mine (x)")
        base.commit()
    before = other.read_bytes()
    with pytest.raises(UsageError, match="is a database of something else"):
        read(files, FileReading(jobs=0, cache=other))
    assert other.read_bytes() == before
    (tmp_path / "text").write_text("no database at all, but long enough to be looked at as one" * 20)
    with pytest.raises(UsageError, match="cannot be used to keep what was read"):
        read(files, FileReading(jobs=0, cache=tmp_path / "text"))


def test_too_slow_and_too_large_are_failures_that_are_tried_again(files: dict[int, Path], tmp_path: Path) -> None:
    kept = tmp_path / "kept.db"
    slow = read({1: files[1]}, FileReading(jobs=1, seconds=1e-6, cache=kept))
    assert "1.onnx: it took longer than 1e-06 s, and its process was killed" in str(slow[1])
    assert isinstance(read({1: files[1]}, FileReading(jobs=1, cache=kept))[1], OnnxModel)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits what a process allocates")
def test_a_file_that_takes_too_much_memory_is_left_out_and_the_others_are_read(
    files: dict[int, Path], tmp_path: Path
) -> None:
    large, graph = tmp_path / "large.onnx", onnx.GraphProto(name="g")
    for i in range(40_000):
        graph.node.add(op_type="Relu", input=[f"x{i}"], output=[f"x{i + 1}"])
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, 8, 8]) for n in ("x0", "x40000")]
    graph.input.append(ends[0])
    graph.output.append(ends[1])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), large)
    found = read({0: large, **files}, FileReading(jobs=1, memory=20_000_000))
    assert str(found[0]) == f"{large}: it needs more than the 20 MB that one file may take"
    assert shown({n: found[n] for n in files}) == shown(read(files, FileReading(jobs=0)))


def test_an_executor_reads_what_is_not_known_with_the_same_limits(files: dict[int, Path], tmp_path: Path) -> None:
    kept, alone = tmp_path / "kept.db", shown(read(files, FileReading(jobs=0)))
    slow = read({1: files[1]}, FileReading(executor=Local(), seconds=1e-6, cache=kept))
    assert "1.onnx: it took longer than 1e-06 s, and its process was killed" in str(slow[1])
    assert shown(read(files, FileReading(executor=Local(), cache=kept))) == alone
    assert shown(read(files, FileReading(executor=Unused(), cache=kept))) == alone


class Unused(Executor):
    name = "unused"

    def each(self, function: Any, items: Any) -> Any:
        raise AssertionError("there is nothing to do")


def test_a_machine_that_has_not_the_file_says_so(files: dict[int, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files[1].parent)
    setup = {"shapes": {}, "sizes": asdict(DEFAULT_SIZES), "folder": str(files[1].parent)}
    question = {"path": "1.onnx", "size": files[1].stat().st_size}
    assert "model" in apart.handler(setup)(question)
    for changed in ({"folder": "/nowhere"}, {}):
        answer = apart.handler(setup | changed)(question if changed else {**question, "size": 12_345})
        assert re.fullmatch(
            r"the machine \S+ has no such file of [\d,]+ bytes; all machines that read need it under the same path, as "
            "on a shared disk",
            answer["error"],
        )
        assert "final" not in answer


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"jobs": -1}, "`jobs`"),
        ({"seconds": 0}, "`seconds`"),
        ({"jobs": 2, "executor": Local()}, "`jobs` are processes of this machine; leave them out"),
    ],
)
def test_numbers_that_cannot_be_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FileReading(**wrong)
