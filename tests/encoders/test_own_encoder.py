"""An encoder of one's own that gives another shape than it promises is told so in one sentence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from archpredict.encoders.base import Encoder
from archpredict.errors import UsageError
from archpredict.graph.batch import GraphBatch
from archpredict.predict.predictor import Predictor
from archpredict.predict.training.training import Training
from archpredict.spaces.base import load_space


class Unflattened(Encoder):
    """Forgets that pooling leaves an axis of cells."""

    def __init__(self, num_ops: int, num_cells: int = 1) -> None:
        super().__init__()
        self.out_features = 8
        self.embedding = torch.nn.Embedding(num_ops + 1, 8)

    def forward(self, batch: GraphBatch) -> Tensor:
        return batch.pool(self.embedding(batch.op), "sum")


@pytest.mark.parametrize("steps", [0, 1])
def test_an_encoder_of_another_shape_than_it_promises_is_named(steps: int) -> None:
    space = load_space("nasbench201")
    cells = space.architectures(space.sample(8, np.random.default_rng(0)))
    training = Training(epochs=1, pretrain=steps)
    predictor = Predictor(Unflattened, sources=(), regressors=None, ensemble=1, training=training, device="cpu")
    with pytest.raises(UsageError, match=r"the encoder Unflattened gave \(\d+, 1, 8\) for \d+ graphs, .* flatten"):
        predictor.fit(cells, np.arange(8.0))
