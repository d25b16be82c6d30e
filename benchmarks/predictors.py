"""Named predictors, and every encoder with every head, on the protocols that published figures use.

    OMP_NUM_THREADS=1 python benchmarks/predictors.py                      # the default predictor, all sizes
    OMP_NUM_THREADS=1 python benchmarks/predictors.py --names gates renas --protocols nb101-20k
    OMP_NUM_THREADS=1 python benchmarks/predictors.py --cross --jobs 2     # encoders x heads

Prints mean and standard deviation over the seeds of Kendall's tau-b, N@10, Precision@10 (means) and training seconds
(median, one thread; comparable with one job), with the figures of others for the same protocol below. In the cross
every predictor is one network that reads the graph (or the choices) alone, trained by the default recipe.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
from _protocols import Protocol, add_data_option
from _side_by_side import add_executor_options, executor_of, side_by_side

from archpredict.predict.parts import Part
from archpredict.predict.presets import names, preset
from archpredict.predict.pretraining.cells import forget
from archpredict.predict.protocols import load_protocol
from archpredict.predict.validation import evaluate_predictions

CROSS_SIZES = {"nb101-20k": (172, 423), "nb201-c10": (156,)}
ENCODERS: dict[str, dict[str, Any]] = {
    "mlp": {"encoder": "mlp"},
    "lstm": {"encoder": "lstm"},
    "renas": {"encoder": "renas"},
    "gcn": {"encoder": "gcn"},
    "gcn, global node": {"encoder": Part("gcn", global_node=True)},
    "gates": {"encoder": "gates"},
    "asynchronous": {"encoder": "asynchronous"},
}
HEADS: dict[str, dict[str, Any]] = {
    "regression": {"head": "regression"},
    "pairwise bce": {"head": "pairwise"},
    "pairwise hinge": {"head": Part("pairwise", loss="hinge", target="hard")},
    "comparator": {"head": Part("comparator", form="hidden")},
    "listwise": {"head": "listwise"},
}
ALONE: dict[str, Any] = {"sources": (), "ensemble": 1, "training__pretrain": 0, "regressors": None}

Figures = dict[str, float]


@cache
def _protocol(name: str, folder: str) -> Protocol:
    return load_protocol(name, Path(folder))


def run(name: str, arguments: dict[str, Any], protocol: str, n: int, seed: int, folder: str) -> Figures:
    """Train one predictor and judge it on the protocol's test set."""
    import torch

    torch.set_num_threads(1)
    data = _protocol(protocol, folder)
    train, test = data.split(n, seed)
    cells = data.architectures
    predictor = preset(name).make(seed=seed, device="cpu", **arguments)
    forget()  # pre-training counts as training, every time
    start = time.perf_counter()
    predictor.fit([cells[i] for i in train], data.train_labels[train])
    seconds = time.perf_counter() - start
    figures = evaluate_predictions(data.test_labels[test], predictor.predict([cells[i] for i in test]), k=10)
    return {**figures, "seconds": seconds}


def tasks(options: argparse.Namespace) -> Iterator[tuple[str, str, dict[str, Any], str, int]]:
    """Label, name, arguments, protocol and number of labels of everything asked for."""
    overrides = json.loads(options.set)
    for protocol in options.protocols:
        sizes = CROSS_SIZES[protocol] if options.cross else _protocol(protocol, str(options.data)).train_sizes
        for n in options.sizes or sizes:
            if options.cross:
                for encoder, a in ENCODERS.items():
                    for head, b in HEADS.items():
                        yield f"{encoder} | {head}", "default", {**ALONE, **a, **b, **overrides}, protocol, n
            else:
                for name in options.names:
                    yield name, name, overrides, protocol, n


def show(label: str, protocol: str, n: int, rows: list[Figures]) -> None:
    def values(key: str) -> Any:
        return np.array([row[key] for row in rows])

    print(
        f"{protocol} n={n} | {label} | {values('kendall_tau').mean():.3f} ± {values('kendall_tau').std():.3f} | "
        f"{np.mean(values('n_at_k')):.0f} | {values('precision_at_k').mean():.2f} | {np.median(values('seconds')):.1f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--names", nargs="+", default=["default"], choices=names(), metavar="NAME")
    parser.add_argument("--cross", action="store_true", help="every encoder with every head")
    parser.add_argument("--protocols", nargs="+", default=list(CROSS_SIZES), choices=list(CROSS_SIZES))
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of labels (default: those of the protocol)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument(
        "--set", default="{}", metavar="JSON", help="arguments that replace the predictor's, such as training__epochs"
    )
    add_executor_options(parser)
    options = parser.parse_args()
    print("protocol | predictor | Kendall's tau | N@10 | P@10 | training s")
    planned = list(tasks(options))
    runs = [(name, a, protocol, n, s, str(options.data)) for _, name, a, protocol, n in planned for s in options.seeds]
    found = side_by_side(run, runs, executor_of(options))
    for label, _, _, protocol, n in planned:
        show(label, protocol, n, list(islice(found, len(options.seeds))))
    for protocol in options.protocols:
        for figure in _protocol(protocol, str(options.data)).published:
            print(f"{protocol} n={figure.n} | {figure.name} | {figure.kendall_tau:.3f} | ({figure.source})")


if __name__ == "__main__":
    main()
