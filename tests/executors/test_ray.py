"""Evaluations in a Ray cluster of several simulated machines: nothing is lost, whatever dies."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict.errors import EvaluationError, UsageError
from archpredict.evaluators.function import FunctionEvaluator
from archpredict.evaluators.supernet import SupernetEvaluator
from archpredict.executors import ray as ray_executor
from archpredict.executors.ray import Ray
from archpredict.images.base import load_images
from archpredict.networks.form import Form
from archpredict.networks.recipe import Recipe
from archpredict.networks.supernet import Supernet
from archpredict.networks.supernet_training import SupernetTraining
from archpredict.networks.trained_supernet import FILE
from archpredict.onnx.apart import FileReading, read_apart
from archpredict.onnx.reader import DEFAULT_SIZES, OnnxModel
from archpredict.onnx.stored import model_to_dict
from archpredict.runs.history import History
from archpredict.runs.search import SearchResult, search
from archpredict.spaces.base import Architecture
from archpredict.spaces.nasbench201 import NASBench201
from archpredict.strategies.base import Strategy
from archpredict.testing.toys import ToySpace

ray = pytest.importorskip("ray", reason="Ray is not installed; install it with `pip install 'archpredict[ray]'`")
SPACE = ToySpace()
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two machines with one core each; the program is connected to it."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    ray.init(address=made.address, log_to_driver=False, logging_level="ERROR")
    yield made
    ray.shutdown()
    made.shutdown()


class Fixed(Strategy):
    """Asks for the same architectures in whatever order results come."""

    name = "fixed"

    def ask(self, n: int) -> list[Architecture]:
        seen = set(self.seen)
        all_of_them = self.problem.sample(self.problem.budget, np.random.default_rng(self.seed))
        return [a for a in all_of_them if a.key not in seen][: max(0, min(n, self.left))]


def score(architecture: Architecture) -> float:
    return float(sum(architecture.choices))


def found(result: SearchResult) -> Any:
    """All that was found; what scores alike stands in the order of arrival, which is another every time."""
    return sorted((str(r.architecture), r.score) for r in result.top)


def run(function: Any, out: Path | None = None, executor: Any = "ray", **more: Any) -> SearchResult:
    return search(SPACE, FunctionEvaluator(function), strategy=Fixed, budget=8, out=out, executor=executor, **more)


def test_machines_and_processes_die_and_join_and_the_result_is_that_of_one_machine(
    cluster: Any, tmp_path: Path
) -> None:
    died = tmp_path / "died"

    def dies_once(architecture: Architecture) -> float:
        time.sleep(0.2)
        try:
            died.touch(exist_ok=False)
        except FileExistsError:
            return score(architecture)
        os.kill(os.getpid(), signal.SIGKILL)
        return 0.0

    node = cluster.list_all_nodes()[-1]
    events = []

    def observer(event: Any) -> None:
        events.append(event)
        if len(events) == 2:
            cluster.remove_node(node, allow_graceful=False)
        if len(events) == 4:
            cluster.add_node(num_cpus=1)

    result = run(dies_once, tmp_path / "run", Ray(), observer=observer)
    assert found(result) == found(run(score, executor="local"))
    assert (result.queries, result.failed) == (8, 0)
    with History(tmp_path / "run" / "history.db") as history:
        arrivals = history.arrivals(SPACE)
    assert len({a.result.architecture.key for a in arrivals}) == 8, "something was evaluated twice"
    reasons = [why for a in arrivals for why in a.result.metadata.get("retries", ())]
    assert "its process died" in reasons


def test_what_is_tried_too_often_is_given_up_with_the_reason(cluster: Any) -> None:
    worst = SPACE.architectures(SPACE.enumerate())[0].choices

    def dies(choices: tuple[int, ...]) -> int:
        if choices == worst:
            os.kill(os.getpid(), signal.SIGKILL)
        return 1

    done = {d.item: d for d in Ray(retries=1).each(dies, [worst, (1, 2)])}
    assert done[1, 2].value == 1
    assert done[worst].error == "its process died, in the last of 2 attempts"
    assert done[worst].retries == ("its process died",)


def test_a_process_makes_the_function_once(cluster: Any) -> None:
    class Heavy:
        calls = 0

        def __call__(self, item: int) -> int:
            self.calls += 1
            return self.calls

    calls = [done.value or 0 for done in Ray().each(Heavy(), range(8))]
    assert sum(count == 1 for count in calls) <= 2  # processes
    assert max(calls) >= 4


def test_files_are_read_where_they_are_as_one_machine_reads_them(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx
    from onnx import helper

    monkeypatch.chdir(tmp_path)  # where the machines have not been started
    files = {number: Path(f"{number}.onnx") for number in range(3)}
    for number in (1, 2):
        start, end = (helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, number]) for name in "xy")
        graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [start], [end])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), files[number])
    files[0].write_bytes(b"noise" * 10)

    def read(how: FileReading) -> dict[int, Any]:
        found = read_apart(files, {}, DEFAULT_SIZES, how)
        return {n: model_to_dict(one) if isinstance(one, OnnxModel) else str(one) for n, one in found}

    assert read(FileReading(executor=Ray())) == read(FileReading(jobs=0))


def test_a_search_by_a_supernet_finds_what_it_finds_here(cluster: Any, tmp_path: Path) -> None:
    space, images = NASBench201(), load_images("digits")
    supernet = Supernet(space, Form.of(images, {"channels": 2, "cells": 1}))
    training = SupernetTraining(supernet, images, Recipe(epochs=1, batch_size=256))
    training.run(checkpoint=tmp_path / FILE, about={"dataset": "digits"})
    evaluator = SupernetEvaluator.load(tmp_path, space, device="cpu")
    here, there = (search(space, evaluator, strategy=Fixed, budget=3, executor=name) for name in ("local", "ray"))
    assert (there.queries, there.failed) == (3, 0)
    assert found(there) == found(here)


def test_resources_that_no_machine_has_are_named(cluster: Any) -> None:
    with pytest.raises(
        EvaluationError,
        match=r"no machine of the cluster can give what one evaluation needs \(cpu 64, gpu 1\): .* is cpu 1, gpu 0",
    ):
        run(score, executor=Ray(resources={"cpu": 64, "gpu": 1}))


def test_an_evaluator_that_cannot_be_pickled_is_told_so(cluster: Any) -> None:
    lock = threading.Lock()

    def holds(architecture: Architecture) -> float:
        with lock:
            return score(architecture)

    with pytest.raises(EvaluationError, match=r"the evaluator cannot be sent to other processes.*cannot pickle"):
        run(holds)


def test_what_the_evaluator_raises_ends_the_run_in_its_own_words(cluster: Any) -> None:
    def broken(_: int) -> int:
        raise EvaluationError("the images are gone")

    with pytest.raises(EvaluationError, match=r"^the images are gone$"):
        list(Ray().each(broken, [1]))


def test_a_worker_of_another_version_is_told_apart() -> None:
    with pytest.raises(EvaluationError, match=r"has archpredict .*, this one has 0\.0\.0; install the same everywhere"):
        ray_executor._call({"archpredict": "0.0.0"}, "name", b"", b"")
    with pytest.raises(EvaluationError, match=r"cannot make the evaluator: ModuleNotFoundError.*nowhere"):
        ray_executor._call(ray_executor._VERSIONS, "name", b"cnowhere\nAt\n.", b"")


def test_an_address_that_nobody_answers_is_said_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(EvaluationError, match=f"nobody answers at the Ray address {address}"):
            ray_executor._check_answers(address)
    with pytest.raises(UsageError, match=r"is host:port, ray://host:port or auto; 'somewhere' was given"):
        ray_executor._check_answers("somewhere")


@pytest.mark.parametrize("resources", [{}, {"cpu": 0}, {"cpu": True}, {"gpu": float("nan")}, {"cpu": "two"}])
def test_resources_that_are_none_are_refused(resources: Any) -> None:
    with pytest.raises(UsageError, match="was given"):
        Ray(resources=resources)


@pytest.mark.slow  # four programs that load Ray
def test_a_program_that_is_killed_goes_on_with_what_was_recorded(cluster: Any, tmp_path: Path) -> None:
    program = (
        "import os, sys, time\n"
        "sys.path[:0] = sys.argv[4:]\n"
        "import archpredict\n"
        "from archpredict.testing.toys import ToySpace\n"
        "def score(architecture):\n    time.sleep(0.1)\n    return float(sum(architecture.choices))\n"
        "done = []\n"
        "def observer(event):\n    done.append(event)\n"
        "    if len(done) == 3 and sys.argv[3] == 'dies': os.kill(os.getpid(), 9)\n"
        "archpredict.search(ToySpace, score, strategy='random', budget=8, out=sys.argv[1], observer=observer,\n"
        "    resume=sys.argv[3] == 'resumes', executor='ray', executor_options={'address': sys.argv[2]})\n"
    )
    out, root = tmp_path / "run", str(Path(__file__).resolve().parents[2])

    def started(how: str) -> list[Architecture]:
        words = [sys.executable, "-c", program, str(out), cluster.address, how, root]
        ended = subprocess.run(words, capture_output=True, text=True, check=False)
        assert ended.returncode == (-signal.SIGKILL if how == "dies" else 0), ended.stderr
        with History(out / "history.db") as history:
            return [a.result.architecture for a in history.arrivals(SPACE)]

    before = started("dies")
    assert len(before) == 3
    after = started("resumes")
    assert after[:3] == before
    assert len({a.key for a in after}) == len(after) == 8
