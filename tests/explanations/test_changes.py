"""Changes and differences: what is told is what the predictor says of the architectures themselves."""

from __future__ import annotations

import numpy as np
import pytest

from archpredict.errors import UsageError
from archpredict.explanations.changes import changes, differences
from archpredict.predict.predictor import Predictor
from archpredict.spaces.base import Architecture, SearchSpace, load_space
from archpredict.testing.toys import ToyEvaluator, ToySpace


@pytest.fixture(scope="module")
def toy() -> Predictor:
    space = ToySpace()
    cells = space.architectures(space.sample(80, np.random.default_rng(0)))
    labels = [result.score or 0.0 for result in ToyEvaluator().evaluate(cells)]
    return Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0, "extra-trees": 1.0}).fit(cells, labels)


def drawn(space: SearchSpace, n: int) -> list[Architecture]:
    return space.architectures(space.sample(n, np.random.default_rng(1)))


@pytest.mark.parametrize("cell", drawn(ToySpace(), 5), ids=str)
def test_every_neighbour_is_told_once_with_the_difference_of_the_predictions(
    toy: Predictor, cell: Architecture
) -> None:
    found = changes(toy, cell)
    keys = {a.key for a in cell.space.architectures(cell.space.neighbours(cell.choices))} - {cell.key}
    assert {step.architecture.key for step in found.steps} == keys
    assert len(found.steps) == len(keys)
    scores, stds = toy.predict([step.architecture for step in found.steps], return_std=True)
    assert [step.gain for step in found.steps] == pytest.approx(scores - found.score)
    assert [step.std for step in found.steps] == pytest.approx(np.hypot(stds, found.std or 0.0))
    assert [step.gain for step in found.steps] == sorted((step.gain for step in found.steps), reverse=True)
    for step in found.steps:
        apart = [i for i, (a, b) in enumerate(zip(cell.choices, step.architecture.choices, strict=True)) if a != b]
        assert apart == [step.place]
        assert step.better == pytest.approx(toy.compare(step.architecture, cell))


def test_the_best_change_of_an_additive_score_is_the_true_one() -> None:
    """Where a score is a sum over choices and is learnt well, the best change is known."""
    space = load_space("nasbench201")
    cells = space.architectures(space.sample(300, np.random.default_rng(0)))
    worth = {"nor_conv_3x3": 5.0, "nor_conv_1x1": 3.0, "skip_connect": 2.0, "avg_pool_3x3": 1.0, "none": 0.0}
    labels = [sum(worth[name] for name in worth for _ in range(str(cell).count(name))) for cell in cells]
    predictor = Predictor(ensemble=0, sources=("choices",), regressors={"bayesian-ridge": 1.0}).fit(cells, labels)
    cell = space.from_text("|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|none~1|skip_connect~2|")
    best, second = changes(predictor, cell).steps[:2]
    assert best.what == "edge 1→3: none → nor_conv_3x3"
    assert [best.gain, second.gain] == pytest.approx([5.0, 3.0], abs=0.3)


@pytest.mark.parametrize("seed", range(4))
def test_differences_add_up_to_the_difference_of_the_predictions(toy: Predictor, seed: int) -> None:
    rows = ToySpace().sample(2, np.random.default_rng(seed))
    one, other = ToySpace().architectures(rows)
    found = differences(toy, one, other)
    assert {each.place for each in found} == set(np.flatnonzero(rows[0] != rows[1]).tolist())
    assert sum(each.gain for each in found) == pytest.approx(float(np.subtract(*toy.predict([one, other]))), abs=1e-9)
    there = {each.place: each.gain for each in differences(toy, other, one)}
    if len(found) == 1:
        assert there[found[0].place] == pytest.approx(-found[0].gain)
    assert differences(toy, one, one) == []


def test_many_differences_add_up_too() -> None:
    space = load_space("darts")
    cells = space.architectures(space.sample(40, np.random.default_rng(0)))
    predictor = Predictor(ensemble=0, sources=("choices",), regressors={"bayesian-ridge": 1.0})
    predictor.fit(cells, np.random.default_rng(0).normal(size=40))
    one, other = cells[0], cells[1]
    found = differences(predictor, one, other)
    assert len(found) > 14
    assert sum(each.gain for each in found) == pytest.approx(float(np.subtract(*predictor.predict([one, other]))))


def test_what_is_wrong_is_said(toy: Predictor) -> None:
    (cell,) = drawn(load_space("nasbench201"), 1)
    with pytest.raises(UsageError, match="of the space toy, the second of nasbench201"):
        differences(toy, drawn(ToySpace(), 1)[0], cell)
    cells = drawn(ToySpace(), 8)
    predictor = Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0})
    predictor.fit(cells, range(8), features={"power": list(range(8))})
    with pytest.raises(UsageError, match="also reads power"):
        changes(predictor, cells[0])
