"""The protocol ``transfer``: order the architectures of a space by what labels of other spaces say, without a label.

    OMP_NUM_THREADS=1 python benchmarks/transfer.py            # figures, seeds 0 to 2
    OMP_NUM_THREADS=1 python benchmarks/transfer.py --proxies 200 --seeds 0  # synflow and naswot beside
    OMP_NUM_THREADS=1 python benchmarks/transfer.py --constants  # what a choice of the constants would be worth
    OMP_NUM_THREADS=1 python benchmarks/transfer.py --search --sources nasbench101 --seeds $(seq 0 19)
    OMP_NUM_THREADS=1 python benchmarks/transfer.py --write    # make the transfer model that ships

Six sources, 2,000 labelled architectures each (DARTS 1,218), each left out in turn, and two pairs; 2,000 architectures
of the target, of which nothing but the networks is known. Spearman and Kendall's tau-b, mean and deviation over seeds.
Beside the rule: parameters, multiply-adds, the one statistic of networks that goes best with the labels of the sources.
With ``--proxies N`` the zero-cost proxies synflow and naswot too, and all of it on the first N architectures of each
target alone, for they take seconds each.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
from _protocols import add_data_option
from _spaces import SOURCES, Labelled, labelled

from archpredict.metrics import kendall_tau, spearman
from archpredict.predict.batch import Batch
from archpredict.predict.protocols import load_protocol
from archpredict.predict.transfer.known import KnownSpace, Sample, marks
from archpredict.predict.transfer.model import TransferModel
from archpredict.predict.transfer.moments import COLUMNS, Moments, numbers_of
from archpredict.predict.transfer.rule import RULES, Rule, coefficients, in_units, trust_in
from archpredict.predict.transfer.shipped import SHIPPED, shipped_model
from archpredict.proxies.base import Proxy
from archpredict.registry import resolve
from archpredict.spaces.base import load_space

SIZE = 2000
COMPARED_ON = 100
"""Seed of the architectures that constants are compared on."""
SPACES = tuple(name for name in SOURCES if "=" not in name)
WHOLE = {"once-for-all r=224": "once-for-all"}
"""Targets that are part of a source, and that source."""
PAIRS = (("nasbench101", "nasbench201"), ("nasbench201", "nasbench101"))
UNLICENSED = ("nasbench101",)
"""Sources that nothing that ships learns from."""
BUILT_IN = ("darts", "enas", "mobilenetv3", "nasbench-macro", "nasbench101", "nasbench201")
SIZES: Mapping[str, Mapping[str, float]] = {
    "macs": {"log macs": 1.0},
    "macs, layers": {"log macs": 1.0, "log layers": 0.5},
    "macs, params, layers": {"log macs": 1.0, "log params": 0.25, "log layers": 0.5},
}
GRID = {
    "reach": (0.4, 0.5, 0.6, 0.8),
    "prior": (0.1, 0.2, 0.3),
    "shrinkage": (0.03, 0.1, 0.3),
    "own_scale": (0.0, 0.5, 1.0),
    "size": tuple(SIZES),
}


Method = Callable[["Spaces", str, list[str]], np.ndarray]
"""Scores of a target's architectures, by the name of the target and those of the sources."""


