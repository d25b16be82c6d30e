"""What carries over to a space: fair to units, the size where nothing is known, and never the space's own labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from archpredict.errors import DataError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.metrics import spearman
from archpredict.predict.batch import Batch
from archpredict.predict.sources.transfer import ZeroShotScores
from archpredict.predict.transfer.known import KnownSpace, Sample
from archpredict.predict.transfer.model import VIEWS, TransferModel
from archpredict.predict.transfer.moments import COLUMNS, Moments, numbers_of
from archpredict.predict.transfer.rule import Rule, coefficients, trust_in
from archpredict.predict.transfer.shipped import shipped_model
from archpredict.spaces.base import SearchSpace, load_space
from archpredict.spaces.nasbench201 import NASBench201
from archpredict.testing.toys import ToySpace

F = len(COLUMNS)
MACS = COLUMNS.index("log macs")


def numbers(seed: int, count: int = 300, shift: float = 0.0) -> np.ndarray:
    """Numbers of a made-up space: a mixture of eight factors."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(8, F))
    return shift + rng.normal(size=(count, 8)) @ mixing + 0.3 * rng.normal(size=(count, F))


def known(name: str, count: int = 40) -> KnownSpace:
    """A built-in space, labelled with something of its own."""
    space = load_space(name)
    cells = space.architectures(np.unique(space.sample(count, np.random.default_rng(1)), axis=0))
    labels = numbers_of(Batch.of(cells))[:, COLUMNS.index("log layers")] + 0.01 * np.arange(len(cells))
    return KnownSpace.of(Sample.of(space, cells, labels))


@pytest.fixture(scope="module")
def model() -> TransferModel:
    return TransferModel([known("nasbench201"), known("nasbench-macro")])


class TestTheRule:
    def test_a_space_like_a_known_one_is_ordered_like_it(self) -> None:
        x, z = numbers(0), numbers(1)
        found = coefficients(Moments.of(z), [Moments.of(x, x[:, 5])], [Moments.of(x)])
        assert spearman(z[:, 5], z @ found) > 0.9

    def test_a_space_unlike_any_is_ordered_by_size(self) -> None:
        x, z = numbers(0), numbers(1, shift=50.0)
        typical = [Moments.of(x), Moments.of(numbers(2))]
        rule = Rule(size={"log macs": 1.0})
        found = coefficients(Moments.of(z), [Moments.of(x, x[:, 5])], typical, rule)
        assert spearman(z[:, MACS], z @ found) == pytest.approx(1.0, abs=1e-3)

    def test_without_sources_size_is_all_there_is(self) -> None:
        z = numbers(1)
        found = coefficients(Moments.of(z), [], [Moments.of(z)], Rule(size={"log macs": 1.0}))
        assert np.flatnonzero(found).tolist() == [MACS]

    def test_labels_that_the_other_sources_do_not_foretell_count_little(self) -> None:
        x = [numbers(seed) for seed in range(4)]
        alike = [Moments.of(each, each[:, 5]) for each in x[:3]]
        odd = Moments.of(x[3], np.random.default_rng(9).normal(size=len(x[3])))
        assert trust_in([*alike, odd], [*alike, odd]) == pytest.approx([1.0, 1.0, 1.0, 0.1])

    def test_of_two_sources_it_cannot_be_told_which_is_the_odd_one(self) -> None:
        x = numbers(0)
        sources = [Moments.of(x, x[:, 5]), Moments.of(x, -x[:, 5])]
        assert trust_in(sources, sources) == [1.0, 1.0]

    @pytest.mark.parametrize("own_scale", [0.0, 0.5, 1.0])
    def test_units_do_not_matter(self, own_scale: float) -> None:
        x, z, units = numbers(0), numbers(1), np.exp(np.random.default_rng(3).normal(size=F))
        units[[COLUMNS.index(name) for name in Rule().size]] = 1.0  # a sum of logarithms has units of its own
        rule = Rule(own_scale=own_scale)
        plain = coefficients(Moments.of(z), [Moments.of(x, x[:, 5])], [Moments.of(x)], rule)
        other = coefficients(Moments.of(z * units), [Moments.of(x * units, x[:, 5])], [Moments.of(x * units)], rule)
        np.testing.assert_allclose(z @ plain, (z * units) @ other, rtol=1e-6, atol=1e-6)

    def test_labels_count_by_their_order_alone(self) -> None:
        x = numbers(0)
        plain, stretched = Moments.of(x, x[:, 5]), Moments.of(x, np.exp(3 * x[:, 5]))
        np.testing.assert_allclose(plain.of_labels, stretched.of_labels)

    def test_the_order_of_sources_does_not_matter(self) -> None:
        z, sources = numbers(1), [Moments.of(numbers(s), numbers(s)[:, s]) for s in (4, 5)]
        a = coefficients(Moments.of(z), sources, sources)
        b = coefficients(Moments.of(z), sources[::-1], sources[::-1])
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-12)

    def test_what_never_varies_counts_for_nothing(self) -> None:
        x, z = numbers(0), numbers(1)
        x[:, 7] = z[:, 7] = 3.0
        assert coefficients(Moments.of(z), [Moments.of(x, x[:, 5])], [Moments.of(x)])[7] == 0

    def test_labels_that_do_not_fit_are_refused(self) -> None:
        with pytest.raises(DataError, match="300 architectures need as many finite labels that are not all equal"):
            Moments.of(numbers(0), np.zeros(300))
        with pytest.raises(DataError, match="moments are of at least 2 architectures, 1 was given"):
            Moments.of(numbers(0)[:1])


