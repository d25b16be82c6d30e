"""The run directory: whole files, one user at a time, and the configuration it was started with."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from archpredict._files import write_atomically
from archpredict.errors import RunDirectoryError, UsageError
from archpredict.runs.checkpoint import Checkpoint
from archpredict.runs.directory import RunDirectory, read_best, read_config

SETTINGS: dict[str, Any] = {"space": "toy", "seed": 0, "evaluator": {"labels": "made up", "sha256": "abc"}}

arrays = hnp.arrays(
    st.sampled_from([np.float64, np.float32, np.int64, np.uint8, np.bool_]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
states = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        arrays | st.integers() | st.text(max_size=3) | st.lists(st.none() | st.booleans()),
        lambda inner: st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=5,
    ),
    max_size=4,
)


@settings(deadline=None)
@given(states, st.integers(0, 100), st.integers(0, 100))
def test_a_checkpoint_comes_back_as_it_went_in(state: dict[str, Any], told: int, events: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint"
        path.write_bytes(Checkpoint(state, told, events).to_bytes())
        read = Checkpoint.read(path)
    np.testing.assert_equal(read.state, state)
    assert _dtypes(read.state) == _dtypes(state)
    assert (read.num_told, read.num_events) == (told, events)


def _dtypes(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _dtypes(v) for k, v in value.items()}
    return (value.dtype, value.shape) if isinstance(value, np.ndarray) else None


@pytest.mark.parametrize("position", [0, 9, 200, -1])
def test_a_damaged_checkpoint_is_noticed(tmp_path: Path, position: int) -> None:
    path = tmp_path / "checkpoint"
    content = bytearray(Checkpoint({"weights": np.arange(100.0)}, 3, 4).to_bytes())
    content[position] ^= 0x11
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"checkpoint|checksum"):
        Checkpoint.read(path)


def test_a_checkpoint_cut_short_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    path.write_bytes(Checkpoint({"weights": np.arange(100.0)}, 3, 4).to_bytes()[:-8])
    with pytest.raises(ValueError, match="no checkpoint"):
        Checkpoint.read(path)


def test_a_new_run_writes_its_configuration(tmp_path: Path) -> None:
    with RunDirectory(tmp_path / "a" / "run", SETTINGS, invocation={"space": "toy"}):
        config = read_config(tmp_path / "a" / "run")
    assert config["settings"] == SETTINGS
    assert config["invocation"] == {"space": "toy"}
    assert set(config["versions"]) == {"python", "archpredict", "torch", "numpy"}


def test_a_directory_in_use_is_refused_until_it_is_free(tmp_path: Path) -> None:
    with (
        RunDirectory(tmp_path, SETTINGS),
        pytest.raises(RunDirectoryError, match="is in use by another process; wait until it ends"),
    ):
        RunDirectory(tmp_path, SETTINGS, resume=True)
    RunDirectory(tmp_path, SETTINGS, resume=True).close()


def test_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    RunDirectory(tmp_path, SETTINGS).close()
    for _ in range(2):
        with pytest.raises(UsageError, match="another configuration"):
            RunDirectory(tmp_path, {**SETTINGS, "seed": 1}, resume=True)


def test_a_used_directory_is_refused_and_the_message_names_resume_where_there_is_a_run(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=f"{tmp_path} is not empty; give another `out`$"):
        RunDirectory(tmp_path, SETTINGS)
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]
    run = tmp_path / "run"
    RunDirectory(run, SETTINGS).close()
    with pytest.raises(UsageError, match=f"{run} is not empty; give another `out`, or `out='{run}', resume=True`"):
        RunDirectory(run, SETTINGS)


def test_other_settings_are_listed_with_both_values(tmp_path: Path) -> None:
    RunDirectory(tmp_path, SETTINGS).close()
    other = {"space": "toy", "seed": 5, "evaluator": {"labels": "made up", "sha256": "def"}}
    with pytest.raises(UsageError) as caught:
        RunDirectory(tmp_path, other, resume=True)
    assert 'evaluator.sha256 is "abc" there and "def" now; seed is 0 there and 5 now' in str(caught.value)
    assert "labels" not in str(caught.value)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ({"changes": {}}, "'changes' is no list"),
        ({"changes": [{"old": 3}]}, "is no change of a budget"),
        ({"settings": {"budget": "7"}}, "its budget is '7'"),
        ({"invocation": 3}, "are no JSON objects"),
        ({"settings": []}, "are no JSON objects"),
        ({"format": 9}, "format is 9"),
    ],
)
def test_a_configuration_with_other_types_is_corrupt(tmp_path: Path, damage: dict[str, Any], why: str) -> None:
    RunDirectory(tmp_path, SETTINGS).close()
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **damage}))
    with pytest.raises(RunDirectoryError, match=f"config.json is not the configuration of a run .*{why}"):
        read_config(tmp_path)


def test_a_file_that_could_not_be_written_whole_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "file", b"content")
    assert not list(tmp_path.iterdir())


def test_there_must_be_a_run_to_resume(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no run in .*config\.json does not exist"):
        RunDirectory(tmp_path / "none", SETTINGS, resume=True)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 9, "settings": {}}', '{"settings": {}}'])
def test_a_damaged_configuration_is_called_corrupt(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(RunDirectoryError, match=r"is corrupt: .*config\.json is not the configuration of a run"):
        RunDirectory(tmp_path, SETTINGS, resume=True)


def test_a_missing_history_is_called_corrupt_where_there_was_one(tmp_path: Path) -> None:
    with RunDirectory(tmp_path, SETTINGS) as directory:
        directory.save_checkpoint({}, 0)
    (tmp_path / "history.db").unlink()
    with pytest.raises(RunDirectoryError, match=r"corrupt: history\.db is missing"):
        RunDirectory(tmp_path, SETTINGS, resume=True)


def test_a_place_that_cannot_be_written_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for place in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(
            RunDirectoryError, match=r"cannot write the run directory .*; make it writable, or give another `out`"
        ):
            RunDirectory(place, SETTINGS)


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunDirectory(tmp_path, SETTINGS) as directory:
        directory.save_checkpoint({"epoch": 1}, 10)

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(RunDirectoryError, match=r"the disk that holds .* is full.*resume=True"):
            directory.save_checkpoint({"epoch": 2}, 20)
        checkpoint = directory.load_checkpoint()
    assert checkpoint is not None
    assert (checkpoint.state, checkpoint.num_told) == ({"epoch": 1}, 10)


def test_best_json_says_how_long_the_run_took(tmp_path: Path) -> None:
    with RunDirectory(tmp_path, SETTINGS) as directory:
        assert directory.finished_seconds(3) is None
        directory.save_best({"seconds": 12.5, "queries": 3})
        assert directory.finished_seconds(3) == 12.5
        assert directory.finished_seconds(4) is None, "the run goes on: this is the result of a smaller budget"
    assert json.loads((tmp_path / "best.json").read_text()) == {"seconds": 12.5, "queries": 3}


def test_the_best_architecture_of_a_run_is_read_once_it_is_finished(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no result yet; finish it with `search\(\.\.\., out=.*, resume=True\)`"):
        read_best(tmp_path)
    (tmp_path / "best.json").write_text('{"best": {"architecture": "[0, 1]"}}')
    assert read_best(tmp_path) == "[0, 1]"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"best": {}}', '{"best": null}'])
def test_a_damaged_result_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "best.json").write_text(text)
    with pytest.raises(RunDirectoryError, match=r"is corrupt: .*best\.json is not the result of a run .*; restore it"):
        read_best(tmp_path)


def test_the_folder_of_a_training_is_no_run_of_a_search(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"format": "archpredict-train-1", "settings": {}}', encoding="utf-8")
    with pytest.raises(UsageError, match=r"is no run of a search .archpredict-train-1.; go on with it by what"):
        read_config(tmp_path)
