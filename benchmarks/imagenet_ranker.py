"""The ranker of ONNX models: its figures on ImageNet classifiers, and the predictor that ships as ``imagenet``.

    python benchmarks/imagenet_ranker.py                 # figures of all methods, both protocols
    python benchmarks/imagenet_ranker.py --write         # ... then train on all models and write the predictor

Protocols (486 models of 40 families, label ``top1``; training on ``top1_median``, the median over recipes):

* ``imagenet-family``: 5-fold ``GroupKFold(shuffle=True, random_state=s)`` by family, out-of-fold predictions pooled,
  Kendall's tau-b, mean over s = 0, 1, 2; also within families of at least 5 models (mean of their taus), and among the
  better half of all models.
* ``imagenet-recipe``: of the same predictions, tau over the pairs of the 592 published weights of these models that
  share a recipe, and over those of them whose families differ. Weights without the name of a recipe (the authors' own)
  count as one recipe, though they are of many years; ``named`` is without them.
* ``imagenet-holdout``: 24 random hold-outs of a third of the families, ``default_rng(s).permutation``; mean tau and the
  paired difference to ExtraTrees on the same statistics.

Settings were chosen on other shuffles (s of at least 10) of the same models.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _imagenet import FOLDS, HOLDOUTS, Models, Splits, family_splits, holdout_splits, load, recipe_figures
from _protocols import add_data_option
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from archpredict.graph.network_statistics import NAMES
from archpredict.metrics import kendall_tau
from archpredict.predict.parts import Part
from archpredict.predict.presets import preset

TARGET = Path(__file__).resolve().parent.parent / "archpredict" / "pretrained" / "imagenet"
MEANING = "ImageNet-1k top-1 accuracy in percent, as the median over published training recipes"
SHUFFLES = (0, 1, 2)
NETWORKS = 0.2
"""Weight of graph networks beside the statistics models, where they are tried together."""
COSTS = ("log params", "log macs", "log activations of layers", "log input size")
Scores = dict[str, np.ndarray]


# ---------------------------------------------------------------------- methods


def scores_of(models: Models, settings: dict[str, Any], networks: bool, split: tuple[np.ndarray, np.ndarray]) -> Scores:
    """What each method says of the models of a test set, after learning from the training set."""
    train, test = split
    x, y = models.statistics, models.median
    column = {name: x[:, NAMES.index(name)] for name in COSTS}
    costs = np.stack(list(column.values()), axis=1)
    ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13))).fit(costs[train], y[train])
    trees = ExtraTreesRegressor(500, max_features=0.33, random_state=0).fit(x[train], y[train])
    return {
        "parameters": column["log params"][test],
        "MACs": column["log macs"][test],
        "activations": column["log activations of layers"][test],
        "ridge on four costs": ridge.predict(costs[test]),
        "ExtraTrees on the statistics": trees.predict(x[test]),
        **_parts(models, settings, networks, train, test),
    }


def _parts(models: Models, settings: dict[str, Any], networks: bool, train: np.ndarray, test: np.ndarray) -> Scores:
    """The ranker and its parts."""
    whole = preset("ranker").make(device="cpu", **settings).fit([models.graphs[i] for i in train], models.median[train])
    ensemble = whole.ensemble_
    inputs = whole.pack([models.graphs[i] for i in test])
    members = ensemble.standardized(ensemble.member_scores(inputs))
    named = dict(zip(ensemble.regressors, members[len(ensemble.models) :], strict=True))
    statistics = ensemble.latent(inputs)
    return {
        **{f"{name} on the statistics": scores for name, scores in named.items()},
        **(_with_graph_networks(models, statistics, train, test) if networks else {}),
        "the ranker: statistics models": statistics,
        "_predicted": whole.predict(inputs),
        "_std": whole.predict_std(inputs),
    }


def _with_graph_networks(models: Models, statistics: np.ndarray, train: np.ndarray, test: np.ndarray) -> Scores:
    graph = _graph_networks(models, train, test)
    return {
        "graph networks alone": graph,
        "statistics models and graph networks": (1 - NETWORKS) * statistics + NETWORKS * graph,
    }


def _graph_networks(models: Models, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Networks that read nothing but the graph, with the settings that were best on shuffles 10 and 11."""
    networks = (
        preset("ranker")
        .make(
            encoder=Part("comp-graph", dim=32, layers=0),
            head=Part("regression", hidden=64, dropout=0.3),
            sources=(),
            regressors=None,
            ensemble=3,
            training__epochs=20,
            training__batch_size=16,
            training__weight_decay=0.1,
            training__betas=(0.9, 0.99),
            device="cpu",
        )
        .fit([models.graphs[i] for i in train], models.median[train])
    )
    return networks.ensemble_.latent(networks.pack([models.graphs[i] for i in test]))


