"""From a trace to the computational graph in the vocabulary of :mod:`archpredict.graph.operators`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from archpredict.errors import counted
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import UNKNOWN, WEIGHTED, Operation, computational_graph, count_macs, total
from archpredict.onnx._canonical.attention import find_attention
from archpredict.onnx._canonical.functions import recognise
from archpredict.onnx._canonical.layout import after_attention, meet, squeeze_slices, tidy, unfold
from archpredict.onnx._canonical.merging import merge
from archpredict.onnx._canonical.parameters import Parameters
from archpredict.onnx._file.elements import Same, none_the_same
from archpredict.onnx._tensors.ordering import shown
from archpredict.onnx._tensors.steps import Trace
from archpredict.onnx._translate.nodes import Node, NodeGraph, size
from archpredict.onnx._translate.rules import nodes_of

_LAYERS = tuple(label for label in WEIGHTED if label != "embedding")


@dataclass(frozen=True)
class Canonical:
    """A computational graph and what became of the model's operators.

    Args:
        graph: The graph.
        folded: What was folded into something else, and how often.
        unknown: Operators that are not known, and how often they occur.
        warnings: Sentences for the user.
        unplaced: Share of the parameters that are in layers whose sizes are not known.
    """

    graph: ArchGraph
    folded: dict[str, int]
    unknown: dict[str, int]
    warnings: list[str]
    unplaced: float


def canonical(trace: Trace, same: Same = none_the_same) -> Canonical:
    """Fold, recognise and merge until models that compute the same look the same.

    Args:
        trace: The model's operators.
        same: Whether two stored tensors have the same elements, transposed or not.
    """
    network = nodes_of(trace)
    network.folded.update(trace.folded)
    recognise(network)
    network.drop_dead()
    meet(network)
    merge(network)
    squeeze_slices(network)
    unfold(network)
    find_attention(network)
    after_attention(network)
    unfold(network)
    tidy(network)
    return _emitted(network, trace.unknown, same)


def _emitted(network: NodeGraph, of_constants: Mapping[str, int], same: Same) -> Canonical:
    number = {node: i for i, node in enumerate(network.nodes)}
    parameters = Parameters(network, same)
    operations = [_operation(node, parameters) for node in network.nodes]
    edges = [(number[source], number[node]) for node in network.nodes for source in node.inputs]
    for node in network.outputs:
        edges.append((number[node], len(operations)))
        operations.append(Operation("output", shape=node.shape or ()))
    unknown = dict(of_constants)
    for node in network.nodes:
        if node.label.startswith(UNKNOWN):
            name = node.label.partition(":")[2]
            unknown[name] = unknown.get(name, 0) + 1
    graph = computational_graph(operations, edges)
    lost = _unplaced(network, graph)
    share = lost[1] / max(1.0, total(graph, "params"))
    warnings = _warnings(network, graph, unknown, lost)
    for twin, table in parameters.twins:
        both = f"{shown(twin.name)} is {shown(table.name)}"
        warnings.append(f"{both} stored once more: its {twin.num_parameters:,} parameters count once")
    return Canonical(graph, network.folded, unknown, warnings, share)


def _unplaced(network: NodeGraph, graph: ArchGraph) -> tuple[int, float, float]:
    """Layers whose sizes are not known, or that nobody knows: their number, parameters, and multiply-adds at most.

    No layer is taken to be larger than the inputs.
    """
    params = graph.attrs["params"][: len(network.nodes), 0]
    lost = [
        i
        for i, node in enumerate(network.nodes)
        if node.label.startswith(UNKNOWN) or (node.label in _LAYERS and not node.macs and size(node.shape) < 0)
    ]
    places = max([size(_places(node.shape)) for node in network.nodes if node.label == "input"], default=0)
    return len(lost), float(params[lost].sum()), float((params[lost] * max(0, places)).sum())


def _places(shape: Sequence[int] | None) -> Sequence[int]:
    """The axes of an input that are neither batch nor channels; of images, the last two or the two before the last."""
    if shape is None or len(shape) < 3:
        return ()
    return sorted(shape[1:], reverse=True)[: len(shape) - 2]


def _warnings(
    network: NodeGraph, graph: ArchGraph, unknown: Mapping[str, int], lost: tuple[int, float, float]
) -> list[str]:
    found = []
    number, params, macs = lost
    most = f"; at most {macs:,.0f} multiply-adds are missing, if none is larger than the input" if macs else ""
    if unknown:
        names = ", ".join(f"{name} ({n} times)" if n > 1 else name for name, n in list(unknown.items())[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        found.append(f"operators that archpredict does not know, counted as unknown: {names}{more}")
    shapeless = sum(size(node.shape) < 0 for node in network.nodes)
    if shapeless:
        what, whose = ("shape", "its") if shapeless == 1 else ("shapes", "their")
        of = f"{shapeless:,} of {counted(len(network.nodes), 'operator')}"
        found.append(f"the {what} of {of} could not be found; {whose} MACs count as 0")
    if params:
        whole = total(graph, "params")
        have = "has" if number == 1 else "have"
        found.append(
            f"{counted(number, 'layer')} of unknown size {have} {params:,.0f} of {whole:,.0f} parameters{most}"
        )
    return found


def _operation(node: Node, parameters: Parameters) -> Operation:
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
    return replace(plain, params=parameters.of(node), macs=_macs(node, plain))


def _macs(node: Node, plain: Operation) -> float:
    """Multiply-adds of a node, as often as a loop applies it; 0 where its shape is not known."""
    return 0.0 if node.macs is None and node.shape is None else count_macs(plain) * node.times
