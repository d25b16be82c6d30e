"""The three back ends of GraphBatch: time of one forward and backward pass of the default GCN.

    OMP_NUM_THREADS=1 python benchmarks/backends.py

Batches of equal total work: 2,048 cells of 7 nodes down to 4 graphs of 1,000 nodes, mean in-degree 1.5.
"""

from __future__ import annotations

import os
import statistics
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
import torch

from archpredict.backends import has_dgl
from archpredict.batch import Backend, batched
from archpredict.encoders.gcn import GCN
from archpredict.graph import ArchGraph
from archpredict.packed import PackedGraphs

OPS = tuple("abcdef")
SIZES = {7: 2048, 20: 512, 64: 128, 200: 32, 1000: 4}


def random_graph(n: int, rng: np.random.Generator) -> ArchGraph:
    chain = [(i, i + 1) for i in range(n - 1)]
    target = rng.integers(1, n, n // 2)
    shortcuts = [(int(rng.integers(0, t)), int(t)) for t in target]
    return ArchGraph(tuple(rng.choice(OPS, n).tolist()), tuple(chain + shortcuts))


def milliseconds(packed: PackedGraphs, backend: Backend, repeats: int = 7) -> float:
    encoder = GCN(len(OPS), 1, layers=4)
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        encoder(batched(packed, backend=backend)).sum().backward()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times[1:])


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    backends: list[Backend] = ["dense", "scatter", *(["dgl"] if has_dgl() else [])]
    print("nodes  graphs  " + "  ".join(f"{b:>10s}" for b in backends) + "   ms per forward and backward pass")
    for n, count in SIZES.items():
        packed = PackedGraphs.from_graphs([random_graph(n, rng) for _ in range(count)], OPS)
        print(f"{n:5d}  {count:6d}  " + "  ".join(f"{milliseconds(packed, b):10.1f}" for b in backends), flush=True)


if __name__ == "__main__":
    main()
