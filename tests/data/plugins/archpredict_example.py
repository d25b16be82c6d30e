"""Plug-ins as another distribution has them, which finds them under the entry-point groups of its dist-info."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn import functional as F

from archpredict.encoders.base import Encoder
from archpredict.evaluators.base import Evaluator, Result
from archpredict.heads.base import Head
from archpredict.images.base import Images, ImageSet, Split
from archpredict.progress import Observer, silent
from archpredict.proxies.base import Proxy
from archpredict.regressors.base import Regressor
from archpredict.spaces.base import Architecture
from archpredict.strategies.base import Strategy
from archpredict.tables.formats.base import Format, Row


class Lines(Format):
    """One architecture to a line, then its label."""

    endings = (".lines",)

    def rows(self, path: Path, observe: Observer = silent) -> Iterator[Row]:
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            architecture, _, label = line.rpartition(" ")
            yield Row(f"line {number}", {"architecture": architecture, "label": label})


class Bag(Encoder):
    """Mean of operator embeddings."""

    name = "example-bag"

    def __init__(self, num_ops: int, num_cells: int = 1, *, dim: int = 8) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_ops + 1, dim)
        self.out_features = num_cells * dim

    def forward(self, batch: Any) -> Tensor:
        return batch.pool(self.embedding(batch.op)).flatten(1)


class Linear(Head):
    """One linear score."""

    name = "example-linear"

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, 1)

    def score(self, z: Tensor) -> Tensor:
        return self.linear(z)[:, 0]

    def logits(self, za: Tensor, zb: Tensor) -> Tensor:
        return self.score(za)[:, None] - self.score(zb)[None, :]

    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(self.score(z), y)

    def pair_loss(self, za: Tensor, zb: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(self.score(za) - self.score(zb), target)


class Mean(Regressor):
    """The mean of the columns, which has nothing to learn."""

    name = "example-mean"

    def __init__(self, seed: int = 0) -> None:
        pass

    def fit(self, x: Any, y: Any) -> None:
        pass

    def predict(self, x: Any) -> Any:
        return x.mean(axis=1)

    def state(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        return {}, {}

    def restore(self, values: Any, arrays: Any, columns: int) -> None:
        pass


class FewTrees:
    """A named predictor in the form that version 0.1 had at first: a class with its arguments."""

    name = "example-trees"

    @classmethod
    def arguments(cls) -> dict[str, Any]:
        return {"ensemble": 0, "regressors": {"extra-trees": 1.0}}


class First(Strategy):
    """The first architectures of the space, one after another."""

    name = "example-first"

    def ask(self, n: int) -> list[Architecture]:
        space, start = self.problem.space, self.num_told
        rows = space.enumerate()[start : min(start + n, self.problem.budget)]
        return space.architectures(rows)


class Sum(Evaluator):
    """The sum of the choices."""

    name = "example-sum"

    def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
        for architecture in architectures:
            yield Result(architecture, float(sum(architecture.choices)))

    def describe(self) -> dict[str, Any]:
        return {"evaluator": self.name, "labels": "sums of choices"}


class Depth(Proxy):
    """How many nodes there are."""

    name = "example-depth"

    def score(self, network: Any, images: Tensor | None = None, labels: Tensor | None = None) -> float:
        return float(len(network.graph.ops))


class Stripes(ImageSet):
    """Black and white images."""

    name = "example-stripes"

    def load(self, path: Path | None) -> Images:
        labels = np.arange(4) % 2
        split = Split((np.ones((4, 1, 4, 4)) * 255 * labels[:, None, None, None]).astype(np.uint8), labels)
        return Images(self.name, split, split, split, num_classes=2)
