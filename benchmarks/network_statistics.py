"""CPU seconds per 1,000 architectures: their networks, and the statistics that predictors read of these.

    OMP_NUM_THREADS=1 python benchmarks/network_statistics.py --models imagenet_models/onnx

Columns: the networks of random architectures of each space; their network statistics and their path statistics, one
network at a time; both of all networks at once; and networks and statistics as sources of a predictor compute them, a
first and a second time in one process. ``--models`` is a folder of ONNX files (``*.onnx`` or ``*.onnx.gz``), whose
reading is not counted. ``--all`` scores every cell of NAS-Bench-201.
"""

from __future__ import annotations

import argparse
import gzip
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy loads

import numpy as np

from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.network_statistics import network_statistics, network_statistics_of
from archpredict.graph.network_view import NetworkView
from archpredict.graph.path_statistics import path_statistics, path_statistics_of
from archpredict.onnx.reader import load
from archpredict.predict.batch import Batch
from archpredict.predict.sources.network import NetworkStatistics
from archpredict.predict.sources.topology import PathStatistics
from archpredict.registry import names
from archpredict.spaces import load_space

_HEADER = ("networks", "statistics", "paths", "both at once", "sources", "again")


def seconds(function: Callable[[], Any], count: int) -> float:
    """CPU seconds per 1,000 of ``count`` architectures."""
    start = time.process_time()
    function()
    return (time.process_time() - start) * 1000 / count


def at_once(graphs: list[ArchGraph]) -> None:
    for begin in range(0, len(graphs), 250):
        view = NetworkView(graphs[begin : begin + 250])
        network_statistics_of(view), path_statistics_of(view)


def read(members: Any) -> None:
    """All that predictors read, as new batches have it."""
    batch = Batch.of(members)
    for source in (NetworkStatistics(), PathStatistics()):
        source.fit(batch)(batch)


def row(name: str, members: Any, networks: float, graphs: list[ArchGraph]) -> None:
    count = len(members)
    figures = [
        networks,
        seconds(lambda: [network_statistics(graph) for graph in graphs], count),
        seconds(lambda: [path_statistics(graph) for graph in graphs], count),
        seconds(lambda: at_once(graphs), count),
        seconds(lambda: read(members), count),
        seconds(lambda: read(members), count),
    ]
    nodes = sum(graph.num_nodes for graph in graphs) / count
    print(f"{name:16s}{count:8d}{nodes:8.0f}" + "".join(f"{figure:14.3f}" for figure in figures), flush=True)


def model(path: Path, folder: Path) -> ArchGraph:
    if path.suffix != ".gz":
        return load(path)
    plain = folder / path.stem
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    return load(plain)


def main() -> None:
    from tempfile import TemporaryDirectory

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="architectures of each space")
    parser.add_argument("--spaces", nargs="*", default=[name for name in names("spaces") if name != "enas-micro"])
    parser.add_argument("--models", type=Path, help="folder of ONNX files")
    parser.add_argument("--every", type=int, default=1, help="take every so manieth of these files")
    parser.add_argument("--all", action="store_true", help="all cells of NAS-Bench-201, by sources")
    arguments = parser.parse_args()
    print(f"{'':16s}{'count':>8s}{'nodes':>8s}" + "".join(f"{title:>14s}" for title in _HEADER))
    for name in arguments.spaces:
        space = load_space(name)
        rows = space.sample(arguments.count, np.random.default_rng(0))
        members = space.architectures(rows)
        graphs: list[ArchGraph] = []
        networks = seconds(lambda g=graphs, s=space, r=rows: g.extend(map(s.network, r.tolist())), len(members))
        row(name, members, networks, graphs)
    if arguments.models is not None:
        files = sorted(arguments.models.glob("*.onnx*"))[:: arguments.every]
        with TemporaryDirectory() as folder:
            graphs = [model(path, Path(folder)) for path in files]
        row("ONNX files", graphs, 0.0, graphs)
    if arguments.all:
        space = load_space("nasbench201")
        cells = space.architectures(space.enumerate())
        print(f"all {len(cells):,} cells of nasbench201: {seconds(lambda: read(cells), 1000):.2f} CPU seconds")


if __name__ == "__main__":
    main()
