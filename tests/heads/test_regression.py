"""Regression: the squared error, and what every head with a score has in common."""

from __future__ import annotations

import math

import pytest
import torch

from archpredict.errors import UsageError
from archpredict.heads.base import ScoreHead
from archpredict.heads.listwise import Listwise
from archpredict.heads.pairwise import Pairwise
from archpredict.heads.regression import Regression

HEADS = [Regression, Pairwise, Listwise]


def identity(head: ScoreHead) -> ScoreHead:
    """The head with ``s(z) = z`` for encodings of one number, made with ``hidden=0``."""
    with torch.no_grad():
        head.mlp[0].weight.fill_(1.0)
        head.mlp[0].bias.zero_()
    return head


def test_mean_squared_error_by_hand() -> None:
    head = identity(Regression(1, hidden=0))
    z, y = torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([1.5, 2.0, 3.0])
    assert head.loss(z, y).item() == pytest.approx((0.25 + 0 + 1) / 3)


def test_comparisons_are_the_sigmoid_of_the_difference_in_standard_deviations() -> None:
    head = identity(Regression(1, hidden=0, sharpness=2.0))
    p = head.compare(torch.tensor([[1.0]]), torch.tensor([[0.5], [2.0]]))
    assert p[0].tolist() == pytest.approx([1 / (1 + math.exp(-1)), 1 / (1 + math.exp(2))])


@pytest.mark.parametrize("head_class", HEADS)
def test_comparisons_derived_from_scores_are_antisymmetric_and_agree_with_them(head_class: type) -> None:
    head = head_class(3).eval()
    za, zb = torch.randn(4, 3), torch.randn(5, 3)
    torch.testing.assert_close(head.compare(za, zb) + head.compare(zb, za).T, torch.ones(4, 5))
    better = head.score(za)[:, None] > head.score(zb)[None, :]
    assert torch.equal(head.compare(za, zb) > 0.5, better)


@pytest.mark.parametrize("head_class", HEADS)
def test_the_score_is_an_mlp_with_one_hidden_layer(head_class: type) -> None:
    head = head_class(3, hidden=7).eval()
    z = torch.randn(4, 3)
    first, last = head.mlp[0], head.mlp[-1]
    torch.testing.assert_close(head.score(z), last(torch.relu(first(z)))[:, 0])


@pytest.mark.parametrize("head_class", HEADS)
def test_the_loss_of_pairs_falls_as_the_better_one_scores_more(head_class: type) -> None:
    head = identity(head_class(1, hidden=0))
    better, worse, sure = torch.tensor([[0.05]]), torch.tensor([[0.0]]), torch.tensor([1.0])
    assert head.pair_loss(better, worse, sure) < head.pair_loss(worse, better, sure)


@pytest.mark.parametrize("head_class", HEADS)
def test_one_architecture_alone_has_a_finite_loss(head_class: type) -> None:
    head = head_class(3)
    loss = head.loss(torch.randn(1, 3), torch.zeros(1))
    loss.backward()
    assert torch.isfinite(loss)


@pytest.mark.parametrize("head_class", HEADS)
def test_wrong_options_say_what_is_expected(head_class: type) -> None:
    with pytest.raises(UsageError, match="0 for no hidden layer; -1 was given"):
        head_class(3, hidden=-1)
    with pytest.raises(UsageError, match=r"at least 0 and below 1; 1.0 was given"):
        head_class(3, dropout=1.0)
