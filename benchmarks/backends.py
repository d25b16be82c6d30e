"""The three back ends of GraphBatch side by side, on one thread.

    OMP_NUM_THREADS=1 python benchmarks/backends.py

First the default GCN, one forward and backward pass over batches of equal total work: 2,048 cells of 7 nodes down to 4
graphs of 1,000 nodes, mean in-degree 1.5. Then the default comp-graph encoder on computational graphs of 100, 500 and
2,000 nodes, 8,000 nodes per batch, in graphs per second.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
import torch
from torch import nn

from archpredict.backends import has_dgl
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.batch import Backend, batched
from archpredict.graph.packed import PackedGraphs
from archpredict.predict.inputs import InputSpec
from archpredict.registry import resolve
from archpredict.testing.graphs import random_computational_graph

OPS = tuple("abcdef")
SIZES = {7: 2048, 20: 512, 64: 128, 200: 32, 1000: 4}
NETWORKS = {100: 80, 500: 16, 2000: 4}


def random_graph(n: int, rng: np.random.Generator) -> ArchGraph:
    chain = [(i, i + 1) for i in range(n - 1)]
    target = rng.integers(1, n, n // 2)
    shortcuts = [(int(rng.integers(0, t)), int(t)) for t in target]
    return ArchGraph(tuple(rng.choice(OPS, n).tolist()), tuple(chain + shortcuts))


def milliseconds(steps: Sequence[Callable[[], object]], repeats: int = 7) -> list[float]:
    """Median of each step; all take turns, so that what else the machine does slows all alike."""
    times = np.empty((repeats + 1, len(steps)))
    for row in times:
        for i, step in enumerate(steps):
            start = time.perf_counter()
            step()
            row[i] = time.perf_counter() - start
    medians: list[float] = (1000 * np.median(times[1:], axis=0)).tolist()
    return medians


def learning(encoder: nn.Module, packed: PackedGraphs, backend: Backend) -> Callable[[], object]:
    return lambda: encoder.train()(batched(packed, backend=backend)).sum().backward()


def encoding(encoder: nn.Module, packed: PackedGraphs, backend: Backend) -> Callable[[], object]:
    return torch.no_grad()(lambda: encoder.eval()(batched(packed, backend=backend)))


def cells(backends: list[Backend], rng: np.random.Generator) -> None:
    print("nodes  graphs  " + "  ".join(f"{b:>10s}" for b in backends) + "   ms per forward and backward pass")
    for n, count in SIZES.items():
        packed = PackedGraphs.from_graphs([random_graph(n, rng) for _ in range(count)], OPS)
        times = milliseconds(
            [learning(resolve("encoders", "gcn", nn.Module)(len(OPS), 1, layers=4), packed, b) for b in backends]
        )
        print(f"{n:5d}  {count:6d}  " + "  ".join(f"{t:10.1f}" for t in times), flush=True)


def networks(backends: list[Backend], rng: np.random.Generator) -> None:
    columns = "  ".join(f"{b:>10s}" for b in backends)
    print("\ncomp-graph: graphs per second, batches made anew each time")
    print(f"nodes  graphs  {columns}  {columns}   forward; forward and backward")
    for n, count in NETWORKS.items():
        spec, inputs = InputSpec.fit([random_computational_graph(n, rng) for _ in range(count)], form="network")
        encoder = resolve("encoders", "comp-graph", nn.Module)(spec.num_ops)
        steps = [kind(encoder, inputs.graphs, b) for kind in (encoding, learning) for b in backends]
        print(
            f"{n:5d}  {count:6d}  " + "  ".join(f"{1000 * count / t:10.1f}" for t in milliseconds(steps, 5)), flush=True
        )


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    backends: list[Backend] = ["dense", "scatter", *(["dgl"] if has_dgl() else [])]
    cells(backends, rng)
    networks(backends, rng)


if __name__ == "__main__":
    main()
