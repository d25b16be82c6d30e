"""Mixtures of experts as one operator, written out: which experts a token goes to, and their two or three layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from archpredict.onnx._written_out.expansion import MICROSOFT, Call, Expansion

_MOST = 1 << 40
_FUNCTIONS = {"relu": "Relu", "gelu": "Gelu", "geglu": "Gelu"}


@dataclass(frozen=True)
class _Mixture:
    """One use of ``MoE``, or of ``QMoE``, whose weights hold several numbers in a byte.

    Args:
        call: The operator.
        tokens, chosen: How many there are, and to how many experts each goes.
        bits: Of a weight's number, 0 where it is not packed.
    """

    call: Call
    tokens: int
    chosen: int
    bits: int

    def weight(self, place: int) -> tuple[str, int]:
        """Name of the weights of a layer of all experts, and how many numbers the layer makes."""
        experts, made, held = self.call.shape(place) or (0, 0, 0)
        if not self.bits:
            return self.call.input(place), made
        return self.call.unpacked(place, (experts, made, held * 8 // self.bits)), made

    def layer(self, x: str, place: int, bias: int, places: str) -> str:
        """What the chosen experts' layer makes of a token."""
        call = self.call
        name, made = self.weight(place)
        result: str = call.write("MatMul", call.write("Gather", name, places, axis=0), x)
        if not call.has(bias):
            return result
        shift = call.write("Gather", call.input(bias), places, axis=0)
        lengths = call.number([self.tokens, self.chosen, made, 1])
        return str(call.write("Add", result, call.write("Reshape", shift, lengths)))

    def activated(self, x: str, gate: str) -> str:
        """The experts' function, times a gate."""
        given = self.call.attributes.get("activation_type", "relu")
        name = given.decode("utf-8", "replace") if isinstance(given, bytes) else str(given)
        if name in ("silu", "swiglu"):
            x = self.call.write("Mul", x, self.call.write("Sigmoid", x))
        elif name != "identity":
            x = self.call.write(_FUNCTIONS.get(name, "Relu"), x)
        return self.call.write("Mul", x, gate) if gate else x


def _mixture(bits: bool, weights: tuple[int, int, int], biases: tuple[int, int, int]) -> Expansion:
    """Where the weights and biases of the layers are; the third is a gate, as is every second number of the first."""

    def written(call: Call) -> Sequence[str] | None:
        shape, probabilities = call.shape(0), call.shape(1)
        given = [call.shape(place) for place in weights if call.has(place)]
        if shape is None or probabilities is None or len(given) < 2 or min(shape, default=0) < 1:
            return None
        if any(
            lengths is None or len(lengths) != 3 or not 0 < min(lengths) <= max(lengths) < _MOST for lengths in given
        ):
            return None
        number = call.integer("expert_weight_bits", 4) if bits else 0
        tokens, chosen = prod(shape[:-1]), call.integer("k", 1)
        if not 0 < chosen <= probabilities[-1] or tokens > _MOST or number not in (0, 2, 4, 8):
            return None
        mixture = _Mixture(call, tokens, chosen, number)
        shares, places = call.write(
            "TopK", call.write("Softmax", call.input(1), axis=-1), call.number([chosen]), outputs=2
        )
        x = call.write("Reshape", call.input(0), call.number([tokens, 1, shape[-1], 1]))
        inner, gate = mixture.layer(x, weights[0], biases[0], places), ""
        if call.has(weights[2]):
            gate = mixture.layer(x, weights[2], biases[2], places)
        elif mixture.weight(weights[0])[1] == 2 * _taken(call, weights[1], number):
            inner, gate = call.write("Split", inner, outputs=2, axis=2, num_outputs=2)
        result = mixture.layer(mixture.activated(inner, gate), weights[1], biases[1], places)
        share = call.write("Reshape", shares, call.number([tokens, chosen, 1, 1]))
        together = call.write("ReduceSum", call.write("Mul", result, share), call.number([1]), keepdims=0)
        return (call.write("Reshape", together, call.number(list(shape))),)

    return written


def _taken(call: Call, place: int, bits: int) -> int:
    held = (call.shape(place) or (0, 0, 0))[2]
    return held * 8 // bits if bits else held


EXPANSIONS: Mapping[tuple[str, str], Expansion] = {
    (MICROSOFT, "MoE"): _mixture(False, (2, 4, 6), (3, 5, 7)),
    (MICROSOFT, "QMoE"): _mixture(True, (2, 5, 8), (4, 7, 10)),
}
"""By domain and name."""
