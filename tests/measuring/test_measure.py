"""``measure``: a row for every model, kept, found again, and not lost."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archpredict.costs.settings import Setting
from archpredict.errors import DataError, MissingDependencyError, UnknownNameError, UsageError
from archpredict.measuring import measure as module
from archpredict.measuring.measure import measure
from archpredict.measuring.quiet import Load
from archpredict.measuring.table import COLUMNS, Measurement, read_measurements, write_measurements
from archpredict.progress import Event


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Models and batch sizes that processes are asked for, which answer at once."""
    found: list[tuple[str, int]] = []

    def answer(command: Any, question: Any, timeout: float, environment: Any) -> dict[str, Any]:
        found.append((question["path"], question["batch_size"]))
        if "bad" in question["path"]:
            return {"error": "ONNX Runtime refuses it: so it does"}
        return {"times": [0.5] * 6, "precision": question["precision"], "made_up": 10, "peak_memory": 2_000_000}

    monkeypatch.setattr(module, "answered_apart", answer)
    return found


@pytest.fixture
def files(place: Path) -> None:
    for name in ("a", "bad", "c"):
        Path(f"{name}.onnx").write_text(name)


def test_every_model_and_batch_size_is_a_row(toys: Any, files: None, asked: list[Any]) -> None:
    result = measure("*.onnx", batch_sizes=[1, 4], threads=2, device_name="mine", reference=toys.quiet)
    assert [(row.model, row.batch_size) for row in result] == [
        (name, size) for name in ("a.onnx", "bad.onnx", "c.onnx") for size in (1, 4)
    ]
    row = result.rows[1]
    assert (row.samples_per_sec, row.step_time_ms, row.repeats, row.threads, row.device) == (8.0, 500.0, 6, 2, "mine")
    assert (row.peak_memory_mb, row.made_up, row.trusted, row.reason, row.precision) == (2.0, 10, "yes", "", "fp32")
    assert [row.reason for row in result.failures] == ["ONNX Runtime refuses it: so it does"] * 2
    assert [len(part) for part in (result.to_dict()["measured"], result.to_dict()["failed"])] == [4, 2]


def test_rows_that_are_there_are_not_measured_again(toys: Any, files: None, asked: list[Any]) -> None:
    first = measure(["a.onnx", "bad.onnx"], "speed.csv", reference=toys.quiet)
    second = measure("*.onnx", "speed.csv", reference=toys.quiet)
    assert [path for path, _ in asked] == ["a.onnx", "bad.onnx", "c.onnx"]
    assert second.rows[:2] == first.rows
    assert (first.reused, second.reused) == (0, 2)


def test_a_file_that_has_changed_is_measured_again_in_the_place_of_its_row(
    toys: Any, files: None, asked: list[Any]
) -> None:
    measure("*.onnx", "speed.csv", reference=toys.quiet)
    Path("a.onnx").write_text("other")
    measure("*.onnx", "speed.csv", reference=toys.quiet)
    assert [path for path, _ in asked][3:] == ["a.onnx"]
    assert [row.model for row in read_measurements("speed.csv")] == ["a.onnx", "bad.onnx", "c.onnx"]


def test_what_has_a_reason_is_measured_again_where_that_is_asked(toys: Any, files: None, asked: list[Any]) -> None:
    measure("*.onnx", "speed.csv", reference=toys.quiet)
    measure("*.onnx", "speed.csv", retry=True, reference=toys.quiet)
    assert [path for path, _ in asked][3:] == ["bad.onnx"]


def test_other_settings_are_other_rows(toys: Any, files: None, asked: list[Any]) -> None:
    for threads in (1, 2):
        measure("a.onnx", "speed.csv", threads=threads, reference=toys.quiet)
    measure("a.onnx", "speed.csv", threads=1, device_name="other", reference=toys.quiet)
    assert len(read_measurements("speed.csv")) == len(asked) == 3


def test_an_interrupted_call_has_kept_its_rows(toys: Any, files: None, asked: list[Any]) -> None:
    def interrupt(event: Event) -> None:
        if event.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure("*.onnx", "speed.csv", reference=toys.quiet, observer=interrupt)
    assert [row.model for row in read_measurements("speed.csv")] == ["a.onnx", "bad.onnx"]
    measure("*.onnx", "speed.csv", reference=toys.quiet)
    assert [path for path, _ in asked] == ["a.onnx", "bad.onnx", "c.onnx"]


