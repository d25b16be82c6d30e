"""Equal to the bit after saving and loading, wherever in memory the file's numbers come to lie (docs/determinism.md).

On some processors the math library takes another kernel for numbers at another address, with other last digits. So
files are moved here by parts of a cache line before they are loaded: what is computed must not notice.
"""

from __future__ import annotations

import copy
import pickle
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from archpredict._files import read_tensors
from archpredict.evaluators.base import Result
from archpredict.images.base import load_images
from archpredict.networks.fitting import Fit
from archpredict.networks.form import Form
from archpredict.networks.network import Network, build, load, save
from archpredict.networks.recipe import Recipe
from archpredict.networks.supernet import Supernet
from archpredict.networks.supernet_training import SupernetTraining
from archpredict.networks.trained_supernet import load_supernet
from archpredict.predict.predictor import Predictor
from archpredict.predict.rank.adaptation import load_ranker
from archpredict.runs.checkpoint import Checkpoint
from archpredict.runs.search import search
from archpredict.runtime import owned
from archpredict.spaces.base import Architecture, load_space
from archpredict.strategies.base import Strategy
from archpredict.testing.toys import ToyEvaluator, ToySpace

SAVED = Path(__file__).parent / "data" / "before-packages"
SHIFTS = (4, 8, 12, 36, 60)
"""Bytes; numbers take 4 or 8, and memory that torch allocates begins at multiples of 64."""


def shifted(file: Path, by: int) -> None:
    """Move the numbers of a safetensors file by so many bytes: blanks at the end of its header mean nothing."""
    content = file.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = content[8:end] + b" " * by
    file.write_bytes(len(header).to_bytes(8, "little") + header + content[end:])


def copied(folder: Path, to: Path, by: int) -> Path:
    """A copy of a folder whose safetensors files are shifted."""
    shutil.copytree(folder, to)
    for file in to.rglob("*.safetensors"):
        shifted(file, by)
    return to


def moved(values: Tensor, by: int) -> Tensor:
    """The same numbers, so many bytes behind a multiple of 64."""
    room = torch.empty(values.numel() * values.element_size() + 128, dtype=torch.uint8)
    start = -room.data_ptr() % 64 + by
    there = room[start : start + values.numel() * values.element_size()].view(values.dtype).view(values.shape)
    return there.copy_(values)


def addresses(tensors: Sequence[Tensor]) -> set[int]:
    return {tensor.data_ptr() % 64 for tensor in tensors}


def cells(n: int) -> list[Architecture]:
    space = load_space("nasbench201")
    return space.architectures(space.sample(n, np.random.default_rng(1)))


# ---------------------------------------------------------------------- memory


