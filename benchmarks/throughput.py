"""The predictor of speed: its figures on measured image classifiers, and the one that ships.

    python benchmarks/throughput.py            # figures of all methods, by setting
    python benchmarks/throughput.py --write    # ... then train on all models and write the predictor and its card

Protocol ``throughput-family``: 486 models of 40 families, 22 settings of device, precision, layout, runtime and mode;
``archpredict.predict.protocols.family_folds(families, s)``, out-of-fold predictions of each setting pooled; Kendall's
tau-b and mean absolute percentage error of images per second, mean over s = 0, 1, 2. Means over settings are over those
with at least 300 models. Every method learns from the other families alone. The batch size is the one measured with.

* ``MACs``: a line from the logarithm of multiply-adds to that of the speed.
* ``ridge on log costs``: parameters, multiply-adds, activations of layers, input size.
* ``ExtraTrees``: 100 trees on ``network_statistics``, for the logarithm of the speed.
* ``peaks``: the roofline at the device's peaks, with the coefficients that are usual before anything is measured.
* ``roofline``: with coefficients learnt in each setting. ``archpredict``: and the processes on statistics.
* ``borrowed``: nothing was measured in the setting; coefficients of the regime's other settings.

Settings of the predictor were chosen on seeds from 100 on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _protocols import add_data_option
from _throughput import SpeedData, load_speeds
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from archpredict.costs.known import known_settings, spread
from archpredict.costs.model import Numbers, SpeedModel
from archpredict.costs.numbers import numbers_of
from archpredict.costs.regimes import REGIMES, regime_of
from archpredict.costs.settings import Setting, device
from archpredict.costs.speed import SpeedPredictor
from archpredict.costs.storage import save_speed
from archpredict.costs.table import SpeedTable
from archpredict.costs.work import KINDS, work_of
from archpredict.graph.network_statistics import NAMES
from archpredict.metrics import kendall_tau
from archpredict.predict.protocols import family_folds

TARGET = Path(__file__).resolve().parent.parent / "archpredict" / "pretrained" / "speed"
SEEDS = (0, 1, 2)
FEWEST = 300
"""Models of a setting that counts in means over settings."""
FARTHEST = 8
COSTS = ("log params", "log macs", "log activations of layers", "log input size")
METHODS = ("MACs", "ridge on log costs", "ExtraTrees", "peaks", "borrowed", "roofline", "archpredict")


@dataclass(frozen=True)
class Run:
    """Out-of-fold logarithms of speeds, ``(S, G)`` by method, and half the width of intervals."""

    scores: dict[str, np.ndarray]
    half: np.ndarray


def main() -> None:
    """Print the figures; with ``--write`` also make what ships."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--trees", type=int, default=100, help="of ExtraTrees; 0 leaves them out")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    data = load_speeds(options.data)
    regimes = [regime_of(setting, device(setting.device)).name for setting in data.table.settings]
    start = time.process_time()
    numbers = numbers_of(data.graphs, data.table)
    runs = [_run(data, numbers, regimes, seed, options.trees) for seed in options.seeds]
    figures = _figures(data, runs)
    _print_settings(data.table.settings, figures)
    _print_summary(data.table, regimes, figures)
    _print_kinds(data, runs)
    _print_families(data, runs)
    print(f"CPU seconds: {time.process_time() - start:.0f}")
    if options.write:
        _write(data, figures)


# ---------------------------------------------------------------------- methods


def _run(data: SpeedData, numbers: Numbers, regimes: list[str], seed: int, trees: int) -> Run:
    speeds = data.table.speeds
    methods = [method for method in METHODS if trees or method != "ExtraTrees"]
    scores = {method: np.full(speeds.shape, np.nan) for method in methods}
    half = np.full(speeds.shape, np.nan)
    for train, test in family_folds(data.family.tolist(), seed):
        known = known_settings(numbers.rows(train), data.table.rows(train), regimes, data.family[train])
        model = SpeedModel.fit(numbers.rows(train), speeds[:, train], regimes)
        similar = model.similarity(numbers.statistics[test])
        for s in range(len(speeds)):
            terms, has = numbers.terms[s, test], np.isfinite(speeds[s, train])
            rows, labels = train[has], np.log(speeds[s, train][has])
            scores["archpredict"][s, test] = model.predict(s, terms, similar)
            scores["roofline"][s, test] = model.physics(s, terms)
            scores["peaks"][s, test] = -np.log(terms @ REGIMES[regimes[s]].prior)
            for name, said in _baselines(numbers.statistics, rows, labels, test, trees):
                scores[name][s, test] = said
            half[s, test] = known[s].width * spread(similar)
            others = np.where(np.arange(len(speeds))[:, None] == s, np.nan, speeds[:, train])
            scores["borrowed"][s, test] = _borrowed(numbers.rows(train), others, regimes, s).borrow(
                regimes[s], terms, similar
            )
    return Run(scores, half)


