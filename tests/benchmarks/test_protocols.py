"""The protocols' tables and splits are what they say."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

_FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "_protocols.py"


@pytest.fixture(scope="module")
def protocols() -> ModuleType:
    spec = importlib.util.spec_from_file_location("_protocols", _FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_nb101_20k_tests_on_the_last_10000_and_trains_on_the_first(protocols: ModuleType, data_folder: Path) -> None:
    protocol = protocols.load_nb101_20k(data_folder)
    train, test = protocols.split(protocol, 423, seed=3)
    order = np.random.default_rng(3).permutation(20_001)
    assert protocol.choices.shape == (20_001, protocol.space.num_decisions)
    np.testing.assert_array_equal(train, order[:423])
    np.testing.assert_array_equal(test, order[-10_000:])
    assert not set(train.tolist()) & set(test.tolist())
    assert protocol.space.is_valid(protocol.choices[test[:100]]).all()


def test_nb201_tests_on_everything_it_does_not_train_on(protocols: ModuleType, data_folder: Path) -> None:
    protocol = protocols.load_nb201(data_folder)
    train, test = protocols.split(protocol, 78, seed=0)
    assert len(train) == 78
    assert sorted([*train, *test]) == list(range(15_625))
    assert protocol.test_labels.max() == pytest.approx(94.37, abs=0.01)  # the benchmark's best test accuracy
    assert not np.array_equal(protocol.train_labels, protocol.test_labels)


def test_more_training_rows_than_the_test_set_leaves_is_an_error(protocols: ModuleType, data_folder: Path) -> None:
    protocol = protocols.load_nb101_20k(data_folder)
    with pytest.raises(ValueError, match="nb101-20k leaves 10001 rows to train on, 10002 were asked for"):
        protocols.split(protocol, 10_002, seed=0)
