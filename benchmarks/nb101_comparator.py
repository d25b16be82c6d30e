"""The comparator of each CTNAS preset on nb101-20k at n = 423, beside the published code in the same run.

    OMP_NUM_THREADS=1 python benchmarks/nb101_comparator.py [--code path/to/CTNAS]

Prints Kendall's tau-b on 10,000 cells, mean and standard deviation over the seeds, and training seconds on one thread.
Published: tau 0.751 on 100 cells (CTNAS, table 1).
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
import torch
from _protocols import Protocol, add_data_option, load_nb101_20k, split

from archpredict.metrics import kendall_tau
from archpredict.predict.predictor import Predictor
from archpredict.strategies.ctnas import CTNAS

NUM_LABELS = 423
NUM_SLOTS = 7


def ours(preset: str, protocol: Protocol, seed: int) -> tuple[float, float]:
    """Tau and training seconds of one preset's comparator."""
    settings = CTNAS.presets[preset]
    predictor = Predictor(seed=seed, device="cpu").set_params(**dict(settings.predictor))
    if settings.dummies:
        predictor.set_params(encoder__slots=NUM_SLOTS)
    train, test = split(protocol, NUM_LABELS, seed)
    cells = protocol.space.architectures(protocol.choices[train])
    start = time.perf_counter()
    predictor.fit(cells, protocol.train_labels[train])
    seconds = time.perf_counter() - start
    predicted = predictor.predict(protocol.space.architectures(protocol.choices[test]))
    return kendall_tau(protocol.test_labels[test], predicted), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--code", type=Path, metavar="FOLDER", help="checkout of chenyaofo/CTNAS to run beside ours")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--presets", nargs="+", default=list(CTNAS.presets))
    options = parser.parse_args()
    torch.set_num_threads(1)
    protocol = load_nb101_20k(Path(options.data))
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in options.presets}
    for seed in options.seeds:
        for preset in options.presets:
            figures[preset].append(ours(preset, protocol, seed))
        if options.code:
            from published_ctnas import run

            published = run(options.code, protocol, seed=seed)
            figures.setdefault("published code", []).append((published["kendall_tau"], published["train_seconds"]))
    print(f"nb101-20k, n = {NUM_LABELS}, seeds {options.seeds}, one thread")
    reference = np.median([s for _, s in figures.get("published code", [])]) if options.code else None
    for name, values in figures.items():
        taus, seconds = np.array(values).T
        ratio = f", {np.median(seconds) / reference:.2f} of the published code's" if reference else ""
        print(f"{name:15s} tau {taus.mean():.3f} ± {taus.std():.3f}  training {np.median(seconds):.1f} s{ratio}")


if __name__ == "__main__":
    main()