def test_a_reference_load_that_drifts_is_told_in_the_row(files: None, asked: list[Any]) -> None:
    loads = iter([Load(1.0, 0), Load(1.0, 0), Load(1.5, 0), Load(1.5, 0)])
    first, _, third = measure("*.onnx", reference=lambda: next(loads))
    assert (first.trusted, first.reference_before_ms, first.reference_after_ms) == ("yes", 1000.0, 1000.0)
    assert (third.trusted, third.reason) == ("no", "the reference load took 50 % longer than at the beginning")


def test_a_wide_interval_is_not_trusted(toys: Any, files: None, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"times": [1.0, 1.0, 1.0, 2.0, 2.0, 2.0], "precision": "fp32", "made_up": 0, "peak_memory": None}
    monkeypatch.setattr(module, "answered_apart", lambda *_: answer)
    (row,) = measure("a.onnx", reference=toys.quiet)
    assert (row.trusted, row.reason) == ("no", "the interval of the median is ± 33.3 %, wider than 2 %")
    monkeypatch.setattr(module, "answered_apart", lambda *_: {**answer, "times": [1.0]})
    (row,) = measure("a.onnx", reference=toys.quiet)
    assert (row.step_time_low_ms, row.trusted) == (None, "no")
    assert row.reason == "1 runs are fewer than the 6 that an interval takes"


def test_a_row_tells_a_setting_in_the_words_of_predicted_speed(toys: Any, files: None, asked: list[Any]) -> None:
    (row,) = measure("a.onnx", batch_sizes=[4], device_name="mine", reference=toys.quiet)
    setting = Setting.from_dict(row.to_dict())
    assert (setting.device, setting.precision, setting.batch_size, setting.mode) == ("mine", "fp32", 4, "infer")
    assert setting.runtime == row.runtime


def test_every_setting_of_torch_is_a_row_of_its_own(toys: Any, files: None, asked: list[Any]) -> None:
    settings: list[dict[str, str]] = [{}, {"precision": "amp"}, {"layout": "nhwc"}, {"mode": "train"}]
    for setting in (*settings, *settings):
        measure("a.onnx", "speed.csv", runtime="torch", reference=toys.quiet, **setting)  # type: ignore[arg-type]
    rows = read_measurements("speed.csv")
    assert len(rows) == len(asked) == len(settings)
    found = {(*Setting.from_dict(row.to_dict()).options[1:4], row.mode) for row in rows}
    assert found == {
        ("fp32", "nchw", "eager", "infer"),
        ("amp", "nchw", "eager", "infer"),
        ("fp32", "nhwc", "eager", "infer"),
        ("fp32", "nchw", "eager", "train"),
    }


def test_compiling_takes_a_compiler(files: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"needs a C\+\+ compiler, and there is none; install g\+\+"):
        measure("a.onnx", runtime="torch", compiler="dynamo")


def test_a_model_that_is_not_there_is_a_row(toys: Any, place: Path) -> None:
    Path("a.onnx").write_bytes(toys.convolution().SerializeToString())
    first, second = measure(["a.onnx", "b.onnx"], threads=1, reference=toys.quiet, limits=toys.QUICK)
    assert not first.failed
    assert second.reason == "there is no file b.onnx; give the path of an ONNX file"


def test_a_table_comes_back_as_it_was_written(place: Path) -> None:
    rows = [
        Measurement("a.onnx", "mine", "onnxruntime 1", 4, 2, "ab", samples_per_sec=0.1 + 0.2, made_up=0, trusted="yes"),
        Measurement("b, c.onnx", "mine", "onnxruntime 1", 1, 2, reason='says "no"'),
    ]
    for name in ("speed.csv", "speed.jsonl"):
        write_measurements(name, rows)
        assert read_measurements(name) == rows