class Subclass(NASBench201):
    """A space of the user's own that only adds a name."""

    name = "mine"


class Renamed(SearchSpace):
    """The same cells written anew: no name, no class and no operator is the same."""

    name = "rewritten"
    num_choices = (5,) * 6
    notation = "six numbers"

    def __init__(self) -> None:
        self._other = NASBench201()

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        graph = self._other.decode(choices)
        return replace(
            graph,
            ops=tuple(f"my {op}" for op in graph.ops),
            edge_ops=None if graph.edge_ops is None else tuple(f"my {op}" for op in graph.edge_ops),
        )

    def network(self, choices: Sequence[int], **options: object) -> ArchGraph:
        return self._other.network(choices)


class TestNeverFromTheSpaceItself:
    @pytest.mark.parametrize("space", [NASBench201(), Subclass(), Renamed()], ids=lambda space: space.name)
    def test_labels_of_a_space_do_not_help_in_it_nor_where_its_cells_are(
        self, model: TransferModel, space: SearchSpace
    ) -> None:
        found = model.zero_shot(space)
        assert (found.sources, found.left_out) == (("nasbench-macro",), ("nasbench201",))
        blind = model.without("nasbench201").zero_shot(space)
        np.testing.assert_array_equal(found.weights, blind.weights)
        np.testing.assert_array_equal(found.centre, blind.centre)

    def test_they_do_elsewhere(self, model: TransferModel) -> None:
        found, blind = (m.zero_shot(load_space("nasbench101")) for m in (model, model.without("nasbench201")))
        assert found.sources == ("nasbench-macro", "nasbench201")
        assert not np.allclose(found.weights, blind.weights)

    def test_what_ships_keeps_to_it_in_every_space(self) -> None:
        shipped = shipped_model()
        labelled = [space.name for space in shipped.spaces if space.has_labels]
        assert "nasbench101" not in labelled  # whose table has no licence
        for name in ("nasbench201", "darts", "enas", "nasbench-macro", "mobilenetv3", "nasbench101"):
            found, blind = (m.zero_shot(load_space(name)) for m in (shipped, shipped.without(name)))
            assert name not in found.sources
            assert (name in found.left_out) == (name in labelled)
            np.testing.assert_array_equal(found.weights, blind.weights)


class TestScores:
    def test_are_standardised_in_the_space(self, model: TransferModel) -> None:
        space = load_space("nasbench201")
        cells = space.architectures(np.unique(space.sample(400, np.random.default_rng(2)), axis=0))
        scores = model.zero_shot(space)(numbers_of(Batch.of(cells)))
        assert scores.shape == (len(cells), len(VIEWS))
        np.testing.assert_allclose(scores.mean(axis=0), 0, atol=0.25)
        np.testing.assert_allclose(scores.std(axis=0), 1, atol=0.25)

    def test_of_what_all_look_alike_there_are_none(self, model: TransferModel) -> None:
        space = load_space("nasbench201")
        sample = Sample.of(space, space.architectures(np.array([[3] * 6, [3] * 6])))
        with pytest.raises(DataError, match="networks of the same size and depth"):
            model.scores_of(sample)

    def test_a_space_without_networks_is_told_so(self, model: TransferModel) -> None:
        with pytest.raises(UsageError, match=r"does not define network\(\)"):
            model.zero_shot(ToySpace())

    def test_survive_being_saved(self, model: TransferModel, tmp_path: Path) -> None:
        model.save(tmp_path / "model.safetensors")
        again, space = TransferModel.load(tmp_path / "model.safetensors"), load_space("nasbench101")
        np.testing.assert_array_equal(again.zero_shot(space).weights, model.zero_shot(space).weights)
        assert [s.name for s in again.spaces] == [s.name for s in model.spaces]

    def test_a_file_that_is_none_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="there is no file"):
            TransferModel.load(tmp_path / "none.safetensors")
        save_file({"x": np.zeros(3)}, tmp_path / "other.safetensors")
        with pytest.raises(DataError, match="a safetensors file of something else"):
            TransferModel.load(tmp_path / "other.safetensors")


class TestTheSource:
    def test_bare_graphs_and_spaces_without_networks_have_no_zero_shot_scores(self) -> None:
        cells = load_space("nasbench201").architectures(np.array([[3] * 6, [2] * 6]))
        for given in ([cell.graph for cell in cells], ToySpace().architectures(ToySpace().enumerate()[:4])):
            source = ZeroShotScores().fit(Batch.of(given))
            assert source.names == ()
            assert source(Batch.of(given)).shape == (len(given), 0)
            assert not source.can_read(Batch.of(given))
