"""The ranker of ONNX models: its figures on ImageNet classifiers, and the predictor that ships as ``imagenet``.

    python benchmarks/imagenet_ranker.py                 # figures of all methods, both protocols
    python benchmarks/imagenet_ranker.py --write         # ... then train on all models and write the predictor

Protocols (486 models of 40 families, label ``top1``). The ranker learns from all 592 published weights of the models of
the training set, each with its recipe (``_recipes.py``) and the mean of three readings of its accuracy, and from 200
subnets of MobileNetV3 with the accuracy that the Once-for-All predictor expects; others from the median over recipes.
Of a model that is tested it is told the recipe of the weights in question; ``under modern`` is the same ranker without.

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
import os
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _imagenet import (
    FOLDS,
    HOLDOUTS,
    KINDS,
    Labelled,
    Models,
    Splits,
    family_splits,
    holdout_splits,
    kind_of,
    load,
    load_cells,
    load_subnets,
    pairs_tau,
    recipe_figures,
)
from _protocols import add_data_option
from _recipes import RECIPES, STATED, SUPERNET
from _side_by_side import add_executor_options, executor_of, side_by_side
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from archpredict.graph.network_statistics import NAMES
from archpredict.graph.operators import total
from archpredict.metrics import kendall_tau
from archpredict.predict.parts import Part
from archpredict.predict.predictor import Predictor
from archpredict.predict.presets import preset

TARGET = Path(__file__).resolve().parent.parent / "archpredict" / "pretrained" / "imagenet"
MEANING = "ImageNet-1k top-1 accuracy in percent"
SHUFFLES, SUBNETS = (0, 1, 2), 200
NETWORKS = 0.2
"""Weight of graph networks beside the statistics models, where they are tried together."""
COSTS = ("log params", "log macs", "log activations of layers", "log input size")
Scores = dict[str, np.ndarray]
Figures = dict[str, dict[str, float]]


# ---------------------------------------------------------------------- methods


def scores_of(
    models: Models, subnets: Labelled, settings: dict[str, Any], networks: bool, split: tuple[np.ndarray, np.ndarray]
) -> Scores:
    """What each method says of the weights of the models of a test set, after learning from the training set."""
    train, _ = split
    x, y = models.statistics, models.median
    column = {name: x[:, NAMES.index(name)] for name in COSTS}
    costs = np.stack(list(column.values()), axis=1)
    ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13))).fit(costs[train], y[train])
    trees = ExtraTreesRegressor(500, max_features=0.33, random_state=0).fit(x[train], y[train])
    rows, of = tested(models, split), models.weights.model
    return {
        "parameters": column["log params"][of[rows]],
        "MACs": column["log macs"][of[rows]],
        "activations": column["log activations of layers"][of[rows]],
        "ridge on four costs": ridge.predict(costs)[of[rows]],
        "ExtraTrees on the statistics": trees.predict(x)[of[rows]],
        **_parts(models, subnets, settings, networks, split),
    }


def tested(models: Models, split: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Rows of the weights that are tested."""
    return np.flatnonzero(np.isin(models.weights.model, split[1]))


def fitted(models: Models, subnets: Labelled, settings: dict[str, Any], rows: np.ndarray) -> Predictor:
    """The ranker, learnt from some of the weights and the subnets."""
    weights = models.weights
    graphs = [*(models.graphs[weights.model[i]] for i in rows), *subnets.graphs]
    recipes = [*weights.recipe[rows], *[SUPERNET] * len(subnets.graphs)]
    ranker = preset("ranker").make(device="cpu", training__target="errors", **settings)
    labels = np.concatenate([weights.accuracy[rows], subnets.accuracy])
    return ranker.fit(graphs, labels, features={"recipe": recipes})


