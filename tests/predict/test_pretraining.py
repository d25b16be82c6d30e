"""Encoders learn graph statistics of a space without labels, once for a space and an encoder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from archpredict.encoders.asynchronous import Asynchronous
from archpredict.encoders.base import Encoder
from archpredict.graph.batch import batched
from archpredict.predict import pretraining
from archpredict.predict.inputs import InputSpec
from archpredict.predict.predictor import Predictor
from archpredict.predict.pretraining import forget, pretrained
from archpredict.spaces.nasbench201 import NASBench201

pytestmark = pytest.mark.pretrain

SPACE = NASBench201()
CELLS = SPACE.architectures(SPACE.sample(300, np.random.default_rng(5)))
SPEC, INPUTS = InputSpec.fit(CELLS, form="nodes", side=("statistics",))
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
    pretrained(make, NASBench201(), SPEC, 5, key="a")
    assert len(calls) == 4


def test_torch_s_own_random_numbers_are_left_as_they_were() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    weights()
    assert torch.equal(before, torch.get_rng_state())


def test_the_loss_is_told_and_falls() -> None:
    losses: list[float] = []
    weights(121, observe=losses.append)
    assert len(losses) == 7
    assert losses[-1] < losses[0]


def test_a_space_with_more_cells_than_the_encoder_knows_is_left_out() -> None:
    graphs = [cell.graph for cell in CELLS]
    spec, _ = InputSpec.fit(graphs, form="nodes", vocabulary=SPEC.vocabulary)
    assert pretrained(make, SPACE, spec, 5) is not None
    assert pretrained(make, SPACE, replace(spec, num_cells=2), 5) is None


small = partial(Predictor, ensemble=1, epochs=2, regressors=None, encoder_options={"dim": 8}, device="cpu")


def encoder_weight(predictor: Predictor) -> torch.Tensor:
    encoder = predictor.models_[0].encoder
    assert encoder is not None
    first: torch.Tensor = next(iter(encoder.state_dict().values()))
    return first


def test_a_predictor_begins_with_the_pretrained_encoder() -> None:
    cells = CELLS[:30]
    without = small(pretrain=0).fit(cells, LABELS)
    with_it = small(pretrain=20).fit(cells, LABELS)
    assert not torch.equal(encoder_weight(without), encoder_weight(with_it))
    again = small(pretrain=20).fit(cells, LABELS)
    assert np.array_equal(with_it.predict(cells), again.predict(cells))


def test_bare_graphs_and_choices_are_trained_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise AssertionError

    monkeypatch.setattr(pretraining, "_train", fail)
    small(pretrain=20).fit([cell.graph for cell in CELLS[:30]], LABELS)
    Predictor("mlp", ensemble=1, epochs=1, regressors=None, pretrain=20, device="cpu").fit(CELLS[:30], LABELS)


def test_pretraining_steps_are_told_as_no_epoch_done() -> None:
    seen: list[tuple[int, int]] = []
    small(pretrain=21).fit(CELLS[:30], LABELS, observe=lambda done, total, loss: seen.append((done, total)))
    assert seen == [(0, 2), (0, 2), (1, 2), (2, 2)]
