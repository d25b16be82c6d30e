"""``rank --save``: the folder of an adapted predictor."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from archpredict.errors import RunError, UsageError

if TYPE_CHECKING:
    from archpredict.predict.adaptation import AdaptedPredictor


def check_save(out: Path) -> None:
    """The folder for ``--save`` can be made or replaced: nothing but an adapted predictor is overwritten."""
    from archpredict.cli._output import check_folder
    from archpredict.predict.adaptation import MANIFEST

    check_folder(out)
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise UsageError(f"the folder {out} is not empty and holds no adapted predictor; choose another one for --save")


def save(ranker: AdaptedPredictor, out: Path) -> None:
    """Write a folder beside the one that is wanted, then put it there: what was there stays until the new one is."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.resolve().parent) as folder:
            new, old = Path(folder, "new"), Path(folder, "old")
            ranker.save(new)
            if out.exists():
                os.replace(out, old)
            os.replace(new, out)
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise RunError(
            f"cannot save the predictor in {out}: {error.strerror or error}; choose another place"
        ) from error
