"""Transfer models by their files, the one that comes with the package, and those that an argument names."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from archpredict.errors import UsageError
from archpredict.predict.transfer.model import TransferModel

__all__ = ["file_of", "model_of", "shipped_model", "transfer_model", "transfer_sha256"]

SHIPPED = Path(__file__).parent.parent.parent / "pretrained" / "transfer" / "spaces.safetensors"

Transfer = bool | str | Path
"""The argument ``transfer``: whether to learn from labels of other spaces, or the file of a model of one's own."""


def transfer_model(path: str | Path | None = None) -> TransferModel:
    """The transfer model of a file; without one, what archpredict has learnt from published benchmarks.

    Raises:
        DataError: There is no such file, or it does not hold a transfer model of this version.
    """
    file = SHIPPED if path is None else Path(path)
    try:
        state = file.stat()
    except OSError:
        return TransferModel.load(file)  # which says what is wrong
    return _loaded(file.absolute(), state.st_mtime_ns, state.st_size)


def shipped_model() -> TransferModel:
    """What archpredict has learnt from published benchmarks; its card says which."""
    return transfer_model()


def file_of(transfer: Transfer) -> Path | None:
    """The file that an argument ``transfer`` names; None where it names none.

    Raises:
        UsageError: It is neither True, False nor a path.

    Example:
        >>> file_of(True), file_of("mine.safetensors").name
        (None, 'mine.safetensors')
    """
    if isinstance(transfer, bool):
        return None
    if not isinstance(transfer, str | Path) or not str(transfer):
        raise UsageError(f"transfer is True, False or the file of a transfer model, {transfer!r} was given")
    return Path(transfer)


def model_of(transfer: Transfer) -> TransferModel | None:
    """The transfer model that an argument ``transfer`` names; None where it is False.

    Raises:
        UsageError: It is neither True, False nor a path.
        DataError: There is no such file, or it does not hold a transfer model of this version.

    Example:
        >>> model_of(True) is shipped_model(), model_of(False)
        (True, None)
    """
    file = file_of(transfer)
    return None if transfer is False else transfer_model(file)


def transfer_sha256(transfer: Transfer) -> str | None:
    """SHA-256 of the file that an argument ``transfer`` names, in hexadecimal; None where it names none.

    Raises:
        DataError: There is no such file.
    """
    file = file_of(transfer)
    if file is None:
        return None
    transfer_model(file)
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@lru_cache(maxsize=8)
def _loaded(file: Path, changed: int, size: int) -> TransferModel:
    """The model of a file as long as it stays as it is; the same object each time, which knows its zero-shot scores."""
    return TransferModel.load(file)
