"""Several runs compared: means, bands, and a paired test."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from archpredict._typing import FloatArray
from archpredict.errors import UsageError
from archpredict.pages.charts import band, chart, line, points
from archpredict.pages.parts import Cards, Chart, Item, Page, Section, Sheet, Text
from archpredict.runs.history import running_best
from archpredict.runs.page import items_of
from archpredict.runs.record import RunRecord
from archpredict.spaces.base import SearchSpace

__all__ = ["Paired", "comparison_page", "paired"]

_MOST_FLIPS = 10_000


@dataclass(frozen=True)
class Paired:
    """Two groups of runs compared seed by seed.

    Args:
        first, second: What the groups are called.
        pairs: Number of seeds that both have.
        difference: Mean of the first minus the second.
        p: Of a two-sided test by all changes of signs; None for fewer than two pairs.
    """

    first: str
    second: str
    pairs: int
    difference: float
    p: float | None


def paired(first: Mapping[object, float], second: Mapping[object, float], names: tuple[str, str]) -> Paired:
    """Compare what is equal but for one thing: runs of the same seeds.

    The test changes the signs of the differences (Fisher, 1935): exact where there are few pairs, else by 10,000 draws.

    Args:
        first: Best scores by seed.
        second: Those of the other group.
        names: Of both.

    Raises:
        UsageError: They have no seed in common.

    Example:
        >>> scores = {0: 1.0, 1: 2.0, 2: 3.0}
        >>> found = paired({seed: score + 1 for seed, score in scores.items()}, scores, ("a", "b"))
        >>> found.pairs, found.difference, found.p
        (3, 1.0, 0.25)
    """
    seeds = [seed for seed in first if seed in second]
    if not seeds:
        raise UsageError(f"{names[0]} and {names[1]} have no seed in common, so they cannot be compared in pairs")
    differences = np.array([first[seed] - second[seed] for seed in seeds])
    if len(seeds) < 2 or not differences.any():
        return Paired(*names, len(seeds), float(differences.mean()), None if len(seeds) < 2 else 1.0)
    from scipy.stats import permutation_test

    found = permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        n_resamples=_MOST_FLIPS,
        rng=np.random.default_rng(0),
    )
    return Paired(*names, len(seeds), float(differences.mean()), float(found.pvalue))


def comparison_page(records: Sequence[RunRecord], space: SearchSpace | None = None) -> Page:
    """The page of several runs of one space and evaluator.

    Args:
        records: The runs.
        space: Their space, for drawings and costs.

    Raises:
        UsageError: They are of several spaces or evaluators, or have several objectives.
    """
    _check(records)
    groups = grouped(records)
    sign = records[0].objectives[0].sign if records[0].objectives else 1
    items: list[Item] = []
    offsets = []
    for record in records:
        offsets.append(len(items))
        items += items_of(record, space if len(records) <= _MOST_DRAWN_RUNS else None, f"{record.name}: ")
    places = {id(record): offset for record, offset in zip(records, offsets, strict=True)}
    name = records[0].objectives[0].name if records[0].objectives else "score"
    best = {group: {r.seed: sign * _best(r) for r in found if _has_score(r)} for group, found in groups.items()}
    return Page(
        f"{len(records)} runs of {records[0].settings.get('space')}",
        ", ".join(f"{group}: {len(found)}" for group, found in groups.items()),
        [
            Section("Comparison", [_cards(best), _curves(groups, sign, name), _points(groups, places, sign, name)]),
            Section("Pairs", _tests(best)),
            Section("Runs", [_runs(groups, sign, name)]),
        ],
        items,
    )


_MOST_DRAWN_RUNS = 20


def grouped(records: Sequence[RunRecord]) -> dict[str, list[RunRecord]]:
    """Runs by strategy, those of one strategy by their options too."""
    told: dict[str, set[str]] = {}
    for record in records:
        told.setdefault(_strategy(record), set()).add(_options(record))
    found: dict[str, list[RunRecord]] = {}
    for record in records:
        strategy = _strategy(record)
        name = strategy if len(told[strategy]) == 1 else f"{strategy} {_options(record)}"
        found.setdefault(name, []).append(record)
    return found


def _strategy(record: RunRecord) -> str:
    return str(record.settings.get("strategy", "?"))


def _options(record: RunRecord) -> str:
    return json.dumps(record.settings.get("options", {}), sort_keys=True)


def _check(records: Sequence[RunRecord]) -> None:
    for what in ("space", "evaluator", "objectives"):
        texts = {json.dumps(r.settings.get(what), sort_keys=True) for r in records}
        if len(texts) > 1:
            raise UsageError(
                f"the runs have {len(texts)} different settings of the {what}, so their scores are not comparable: "
                f"{'; '.join(sorted(texts))[:300]}; compare runs that agree in it"
            )
    if len(records[0].objectives) > 1:
        raise UsageError("runs with several objectives have no one score to compare; look at the page of each")


def _has_score(record: RunRecord) -> bool:
    return any(e.score is not None for e in record.evaluations)


def _best(record: RunRecord) -> float:
    return max(e.score for e in record.evaluations if e.score is not None)


def _cards(best: Mapping[str, Mapping[object, float]]) -> Cards:
    rows = []
    for group, scores in best.items():
        values = list(scores.values())
        spread = f" ± {np.std(values, ddof=1):.4g}" if len(values) > 1 else ""
        rows.append((group, f"{np.mean(values):.6g}{spread}" if values else "-"))
    return Cards(rows)


def curve_of(records: Sequence[RunRecord], sign: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Numbers of evaluations that all runs have, and mean and standard deviation of the best so far there."""
    length = min(len(r.evaluations) for r in records)
    rows = np.array([[sign * v for v in running_best(e.score for e in r.evaluations[:length])] for r in records])
    rows = rows.reshape(len(records), length)
    std = rows.std(axis=0, ddof=1) if len(records) > 1 else np.zeros(length)
    return np.arange(1.0, length + 1), rows.mean(axis=0), std


