"""From a trace to the computational graph in the vocabulary of :mod:`archpredict.graph.operators`."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import NORMS, UNKNOWN, WEIGHTED, Operation, computational_graph, count_params
from archpredict.onnx._canonical.attention import find_attention
from archpredict.onnx._canonical.functions import recognise
from archpredict.onnx._canonical.layout import after_attention, tidy, unfold
from archpredict.onnx._canonical.merging import merge
from archpredict.onnx._trace.steps import Tensor, Trace
from archpredict.onnx._translate.nodes import Node, NodeGraph, behind, size
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
    recognise(network)
    network.drop_dead()
    merge(network)
    unfold(network)
    find_attention(network)
    after_attention(network)
    unfold(network)
    tidy(network)
    return _emitted(network)


def _emitted(network: NodeGraph) -> Canonical:
    number = {node: i for i, node in enumerate(network.nodes)}
    counted: set[Tensor] = set()
    operations = [_operation(node, counted) for node in network.nodes]
    edges = [(number[source], number[node]) for node in network.nodes for source in node.inputs]
    for node in network.outputs:
        edges.append((number[node], len(operations)))
        operations.append(Operation("output", shape=node.shape or ()))
    unknown: dict[str, int] = {}
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


def _operation(node: Node, counted: set[Tensor]) -> Operation:
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
    params = node.params if node.params is not None else _params(node, plain, counted)
    return Operation(**{**plain.__dict__, "params": params})


def _params(node: Node, plain: Operation, counted: set[Tensor]) -> float:
    """Parameters of a node; the weights that several layers share count at the first.

    Exporters store equal tensors once, and fresh norms and scales are all equal: those count wherever they are used.
    """
    stored = dict.fromkeys(t for tensor in node.constants for t in behind(tensor))
    if node.label in WEIGHTED:
        weight = behind(node.constants[0]) if node.constants else []
        shared, fresh = bool(weight) and counted.issuperset(weight), stored.keys() - counted
        counted.update(stored)
        if shared:
            return float(plain.weight[0]) if plain.bias and fresh else 0.0
        return count_params(plain) - _written_out(node)
    if node.label in NORMS:
        return count_params(plain) if node.constants else 0.0
    if node.label == "mul" and any(_is_table(tensor) for tensor in node.constants):
        return 0.0
    return float(sum(max(0, size(t.shape)) for t in stored))


def _written_out(node: Node) -> float:
    """Elements of a weight beyond the parameters that it was computed from, such as a table of relative positions."""
    weight = node.constants[0] if node.constants else None
    if weight is None or weight.stored or size(weight.shape) != prod(node.weight):
        return 0.0
    learnt = sum(max(0, size(t.shape)) for t in behind(weight))
    return float(max(0, size(weight.shape) - learnt)) if learnt else 0.0


def _is_table(tensor: Tensor) -> bool:
    """Sines and cosines of positions: what is learnt to scale something is one number per channel, head or place."""
    return sum(n > 1 for n in tensor.shape or ()) > 1
