"""Transfer models by their files, and the one that comes with the package."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from archpredict.predict.transfer.model import TransferModel

__all__ = ["shipped_model", "transfer_model"]

SHIPPED = Path(__file__).parent.parent.parent / "pretrained" / "transfer" / "spaces.safetensors"


@cache
def transfer_model(path: str | None = None) -> TransferModel:
    """The transfer model of a file; without one, what archpredict has learnt from published benchmarks.

    Raises:
        DataError: There is no such file, or it does not hold a transfer model of this version.
    """
    return TransferModel.load(SHIPPED if path is None else path)


def shipped_model() -> TransferModel:
    """What archpredict has learnt from published benchmarks; its card says which."""
    return transfer_model()
