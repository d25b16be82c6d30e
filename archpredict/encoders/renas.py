"""ReNAS: the adjacency matrix as an image, read by a convolutional network."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from archpredict.encoders.base import Dropout, Encoder
from archpredict.errors import UsageError
from archpredict.graph.batch import GraphBatch
from archpredict.runtime import owned

__all__ = ["ReNAS"]


class ReNAS(Encoder):
    """Feature tensor of a cell and a small convolutional network, in the manner of LeNet-5.

    Xu, Wang, Han et al., "ReNAS: Relativistic Evaluation of Neural Architecture Search", CVPR 2021, arXiv 1910.01523,
    figure 1. The adjacency matrix ``A[u, v]``, padded to 7 x 7 such that the output stays last, is multiplied by the
    operators of the nodes that receive:

        ``X[k, u, v] = A[u, v] 1[op_v = k]``

    A tensor depends on the numbering of the nodes, so isomorphic architectures get different vectors. Its ranking loss
    is the head ``pairwise`` with ``loss="hinge"``. Vectors of several cells are concatenated.

    Departures: the published tensor has one matrix of operator *numbers* where here each operator has a channel of its
    own, so that no order among them is suggested; and 18 matrices with the FLOPs and the parameters of each node in
    each of nine cells, which the graph alone does not tell. Cells with more nodes than the matrix has rows are laid
    onto it in equal stretches of the numbering, and a pixel counts the edges between two stretches. The second
    loss of the paper, which keeps the features' distances, is left out.

    Args:
        num_ops: Size of the vocabulary.
        num_cells: Cells per architecture.
        dim: Width of the fully connected layer.
        channels: Width of the two convolutions.
        size: Rows and columns of the matrix; 7 holds the cells of NAS-Bench-101 as published.
        dropout: Share of units dropped at the end while training.

    Raises:
        UsageError: A size below 2 or a share out of its range.

    Shapes:
        - input: GraphBatch of ``B`` graphs in operation-on-node form
        - output: ``(B, num_cells * dim)``

    Example:
        >>> from archpredict.graph.batch import collate
        >>> from archpredict.graph.arch_graph import ArchGraph
        >>> graph = ArchGraph(("input", "conv", "output"), ((0, 1), (1, 2)))
        >>> ReNAS(num_ops=3, dim=8)(collate([graph], ("input", "conv", "output"))).shape
        torch.Size([1, 8])
    """

    name = "renas"
    invariant = False

    def __init__(
        self,
        num_ops: int,
        num_cells: int = 1,
        *,
        dim: int = 128,
        channels: tuple[int, int] = (32, 64),
        size: int = 7,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if size < 2:
            raise UsageError(f"size is a number of rows of at least 2, {size} was given")
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout is a share of units, at least 0 and below 1; {dropout} was given")
        self.num_ops, self.size = num_ops, size
        first, second = channels
        self.network = nn.Sequential(
            nn.Conv2d(num_ops, first, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(first, second, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(second * (size // 2) ** 2, dim),
            nn.ReLU(),
            Dropout(dropout),
        )
        self.out_features = num_cells * dim

    def forward(self, batch: GraphBatch) -> Tensor:
        images = owned(self.tensor(batch), batch.device)  # (B, C, K, S, S)
        return self.network(images.flatten(0, 1)).view(batch.num_graphs, -1)  # type: ignore[no-any-return]

    def tensor(self, batch: GraphBatch) -> npt.NDArray[np.float32]:
        """``(B, C, K, S, S)`` feature tensors: operator of the node that receives, row of the sender, its column."""
        packed, size = batch.packed, self.size
        nodes, edges = np.diff(packed.node_start), np.diff(packed.edge_start)
        group = np.repeat(np.arange(len(nodes)), nodes) * packed.num_cells + packed.cell
        row = _rows(group, size)
        offset = np.repeat(packed.node_start[:-1], edges)
        source, target = packed.source + offset, packed.target + offset
        image = group[target] * self.num_ops + (packed.op[target].astype(np.int64) - 1)
        shape = (len(nodes), packed.num_cells, self.num_ops, size, size)
        pixel = (image * size + row[source]) * size + row[target]
        return np.bincount(pixel, minlength=int(np.prod(shape))).astype(np.float32).reshape(shape)


def _rows(group: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    """Row of each node: its place in its cell (``group``), the last at the end; stretches where there are too many."""
    order = np.argsort(group, kind="stable")
    count = np.bincount(group)
    start = np.cumsum(count) - count
    place = np.empty_like(group)
    place[order] = np.arange(len(group)) - start[group[order]]
    nodes = count[group]
    row = np.where(nodes > size, place * size // nodes, place)
    return np.where(place == nodes - 1, size - 1, row)
