"""LSTM: the choices read one after another."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from archpredict.encoders.base import Dropout, Encoder
from archpredict.errors import UsageError
from archpredict.graph.batch import GraphBatch

__all__ = ["LSTM"]


class LSTM(Encoder):
    """A recurrent network that reads the choices: ``h_t, c_t = LSTM(E[choice_t], h_{t-1}, c_{t-1})``.

    Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 1997; on architectures as in Luo et al.,
    "Neural architecture optimization", NeurIPS 2018, arXiv 1808.07233, and in the baseline of Ning et al., ECCV 2020,
    arXiv 2004.01899, whose published code has the widths and the read-out of the defaults here. It sees no
    graph: architectures that are isomorphic but chosen differently get different vectors.

    Departures: each option of each choice has an embedding of its own, where the published code shares those of
    operators and those of connections over positions.

    Args:
        num_ops: Number of options over all choices.
        num_cells: Taken for the interface's sake; choices have no cells.
        dim: Width of the hidden state.
        embedding: Width of the embeddings.
        layers: LSTMs one above another, at least 1.
        readout: The ``last`` hidden state, or the ``mean`` of all.
        dropout: Share of the output's units dropped while training.

    Raises:
        UsageError: An option that is not one of those above, or out of its range.

    Shapes:
        - input: GraphBatch of ``B`` vectors of choices, one node per choice
        - output: ``(B, dim)``

    Example:
        >>> from archpredict.graph.batch import collate
        >>> from archpredict.graph.arch_graph import ArchGraph
        >>> choices = ArchGraph(("0=1", "1=0"), ())
        >>> LSTM(num_ops=4, dim=8)(collate([choices], ("0=0", "0=1", "1=0", "1=1"))).shape
        torch.Size([1, 8])
    """

    name = "lstm"
    form = "choices"
    invariant = False

    def __init__(
        self,
        num_ops: int,
        num_cells: int = 1,
        *,
        dim: int = 100,
        embedding: int = 100,
        layers: int = 1,
        readout: Literal["last", "mean"] = "last",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if layers < 1:
            raise UsageError(f"an LSTM needs at least 1 layer, {layers} were asked for")
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout is a share of units, at least 0 and below 1; {dropout} was given")
        if readout not in ("last", "mean"):
            raise UsageError(f"unknown readout {readout!r}; choose from: last, mean")
        self.readout = readout
        self.embedding = nn.Embedding(num_ops, embedding)
        self.lstm = nn.LSTM(embedding, dim, num_layers=layers, batch_first=True)
        self.dropout = Dropout(dropout)
        self.out_features = dim

    def forward(self, batch: GraphBatch) -> Tensor:
        option = batch.op.view(batch.num_graphs, -1) - 1  # (B, L)
        states, _ = self.lstm(self.embedding(option))  # (B, L, D)
        z: Tensor = self.dropout(states.mean(1) if self.readout == "mean" else states[:, -1])
        return z
