"""Costs adapted to a few measured models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from archpredict._files import read_tensors
from archpredict.costs.adapted import AdaptedCost
from archpredict.costs.elsewhere import Elsewhere
from archpredict.costs.measured import read_costs
from archpredict.costs.places import costs_at, place_of
from archpredict.costs.residual import Similarity
from archpredict.errors import DataError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.builder import Builder
from archpredict.graph.network_statistics import NAMES
from archpredict.metrics import kendall_tau

REGIMES = ("cpu", "eager", "eager", "compiled")


def elsewhere(count: int, seed: int = 0) -> Elsewhere:
    rng = np.random.default_rng(seed)
    size = rng.normal(size=(count, 1))
    return Elsewhere(size + 0.3 * rng.normal(size=(count, len(REGIMES))), rng.normal(size=(count, len(NAMES))))


def adapted(known: Elsewhere, values: np.ndarray, rows: range) -> AdaptedCost:
    return AdaptedCost(known.rows(rows), values[rows], REGIMES, Similarity.of(known.statistics), "cost")


def networks(widths: range) -> list[ArchGraph]:
    graphs = []
    for width in widths:
        b = Builder(image=(3, 32, 32))
        x = b.relu(b.conv(b.input(), width, kernel=3, norm=True))
        graphs.append(b.output(b.linear(b.global_avg_pool(x), 10)).graph())
    return graphs


class TestEstimates:
    @pytest.mark.parametrize("turned", [1.0, -1.0])
    @pytest.mark.parametrize("unit", [1e-6, 1.0, 1e9])
    def test_what_goes_with_speeds_elsewhere_is_found_in_any_unit_and_direction(
        self, turned: float, unit: float
    ) -> None:
        known = elsewhere(60)
        values = unit * np.exp(turned * known.speeds[:, 1:3].mean(axis=1))
        said = adapted(known, values, range(10)).of(known.rows(range(10, 60)))
        assert np.abs(said.values / values[10:] - 1).mean() < 0.1
        assert np.all((said.low < said.values) & (said.values < said.high))

    def test_what_has_nothing_to_do_with_speed_is_learnt_from_costs(self) -> None:
        known = elsewhere(80)
        values = np.exp(2 * known.statistics[:, NAMES.index("log params")])
        said = adapted(known, values, range(30)).of(known.rows(range(30, 80)))
        assert kendall_tau(values[30:], said.values) > 0.8

    def test_each_measured_model_left_out_is_what_the_others_say(self) -> None:
        known, rows = elsewhere(12), range(12)
        values = np.exp(known.speeds[:, 1] + 0.1 * np.random.default_rng(1).normal(size=12))
        cost = adapted(known, values, rows)
        one = AdaptedCost(known.rows(range(1, 12)), values[1:], REGIMES, cost.similarity)
        said, alone = cost.left_out.values[0], one.of(known.rows([0])).values[0]
        # the weights of the processes know all labels, the processes do not
        assert said == pytest.approx(alone, rel=0.02)

    def test_intervals_hold_nine_in_ten(self) -> None:
        inside = []
        for seed in range(20):
            known = elsewhere(100, seed)
            noise = 0.15 * np.random.default_rng([seed, 1]).normal(size=100)
            values = np.exp(known.speeds[:, 1:3].mean(axis=1) + noise)
            said = adapted(known, values, range(20)).of(known.rows(range(20, 100)))
            inside.append(np.mean((said.low < values[20:]) & (values[20:] < said.high)))
        assert 0.85 < np.mean(inside) < 0.96

    def test_a_file_says_the_same(self, tmp_path: Path) -> None:
        graphs = networks(range(4, 20, 2))
        cost = AdaptedCost.fit(graphs, np.arange(1.0, 9.0), "latency")
        cost.save(tmp_path / "cost.safetensors")
        again = AdaptedCost.load(tmp_path / "cost.safetensors")
        assert again.name == "latency"
        np.testing.assert_array_equal(again.predict(graphs).values, cost.predict(graphs).values)

    def test_a_damaged_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "cost.safetensors").write_bytes(b"no tensors")
        with pytest.raises(DataError, match="does not hold an adapted cost"):
            AdaptedCost.load(tmp_path / "cost.safetensors")

    @pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
    def test_a_value_that_is_not_above_0_is_refused(self, wrong: float) -> None:
        known = elsewhere(5)
        with pytest.raises(DataError, match="a number above 0, row 3"):
            adapted(known, np.array([1.0, 2.0, wrong, 3.0, 4.0]), range(5))

    def test_two_models_are_too_few(self) -> None:
        with pytest.raises(DataError, match="3 to 5,000 measured models, 2 models were given"):
            adapted(elsewhere(2), np.ones(2), range(2))


class TestTables:
    def written(self, folder: Path, *lines: str) -> Path:
        path = folder / "costs.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    def test_the_median_of_several_measurements_counts(self, tmp_path: Path) -> None:
        path = self.written(tmp_path, "model,samples_per_sec,trusted", "a,10,yes", "a,30,no", "a,11,yes", "b,,yes")
        costs = read_costs(path)
        assert (costs.column, costs.values, list(costs.without), costs.untrusted) == (
            "samples_per_sec",
            {"a": 11.0},
            ["b"],
            1,
        )

    def test_rows_of_one_setting_are_chosen(self, tmp_path: Path) -> None:
        path = self.written(tmp_path, "model,batch_size,latency", "a,1,10", "a,64,30", "b,64,20")
        with pytest.raises(DataError, match=r"several settings, batch_size is .*1.*64"):
            read_costs(path)
        assert read_costs(path, where={"batch_size": "64"}).values == {"a": 30.0, "b": 20.0}

    @pytest.mark.parametrize(
        ("lines", "sentence"),
        [
            (("model,speed", "a,1"), "has no column 'samples_per_sec' or"),
            (("name,latency", "a,1"), "has no column 'model' or 'file' for the models"),
            (("model,latency", "a,0"), "latency is '0', expected a number above 0"),
            (("model,latency", "a,-3"), "expected a number above 0"),
            (("model,latency", "a,fast"), "expected a number above 0"),
            (("model,latency", "a,1", "a,11"), "latency of a is 1 in line 2 and 11 in line 3"),
            (("model,latency",), "has no rows"),
        ],
    )
    def test_what_cannot_be_read_is_told(self, tmp_path: Path, lines: tuple[str, ...], sentence: str) -> None:
        with pytest.raises(DataError, match=sentence):
            read_costs(self.written(tmp_path, *lines))


class TestPlaces:
    def test_a_ranking_takes_what_was_adapted(self, tmp_path: Path) -> None:
        graphs = networks(range(4, 24, 2))
        cost = AdaptedCost.fit(graphs[:8], np.arange(1.0, 9.0), "latency", setting={"device": "board"})
        cost.save(tmp_path / "cost.safetensors")
        (of_object, of_file) = (costs_at([place_of(each)], graphs) for each in (cost, tmp_path / "cost.safetensors"))
        assert [row[0].value for row in of_object] == [row[0].value for row in of_file]
        assert (of_object[0][0].device, of_file[0][0].device) == ("board", "cost")
        assert [row[0].value for row in of_object[:8]] == list(range(1, 9))
        assert [row[0].is_measured for row in of_object] == [True] * 8 + [False] * 2

    def test_equal_networks_cost_the_median_of_what_they_were_measured_to(self) -> None:
        graphs = networks(range(4, 8))
        cost = AdaptedCost.fit([*graphs, graphs[0]], [1.0, 2.0, 3.0, 4.0, 3.0])
        np.testing.assert_array_equal(cost.known([graphs[0], graphs[2], *networks(range(9, 10))]), [2.0, 3.0, np.nan])

    @pytest.mark.parametrize(
        ("changed", "number"),
        [("speeds", 1e300), ("statistics", -1e300), ("statistics", np.nan), ("values", -1.0), ("values", np.inf)],
    )
    def test_numbers_that_lead_nowhere_are_refused(self, tmp_path: Path, changed: str, number: float) -> None:
        path = tmp_path / "cost.safetensors"
        AdaptedCost.fit(networks(range(4, 8)), np.arange(1.0, 5.0)).save(path)
        told, arrays = read_tensors(path, "np")
        arrays[changed][0] = number
        path.write_bytes(save(arrays, told))
        with pytest.raises(DataError, match=r"cost.safetensors does not hold an adapted cost: .*adapt it again"):
            AdaptedCost.load(path)

    @pytest.mark.parametrize(
        "told", [{"setting": "[1]"}, {"keys": '["a"]'}, {"name": "\x1b[2J"}, {"digest": "0"}, {"statistics": "[]"}]
    )
    def test_a_foreign_head_is_refused(self, tmp_path: Path, told: dict[str, str]) -> None:
        path = tmp_path / "cost.safetensors"
        AdaptedCost.fit(networks(range(4, 8)), np.arange(1.0, 5.0)).save(path)
        head, arrays = read_tensors(path, "np")
        path.write_bytes(save(arrays, {**head, **told}))
        with pytest.raises(DataError, match="does not hold an adapted cost"):
            AdaptedCost.load(path)

    def test_what_is_no_place_is_told(self) -> None:
        with pytest.raises(UsageError, match="int was given"):
            place_of(3)  # type: ignore[arg-type]
