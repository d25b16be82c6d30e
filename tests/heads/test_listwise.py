"""Listwise: ListMLE by hand."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from archpredict.heads.listwise import Listwise


def head() -> Listwise:
    made = Listwise(1, hidden=0)
    with torch.no_grad():
        made.mlp[0].weight.fill_(1.0)
        made.mlp[0].bias.zero_()
    return made


def test_loss_of_three_items_by_hand() -> None:
    z, y = torch.tensor([[0.5], [2.0], [1.0]]), torch.tensor([10.0, 30.0, 20.0])
    all_three, last_two = math.exp(2) + math.exp(1) + math.exp(0.5), math.exp(1) + math.exp(0.5)
    # The best first, then the second of the two that are left; the last place is certain.
    expected = -(math.log(math.exp(2) / all_three) + math.log(math.exp(1) / last_two)) / 3
    assert head().loss(z, y).item() == pytest.approx(expected, abs=1e-6)


def test_the_chances_of_all_orders_add_up_to_one() -> None:
    z = torch.randn(4, 1)
    losses = [head().loss(z, torch.tensor(order, dtype=torch.float)) for order in itertools.permutations(range(4))]
    assert sum(math.exp(-4 * loss.item()) for loss in losses) == pytest.approx(1, abs=1e-5)


def test_for_two_items_it_is_the_cross_entropy_of_their_comparison() -> None:
    z, y = torch.tensor([[0.3], [-0.4]]), torch.tensor([1.0, 0.0])
    p = head().compare(z[:1], z[1:]).item()
    assert 2 * head().loss(z, y).item() == pytest.approx(-math.log(p), abs=1e-6)


def test_equal_labels_keep_the_order_of_the_mini_batch() -> None:
    z = torch.randn(5, 1)
    tied, ordered = torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0]), torch.tensor([5.0, 2.0, 4.0, 1.0, 3.0])
    torch.testing.assert_close(head().loss(z, tied), head().loss(z, ordered))


def test_large_scores_do_not_overflow() -> None:
    z = torch.tensor([[1000.0], [-1000.0]], requires_grad=True)
    loss = head().loss(z, torch.tensor([0.0, 1.0]))
    loss.backward()
    assert loss.item() == pytest.approx(1000)
    assert torch.isfinite(z.grad).all()
