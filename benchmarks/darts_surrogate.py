"""Train the embedded DARTS surrogate, measure it by cross-validation, and write it with its model card.

    python benchmarks/darts_surrogate.py                 # figures only
    python benchmarks/darts_surrogate.py --write         # figures, then train on all rows and write the predictor

Prints 5-fold cross-validated Kendall's tau-b and Spearman of the surrogate, of the one before it, of scikit-learn's
ExtraTrees on the one-hot choices, and of ExtraTrees on simple statistics of the cells, on the same folds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _protocols import add_data_option
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import KFold

from archpredict import Architecture, Part, Predictor, Table, Training, load_space
from archpredict.metrics import kendall_tau, spearman

TARGET = Path(__file__).resolve().parent.parent / "archpredict" / "pretrained" / "darts-cifar10"
FOLDS, FOLD_SEED = 5, 0
LABELS = (
    "CIFAR-10 accuracy in percent, learnt from 1,218 architectures whose labels were themselves estimates of the "
    "NAS-Bench-301 surrogate"
)


def surrogate(seed: int = 0) -> Predictor:
    """Networks on the graphs alone."""
    return Predictor(
        Part("asynchronous", dim=96),
        sources=(),
        training=Training(pretrain=0, epochs=80),
        regressors=None,
        ensemble=4,
        seed=seed,
        device="cpu",
    )


def before(seed: int = 0) -> Predictor:
    """The surrogate of version 0.1."""
    return Predictor(
        Part("gcn", layers=4, normalize=True),
        Part("comparator", target="soft"),
        sources=(),
        training=Training(pretrain=0, epochs=80),
        regressors=None,
        ensemble=5,
        seed=seed,
        device="cpu",
    )


def cell_statistics(architectures: list[Architecture]) -> np.ndarray:
    """Per cell: operator counts, in-degree of the two inputs by operator, depth, edges out of the inputs."""
    rows = []
    for architecture in architectures:
        graph = architecture.graph
        operators = architecture.space.operators
        row: list[float] = []
        for cell in (0, 1):
            edges = [
                (s, t, op)
                for (s, t), op in zip(graph.edges, graph.edge_ops or (), strict=True)
                if graph.cells[s] == cell and op != "data"
            ]
            depth: dict[int, int] = {}
            for source, target, _ in sorted(edges, key=lambda e: e[1]):
                depth[target] = max(depth.get(target, 0), depth.get(source, 0) + 1)
            inputs = {v for v in range(graph.num_nodes) if graph.ops[v].startswith("input")}
            row += [sum(op == o for _, _, op in edges) for o in operators]
            row += [sum(op == o and s in inputs for s, _, op in edges) for o in operators]
            row += [
                max(depth.values(), default=0),
                sum(depth.values()),
                sum(s in inputs for s, _, _ in edges),
            ]
        rows.append(row)
    return np.array(rows, dtype=float)


def cross_validate(labels: np.ndarray, fit_predict: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> dict[str, Any]:
    start, taus, rhos = time.perf_counter(), [], []
    for train, test in KFold(FOLDS, shuffle=True, random_state=FOLD_SEED).split(labels):
        predicted = fit_predict(train, test)
        taus.append(kendall_tau(labels[test], predicted))
        rhos.append(spearman(labels[test], predicted))
    return {
        "kendall_tau": round(float(np.mean(taus)), 4),
        "kendall_tau_std": round(float(np.std(taus)), 4),
        "spearman": round(float(np.mean(rhos)), 4),
        "seconds": round(time.perf_counter() - start, 1),
    }


def measure(table: Table) -> dict[str, dict[str, Any]]:
    architectures = table.space.architectures(table.choices)

    def neural(make: Callable[[], Predictor]) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        def fit_predict(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            predictor = make().fit([architectures[i] for i in train], table.labels[train])
            return predictor.predict([architectures[i] for i in test])

        return fit_predict

    def trees(features: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        def fit_predict(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            model = ExtraTreesRegressor(500, random_state=0).fit(features[train], table.labels[train])
            return model.predict(features[test])

        return fit_predict

    return {
        "ExtraTrees on one-hot choices": cross_validate(table.labels, trees(table.space.one_hot(table.choices))),
        "ExtraTrees on cell statistics": cross_validate(table.labels, trees(cell_statistics(architectures))),
        "before: 5 graph convolutional networks": cross_validate(table.labels, neural(before)),
        "surrogate: 4 asynchronous networks": cross_validate(table.labels, neural(surrogate)),
    }


def card(table: Table, figures: dict[str, Any], margin: float) -> dict[str, Any]:
    low, high = table.labels.min(), table.labels.max()
    return {
        "space": "darts",
        "default": True,
        "labels": LABELS,
        "target": table.target,
        "data": "1,218 DARTS architectures with NAS-Bench-301 surrogate labels, by way of automl/NASLib (Apache-2.0)",
        "data_sha256": table.sha256,
        "rows": len(table),
        "script": "benchmarks/darts_surrogate.py --write",
        "protocol": f"{FOLDS}-fold cross-validation, KFold(shuffle=True, random_state={FOLD_SEED}), mean over folds",
        "cross_validation": figures,
        "range": f"labels from {low:.1f} to {high:.1f}; no score is more than {margin:.1f} beyond these",
        "not_for": "claims about trained accuracy: it ranks DARTS cells for search and for trying things out",
    }


def card_text(content: dict[str, Any]) -> str:
    figures = "\n".join(
        f"| {name} | {f['kendall_tau']:.3f} ± {f['kendall_tau_std']:.3f} | {f['spearman']:.3f} |"
        for name, f in content["cross_validation"].items()
    )
    return f"""# darts-cifar10

Ranks architectures of the DARTS space. A score is {content["labels"]}.

| | |
|---|---|
| data | {content["data"]}, column `{content["target"]}`, {content["rows"]} rows |
| data SHA-256 | `{content["data_sha256"]}` |
| made by | `python {content["script"]}` |
| protocol | {content["protocol"]} |
| range | {content["range"]} |
| not for | {content["not_for"]} |

| held-out figures | Kendall's tau-b (± over folds) | Spearman |
|---|---|---|
{figures}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--write", action="store_true", help="train on all rows and write the predictor")
    arguments = parser.parse_args()
    path = arguments.data / "darts" / "nasbench301_1218.csv.gz"
    table = Table.read(path, load_space("darts"), "val_accuracy")
    figures = measure(table)
    for name, figure in figures.items():
        print(f"{name:40s} {json.dumps(figure)}")
    if arguments.write:
        fitted = surrogate().fit(table.space.architectures(table.choices), table.labels)
        content = card(table, figures, fitted.ensemble_.calibration.margin)
        fitted.save(TARGET, content)
        (TARGET / "README.md").write_text(card_text(content))
        size = sum(f.stat().st_size for f in TARGET.iterdir())
        print(f"written to {TARGET}, {size:,} bytes")


if __name__ == "__main__":
    main()
