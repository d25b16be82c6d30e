"""The image classifiers that rankers are measured on: graphs, labels, published weights, and how they are split."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.model_selection import GroupKFold

from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.network_statistics import network_statistics
from archpredict.onnx.reader import read

__all__ = ["Models", "Splits", "Weights", "family_splits", "holdout_splits", "load", "pairs_tau", "recipe_figures"]

FOLDS, HOLDOUTS = 5, 24
Splits = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Weights:
    """Published weights, a row each: ``model`` is the row of the graph, ``tag`` the recipe as it is published."""

    model: np.ndarray
    tag: np.ndarray
    kind: np.ndarray
    top1: np.ndarray


@dataclass(frozen=True)
class Models:
    """Graphs with what is known of them, a row each; the same architecture may have several weights."""

    names: np.ndarray
    graphs: list[ArchGraph]
    statistics: np.ndarray
    top1: np.ndarray
    median: np.ndarray
    family: np.ndarray
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
    return Models(
        names=np.array([row["architecture"] for row in rows]),
        graphs=graphs,
        statistics=np.array([network_statistics(graph) for graph in graphs]),
        top1=np.array([float(row["top1"]) for row in rows]),
        median=np.array([float(row["top1_median"]) for row in rows]),
        family=np.array([row["family"] for row in rows]),
        weights=_weights(home, [row["file"] for row in rows]),
        sha256=digest.hexdigest(),
    )


def _weights(home: Path, files: list[str]) -> Weights:
    rows, place = _rows(home / "recipes.csv"), {file: i for i, file in enumerate(files)}
    return Weights(
        model=np.array([place[row["file"]] for row in rows]),
        tag=np.array([row["tag"] for row in rows]),
        kind=np.array([row["kind"] for row in rows]),
        top1=np.array([float(row["top1"]) for row in rows]),
    )


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


# ---------------------------------------------------------------------- protocols


def family_splits(models: Models, shuffle: int) -> Splits:
    folds = GroupKFold(FOLDS, shuffle=True, random_state=shuffle)
    return list(folds.split(models.top1, groups=models.family))


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
