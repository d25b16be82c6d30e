"""Shared fixtures: where the benchmark tables are, and one thread per process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch load: oversubscribed threads cost a multiple
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # else ONNX Runtime leaves a number of its own in the home folder

os.environ["ARCHPREDICT_CACHE"] = ""  # nothing is kept from one run of the tests for the next

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None, max_examples=40)  # a busy machine is no failure
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

collect_ignore = ["data"]  # what tests read, and modules that are plug-ins of another distribution

_ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Encoders start from random weights, except in tests that are marked ``pretrain``: those mean pre-training."""
    from archpredict.predict import ensemble_builder, pretraining

    means_it = item.get_closest_marker("pretrain") is not None
    ensemble_builder.pretrained = pretraining.pretrained if means_it else _not_pretrained


def _not_pretrained(*arguments: Any, **options: Any) -> None:
    """What :func:`archpredict.predict.pretraining.pretrained` gives where it cannot be done."""


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
