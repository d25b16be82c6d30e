"""MLP: a multilayer perceptron on the one-hot choices."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from archpredict.encoders.base import Dropout, Encoder
from archpredict.errors import UsageError
from archpredict.graph.batch import GraphBatch

__all__ = ["MLP"]


class MLP(Encoder):
    """A multilayer perceptron on the one-hot choices: linear layers, each with a ReLU.

    ``z = relu(W_k ... relu(W_1 onehot(choices) + b_1) ... + b_k)``

    The baseline of White, Neiswanger and Savani, "BANANAS", AAAI 2021, arXiv 1910.11858, and of Ning et al., ECCV 2020,
    arXiv 2004.01899, where it reads the adjacency matrix and the operators as numbers. It sees no graph:
    architectures that are isomorphic but chosen differently get different vectors.

    Departures: one-hot choices instead of numbers, so that no order among operators is suggested; the widths are our
    own.

    Args:
        num_ops: Number of options over all choices.
        num_cells: Taken for the interface's sake; choices have no cells.
        hidden: Widths of the layers, at least one.
        dropout: Share of units dropped after each layer while training.

    Raises:
        UsageError: No layer, a width below 1, or a share out of its range.

    Shapes:
        - input: GraphBatch of ``B`` vectors of choices, one node per choice
        - output: ``(B, hidden[-1])``

    Example:
        >>> from archpredict.graph.batch import collate
        >>> from archpredict.graph.arch_graph import ArchGraph
        >>> choices = ArchGraph(("0=1", "1=0"), ())
        >>> MLP(num_ops=4, hidden=(8,))(collate([choices], ("0=0", "0=1", "1=0", "1=1"))).shape
        torch.Size([1, 8])
    """

    name = "mlp"
    form = "choices"
    invariant = False

    def __init__(
        self, num_ops: int, num_cells: int = 1, *, hidden: Sequence[int] = (256, 256), dropout: float = 0.1
    ) -> None:
        super().__init__()
        if not hidden or min(hidden) < 1:
            raise UsageError(f"hidden is the widths of one or more layers, each at least 1; {list(hidden)} was given")
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout is a share of units, at least 0 and below 1; {dropout} was given")
        self.first = nn.Linear(num_ops, hidden[0])
        self.layers = nn.ModuleList([nn.Linear(before, after) for before, after in pairwise(hidden)])
        self.dropout = Dropout(dropout)
        self.out_features = hidden[-1]

    def forward(self, batch: GraphBatch) -> Tensor:
        option = batch.op.view(batch.num_graphs, -1) - 1  # (B, L)
        # The linear layer on the one-hot choices: the sum of its columns that belong to them.
        h = F.embedding_bag(option, self.first.weight.T, mode="sum") + self.first.bias
        h = F.relu(h)
        for layer in self.layers:
            h = F.relu(layer(self.dropout(h)))
        z: Tensor = self.dropout(h)
        return z