# ---------------------------------------------------------------------- figures


def pooled(models: Models, parts: list[Scores], splits: Splits) -> Scores:
    """Out-of-fold scores of all models; of one shuffle."""
    result = {name: np.zeros(len(models.top1)) for name in parts[0]}
    for scores, (_, test) in zip(parts, splits, strict=True):
        for name, values in scores.items():
            result[name][test] = values
    return result


def within_families(models: Models, scores: np.ndarray) -> float:
    families, sizes = np.unique(models.family, return_counts=True)
    rows = [models.family == family for family, size in zip(families, sizes, strict=True) if size >= 5]
    return float(np.mean([kendall_tau(models.top1[row], scores[row]) for row in rows]))


def family_figures(models: Models, shuffles: list[Scores]) -> dict[str, dict[str, float]]:
    better = models.top1 >= np.median(models.top1)

    def mean(figure: Callable[[np.ndarray], float], name: str) -> float:
        return round(float(np.mean([figure(scores[name]) for scores in shuffles])), 4)

    return {
        name: {
            "kendall_tau": mean(lambda s: kendall_tau(models.top1, s), name),
            "within_families": mean(lambda s: within_families(models, s), name),
            "top_half": mean(lambda s: kendall_tau(models.top1[better], s[better]), name),
        }
        for name in shuffles[0]
        if not name.startswith("_")
    }


def of_recipes(models: Models, shuffles: list[Scores]) -> dict[str, dict[str, float]]:
    figures = {
        name: [recipe_figures(models, scores[name][models.weights.model]) for scores in shuffles]
        for name in shuffles[0]
        if not name.startswith("_")
    }
    return {
        name: {figure: round(float(np.mean([each[figure] for each in found])), 4) for figure in found[0]}
        for name, found in figures.items()
    }


def holdout_figures(models: Models, parts: list[Scores]) -> dict[str, dict[str, float]]:
    splits = list(holdout_splits(models))
    taus = {
        name: np.array([kendall_tau(models.top1[test], p[name]) for p, (_, test) in zip(parts, splits, strict=True)])
        for name in parts[0]
        if not name.startswith("_")
    }
    rival = taus["ExtraTrees on the statistics"]
    return {
        name: {
            "kendall_tau": round(float(tau.mean()), 4),
            "above_extra_trees": round(float((tau - rival).mean()), 4),
            "standard_error": round(float((tau - rival).std(ddof=1) / np.sqrt(len(tau))), 4),
        }
        for name, tau in taus.items()
    }