class Spaces:
    """Numbers and labels of each space for one seed, kept in a folder once they are computed."""

    def __init__(self, data: Path, cache: Path, seed: int) -> None:
        self.data, self.cache, self.seed = data, cache, seed
        self._numbers: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def rows(self, name: str) -> Labelled:
        every = labelled(name, self.data)
        return every.rows(np.random.default_rng(self.seed).permutation(len(every.labels))[:SIZE])

    def numbers(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """``(n, F)`` numbers and ``(n,)`` labels."""
        if name not in self._numbers:
            path = self.cache / f"transfer-{name.replace(' ', '-')}-{self.seed}.npz"
            if not path.is_file():
                drawn = self.rows(name)
                self.cache.mkdir(parents=True, exist_ok=True)
                np.savez(path, x=numbers_of(Batch.of(drawn.architectures)), y=drawn.labels, columns=np.array(COLUMNS))
            kept = np.load(path)
            if tuple(kept["columns"]) != COLUMNS:
                raise SystemExit(f"{path} holds other numbers; remove it")
            self._numbers[name] = (kept["x"], kept["y"])
        return self._numbers[name]

    def moments(self, name: str) -> Moments:
        return Moments.of(*self.numbers(name))

    def scores(self, target: str, sources: Sequence[str], rules: Sequence[Rule] = RULES) -> np.ndarray:
        """Zero-shot scores of the target's architectures: the mean by these rules."""
        x, _ = self.numbers(target)
        own = Moments.of(x)
        others = [self.moments(name) for name in SPACES if name != WHOLE.get(target, target)]
        known = [self.moments(name) for name in sources]
        trust = trust_in(known, [*others, own])
        weights = [in_units(coefficients(own, known, [*others, own], rule, trust), own) for rule in rules]
        return (x - own.mean) @ in_units(np.mean(weights, axis=0), own)


def others(target: str, *left_out: str) -> list[str]:
    """All sources but these and the one that the target is of."""
    return [name for name in SPACES if name not in {WHOLE.get(target, target), *left_out}]


def best_statistic(spaces: Spaces, target: str, sources: Sequence[str]) -> np.ndarray:
    """The statistic that goes best with the labels of the sources, on average, with its sign."""
    found = []
    for name in sources:
        moments = spaces.moments(name)
        spread = moments.spread
        found.append(np.divide(moments.of_labels, spread, out=np.zeros(len(spread)), where=spread > 0))
    mean = np.mean(found, axis=0)
    best = int(np.argmax(np.abs(mean)))
    return np.sign(mean[best]) * spaces.numbers(target)[0][:, best]


def figures(data: Path, folder: Path, seeds: Iterable[int], proxies: int) -> None:
    plan = [*((f"{a} -> {b}", b, [a]) for a, b in PAIRS), *((f"others -> {t}", t, others(t)) for t in SOURCES)]
    methods: dict[str, Method] = {
        "parameters": lambda spaces, t, _: spaces.numbers(t)[0][:, COLUMNS.index("log params")],
        "MACs": lambda spaces, t, _: spaces.numbers(t)[0][:, COLUMNS.index("log macs")],
        "best statistic of the sources": best_statistic,
        "archpredict": lambda spaces, t, sources: spaces.scores(t, sources),
    }
    if proxies:
        methods |= {name: proxy(name, proxies) for name in ("synflow", "naswot")}
    every = [Spaces(data, folder, seed) for seed in seeds]
    for title, target, sources in plan:
        for name, method in methods.items():
            rho, tau = [], []
            for spaces in every:
                found = method(spaces, target, sources)[: proxies or SIZE]
                labels = spaces.numbers(target)[1][: len(found)]
                rho.append(spearman(labels, found))
                tau.append(kendall_tau(labels, found))
            shown = f"{np.mean(rho):6.3f} ± {np.std(rho):.3f}   {np.mean(tau):6.3f} ± {np.std(tau):.3f}"
            print(f"{title:30} {name:30} Spearman, tau {shown}", flush=True)


def proxy(name: str, count: int) -> Method:
    """A zero-cost proxy on the first architectures of a target, with 32 images of noise of 32 x 32 pixels."""
    import torch

    generator = torch.Generator().manual_seed(0)
    images, classes = torch.randn(32, 3, 32, 32, generator=generator), torch.randint(10, (32,), generator=generator)
    kind: Proxy = resolve("proxies", name, Proxy)()

    @cache
    def of_target(spaces: Spaces, target: str) -> np.ndarray:
        architectures = spaces.rows(target).architectures[:count]
        networks = (a.space.network(a.choices, image_size=32) for a in architectures)
        scores = np.array([kind.score_graph(network, images, classes) for network in networks])
        return np.where(np.isfinite(scores), scores, -np.finfo(np.float64).max)  # no score is the worst one

    return lambda spaces, target, sources: of_target(spaces, target)


# ---------------------------------------------------------------------- what a choice of constants would be worth


def constants(data: Path, cache: Path) -> None:
    """Each single choice of the constants on its own, and the mean of the scores by all of them: nothing is chosen."""
    spaces = Spaces(data, cache, COMPARED_ON)
    rules = [dict(zip(GRID, values, strict=True)) for values in product(*GRID.values())]
    targets = [name for name in SOURCES if name != "enas"]  # whose labels nothing foretells
    found = {}
    print(f"Spearman, seed {COMPARED_ON}, {len(rules)} choices of the constants")
    for target in targets:
        labels = spaces.numbers(target)[1]
        each = [
            spaces.scores(target, others(target), [Rule(**{**rule, "size": SIZES[str(rule["size"])]})])  # type: ignore[arg-type]
            for rule in rules
        ]
        found[target] = np.array([spearman(labels, scores) for scores in each])
        mean, ours = spearman(labels, np.mean(each, axis=0)), spearman(labels, spaces.scores(target, others(target)))
        worst, median, best = np.quantile(found[target], [0, 0.5, 1])
        print(
            f"{target:20} single: worst {worst:.3f}, median {median:.3f}, best {best:.3f}; "
            f"mean of all {mean:.3f}; of the {len(RULES)} that are used {ours:.3f}",
            flush=True,
        )
    best = np.argsort(-np.mean(list(found.values()), axis=0))[0]
    print(f"best single one for all: {rules[best]}", {t: round(float(found[t][best]), 3) for t in targets})


# ---------------------------------------------------------------------- search without a label


def search(data: Path, cache: Path, seeds: Sequence[int], sources: Sequence[str]) -> None:
    """All cells of NAS-Bench-201 in the order of zero-shot scores: what the first ones reach, isomorphic ones once."""
    table = load_protocol("nb201-c10", data)
    cells, labels = table.architectures, np.asarray(table.test_labels)
    path = cache / "nasbench201-all.npy"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        np.save(path, numbers_of(Batch.of(cells)))
    x, keys = np.load(path), np.array([cell.key for cell in cells])
    own = Moments.of(x)

    def told(title: str, of_seeds: Sequence[np.ndarray]) -> None:
        reached = []
        for scores in of_seeds:
            order = np.argsort(-scores, kind="stable")
            once = np.sort(np.unique(keys[order], return_index=True)[1])
            reached.append(np.maximum.accumulate(labels[order[once]]))
        first = [int(np.argmax(best >= labels.max() - 1e-9)) + 1 for best in reached]
        shown = ", ".join(f"{np.mean([best[n - 1] for best in reached]):.3f} at {n}" for n in (1, 5, 10, 30))
        print(f"{title:28} {len(reached)} seeds: {shown}; best cell at query {min(first)} to {max(first)}", flush=True)

    told("multiply-adds", [x[:, COLUMNS.index("log macs")]])
    told("what ships", [shipped_model().zero_shot(cells[0].space)(x)[:, 0]])
    found = []
    for spaces in (Spaces(data, cache, seed) for seed in seeds):
        known = [spaces.moments(name) for name in sources]
        trust = trust_in(known, [*known, own])
        weights = [in_units(coefficients(own, known, [*known, own], rule, trust), own) for rule in RULES]
        found.append((x - own.mean) @ np.mean(weights, axis=0))
    told(", ".join(sources), found)


# ---------------------------------------------------------------------- what ships


def write(data: Path) -> None:
    """Learn from all labels that may ship, and from unlabelled architectures of every space."""
    known = []
    for name in SPACES:
        if name in UNLICENSED:
            continue
        every = labelled(name, data)
        order = np.random.default_rng(0).permutation(len(every.labels))
        drawn = every.rows(order[:SIZE])
        space = drawn.architectures[0].space
        found = KnownSpace.of(Sample.of(space, drawn.architectures, drawn.labels), every.about)
        cells = marks(a.graph for a in every.architectures) if len(every.labels) < 20_000 else found.cells
        known.append(KnownSpace(**{**vars(found), "cells": cells}))
        print(f"{name}: {drawn.labels.size:,} labels, {len(cells):,} cells", flush=True)
    for name in BUILT_IN:
        known.append(KnownSpace.of(Sample.draw(load_space(name), SIZE)))
        print(f"{name}: unlabelled", flush=True)
    SHIPPED.parent.mkdir(parents=True, exist_ok=True)
    TransferModel(known).save(SHIPPED)
    print(f"{SHIPPED.stat().st_size:,} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--cache", type=Path, default=Path("runs") / "transfer", metavar="FOLDER")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--proxies", type=int, default=0, metavar="N")
    parser.add_argument("--search", action="store_true")
    parser.add_argument("--sources", nargs="+", default=others("nasbench201"), choices=SPACES, help="of --search")
    parser.add_argument("--constants", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.constants:
        constants(options.data, options.cache)
    elif options.search:
        search(options.data, options.cache, options.seeds, options.sources)
    elif options.write:
        write(options.data)
    else:
        figures(options.data, options.cache, options.seeds, options.proxies)


if __name__ == "__main__":
    main()
