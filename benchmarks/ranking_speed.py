"""Time to rank 100 architectures, and to score all 423,624 cells of NAS-Bench-101 from the file.

    OMP_NUM_THREADS=1 python benchmarks/ranking_speed.py

Prints the published figure (CTNAS, table 3: 4.1 ms for 100 architectures) beside ours. The comparator is that
of the default preset of CTNAS, fitted on 423 cells for a few epochs: its speed does not depend on its weights.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from _protocols import add_data_option, load_nb101_20k

from archpredict.packed import PackedGraphs
from archpredict.predictor import Predictor
from archpredict.spaces.nasbench101 import NASBench101, unpack
from archpredict.strategies._presets import PRESETS

LABELS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3", "output", "input")
NUMBERS = {0: 1, 1: 2, 2: 3, 253: 4, 254: 5, 255: 0}


def fit(preset: str, folder: Path) -> Predictor:
    protocol = load_nb101_20k(folder)
    cells = protocol.space.architectures(protocol.choices[:423])
    arguments = {**PRESETS[preset].predictor, "epochs": 2}
    return Predictor(**arguments, vocabulary=LABELS, device="cpu").fit(cells, protocol.train_labels[:423])


def rank_hundred(predictor: Predictor, repeats: int = 50) -> float:
    """Milliseconds from 100 graphs to their order, packing and tensors included; the median."""
    space = NASBench101()
    graphs = [a.graph for a in space.architectures(space.sample(100, np.random.default_rng(0)))]
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        predictor.rank(graphs)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def score_everything(predictor: Predictor, path: Path) -> tuple[float, int]:
    """Seconds from the file to one score per cell, and the number of cells."""
    start = time.perf_counter()
    with np.load(path) as file:
        adjacency, labels = unpack(file["edge_bits"], file["n_vertices"], file["ops"])
    number = np.zeros(256, dtype=np.uint8)
    number[list(NUMBERS)] = list(NUMBERS.values())
    scores = predictor.predict(PackedGraphs.from_arrays(number[labels], adjacency, LABELS))
    return time.perf_counter() - start, len(scores)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--presets", nargs="+", default=["default"], choices=list(PRESETS))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for preset in arguments.presets:
        predictor = fit(preset, Path(arguments.data))
        milliseconds = rank_hundred(predictor)
        seconds, count = score_everything(predictor, Path(arguments.data) / "nasbench101" / "space.npz")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(
            f"{preset:8s} {arguments.threads} thread(s): rank 100 {milliseconds:.2f} ms "
            f"(published 4.1 ms); score {count:,} cells {seconds:.2f} s; peak memory {peak:.2f} GB"
        )


if __name__ == "__main__":
    main()