def _borrowed(numbers: Numbers, speeds: np.ndarray, regimes: list[str], setting: int) -> SpeedModel:
    """A model of the regime of a setting that is left out."""
    own = [s for s, regime in enumerate(regimes) if regime == regimes[setting] and s != setting]
    return SpeedModel.fit(Numbers(numbers.terms[own], numbers.statistics), speeds[own], [regimes[s] for s in own])


def _baselines(
    x: np.ndarray, rows: np.ndarray, labels: np.ndarray, test: np.ndarray, trees: int
) -> Iterator[tuple[str, np.ndarray]]:
    columns = [NAMES.index(name) for name in COSTS]
    for name, chosen in (("MACs", columns[1:2]), ("ridge on log costs", columns)):
        line = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13))).fit(x[rows][:, chosen], labels)
        yield name, line.predict(x[test][:, chosen])
    if trees:
        forest = ExtraTreesRegressor(trees, max_features=0.33, random_state=0).fit(x[rows], labels)
        yield "ExtraTrees", forest.predict(x[test])


# ---------------------------------------------------------------------- figures

Figures = dict[str, np.ndarray]
"""``(S, 2)`` by method, tau and error in percent; ``coverage`` ``(S, 2)``: share of speeds, and width of intervals."""


def _figures(data: SpeedData, runs: list[Run]) -> Figures:
    found: Figures = {}
    for method in runs[0].scores:
        each = [
            [_judged(row, said) for row, said in zip(data.table.speeds, r.scores[method], strict=True)] for r in runs
        ]
        found[method] = np.mean(each, axis=0)
    covered = [
        [
            (np.mean(np.abs(said - np.log(row))[has := np.isfinite(row)] <= half[has]), np.median(np.exp(half[has])))
            for row, said, half in zip(data.table.speeds, run.scores["archpredict"], run.half, strict=True)
        ]
        for run in runs
    ]
    found["coverage"] = np.mean(covered, axis=0)
    return found


def _judged(speeds: np.ndarray, said: np.ndarray) -> tuple[float, float]:
    has = np.isfinite(speeds)
    error = 100 * np.mean(np.abs(np.exp(said[has]) / speeds[has] - 1))
    return kendall_tau(speeds[has], said[has]), float(error)


def _print_settings(settings: tuple[Setting, ...], figures: Figures) -> None:
    methods = [name for name in figures if name != "coverage"]
    print("| setting | " + " | ".join(methods) + " | 90 % intervals hold |")
    print("|---|" + "---|" * (len(methods) + 1))
    for s, setting in enumerate(settings):
        cells = [f"{figures[name][s, 0]:.3f}, {figures[name][s, 1]:.1f} %" for name in methods]
        print(f"| {' '.join(setting.options)} | {' | '.join(cells)} | {100 * figures['coverage'][s, 0]:.1f} % |")


def _print_summary(table: SpeedTable, regimes: list[str], figures: Figures) -> None:
    many = np.array([*table.counts().values()]) >= FEWEST
    groups = {name: many & np.array([regime == name for regime in regimes]) for name in REGIMES}
    groups["GPUs, inference"] = groups["compiled"] | groups["eager"]
    groups["GPUs"] = groups["GPUs, inference"] | groups["training"]
    print("\n| regime | settings | " + " | ".join(figures) + " |")
    print("|---|---|" + "---|" * len(figures))
    for name, where in groups.items():
        cells = [
            f"{100 * values[where, 0].mean():.1f} %, factor {values[where, 1].mean():.2f}"
            if method == "coverage"
            else f"{values[where, 0].mean():.3f}, {values[where, 1].mean():.1f} %"
            for method, values in figures.items()
        ]
        print(f"| {name} | {int(where.sum())} | {' | '.join(cells)} |")


def _print_kinds(data: SpeedData, runs: list[Run]) -> None:
    """Error of the predictor by the kind of kernel that a network has most traffic in or arithmetic of."""
    work = work_of(data.graphs)
    marks = {
        "depthwise convolutions": ("conv depthwise", "conv large depthwise"),
        "large depthwise kernels": ("conv large depthwise",),
        "grouped convolutions": ("conv grouped",),
        "attention": ("attention",),
        "products of activations": ("matmul",),
        "layer norms": ("layer norm",),
        "group norms": ("group norm",),
        "unnamed functions": ("function",),
        "permutations": ("permute",),
        "global pools (squeeze and excitation)": ("reduce",),
        "biased attention": (),
    }
    print("\n| models with | models | " + " | ".join(REGIMES) + " |")
    print("|---|---|" + "---|" * len(REGIMES))
    for name, kinds in marks.items():
        here = work.sums(work.is_kind(*kinds) if kinds else work.biased, work.kind >= 0) > (3 if kinds else 0)
        print(f"| {name} | {int(here.sum())} | {' | '.join(_errors(data, runs, here))} |")
    print(f"| all | {len(data.graphs)} | {' | '.join(_errors(data, runs, np.ones(len(data.graphs), bool)))} |")
    assert set().union(*marks.values()) <= set(KINDS)


