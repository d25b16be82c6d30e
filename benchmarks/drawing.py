"""Seconds that pictures of large networks take.

$ python benchmarks/drawing.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from archpredict import ArchGraph, draw, load_space
from archpredict.graph.operators import Operation, computational_graph

RANDOM_NODES = 13_000


def darts(cells: int) -> ArchGraph:
    space = load_space("darts")
    choices = space.sample(1, np.random.default_rng(2))[0].tolist()
    return space.network(choices, cells=cells)  # type: ignore[call-arg]


def at_random(seed: int) -> ArchGraph:
    """A chain with a skip to each node, no two blocks alike."""
    rng = np.random.default_rng(seed)
    nodes, edges = [Operation("input", (1, 3, 32, 32))], []
    for i in range(1, RANDOM_NODES + 1):
        width, op = int(rng.integers(8, 4000)), str(rng.choice(["conv", "relu", "add", "max_pool"]))
        nodes.append(Operation(op, (1, width, 32, 32), kernel=(3, 3), stride=(1, 1), weight=(width, 3, 3, 3)))
        edges += [(i - 1, i), *([(i - int(rng.integers(2, i)), i)] if i > 3 else [])]
    return computational_graph(nodes, edges)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, graph in (("darts", darts(360)), ("random", at_random(0))):
            start = time.perf_counter()
            draw(graph, Path(folder) / "out.svg")
            print(f"{name}  nodes {graph.num_nodes}  seconds {time.perf_counter() - start:.2f}")


if __name__ == "__main__":
    main()
