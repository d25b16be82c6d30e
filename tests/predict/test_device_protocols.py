"""The protocol hw-nas-bench is what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archpredict.errors import DataError, UnknownNameError, UsageError
from archpredict.predict.device_protocols import DeviceProtocol, load_hw_nas_bench

DEVICES = ("edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga")


@pytest.fixture(scope="module")
def protocol(data_folder: Path) -> DeviceProtocol:
    return load_hw_nas_bench(data_folder)


def test_it_has_six_devices_and_all_cells_in_the_benchmarks_order(protocol):
    assert protocol.devices == DEVICES
    assert protocol.choices.shape == (15_625, 6)
    assert len(np.unique(protocol.choices, axis=0)) == 15_625
    assert protocol.train_sizes == (0, 10, 20)
    first = protocol.space.format(protocol.choices[0].tolist())
    assert first == "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"


@pytest.mark.parametrize("n", [0, 10, 20])
def test_it_learns_from_the_first_measured_rows_and_is_judged_by_all_others(protocol, n):
    order = np.random.default_rng(3).permutation(15_625)
    train, test = protocol.split("raspi4", n, seed=3)
    np.testing.assert_array_equal(train, order[:n])
    np.testing.assert_array_equal(test, order[n:])
    train, test = protocol.split("edgetpu", n, seed=3)
    assert len(train) + len(test) == 10_926 == np.isfinite(protocol.target("edgetpu")).sum()
    assert np.isfinite(protocol.target("edgetpu")[np.concatenate([train, test])]).all()
    assert not set(train) & set(test)


@pytest.mark.parametrize("device", DEVICES)
def test_nothing_that_was_measured_on_a_device_is_known_of_it(protocol, device):
    others = protocol.others(device)
    assert not any(name.startswith(device) for name in others)
    assert {name.partition("_")[0] for name in others} == set(DEVICES) - {device}


def test_energy_was_measured_on_three_devices(data_folder):
    assert load_hw_nas_bench(data_folder, "energy").devices == ("edgegpu", "eyeriss", "fpga")


def test_what_there_is_not_is_named(protocol, data_folder, tmp_path):
    with pytest.raises(UnknownNameError, match="unknown device 'edge'"):
        protocol.target("edge")
    with pytest.raises(UnknownNameError, match="unknown metric 'memory'"):
        load_hw_nas_bench(data_folder, "memory")
    with pytest.raises(UsageError, match="15624 measurements of fpga were asked for, expected 0 to 15623"):
        protocol.split("fpga", 15_624, seed=0)
    with pytest.raises(DataError, match=r"there is no file .*hw_nas_bench\.npz"):
        load_hw_nas_bench(tmp_path)
