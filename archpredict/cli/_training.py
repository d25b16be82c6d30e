"""The record of a training by ``archpredict train``: its settings, and the folder it is done in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from archpredict.backends import versions
from archpredict.errors import RunDirectoryError, UsageError

CHECKPOINT, NETWORK, RESULT = "checkpoint.safetensors", "network.safetensors", "result.json"
_CONFIG, _FORMAT = "config.json", "archpredict-train-1"

Settings = dict[str, Any]

SETTINGS: Mapping[str, type] = {
    "space": str,
    "architecture": str,
    "dataset": str,
    "network": dict,
    "training": dict,
    "seed": int,
    "validate": bool,
}
"""What decides the result, and its types in config.json, which keeps it for ``--resume``."""


@contextmanager
def training_folder(path: Path, settings: Settings, resume: bool) -> Iterator[None]:
    """Hold the folder of a training, new or the one that is resumed.

    Raises:
        UsageError: It is not empty, or there is no training in it.
        RunDirectoryError: It is in use, or cannot be written.
    """
    from archpredict.runs.directory import disk_errors, held, write_json

    if not resume:
        _refuse_used(path)
    with held(path):
        if not resume:
            _refuse_used(path)
            made_with = versions("archpredict", "torch", "numpy")
            write_json(path, _CONFIG, {"format": _FORMAT, "settings": settings, "versions": made_with})
        with disk_errors(path):
            yield


def has_begun(path: Path) -> bool:
    """Whether there is a training to go on with."""
    return (path / _CONFIG).is_file()


def read_settings(path: Path) -> Settings:
    """The settings of the training in a folder.

    Raises:
        UsageError: There is none.
        RunDirectoryError: Its configuration is damaged.
    """
    if not has_begun(path):
        raise UsageError(
            f"there is no training to resume in {path}: {path / _CONFIG} does not exist; give the folder of one"
        )
    try:
        config = json.loads((path / _CONFIG).read_text(encoding="utf-8"))
        if config.get("format") != _FORMAT:
            raise UsageError(f"{path} is not the folder of a training by 'archpredict train'; give one to --resume")
        settings: Settings = config["settings"]
        wrong = [name for name, kind in SETTINGS.items() if not isinstance(settings.get(name), kind)]
    except UsageError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _corrupt(path, f"{type(error).__name__}: {error}") from error
    if wrong:
        raise _corrupt(path, f"{wrong[0]!r} is not there, or no {SETTINGS[wrong[0]].__name__}")
    return settings


def check_same(path: Path, kept: Settings, given: Settings) -> None:
    """Check that what is given to a resumed training is what it was started with.

    Raises:
        UsageError: It is not; the message says what differs.
    """
    from archpredict.runs.directory import flatten

    known, now = flatten(kept), flatten(given)
    different = [f"{name} is {known.get(name, 'not set')} there and {now[name]} now" for name in now]
    different = [text for text, name in zip(different, now, strict=True) if known.get(name) != now[name]]
    if different:
        raise UsageError(
            f"the training in {path} was started with other settings: {'; '.join(different)}. Resume it without them, "
            "or start a new one in another folder"
        )


def refuse_training(path: Path) -> None:
    """No training where the run of a search is expected.

    Raises:
        UsageError: It is one; the message says how to go on with it.
    """
    kept = None
    with suppress(OSError, ValueError, TypeError, AttributeError):  # what is damaged is told by who reads it next
        kept = json.loads((path / _CONFIG).read_text(encoding="utf-8")).get("format")
    if kept == _FORMAT:
        raise UsageError(f"{path} is no run of a search; go on with it with: archpredict train --resume {path}")


def found_by(path: Path) -> Settings:
    """The best architecture in a search's run directory: itself, its space, and how it was labelled.

    Raises:
        UsageError: It has no result, or was started by a program that alone knows its space.
        RunDirectoryError: It is damaged.
    """
    from archpredict.runs.directory import corrupt_config, read_best, read_config

    refuse_training(path)
    invocation = read_config(path)["invocation"]
    if invocation is None:
        raise UsageError(f"the run in {path} was started by a program; give its architecture, and --space")
    if "space" not in invocation:
        raise corrupt_config(path, "its invocation names no space")
    found = {"space": invocation["space"], "architecture": read_best(path)}
    return found | {name: invocation[name] for name in ("dataset", "network") if invocation.get(name)}


def _refuse_used(path: Path) -> None:
    from archpredict.cli._output import check_folder
    from archpredict.runs.directory import is_used

    check_folder(path)
    if is_used(path):
        resume = f", or --resume {path} to go on with the training in it" if has_begun(path) else ""
        raise UsageError(f"the folder {path} is not empty; give another --out{resume}")


def _corrupt(path: Path, why: str) -> RunDirectoryError:
    return RunDirectoryError(
        f"the folder {path} is corrupt: {path / _CONFIG} is not the configuration of a training ({why}); restore it "
        "from a copy, or start a new training in another folder"
    )
