"""Pairwise: both losses by hand, which pairs, and how much each weighs."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from archpredict.errors import UsageError
from archpredict.heads.pairwise import Pairwise


def head(**options: Any) -> Pairwise:
    """The head with ``s(z) = z``."""
    made = Pairwise(1, hidden=0, **{"target": "hard", **options})
    with torch.no_grad():
        made.mlp[0].weight.fill_(1.0)
        made.mlp[0].bias.zero_()
    return made


def softplus(x: float) -> float:
    return math.log(1 + math.exp(x))


Z, Y = torch.tensor([[0.5], [0.45], [0.7]]), torch.tensor([3.0, 2.0, 1.0])


def test_binary_cross_entropy_of_three_by_hand() -> None:
    expected = (softplus(-0.05) + softplus(0.2) + softplus(0.25)) / 3
    assert head().loss(Z, Y).item() == pytest.approx(expected, abs=1e-6)


def test_hinge_with_margin_of_three_by_hand() -> None:
    expected = (0.1 - 0.05 + 0.1 + 0.2 + 0.1 + 0.25) / 3
    assert head(loss="hinge").loss(Z, Y).item() == pytest.approx(expected, abs=1e-6)


def test_a_pair_that_keeps_the_margin_costs_nothing_and_counts_as_95_percent_sure() -> None:
    hinge = head(loss="hinge")
    z = torch.tensor([[0.1001], [0.0]])
    assert hinge.loss(z, torch.tensor([1.0, 0.0])).item() == 0
    assert hinge.compare(z[:1], z[1:]).item() == pytest.approx(0.95, abs=0.005)


def test_soft_targets_follow_the_difference_of_labels() -> None:
    soft = head(target="soft", sharpness=3.0)
    q = 1 / (1 + math.exp(-3 * 0.5))
    expected = q * softplus(-1.5) + (1 - q) * softplus(1.5)
    loss = soft.loss(torch.tensor([[2.0], [0.5]]), torch.tensor([0.6, 0.1]))
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_equal_labels_make_no_pair() -> None:
    tied = torch.tensor([3.0, 3.0, 1.0])
    expected = (softplus(0.2) + softplus(0.25)) / 2
    assert head().loss(Z, tied).item() == pytest.approx(expected, abs=1e-6)
    assert head().loss(Z, torch.ones(3)).item() == 0


def test_random_pairs_are_four_per_architecture_and_differ() -> None:
    torch.manual_seed(0)
    chosen = head(pairs="random")._chosen(50)
    assert chosen.shape == (2, 200)
    assert (chosen[0] < chosen[1]).all()
    assert len({tuple(pair) for pair in chosen.T.tolist()}) == 200
    assert head(pairs="random")._chosen(5).shape == (2, 10)  # no more than there are


def test_random_pairs_estimate_the_loss_of_all() -> None:
    torch.manual_seed(0)
    z, y = torch.randn(60, 1), torch.randn(60)
    drawn = torch.stack([head(pairs="random").loss(z, y) for _ in range(200)]).mean()
    torch.testing.assert_close(drawn, head().loss(z, y), atol=0.02, rtol=0)


def test_pairs_near_the_top_weigh_more_when_asked() -> None:
    # Shares of the mini-batch that each is not worse than: 1, 2/3, 1/3.
    top, middle = 1.0, (2 / 3) ** 2
    costs = softplus(-0.05), softplus(0.2), softplus(0.25)
    expected = (top * costs[0] + top * costs[1] + middle * costs[2]) / (2 * top + middle)
    assert head(top_weight=2.0).loss(Z, Y).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("loss", ["bce", "hinge"])
def test_the_loss_of_given_pairs_is_the_same_as_in_a_mini_batch(loss: str) -> None:
    pairwise = head(loss=loss)
    first, second = [0, 0, 1], [1, 2, 2]
    torch.testing.assert_close(pairwise.pair_loss(Z[first], Z[second], torch.ones(3)), pairwise.loss(Z, Y))


def test_unknown_options_list_the_choices() -> None:
    with pytest.raises(UsageError, match="unknown loss 'square'; choose from: bce, hinge"):
        Pairwise(3, loss="square")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="unknown pairs 'some'; choose from: all, random"):
        Pairwise(3, pairs="some")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="unknown target 'warm'; choose from: hard, soft"):
        Pairwise(3, target="warm")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="above 0, 0 was given"):
        Pairwise(3, margin=0)
    with pytest.raises(UsageError, match="an exponent of at least 0, -1 was given"):
        Pairwise(3, top_weight=-1)
