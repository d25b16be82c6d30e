"""ENAS, a network of six layers: an operation on each, and skips from earlier layers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from archpredict.graph.arch_graph import DATA, SUM, ArchGraph
from archpredict.graph.builder import Builder, width_of
from archpredict.spaces._enas_network import EnasWriter
from archpredict.spaces._plain import wholes
from archpredict.spaces.base import Choices, SearchSpace

__all__ = ["ENAS"]

OPERATORS = ("conv_3x3", "sep_conv_3x3", "conv_5x5", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3")
"""The published order; choices of operators are indices into it."""

LAYERS = 6

_NODES = ("input", *(SUM,) * (LAYERS - 1), "output")
_START = [layer * (layer + 1) // 2 for layer in range(LAYERS + 1)]
"""Where the choices of a layer start; the last entry is their number."""
_CHANNELS = 36


class ENAS(SearchSpace):
    """The six-layer networks of ENAS: 21 choices, 6⁶ · 2¹⁵ = 1,528,823,808 vectors, all legal, no two isomorphic.

    Pham, Guan, Zoph, Le and Dean, "Efficient neural architecture search via parameter sharing", ICML 2018, arXiv
    1802.03268, section 2.3 (the macro search space), in the form with six layers of Zhang, Jiang, Cui, Garnett
    and Chen, "D-VAE: a variational autoencoder for directed acyclic graphs", NeurIPS 2019, arXiv 1904.11088.
    For each layer there is the operator (an index into :data:`OPERATORS`), then a bit for a skip from each
    point before the one that the layer reads: bit 0 from the stem, bit j from layer j - 1.

    A layer applies its operator to what comes from the layer before, and *adds* the skips. So the operators are
    on the edges here, skips are edges that only carry data, and nodes are sums. (D-VAE draws the operators on
    the nodes, skips among their inputs; both pictures tell the same networks apart.)

    The two-cell networks of the same publication are the space ``enas-micro``.

    Example:
        >>> space = ENAS()
        >>> choices = space.parse("[[1], [4, 0], [5, 0, 1], [0, 1, 0, 0], [2, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0]]")
        >>> choices[:10]
        (1, 4, 0, 5, 0, 1, 0, 1, 0, 0)
        >>> graph = space.decode(choices)
        >>> list(zip(graph.edges, graph.edge_ops))[:4]
        [((0, 1), 'sep_conv_3x3'), ((1, 2), 'avg_pool_3x3'), ((2, 3), 'max_pool_3x3'), ((1, 3), 'data')]
    """

    name = "enas"
    num_choices = tuple(n for layer in range(LAYERS) for n in (len(OPERATORS), *(2,) * layer))
    notation = (
        "[[op], [op, bit], ..., [op, bit, bit, bit, bit, bit]] of six layers, op from 0 to 5, or the same 21 numbers "
        "without brackets (genotypes of two cells are in the space enas-micro)"
    )

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        """Operations on edges; node 0 is the stem, node i what layer i - 1 gives."""
        edges: list[tuple[int, int]] = []
        labels: list[str] = []
        for layer, (op, *skips) in enumerate(_layers(choices)):
            edges.append((layer, layer + 1))
            labels.append(OPERATORS[op])
            for source, skip in enumerate(skips):
                if skip:
                    edges.append((source, layer + 1))
                    labels.append(DATA)
        return ArchGraph(_NODES, tuple(edges), tuple(labels))

    def read(self, value: Any) -> Choices:
        """Choices from a list of layers, or from their numbers alone, as ENAS's own scripts give them.

        Raises:
            ValueError: It is neither, or a number is out of range.
        """
        flat = wholes(value) if value else None
        numbers = _listed(value) if flat is None else flat
        if len(numbers) != _START[-1]:
            raise ValueError(f"it has {len(numbers)} numbers instead of {_START[-1]}")
        for layer, (op, *skips) in enumerate(_layers(numbers)):
            if not 0 <= op < len(OPERATORS):
                raise ValueError(f"layer {layer} has operator {op}")
            if not set(skips) <= {0, 1}:
                raise ValueError(f"layer {layer} has the bits {skips}, which are not all 0 or 1")
        return tuple(numbers)

    def format(self, choices: Sequence[int]) -> str:
        """The list of layers as JSON on one line."""
        return json.dumps(_layers(choices))

    def network(
        self,
        choices: Sequence[int],
        *,
        num_classes: int = 10,
        image_size: int = 32,
        image_channels: int = 3,
        channels: int | None = None,
    ) -> ArchGraph:
        """The network that a vector picks out of the published shared one, which gave the published labels.

        A stem; six layers, each a 1x1 convolution and the operator, then the sum with the skips and from the second
        layer on a batch norm; after the second and the fourth layer, whatever is read later is halved in size; a
        classifier without bias. The width is the same everywhere. (For its final training the publication makes other
        networks, 24 layers deep, which concatenate skips and double the width at each halving.)

        Args:
            choices: A legal vector.
            num_classes: As for every space.
            image_size: As for every space; a multiple of 4.
            image_channels: As for every space.
            channels: Of every layer, 36 as published.

        Example:
            >>> graph = ENAS().network((0,) * 21, image_size=8, channels=4)
            >>> graph.ops[:7]
            ('input', 'conv', 'conv', 'relu', 'conv', 'relu', 'conv')
        """
        layers = [
            (OPERATORS[op], [point for point, skip in enumerate(skips) if skip]) for op, *skips in _layers(choices)
        ]
        b = Builder((image_channels, image_size, image_size))
        return EnasWriter(b, width_of(channels, _CHANNELS)).network(layers, num_classes).graph()


def _listed(layers: Any) -> list[int]:
    """The numbers of a list of layers."""
    if isinstance(layers, str):
        raise ValueError("it does not parse")
    if not isinstance(layers, list) or not all(isinstance(layer, list) for layer in layers):
        raise ValueError("it is not a list of layers")
    if len(layers) != LAYERS:
        raise ValueError(f"it has {len(layers)} layers")
    found: list[int] = []
    for i, layer in enumerate(layers):
        numbers = wholes([*layer[:1], *(int(bit) if isinstance(bit, bool) else bit for bit in layer[1:])])
        if numbers is None or len(numbers) != i + 1:
            raise ValueError(f"layer {i} is {layer}, not an operator and {i} bits")
        found += numbers
    return found


def _layers(choices: Sequence[int]) -> list[list[int]]:
    """The choices of each layer: operator, then bits."""
    return [[int(c) for c in choices[_START[layer] : _START[layer + 1]]] for layer in range(LAYERS)]
