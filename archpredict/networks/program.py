"""A computational graph as a list of steps that torch can do: the one interpreter of networks.

A program holds no weights: :meth:`Program.run` is given them by name. So a trained network, a network under a
zero-cost proxy and an architecture of a weight-sharing supernet are all run by the same lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from archpredict.errors import InvalidGraphError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import check_computational
from archpredict.networks.steps import MAKERS, Layer, NodeTable, Run, Step, layer_of

__all__ = ["Program"]


class Program:
    """A program: the steps of a computational graph in torch, in the order of its nodes.

    A convolution with a bias had, as a rule, a batch norm that was folded into it. With ``norm`` it has one again, in
    front of the bias and without a scale, so that it can be trained and has as many parameters as in the graph; but
    not where it gives one place per channel, as in squeeze-and-excitation: there a batch norm would see one number
    per image.

    Args:
        graph: A computational graph with one input.
        norm: Whether convolutions with a bias are normalised.

    Raises:
        InvalidGraphError: A node cannot be run; the message names it and says why.

    Example:
        >>> from archpredict.graph.builder import Builder
        >>> b = Builder(image=(1, 4, 4))
        >>> program = Program(b.output(b.conv(b.input(), 2, kernel=3, norm=True)).graph())
        >>> program.layers
        {'conv': Layer(node=1, kind='conv', weight=(2, 1, 3, 3), bias=True, normalised=True)}
        >>> program.shapes
        {'conv/weight': (2, 1, 3, 3), 'conv/bias': (2,)}
    """

    def __init__(self, graph: ArchGraph, *, norm: bool = True) -> None:
        check_computational(graph)
        self.graph, self.norm = graph, norm
        self.layers: dict[str, Layer] = {}
        table = NodeTable(graph)
        if graph.ops.count("input") != 1 or "output" not in graph.ops:
            raise InvalidGraphError(
                f"a network that can be run has one input and an output, the graph has {graph.ops.count('input')} "
                f"and {graph.ops.count('output')}"
            )
        self._output = graph.ops.index("output")
        self.output_shape = table.shape(self._output)[1:]
        """Shape of one image's output, without lengths of 1 at the end; ``(K,)`` of a classifier."""
        self._steps: list[tuple[int, Step | None, tuple[int, ...]]] = []
        for v, op in enumerate(graph.ops):
            layer = layer_of(table, v, norm)
            name = table.name(v)
            if layer is not None:
                if name in self.layers:
                    raise InvalidGraphError(f"two layers are named {name!r}; give each a name of its own")
                self.layers[name] = layer
            make = MAKERS.get(op)
            if make is None:
                raise InvalidGraphError(
                    f"node {v} is {op!r}, which cannot be built as a network; what can: {', '.join(sorted(MAKERS))}"
                )
            step = None if op == "input" else make(table, v, name, layer)
            self._steps.append((v, step, tuple(table.sources[v])))
        self._forget = _last_readers(self._steps, graph.num_nodes)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of all parameters."""
        found: dict[str, tuple[int, ...]] = {}
        for name, layer in self.layers.items():
            found[f"{name}/weight"] = layer.weight
            if layer.bias:
                found[f"{name}/bias"] = layer.weight[:1]
        return found

    @property
    def statistics(self) -> dict[str, int]:
        """Names of running means and variances, and how many numbers each has."""
        normalised = {name: layer.weight[0] for name, layer in self.layers.items() if layer.normalised}
        return {f"{name}/{what}": width for name, width in normalised.items() for what in ("mean", "variance")}

    def fresh_statistics(self, device: torch.device | str = "cpu") -> dict[str, Tensor]:
        """Means of 0 and variances of 1."""
        return {
            name: torch.full((width,), float(name.endswith("variance")), device=device)
            for name, width in self.statistics.items()
        }

    def run(self, images: Tensor, run: Run) -> Tensor:
        """``(N, K)`` scores of ``(N, C, H, W)`` images, or what else the graph's output is, e.g. ``(N, K, H, W)``."""
        values: list[Any] = [None] * len(self._steps)
        for v, step, sources in self._steps:
            value = images if step is None else step(run, *[values[u] for u in sources])
            if run.observe is not None:
                run.observe(v, value)
            values[v] = value
            for u in self._forget[v]:  # so that without gradients no more is kept than is still read
                values[u] = None
        result: Tensor = values[self._output]
        return result.flatten(1) if len(self.output_shape) < 2 else result  # lengths of 1 at the end are left out

    def check_scores(self) -> None:
        """The output is one number per class, as a loss against labels takes it.

        Raises:
            UsageError: It has further axes.
        """
        if len(self.output_shape) > 1:
            raise UsageError(
                f"the network gives an output of shape {self.output_shape} per image; a loss against labels takes one "
                "number per class: end the network in a pool over all places, or take a proxy without labels"
            )


def _last_readers(steps: Sequence[tuple[int, Step | None, tuple[int, ...]]], count: int) -> list[list[int]]:
    """For each node, the nodes whose values nobody reads after it."""
    last = {u: v for v, _, sources in steps for u in sources}
    found: list[list[int]] = [[] for _ in range(count)]
    for u, v in last.items():
        found[v].append(u)
    return found
