"""The predictor of speed: what it learns, keeps, and says of what it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from archpredict.costs.roofline import roofline, usual
from archpredict.costs.settings import Setting, device
from archpredict.costs.shipped import shipped_speed
from archpredict.costs.speed import SpeedPredictor
from archpredict.costs.storage import load_speed, save_speed
from archpredict.costs.table import Measured, SpeedTable
from archpredict.costs.work import work_of
from archpredict.errors import DataError, NotFittedError, UnknownNameError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.builder import Builder
from archpredict.metrics import kendall_tau

EAGER, COMPILED = Setting("rtx4090"), Setting("rtx4090", compiler="dynamo")


def network(width: int, depth: int, side: int = 64) -> ArchGraph:
    b = Builder(image=(3, side, side))
    x = b.relu(b.conv(b.input(), width, kernel=3, stride=2, norm=True))
    for _ in range(depth):
        x = b.relu(b.conv(x, width, kernel=3, norm=True))
    return b.output(b.linear(b.global_avg_pool(x), 10)).graph()


GRAPHS = [network(width, depth) for width in (8, 16, 24, 32, 48, 64) for depth in (1, 2, 4, 6)]


def measured(graphs: Sequence[ArchGraph], settings: Sequence[Setting]) -> SpeedTable:
    """Speeds of a device that takes twice the usual roofline, with some noise."""
    rng = np.random.default_rng(0)
    rows = []
    for setting in settings:
        terms = roofline(work_of(graphs), setting, device(setting.device), 64.0)
        speeds = 1 / (2 * terms @ usual(setting.compiler == "eager") * np.exp(rng.normal(0, 0.03, len(graphs))))
        at = setting.with_batch_size(64)
        rows += [Measured(str(i), at, float(speed)) for i, speed in enumerate(speeds)]
    return SpeedTable.of(rows, [str(i) for i in range(len(graphs))])


@pytest.fixture(scope="module")
def predictor() -> SpeedPredictor:
    return SpeedPredictor().fit(GRAPHS, measured(GRAPHS, [EAGER, COMPILED]))


def test_networks_that_were_left_out_are_ranked_and_hit(predictor: SpeedPredictor) -> None:
    for known in predictor.known_:
        assert known.tau > 0.9
        assert known.error < 15
    new = [network(width, 3) for width in (12, 20, 40, 56)]
    table = measured(new, [EAGER])
    found = predictor.predict(new, EAGER)
    assert kendall_tau(table.speeds[0], found.images_per_second) == 1
    assert (found.low < found.images_per_second).all()
    assert (found.images_per_second < found.high).all()


def test_what_was_saved_predicts_the_same(predictor: SpeedPredictor, tmp_path: Path) -> None:
    save_speed(predictor, tmp_path / "speed.safetensors")
    loaded = load_speed(tmp_path / "speed.safetensors")
    assert loaded.known_ == predictor.known_
    for setting in (EAGER, COMPILED, Setting("rtx3090", batch_size=3)):
        ours, theirs = (p.predict(GRAPHS, setting) for p in (predictor, loaded))
        np.testing.assert_allclose(ours.images_per_second, theirs.images_per_second, rtol=1e-12)
        assert ours.remarks == theirs.remarks


@pytest.mark.parametrize("content", [b"", b"{}", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_a_file_that_holds_something_else_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(DataError, match="does not hold a predictor of speed of this version"):
        load_speed(tmp_path / "x.safetensors")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        load_speed(tmp_path / "x.safetensors")


def test_a_predictor_without_measurements_says_so() -> None:
    with pytest.raises(NotFittedError, match="knows no measurements"):
        SpeedPredictor().predict(GRAPHS[:1], EAGER)


def test_no_networks_are_no_question(predictor: SpeedPredictor) -> None:
    with pytest.raises(UsageError, match="none was given"):
        predictor.predict([], EAGER)


def test_a_batch_size_that_was_not_measured_is_said(predictor: SpeedPredictor) -> None:
    (remarks,) = predictor.predict(GRAPHS[:1], EAGER.with_batch_size(1)).remarks
    assert remarks == ("batch size 1 was not measured on rtx4090 in this setting, only 64",)
    assert predictor.predict(GRAPHS[:1], EAGER.with_batch_size(64)).remarks == ((),)


def test_small_batches_are_bound_by_launches_and_have_wider_intervals() -> None:
    graphs = [network(16, depth, side=32) for depth in (4, 16)]
    predictor = shipped_speed()
    alone, many = (predictor.predict(graphs, predictor.setting("rtx4090", batch_size=n)) for n in (1, 1024))
    assert (alone.images_per_second < many.images_per_second / 20).all()
    assert (alone.images_per_second < 1 / (5e-6 * np.array([8, 32]))).all()
    assert (alone.high / alone.low > many.high / many.low).all()


def test_a_setting_that_was_not_measured_is_said_and_borrows_from_others(predictor: SpeedPredictor) -> None:
    borrowed = predictor.predict(GRAPHS, Setting("rtx3090"))
    assert all("nothing was measured in the setting rtx3090" in remarks[0] for remarks in borrowed.remarks)
    measured_ones = predictor.predict(GRAPHS, EAGER)
    assert kendall_tau(measured_ones.images_per_second, borrowed.images_per_second) > 0.9
    assert (borrowed.high / borrowed.low > measured_ones.high / measured_ones.low).all()


def test_operators_and_sizes_that_were_not_measured_are_said(predictor: SpeedPredictor) -> None:
    b = Builder(image=(3, 512, 512))
    x = b.conv(b.input(), 8, kernel=3, stride=2)
    graph = b.output(b.linear(b.global_avg_pool(b.max_pool(x, kernel=3)), 10)).graph()
    (remarks,) = predictor.predict([graph], EAGER).remarks
    assert "no measured model has max_pool" in remarks
    assert "images of 512 pixels were not measured, only of 64 to 64" in remarks


def test_an_unknown_device_lists_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown device 'rtx409'; choose from: .*Did you mean 'rtx4090'"):
        shipped_speed().setting("rtx409")


def test_an_unknown_precision_lists_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown precision 'int8'; choose from: amp, amp_bf16"):
        shipped_speed().setting("rtx4090", precision="int8")


def test_what_is_left_out_of_a_setting_is_as_it_was_measured_last() -> None:
    found = shipped_speed().setting("rtx4090")
    assert found.options == ("rtx4090", "amp", "nchw", "eager", "torch 2.9", "infer")
    assert shipped_speed().setting("rtx4090", layout="nhwc").runtime == "torch 2.4"
    assert shipped_speed().setting("i9_10940x").options[1:4] == ("fp32", "nchw", "dynamo")


def test_every_shipped_setting_has_an_error_and_a_batch_size() -> None:
    predictor = shipped_speed()
    assert len(predictor.known_) == 22
    for known in predictor.known_:
        assert known.models >= 270
        assert 0.8 < known.tau < 1
        assert 0 < known.error < 25
        assert known.smallest <= (known.setting.batch_size or 0) <= known.largest


def test_wider_networks_are_slower_on_every_shipped_device() -> None:
    graphs = [network(width, 8, side=224) for width in (32, 64, 128)]
    for name in shipped_speed().devices:
        speeds = shipped_speed().predict(graphs, shipped_speed().setting(name)).images_per_second
        assert (np.diff(speeds) < 0).all(), name


def test_too_few_models_are_refused() -> None:
    table = measured(GRAPHS[:6], [EAGER])
    with pytest.raises(DataError, match="has 6 measured models, at least 10 are needed"):
        SpeedPredictor().fit(GRAPHS[:6], table)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_speeds_that_are_none_are_refused(speed: float) -> None:
    with pytest.raises(DataError, match="a speed is a number of images per second above 0, a has"):
        SpeedTable.of([Measured("a", EAGER, speed)], ["a"])


def test_two_speeds_of_one_model_that_differ_tenfold_are_refused() -> None:
    rows = [Measured("a", EAGER, 100.0), Measured("a", EAGER, 1200.0)]
    with pytest.raises(DataError, match=r"a was measured several times in the setting .*, with 100 and 1200 images"):
        SpeedTable.of(rows, ["a"])