@pytest.mark.parametrize("by", SHIFTS)
@pytest.mark.parametrize("framework", ["np", "pt"])
def test_tensors_are_read_into_memory_of_their_library(framework: Any, by: int, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    numbers = torch.arange(35.0).view(5, 7)
    save_file({"one": numbers[:1].clone(), "two": numbers}, tmp_path / "t.safetensors", {"a": "b"})
    shifted(tmp_path / "t.safetensors", by)
    about, found = read_tensors(tmp_path / "t.safetensors", framework)
    assert about == {"a": "b"}
    assert np.array_equal(found["two"], numbers)
    step = 16 if framework == "np" else 64
    at = [value.ctypes.data if framework == "np" else value.data_ptr() for value in found.values()]
    assert [address % step for address in at] == [0, 0]


def test_an_array_is_taken_over_into_memory_of_torch() -> None:
    for by in range(0, 64, 4):
        array = moved(torch.arange(10.0), by).numpy()
        assert addresses([owned(array)]) == {0}
        assert owned(array).tolist() == array.tolist()


# ---------------------------------------------------------------------- predictors


@pytest.mark.parametrize("name", ["network", "comparator", "regressors"])
def test_a_predictor_computes_the_same_wherever_its_file_puts_it(name: str, tmp_path: Path) -> None:
    space = load_space("darts" if name == "comparator" else "nasbench201")
    architectures = space.architectures(space.sample(12, np.random.default_rng(1)))
    features = {"first choice": np.arange(12.0)} if name == "network" else None

    def told(folder: Path) -> list[Any]:
        predictor = Predictor.load(folder, "cpu")
        parts = [predictor.predict(architectures, features)]
        if predictor.has_std:
            parts.append(predictor.predict_std(architectures, features))
        if features is None:
            parts.append(predictor.compare(architectures, architectures[:5]))
        return [part.tolist() for part in parts]

    expected = told(SAVED / name)
    for by in SHIFTS:
        assert told(copied(SAVED / name, tmp_path / str(by), by)) == expected


def test_an_adapted_predictor_computes_the_same_wherever_its_file_puts_it(tmp_path: Path) -> None:
    graphs = [load_space("nasbench201").network(cell.choices, channels=4) for cell in cells(6)]
    expected = load_ranker(SAVED / "adapted", "cpu").predict(graphs).tolist()
    for by in SHIFTS:
        assert (
            load_ranker(copied(SAVED / "adapted", tmp_path / str(by), by), "cpu").predict(graphs).tolist() == expected
        )


@pytest.fixture(scope="module")
def fitted() -> Predictor:
    """Networks and regressors, fitted here."""
    train = cells(24)
    regressors = {"gaussian-process": 1.0, "hist-gradient-boosting": 0.3, "bayesian-ridge": 0.2}
    return Predictor("gcn", ensemble=2, regressors=regressors, device="cpu").fit(train, [sum(a.choices) for a in train])


def test_a_loaded_predictor_computes_what_the_fitted_one_does(fitted: Predictor, tmp_path: Path) -> None:
    fitted.save(tmp_path / "saved")
    for by in (0, *SHIFTS):
        loaded = Predictor.load(copied(tmp_path / "saved", tmp_path / str(by), by), "cpu")
        for architectures in (cells(1), cells(40)):
            assert loaded.predict(architectures).tolist() == fitted.predict(architectures).tolist()
            assert loaded.predict_std(architectures).tolist() == fitted.predict_std(architectures).tolist()


def test_what_lies_elsewhere_in_memory_is_saved_as_the_same_and_loaded_back(fitted: Predictor, tmp_path: Path) -> None:
    fitted.save(tmp_path / "here")
    elsewhere = copy.deepcopy(fitted)
    for model in elsewhere.ensemble_.models:
        for parameter in model.parameters():
            parameter.data = moved(parameter.data, 4)
        assert addresses(list(model.parameters())) == {4}
    elsewhere.save(tmp_path / "there")
    for file in ("predictor.json", "weights.safetensors"):
        assert (tmp_path / "here" / file).read_bytes() == (tmp_path / "there" / file).read_bytes()
    assert Predictor.load(tmp_path / "there", "cpu").predict(cells(20)).tolist() == fitted.predict(cells(20)).tolist()


@pytest.mark.parametrize("again", [copy.deepcopy, lambda predictor: pickle.loads(pickle.dumps(predictor))])
def test_a_copied_and_a_pickled_predictor_compute_the_same(
    again: Callable[[Predictor], Predictor], fitted: Predictor
) -> None:
    other = again(fitted)
    assert addresses([p for model in other.ensemble_.models for p in model.parameters()]) == {0}
    assert other.predict(cells(20)).tolist() == fitted.predict(cells(20)).tolist()


# ---------------------------------------------------------------------- networks


def network() -> Network:
    images = load_images("digits")
    form = Form.of(images, {"channels": 4, "cells": 1})
    return build(form.graph(load_space("nasbench201"), (3, 1, 2, 1, 0, 3)))


def pixels() -> Tensor:
    return torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_a_saved_network_computes_the_same_wherever_its_file_puts_it(tmp_path: Path) -> None:
    made = network().eval()
    for by in SHIFTS:
        save(made, tmp_path / "net.safetensors")
        shifted(tmp_path / "net.safetensors", by)
        assert torch.equal(load(tmp_path / "net.safetensors")[0](pixels()), made(pixels()))


def test_a_training_goes_on_the_same_wherever_its_checkpoint_puts_it(tmp_path: Path) -> None:
    images, recipe = load_images("digits"), Recipe(epochs=2, batch_size=512)
    whole = Fit(network(), images, recipe)
    whole.run(until=1)
    whole.save(tmp_path / "first.safetensors")
    whole.run()
    for by in SHIFTS[:2]:
        shifted(tmp_path / "first.safetensors", by)
        resumed = Fit(network(), images, recipe)
        resumed.restore(tmp_path / "first.safetensors")
        resumed.run()
        assert same(resumed.network.state_dict(), whole.network.state_dict())


def test_a_supernet_goes_on_and_runs_the_same_wherever_its_checkpoint_puts_it(tmp_path: Path) -> None:
    images, space = load_images("digits"), load_space("nasbench201")

    def training() -> SupernetTraining:
        form = Form.of(images, {"channels": 4, "cells": 1})
        return SupernetTraining(Supernet(space, form), images, Recipe(epochs=2, batch_size=512))

    whole = training()
    whole.run(until=1)
    whole.save(tmp_path / "first.safetensors")
    whole.run()
    whole.save(tmp_path / "last.safetensors")
    program = whole.supernet.program((3, 1, 2, 1, 0, 3))
    for by in SHIFTS[:2]:
        shifted(tmp_path / "first.safetensors", by)
        resumed = training()
        resumed.restore(tmp_path / "first.safetensors")
        assert addresses(list(resumed.supernet.weights.values())) == {0}
        resumed.run()
        assert same(resumed.supernet.weights, whole.supernet.weights)
        shifted(tmp_path / "last.safetensors", by)
        loaded = load_supernet(tmp_path / "last.safetensors", space).supernet
        assert torch.equal(loaded.run(program, pixels()), whole.supernet.run(program, pixels()))


def same(one: Any, other: Any) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


# ---------------------------------------------------------------------- runs


class Walk(Strategy):
    """Asks for what a layer of weights prefers, which each label moves: its state is an array."""

    name = "walk"

    def __init__(self, problem: Any, *, seed: int = 0, observer: Any = None) -> None:
        super().__init__(problem, seed=seed)
        self.weights = np.random.default_rng(0).normal(size=(33, 21)).astype(np.float32)

    def ask(self, n: int) -> list[Architecture]:
        n = min(n, 4, self.problem.budget - self.num_told)
        return self.problem.sample(n, self.rng(self._preferred()), self.seen) if n > 0 else []

    def _preferred(self) -> int:
        """The last bits of products with the weights decide."""
        rows = torch.rand(7, 21, generator=torch.Generator().manual_seed(len(self.results)))
        answer = F.linear(rows, torch.from_numpy(self.weights))
        return int.from_bytes(answer.numpy().tobytes()[:4], "little")

    def tell(self, results: Sequence[Result]) -> None:
        super().tell(results)
        self.weights = self.weights + np.float32(0.1) * sum(r.score or 0.0 for r in results)

    def state_dict(self) -> dict[str, Any]:
        return {"weights": self.weights}

    def load_state_dict(self, state: dict[str, Any], results: Sequence[Result]) -> None:
        super().load_state_dict(state, results)
        self.weights = state["weights"]


class Stopping(ToyEvaluator):
    """Interrupted after so many labels."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
        for result in super().evaluate(architectures):
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            yield result


@pytest.mark.parametrize("by", SHIFTS)
def test_a_run_goes_on_the_same_wherever_its_checkpoint_puts_it(by: int, tmp_path: Path) -> None:
    whole = search(ToySpace, ToyEvaluator(), strategy=Walk, budget=24)
    with pytest.raises(KeyboardInterrupt):
        search(ToySpace, Stopping(10), strategy=Walk, budget=24, out=tmp_path / "run")
    shifted(tmp_path / "run" / "checkpoint.safetensors", by)
    resumed = search(ToySpace, ToyEvaluator(), strategy=Walk, budget=24, out=tmp_path / "run", resume=True)
    assert [r.architecture for r in resumed.top] == [r.architecture for r in whole.top]
    weights = Checkpoint.read(tmp_path / "run" / "checkpoint.safetensors").state["weights"]
    assert weights.flags.writeable
