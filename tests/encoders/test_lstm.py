"""LSTM: the cell's equations by hand, and the order of the choices."""

from __future__ import annotations

import pytest
import torch

from archpredict.encoders.lstm import LSTM
from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.batch import batched, collate
from archpredict.graph.packed import PackedGraphs

OPTIONS = ("0=0", "0=1", "1=0", "1=1", "2=0")
FIRST, SECOND = ArchGraph(("0=1", "1=0", "2=0"), ()), ArchGraph(("0=0", "1=1", "2=0"), ())


@pytest.mark.parametrize("readout", ["last", "mean"])
def test_states_follow_the_equations_of_the_cell(readout: str) -> None:
    encoder = LSTM(5, dim=4, embedding=3, readout=readout).eval()  # type: ignore[arg-type]
    w_x, w_h = encoder.lstm.weight_ih_l0, encoder.lstm.weight_hh_l0
    bias = encoder.lstm.bias_ih_l0 + encoder.lstm.bias_hh_l0
    h = c = torch.zeros(4)
    states = []
    for label in FIRST.ops:
        i, f, g, o = (w_x @ encoder.embedding.weight[OPTIONS.index(label)] + w_h @ h + bias).chunk(4)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        states.append(h)
    expected = states[-1] if readout == "last" else torch.stack(states).mean(0)
    torch.testing.assert_close(encoder(collate([SECOND, FIRST], OPTIONS))[1], expected)


def test_padded_and_ragged_layouts_give_the_same_vectors() -> None:
    encoder = LSTM(5, dim=4, layers=2).eval()
    packed = PackedGraphs.from_graphs([FIRST, SECOND], OPTIONS)
    dense, scatter = (encoder(batched(packed, backend=b)) for b in ("dense", "scatter"))  # type: ignore[arg-type]
    torch.testing.assert_close(scatter, dense)


def test_unknown_options_list_the_choices() -> None:
    with pytest.raises(UsageError, match="unknown readout 'first'; choose from: last, mean"):
        LSTM(4, readout="first")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="at least 1 layer, 0 were asked for"):
        LSTM(4, layers=0)
    with pytest.raises(UsageError, match=r"at least 0 and below 1; -0.1 was given"):
        LSTM(4, dropout=-0.1)
