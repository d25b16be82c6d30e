"""Einsum: which index runs over which axis of which operand, and how far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from archpredict.onnx._file.protos import Shape

Index = str | int
"""A letter, or a number from -1 downwards for an axis of the ellipsis, counted from its end."""


@dataclass(frozen=True)
class Contraction:
    """An Einsum equation on operands of known ranks.

    Args:
        operands: The indices of each operand's axes.
        output: The indices of the output's axes.
        lengths: How far each index runs; -1 where that is not known.
    """

    operands: tuple[tuple[Index, ...], ...]
    output: tuple[Index, ...]
    lengths: dict[Index, int]

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the output's axes."""
        return tuple(self.lengths[index] for index in self.output)

    @property
    def combinations(self) -> int:
        """Number of combinations of all indices; 0 where a length is not known."""
        return prod(max(0, length) for length in self.lengths.values())


def contraction(equation: str, shapes: Sequence[Shape]) -> Contraction | None:
    """Read an equation, in its explicit or its implicit form; None where it does not fit, or a rank is not known.

    An axis of length 1 is repeated along a longer one of the same index, as NumPy does; axes of ellipses are aligned at
    their ends. Without ``->`` the output has the ellipsis, then the letters that occur once, in the order of their
    codes (upper case first).

    Example:
        >>> contraction("...ij,...jk", [(7, 4, 3), (3, 5)]).shape
        (7, 4, 5)
    """
    left, arrow, right = "".join(equation.split()).partition("->")
    terms = left.split(",")
    known = [shape for shape in shapes if shape is not None]
    if len(terms) != len(shapes) or len(known) != len(shapes):
        return None
    operands = [_indices(term, len(shape)) for term, shape in zip(terms, known, strict=True)]
    found = tuple(indices for indices in operands if indices is not None)
    lengths = _lengths(found, known) if len(found) == len(operands) else None
    if lengths is None:
        return None
    widest = max((-index for index in lengths if isinstance(index, int)), default=0)
    if not arrow:
        counts = Counter(index for indices in found for index in indices)
        once = sorted(index for index, count in counts.items() if isinstance(index, str) and count == 1)
        output: tuple[Index, ...] | None = (*range(-widest, 0), *once)
    else:
        output = _indices(right, len(right.replace("...", "")) + (widest if "..." in right else 0))
    if output is None or not lengths.keys() >= {*output} or len({*output}) != len(output):
        return None
    return Contraction(found, output, lengths)


def _indices(term: str, rank: int) -> tuple[Index, ...] | None:
    """The index of each axis of a tensor of this rank."""
    before, ellipsis, after = term.partition("...")
    axes = rank - len(before) - len(after)
    if (
        axes < 0
        or (axes and not ellipsis)
        or not all("A" <= letter <= "Z" or "a" <= letter <= "z" for letter in before + after)
    ):
        return None
    return (*before, *range(-axes, 0), *after)


def _lengths(operands: Sequence[Sequence[Index]], shapes: Sequence[tuple[int, ...]]) -> dict[Index, int] | None:
    """How far each index runs; None where two axes of one index do not fit."""
    found: dict[Index, int] = {}
    for indices, shape in zip(operands, shapes, strict=True):
        for index, length in zip(indices, shape, strict=True):
            before = found.get(index, 1)
            if before >= 0 and length >= 0 and 1 not in (before, length) and before != length:
                return None
            if before == 1 or (before < 0 and length > 1):
                found[index] = length
            else:
                found.setdefault(index, before)
    return found
