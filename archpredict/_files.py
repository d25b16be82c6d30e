"""Files that are whole or not there, tensors read from them, and the folder of those that can be made again."""

from __future__ import annotations

import os
import sys
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
