"""Shared fixtures: where the benchmark tables are, and one thread per process."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any
from zlib import crc32

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch load: oversubscribed threads cost a multiple
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # else ONNX Runtime leaves a number of its own in the home folder
os.environ.setdefault("RAY_worker_niceness", "0")  # else what runs beside a test of Ray leaves its processes no time

os.environ["ARCHPREDICT_CACHE"] = ""  # nothing is kept from one run of the tests for the next

import pytest
import torch
from hypothesis import settings

from archpredict.predict import predictor
from archpredict.predict.ensemble import builder as ensemble_builder
from archpredict.predict.ensemble import cross_fitting
from archpredict.predict.pretraining import cells as pretraining
from archpredict.runs import live, report
from archpredict.strategies.rounds import base as rounds
from archpredict.strategies.rounds import zero_shot

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs so, and programs inherit it: those that tests interrupt would go on without end.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("suite", deadline=None, max_examples=40)  # a busy machine is no failure
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

collect_ignore = ["data"]  # what tests read, and modules that are plug-ins of another distribution

_ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser; tests are skipped where there is none."""
    from tests.pages.browser import launched

    with launched() as browser:
        yield browser


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test's random numbers are its own, and what takes long is left out, except in tests that are marked with it.

    Which tests ran before in the same process changes nothing: torch's generator starts from the test's name.

    ``pretrain``: encoders that start from pre-trained weights; ``draw``: pictures in the report of a run; ``transfer``:
    searches that start with what labels of other spaces expect most of, for which they score a whole space;
    ``cross_fit``: predictors whose parts are trained on halves of the labels too, to weigh them.
    """
    torch.manual_seed(crc32(item.nodeid.encode()))
    weighs = item.get_closest_marker("cross_fit") is not None
    predictor.cross_fit = cross_fitting.cross_fit if weighs else _not_cross_fitted  # type: ignore[attr-defined]
    starts_there = item.get_closest_marker("transfer") is not None
    rounds.zero_shot_order = zero_shot.zero_shot_order if starts_there else _no_order
    means_it = item.get_closest_marker("pretrain") is not None
    ensemble_builder.pretrained = pretraining.pretrained if means_it else _not_pretrained
    draws = item.get_closest_marker("draw") is not None
    for name, draw in _DRAWN.items():
        setattr(report, name, draw if draws else _not_drawn)
    live.write_run_page = _WRITE_PAGE if draws else _not_written  # type: ignore[attr-defined]


_DRAWN = {name: draw for name, draw in vars(report).items() if name.startswith("_draw_")}


_WRITE_PAGE = live.write_run_page  # type: ignore[attr-defined]


def _not_written(*arguments: Any) -> None:
    """The page of a run, which is not made."""


def _not_drawn(*arguments: Any) -> Any:
    """What drawing a picture gives, without a picture: its path."""
    return arguments[-1]


def _not_cross_fitted(*arguments: Any) -> None:
    """What :func:`archpredict.predict.ensemble.cross_fitting.cross_fit` gives where there are too few labels."""


def _no_order(*arguments: Any) -> list[Any]:
    """What :func:`archpredict.strategies.rounds.zero_shot.zero_shot_order` gives in a space without networks."""
    return []


def _not_pretrained(*arguments: Any, **options: Any) -> None:
    """What :func:`archpredict.predict.pretraining.cells.pretrained` gives where it cannot be done."""


_FORKED = """
import os, sys
os.chdir(folder)
for number, path in ((1, stdout), (2, stderr)):
    os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
sys.argv[1:] = words
exec(code, {"__name__": "__main__"})
"""


@dataclass(frozen=True)
class Program:
    """Python code that runs in a process of its own, to be interrupted or killed."""

    process: ForkServerProcess
    folder: Path

    def send_signal(self, number: int) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def ended(self) -> bool:
        return not self.process.is_alive()

    def wait(self) -> tuple[int | None, str, str]:
        """Exit code (minus the number of the signal that killed it), stdout and stderr."""
        self.process.join(300)
        return self.process.exitcode, *((self.folder / name).read_text() for name in ("stdout", "stderr"))


Start = Callable[..., Program]


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Starts ``start(code, *words)`` in the current folder: forked from a process that has imported the library."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["archpredict.cli.search", "archpredict.networks.supernet_training", "archpredict.strategies.ctnas"]
    )

    def started(code: str, *words: str) -> Program:
        folder = tmp_path_factory.mktemp("program")
        files = {name: str(folder / name) for name in ("stdout", "stderr")}
        given = {"code": code, "words": words, "folder": os.getcwd(), **files}
        process = context.Process(target=exec, args=(_FORKED, given), daemon=True)
        process.start()
        return Program(process, folder)

    return started


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
