"""What a few labels say about a predictor's scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from archpredict.metrics import kendall_tau
from archpredict.predict.rank.reweighting import Known, Reweighting, held_out


def told(n: int, seed: int = 0, columns: int = 8) -> Known:
    """Scores that follow the first of some random numbers."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(n, columns))
    members = rng.normal(0, 0.3, (n, 1))
    return Known(70 + 5 * numbers[:, 0], np.full(n, 1.5), np.hstack([members, -members]), numbers)


def test_three_labels_leave_the_order_as_it_was() -> None:
    known = told(200)
    labels = 0.01 * known.scores[:3] + np.array([0.02, -0.02, 0.0])
    mean, _ = Reweighting(known[np.arange(3)], labels)(known)
    assert kendall_tau(known.scores, mean) > 0.9


def test_labels_that_agree_with_the_scores_keep_their_order_and_give_them_the_new_scale() -> None:
    known = told(60)
    labels = 0.5 + known.scores / 1000
    mean, std = Reweighting(known[np.arange(30)], labels[:30])(known)
    assert kendall_tau(mean[30:], labels[30:]) > 0.95
    assert np.abs(mean - labels).max() < 2 * std.max()
    assert std.max() < labels.std()


def test_many_labels_teach_what_the_scores_do_not_tell() -> None:
    known = told(400)
    truth = known.scores + 6 * known.numbers[:, 1]
    before = kendall_tau(truth[200:], known.scores[200:])
    mean, _ = Reweighting(known[np.arange(200)], truth[:200])(known)
    assert kendall_tau(truth[200:], mean[200:]) > before + 0.1


def test_labels_that_go_against_the_scores_are_believed_in_the_end() -> None:
    known = told(100)
    mean, _ = Reweighting(known[np.arange(50)], -known.scores[:50])(known)
    assert kendall_tau(known.scores, mean) < -0.5


def test_labels_without_any_sense_do_little_harm() -> None:
    changes = []
    for seed in range(10):
        known = told(120, seed)
        truth = known.scores + np.random.default_rng(seed).normal(0, 5, 120)
        labels = truth[:10]
        mean, _ = Reweighting(known[np.arange(10)], labels)(known)
        changes.append(kendall_tau(truth[20:], mean[20:]) - kendall_tau(truth[20:], known.scores[20:]))
    assert np.mean(changes) > -0.02


@settings(max_examples=20, deadline=None)
@given(st.integers(3, 12), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3), st.integers(0, 1000))
def test_the_scale_and_the_level_of_labels_change_nothing_else(n: int, scale: float, level: float, seed: int) -> None:
    known = told(20, seed)
    labels = np.random.default_rng(seed + 1).normal(size=n)
    mean, std = Reweighting(known[np.arange(n)], labels)(known)
    again, spread = Reweighting(known[np.arange(n)], level + scale * labels)(known)
    assert again == pytest.approx(level + scale * mean, rel=1e-6, abs=1e-6 * (abs(level) + scale))
    assert spread == pytest.approx(scale * std, rel=1e-6)


@settings(max_examples=10, deadline=None)
@given(st.integers(3, 12), st.integers(0, 1000))
def test_the_order_of_labels_changes_nothing(n: int, seed: int) -> None:
    known = told(n, seed)
    labels = np.random.default_rng(seed).normal(size=n)
    order = np.random.default_rng(seed + 1).permutation(n)
    mean, std = Reweighting(known, labels)(known)
    again, spread = Reweighting(known[order], labels[order])(known)
    assert again == pytest.approx(mean, abs=1e-8)
    assert spread == pytest.approx(std, abs=1e-8)


def test_it_is_the_average_of_gaussian_processes_by_their_posterior_probability() -> None:
    """Written down again from the docstring's formula, with other means."""
    every, labels = told(14), np.random.default_rng(5).normal(size=9)
    known = every[np.arange(9)]
    width = np.sqrt(known.scores.var() + 1.5**2)
    f, g = ((k.scores - known.scores.mean()) / width for k in (known, every))
    z = (labels - labels.mean()) / labels.std()
    distance = np.abs(every.numbers[:, None] - known.numbers[None]).mean(axis=2)
    prior = [(0.0, 1.0, s, 0.7 / 3) for s in (0.1, 0.3, 1.0)]
    prior += [(a, length, s, 0.3 / 12) for a in (0.1, 0.5) for length in (0.5, 1.5) for s in (0.1, 0.3, 1.0)]
    likelihoods, means, squares = [], [], []
    for amplitude, length, noise, p in prior:
        across = (
            1 + 0.1 * np.outer(g, f) + 0.1 * every.members @ known.members.T + amplitude * np.exp(-distance / length)
        )
        inner = across[:9] + noise * np.eye(9)
        likelihoods.append(p * multivariate_normal(0.8 * f, inner).pdf(z))
        means.append(0.8 * g + across @ np.linalg.solve(inner, z - 0.8 * f))
        own = 1 + 0.1 * g**2 + 0.1 * (every.members**2).sum(axis=1) + amplitude + noise
        squares.append(means[-1] ** 2 + own - np.einsum("ij,ji->i", across, np.linalg.solve(inner, across.T)))
    weights = np.array(likelihoods) / sum(likelihoods)
    mean, std = Reweighting(known, labels)(every)
    expected = weights @ np.array(means)
    # Hypotheses below a thousandth are left out.
    assert mean == pytest.approx(labels.mean() + labels.std() * expected, abs=5e-3)
    assert std == pytest.approx(labels.std() * np.sqrt(weights @ np.array(squares) - expected**2), abs=5e-3)


def test_unusual_architectures_are_less_certain() -> None:
    known = told(40)
    far = Known(known.scores[:1], np.full(1, 3.0), known.members[:1], known.numbers[:1] + 4)
    reweighting = Reweighting(known, known.scores + 4 * known.numbers[:, 1])
    assert reweighting(far)[1][0] > reweighting(known)[1].max()


def test_scores_that_are_all_equal_are_no_error() -> None:
    known = Known(np.full(5, 70.0), np.zeros(5), np.zeros((5, 1)), np.zeros((5, 0)))
    mean, std = Reweighting(known, np.arange(5.0))(known)
    assert np.isfinite([*mean, *std]).all()


def test_a_held_out_label_is_predicted_without_it() -> None:
    known, labels = told(12), np.random.default_rng(1).normal(size=12)
    before = held_out(known, labels)
    changed = labels.copy()
    changed[4] += 10
    assert held_out(known, changed)[4] == pytest.approx(before[4])
    assert held_out(known, changed)[5] != pytest.approx(before[5])


def test_labels_that_are_noise_look_like_noise_when_held_out() -> None:
    taus = []
    for seed in range(30):
        known = told(15, seed)
        labels = np.random.default_rng(seed + 100).normal(size=15)
        taus.append(kendall_tau(labels, held_out(known, labels)))
    assert abs(np.mean(taus)) < 0.12  # three standard errors of the mean of 30


def test_above_two_hundred_labels_several_are_held_out_together() -> None:
    known = told(260)
    truth = known.scores + 6 * known.numbers[:, 1]
    assert kendall_tau(truth, held_out(known, truth)) > kendall_tau(truth, known.scores)
