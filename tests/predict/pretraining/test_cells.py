"""Encoders learn graph statistics of a space without labels, once for a space and an encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save
from sklearn.linear_model import Ridge

from archpredict.encoders.asynchronous import Asynchronous
from archpredict.encoders.base import Encoder
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.batch import batched
from archpredict.predict.inputs import InputSpec
from archpredict.predict.parts import Part
from archpredict.predict.predictor import Predictor
from archpredict.predict.pretraining import cells as pretraining
from archpredict.predict.pretraining.cells import forget, pretrained
from archpredict.predict.pretraining.pretrained_weights import fingerprint
from archpredict.predict.training.training import Training
from archpredict.spaces.base import load_space
from archpredict.spaces.nasbench201 import NASBench201

pytestmark = pytest.mark.pretrain

SPACE = NASBench201()
CELLS = SPACE.architectures(SPACE.sample(300, np.random.default_rng(5)))
SPEC, INPUTS = InputSpec.fit(CELLS, form="nodes", sources=("statistics",))
LABELS = np.array([cell.cost["params"] for cell in CELLS[:30]]) + np.arange(30)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    forget()
    yield
    forget()


def make() -> Encoder:
    return Asynchronous(SPEC.num_ops, SPEC.num_cells, dim=32)


def weights(steps: int = 30, **arguments: object) -> dict[str, torch.Tensor]:
    found = pretrained(make, SPACE, SPEC, steps, **arguments)  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def few_samples(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn to learn from, a sixteenth of it, where it is not what a test is about."""
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr("archpredict.predict.pretraining.cells._SAMPLES", 256)


def explained(encoder: Encoder) -> float:
    """R² of a linear readout of the statistics on architectures it was not fitted on."""
    with torch.no_grad():
        z = encoder.eval()(batched(INPUTS.graphs)).numpy()
    y = np.asarray(SPEC.side(INPUTS))
    return float(Ridge(10.0).fit(z[:200], y[:200]).score(z[200:], y[200:]))


def test_a_pretrained_encoder_tells_statistics_better_than_a_random_one() -> None:
    torch.manual_seed(0)
    random = make()
    learnt = make()
    learnt.load_state_dict(weights(200))
    assert explained(learnt) > explained(random) + 0.03


def test_the_weights_depend_on_the_space_and_the_encoder_alone() -> None:
    first = weights()
    torch.manual_seed(99)
    forget()
    again = weights()
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_it_is_done_once_for_a_space_and_an_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def train(*arguments: object) -> dict[str, torch.Tensor]:
        calls.append(1)
        return {}

    monkeypatch.setattr(pretraining, "_train", train)
    for key, steps in (("a", 5), ("a", 5), ("b", 5), ("a", 6)):
        pretrained(make, SPACE, SPEC, steps, key=key)
    pretrained(make, NASBench201(), SPEC, 5, key="a")  # the same space, another object
    assert len(calls) == 3


def test_spaces_are_told_apart_by_what_they_decode_to() -> None:
    class Another(NASBench201):
        def decode(self, choices: Sequence[int]) -> ArchGraph:
            return super().decode([0, *choices[1:]])

    marks = [fingerprint(space, SPEC, 5, "a") for space in (SPACE, NASBench201(), Another())]
    assert marks[0] == marks[1] != marks[2]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARCHPREDICT_CACHE", str(tmp_path))
    return tmp_path / "encoders"


def test_weights_that_were_kept_on_disk_are_not_made_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = weights(5, key="a", persistent=True)
    forget()
    monkeypatch.setattr(pretraining, "_train", None)
    read = weights(5, key="a", persistent=True)
    assert all(torch.equal(made[name], read[name]) for name in made)
    assert len(list(cache.iterdir())) == 1


def test_a_damaged_file_is_passed_over_with_a_warning_and_made_anew(cache: Path) -> None:
    made = weights(5, key="a", persistent=True)
    (path,) = cache.iterdir()
    other = {name: value.double() for name, value in made.items()}
    unfinished = {name: torch.full_like(value, torch.nan) for name, value in made.items()}
    for content in (b"", path.read_bytes()[:-4], b"\xff" * 100, save(other), save(unfinished), save({})):
        path.write_bytes(content)
        forget()
        with pytest.warns(UserWarning, match="are passed over, they are made anew") as told:
            again = weights(5, key="a", persistent=True)
        assert len(told) == 1
        assert all(torch.equal(made[name], again[name]) for name in made)
        assert path.read_bytes() == save(made)