def test_columns_and_rows_of_the_users_own_stay(toys: Any, files: None, asked: list[Any]) -> None:
    other = Measurement("z.onnx", "elsewhere", "onnxruntime 1", 1, 1, "ab", samples_per_sec=3.0)
    write_measurements("speed.csv", [other], [{"note": "warm day"}])
    measure("a.onnx", "speed.csv", reference=toys.quiet)
    with open("speed.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == [*COLUMNS, "note"]
    assert [(row["model"], row["note"]) for row in rows] == [("z.onnx", "warm day"), ("a.onnx", "")]
    assert read_measurements("speed.csv")[0] == other


def test_a_table_of_another_kind_is_not_overwritten(files: None, asked: list[Any]) -> None:
    Path("speed.csv").write_text("model,score\na.onnx,3\n")
    with pytest.raises(DataError, match=r"speed.csv, line 2: a table of measured speeds has the column device"):
        measure("a.onnx", "speed.csv")
    assert (Path("speed.csv").read_text(), asked) == ("model,score\na.onnx,3\n", [])


def test_a_number_that_is_none_is_told_with_its_line(files: None, asked: list[Any]) -> None:
    write_measurements("speed.csv", [Measurement("a.onnx", "mine", "onnxruntime 1", 1, 1, "ab")])
    Path("speed.csv").write_text(Path("speed.csv").read_text().replace(",1,1,", ",many,1,"))
    with pytest.raises(DataError, match=r"speed.csv, line 2: .*'many'"):
        measure("a.onnx", "speed.csv")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"batch_sizes": []}, "`batch_sizes` is empty"),
        ({"precision": "amp"}, "ONNX Runtime runs a file as it is, and `precision` amp was asked for; give `runtime="),
        ({"layout": "nhwc"}, "and `layout` nhwc was asked for"),
        ({"precision": "int8", "runtime": "torch"}, "unknown precision 'int8'; choose from: amp, amp_bf16, bf16, fp16"),
        ({"mode": "tune", "runtime": "torch"}, "unknown mode 'tune'; choose from: infer, train"),
        ({"batch_sizes": [0]}, "a batch size is an integer of at least 1, 0 was given"),
        ({"threads": 0}, "`threads` is an integer of at least 1, 0 was given"),
        ({"out": "speed.xyz"}, "a table cannot be written as speed.xyz"),
        ({"out": "no/speed.csv"}, "there is no folder no to write speed.csv into"),
        ({"models": "*.nothing"}, "there is no ONNX model in"),
    ],
)
def test_what_cannot_be_measured_as_asked_is_refused(
    files: None, asked: list[Any], given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        measure(**{"models": "a.onnx", **given})
    assert asked == []


def test_an_unknown_runtime_or_device_lists_the_choices(files: None, asked: list[Any]) -> None:
    with pytest.raises(UnknownNameError, match="choose from: onnxruntime, torch"):
        measure("a.onnx", runtime="onnx")
    with pytest.raises(UsageError, match="unknown device 'gpu'"):
        measure("a.onnx", device="gpu")


def test_a_missing_runtime_says_how_to_install_it(files: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'archpredict\[measure\]'"):
        measure("a.onnx")


def test_models_that_are_refused_or_are_none_end_nothing(toys: Any, place: Path) -> None:
    for name, content in {"net": toys.convolution(), "refused": toys.unknown_operator()}.items():
        Path(f"{name}.onnx").write_bytes(content.SerializeToString())
    Path("empty.onnx").touch()
    result = measure(".", "speed.csv", threads=1, reference=toys.quiet, limits=toys.QUICK)
    empty, row, refused = result
    assert [each.failed for each in result] == [True, False, True]
    assert empty.reason == "empty.onnx is empty; give a model exported to ONNX"
    assert refused.reason.startswith("ONNX Runtime refuses it: ")
    assert (row.repeats, row.made_up, row.precision, row.trusted) == (6, 4 * 27, "fp32", "yes")
    assert row.step_time_low_ms is not None
    assert row.step_time_ms is not None
    assert row.step_time_high_ms is not None
    assert row.step_time_low_ms <= row.step_time_ms <= row.step_time_high_ms
    assert row.peak_memory_mb is not None
    assert row.peak_memory_mb > 1
    assert read_measurements("speed.csv") == list(result)


def test_a_model_that_hangs_is_a_row(toys: Any, place: Path) -> None:
    Path("hangs.onnx").write_bytes(toys.endless().SerializeToString())
    (row,) = measure("hangs.onnx", threads=1, reference=toys.quiet, limits=replace(toys.QUICK, timeout=8.0))
    assert (row.failed, row.reason) == (True, "it took longer than 8 s, and its process was killed")
