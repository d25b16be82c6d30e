"""What is computed of constants and shapes, against ONNX's own reference implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from archpredict.onnx.folding import fold, fold_partly

_I, _F, _B = np.arange(-3, 9).reshape(3, 4), np.linspace(-2, 5, 12, dtype=np.float32).reshape(3, 4), np.eye(3, 4) > 0
_N = np.array([2, -3, 5, 7])


def _value(array) -> dict:
    return {"value": numpy_helper.from_array(np.asarray(array))}


_CASES = [
    *((op, [_I, _N], {}) for op in ("Add", "Sub", "Mul", "Div", "Min", "Max", "Equal", "Less", "GreaterOrEqual")),
    *((op, [_F, _N.astype(np.float32)], {}) for op in ("Add", "Div", "Max", "Greater", "LessOrEqual")),
    *((op, [_B, _B.T.reshape(3, 4)], {}) for op in ("And", "Or", "Xor", "Equal")),
    *((op, [_F], {}) for op in ("Neg", "Abs", "Floor", "Ceil", "Round", "Sign", "Exp", "Reciprocal")),
    *((op, [_F + 3], {}) for op in ("Sqrt", "Log")),
    ("Mod", [_I, _N], {}),
    ("Mod", [_I, _N], {"fmod": 1}),
    ("Sum", [_F, _F, _F], {}),
    ("Pow", [_I, np.array(2)], {}),
    ("Pow", [_F, np.array(2.0, np.float32)], {}),
    ("Not", [_B], {}),
    ("Where", [_B, _I, np.array(9)], {}),
    ("Clip", [_I, np.array(0), np.array(5)], {}),
    ("Clip", [_F, None, np.array(1.5, np.float32)], {}),
    *(
        ("Cast", [_F], {"to": to})
        for to in (TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL, TensorProto.DOUBLE)
    ),
    ("Gather", [_I, np.array([[0, -1], [2, 1]])], {"axis": 0}),
    ("Gather", [_I, np.array(1)], {"axis": 1}),
    ("Concat", [_I, _I], {"axis": 0}),
    ("Concat", [_I, _I, _I], {"axis": -1}),
    ("Unsqueeze", [_I, np.array([0, -1])], {}),
    ("Squeeze", [_I.reshape(1, 3, 1, 4), np.array([0])], {}),
    ("Squeeze", [_I.reshape(1, 3, 1, 4)], {}),
    ("Slice", [_I, np.array([1]), np.array([2**62])], {}),
    ("Slice", [_I, np.array([-1, 3]), np.array([-(2**62), 0]), np.array([0, 1]), np.array([-1, -2])], {}),
    ("Slice", [_I, np.array([5]), np.array([9]), np.array([0])], {}),
    ("Reshape", [_I, np.array([0, 2, -1])], {}),
    ("Reshape", [_I[:0], np.array([0, 7])], {"allowzero": 1}),
    ("Flatten", [_I.reshape(3, 2, 2)], {"axis": 2}),
    ("Flatten", [_I], {"axis": 0}),
    ("Transpose", [_I.reshape(3, 2, 2)], {"perm": [1, 2, 0]}),
    ("Transpose", [_I.reshape(3, 2, 2)], {}),
    ("Expand", [_I[:, :1], np.array([2, 1, 5])], {}),
    ("Tile", [_I, np.array([2, 3])], {}),
    ("Range", [np.array(2), np.array(17), np.array(4)], {}),
    ("Range", [np.array(9), np.array(-2), np.array(-3)], {}),
    ("ConstantOfShape", [np.array([2, 3])], _value([7])),
    ("ConstantOfShape", [np.array([], np.int64)], {}),
    ("NonZero", [_B], {}),
    ("Split", [_I, np.array([1, 3])], {"axis": 1, "outputs": 2}),
    ("Split", [_I], {"axis": 1, "outputs": 3, "num_outputs": 3}),
    *(
        (f"Reduce{name}", [_I, np.array(axes)], {"keepdims": keep})
        for name in ("Sum", "Prod", "Min", "Max")
        for axes in ([0], [0, -1])
        for keep in (0, 1)
    ),
    ("ReduceMean", [_F, np.array([1])], {}),
    ("ReduceSum", [_I], {}),
    ("ReduceSum", [_I], {"noop_with_empty_axes": 1}),
    ("ReduceL1", [_I, np.array([1])], {}),
    ("ReduceL2", [_F, np.array([0])], {}),
    ("ReduceSumSquare", [_I, np.array([0, 1])], {"keepdims": 0}),
    ("Mean", [_F, _F + 1, _F + 5], {}),
    ("MatMul", [_I, _I.T], {}),
    *((op, [_F], {}) for op in ("Relu", "Tanh", "Sin", "Cos", "IsNaN")),
    *((op, [_I, _N], {}) for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor")),
    ("BitwiseNot", [_I], {}),
    ("BitShift", [np.arange(4, dtype=np.uint32), np.array(1, np.uint32)], {"direction": "LEFT"}),
    ("BitShift", [np.arange(9, dtype=np.uint8), np.array(2, np.uint8)], {"direction": "RIGHT"}),
    ("IsInf", [np.array([np.inf, -np.inf, 1.0], np.float32)], {"detect_negative": 0}),
    ("GatherElements", [_I, np.array([[0, -1], [2, 1], [3, 3]])], {"axis": 1}),
    ("GatherND", [_I, np.array([[0, 1], [2, 3]])], {}),
    ("GatherND", [_I, np.array([[1]])], {}),
    *(("ScatterElements", [_I, np.array([[0, 2]]), np.array([[40, 50]])], {"axis": axis}) for axis in (0, 1)),
    ("ScatterElements", [_I, np.array([[0, 0]]), np.array([[40, 50]])], {"axis": 1, "reduction": "add"}),
    ("ScatterND", [_N, np.array([[1], [3]]), np.array([70, 80])], {}),
    ("ScatterND", [_I, np.array([[1], [1]]), _I[:2]], {"reduction": "add"}),
    ("OneHot", [np.array([0, 2, -1]), np.array(4), np.array([5, 7])], {}),
    ("OneHot", [np.array([[0, 2]]), np.array(3), np.array([0.0, 1.0], np.float32)], {"axis": 0}),
    ("EyeLike", [_F], {"k": 1}),
    ("Trilu", [_I], {}),
    ("Trilu", [_I, np.array(-1)], {"upper": 0}),
    *(
        ("CumSum", [_I, np.array(1)], {"exclusive": exclusive, "reverse": reverse})
        for exclusive in (0, 1)
        for reverse in (0, 1)
    ),
    *(
        (op, [_I % 3], {"axis": axis, "keepdims": axis, "select_last_index": last})
        for op in ("ArgMax", "ArgMin")
        for axis in (0, 1)
        for last in (0, 1)
    ),
    *(("TopK", [_I % 5, np.array([2])], {"axis": 1, "largest": n, "outputs": 2}) for n in (0, 1)),
    ("Compress", [_I, np.array([True, False, True])], {"axis": 0}),
    ("Compress", [_I, np.array([False, True, True])], {}),
    ("ReverseSequence", [_I, np.array([1, 3, 2, 0])], {}),
]


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case[0])
def test_every_operator_computes_what_the_reference_computes(case) -> None:
    op, inputs, attributes = case
    attributes = dict(attributes)
    outputs = [f"y{i}" for i in range(attributes.pop("outputs", 1))]
    names = ["" if array is None else f"x{i}" for i, array in enumerate(inputs)]
    node = helper.make_node(op, names, outputs, **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in zip(names, inputs, strict=True)
            if array is not None
        ],
        [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    feeds = {name: array for name, array in zip(names, inputs, strict=True) if array is not None}
    expected = ReferenceEvaluator(model).run(None, feeds)
    values = {k: numpy_helper.to_array(v) if isinstance(v, TensorProto) else v for k, v in attributes.items()}
    found = fold(op, inputs, values, len(outputs), max(array.size for array in expected))
    assert found is not None
    for array, truth in zip(found, expected, strict=True):
        np.testing.assert_array_equal(array, truth)
        assert array.shape == truth.shape


def test_attributes_of_older_versions_mean_the_same() -> None:
    for op, inputs, attributes, newer in (
        ("Unsqueeze", [_I], {"axes": (0, 2)}, [_I, np.array([0, 2])]),
        ("Squeeze", [_I[:1]], {"axes": (0,)}, [_I[:1], np.array([0])]),
        ("ReduceSum", [_I], {"axes": (1,)}, [_I, np.array([1])]),
        ("Split", [_I], {"split": (1, 2)}, [_I, np.array([1, 2])]),
        ("Clip", [_I], {"min": 0, "max": 4}, [_I, np.array(0), np.array(4)]),
        ("Slice", [_I], {"starts": (1,), "ends": (3,), "axes": (1,)}, [_I, *np.array([[1], [3], [1]])]),
    ):
        old, new = fold(op, inputs, attributes, 2, 12), fold(op, newer, {}, 2, 12)
        assert old is not None
        assert new is not None
        for a, b in zip(old, new, strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_cannot_be_computed_is_left_alone() -> None:
    for op, inputs, attributes in (
        ("Div", [np.array(3), np.array(0)], {}),
        ("Mod", [np.array(3), np.array(0)], {}),
        ("Gather", [_I, np.array(17)], {}),
        ("Gather", [_I], {}),
        ("Add", [_I, None], {}),
        ("Concat", [_I, _N], {"axis": 0}),
        ("Transpose", [_I], {"perm": (0, 0)}),
        ("Range", [np.array(0), np.array(2**62), np.array(1)], {}),
        ("Range", [np.array(0), np.array(5), np.array(0)], {}),
        ("Reshape", [_I, np.array([5, -1])], {}),
        ("ReduceMax", [_I[:0]], {}),
        ("ReduceMean", [_F[:0]], {}),
        ("Cast", [_F], {}),
        ("Cast", [_F], {"to": 99}),
        ("Conv", [_F, _F], {}),
        ("OneHot", [_N, np.array(2**40), np.array([0, 1])], {}),
        ("OneHot", [_N, np.array(3), np.array([0, 1, 2])], {}),
        ("GatherElements", [_I, np.array([[99]])], {}),
        ("GatherND", [_I, np.array([[0, 0, 0]])], {}),
        ("ScatterND", [_I, np.array([[9]]), _I[:1]], {}),
        ("ArgMax", [_I], {"axis": 5}),
        ("TopK", [_I, np.array([77])], {}),
        ("EyeLike", [_N], {}),
        ("Trilu", [_N, np.array(np.nan)], {}),
        ("CumSum", [_I, np.array(4)], {}),
        ("ReverseSequence", [_I, np.array([1])], {}),
    ):
        assert fold(op, inputs, attributes, 1, 12) is None


def test_large_arrays_are_not_made() -> None:
    assert fold("ConstantOfShape", [np.array([2**20, 2**20])], {}, 1, 2**40) is None
    assert fold("Expand", [np.array(1), np.array([2**40])], {}, 1, None) is None


@given(st.lists(st.one_of(st.integers(1, 50), st.none()), min_size=1, max_size=5), st.integers(1, 7))
def test_lengths_known_in_part_are_those_of_every_completion_where_they_are_known(lengths, number) -> None:
    partly = np.array([np.nan if n is None else n for n in lengths])
    for op, more, attributes in (
        ("Mul", [np.array(number)], {}),
        ("Add", [np.array(-number)], {}),
        ("Div", [np.array(number)], {}),
        ("Gather", [np.array([0, -1])], {}),
        ("Concat", [np.array([number])], {"axis": 0}),
        ("ReduceProd", [], {"keepdims": 0}),
        ("Cast", [], {"to": TensorProto.INT64}),
        ("Slice", [np.array([0]), np.array([number])], {}),
        ("ScatterND", [np.array([[0]]), np.array([number])], {}),
        ("GatherND", [np.array([[0]])], {}),
        ("CumSum", [np.array(0)], {}),
    ):
        found = fold_partly(op, [partly, *more], attributes, 1)
        assert found is not None
        for unknown in (1, 13):
            whole = fold(op, [np.nan_to_num(partly, nan=unknown).astype(np.int64), *more], attributes, 1, 50)
            assert whole is not None
            known = ~np.isnan(found[0])
            np.testing.assert_array_equal(found[0][known], whole[0][known])


def test_comparisons_of_lengths_that_are_not_known_are_not_computed() -> None:
    partly = np.array([np.nan, 3.0])
    for op in ("Equal", "Less", "Where", "Not", "Mod", "ConstantOfShape"):
        assert fold_partly(op, [partly, partly], {}, 1) is None
    assert fold_partly("Gather", [np.arange(4), partly], {}, 1) is None
