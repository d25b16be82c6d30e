"""Files and folders that are whole or not there, tensors read from them, and the folder of what can be made again."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

CACHE_VARIABLE = "ARCHPREDICT_CACHE"


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file whole or not at all, even if the machine stops in between."""
    unfinished = path.with_name(path.name + ".new")
    try:
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError:  # e.g. a full disk, which half a file would keep full
        unfinished.unlink(missing_ok=True)
        raise


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """A place to write files in, which go to the folder when all of them are there.

    What the folder held stays until then; other files in it stay for good. Its JSON, which says what the other files
    are, goes first and comes last: a folder that a machine left in between is no folder of anything.
    """
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as place:
            yield Path(place)
            _move_files(Path(place), folder)
    except BaseException:
        if is_new:
            with suppress(OSError):  # there is something in it
                folder.rmdir()
        raise


def _move_files(place: Path, folder: Path) -> None:
    files = [path.relative_to(place) for path in place.rglob("*") if path.is_file()]
    manifests = sorted((file for file in files if file.suffix == ".json"), key=lambda file: -len(file.parts))
    for file in manifests:
        (folder / file).unlink(missing_ok=True)
    with suppress(OSError):  # where there are no rights to set
        for file in files if manifests else ():  # safetensors writes what its owner alone may read
            shutil.copymode(place / manifests[0], place / file)
    for file in (*(file for file in files if file not in manifests), *manifests):
        (folder / file).parent.mkdir(exist_ok=True)
        os.replace(place / file, folder / file)


def read_tensors(path: str | Path, framework: Literal["np", "pt"]) -> tuple[dict[str, str], dict[str, Any]]:
    """Metadata and tensors of a safetensors file, the tensors in memory that NumPy or torch has allocated.

    What safetensors gives begins wherever it does in the file. Math libraries choose their kernels by addresses too,
    so that the same numbers there would compute other last digits than the ones that were saved.

    Args:
        path: The file.
        framework: ``np`` for arrays, ``pt`` for tensors of torch.

    Raises:
        SafetensorError: It is no such file.
        OSError: It cannot be read.
    """
    from safetensors import safe_open

    with safe_open(str(path), framework=framework) as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - no mapping
        copied = {name: value.copy() if framework == "np" else value.clone() for name, value in tensors.items()}
        return opened.metadata() or {}, copied


def damage(error: Exception) -> str:
    """What is wrong with a file, by what reading it has raised, as the end of a sentence.

    Example:
        >>> damage(KeyError("card")), damage(FileNotFoundError(2, "No such file or directory", "m/weights.safetensors"))
        ("it has no 'card'", 'weights.safetensors is not there')
        >>> damage(ValueError("its format is 9, this version reads 1"))
        'its format is 9, this version reads 1'
    """
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        return f"{Path(error.filename).name} is not there"
    if isinstance(error, KeyError) and error.args:
        return f"it has no {error.args[0]!r}"
    if isinstance(error, json.JSONDecodeError):
        return f"its JSON is damaged ({error})"
    if isinstance(error, AttributeError | TypeError | IndexError):
        return f"it is laid out in another way ({error})"
    return str(error)


def cache_folder() -> Path | None:
    """Where files are kept that can be made again: ``$ARCHPREDICT_CACHE``, else the system's folder for such files.

    Nothing is made here. None where the variable is set and empty: then nothing is kept.
    """
    if (chosen := os.environ.get(CACHE_VARIABLE)) is not None:
        return Path(chosen) if chosen else None
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "archpredict"
