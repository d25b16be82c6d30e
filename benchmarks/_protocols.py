"""Evaluation protocols: which labels, which split. Every rank correlation quoted names its protocol."""

from __future__ import annotations

import argparse
import csv
import gzip
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archpredict.spaces.base import IntArray, SearchSpace
from archpredict.spaces.nasbench101 import NASBench101, choices_from_packed
from archpredict.spaces.nasbench201 import NASBench201

_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Protocol:
    """Labelled architectures and how to split them.

    Args:
        name: What the figures quote.
        space: The search space.
        choices: ``(N, L)``.
        train_labels: ``(N,)`` accuracies in percent that a predictor may learn from.
        test_labels: ``(N,)`` accuracies in percent that its ranking is judged by.
        num_test: Size of the test set, from the end of the permutation; None: all that is not trained on.
    """

    name: str
    space: SearchSpace
    choices: IntArray
    train_labels: npt.NDArray[np.float64]
    test_labels: npt.NDArray[np.float64]
    num_test: int | None


def load_nb101_20k(folder: Path) -> Protocol:
    """``nb101-20k``: 20,001 NAS-Bench-101 cells, validation accuracy at 108 epochs, 10,000 for the test."""
    with np.load(folder / "nasbench101" / "labelled_20k.npz") as table:
        choices = choices_from_packed(table["edge_bits"], table["n_vertices"], table["ops"])
        labels = 100 * table["valid_acc_best3"][:, 3].astype(np.float64)
    return Protocol("nb101-20k", NASBench101(), choices, labels, labels, 10_000)


def load_nb201(folder: Path) -> Protocol:
    """``nb201-c10``: all 15,625 NAS-Bench-201 cells, validation accuracy to learn from, test to judge by."""
    space = NASBench201()
    with gzip.open(folder / "nasbench201" / "nasbench201.csv.gz", "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    choices = np.array([space.parse(row["arch_str"]) for row in rows], dtype=np.int64)
    valid = np.array([float(row["c10_nasntk_acc"]) for row in rows])
    test = np.array([float(row["c10_test"]) for row in rows])
    return Protocol("nb201-c10", space, choices, valid, test, None)


def split(protocol: Protocol, n: int, seed: int) -> tuple[IntArray, IntArray]:
    """Rows to train on and rows to test on, from one permutation of ``default_rng(seed)``."""
    order = np.random.default_rng(seed).permutation(len(protocol.choices))
    test = order[n:] if protocol.num_test is None else order[-protocol.num_test :]
    if n + len(test) > len(order):
        raise ValueError(f"{protocol.name} leaves {len(order) - len(test)} rows to train on, {n} were asked for")
    return order[:n], test


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """``--data FOLDER``: where the benchmark tables are."""
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("ARCHPREDICT_DATA", _ROOT.parent / "shared" / "data"),
        metavar="FOLDER",
        help="folder of the benchmark tables (default: $ARCHPREDICT_DATA or ../shared/data)",
    )
