"""The default predictor and its parts on few labels of many spaces: how well they rank, and how often intervals hold.

    OMP_NUM_THREADS=1 python benchmarks/few_labels.py
    OMP_NUM_THREADS=1 python benchmarks/few_labels.py --tables darts channel-counts --sizes 50 --seeds 0 1
    OMP_NUM_THREADS=1 python benchmarks/few_labels.py --tables darts --sizes 10 25 --no-transfer
    OMP_NUM_THREADS=1 python benchmarks/few_labels.py --tables darts --sizes 10 25 --sources nasbench101 nasbench201

Tables are the benchmarks in the data folder, MobileNetV3 as labelled by the Once-for-All predictor at 160 to 224 pixels
(``once-for-all``) and at 224 (``mobilenetv3``), and spaces written for this with labels made up
(``_written_spaces.py``). ``numpy.random.default_rng(seed).permutation`` of the table: the first labels train, the last
1,000 test (fewer where the table is small). Prints Kendall's tau of each part alone and of all together, mean over the
seeds; the share of new labels in the 90 % interval; CPU seconds of a fit. ``--sources`` learns from other spaces'
labels, 2,000 of each, in place of what ships, which has learnt from no label of NAS-Bench-101; a table's own space is
left out either way.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
from _protocols import add_data_option
from _spaces import SOURCES, labelled
from _written_spaces import WRITTEN, made_up_label

from archpredict._typing import FloatArray
from archpredict.evaluators.once_for_all import OnceForAllEvaluator
from archpredict.metrics import coverage, kendall_tau
from archpredict.predict.predictor import Predictor
from archpredict.predict.protocols import load_protocol
from archpredict.predict.transfer.learning import learn_transfer
from archpredict.spaces.base import Architecture, load_space

PROTOCOLS = {"nasbench101": "nb101-20k", "nasbench201": "nb201-c10"}
FILES = ("darts", "enas", "nasbench-macro", "once-for-all")
OTHERS = ("mobilenetv3", *(space.name for space in WRITTEN))
TABLES = (*PROTOCOLS, *FILES, *OTHERS)
SAMPLED, TESTED = 2000, 1000
HIGHEST = 7
"""The option of MobileNetV3's resolution that is 224 pixels."""

Labelled = tuple[Sequence[Architecture], FloatArray]


def table(name: str, folder: Path) -> Labelled:
    """Architectures and their labels."""
    if name in PROTOCOLS:
        protocol = load_protocol(PROTOCOLS[name], folder)
        return protocol.architectures, protocol.train_labels
    if name in FILES:
        read = labelled(name, folder)
        return read.architectures, read.labels
    rng = np.random.default_rng(0)
    if name == "mobilenetv3":
        space = load_space(name)
        rows = space.sample(SAMPLED, rng)
        rows[:, 0] = HIGHEST
        chosen = space.architectures(rows)
        evaluator = OnceForAllEvaluator.load(folder / "once_for_all" / "mbv3_accuracy_predictor.npz")
        return chosen, np.asarray(evaluator.predict(chosen))
    kind = next(kind for kind in WRITTEN if kind.name == name)
    rows = rng.permutation(np.unique(kind().sample(SAMPLED, rng), axis=0))
    return kind().architectures(rows), np.array([made_up_label(kind, row) for row in rows.tolist()])


def learnt_from(sources: Sequence[str], folder: Path, place: Path) -> str:
    """The file of a transfer model of labels of these spaces."""
    families = []
    for source in sources:
        every = labelled(source, folder)
        drawn = every.rows(np.random.default_rng(0).permutation(len(every.labels))[:SAMPLED])
        families.append((drawn.architectures, drawn.labels))
    learn_transfer(families, list(sources)).save(place)
    return str(place)


def trial(known: Labelled, n: int, seed: int, transfer: bool | str = True) -> dict[str, float]:
    """Figures of one fit."""
    architectures, labels = known
    order = np.random.default_rng(seed).permutation(len(labels))
    train, test = order[:n], order[max(n, len(order) - TESTED) :]
    start = time.process_time()
    predictor = Predictor(seed=seed, device="cpu", transfer=transfer).fit(
        [architectures[i] for i in train], labels[train]
    )
    seconds = time.process_time() - start
    inputs, true, ensemble = predictor.pack([architectures[i] for i in test]), labels[test], predictor.ensemble_
    members = ensemble.member_predictions(inputs)
    scores, std = ensemble.standardized(members.scores), ensemble.std(members)
    networks = len(ensemble.models)
    parts = {
        "networks": scores[:networks].mean(axis=0),
        **dict(zip(ensemble.regressors, scores[networks:], strict=True)),
    }
    mean = ensemble.calibration(ensemble.mean_scores(members.scores))
    return {
        **{name: kendall_tau(true, said) for name, said in parts.items()},
        "all": kendall_tau(true, mean),
        "coverage": coverage(true, mean, std),
        "seconds": seconds,
    }


def lines(options: argparse.Namespace, transfer: bool | str) -> Iterator[str]:
    """A line for each table and number of labels."""
    named = (
        f" transfer from {', '.join(options.sources)}" if options.sources else "" if transfer else " without transfer"
    )
    for name in options.tables:
        known = table(name, Path(options.data))
        trial(known, 20, 0, transfer)  # pre-training is kept for all that follow
        for n in options.sizes:
            trials = [trial(known, n, seed, transfer) for seed in options.seeds]
            spread = np.std([figures["all"] for figures in trials])
            mean = {key: float(np.mean([figures[key] for figures in trials])) for key in trials[0]}
            parts = {key: value for key, value in mean.items() if key not in ("all", "coverage", "seconds")}
            yield (
                f"{name} n={n}{named} | "
                f"all {mean['all']:.3f} ± {spread:.3f} | best part {max(parts.values()):.3f} | "
                + ", ".join(f"{key} {value:.3f}" for key, value in parts.items())
                + f" | in 90 % interval {mean['coverage']:.3f} | {mean['seconds']:.1f} s"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--tables", nargs="+", default=TABLES, choices=TABLES)
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 150, 400])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--no-transfer", dest="transfer", action="store_false", help="learn from own labels alone")
    parser.add_argument(
        "--sources", nargs="+", choices=SOURCES, help="learn from labels of these spaces, in place of what ships"
    )
    options = parser.parse_args()
    if options.sources and not options.transfer:
        parser.error("--sources and --no-transfer exclude each other; leave one of them out")
    with tempfile.TemporaryDirectory() as folder:
        transfer = options.transfer
        if options.sources:
            transfer = learnt_from(options.sources, Path(options.data), Path(folder) / "learnt.safetensors")
        for line in lines(options, transfer):
            print(line, flush=True)


if __name__ == "__main__":
    main()
