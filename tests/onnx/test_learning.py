"""Operators of ai.onnx.ml: before and after a network they cost nothing, and linear models are linear layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from archpredict.graph.operators import total
from archpredict.onnx.reader import OnnxModel, interpret

ROWS = (3, 4)
Network = Callable[[Callable[..., Any]], Any]


def _model(writer, network: Network, shape: tuple[int, ...] = ROWS) -> tuple[onnx.ModelProto, OnnxModel]:
    """The model of a network, whose operators are of ai.onnx.ml unless it says so, and how it is read."""
    w = writer(x=shape)
    output = network(lambda op, *inputs, domain="ai.onnx.ml", **more: w(op, *inputs, domain=domain, **more))
    model = w.model(output)
    return model, interpret(model)


def _run(model: onnx.ModelProto) -> list[tuple[int, ...]]:
    """Shapes of the outputs as ONNX Runtime computes them."""
    runtime = pytest.importorskip("onnxruntime")
    model.ir_version = 8
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    given = {v.name: np.random.default_rng(0).random(v.shape, np.float32) for v in session.get_inputs()}
    return [np.shape(array) for array in session.run(None, given)]


def _trees(kind: str, **more: Any) -> dict[str, Any]:
    """One tree with one question and two answers."""
    return {
        "nodes_treeids": [0, 0, 0],
        "nodes_nodeids": [0, 1, 2],
        "nodes_featureids": [1, 0, 0],
        "nodes_values": [0.5, 0.0, 0.0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [2, 0, 0],
        f"{kind}_treeids": [0, 0],
        f"{kind}_nodeids": [1, 2],
        f"{kind}_ids": [0, 1],
        f"{kind}_weights": [1.0, 2.0],
        **more,
    }


_VECTORS: dict[str, Any] = {
    "support_vectors": [0.1] * 8,
    "coefficients": [1.0, -1.0],
    "rho": [0.2],
    "kernel_type": "RBF",
    "kernel_params": [0.5, 0.0, 3.0],
}
_BOTH: dict[str, Any] = {"coefficients": [0.1] * 8, "intercepts": [0.0, 1.0], "classlabels_ints": [0, 1]}

CASES: dict[str, tuple[Network, list[str], int, int]] = {
    "a scaler": (lambda w: w("Scaler", "x", offset=[1.0] * 4, scale=[2.0] * 4), ["sub", "mul"], 0, 0),
    "a scaler with one number": (lambda w: w("Scaler", "x", offset=[1.0], scale=[2.0]), [], 0, 0),
    "rows of length one": (lambda w: w("Normalizer", "x", norm="L2"), ["l2_norm"], 0, 0),
    "rows of sum one": (lambda w: w("Normalizer", "x", norm="L1"), ["reduce", "div"], 0, 0),
    "rows with a largest number of one": (lambda w: w("Normalizer", "x", norm="MAX"), ["reduce_max", "div"], 0, 0),
    "numbers for missing ones": (
        lambda w: w("Imputer", "x", imputed_value_floats=[0.5] * 4, replaced_value_float=-1.0),
        ["elementwise", "elementwise"],
        0,
        0,
    ),
    "columns side by side": (
        lambda w: w("FeatureVectorizer", "x", w("Relu", "x", domain=""), inputdimensions=[4, 4]),
        ["relu", "concat"],
        0,
        0,
    ),
    "some columns": (lambda w: w("ArrayFeatureExtractor", "x", np.array([0, 2])), ["slice"], 0, 0),
    "one column": (lambda w: w("ArrayFeatureExtractor", "x", np.array([[3]])), ["slice"], 0, 0),
    "a threshold": (lambda w: w("Binarizer", "x", threshold=0.5), ["elementwise"], 0, 0),
    "names of classes": (
        lambda w: w("Cast", w("LabelEncoder", w("Cast", "x", to=7, domain=""), **_NAMES), to=1, domain=""),
        [],
        0,
        0,
    ),
    "a column per category": (
        lambda w: w("OneHotEncoder", "x", cats_int64s=[3, 5, 7]),
        ["gather"],
        0,
        0,
    ),
    "a linear regression": (
        lambda w: w("LinearRegressor", "x", coefficients=[0.5] * 8, intercepts=[1.0, 2.0], targets=2),
        ["linear"],
        10,
        24,
    ),
    "a linear regression without intercepts": (
        lambda w: w("LinearRegressor", "x", coefficients=[0.5] * 4),
        ["linear"],
        4,
        12,
    ),
    "a linear classifier": (
        lambda w: w("LinearClassifier", "x", **_BOTH, post_transform="SOFTMAX", outputs=2)[1],
        ["linear", "softmax"],
        10,
        24,
    ),
    "a classifier whose one row tells two classes": (
        lambda w: w(
            "LinearClassifier", "x", coefficients=[0.1] * 4, intercepts=[0.5], classlabels_ints=[0, 1], outputs=2
        )[1],
        ["linear", "elementwise", "concat"],
        5,
        12,
    ),
    "a regression by trees": (
        lambda w: w("TreeEnsembleRegressor", "x", n_targets=2, **_trees("target")),
        ["reduce"],
        0,
        0,
    ),
    "classes by trees": (
        lambda w: w("TreeEnsembleClassifier", "x", **_trees("class"), classlabels_int64s=[0, 1], outputs=2)[1],
        ["reduce"],
        0,
        0,
    ),
    "a regression by examples": (
        lambda w: w("SVMRegressor", "x", n_supports=2, **_VECTORS),
        ["reduce"],
        0,
        0,
    ),
    "classes by examples": (
        lambda w: w(
            "SVMClassifier", "x", vectors_per_class=[1, 1], classlabels_ints=[0, 1], **_VECTORS, outputs=2
        )[1],
        ["reduce"],
        0,
        0,
    ),
}  # fmt: skip
_NAMES = {"keys_int64s": [0, 1], "values_int64s": [5, 6]}


@pytest.mark.parametrize("case", CASES)
def test_an_operator_counts_by_hand_and_has_the_shape_that_it_computes(writer, case: str) -> None:
    network, labels, params, macs = CASES[case]
    model, read = _model(writer, network)
    if case == "names of classes":  # in this form since version 2
        next(o for o in model.opset_import if o.domain == "ai.onnx.ml").version = 2
        read = interpret(model)
    assert [op for op in read.graph.ops if op not in ("input", "output")] == labels
    assert (total(read.graph, "params"), total(read.graph, "macs")) == (params, macs)
    assert (read.unknown, read.warnings) == ({}, ())
    assert list(read.outputs.values()) == _run(model)


def test_a_linear_regression_is_the_layer(writer) -> None:
    _, read = _model(
        writer, lambda w: w("LinearRegressor", "x", coefficients=[0.5] * 8, intercepts=[1.0] * 2, targets=2)
    )
    w = writer(x=ROWS)
    assert read.graph.key == w.graph(w("Gemm", "x", w.weight(4, 2), w.weight(2))).key


def test_many_numbers_count_although_they_are_not_read(writer) -> None:
    _, read = _model(
        writer, lambda w: w("LinearRegressor", "x", coefficients=[0.5] * 50_000, targets=10), shape=(2, 5000)
    )
    assert (total(read.graph, "params"), total(read.graph, "macs"), read.warnings) == (50_000, 100_000, ())
    many = [0.5] * 5000
    _, read = _model(writer, lambda w: w("Scaler", "x", offset=many, scale=many), shape=(2, 5000))
    assert (read.graph.ops[-1], read.warnings, list(read.outputs.values())) == ("output", (), [(2, 5000)])


def test_the_chosen_class_and_scores_with_names_are_outputs(writer) -> None:
    """As converters of scikit-learn write a classifier."""
    w = writer(x=ROWS)
    scaled = w("Scaler", "x", offset=[0.0] * 4, scale=[1.0] * 4, domain="ai.onnx.ml")
    label, scores = w("LinearClassifier", scaled, **_BOTH, post_transform="LOGISTIC", outputs=2, domain="ai.onnx.ml")
    scores = w("Normalizer", scores, norm="L1", domain="ai.onnx.ml")
    named = w("ZipMap", scores, classlabels_int64s=[0, 1], domain="ai.onnx.ml")
    read = w.read(label, named)
    assert (read.unknown, read.warnings) == ({}, ())
    assert list(read.outputs.values()) == [(3,), (3, 2)]
    assert {"linear", "sigmoid", "reduce", "div"} <= set(read.graph.ops)


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("Scaler", {"offset": [], "scale": [float("nan")] * 3}),
        ("Normalizer", {"norm": "L7"}),
        ("Imputer", {}),
        ("ArrayFeatureExtractor", {}),
        ("FeatureVectorizer", {"inputdimensions": [-(2**60)]}),
        ("LabelEncoder", {}),
        ("OneHotEncoder", {}),
        ("CategoryMapper", {"cats_strings": ["a"], "cats_int64s": [1]}),
        ("DictVectorizer", {"int64_vocabulary": [1]}),
        ("CastMap", {}),
        ("LinearRegressor", {"coefficients": [0.5] * 7, "targets": 2**62}),
        ("LinearRegressor", {"coefficients": [0.5] * 7, "targets": -1}),
        ("LinearClassifier", {"coefficients": [0.5] * 9}),
        ("LinearClassifier", {"classlabels_ints": [1, 2]}),
        ("SVMClassifier", {}),
        ("SVMRegressor", {"n_supports": -5}),
        ("TreeEnsembleRegressor", {"n_targets": 2**62}),
        ("TreeEnsembleClassifier", {}),
        ("ZipMap", {}),
    ],
    ids=str,
)
def test_attributes_that_cannot_be_are_no_error(writer, op: str, attributes: dict[str, Any]) -> None:
    for shape in (ROWS, (4,), (2, 3, 4)):
        w = writer(x=shape)
        node = helper.make_node(op, ["x"], ["made"], domain="ai.onnx.ml")
        node.attribute.extend(
            helper.make_attribute(k, v, attr_type=6 if k == "offset" else None) for k, v in attributes.items()
        )
        w.nodes.append(node)
        assert w.read(w("Relu", "made")).graph.num_nodes > 0
