"""ENAS, two cells: a normal and a reduction cell, each with five nodes that add up two operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archpredict.errors import InvalidArchitectureError, UnknownNameError
from archpredict.graph.arch_graph import DATA, SUM, ArchGraph
from archpredict.spaces._darts_notation import ATTRIBUTES, Cell, genotype
from archpredict.spaces._plain import wholes
from archpredict.spaces.base import Choices, SearchSpace

__all__ = ["ENASMicro"]

OPERATORS = ("sep_conv_3x3", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3", "skip_connect")
"""The published order; choices of operators are indices into it."""

NODES = range(2, 7)
"""The nodes of a cell that compute; 0 and 1 are its inputs."""

_CELL_NAMES = ("normal", "reduction")
_PER_CELL = 4 * len(NODES)
_NODES = ("input0", "input1", *(SUM,) * len(NODES), "output")
_CELLS = (0,) * len(_NODES) + (1,) * len(_NODES)


class ENASMicro(SearchSpace):
    """The two cells of ENAS: 40 choices, all combinations legal, 5²⁰ · 720⁴ or about 2.6e25 vectors.

    Pham, Guan, Zoph, Le and Dean, "Efficient neural architecture search via parameter sharing", ICML 2018, arXiv
    1802.03268, section 2.4 (the micro search space); GATES (Ning, Zheng, Zhao, Wang and Yang, ECCV 2020, arXiv
    2004.01899) searches it too. Nodes 0 and 1 of a cell are its inputs; each node 2 to 6 adds up two operations
    on earlier nodes, which may be *one* node read twice: then two edges run side by side. The output
    concatenates the loose ends, which are the nodes that no other reads, the cell's inputs among them.

    For the normal and then the reduction cell, and for each node in turn, there are four choices: an input (2 to
    6 options), its operator (an index into :data:`OPERATORS`), the other input, its operator. Sampling is
    uniform over these vectors. A node's two pairs have no order, and the numbering of nodes does not matter, so
    several vectors name one architecture.

    Args:
        all_nodes: The output concatenates all nodes 2 to 6, as genotypes of aw_nas do, of which the code of GATES is
            part; otherwise the loose ends.

    Example:
        >>> space = ENASMicro()
        >>> cell = "0 2 0 0  0 4 0 1  0 4 1 1  1 0 0 1  0 2 5 1"  # five nodes of input, operator, input, operator
        >>> print(space.format(space.parse(f"{cell} {cell}")))
        Genotype(normal=[('avg_pool_3x3', 0), ('sep_conv_3x3', 0), ..., ('sep_conv_5x5', 5)],
        normal_concat=[2, 3, 4, 6], reduce=[...], reduce_concat=[2, 3, 4, 6])
    """

    name = "enas-micro"
    notation = (
        "Genotype(normal=[('sep_conv_3x3', 0), ...ten pairs], reduce=[...]), or normal_0=[('sep_conv_3x3', 0, 2), "
        "...], reduce_1=[...], or [[[input, operator index], ...], [...]], or 40 numbers: input, operator index, ..."
    )
    num_choices = tuple(n for node in NODES for n in (node, len(OPERATORS)) * 2) * 2

    attributes = ATTRIBUTES

    def __init__(self, all_nodes: bool = False) -> None:
        self.all_nodes = all_nodes

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        """Operations on edges, normal cell first."""
        edges: list[tuple[int, int]] = []
        labels: list[str] = []
        for offset, cell in zip((0, len(_NODES)), _cells(choices), strict=True):
            for i, (source, op) in enumerate(cell):
                edges.append((source + offset, NODES[i // 2] + offset))
                labels.append(OPERATORS[op])
            joined = self._joined(cell)
            edges += [(node + offset, len(_NODES) - 1 + offset) for node in joined]
            labels += [DATA] * len(joined)
        return ArchGraph(_NODES * 2, tuple(edges), tuple(labels), _CELLS)

    def read(self, value: Any) -> Choices:
        """Choices from a genotype in any of the notations.

        Raises:
            ValueError: It is in none of them, or names cells or operators outside the space.
        """
        if value and wholes(value) is not None:
            return super().read(value)
        found = genotype(value, NODES)
        choices: list[int] = []
        for name, cell, concat in zip(_CELL_NAMES, found.cells, found.concats, strict=True):
            pairs = _indices(cell, name)
            expected = self._joined(pairs)
            if concat is not None and sorted(concat) != expected:
                raise InvalidArchitectureError(
                    f"the output of the {name} cell concatenates {concat}, and in this space {expected}, {self._rule()}"
                )
            choices += [c for pair in pairs for c in pair]
        return tuple(choices)

    def format(self, choices: Sequence[int]) -> str:
        """The genotype on one line."""
        parts = []
        for name, cell in zip(("normal", "reduce"), _cells(choices), strict=True):
            pairs = [(OPERATORS[op], source) for source, op in cell]
            parts += [f"{name}={pairs}", f"{name}_concat={self._joined(cell)}"]
        return f"Genotype({', '.join(parts)})"

    def _joined(self, cell: Sequence[tuple[int, int]]) -> list[int]:
        """The nodes that the output of a cell of ``(input, operator)`` concatenates."""
        if self.all_nodes:
            return list(NODES)
        read_by_others = {source for source, _ in cell}
        return [node for node in range(len(_NODES) - 1) if node not in read_by_others]

    def _rule(self) -> str:
        if self.all_nodes:
            return "all that compute; leave the argument all_nodes out to have the nodes that no other reads"
        return (
            "the nodes that no other reads; to have all that compute, use ENASMicro(all_nodes=True) or "
            "`space='archpredict.spaces.enas_micro:all_nodes'`"
        )

    def __repr__(self) -> str:
        return f"ENASMicro(all_nodes={self.all_nodes})"


def all_nodes() -> ENASMicro:
    """The space whose outputs concatenate all nodes, named ``archpredict.spaces.enas_micro:all_nodes``."""
    return ENASMicro(all_nodes=True)


def _cells(choices: Sequence[int]) -> list[list[tuple[int, int]]]:
    """Both cells as ``(input, operator)`` pairs, two for each node."""
    pairs = list(zip(choices[::2], choices[1::2], strict=True))
    return [pairs[: _PER_CELL // 2], pairs[_PER_CELL // 2 :]]


def _indices(cell: Cell, name: str) -> list[tuple[int, int]]:
    """The pairs with operators as indices, checked."""
    pairs = []
    for i, (source, op) in enumerate(cell):
        node = NODES[i // 2]
        where = f"node {node} of the {name} cell"
        if not 0 <= source < node:
            raise InvalidArchitectureError(f"{where} reads node {source}; it can read nodes 0 to {node - 1}")
        if isinstance(op, str):
            if op not in OPERATORS:
                raise InvalidArchitectureError(f"{where} has an {UnknownNameError('operator', op, OPERATORS)}")
            op = OPERATORS.index(op)
        if not 0 <= op < len(OPERATORS):
            raise InvalidArchitectureError(f"{where} has operator {op}; operators count from 0 to {len(OPERATORS) - 1}")
        pairs.append((source, op))
    return pairs