def uncertainty(models: Models, shuffles: list[Scores]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Out-of-fold predictions, their standard deviations, and the labels they should have hit."""
    predicted = np.concatenate([scores["_predicted"] for scores in shuffles])
    std = np.concatenate([scores["_std"] for scores in shuffles])
    return predicted, std, np.tile(models.median, len(shuffles))


def coverage(error: np.ndarray, std: np.ndarray) -> dict[str, float]:
    from scipy.stats import norm

    return {
        f"{level}%": round(float((np.abs(error) < norm.ppf(0.5 + level / 200) * std).mean()), 3)
        for level in (50, 80, 90, 95)
    }


def run(models: Models, settings: dict[str, Any], networks: bool, jobs: int, splits: list[Any]) -> list[Scores]:
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        return pool.map(partial(scores_of, models, settings, networks), splits, chunksize=1)


def table(title: str, figures: dict[str, dict[str, float]]) -> None:
    print(f"\n{title}")
    names = list(next(iter(figures.values())))
    print(f"{'':42s}" + "".join(f"{name:>19s}" for name in names))
    for name, row in figures.items():
        print(f"{name:42s}" + "".join(f"{row[n]:19.4f}" for n in names), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--write", action="store_true", help="train on all models and write the predictor")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)")
    parser.add_argument("--shuffles", type=int, nargs="+", default=SHUFFLES, help="of imagenet-family")
    parser.add_argument("--no-holdout", action="store_true", help="leave out imagenet-holdout")
    parser.add_argument(
        "--no-networks", action="store_true", help="leave out graph networks, which take most of the time"
    )
    parser.add_argument("--settings", type=json.loads, default={}, help="JSON: arguments of the ranker to change")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    networks = not arguments.no_networks
    start = time.perf_counter()
    models = load(arguments.data)
    print(f"{len(models.graphs)} models read in {time.perf_counter() - start:.1f} s", flush=True)
    splits = [family_splits(models, s) for s in arguments.shuffles]
    parts = run(
        models, arguments.settings, networks, arguments.jobs, [split for shuffle in splits for split in shuffle]
    )
    shuffles = [pooled(models, parts[i * FOLDS : (i + 1) * FOLDS], shuffle) for i, shuffle in enumerate(splits)]
    family = family_figures(models, shuffles)
    table(f"imagenet-family, mean over shuffles {list(arguments.shuffles)}", family)
    recipe = of_recipes(models, shuffles)
    table(f"imagenet-recipe, mean over shuffles {list(arguments.shuffles)}", recipe)
    holdout = {}
    if not arguments.no_holdout:
        held = run(models, arguments.settings, networks, arguments.jobs, list(holdout_splits(models)))
        holdout = holdout_figures(models, held)
        table(f"imagenet-holdout, mean over {HOLDOUTS} hold-outs", holdout)
    write(models, arguments.settings, family, holdout, uncertainty(models, shuffles), save=arguments.write)
    print(f"{time.perf_counter() - start:.0f} s in all")


# ---------------------------------------------------------------------- what ships


def write(
    models: Models, settings: dict[str, Any], family: Any, holdout: Any, held_out: tuple[Any, Any, Any], *, save: bool
) -> None:
    """Train on all models, correct the uncertainty by the out-of-fold errors, and write predictor and card."""
    start = time.perf_counter()
    final = preset("ranker").make(device="cpu", **settings).fit(models.graphs, models.median)
    seconds = time.perf_counter() - start
    predicted, std, labels = held_out
    final.calibrate_std(predicted, std, labels)
    a, b = final.ensemble_.deviation
    error, corrected = predicted - labels, np.sqrt((a * std) ** 2 + b**2)
    figures = {"before": coverage(error, std), "after": coverage(error, corrected)}
    print(f"\ntrained on all in {seconds:.1f} s; share of labels inside intervals: {json.dumps(figures)}")
    print(f"mean absolute error {np.abs(error).mean():.2f} points, mean standard deviation {corrected.mean():.2f}")
    if not save:
        return
    card = {
        "space": "ONNX models",
        "meaning": MEANING,
        "labels": MEANING,
        "data": "486 ImageNet classifiers: graphs of timm 1.0.31 (Apache-2.0), results of "
        "huggingface/pytorch-image-models@aa4b585 (Apache-2.0); column top1_median",
        "target": "top1_median",
        "data_sha256": models.sha256,
        "rows": len(models.graphs),
        "script": "benchmarks/imagenet_ranker.py --write",
        "protocol": "imagenet-family: 5-fold by family, out-of-fold predictions pooled against the best published "
        "result, mean over shuffles 0, 1, 2; imagenet-holdout: 24 hold-outs of a third of the families",
        "cross_validation": family,
        "imagenet_holdout": holdout,
        "intervals": figures["after"],
        "mean_absolute_error": round(float(np.abs(error).mean()), 2),
        "range": [float(models.median.min()), float(models.median.max())],
        "not_for": "claims about the accuracy of one network; networks that are not image classifiers at ImageNet's "
        "resolution; results of pre-training on more data, distillation or unusual recipes; detectors, language models",
    }
    final.save(TARGET, card)
    (TARGET / "README.md").write_text(card_text(card), encoding="utf-8")
    size = sum(f.stat().st_size for f in TARGET.iterdir())
    print(f"written to {TARGET}, {size:,} bytes")


def card_text(card: dict[str, Any]) -> str:
    def rows(figures: dict[str, dict[str, float]]) -> str:
        names = list(next(iter(figures.values())))
        head = f"| | {' | '.join(name.replace('_', ' ') for name in names)} |\n|---|{'---|' * len(names)}\n"
        body = "\n".join(f"| {name} | {' | '.join(f'{row[n]:.3f}' for n in names)} |" for name, row in figures.items())
        return head + body

    intervals = ", ".join(f"{level} intervals hold {share:.1%}" for level, share in card["intervals"].items())
    error = f"mean absolute error {card['mean_absolute_error']} points"
    first, last = card["range"]
    holdout = f"\n`imagenet-holdout`:\n\n{rows(card['imagenet_holdout'])}\n" if card["imagenet_holdout"] else ""
    return f"""# imagenet

Ranks image classifiers, given as ONNX files, before they are trained. A score is {card["meaning"]}.

| | |
|---|---|
| data | {card["data"]}, {card["rows"]} rows |
| data SHA-256 | `{card["data_sha256"]}` (labels.csv, then the models in its order) |
| made by | `python {card["script"]}` |
| protocols | {card["protocol"]} |
| uncertainty | of labels of families that were not trained on: {intervals}; {error} |
| range | labels from {first:.1f} to {last:.1f}; scores beyond are extrapolated |
| not for | {card["not_for"]} |

A Gaussian process is its training set: the file holds the statistics of the {card["rows"]} graphs and their
standardised labels, without names.

`imagenet-family` (Kendall's tau-b, held-out families):

{rows(card["cross_validation"])}
{holdout}"""


if __name__ == "__main__":
    main()