def _print_families(data: SpeedData, runs: list[Run]) -> None:
    """Families of models that are farthest off in each regime: predicted over measured speed."""
    print("\n| regime | families that are farthest off, predicted over measured speed |")
    print("|---|---|")
    for name in REGIMES:
        rows = _rows_of(data, name)
        errors = np.mean([run.scores["archpredict"][rows] for run in runs], axis=0) - np.log(data.table.speeds[rows])
        means = {
            family: float(np.nanmean(errors[:, data.family == family]))
            for family in np.unique(data.family)
            if np.isfinite(errors[:, data.family == family]).any()
        }
        far = sorted(means, key=lambda family: -abs(means[family]))[:FARTHEST]
        print(f"| {name} | {', '.join(f'{family} {np.exp(means[family]):.2f}' for family in far)} |")


def _rows_of(data: SpeedData, name: str) -> list[int]:
    """Settings of a regime."""
    regimes = [regime_of(setting, device(setting.device)).name for setting in data.table.settings]
    return [s for s, regime in enumerate(regimes) if regime == name]


def _errors(data: SpeedData, runs: list[Run], where: np.ndarray) -> Iterator[str]:
    for name in REGIMES:
        rows = [
            s
            for s, setting in enumerate(data.table.settings)
            if regime_of(setting, device(setting.device)).name == name
        ]
        speeds = data.table.speeds[np.ix_(rows, where)]
        ratios = [np.exp(run.scores["archpredict"][np.ix_(rows, where)]) / speeds for run in runs]
        error, bias = np.nanmean(np.abs(np.array(ratios) - 1)), np.exp(np.nanmean(np.log(ratios)))
        yield f"{100 * error:.1f} %, {bias:.2f}" if np.isfinite(error) else "-"


# ---------------------------------------------------------------------- what ships


def _write(data: SpeedData, figures: Figures) -> None:
    predictor = SpeedPredictor().fit(data.graphs, data.table, data.family.tolist())
    save_speed(predictor, TARGET / "speed.safetensors")
    rows = [
        f"| {' '.join(known.setting.options)} | {known.models} | {known.smallest} to {known.largest} "
        f"| {figures['archpredict'][s, 0]:.3f} | {figures['archpredict'][s, 1]:.1f} % "
        f"| {100 * figures['coverage'][s, 0]:.1f} % |"
        for s, known in enumerate(predictor.known_)
    ]
    card = _CARD.format(
        sha256=data.sha256,
        rows="\n".join(rows),
        speeds=int(np.isfinite(data.table.speeds).sum()),
        models=len(data.graphs),
        families=len(np.unique(data.family)),
    )
    (TARGET / "README.md").write_text(card, encoding="utf-8")
    print(json.dumps({"written": str(TARGET.name), "settings": len(rows)}))


_CARD = """# speed

Images per second of image classifiers, given as ONNX files, on the devices below: a roofline of their kernels,
weighed for each setting, and Gaussian processes on statistics of the graph (`archpredict.costs`; figures of the parts
in `docs/speed.md`).

| | |
|---|---|
| data | {speeds:,} measured speeds of {models} models of {families} families |
| graphs | timm 1.0.31 (Apache-2.0) |
| speeds | huggingface/pytorch-image-models@aa4b585, `results/` (Apache-2.0), by one person with one script |
| data SHA-256 | `{sha256}` (throughput.csv.gz) |
| made by | `python benchmarks/throughput.py --write` |
| protocol | throughput-family: families left out, five folds, mean over seeds 0, 1, 2 |
| facts of devices | `devices.json`, with the source of each |
| not for | other devices; batch sizes far from those that were measured; networks that are not image classifiers |

With torch 2.9, networks were measured after their parallel linear branches (MobileOne, RepVGG) had been merged, with
older versions as they were trained.
`speed.safetensors` holds coefficients, and the statistics of the 486 graphs without their names.

| setting | models | batch sizes | Kendall tau | error | 90 % intervals hold |
|---|---|---|---|---|---|
{rows}
"""


if __name__ == "__main__":
    main()
