"""A table that an exporter stored twice counts once; one that only looks like it counts."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from archpredict.graph.operators import total
from archpredict.onnx.files import read_model
from archpredict.onnx.reader import OnnxModel, read

TABLE = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)


def _model(head: np.ndarray, transposed: bool, dtype: type = np.float32, raw: bool = True) -> onnx.ModelProto:
    """Embedding, activation, and a layer to scores of all tokens."""
    weights = {"table": TABLE.astype(dtype), "head": head.astype(dtype)}
    stored = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    if not raw:
        stored = [helper.make_tensor(t.name, t.data_type, t.dims, weights[t.name].ravel()) for t in stored]
    nodes = [
        helper.make_node("Gather", ["table", "x"], ["e"]),
        helper.make_node("Relu", ["e"], ["r"]),
        helper.make_node(
            "Gemm" if transposed else "MatMul", ["r", "head"], ["y"], **({"transB": 1} if transposed else {})
        ),
    ]
    x = helper.make_tensor_value_info("x", onnx.TensorProto.INT64, (5,))
    y = helper.make_tensor_value_info("y", stored[0].data_type, (5, 20))
    return helper.make_model(helper.make_graph(nodes, "g", [x], [y], stored))


def _read(model: onnx.ModelProto, how: str, folder: Path) -> OnnxModel:
    if how == "memory":
        return read_model(model, {}, name="tied")
    path = folder / f"tied.onnx{'.gz' if how == 'gzip' else ''}"
    content = model.SerializeToString()
    path.write_bytes(gzip.compress(content) if how == "gzip" else content)
    return read(path)


@pytest.mark.parametrize("how", ["file", "gzip", "memory"])
@pytest.mark.parametrize("transposed", [True, False])
@pytest.mark.parametrize(("dtype", "raw"), [(np.float32, True), (np.float32, False), (np.float16, True)])
def test_a_table_that_is_stored_twice_counts_once_and_that_is_said(
    how: str, transposed: bool, dtype: type, raw: bool, tmp_path: Path
) -> None:
    seen = _read(_model(TABLE if transposed else TABLE.T, transposed, dtype, raw), how, tmp_path)
    assert total(seen.graph, "params") == 120
    assert seen.warnings == ("'head' is 'table' stored once more: its 120 parameters count once",)


@pytest.mark.parametrize("how", ["file", "gzip", "memory"])
def test_a_table_that_differs_in_one_number_counts(how: str, tmp_path: Path) -> None:
    other = TABLE.copy()
    other[13, 2] += 1e-3
    seen = _read(_model(other.T, False), how, tmp_path)
    assert (total(seen.graph, "params"), seen.warnings) == (240, ())


def test_where_elements_were_taken_out_every_table_counts(tmp_path: Path) -> None:
    model = _model(TABLE.T, False)
    for tensor in model.graph.initializer:
        tensor.ClearField("raw_data")
    assert total(_read(model, "file", tmp_path).graph, "params") == 240


def test_elements_in_other_files_are_not_looked_for(tmp_path: Path) -> None:
    model = _model(TABLE.T, False)
    (tmp_path / "weights").write_bytes(b"0" * 480)
    for tensor in model.graph.initializer:
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="weights")
    assert total(_read(model, "file", tmp_path).graph, "params") == 240


@pytest.mark.parametrize("how", ["file", "memory"])
def test_one_that_is_stored_once_more_in_half_precision_counts_once(how: str, tmp_path: Path) -> None:
    model = _model(TABLE.T, False)
    model.graph.initializer[1].CopyFrom(numpy_helper.from_array(TABLE.T.astype(np.float16), "half"))
    model.graph.node.insert(0, helper.make_node("Cast", ["half"], ["head"], to=onnx.TensorProto.FLOAT))
    assert total(_read(model, how, tmp_path).graph, "params") == 120
