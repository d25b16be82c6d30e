"""The predicted best change of a NAS-Bench-201 cell: how often it is an improvement.

    OMP_NUM_THREADS=1 python benchmarks/explain_changes.py --labels 78 156 469 --seeds 5

A predictor is fitted as in the protocol nb201-c10. For random cells that it has not seen, all cells one change away are
predicted (archpredict.explanations.changes) and looked up: test accuracy on CIFAR-10. Prints Kendall's tau on all
unseen cells and with it how many of all pairs are in the right order, (1 + tau) / 2; how often the change with the
largest predicted gain is better than the cell, of the cells that have a better one; how often a change drawn at random
is; how many of the predicted gains have the right sign; and how many true gains are within one predicted standard
deviation.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
from _protocols import Protocol, add_data_option, load_nb201
from _searches import Labels
from scipy.stats import kendalltau

from archpredict.explanations.changes import changes
from archpredict.predict.presets import unfitted


def run(protocol: Protocol, labels: Labels, name: str, n: int, seed: int, cells: int) -> dict[str, float]:
    """Figures of one fitted predictor."""
    order = np.random.default_rng(seed).permutation(len(protocol.choices))
    train, rest = order[:n], order[n:]
    space = protocol.space
    predictor = unfitted(name).set_params(seed=seed)
    predictor.fit(space.architectures(protocol.choices[train]), protocol.train_labels[train])
    some = rest[:3000]
    tau = kendalltau(predictor.predict(space.architectures(protocol.choices[some])), protocol.test_labels[some])[0]
    hits, random, signs, within = [], [], [], []
    for cell in space.architectures(protocol.choices[rest[-cells:]]):
        found, here = changes(predictor, cell), labels.test(cell)
        true = np.array([labels.test(step.architecture) - here for step in found.steps])
        gain = np.array([step.gain for step in found.steps])
        if (true > 0).any():
            hits.append(true[0] > 0)
            random.append((true > 0).mean())
        signs.append((np.sign(gain) == np.sign(true)).mean())
        stds = np.array([step.std for step in found.steps if step.std is not None])
        if len(stds):
            within.append((np.abs(gain - true) <= stds).mean())
    shares = {"best": hits, "random": random, "signs": signs, "within": within or [np.nan]}
    return {"tau": float(tau), **{key: float(np.mean(values)) for key, values in shares.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--labels", type=int, nargs="+", default=[78, 156, 469])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--predictor", nargs="+", default=["default"])
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    protocol = load_nb201(Path(arguments.data))
    labels = Labels(protocol)
    for name in arguments.predictor:
        for n in arguments.labels:
            start = time.perf_counter()
            seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
            runs = [run(protocol, labels, name, n, seed, arguments.cells) for seed in seeds]
            mean = {key: float(np.mean([r[key] for r in runs])) for key in runs[0]}
            print(
                f"{name}, {n} labels, {len(runs)} seeds, {arguments.cells} cells each: tau {mean['tau']:.3f}, so "
                f"{50 * (1 + mean['tau']):.1f} % of pairs in order; best change better {100 * mean['best']:.1f} %, "
                f"random change {100 * mean['random']:.1f} %; signs right {100 * mean['signs']:.1f} %; within one std "
                f"{100 * mean['within']:.1f} %; {time.perf_counter() - start:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
