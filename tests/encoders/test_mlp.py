"""MLP: a linear layer on the one-hot choices, on every back end."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from archpredict.encoders.mlp import MLP
from archpredict.errors import UsageError
from archpredict.graph.batch import GraphBatch, batched
from archpredict.graph.packed import PackedGraphs
from archpredict.spaces.base import load_space

SPACE = load_space("nasbench101")
ROWS = SPACE.sample(50, np.random.default_rng(0))
NUM_OPTIONS = sum(SPACE.num_choices)


def chosen(backend: str) -> GraphBatch:
    """Vectors of choices in the form ``choices``."""
    offset = np.concatenate([[0], np.cumsum(SPACE.num_choices)[:-1]])
    labels = [str(i) for i in range(NUM_OPTIONS)]
    nothing = np.zeros((len(ROWS), ROWS.shape[1], ROWS.shape[1]))
    return batched(PackedGraphs.from_arrays(ROWS + offset + 1, nothing, labels), backend=backend)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", ["dense", "scatter"])
def test_the_first_layer_is_a_linear_layer_on_the_one_hot_choices(backend: str) -> None:
    encoder = MLP(NUM_OPTIONS, hidden=(16,)).eval()
    one_hot = torch.from_numpy(SPACE.one_hot(ROWS))
    torch.testing.assert_close(encoder(chosen(backend)), torch.relu(encoder.first(one_hot)))


def test_further_layers_follow_with_relu() -> None:
    encoder = MLP(NUM_OPTIONS, hidden=(16, 8)).eval()
    one_hot = torch.from_numpy(SPACE.one_hot(ROWS))
    expected = torch.relu(encoder.layers[0](torch.relu(encoder.first(one_hot))))
    torch.testing.assert_close(encoder(chosen("dense")), expected)
    assert encoder.out_features == 8


def test_gradients_are_those_of_the_linear_layer() -> None:
    encoder = MLP(NUM_OPTIONS, hidden=(16,)).eval()
    encoder(chosen("dense")).sum().backward()
    one_hot = torch.from_numpy(SPACE.one_hot(ROWS))
    weight = encoder.first.weight.detach().clone().requires_grad_()
    F.linear(one_hot, weight, encoder.first.bias.detach()).relu().sum().backward()
    torch.testing.assert_close(encoder.first.weight.grad, weight.grad)


def test_wrong_options_say_what_is_expected() -> None:
    with pytest.raises(UsageError, match=r"widths of one or more layers, each at least 1; \[\] was given"):
        MLP(4, hidden=())
    with pytest.raises(UsageError, match=r"at least 0 and below 1; 1.0 was given"):
        MLP(4, dropout=1.0)
