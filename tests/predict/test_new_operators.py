"""What was saved before there was a further operator, or number of nodes, still loads, and predicts what it did."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archpredict
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.network_statistics import NAMES
from archpredict.graph.operators import ACTIVATIONS, OPERATORS, with_known_operators
from archpredict.graph.packed import PackedGraphs
from archpredict.predict.batch import Batch
from archpredict.predict.inputs import InputSpec
from archpredict.predict.parts import Part
from archpredict.predict.predictor import Predictor
from archpredict.predict.training.training import Training
from archpredict.spaces.base import load_space
from archpredict.testing.graphs import random_computational_graph

RANDOM = np.random.default_rng(3)
NETWORKS = [random_computational_graph(n, RANDOM) for n in (30, 12, 55, 25)]
CELLS = [cell.graph for cell in load_space("darts").architectures(load_space("darts").sample(6, RANDOM))]

PREDICT = """
import json, sys
import archpredict
from archpredict import Predictor
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import OPERATORS

found = {"file": archpredict.__file__, "operators": len(OPERATORS)}
for name, graphs in json.load(sys.stdin).items():
    predictor = Predictor.load(name, device="cpu")
    found[name] = predictor.predict([ArchGraph.from_json(graph) for graph in graphs]).tolist()
print(json.dumps(found))
"""


def relabelled(graph: ArchGraph, old: str, new: str) -> ArchGraph:
    return replace(graph, ops=tuple(new if op == old else op for op in graph.ops))


@pytest.fixture(scope="module")
def later_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package that knows one activation more, and one number of each node, neither at the end."""
    folder = tmp_path_factory.mktemp("later")
    package = Path(str(archpredict.__file__)).parent
    shutil.copytree(package, folder / "archpredict", ignore=shutil.ignore_patterns("__pycache__"))
    graph = folder / "archpredict" / "graph"
    insert_after('    "mish",\n', '    "snake",\n', graph / "operators.py")
    insert_after('    "bias",\n', '    "age",\n', graph / "node_features.py")
    insert_after('        attrs["bias"][:, 0],\n', "        7 + arriving,\n", graph / "node_features.py")
    insert_after("UNITS = (8, 12, 4, 2, 1, 1, 8, 1, 8, 20, 20, 1, ", "3, ", graph / "node_features.py")
    return folder


def insert_after(place: str, new: str, path: Path) -> None:
    before = path.read_text(encoding="utf-8")
    assert before.count(place) == 1
    path.write_text(before.replace(place, place + new), encoding="utf-8")


def predicted_by(version: Path, graphs: dict[str, Sequence[ArchGraph]]) -> dict[str, Any]:
    given = json.dumps({name: [graph.to_json() for graph in some] for name, some in graphs.items()})
    environment = {**os.environ, "PYTHONPATH": str(version), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PREDICT],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        cwd=version,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["file"].startswith(str(version))
    assert found["operators"] == len(OPERATORS) + 1
    return found


def test_what_ships_and_what_was_saved_predicts_the_same_once_there_is_a_new_operator(
    later_version: Path, tmp_path: Path
) -> None:
    network = Predictor(
        Part("comp-graph", dim=8, layers=1),
        sources=("network",),
        training=Training(epochs=1),
        ensemble=1,
        device="cpu",
    ).fit(NETWORKS, range(len(NETWORKS)))
    network.save(tmp_path / "own")
    own = str(tmp_path / "own")
    # "snake" is unknown to this version, and one of the operators of the later one.
    with_new = [relabelled(graph, "unknown:Mystery", "snake") for graph in NETWORKS]
    assert any("snake" in graph.ops for graph in with_new)
    later = predicted_by(later_version, {"imagenet": [*NETWORKS, *with_new], own: with_new, "darts-cifar10": CELLS})
    imagenet, darts = (Predictor.load(name, device="cpu") for name in ("imagenet", "darts-cifar10"))
    now = imagenet.predict([*NETWORKS, *with_new])
    np.testing.assert_allclose(later["imagenet"], now, rtol=1e-12)
    np.testing.assert_allclose(now[: len(NETWORKS)], now[len(NETWORKS) :], rtol=1e-12)
    # Single precision, in an order of sums that may differ from process to process.
    np.testing.assert_allclose(later["darts-cifar10"], darts.predict(CELLS), rtol=1e-5)
    np.testing.assert_allclose(later[own], network.predict(NETWORKS), rtol=1e-5)


def test_an_operator_that_the_saved_vocabulary_lacks_counts_as_unknown_everywhere() -> None:
    spec, _ = InputSpec.fit(NETWORKS, form="network", sources=["network", "statistics"])
    former = _without(spec.to_dict(), "relu")
    again = InputSpec.from_dict(former)
    some, none = NETWORKS, [relabelled(graph, "relu", "unknown:relu") for graph in NETWORKS]
    assert any("relu" in graph.ops for graph in some)
    one, two = again.pack(some), again.pack(none)
    np.testing.assert_array_equal(one.numbers, two.numbers)
    np.testing.assert_array_equal(one.graphs.op, two.graphs.op)
    np.testing.assert_array_equal(one.graphs.features, two.graphs.features)
    unknown = again.sources.names.index("network: unknown per layer")
    assert (
        one.numbers[:, unknown] >= spec.pack(some).numbers[:, spec.sources.names.index("network: unknown per layer")]
    ).all()


def _without(saved: dict[str, Any], label: str) -> dict[str, Any]:
    """What an earlier version, which did not know an operator, would have saved."""
    network, statistics = saved["sources"]
    kept = [i for i, name in enumerate(network["columns"]) if label not in name]
    assert 0 < len(kept) < len(NAMES)
    graphs = PackedGraphs.from_graphs(NETWORKS, [op for op in OPERATORS if op != label], unknown="unknown")
    other, _ = InputSpec.fit(graphs, form="nodes", sources=["statistics"])
    last = other.to_dict()
    columns = {**network, "columns": [network["columns"][i] for i in kept]}
    scale = {k: [saved[k][i] for i in kept] + last[k] for k in ("location", "scale")}
    assert statistics["source"] == "statistics"
    return {**saved, "vocabulary": last["vocabulary"], "sources": [columns, *last["sources"]], **scale}


def test_graphs_without_new_operators_are_left_alone() -> None:
    assert all(a is b for a, b in zip(with_known_operators(NETWORKS, OPERATORS), NETWORKS, strict=True))
    fewer = [op for op in OPERATORS if op not in ACTIVATIONS]
    changed = with_known_operators(NETWORKS, fewer)
    assert not {op for graph in changed for op in graph.ops} & set(ACTIVATIONS)
    assert [graph.edges for graph in changed] == [graph.edges for graph in NETWORKS]
    batch = Batch.of(NETWORKS, vocabulary=fewer)
    assert batch.given_graphs == NETWORKS
