"""Labelled architectures of six search spaces, from the folder of benchmark tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from archpredict import Architecture, Table, load_space
from archpredict.evaluators.once_for_all import OnceForAllEvaluator
from archpredict.predict.protocols import load_protocol

__all__ = ["SOURCES", "Labelled", "labelled"]


@dataclass(frozen=True)
class Labelled:
    """Architectures of a space and their labels.

    Args:
        architectures: ``n``.
        labels: ``(n,)``, higher is better.
        about: Where the labels are from and under which licence.
    """

    architectures: list[Architecture]
    labels: np.ndarray
    about: str

    def rows(self, index: np.ndarray) -> Labelled:
        """Some of them."""
        return Labelled([self.architectures[i] for i in index], self.labels[index], self.about)


@cache
def labelled(name: str, folder: Path) -> Labelled:
    """All that is labelled of a space; of Once-for-All, of which everything is, 20,000 architectures."""
    return SOURCES[name](folder)


def _nasbench101(folder: Path) -> Labelled:
    protocol = load_protocol("nb101-20k", folder)
    about = "validation accuracy at 108 epochs; google-research/nasbench, through a repository without a licence"
    return Labelled(protocol.architectures, protocol.test_labels, about)


def _nasbench201(folder: Path) -> Labelled:
    protocol = load_protocol("nb201-c10", folder)
    about = "CIFAR-10 test accuracy; NAS-Bench-201 (MIT), through automl/NASLib (Apache-2.0)"
    return Labelled(protocol.architectures, protocol.test_labels, about)


def _table(path: str, space: str, target: str, about: str) -> Callable[[Path], Labelled]:
    def read(folder: Path) -> Labelled:
        table = Table.read(folder / path, space, target)
        return Labelled(table.space.architectures(table.choices), table.labels, about)

    return read


def _once_for_all(resolutions: tuple[int, ...], about: str) -> Callable[[Path], Labelled]:
    def label(folder: Path) -> Labelled:
        space = load_space("mobilenetv3")
        rng = np.random.default_rng(0)
        rows = space.sample(20_000, rng)
        rows[:, 0] = rng.choice(resolutions, size=len(rows))
        architectures = space.architectures(rows)
        evaluator = OnceForAllEvaluator.load(folder / "once_for_all" / "mbv3_accuracy_predictor.npz")
        return Labelled(architectures, np.asarray(evaluator.predict(architectures)), about)

    return label


_OFA = "ImageNet accuracy by the published Once-for-All accuracy predictor; mit-han-lab/once-for-all (MIT)"
SOURCES: Mapping[str, Callable[[Path], Labelled]] = {
    "nasbench101": _nasbench101,
    "nasbench201": _nasbench201,
    "darts": _table(
        "darts/nasbench301_1218.csv.gz",
        "darts",
        "val_accuracy",
        "CIFAR-10 accuracy by the NAS-Bench-301 surrogate; automl/NASLib (Apache-2.0)",
    ),
    "nasbench-macro": _table(
        "nas_bench_macro/nas_bench_macro_cifar10.csv.gz",
        "nasbench-macro",
        "mean_acc",
        "mean CIFAR-10 test accuracy; xiusu/NAS-Bench-Macro (Apache-2.0)",
    ),
    "once-for-all": _once_for_all((3, 4, 5, 6, 7), _OFA),
    "enas": _table(
        "enas/final_structures6.txt.gz",
        "enas",
        "accuracy",
        "weight-sharing validation accuracy; muhanzhang/D-VAE (MIT)",
    ),
    "once-for-all r=224": _once_for_all((7,), _OFA),
}
"""The spaces by name; the last is a part of another one, which is a target alone."""
