"""Operators of ``ai.onnx.ml``: what stands before and after a network, and linear models, which are linear layers.

The numbers of scalers, encoders and imputers are written into the model and are no parameters. Support vectors, trees
and tables of categories are no layers: nothing of them is a weight, and nothing that they compute a multiply-add.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archpredict.onnx._written_out.expansion import LEARNING, Call, Expansion

_FLOAT, _WHOLE, _STRING = 1, 7, 8


def _rows(call: Call, place: int = 0) -> str:
    """An input as real numbers, one example per row."""
    numbers = call.write("Cast", call.input(place), to=_FLOAT)
    single = len(call.shape(place) or (1, 1)) == 1
    return str(call.write("Unsqueeze", numbers, call.number([0])) if single else numbers)


def _shifted(call: Call, op: str, name: str, attribute: str) -> str:
    """Numbers of each column, subtracted or multiplied; of a list too long to read the first stands for all."""
    numbers = call.attributes.get(attribute, 1.0 if _length(call, attribute) else None)
    return name if numbers in (None, ()) else str(call.write(op, name, call.number(numbers)))


def _length(call: Call, attribute: str) -> int:
    """How many elements an attribute has, which may be too many to be read."""
    given = next((a for a in call.node.attribute if a.name == attribute), None)
    return 0 if given is None else max(len(given.floats), len(given.ints), len(given.strings))


def _scaled(call: Call) -> Sequence[str]:
    """Without the mean, times a factor."""
    centred = _shifted(call, "Sub", _rows(call), "offset")
    return (_shifted(call, "Mul", centred, "scale"),)


def _normalised(call: Call) -> Sequence[str]:
    """Each example by its largest number, or by its length."""
    rows, norm = _rows(call), call.attributes.get("norm", "MAX")
    if norm != "MAX":
        return (call.write("LpNormalization", rows, axis=-1, p=1 if norm == "L1" else 2),)
    return (call.write("Div", rows, call.write("ReduceMax", rows, call.number([-1]))),)


def _imputed(call: Call) -> Sequence[str]:
    """Other numbers for those that are missing."""
    given = call.attributes
    numbers: Any = given.get("imputed_value_floats") or given.get("imputed_value_int64s") or 0.0
    missing = given.get("replaced_value_float", given.get("replaced_value_int64", 0.0))
    source = _rows(call)
    return (
        call.write("Where", call.write("Equal", source, call.number(float(missing))), _reals(call, numbers), source),
    )


def _reals(call: Call, numbers: Any) -> str:
    values = numbers if isinstance(numbers, tuple) else (numbers,)
    return call.number([float(n) for n in values if isinstance(n, int | float)] or [0.0])


def _joined(call: Call) -> Sequence[str] | None:
    """Columns side by side."""
    if not call.inputs:
        return None
    return (call.write("Concat", *(_rows(call, place) for place in range(len(call.inputs))), axis=1),)


def _extracted(call: Call) -> Sequence[str] | None:
    """Some columns."""
    shape = call.shape(0)
    if shape is None or not shape or not call.has(1):
        return None
    source = call.input(0) if len(shape) > 1 else call.write("Unsqueeze", call.input(0), call.number([0]))
    places = call.write("Reshape", call.input(1), call.number([-1]))
    return (call.write("Gather", source, places, axis=-1),)


def _binarised(call: Call) -> Sequence[str]:
    """Ones for what is larger than a number, zeros for what is not."""
    threshold = call.number(float(call.attributes.get("threshold", 0.0)))
    larger = call.write("Greater", call.write("Cast", call.input(0), to=_FLOAT), threshold)
    return (call.write("Cast", larger, to=_FLOAT),)


def _same(call: Call) -> Sequence[str]:
    """Scores under the names of their classes are the scores."""
    return (call.write("Identity", call.input(0)),)


def _layer(call: Call, columns: int, intercepts: str = "intercepts") -> str | None:
    """A linear layer to so many numbers; None where its coefficients are not as many as that takes."""
    coefficients, shape = _length(call, "coefficients"), call.shape(0)
    if columns < 1 or coefficients < columns or coefficients % columns or (shape is not None and len(shape) > 2):
        return None
    weight = call.write("ConstantOfShape", call.number([coefficients // columns, columns]))
    bias = call.write("ConstantOfShape", call.number([columns])) if _length(call, intercepts) else ""
    return str(call.write("Gemm", _rows(call), weight, bias))


def _transformed(call: Call, scores: str) -> str:
    """Scores as probabilities, where the model says how."""
    function = call.attributes.get("post_transform", "NONE")
    if function in ("SOFTMAX", "SOFTMAX_ZERO"):
        return str(call.write("Softmax", scores, axis=-1))
    return str(call.write({"LOGISTIC": "Sigmoid", "PROBIT": "Erf"}.get(function, "Identity"), scores))


def _regressed(call: Call) -> Sequence[str] | None:
    made = _layer(call, call.integer("targets", 1))
    return None if made is None else (_transformed(call, made),)


def _by_support_vectors(call: Call) -> Sequence[str] | None:
    """A linear layer, where no examples are kept."""
    kernel = call.attributes.get("kernel_type", "LINEAR")
    return _judged(call) if call.integer("n_supports") or kernel != "LINEAR" else _of_coefficients(call)


def _of_coefficients(call: Call) -> Sequence[str] | None:
    made = _layer(call, 1, "rho")
    return None if made is None else (_transformed(call, made),)


def _classified(call: Call) -> Sequence[str] | None:
    """The most likely class, and the scores of all; of two classes one may have all coefficients."""
    classes = max(_length(call, "classlabels_ints"), _length(call, "classlabels_strings"))
    columns = _length(call, "intercepts") or (classes if classes != 2 else 1)
    width = (call.shape(0) or (-1,))[-1]
    if width > 0 and _length(call, "coefficients") % width == 0:
        columns = _length(call, "coefficients") // width
    made = _layer(call, columns)
    if made is None:
        return None
    scores = _transformed(call, made)
    if columns == 1 and classes == 2:
        scores = call.write("Concat", call.write("Neg", scores), scores, axis=1)
    return call.write("ArgMax", scores, axis=1, keepdims=0), scores


def _named(call: Call) -> Sequence[str]:
    """Categories by other names are the same categories."""
    names = {a.name for a in call.node.attribute}
    kinds = {"values_strings": _STRING, "values_int64s": _WHOLE, "values_floats": _FLOAT}
    return (call.write("Cast", call.input(0), to=next((kinds[n] for n in kinds if n in names), _WHOLE)),)


def _one_hot(call: Call) -> Sequence[str] | None:
    """A column per category."""
    categories = max(_length(call, "cats_int64s"), _length(call, "cats_strings"))
    if not categories:
        return None
    places = call.write("Cast", call.input(0), to=_WHOLE)
    return (call.write("OneHot", places, call.number(categories), call.number([0.0, 1.0])),)


def _judged(call: Call) -> Sequence[str]:
    """By trees, or by examples that are kept: for each row some numbers that depend on all of its columns."""
    labels = ("classlabels_ints", "classlabels_int64s", "classlabels_strings")
    classes = max(_length(call, name) for name in labels)
    together = call.write("ReduceProd", _rows(call), call.number([-1]))
    targets = classes or max(1, call.integer("n_targets", 1))
    scores = call.write("Expand", together, call.number([1, targets]))
    return (call.write("ArgMax", scores, axis=1, keepdims=0), scores) if classes else (scores,)


_BY_NAME: Mapping[str, Expansion] = {
    "Scaler": _scaled,
    "Normalizer": _normalised,
    "Imputer": _imputed,
    "FeatureVectorizer": _joined,
    "ArrayFeatureExtractor": _extracted,
    "Binarizer": _binarised,
    "ZipMap": _same,
    "LinearRegressor": _regressed,
    "LinearClassifier": _classified,
    **dict.fromkeys(("LabelEncoder", "CategoryMapper"), _named),
    "OneHotEncoder": _one_hot,
    "SVMRegressor": _by_support_vectors,
    **dict.fromkeys(("SVMClassifier", "TreeEnsemble"), _judged),
    **dict.fromkeys(("TreeEnsembleClassifier", "TreeEnsembleRegressor"), _judged),
}
EXPANSIONS: Mapping[tuple[str, str], Expansion] = {(LEARNING, name): made for name, made in _BY_NAME.items()}
"""By domain and name."""
