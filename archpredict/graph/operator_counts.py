"""How many of each operator a cell has, of all and of those that a compiler may keep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archpredict._typing import BoolArray, FloatArray, IntArray

__all__ = ["operator_counts"]


def operator_counts(choices: IntArray, edges: Sequence[tuple[int, int]], operators: int, none: int = 0) -> FloatArray:
    """Numbers of each operator in cells with operations on edges, counted in four ways.

    All of them; those that read something that depends on the cell's input (what reads zeros alone is constant, and
    some compilers compute it beforehand); those whose result reaches the cell's output (some leave out all others);
    and those for which both is so.

    Args:
        choices: ``(B, E)`` index of the operator on each edge.
        edges: ``E`` pairs of nodes, source < destination; node 0 is the input, the last one the output.
        operators: How many there are.
        none: The one that is no edge at all; it is not counted.

    Returns:
        ``(B, 4 * (operators - 1))``.

    Example:
        >>> operator_counts(np.array([[1, 2, 0]]), [(0, 1), (0, 2), (1, 2)], 3)
        array([[1., 1., 1., 1., 0., 1., 0., 1.]])
    """
    present = np.asarray(choices) != none
    last = max(target for _, target in edges)
    reached = _passed(present, [(source, target) for source, target in edges], 0, last)
    useful = _passed(present, [(target, source) for source, target in edges], last, last)
    kinds = np.array([operator for operator in range(operators) if operator != none])
    is_kind = np.asarray(choices)[:, :, None] == kinds  # (B, E, O)
    counted = [present, reached, useful, reached & useful]
    return np.concatenate([(is_kind & where[:, :, None]).sum(axis=1) for where in counted], axis=1).astype(np.float64)


def _passed(present: BoolArray, edges: Sequence[tuple[int, int]], start: int, last: int) -> BoolArray:
    """``(B, E)``: which edges that are present leave a node that can be come to from the start."""
    at = np.zeros((len(present), last + 1), dtype=np.bool_)
    at[:, start] = True
    passed = np.zeros_like(present)
    for edge in sorted(range(len(edges)), key=lambda edge: abs(edges[edge][0] - start)):
        source, target = edges[edge]
        passed[:, edge] = present[:, edge] & at[:, source]
        at[:, target] |= passed[:, edge]
    return passed
