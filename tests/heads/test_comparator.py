"""The comparator: hand-computed probabilities, antisymmetry, every form by every route."""

from __future__ import annotations

import math

import pytest
import torch

from archpredict.errors import UsageError
from archpredict.heads.comparator import Comparator

FORMS = ["linear", "tied", "hidden"]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_linear_form_is_the_sigmoid_of_a_linear_layer_on_the_concatenation() -> None:
    head = Comparator(2, form="linear")
    with torch.no_grad():
        head.fc.weight.copy_(torch.tensor([[1.0, 2.0, -1.0, 0.5]]))
        head.fc.bias.copy_(torch.tensor([0.25]))
    a, b = torch.tensor([[1.0, -1.0]]), torch.tensor([[2.0, 4.0]])
    expected = sigmoid(1 * 1 + 2 * -1 + -1 * 2 + 0.5 * 4 + 0.25)
    assert head.compare(a, b).item() == pytest.approx(expected, abs=1e-6)


def test_tied_form_is_antisymmetric_and_half_against_itself() -> None:
    head = Comparator(3, form="tied")
    z = torch.randn(5, 3)
    p = head.compare(z, z)
    torch.testing.assert_close(p + p.T, torch.ones(5, 5))
    torch.testing.assert_close(p.diagonal(), torch.full((5,), 0.5))


@pytest.mark.parametrize("form", FORMS)
def test_comparing_all_pairs_equals_comparing_one_by_one(form: str) -> None:
    head = Comparator(3, form=form)  # type: ignore[arg-type]
    za, zb = torch.randn(4, 3), torch.randn(2, 3)
    matrix = head.logits(za, zb)
    for i in range(4):
        for j in range(2):
            concatenated = torch.cat([za[i], zb[j]])
            if form == "tied":
                expected = head.fc(za[i] - zb[j])
            elif form == "linear":
                expected = head.fc(concatenated)
            else:
                expected = head.fc(torch.relu(head.first(concatenated)))
            assert matrix[i, j].item() == pytest.approx(expected.item(), abs=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_loss_over_all_pairs_equals_the_loss_of_each_pair(form: str) -> None:
    head = Comparator(3, form=form)  # type: ignore[arg-type]
    z, y = torch.randn(4, 3), torch.tensor([0.1, 0.4, 0.4, -2.0])
    first, second = zip(*[(i, j) for i in range(4) for j in range(4) if i != j], strict=True)
    target = torch.tensor(
        [1.0 if y[i] > y[j] else 0.5 if y[i] == y[j] else 0.0 for i, j in zip(first, second, strict=True)]
    )
    expected = head.pair_loss(z[list(first)], z[list(second)], target)
    torch.testing.assert_close(head.loss(z, y), expected)


def test_binary_cross_entropy_by_hand() -> None:
    head = Comparator(1, form="tied")
    with torch.no_grad():
        head.fc.weight.fill_(1.0)
    z, y = torch.tensor([[2.0], [0.5]]), torch.tensor([1.0, 0.0])
    assert head.loss(z, y).item() == pytest.approx(-math.log(sigmoid(1.5)), abs=1e-6)


def test_soft_targets_follow_the_difference_of_labels() -> None:
    head = Comparator(1, form="tied", target="soft", sharpness=3.0)
    with torch.no_grad():
        head.fc.weight.fill_(1.0)
    z, y = torch.tensor([[2.0], [0.5]]), torch.tensor([0.6, 0.1])
    q, p = sigmoid(3 * 0.5), sigmoid(1.5)
    expected = -(q * math.log(p) + (1 - q) * math.log(1 - p))
    assert head.loss(z, y).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("form", ["linear", "tied"])
def test_scores_order_architectures_as_symmetric_comparisons_do(form: str) -> None:
    head = Comparator(3, form=form)  # type: ignore[arg-type]
    z = torch.randn(20, 3)
    symmetric = head.logits(z, z) - head.logits(z, z).T
    assert head.score(z).argsort().tolist() == symmetric.mean(1).argsort().tolist()


def test_hidden_form_compares_in_both_orders() -> None:
    head = Comparator(3, form="hidden")
    za, zb = torch.randn(4, 3), torch.randn(2, 3)
    forward, backward = head.logits(za, zb).sigmoid(), head.logits(zb, za).sigmoid()
    torch.testing.assert_close(head.compare(za, zb), (forward + 1 - backward.T) / 2)
    torch.testing.assert_close(head.compare(za, zb) + head.compare(zb, za).T, torch.ones(4, 2))


def test_hidden_form_scores_are_mean_win_rates_against_the_architectures_it_was_fitted_on() -> None:
    head = Comparator(3, form="hidden")
    z, known = torch.randn(5, 3), torch.randn(256, 3)
    head.after_fit(known)
    torch.testing.assert_close(head.score(z), head.compare(z, known).mean(1))


def test_unknown_options_list_the_choices() -> None:
    with pytest.raises(UsageError, match="unknown form 'cubic' of the comparator; choose from: linear, tied, hidden"):
        Comparator(3, form="cubic")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="unknown pairs 'some'; choose from: all, permutation"):
        Comparator(3, pairs="some")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="unknown target 'warm'; choose from: hard, soft"):
        Comparator(3, target="warm")  # type: ignore[arg-type]


def test_the_hidden_form_scores_many_in_pieces_without_changing_them() -> None:
    head = Comparator(2, form="hidden", hidden=3)
    head.after_fit(torch.randn(256, 2))
    z = torch.randn(2500, 2)
    torch.testing.assert_close(head.score(z)[[0, 1024, 2499]], head.score(z[[0, 1024, 2499]]))
    assert head.score(z[:0]).shape == (0,)