def _parts(
    models: Models, subnets: Labelled, settings: dict[str, Any], networks: bool, split: tuple[np.ndarray, np.ndarray]
) -> Scores:
    """The ranker and its parts."""
    weights, rows = models.weights, tested(models, split)
    whole = fitted(models, subnets, settings, np.flatnonzero(~np.isin(weights.model, split[1])))
    ensemble, graphs = whole.ensemble_, [models.graphs[weights.model[i]] for i in rows]
    # A recipe of a test family alone tells nothing.
    told = [recipe if recipe in whole.recipes_ else STATED for recipe in weights.recipe[rows]]
    inputs = whole.pack(graphs, {"recipe": told})
    members = ensemble.standardized(ensemble.member_scores(inputs))
    statistics = ensemble.latent(inputs)
    return {
        **{f"{name} on the statistics": scores for name, scores in zip(ensemble.regressors, members, strict=True)},
        **(_with_graph_networks(models, statistics, split) if networks else {}),
        f"the ranker, all under {STATED}": ensemble.latent(whole.pack(graphs)),
        "the ranker": statistics,
        "_predicted": whole.predict(inputs),
        "_std": whole.predict_std(inputs),
    }


def _with_graph_networks(models: Models, statistics: np.ndarray, split: tuple[np.ndarray, np.ndarray]) -> Scores:
    train, test = split
    by_model = np.zeros(len(models.graphs))
    by_model[test] = _graph_networks(models, train, test)
    graph = by_model[models.weights.model[tested(models, split)]]
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
    """Out-of-fold scores of all weights; of one shuffle."""
    result = {name: np.zeros(len(models.weights.top1)) for name in parts[0]}
    for scores, split in zip(parts, splits, strict=True):
        for name, values in scores.items():
            result[name][tested(models, split)] = values
    return result


def within_families(models: Models, scores: np.ndarray) -> float:
    families, sizes = np.unique(models.family, return_counts=True)
    rows = [models.family == family for family, size in zip(families, sizes, strict=True) if size >= 5]
    return float(np.mean([kendall_tau(models.top1[row], scores[row]) for row in rows]))


def means(shuffles: list[Scores], figures: Callable[[np.ndarray], dict[str, float]]) -> Figures:
    """Figures of each method's scores of all weights, as means over the shuffles."""
    found = {name: [figures(each[name]) for each in shuffles] for name in shuffles[0] if not name.startswith("_")}
    return {
        name: {figure: round(float(np.mean([each[figure] for each in values])), 4) for figure in values[0]}
        for name, values in found.items()
    }


def family_figures(models: Models, of_weights: np.ndarray) -> dict[str, float]:
    scores, better = of_weights[models.best], models.top1 >= np.median(models.top1)
    return {
        "kendall_tau": kendall_tau(models.top1, scores),
        "within_families": within_families(models, scores),
        "top_half": kendall_tau(models.top1[better], scores[better]),
    }


def kind_figures(models: Models, of_weights: np.ndarray) -> dict[str, float]:
    """Tau among the models of a kind, and over the pairs of one of them with one of another kind."""
    scores, kind = of_weights[models.best], np.array([kind_of(family) for family in models.family])
    a, b = np.triu_indices(len(kind), k=1)
    found = {}
    for name in ("convolutional", *KINDS):
        both, one = (kind[a] == name) & (kind[b] == name), (kind[a] == name) ^ (kind[b] == name)
        for where, pairs in (("among", both), ("with others", one)):
            found[f"{name}, {where}"] = pairs_tau(models.top1, scores, a[pairs], b[pairs])
    return found


def holdout_figures(models: Models, parts: list[Scores]) -> Figures:
    splits = list(holdout_splits(models))
    taus: dict[str, list[float]] = {name: [] for name in parts[0] if not name.startswith("_")}
    for scores, split in zip(parts, splits, strict=True):
        place = np.searchsorted(tested(models, split), models.best[split[1]])
        for name, values in taus.items():
            values.append(kendall_tau(models.top1[split[1]], scores[name][place]))
    rival = np.array(taus["ExtraTrees on the statistics"])
    found = {}
    for name, values in taus.items():
        above = np.array(values) - rival
        error = above.std(ddof=1) / np.sqrt(len(above))
        figures = {"kendall_tau": np.mean(values), "above_extra_trees": above.mean(), "standard_error": error}
        found[name] = {figure: round(float(value), 4) for figure, value in figures.items()}
    return found


