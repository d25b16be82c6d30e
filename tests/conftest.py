"""Shared fixtures: where the benchmark tables are, and one thread per process."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch load: oversubscribed threads cost a multiple
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # else ONNX Runtime leaves a number of its own in the home folder

import pytest

_ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with the benchmark tables; tests that use it are skipped where it is missing."""
    candidates = [
        os.environ.get("ARCHPREDICT_DATA"),
        _ROOT.parent / "shared" / "data",
        _ROOT / "shared" / "data",
    ]
    for candidate in candidates:
        if candidate and Path(candidate).is_dir():
            return Path(candidate)
    pytest.skip("needs the benchmark tables: set ARCHPREDICT_DATA to their folder")
