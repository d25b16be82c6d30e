"""Path encoding: which sequences of operators lead through an architecture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict._typing import FloatArray
from archpredict.graph.labelled_paths import Path, labelled_paths
from archpredict.graph.packed import PackedGraphs
from archpredict.predict.batch import Batch
from archpredict.predict.sources.base import Source
from archpredict.registry.arguments import check_integer

__all__ = ["PathEncoding"]

_ARROW = " > "


@dataclass(frozen=True)
class PathEncoding(Source):
    """Truncated path encoding: for each of the most frequent paths through a cell, 1 where an architecture has it.

    White, Neiswanger and Savani, "BANANAS: Bayesian Optimization with Neural Architectures for Neural Architecture
    Search", AAAI 2021, arXiv 1910.11858, section 4: a path is the sequence of operators from the input to the output,
    and the least likely paths are cut off.

    Departures: the paths are those of the architectures that it is fitted on, the most frequent first, instead of the
    shortest of the space: what none of these has, nothing is learnt about. Paths run through one cell of the graph at a
    time; operations on edges are nodes.

    Args:
        longest: How many paths at most; of equally frequent ones shorter ones come first.
        paths: Their cells and operators; set by :meth:`fit`.

    Example:
        >>> from archpredict.spaces import load_space
        >>> space = load_space("nasbench201")
        >>> cell = space.from_text("|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|")
        >>> batch = Batch.of([cell])
        >>> source = PathEncoding().fit(batch)
        >>> source.names
        ('cell0: input > skip_connect > output', 'cell0: input > nor_conv_3x3 > nor_conv_1x1 > output')
        >>> source(batch)
        array([[1., 1.]])
    """

    name = "paths"
    needs_nodes = True

    longest: int = 512
    paths: tuple[tuple[int, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        check_integer("longest", self.longest, 1)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"cell{cell}: {_ARROW.join(ops)}" for cell, ops in self.paths)

    def fit(self, batch: Batch) -> PathEncoding:
        labels = batch.nodes.vocabulary
        counts = Counter(path for paths in labelled_paths(batch.nodes) for path in paths)
        named = {path: (path[0], tuple(labels[op - 1] for op in path[1:])) for path in counts}
        order = sorted(counts, key=lambda path: (-counts[path], len(path), named[path]))
        return PathEncoding(self.longest, tuple(named[path] for path in order[: self.longest]))

    def __call__(self, batch: Batch) -> FloatArray:
        return self.finish(batch.nodes, self.read(batch)).astype(np.float64)

    def read(self, batch: Batch) -> FloatArray:
        return np.zeros((len(batch), 0))

    def finish(self, nodes: PackedGraphs, read: FloatArray) -> npt.NDArray[np.floating[Any]]:
        number = {label: i + 1 for i, label in enumerate(nodes.vocabulary)}
        column: dict[Path, int] = {
            (cell, *(number.get(op, 0) for op in ops)): i for i, (cell, ops) in enumerate(self.paths)
        }
        found = np.zeros((len(nodes), len(self.paths)), dtype=np.float32)
        for row, paths in zip(found, labelled_paths(nodes), strict=True):
            row[[column[path] for path in paths if path in column]] = 1
        return found

    def to_dict(self) -> dict[str, Any]:
        return {"longest": self.longest, "paths": [[cell, *ops] for cell, ops in self.paths]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PathEncoding:
        paths = tuple((row[0], tuple(row[1:])) for row in data["paths"])
        if not all(type(cell) is int and ops and all(type(op) is str for op in ops) for cell, ops in paths):
            raise ValueError("its paths are a number of a cell and names of operators each, something else is given")
        return cls(int(data["longest"]), paths)
