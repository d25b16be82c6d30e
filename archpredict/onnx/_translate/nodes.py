"""A model between its trace and its graph: nodes that are merged, replaced and dropped until only operators remain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod

from archpredict.onnx._tensors.steps import Tensor

RESHAPE, TRANSPOSE, SCALAR = "~reshape", "~transpose", "~scalar"
"""Labels of nodes that are gone in the end: reshapes, transpositions (kept as ``permute`` where they change the order
of elements), and functions of single elements with a known number, such as the scale of attention."""
SAME = "same"
"""Function of what repeats its input along axes of length 1, as operators on two tensors do by themselves."""

Shape = tuple[int, ...] | None

_FLOATS = (1, 10, 11, 16)
"""ONNX's numbers of the types that parameters have: float, float16, double, bfloat16."""
_NUMBERS = (*_FLOATS, *(2, 3, 4, 5), *range(17, 27))
"""With those of quantised weights, of 2 to 16 bits; lengths and indices have more."""


@dataclass(eq=False)
class Node:
    """A node to be, with the fields of :class:`archpredict.graph.operators.Operation` and what recognising patterns
    needs.

    Args:
        label: From :data:`archpredict.graph.operators.OPERATORS`, or one of those above.
        inputs: Nodes whose outputs it reads.
        shape: Of its output, None where not known.
        constants: Parameters and numbers of the model that it reads.
        function: For functions of single elements and reductions: its name in
            :mod:`archpredict.onnx._canonical.functions`.
        numbers: The numbers that this function takes.
        axes: Axes that a reduction, norm or softmax goes over; the order of axes of a transposition.
        times: How often a loop around it applies it.
    """

    label: str
    inputs: list[Node]
    shape: Shape = None
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    groups: int = 0
    start: tuple[int, ...] = ()
    counts_padding: bool = False
    weight: tuple[int, ...] = ()
    bias: bool = False
    macs: float | None = None
    params: float | None = None
    constants: list[Tensor] = field(default_factory=list)
    function: str = ""
    numbers: tuple[float | None, ...] = ()
    axes: tuple[int, ...] | None = None
    times: int = 1

    @property
    def rank(self) -> int:
        return 0 if self.shape is None else len(self.shape)


@dataclass
class NodeGraph:
    """Nodes in topological order, the inputs first.

    Args:
        nodes: Every node that there is.
        outputs: The nodes whose values are the model's outputs.
        folded: What was folded into something else, and how often.
    """

    nodes: list[Node]
    outputs: list[Node]
    folded: dict[str, int] = field(default_factory=dict)

    def count(self, what: str) -> None:
        """Note that something was folded."""
        self.folded[what] = self.folded.get(what, 0) + 1

    def readers(self) -> dict[Node, list[Node]]:
        """Who reads each node; an output of the model counts as a reader, the node itself."""
        found: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for source in node.inputs:
                found[source].append(node)
        for node in self.outputs:
            found[node].append(node)
        return found

    def drop_dead(self) -> None:
        """Forget what no output depends on; inputs stay."""
        alive, stack = set(), list(self.outputs)
        while stack:
            node = stack.pop()
            if node not in alive:
                alive.add(node)
                stack += node.inputs
        self.nodes = [node for node in self.nodes if node in alive or node.label == "input"]

    def replace(self, choose: Callable[[Node], Node]) -> None:
        """Let everyone read ``choose(node)`` in place of ``node``, applied once per reference."""
        for node in self.nodes:
            node.inputs = [choose(source) for source in node.inputs]
        self.outputs = [choose(node) for node in self.outputs]


def size(shape: Sequence[int] | None) -> int:
    """Elements; -1 where a length is not known."""
    return -1 if shape is None or any(n < 0 for n in shape) else prod(shape)


def behind(tensor: Tensor) -> list[Tensor]:
    """The parameters that a constant was computed from."""
    return [t for t in tensor.parameters if t.stored and t.dtype in _FLOATS]


def behind_weight(tensor: Tensor) -> list[Tensor]:
    """What a layer's weight was computed from, which is a parameter wherever an exporter has put it.

    Of numbers between the operators, those that fewer than the weight's own were made of belong to its computation.
    """
    least = size(tensor.shape)
    return [t for t in tensor.parameters if t.dtype in _NUMBERS and (t.stored or t.num_parameters >= least)]
