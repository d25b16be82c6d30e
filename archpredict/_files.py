"""Files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path


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
