"""Operators on integers, written out as those on the numbers that the integers stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archpredict.onnx._trace.expansion import MICROSOFT, Call, Expansion


def _dynamic(call: Call) -> Sequence[str]:
    """Rounding by a scale that is found in the data."""
    return call.write("Identity", call.input(0)), call.unit(), call.number(0)


def _convolution(*places: int) -> Expansion:
    """A convolution whose input, weight and bias are at these places."""

    def written(call: Call) -> Sequence[str]:
        return (call.plain("Conv", *(call.real(place) for place in places)),)

    return written


def _product(*places: int) -> Expansion:
    """A product of the matrices at the first two places, plus a bias at the third."""

    def written(call: Call) -> Sequence[str]:
        result = call.write("MatMul", *(call.real(place) for place in places[:2]))
        return (_biased(call, result, *places[2:]),)

    return written


def _biased(call: Call, result: str, place: int = -1) -> str:
    return call.write("Add", result, call.real(place)) if place >= 0 and call.has(place) else result


def _of_few_bits(call: Call) -> Sequence[str] | None:
    """``MatMulNBits``: a product with a weight of ``N`` rows and ``K`` columns, of which a byte holds several."""
    rows, columns = call.integer("N"), call.integer("K")
    if min(rows, columns) < 1 or not call.has(1):
        return None
    weight = call.write("Transpose", call.unpacked(1, (rows, columns)), perm=[1, 0])
    return (_biased(call, call.write("MatMul", call.input(0), weight), 5),)


def _dynamic_lstm(call: Call) -> Sequence[str]:
    """An LSTM whose weights are stored the other way round, ``(directions, inputs, 4 hidden)``."""
    weights = (call.write("Transpose", call.real(place), perm=[0, 2, 1]) for place in (1, 2))
    others = (call.input(place) for place in range(3, 8))
    results: Sequence[str] = call.plain("LSTM", call.input(0), *weights, *others, outputs=3)
    return results


EXPANSIONS: Mapping[tuple[str, str], Expansion] = {
    ("", "DynamicQuantizeLinear"): _dynamic,
    ("", "ConvInteger"): _convolution(0, 1),
    ("", "MatMulInteger"): _product(0, 1),
    ("", "QLinearConv"): _convolution(0, 3, 8),
    ("", "QLinearMatMul"): _product(0, 3),
    (MICROSOFT, "MatMulNBits"): _of_few_bits,
    (MICROSOFT, "DynamicQuantizeLSTM"): _dynamic_lstm,
}
"""By domain and name."""
