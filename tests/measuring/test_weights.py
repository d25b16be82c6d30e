"""Weights that a file lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from archpredict.errors import ModelFileError
from archpredict.measuring.weights import Absent, absent, made_up

CONV = helper.make_node("Conv", ["x", "w"], ["y"])


def test_the_same_seed_makes_the_same_weights_and_another_one_others() -> None:
    weight = Absent("w", (16, 8, 3, 3), np.float32)
    assert np.array_equal(made_up(weight, 7), made_up(weight, 7))
    assert not np.array_equal(made_up(weight, 7), made_up(weight, 8))


def test_weights_of_another_name_are_others() -> None:
    assert not np.array_equal(made_up(Absent("a", (4, 4), np.float32), 0), made_up(Absent("b", (4, 4), np.float32), 0))


def test_signals_keep_their_size_through_many_layers() -> None:
    x = np.random.default_rng(0).standard_normal((32, 256))
    for depth in range(30):
        x = x @ made_up(Absent(f"layer{depth}", (256, 256), np.float32), 0)
    assert 0.1 < x.std() < 10


def test_vectors_are_positive_as_variances_are() -> None:
    assert made_up(Absent("variance", (1000,), np.float32), 0).min() >= 0.5


@pytest.mark.parametrize("kind", [np.int64, np.int32])
def test_long_integers_are_indices_that_every_table_has(kind: Any) -> None:
    assert not made_up(Absent("index", (100,), kind), 0).any()


def test_short_integers_use_their_whole_range() -> None:
    values = made_up(Absent("q", (10_000,), np.int8), 0)
    assert (values.dtype, values.min(), values.max()) == (np.int8, -128, 127)


def test_blocks_of_half_precision_are_filled_to_the_end() -> None:
    values = made_up(Absent("w", (3, (1 << 19) + 7), np.float16), 0)
    assert values.dtype == np.float16
    assert np.unique(values[-1]).size > 100


def test_what_is_in_the_file_or_beside_it_is_not_absent(toys: Any, tmp_path: Path) -> None:
    stored = numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")
    assert absent(toys.net([CONV], [stored]), tmp_path) == []
    (tmp_path / "absent.bin").write_bytes(b"\0" * 432)
    assert absent(toys.convolution(), tmp_path) == []


def test_weights_without_elements_or_their_file_are_absent(toys: Any, tmp_path: Path) -> None:
    wanted = [Absent("w", (4, 3, 3, 3), np.float32)]
    assert absent(toys.convolution(), tmp_path) == wanted
    empty = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=(4, 3, 3, 3))
    made = toys.net([CONV], [empty])
    assert absent(made, tmp_path) == wanted
    assert made.graph.initializer[0].data_location == TensorProto.EXTERNAL


def test_constants_without_elements_become_weights(toys: Any, tmp_path: Path) -> None:
    constant = helper.make_node("Constant", [], ["w"], value=toys.absent_weight("", 4, 3, 3, 3))
    made = toys.net([constant, CONV])
    assert absent(made, tmp_path) == [Absent("w", (4, 3, 3, 3), np.float32)]
    assert [node.op_type for node in made.graph.node] == ["Conv"]


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/hostname"])
def test_no_file_outside_the_folder_of_the_model_is_read(toys: Any, tmp_path: Path, location: str) -> None:
    made = toys.convolution()
    made.graph.initializer[0].external_data[0].value = location
    with pytest.raises(ModelFileError, match="outside the model's folder"):
        absent(made, tmp_path)


def test_weights_of_a_kind_that_is_not_made_up_are_told(toys: Any, tmp_path: Path) -> None:
    made = toys.net([CONV], [toys.absent_weight("w", 4, 3, 3, 3, kind=TensorProto.COMPLEX64)])
    with pytest.raises(ModelFileError, match="none of type COMPLEX64 are made up"):
        absent(made, tmp_path)