def test_where_nothing_can_be_kept_weights_are_made_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    for place in ("", str(tmp_path / "file" / "below")):
        monkeypatch.setenv("ARCHPREDICT_CACHE", place)
        forget()
        assert weights(5, key="a", persistent=True)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_encoder_of_one_s_own_is_not_kept_on_disk(cache: Path) -> None:
    class Own(Asynchronous):
        pass

    small(encoder=Own, training__pretrain=5).fit(CELLS[:30], LABELS)
    assert not cache.exists()
    small(training__pretrain=5).fit(CELLS[:30], LABELS)
    assert len(list(cache.iterdir())) == 1


def test_torch_s_own_random_numbers_are_left_as_they_were() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    weights()
    assert torch.equal(before, torch.get_rng_state())


def test_the_loss_is_told_and_falls() -> None:
    losses: list[float] = []
    weights(121, observer=lambda event: losses.append(event.values["loss"]))
    assert len(losses) == 7
    assert losses[-1] < losses[0]


def test_a_space_with_more_cells_than_the_encoder_knows_is_left_out() -> None:
    graphs = [cell.graph for cell in CELLS]
    spec, _ = InputSpec.fit(graphs, form="nodes", vocabulary=SPEC.vocabulary)
    assert pretrained(make, SPACE, spec, 5) is not None
    assert pretrained(make, SPACE, replace(spec, num_cells=2), 5) is None


def small(**changes: Any) -> Predictor:
    predictor = Predictor(Part("asynchronous", dim=8), ensemble=1, regressors=None, device="cpu")
    return predictor.set_params(training__epochs=2, **changes)


def encoder_weight(predictor: Predictor) -> torch.Tensor:
    encoder = predictor.ensemble_.models[0].encoder
    assert encoder is not None
    first: torch.Tensor = next(iter(encoder.state_dict().values()))
    return first


def test_a_predictor_begins_with_the_pretrained_encoder() -> None:
    cells = CELLS[:30]
    without = small(training__pretrain=0).fit(cells, LABELS)
    with_it = small(training__pretrain=20).fit(cells, LABELS)
    assert not torch.equal(encoder_weight(without), encoder_weight(with_it))
    again = small(training__pretrain=20).fit(cells, LABELS)
    assert np.array_equal(with_it.predict(cells), again.predict(cells))


def test_bare_graphs_and_choices_are_trained_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise AssertionError

    monkeypatch.setattr(pretraining, "_train", fail)
    small(training__pretrain=20).fit([cell.graph for cell in CELLS[:30]], LABELS)
    Predictor("mlp", ensemble=1, training=Training(epochs=1, pretrain=20), regressors=None, device="cpu").fit(
        CELLS[:30], LABELS
    )


def test_pretraining_is_a_stage_of_its_own() -> None:
    seen: list[tuple[str, int, int | None]] = []
    small(training__pretrain=21).fit(CELLS[:30], LABELS, observer=lambda e: seen.append((e.stage, e.done, e.total)))
    assert seen == [("pre-training", 20, 21), ("pre-training", 21, 21), ("training", 1, 2), ("training", 2, 2)]


SHIPPED_FOR = ("nasbench101", "nasbench201", "darts", "enas", "enas-micro", "mobilenetv3")


@pytest.mark.parametrize("name", SHIPPED_FOR)
def test_weights_ship_for_the_built_in_spaces(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretraining, "_train", None)
    space = load_space(name)
    architectures = space.architectures(space.sample(8, np.random.default_rng(1)))
    Predictor(training=Training(epochs=1), ensemble=1, regressors=None, device="cpu").fit(architectures, range(8))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nasbench201"])
def test_what_ships_is_what_training_gives(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    space = load_space(name)
    cells = space.architectures(space.sample(64, np.random.default_rng(1)))
    _, inputs = InputSpec.fit(cells, form="nodes", sources=("statistics",))
    z = []
    for trained in (False, True):
        forget()
        if trained:
            monkeypatch.setattr(pretraining, "read_weights", lambda mark, make: None)
        training = Training(epochs=1, learning_rate=1e-12)
        predictor = Predictor(training=training, ensemble=1, regressors=None, device="cpu")
        encoder = predictor.fit(cells, range(64)).ensemble_.models[0].encoder
        assert encoder is not None
        with torch.no_grad():
            z.append(encoder.eval()(batched(inputs.graphs)))
    # 400 steps of Adam make last digits grow; encodings by weights of another seed differ by as much as they measure.
    assert float((z[0] - z[1]).norm() / z[0].norm()) < 0.1