def _curves(groups: Mapping[str, Sequence[RunRecord]], sign: int, name: str) -> Chart:
    traces = []
    for colour, (group, runs) in enumerate(groups.items()):
        found = [record for record in runs if _has_score(record)]
        if not found:
            continue
        numbers, mean, std = curve_of(found, sign)
        x = numbers.tolist()
        if len(found) > 1:
            known = np.isfinite(mean)
            low, high = (mean - std)[known].tolist(), (mean + std)[known].tolist()
            traces.append(band(group, numbers[known].tolist(), low, high, colour))
        dash = ("solid", "dash", "dot", "dashdot")[colour % 4]
        traces.append(line(f"{group} ({len(found)})", x, mean.tolist(), colour, dash=dash))
    title = f"Best {name} over evaluations: mean and standard deviation of the runs"
    return chart(title, traces, "evaluations", name, f"{title}, by strategy.")


def _points(groups: Mapping[str, Sequence[RunRecord]], places: Mapping[int, int], sign: int, name: str) -> Chart:
    traces = []
    for colour, (group, found) in enumerate(groups.items()):
        x, y, items = list[float | None](), list[float | None](), list[int]()
        for record in found:
            for i, e in enumerate(record.evaluations):
                if e.score is not None:
                    x.append(e.number + 1)
                    y.append(sign * e.score)
                    items.append(places[id(record)] + i)
        symbol = ("circle", "square", "diamond", "triangle-up", "cross", "star")[colour % 6]
        traces.append(points(group, x, y, colour, items, symbol, 6))
    return chart("Every evaluation", traces, "evaluations", name, f"The {name} of every evaluation, by strategy.")


def _tests(best: Mapping[str, Mapping[object, float]]) -> list[Text | Sheet]:
    rows: list[list[float | str | None]] = []
    for a, b in combinations(best, 2):
        if any(seed in best[b] for seed in best[a]):
            found = paired(best[a], best[b], (a, b))
            rows.append([a, b, found.pairs, found.difference, found.p])
    if not rows:
        return []
    about = (
        "Best scores of runs with equal seeds, in pairs: the mean difference, and the probability of one as large if "
        "the strategies did not differ (two-sided, by all changes of the signs; with n pairs it is at least 2 in 2ⁿ)."
    )
    return [Text(about), Sheet("Pairs of strategies", ["first", "second", "pairs", "difference", "p"], rows)]


def _runs(groups: Mapping[str, Sequence[RunRecord]], sign: int, name: str) -> Sheet:
    rows = [
        [
            str(r.path), group, str(r.seed), sign * _best(r) if _has_score(r) else None, len(r.evaluations),
            sum(e.score is None for e in r.evaluations), sum(seconds for _, seconds in r.sessions),
        ]
        for group, found in groups.items()
        for r in found
    ]  # fmt: skip
    return Sheet("Runs", ["run", "strategy", "seed", f"best {name}", "evaluations", "failed", "seconds"], rows)
