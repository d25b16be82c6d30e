"""Zero-cost scores as features of predictors: computed once, scaled, saved, and refused where they cannot be had."""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from archpredict.errors import DataError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import total
from archpredict.networks.form import Form
from archpredict.predict.batch import Batch
from archpredict.predict.predictor import Predictor
from archpredict.predict.sources.proxies import Proxies
from archpredict.predict.validation import cross_validate
from archpredict.proxies.macs import Macs
from archpredict.proxies.synflow import SynFlow
from archpredict.spaces.base import SearchSpace
from archpredict.spaces.nasbench201 import NASBench201
from archpredict.testing.toys import ToySpace

SMALL = {"channels": 4, "cells": 1}
DEAD = [0] * 6


def cells(count: int = 20) -> list[Any]:
    """Architectures of a space object of their own."""
    space = NASBench201()
    return space.architectures(space.sample(count, np.random.default_rng(0)))


def proxies(*names: str, **options: Any) -> Proxies:
    return Proxies(names or ("synflow", "macs"), network=SMALL, **options)


def predictor(**changes: Any) -> Predictor:
    given = {"sources": (Proxies(["synflow", "macs"], network=SMALL),), **changes}
    return Predictor(encoder=None, ensemble=0, regressors={"bayesian-ridge": 1.0}, **given)


# ---------------------------------------------------------------------- scores


def test_scores_are_those_of_the_proxies_and_positive_ones_are_logarithms() -> None:
    known = cells(3)
    graphs = [Form(options=SMALL).graph(cell.space, cell.choices) for cell in known]
    expected = [[SynFlow().score_graph(graph), math.log(total(graph, "macs"))] for graph in graphs]
    np.testing.assert_allclose(proxies().compute(Batch.of(known)), expected)


