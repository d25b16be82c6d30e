"""Model: an encoder, numbers beside the graph and a head, and the encodings that models give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from archpredict.encoders.base import Encoder, encoded
from archpredict.graph.batch import GraphBatch, batched
from archpredict.heads.base import Head
from archpredict.predict.inputs import Inputs, InputSpec
from archpredict.runtime import Dropout, few_threads, owned

_CHUNK = 4096
"""Architectures encoded at once: a piece costs about ten milliseconds however few nodes it comes down to."""
_NODES = 32_768
"""Nodes encoded at once, where architectures are large: these bound the memory."""


class Model(nn.Module):
    """An encoder, numbers beside the graph, and a head that reads both.

    ``z = [encoder(graph) ; relu(W dropout(side))]``; either part may be missing.

    Args:
        encoder: None reads the numbers alone.
        head: On ``z``.
        side: ``(F, width)`` of the layer that takes the numbers in, None without.
        dropout: Share of the numbers dropped while training.
    """

    def __init__(
        self, encoder: Encoder | None, head: Head, side: nn.Linear | None = None, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.encoder, self.head, self.side = encoder, head, side
        self.dropout = Dropout(dropout)
        self.out_features = (encoder.out_features if encoder else 0) + (side.out_features if side else 0)

    def forward(self, batch: GraphBatch | None, side: Tensor | None) -> Tensor:
        """``(B, D)`` encodings."""
        parts = []
        if self.encoder is not None and batch is not None:
            parts.append(encoded(self.encoder, batch))
        if self.side is not None and side is not None:
            parts.append(F.relu(self.side(self.dropout(side))))
        return torch.cat(parts, dim=1)


@torch.no_grad()
def encode(models: Sequence[Model], spec: InputSpec, inputs: Inputs, device: torch.device) -> list[Tensor]:
    """``(G, D)`` encodings by each model in evaluation mode, then the numbers beside the graph, ``(G, F)``.

    Each architecture is batched, and its numbers computed, once for all models.
    """
    parts: list[list[Tensor]] = [[] for _ in range(len(models) + 1)]
    for chunk in _chunks(inputs):
        with few_threads(len(chunk.graphs.op)):
            side = as_tensor(spec.side(chunk), device)
            batch = batched(chunk.graphs, device) if any(m.encoder is not None for m in models) and len(chunk) else None
            for model, encodings in zip(models, parts[:-1], strict=True):
                model.eval()
                empty = torch.zeros(0, model.out_features, device=device)
                encodings.append(model(batch, shared_part(side, spec)) if len(chunk) else empty)
            parts[-1].append(torch.zeros(len(chunk), 0, device=device) if side is None else side)
    return [torch.cat(encodings) for encodings in parts]


def _chunks(inputs: Inputs) -> Iterator[Inputs]:
    """Pieces to encode at once, one at least, none of which is empty unless all are."""
    start, nodes = 0, inputs.graphs.node_start
    while True:
        enough = int(np.searchsorted(nodes, nodes[start] + _NODES, side="right")) - 1
        end = min(start + _CHUNK, max(start + 1, enough))
        yield inputs[start:end]
        if end >= len(inputs):
            return
        start = end


def shared_part(side: Tensor | None, spec: InputSpec) -> Tensor | None:
    """The numbers that networks read, of all that are read beside the graph; None where there are none."""
    return side[:, : spec.num_shared] if side is not None and spec.num_shared else None


def as_tensor(values: npt.NDArray[np.float32] | None, device: torch.device) -> Tensor | None:
    """Numbers beside the graph on a device, None as it is."""
    return None if values is None else owned(values, device)
