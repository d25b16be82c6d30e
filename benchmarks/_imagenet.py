"""The image classifiers that rankers are measured on: graphs, labels, published weights, and how they are split."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _protocols import load_nb201
from _recipes import recipe_of

from archpredict.evaluators.once_for_all import OnceForAllEvaluator
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.network_statistics import network_statistics
from archpredict.onnx.reader import read
from archpredict.predict.protocols import FAMILY_FOLDS, family_folds
from archpredict.spaces import load_space

__all__ = [
    "KINDS",
    "Labelled",
    "Models",
    "Splits",
    "Weights",
    "family_splits",
    "holdout_splits",
    "kind_of",
    "load",
    "load_cells",
    "load_subnets",
    "pairs_tau",
    "recipe_figures",
]

FOLDS, HOLDOUTS = FAMILY_FOLDS, 24
Splits = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Weights:
    """Published weights, a row each: ``model`` is the row of the graph, ``tag`` the recipe as it is published.

    ``accuracy`` is the mean of three readings of the same weights: on ImageNet's validation images (``top1``), on these
    with the labels of ReaL, and on those of ImageNet-V2. Each is the logarithm of the error, standardised; the mean is
    back on the scale of ``top1``.
    """

    model: np.ndarray
    tag: np.ndarray
    recipe: np.ndarray
    top1: np.ndarray
    accuracy: np.ndarray


@dataclass(frozen=True)
class Labelled:
    """Architectures of a search space as whole networks, with their accuracy."""

    graphs: list[ArchGraph]
    accuracy: np.ndarray


@dataclass(frozen=True)
class Models:
    """Graphs with what is known of them, a row each; the same architecture may have several weights."""

    names: np.ndarray
    graphs: list[ArchGraph]
    statistics: np.ndarray
    top1: np.ndarray
    median: np.ndarray
    family: np.ndarray
    best: np.ndarray  # the row of the weights that reach ``top1``
    weights: Weights
    sha256: str


def load(folder: Path) -> Models:
    """Graphs, statistics and labels of all models."""
    home = folder / "imagenet_models"
    rows = _rows(home / "labels.csv")
    graphs = [read(home / "onnx" / row["file"]).graph for row in rows]
    digest = hashlib.sha256((home / "labels.csv").read_bytes())
    for row in rows:
        digest.update((home / "onnx" / row["file"]).read_bytes())
    top1 = np.array([float(row["top1"]) for row in rows])
    weights, kind = _weights(home, rows)
    return Models(
        names=np.array([row["architecture"] for row in rows]),
        graphs=graphs,
        statistics=np.array([network_statistics(graph) for graph in graphs]),
        top1=top1,
        median=np.array([float(row["top1_median"]) for row in rows]),
        family=np.array([row["family"] for row in rows]),
        best=np.array([_best(weights, kind, i, value) for i, value in enumerate(top1)]),
        weights=weights,
        sha256=digest.hexdigest(),
    )


def load_subnets(folder: Path, count: int, seed: int) -> Labelled:
    """Random subnets of MobileNetV3 at their own resolutions, with labels of the published Once-for-All predictor."""
    space = load_space("mobilenetv3")
    evaluator = OnceForAllEvaluator.load(folder / "once_for_all" / "mbv3_accuracy_predictor.npz")
    chosen = space.architectures(space.sample(count, np.random.default_rng(seed)))
    return Labelled([space.network(a.choices, num_classes=1000) for a in chosen], evaluator.predict(chosen))


def load_cells(folder: Path, count: int, seed: int) -> Labelled:
    """Random cells of NAS-Bench-201 as networks for CIFAR-10, with their test accuracy."""
    table = load_nb201(folder)
    chosen = np.random.default_rng(seed).permutation(len(table.choices))[:count]
    return Labelled([table.space.network(table.choices[i].tolist()) for i in chosen], table.test_labels[chosen])


def _weights(home: Path, models: Sequence[dict[str, str]]) -> tuple[Weights, np.ndarray]:
    """The weights, and their kinds: ``in1k``, ``extra``, ``dist``."""
    rows, place = _rows(home / "recipes.csv"), {row["file"]: i for i, row in enumerate(models)}
    tests = {(row["file"], row["tag"]): row for row in _rows(home / "test_sets.csv")}
    model = np.array([place[row["file"]] for row in rows])
    readings = [[float(tests[row["file"], row["tag"]][name]) for row in rows] for name in ("in1k", "real", "v2")]
    weights = Weights(
        model=model,
        tag=np.array([row["tag"] for row in rows]),
        recipe=np.array([recipe_of(row["file"], row["tag"], row["kind"]) for row in rows]),
        top1=np.array([float(row["top1"]) for row in rows]),
        accuracy=_accuracy(np.array(readings)),
    )
    return weights, np.array([row["kind"] for row in rows])


def _accuracy(readings: np.ndarray) -> np.ndarray:
    """The mean of ``(3, n)`` readings, on the scale of the first."""
    logarithms = np.log(100 - readings)
    location, spread = logarithms.mean(axis=1, keepdims=True), logarithms.std(axis=1, keepdims=True)
    mean = ((logarithms - location) / spread).mean(axis=0)
    return 100 - np.exp(location[0] + spread[0] * (mean - mean.mean()) / mean.std())


def _best(weights: Weights, kind: np.ndarray, model: int, top1: float) -> int:
    rows = (weights.model == model) & (kind == "in1k") & np.isclose(weights.top1, top1)
    return int(np.flatnonzero(rows)[0])


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


KINDS = {
    "transformers": (
        "vision_transformer",
        "eva",
        "swin_transformer",
        "swin_transformer_v2",
        "swin_transformer_v2_cr",
        "crossvit",
        "tnt",
        "pvt_v2",
        "convit",
    ),
    "hybrids": (
        "maxxvit",
        "coat",
        "metaformer",
        "edgenext",
        "nextvit",
        "visformer",
        "efficientvit_mit",
        "efficientvit_msra",
    ),
    "mixers": ("mlp_mixer", "convmixer"),
}
"""Families by what mixes places in them; all others are convolutional."""


def kind_of(family: str) -> str:
    return next((kind for kind, families in KINDS.items() if family in families), "convolutional")


# ---------------------------------------------------------------------- protocols


def family_splits(models: Models, shuffle: int) -> Splits:
    return [tuple(fold) for fold in family_folds(models.family.tolist(), shuffle)]


def holdout_splits(models: Models) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    names = np.unique(models.family)
    for seed in range(HOLDOUTS):
        chosen = np.random.default_rng(seed).permutation(len(names))[: len(names) // 3]
        test = np.isin(models.family, names[chosen])
        yield np.flatnonzero(~test), np.flatnonzero(test)


def recipe_figures(models: Models, scores: np.ndarray) -> dict[str, float]:
    """``imagenet-recipe``: tau over the pairs of weights of one tag, and over those whose families differ.

    Args:
        models: The models.
        scores: ``(weights,)`` out-of-fold predictions, one for each published weights.
    """
    weights = models.weights
    a, b = np.triu_indices(len(weights.tag), k=1)
    alike = weights.tag[a] == weights.tag[b]
    family = models.family[weights.model]
    between = alike & (family[a] != family[b])
    own = weights.tag[a] == "in1k"  # "the authors' own": their recipes are of many years
    return {
        "one_recipe": pairs_tau(weights.top1, scores, a[alike], b[alike]),
        "between_families": pairs_tau(weights.top1, scores, a[between], b[between]),
        "named_recipes": pairs_tau(weights.top1, scores, a[alike & ~own], b[alike & ~own]),
        "named_between": pairs_tau(weights.top1, scores, a[between & ~own], b[between & ~own]),
    }


def pairs_tau(true: np.ndarray, predicted: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """Kendall's tau-b over some pairs: of all pairs it is the usual one."""
    truth, guess = np.sign(true[a] - true[b]), np.sign(predicted[a] - predicted[b])
    return float((truth * guess).sum() / np.sqrt((truth**2).sum() * (guess**2).sum()))