def test_a_score_is_computed_once_and_progress_tells_only_of_what_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    known, source = cells(3), proxies(seed=3)  # with which no other test has computed scores
    first = source.compute(Batch.of(known), lambda event: seen.append((event.done, event.total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    monkeypatch.setattr(SynFlow, "score_graph", lambda *given, **more: pytest.fail("computed again"))
    again = source.compute(Batch.of(known), lambda event: pytest.fail("nothing is new"))
    np.testing.assert_array_equal(again, first)


class Cells(NASBench201):
    """Cells in a network of a width of its own."""

    def __init__(self, width: int = 16) -> None:
        self.width = width

    def network(self, choices: Sequence[int], *, channels: int | None = None, **options: Any) -> ArchGraph:
        return super().network(choices, channels=channels or self.width, cells=1, **options)


@dataclass
class CellsWithoutHash(NASBench201):
    width: int = 16


class Renamed(NASBench201):
    pass


def scored(space: SearchSpace) -> float:
    """Logarithm of the multiply-adds of a cell of convolutions in a space."""
    cell = space.architecture([3] * 6)
    return float(Proxies(["macs"]).compute(Batch.of([cell]))[0, 0])


@pytest.mark.parametrize("make", [Cells, lambda: Cells(7), Renamed, CellsWithoutHash])
def test_an_equal_space_finds_the_scores_of_one_that_is_gone(
    make: Callable[[], SearchSpace], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scored(make())
    gc.collect()
    monkeypatch.setattr(Macs, "score_graph", lambda *given, **more: pytest.fail("computed again"))
    assert scored(make()) == first


def test_two_spaces_that_differ_never_share_scores() -> None:
    spaces = [NASBench201(), Cells(8), Cells(24), Cells(40)]
    assert len({space.name for space in spaces}) == len({space.num_choices for space in spaces}) == 1
    alone = [math.log(total(Form().graph(space, [3] * 6), "macs")) for space in spaces]
    assert len(set(alone)) == len(spaces)
    assert [scored(space) for space in spaces * 2] == alone * 2


def test_a_space_that_has_changed_is_another_one() -> None:
    space = Cells(12)
    narrow = scored(space)
    space.width = 36
    assert narrow < scored(space) == scored(Cells(36))
    assert scored(Cells(12)) == narrow


def test_scores_in_another_form_or_with_another_seed_are_others() -> None:
    known = cells(1)
    found = {
        float(given.compute(Batch.of(known))[0, 0]) for given in (proxies(), proxies(seed=1), Proxies(["synflow"]))
    }
    assert len(found) == 3


def test_a_graph_of_a_network_is_scored_as_it_is() -> None:
    graph = Form(options=SMALL).graph(NASBench201(), [3] * 6)
    assert proxies().compute(Batch.of([graph]))[0].tolist() == [
        SynFlow().score_graph(graph),
        math.log(total(graph, "macs")),
    ]


def test_a_score_that_is_not_defined_is_the_lower_fence() -> None:
    naswot = proxies("naswot", dataset="digits")
    known = cells(20)
    dead = known[0].space.architecture(DEAD)
    fitted = naswot.fit(Batch.of([*known, dead]))
    assert np.isnan(naswot.compute(Batch.of([dead]))).all()
    assert fitted(Batch.of([dead]))[0, 0] == fitted.bounds[0][0]


def test_one_dead_network_does_not_press_the_others_together() -> None:
    known = cells(20)
    scores = proxies("synflow").compute(Batch.of(known))[:, 0]
    dead = known[0].space.architecture(DEAD)
    everything = Batch.of([*known, dead])
    column = proxies("synflow").fit(everything)(everything)[:, 0]
    assert proxies("synflow").compute(Batch.of([dead]))[0, 0] < -700
    np.testing.assert_array_equal(column[:-1], scores)
    assert scores.min() - 6 * scores.std() < column[-1] < scores.min()


@pytest.mark.parametrize("given", [(), "synflow"])
def test_no_proxies_and_a_bare_name_are_refused_with_what_to_write(given: Any) -> None:
    with pytest.raises(UsageError, match=r'takes names, as in Proxies\(\["synflow"\]\); .* choose from: .*synflow'):
        Proxies(given)


# ---------------------------------------------------------------------- predictors


def test_a_predictor_that_reads_synflow_and_macs_alone_learns_from_them() -> None:
    known = cells(40)
    labels = proxies().compute(Batch.of(known)) @ [1.0, 2.0]
    fitted = predictor().fit(known[:30], labels[:30])
    assert fitted.spec_.num_side == 2
    assert fitted.score(known[30:], labels[30:]) > 0.95


def test_scores_are_beside_statistics_and_columns() -> None:
    known, column = cells(12), np.arange(12.0)
    proxies = Proxies(["synflow", "macs"], network=SMALL)
    with_all = predictor(sources=("statistics", proxies)).fit(known, column, features={"extra": column})
    without = predictor(sources=("statistics",)).fit(known, column)
    assert with_all.spec_.num_side == without.spec_.num_side + 3
    inputs = with_all.pack(known, {"extra": column})
    scores = with_all.spec_.source(Proxies)
    assert scores is not None
    np.testing.assert_array_equal(inputs.numbers[:, -3:-1], scores(Batch.of(known)))
    np.testing.assert_array_equal(inputs.numbers[:, -1], column)


def test_a_predictor_with_proxies_is_cloned_and_cross_validated() -> None:
    known = cells(12)
    labels = proxies().compute(Batch.of(known))[:, 1] + np.arange(12) * 1e-3
    copy = clone(predictor())
    assert copy.sources == (Proxies(["synflow", "macs"], network=SMALL),)
    assert len(cross_validate(copy, known, labels, folds=2)) == 2


def test_a_saved_predictor_computes_the_scores_of_new_architectures(tmp_path: Path) -> None:
    known = cells(30)
    source = Proxies(["synflow", "naswot"], network=SMALL, dataset="digits", seed=5)
    fitted = predictor(sources=(source,)).fit(known[:20], np.arange(20))
    expected = fitted.predict(known[20:])
    fitted.save(tmp_path / "model")
    loaded = Predictor.load(tmp_path / "model", device="cpu")
    assert loaded.spec_.source(Proxies) == fitted.spec_.source(Proxies)
    np.testing.assert_array_equal(loaded.predict(cells(30)[20:]), expected)


# ---------------------------------------------------------------------- refused


def test_bare_cells_are_refused() -> None:
    fitted = predictor().fit(cells(10), np.arange(10))
    with pytest.raises(
        UsageError, match=r"reads zero-cost scores of whole networks \(synflow, macs\), which a bare cell"
    ):
        fitted.predict([cell.graph for cell in cells(2)])


def test_packed_graphs_are_refused() -> None:
    known = cells(10)
    fitted = predictor().fit(known, np.arange(10))
    graphs = fitted.pack(known).graphs
    with pytest.raises(
        UsageError, match="reads zero-cost scores of networks, which packed graphs do not have; give Arch"
    ):
        fitted.predict(graphs)
    with pytest.raises(UsageError, match="reads zero-cost scores of networks, which packed graphs do not have"):
        predictor().fit(graphs, np.arange(10))


def test_a_space_without_networks_is_refused_with_what_to_write() -> None:
    toys = ToySpace()
    with pytest.raises(UsageError, match=r"the space toy does not define network\(\)"):
        predictor().fit(toys.architectures(toys.enumerate()[:5]), np.arange(5))


def test_a_data_set_that_has_changed_is_refused() -> None:
    changed = replace(proxies("snip", dataset="digits").fit(Batch.of(cells(5))), sha256="0" * 64)
    with pytest.raises(
        DataError, match=r"the data set digits has the SHA-256 \w{64}, the predictor was fitted with scor"
    ):
        changed.compute(Batch.of(cells(1)))


def test_a_proxy_that_reads_images_needs_a_data_set() -> None:
    with pytest.raises(
        UsageError, match="the zero-cost proxy snip reads a batch of labelled images and no data set was"
    ):
        predictor(sources=[Proxies(["snip"])]).fit(cells(5), np.arange(5))


def test_a_predictor_on_a_data_set_of_the_users_own_is_not_saved(tmp_path: Path) -> None:
    own = replace(proxies(), dataset="mine.py:Flowers")
    with pytest.raises(
        UsageError, match=r"scores on mine\.py:Flowers cannot be saved: a saved predictor opens without c"
    ):
        own.to_dict()
    reference = predictor(sources=[Proxies(["archpredict.proxies.macs:Macs"], network=SMALL)]).fit(
        cells(5), np.arange(5)
    )
    with pytest.raises(UsageError, match=r"reads the zero-cost proxy archpredict\.proxies\.macs:Macs cannot be saved"):
        reference.save(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(names=["mine.py:Own", "macs"]), "its zero-cost proxies mine.py:Own, macs are not those of"),
        (lambda d: d.update(names=[]), "are not those of archpredict"),
        (lambda d: d.update(dataset="mine.py:Flowers"), "taken on mine.py:Flowers, no data set of archpredict"),
        (lambda d: d["form"]["options"].update(channels=10**9), "sizes out of bounds, above 4096"),
        (lambda d: d.update(bounds=[[0, 1]]), "the fences of its zero-cost scores are not one finite pair each"),
        (lambda d: d.update(bounds=[[0, 1], [0, math.inf]]), "are not one finite pair each"),
    ],
)
def test_damaged_or_hostile_features_are_refused(change: Callable[[dict[str, Any]], None], message: str) -> None:
    data = json.loads(json.dumps(proxies().fit(Batch.of(cells(5))).to_dict()))
    assert Proxies.from_dict(data).to_dict() == data
    change(data)
    with pytest.raises(ValueError, match=message):
        Proxies.from_dict(data)
