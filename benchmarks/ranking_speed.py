"""Time to rank 100 architectures, and to score all 423,624 cells of NAS-Bench-101 from the file.

    OMP_NUM_THREADS=1 python benchmarks/ranking_speed.py

For the default predictor, its statistics and costs included, and for the comparator of CTNAS as its code publishes it
(``nac``), fitted on 423 cells for a few epochs: the speed does not depend on the weights. Prints the published figure
(CTNAS, table 3: 4.1 ms for 100 architectures) beside ours.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
import torch
from _protocols import add_data_option, load_nb101_20k

from archpredict.graph.packed import PackedGraphs
from archpredict.predict.batch import Batch
from archpredict.predict.predictor import Predictor
from archpredict.predict.presets import names, preset
from archpredict.spaces.nasbench101 import NASBench101, choices_from_packed, unpack

LABELS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3", "output", "input")
NUMBERS = {0: 1, 1: 2, 2: 3, 253: 4, 254: 5, 255: 0}


def fit(name: str, folder: Path) -> Predictor:
    protocol = load_nb101_20k(folder)
    cells = protocol.space.architectures(protocol.choices[:423])
    predictor = preset(name).make(training__epochs=2, vocabulary=LABELS, device="cpu")
    fitted: Predictor = predictor.fit(cells, protocol.train_labels[:423])
    return fitted


def rank_hundred(predictor: Predictor, repeats: int = 50) -> float:
    """Milliseconds from 100 architectures to their order, packing and statistics included; the median."""
    space = NASBench101()
    cells = space.architectures(space.sample(100, np.random.default_rng(0)))
    for cell in cells:
        assert cell.graph.num_nodes  # decoded beforehand
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        predictor.rank(cells)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def score_everything(predictor: Predictor, path: Path) -> tuple[float, int]:
    """Seconds from the file to one score per cell, and the number of cells."""
    start = time.perf_counter()
    with np.load(path) as file:
        encoding = file["edge_bits"], file["n_vertices"], file["ops"]
    adjacency, labels = unpack(*encoding)
    number = np.zeros(256, dtype=np.uint8)
    number[list(NUMBERS)] = list(NUMBERS.values())
    packed = PackedGraphs.from_arrays(number[labels], adjacency, LABELS)
    cells: PackedGraphs | Batch = packed
    if predictor.spec_.num_side:  # costs are among the numbers
        cells = Batch.of_packed(packed, NASBench101(), choices_from_packed(*encoding))
    scores = predictor.predict(cells)
    return time.perf_counter() - start, len(scores)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--names", nargs="+", default=["default", "nac"], choices=names(), metavar="NAME")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for name in arguments.names:
        predictor = fit(name, Path(arguments.data))
        milliseconds = rank_hundred(predictor)
        seconds, count = score_everything(predictor, Path(arguments.data) / "nasbench101" / "space.npz")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(
            f"{name:8s} {arguments.threads} thread(s): rank 100 {milliseconds:.2f} ms "
            f"(published 4.1 ms); score {count:,} cells {seconds:.2f} s; peak memory {peak:.2f} GB"
        )


if __name__ == "__main__":
    main()
