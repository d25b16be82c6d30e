"""Novelty: about one in a hundred of the same kind is far, other kinds are; with more numbers than rows too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpredict._typing import FloatArray
from archpredict.predict.ensemble.novelty import Cloud, Novelty


def kind(seed: int, hidden: int = 5, columns: int = 60) -> FloatArray:
    """A direction for each of a few hidden causes, of standard deviation 1 per column."""
    mix = np.random.default_rng(seed).normal(size=(hidden, columns))
    return np.asarray(mix / np.linalg.norm(mix, axis=0))


def sample(mix: FloatArray, n: int, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, len(mix))) @ mix + 0.1 * rng.normal(size=(n, mix.shape[1]))
    return np.clip(rows, -4, 4)


def fit(side: FloatArray) -> Novelty:
    """On standardised numbers alone: constants have no range."""
    return Novelty.fit(side, np.zeros_like(side))


def distance(novelty: Novelty, side: FloatArray) -> FloatArray:
    return novelty(side, np.zeros_like(side))


@pytest.mark.parametrize("n", [100, 400, 3000])
def test_about_one_in_a_hundred_of_the_same_kind_is_far_and_all_of_another_kind_are(n: int) -> None:
    novelty = fit(sample(kind(0), n, 1))
    assert (distance(novelty, sample(kind(0), 4000, 2)) > 1).mean() < 0.04
    assert (distance(novelty, sample(kind(7), 200, 3)) > 1).all()
    if n > 100:
        assert 0.003 < (distance(novelty, sample(kind(0), 4000, 2)) > 1).mean() < 0.025


def test_what_lies_far_out_in_a_known_direction_is_far_too_though_it_is_clipped() -> None:
    mix = kind(0)
    novelty = fit(sample(mix, 400, 1))
    assert distance(novelty, np.clip(20 * mix[:1], -4, 4))[0] > 2
    assert distance(novelty, np.zeros((1, 60)))[0] < 0.5


def test_distance_grows_along_any_line_away_from_the_training_set() -> None:
    novelty = fit(sample(kind(0), 200, 1))
    line = np.linspace(1, 20, 30)[:, None] * np.random.default_rng(0).normal(size=60)
    assert (np.diff(distance(novelty, line)) > 0).all()


def test_distances_along_the_axes_are_those_of_mahalanobis() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 4)) @ rng.normal(size=(4, 4))
    cloud = Cloud.of(x)
    axes = np.eye(4) if len(cloud.spread) == 4 else cloud.axes.T @ cloud.axes
    projected = (x - x.mean(axis=0)) @ axes
    inverse = np.linalg.pinv(axes @ np.cov(x.T, bias=True) @ axes)
    along, beside = cloud.parts(x)
    np.testing.assert_allclose(along**2, np.einsum("ni,ij,nj->n", projected, inverse, projected), rtol=1e-8)
    np.testing.assert_allclose(beside, np.linalg.norm(x - x.mean(axis=0) - projected, axis=1), atol=1e-8)


@given(st.integers(2, 12), st.integers(1, 30), st.integers(0, 100))
def test_few_rows_are_no_obstacle(n: int, columns: int, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(n, columns)).astype(np.float32)
    novelty = fit(x)
    assert np.isfinite(distance(novelty, x)).all()
    assert distance(novelty, x[:0]).shape == (0,)
    assert distance(novelty, x + 1000).min() > 1


def test_a_number_far_beyond_the_range_is_far_though_it_is_clipped() -> None:
    raw = np.stack([np.linspace(10, 20, 50), np.arange(50) % 3], axis=1)  # the second repeats: its range says nothing
    side = np.zeros((50, 2))
    novelty = Novelty.fit(side, raw)
    distances = novelty(side[:5], np.array([[15, 0], [20, 90], [22, 1], [25, 1], [0, 1.0]]))
    assert distances.tolist() == [0, 0, pytest.approx(0.8), pytest.approx(2), pytest.approx(4)]
    restored = Novelty.from_arrays(novelty.arrays(), 2)
    assert restored(side, raw + 7).tolist() == novelty(side, raw + 7).tolist()


def test_rows_all_alike_are_known_and_nothing_else_is() -> None:
    novelty = fit(np.ones((10, 3)))
    assert distance(novelty, np.array([[1.0, 1, 1], [1, 1, 1.5]])).tolist() == [0, pytest.approx(500)]


def test_what_is_restored_measures_the_same_and_what_does_not_fit_is_refused() -> None:
    x = sample(kind(0), 50, 1)
    novelty = fit(x)
    arrays = novelty.arrays()
    assert distance(Novelty.from_arrays(arrays, 60), x).tolist() == distance(novelty, x).tolist()
    assert sum(array.nbytes for array in arrays.values()) < 10_000
    with pytest.raises(ValueError, match="the distances from its training set are of shapes"):
        Novelty.from_arrays(arrays, 59)
    for name in arrays:
        with pytest.raises(ValueError, match="the distances from its training set are of shapes"):
            Novelty.from_arrays({k: v for k, v in arrays.items() if k != name}, 60)
        with pytest.raises(ValueError, match="the distances from its training set are of shapes"):
            Novelty.from_arrays({**arrays, name: arrays[name].astype(np.float32)}, 60)
    for name in ("spread", "limits"):
        with pytest.raises(ValueError, match="the distances from its training set are not positive"):
            Novelty.from_arrays({**arrays, name: -arrays[name]}, 60)


def test_where_the_fast_decomposition_fails_the_slow_one_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise np.linalg.LinAlgError("SVD did not converge")

    side, others = sample(kind(0), 100, 1), sample(kind(1), 20, 2)
    expected = Cloud.of(side).parts(others)
    monkeypatch.setattr(np.linalg, "svd", fails)
    np.testing.assert_allclose(Cloud.of(side).parts(others), expected, rtol=1e-6)