def uncertainty(models: Models, shuffles: list[Scores]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Out-of-fold predictions, their standard deviations, and the labels they should have hit."""
    predicted = np.concatenate([scores["_predicted"] for scores in shuffles])
    std = np.concatenate([scores["_std"] for scores in shuffles])
    return predicted, std, np.tile(models.weights.top1, len(shuffles))


def coverage(error: np.ndarray, std: np.ndarray) -> dict[str, float]:
    from scipy.stats import norm

    return {
        f"{level}%": round(float((np.abs(error) < norm.ppf(0.5 + level / 200) * std).mean()), 3)
        for level in (50, 80, 90, 95)
    }


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
    add_executor_options(parser, jobs=os.cpu_count() or 1)
    parser.add_argument("--shuffles", type=int, nargs="+", default=SHUFFLES, help="of imagenet-family")
    parser.add_argument("--no-holdout", action="store_true", help="leave out imagenet-holdout")
    parser.add_argument(
        "--no-networks", action="store_true", help="leave out graph networks, which take most of the time"
    )
    parser.add_argument("--settings", type=json.loads, default={}, help="JSON: arguments of the ranker to change")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    start = time.perf_counter()
    models, subnets = load(arguments.data), load_subnets(arguments.data, SUBNETS, seed=0)
    print(f"{len(models.graphs)} models read in {time.perf_counter() - start:.1f} s", flush=True)
    executor = executor_of(arguments)

    def run(splits: Iterable[Any]) -> list[Scores]:
        task = (models, subnets, arguments.settings, not arguments.no_networks)
        return list(side_by_side(scores_of, ((split,) for split in splits), executor, task))

    splits = [family_splits(models, s) for s in arguments.shuffles]
    parts = run(split for shuffle in splits for split in shuffle)
    shuffles = [pooled(models, parts[i * FOLDS : (i + 1) * FOLDS], shuffle) for i, shuffle in enumerate(splits)]
    over = f"mean over shuffles {list(arguments.shuffles)}"
    family, recipe = means(shuffles, partial(family_figures, models)), means(shuffles, partial(recipe_figures, models))
    table(f"imagenet-family, {over}", family)
    table(f"imagenet-recipe, {over}", recipe)
    kinds = means(shuffles, partial(kind_figures, models))["the ranker"]
    print(f"\nby kind of network: {json.dumps(kinds)}")
    holdout: Figures = {}
    if not arguments.no_holdout:
        holdout = holdout_figures(models, run(holdout_splits(models)))
        table(f"imagenet-holdout, mean over {HOLDOUTS} hold-outs", holdout)
    figures = {"imagenet_family": family, "imagenet_recipe": recipe, "imagenet_holdout": holdout, "kinds": kinds}
    final = fitted(models, subnets, arguments.settings, np.arange(len(models.weights.top1)))
    print(f"\nof small networks: {json.dumps(small_networks(final, arguments.data))}")
    card = card_of(models, figures, calibrated(final, uncertainty(models, shuffles)))
    if arguments.write:
        write(final, card)
    print(f"{time.perf_counter() - start:.0f} s in all")


# ---------------------------------------------------------------------- what ships


def calibrated(final: Predictor, held_out: tuple[np.ndarray, np.ndarray, np.ndarray]) -> dict[str, Any]:
    """Correct the uncertainty by the out-of-fold errors; gives what became of it."""
    predicted, std, labels = held_out
    final.calibrate_std(predicted, std, labels)
    a, b = final.ensemble_.deviation
    error, corrected = predicted - labels, np.sqrt((a * std) ** 2 + b**2)
    figures = {"before": coverage(error, std), "after": coverage(error, corrected)}
    print(f"\nshare of labels inside intervals: {json.dumps(figures)}")
    print(f"mean absolute error {np.abs(error).mean():.2f} points, mean standard deviation {corrected.mean():.2f}")
    return {"intervals": figures["after"], "mean_absolute_error": round(float(np.abs(error).mean()), 2)}


def small_networks(ranker: Predictor, folder: Path) -> dict[str, float]:
    """Tau among subnets and cells that were not learnt from, by the ranker and by multiply-adds."""
    found = {}
    for name, test in (("subnets", load_subnets(folder, 400, seed=1)), ("cells", load_cells(folder, 400, seed=1))):
        macs = [total(graph, "macs") for graph in test.graphs]
        found[name] = round(kendall_tau(test.accuracy, ranker.predict(test.graphs)), 4)
        found[f"{name} by MACs"] = round(kendall_tau(test.accuracy, macs), 4)
    return found


def card_of(models: Models, figures: dict[str, Any], uncertain: dict[str, Any]) -> dict[str, Any]:
    top1 = models.weights.top1
    return {
        "space": "ONNX models",
        "meaning": MEANING,
        "labels": MEANING,
        "data": "486 ImageNet classifiers: graphs of timm 1.0.31 (Apache-2.0), 592 results of "
        "huggingface/pytorch-image-models@aa4b585 (Apache-2.0), three test sets each; and 200 subnets of MobileNetV3 "
        "with the accuracy predictor of mit-han-lab/once-for-all@698a5c1 (MIT)",
        "target": "top1 by recipe",
        "data_sha256": models.sha256,
        "rows": len(top1) + SUBNETS,
        "recipes": RECIPES,
        "script": "benchmarks/imagenet_ranker.py --write",
        "protocol": "imagenet-family: 5-fold by family, out-of-fold predictions pooled against the best published "
        "result by its recipe, mean over shuffles 0, 1, 2; imagenet-recipe: pairs of weights that share a recipe; "
        "imagenet-holdout: 24 hold-outs of a third of the families",
        "cross_validation": figures["imagenet_family"],
        **{name: figures[name] for name in ("imagenet_recipe", "imagenet_holdout", "kinds")},
        **uncertain,
        "range": [float(top1.min()), float(top1.max())],
        "not_for": "claims about the accuracy of one network; networks that are not image classifiers at ImageNet's "
        "resolution; unusual recipes; detectors, language models",
    }


def write(final: Predictor, card: dict[str, Any]) -> None:
    final.save(TARGET, card)
    (TARGET / "README.md").write_text(card_text(card), encoding="utf-8")
    size = sum(f.stat().st_size for f in TARGET.iterdir())
    print(f"written to {TARGET}, {size:,} bytes")


def card_text(card: dict[str, Any]) -> str:
    def rows(figures: Figures) -> str:
        names = list(next(iter(figures.values())))
        head = f"| | {' | '.join(name.replace('_', ' ') for name in names)} |\n|---|{'---|' * len(names)}\n"
        body = "\n".join(f"| {name} | {' | '.join(f'{row[n]:.3f}' for n in names)} |" for name, row in figures.items())
        return head + body

    intervals = ", ".join(f"{level} intervals hold {share:.1%}" for level, share in card["intervals"].items())
    error = f"mean absolute error {card['mean_absolute_error']} points"
    first, last = card["range"]
    recipes = "\n".join(f"| `{name}` | {words} |" for name, words in card["recipes"].items())
    kinds = "\n".join(f"| {name} | {tau:.3f} |" for name, tau in card["kinds"].items())
    holdout = f"\n`imagenet-holdout`:\n\n{rows(card['imagenet_holdout'])}\n" if card["imagenet_holdout"] else ""
    return f"""# imagenet

Ranks image classifiers, given as ONNX files, before they are trained. A score is {card["meaning"]}, under one stated
recipe of training ({STATED} if none is named):

| recipe | |
|---|---|
{recipes}

| | |
|---|---|
| data | {card["data"]}, {card["rows"]} rows |
| data SHA-256 | `{card["data_sha256"]}` (labels.csv, then the models in its order) |
| made by | `python {card["script"]}` |
| protocols | {card["protocol"]} |
| uncertainty | of labels of families that were not trained on: {intervals}; {error} |
| range | labels from {first:.1f} to {last:.1f}; scores beyond are extrapolated |
| not for | {card["not_for"]} |

A mixed model is its training set: the file holds the statistics of the graphs, a row for each of their results, and
standardised labels, without names.

`imagenet-family` (Kendall's tau-b, held-out families):

{rows(card["cross_validation"])}

`imagenet-recipe`:

{rows(card["imagenet_recipe"])}

The ranker on `imagenet-family`, by kind of network:

| pairs | kendall tau |
|---|---|
{kinds}
{holdout}"""


if __name__ == "__main__":
    main()
