"""The policy: legal samples, honest probabilities, the same on every call."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from archpredict._typing import IntArray
from archpredict.spaces.darts import Darts
from archpredict.spaces.nasbench101 import NASBench101
from archpredict.spaces.nasbench201 import NASBench201
from archpredict.strategies.rounds.policy import Policy, invert
from archpredict.testing.toys import ToySpace


def make(space, init_range: float = 0.1) -> Policy:
    torch.manual_seed(0)
    return Policy(space, init_range=init_range)


def test_every_sample_of_a_masked_space_is_legal() -> None:
    space = NASBench101()
    rows, _, _ = make(space, init_range=2.0).sample(200, np.random.default_rng(0))
    assert space.is_valid(rows).all()


def test_probabilities_of_all_architectures_add_up_to_one() -> None:
    space = ToySpace()
    policy = make(space, init_range=1.0)
    found: dict[tuple[int, ...], float] = {}
    rng = np.random.default_rng(0)
    everything = {tuple(row) for row in space.enumerate().tolist()}
    for _ in range(400):
        rows, log_prob, _ = policy.sample(500, rng)
        found.update(zip(map(tuple, rows.tolist()), log_prob.exp().tolist(), strict=True))
        if sum(found.values()) > 0.99:
            break
    assert set(found) <= everything
    assert sum(found.values()) <= 1 + 1e-4
    assert sum(found.values()) == pytest.approx(1, abs=0.02)


def test_sample_frequencies_match_the_stated_probabilities() -> None:
    space = NASBench201()
    policy = make(space, init_range=1.0)
    rows, _, _ = policy.sample(20_000, np.random.default_rng(1))
    values, counts = np.unique(rows[:, 0], return_counts=True)
    with torch.no_grad():
        hidden, _ = policy.cell(policy.embedding.weight[-1:], None)
        p = policy.out(hidden)[0, :5].softmax(0).numpy()
    # three standard errors of a frequency over 20,000 draws are at most 0.011
    np.testing.assert_allclose(counts / len(rows), p[values], atol=0.011)


def test_the_entropy_of_a_fresh_policy_is_close_to_uniform() -> None:
    _, _, entropy = make(NASBench201()).sample(64, np.random.default_rng(0))
    assert entropy.mean().item() == pytest.approx(6 * np.log(5), rel=0.02)


def test_equal_generators_draw_equal_samples() -> None:
    policy = make(NASBench201())
    one, two = (policy.sample(10, np.random.default_rng(3))[0] for _ in range(2))
    assert (one == two).all()


def test_rounding_never_draws_an_illegal_option() -> None:
    p = np.array([[0.5, 0.5, 0.0]])
    legal = np.array([[True, True, False]])
    drawn: list[IntArray] = [invert(p, legal, np.array([u])) for u in (0.0, 0.499, 0.5, 0.999999, 1.0)]
    assert [int(d[0]) for d in drawn] == [0, 0, 1, 1, 1]


def test_reinforcing_one_option_makes_it_likelier() -> None:
    policy = make(NASBench201())
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.02)
    rng = np.random.default_rng(0)
    for _ in range(30):
        rows, log_prob, _ = policy.sample(64, rng)
        reward = torch.from_numpy((rows == 3).sum(1).astype(np.float32))
        loss = -(log_prob * (reward - reward.mean())).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    rows, _, _ = policy.sample(200, rng)
    assert (rows == 3).mean() > 0.8


@pytest.mark.parametrize("space", [NASBench101(), NASBench201(), Darts()], ids=lambda space: space.name)
def test_probabilities_entropies_and_gradients_are_those_of_automatic_differentiation(space) -> None:
    policy = make(space, init_range=0.6)
    weights = torch.linspace(-1, 1, 16, dtype=torch.float64)
    rows, *found = policy.double().sample(16, np.random.default_rng(0))
    expected = step_by_step(policy, rows)
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one, two)
        gradients = (
            torch.autograd.grad((x * weights).sum(), list(policy.parameters()), retain_graph=True) for x in (one, two)
        )
        torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("space", [NASBench101(), Darts()], ids=lambda space: space.name)
def test_the_probabilities_of_given_architectures_are_those_that_they_were_drawn_with(space) -> None:
    policy = make(space, init_range=0.6).double()
    rows, *drawn = policy.sample(16, np.random.default_rng(0))
    given = policy.log_probs(rows)
    for one, two in zip(given, drawn, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0)
        gradients = (torch.autograd.grad(x.sum(), list(policy.parameters()), retain_graph=True) for x in (one, two))
        torch.testing.assert_close(*gradients, rtol=0, atol=0)


def step_by_step(policy: Policy, rows: IntArray) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities and entropies by the policy's layers."""
    space, state = policy._space, None
    token = torch.full((len(rows),), sum(space.num_choices))
    log_prob, entropy = torch.zeros(2, len(rows), dtype=torch.float64)
    for i, options in enumerate(space.num_choices):
        if options > 1:
            first = sum(space.num_choices[:i])
            state = policy.cell(policy.embedding(token), state)
            logits = policy.out(state[0])[:, first : first + options]
            illegal = torch.from_numpy(~space.mask(rows[:, :i]))
            log_p = logits.masked_fill(illegal, -1e9).log_softmax(1)
            taken = torch.from_numpy(rows[:, i])
            log_prob = log_prob + log_p.gather(1, taken[:, None])[:, 0]
            entropy = entropy - (log_p.exp() * log_p).sum(1)
            token = taken + first
    return log_prob, entropy
