"""From a trace to the computational graph in the vocabulary of :mod:`archpredict.graph.operators`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import UNKNOWN, Operation, computational_graph, count_macs
from archpredict.onnx._canonical.attention import find_attention
from archpredict.onnx._canonical.functions import recognise
from archpredict.onnx._canonical.layout import after_attention, tidy, unfold
from archpredict.onnx._canonical.merging import merge
from archpredict.onnx._canonical.parameters import Parameters
from archpredict.onnx._trace.steps import Trace
from archpredict.onnx._translate.nodes import Node, NodeGraph, size
from archpredict.onnx._translate.rules import nodes_of


@dataclass(frozen=True)
class Canonical:
    """A computational graph and what became of the model's operators.

    Args:
        graph: The graph.
        folded: What was folded into something else, and how often.
        unknown: Operators that are not known, and how often they occur.
        warnings: Sentences for the user.
    """

    graph: ArchGraph
    folded: dict[str, int]
    unknown: dict[str, int]
    warnings: list[str]


def canonical(trace: Trace) -> Canonical:
    """Fold, recognise and merge until models that compute the same look the same."""
    network = nodes_of(trace)
    network.folded.update(trace.folded)
    recognise(network)
    network.drop_dead()
    merge(network)
    unfold(network)
    find_attention(network)
    after_attention(network)
    unfold(network)
    tidy(network)
    return _emitted(network, trace.unknown)


def _emitted(network: NodeGraph, of_constants: Mapping[str, int]) -> Canonical:
    number = {node: i for i, node in enumerate(network.nodes)}
    counted = Parameters(network)
    operations = [_operation(node, counted) for node in network.nodes]
    edges = [(number[source], number[node]) for node in network.nodes for source in node.inputs]
    for node in network.outputs:
        edges.append((number[node], len(operations)))
        operations.append(Operation("output", shape=node.shape or ()))
    unknown = dict(of_constants)
    for node in network.nodes:
        if node.label.startswith(UNKNOWN):
            name = node.label.partition(":")[2]
            unknown[name] = unknown.get(name, 0) + 1
    return Canonical(computational_graph(operations, edges), network.folded, unknown, _warnings(network, unknown))


def _warnings(network: NodeGraph, unknown: dict[str, int]) -> list[str]:
    found = []
    if unknown:
        names = ", ".join(f"{name} ({n} times)" if n > 1 else name for name, n in list(unknown.items())[:5])
        found.append(f"operators that archpredict does not know, counted as unknown: {names}")
    shapeless = sum(size(node.shape) < 0 for node in network.nodes)
    if shapeless:
        found.append(
            f"the shapes of {shapeless} of {len(network.nodes)} operators could not be found; their MACs count as 0"
        )
    return found


def _operation(node: Node, counted: Parameters) -> Operation:
    plain = Operation(
        node.label,
        shape=node.shape or (),
        kernel=node.kernel,
        stride=node.stride,
        dilation=node.dilation,
        padding=node.padding,
        groups=node.groups,
        start=node.start,
        counts_padding=node.counts_padding,
        weight=node.weight,
        bias=node.bias,
        macs=node.macs,
    )
    return replace(plain, params=counted.of(node), macs=_macs(node, plain))


def _macs(node: Node, plain: Operation) -> float:
    """Multiply-adds of a node, as often as a loop applies it; 0 where its shape is not known."""
    return 0.0 if node.macs is None and node.shape is None else count_macs(plain) * node.times
