"""What a predictor of speed reads of networks: terms of rooflines, and statistics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archpredict._typing import FloatArray
from archpredict.costs.model import Numbers
from archpredict.costs.roofline import roofline
from archpredict.costs.settings import device
from archpredict.costs.table import SpeedTable
from archpredict.costs.work import Work, work_of
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.network_statistics import network_statistics_of
from archpredict.graph.network_view import NetworkView

__all__ = ["numbers_of"]

_READ_AT_ONCE = 32


def numbers_of(graphs: Sequence[ArchGraph], table: SpeedTable) -> Numbers:
    """What is read of networks in the settings of a table, at the batch sizes that they were measured with."""
    work, statistics = read(graphs)
    sizes = _batch_sizes(table)
    terms = []
    for setting, size in zip(table.settings, sizes, strict=True):
        begin, parts = 0, []
        for part in work:
            parts.append(roofline(part, setting, device(setting.device), size[begin : begin + part.count]))
            begin += part.count
        terms.append(np.concatenate(parts))
    return Numbers(np.stack(terms), statistics)


def read(graphs: Sequence[ArchGraph]) -> tuple[list[Work], FloatArray]:
    """Work and statistics, of some networks at a time."""
    parts = [graphs[i : i + _READ_AT_ONCE] for i in range(0, len(graphs), _READ_AT_ONCE)]
    work = [work_of(part) for part in parts]
    return work, np.concatenate([network_statistics_of(NetworkView(part)) for part in parts])


def _batch_sizes(table: SpeedTable) -> FloatArray:
    """``(S, G)`` batch sizes; the median of the setting where a model was not measured."""
    usual = [median(row) for row in table.batch_sizes]
    return np.where(np.isfinite(table.batch_sizes), table.batch_sizes, np.array(usual)[:, None])


def median(sizes: FloatArray) -> float:
    known = sizes[np.isfinite(sizes)]
    return float(np.median(known)) if len(known) else 1.0


def side(graph: ArchGraph) -> float:
    """The longer side of the images that a network reads; 0 if it reads none."""
    shapes = graph.attrs["shape"]
    sides = [shapes[v][2:4].max() for v, op in enumerate(graph.ops) if op == "input"]
    return float(max(sides, default=0.0))
