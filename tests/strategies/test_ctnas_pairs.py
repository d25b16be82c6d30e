"""Algorithms 2 and 3 of CTNAS against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from archpredict.strategies.rounds.ctnas_pairs import confident_pairs, mean_win_rate


def probabilities(n: int) -> np.ndarray:
    return np.random.default_rng(n).random((n, n))


@pytest.mark.parametrize("n", [2, 3, 10])
def test_win_rates_equal_the_sum_over_the_others(n: int) -> None:
    p = probabilities(n)
    expected = [sum(p[i, j] for j in range(n) if j != i) / (n - 1) for i in range(n)]
    np.testing.assert_allclose(mean_win_rate(p), expected)


def test_a_single_architecture_wins_half_of_its_games() -> None:
    assert mean_win_rate(np.array([[0.9]])).tolist() == [0.5]


def test_the_most_confident_pairs_are_kept_whatever_their_label() -> None:
    p = probabilities(8)
    first, second, label = confident_pairs(p, k=5)
    pairs = sorted(((abs(p[i, j] - 0.5), i, j) for i in range(8) for j in range(i + 1, 8)), reverse=True)[:5]
    assert [(i, j) for _, i, j in pairs] == list(zip(first.tolist(), second.tolist(), strict=True))
    assert label.tolist() == [float(p[i, j] >= 0.5) for _, i, j in pairs]


def test_the_published_code_keeps_the_top_probabilities_and_so_mostly_positive_labels() -> None:
    p = probabilities(20)
    _, _, ours = confident_pairs(p, k=20)
    first, second, published = confident_pairs(p, k=20, by="probability")
    assert p[first, second].tolist() == sorted(p[np.triu_indices(20, 1)], reverse=True)[:20]
    assert published.mean() == 1
    assert 0.2 < ours.mean() < 0.8


def test_asking_for_more_pairs_than_there_are_gives_all() -> None:
    assert len(confident_pairs(probabilities(4), k=100)[2]) == 6


def test_with_one_partner_each_only_these_pairs_are_looked_at() -> None:
    p = probabilities(6)
    partner = np.array([3, 0, 5, 1, 4, 2])
    first, second, label = confident_pairs(p, 3, "probability", partner)
    best = np.argsort(-p[np.arange(6), partner], kind="stable")[:3]
    assert first.tolist() == best.tolist()
    assert second.tolist() == partner[best].tolist()
    assert label.tolist() == [float(p[i, j] >= 0.5) for i, j in zip(first, second, strict=True)]
