"""Networks written in a few lines: a builder of computational graphs.

The graph is the one that :mod:`archpredict.onnx.reader` reads from the same network exported from torch: same nodes,
same
attributes, same key.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import reduce
from math import prod

from archpredict.errors import InvalidGraphError, UnknownNameError, integer, whole_number
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.blocks import Block, Written
from archpredict.graph.layers import Shape, convolution, plain, sliced, weighted, windowed
from archpredict.graph.operators import ACTIVATIONS, Operation, graph_of_few_operations

__all__ = ["Builder"]


class Builder:
    """A builder of computational graphs, operator by operator; shapes, parameters and MACs follow.

    Every method takes the nodes that it reads and returns the number of the node that it adds. Windows are square,
    and padding is ``(kernel - 1) // 2 * dilation`` unless given, which keeps the size at stride 1 and odd kernels;
    what a stride does not fill is left out (floor division).

    What has no weights and computes the same of the same nodes is one node, however often it is asked for, as exporters
    write it: ``relu(x)`` twice is one ReLU with two readers.

    A batch norm after a convolution (``norm=True``) is folded into it, as in any network that is ready for use: the
    convolution has a bias, one parameter per channel. Publications count two per channel for a batch norm with a
    scale and a shift, and none for one without; such counts by convention are those of
    :meth:`SearchSpace.cost <archpredict.spaces.base.SearchSpace.cost>`, never those of a graph.

    Weights are named, so that a supernet knows which layers of different architectures share theirs: by the
    :meth:`scope` that a layer is in, what it is, and how many such layers the scope had before it.

    Args:
        image: Channels, height and width of what enters; the batch is 1.
        merge: Whether equal operations without weights on equal nodes are one node. Without it every operation that is
            asked for is a node of its own, as published counts of operations have them.

    Raises:
        InvalidGraphError: By any method, where shapes do not fit together.

    Example:
        >>> b = Builder(image=(3, 32, 32))
        >>> x = b.relu(b.conv(b.input(), 16, kernel=3, stride=2, norm=True))
        >>> b.shape(x)
        (1, 16, 16, 16)
        >>> graph = b.output(b.linear(b.global_avg_pool(x), 10)).graph()
        >>> graph.ops
        ('input', 'conv', 'relu', 'global_avg_pool', 'linear', 'output')
        >>> graph.attrs["params"].sum() == (3 * 3 * 3 * 16 + 16) + (16 * 10 + 10)
        np.True_
    """

    def __init__(self, image: tuple[int, int, int] = (3, 32, 32), *, merge: bool = True) -> None:
        if not all((integer(length) or 0) >= 1 for length in image):
            raise InvalidGraphError(f"an image has channels, height and width of at least 1, {image} was given")
        self._image, self._merge = image, merge
        self._operations: list[Operation] = []  # distinct ones
        self._numbers: dict[Operation, int] = {}
        self._nodes: list[int] = []  # numbers of operations
        self._edges: list[tuple[int, int]] = []
        self._known: dict[tuple[int, tuple[int, ...]], int] = {}  # nodes without weights, by what they compute
        self._scope = ""
        self._scopes: list[str] = []  # of the nodes
        self._found = 0  # the first node that another one was merged with, since a block began
        self._blocks: dict[tuple[object, ...], Written] = {}

    def shape(self, x: int) -> Shape:
        """Shape of what a node gives, batch first."""
        return self._operations[self._nodes[x]].shape

    def channels(self, x: int) -> int:
        """Channels of what a node gives."""
        return self.shape(x)[1]

    def op(self, x: int) -> str:
        """The operator of a node."""
        return self._operations[self._nodes[x]].op

    def graph(self) -> ArchGraph:
        """The graph that was built so far."""
        return graph_of_few_operations(self._operations, self._nodes, self._edges, self._names())

    def scope(self, name: str | int) -> _NameScope:
        """Name what is built inside: layers with equal names share weights in a supernet.

        A good name says what place in the search space a layer belongs to, not what the rest of the architecture is:
        the cell and the edge, or the stage and the layer. Where one place has several operators to choose from, their
        kinds are told apart without a name, and layers that differ in channels or in the size of the window share
        one weight, of which each takes its part.

        Example:
            >>> b = Builder()
            >>> with b.scope("stage1"), b.scope(0):
            ...     x = b.conv(b.input(), 16, kernel=3)
            >>> b.graph().names
            ('stage1/0/input', 'stage1/0/conv')
        """
        return _NameScope(self, f"{self._scope}{name}/")

    def block(self, key: Hashable, build: Callable[..., int], *xs: int) -> int:
        """What a function adds, copied where it added the same before: several times faster for networks of cells.

        Args:
            key: Of the block: what is built must depend on it and on the shapes of ``xs`` alone.
            build: Takes ``xs`` and gives a node; it may not be called.
            xs: Nodes.

        Example:
            >>> def cell(x):
            ...     return b.add(b.conv(b.relu(x), b.channels(x), kernel=3), x)
            >>> b = Builder()
            >>> x = b.input()
            >>> for i in range(3):
            ...     with b.scope(i):
            ...         x = b.block("cell", cell, x)
            >>> b.graph().names[-3:]
            ('2/relu', '2/conv', '2/add')
        """
        known = (key, tuple(map(self.shape, xs)), tuple(map(xs.index, xs)))
        if known in self._blocks:
            block = self._blocks[known].block
            copied = None if block is None else self._copied(block, xs)
            return build(*xs) if copied is None else copied
        begin, before, width = len(self._nodes), len(self._edges), len(self._scope)
        outside, self._found = self._found, begin
        result = build(*xs)
        merged = self._found < begin  # with a node from before, which may be one of those given by chance
        self._found = min(outside, self._found)
        if not merged:
            nodes, scopes, edges = self._nodes[begin:], self._scopes[begin:], self._edges[before:]
            self._blocks[known] = Written(self._operations, nodes, scopes, width, edges, begin, xs, result)
        return result

    def _copied(self, block: Block, xs: tuple[int, ...]) -> int | None:
        """The result of a copy; None where nodes of it are there already."""
        begin = len(self._nodes)
        places = block.places(begin, xs)
        shared = {
            (number, tuple([places[source] for source in sources])): begin + i for i, number, sources in block.shared
        }
        if self._merge and not self._known.keys().isdisjoint(shared):
            return None
        self._nodes += block.nodes
        self._edges += [(places[source], begin + target) for source, target in block.edges]
        self._scopes += [self._scope + scope for scope in block.scopes]
        self._known.update(shared)
        return places[block.result]

    def input(self) -> int:
        """The image."""
        return self._add(plain("input", (1, *self._image)))

    def output(self, x: int) -> Builder:
        """Make a node the network's result; returns the builder, for ``.graph()``."""
        self._add(plain("output", self.shape(x)), x)
        return self

    def conv(
        self,
        x: int,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int | None = None,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        norm: bool = False,
    ) -> int:
        """A convolution; with ``norm`` a batch norm follows it and is folded in, so that it has a bias."""
        if not _are_integers(channels, kernel, stride, dilation, groups):
            channels, groups = whole_number("channels", channels, 1), whole_number("groups", groups, 1)
            kernel, stride = whole_number("kernel", kernel, 1), whole_number("stride", stride, 1)
            dilation = whole_number("dilation", dilation, 1)
        window = (kernel, stride, padding, dilation)
        return self._add(convolution(self.shape(x), channels, window, groups, bias or norm), x)

    def max_pool(self, x: int, kernel: int, *, stride: int = 1, padding: int | None = None) -> int:
        """The largest of each window."""
        return self._pool("max_pool", x, kernel, stride, padding)

    def avg_pool(self, x: int, kernel: int, *, stride: int = 1, padding: int | None = None) -> int:
        """The mean of each window, of which padding is no part."""
        return self._pool("avg_pool", x, kernel, stride, padding)

    def global_avg_pool(self, x: int) -> int:
        """The mean of each channel."""
        batch, channels, *places = self.shape(x)
        return self._add(plain("global_avg_pool", (batch, channels, *(1 for _ in places))), x)

    def linear(self, x: int, features: int, *, bias: bool = True) -> int:
        """A linear layer on all that arrives, flattened."""
        batch, *rest = self.shape(x)
        if (integer(features) or 0) < 1:
            raise InvalidGraphError(f"a linear layer gives at least 1 number, {features} were asked for")
        return self._add(weighted("linear", (batch, features), (features, prod(rest)), bias), x)

    def relu(self, x: int) -> int:
        """max(x, 0)."""
        return self.activation(x, "relu")

    def activation(self, x: int, name: str) -> int:
        """A function of single elements, by its name in :data:`archpredict.graph.operators.ACTIVATIONS`."""
        if name not in ACTIVATIONS:
            raise UnknownNameError("activation", name, ACTIVATIONS)
        return self._add(plain(name, self.shape(x)), x)

    def batch_norm(self, x: int) -> int:
        """A batch norm that cannot be folded, as it follows no convolution: it has a scale and a shift."""
        return self._add(weighted("batch_norm", self.shape(x), (self.channels(x),), True), x)

    def add(self, *xs: int) -> int:
        """The sum; of more than two it is a chain of sums of two, from the first to the last, as exporters write it."""
        return reduce(self._sum, self._given(xs, "sum"))

    def mul(self, x: int, scale: int) -> int:
        """The product; a scale of one number per channel, ``(1, C)`` or ``(1, C, 1, 1)``, multiplies whole channels."""
        of_channels = (*self.shape(x)[:2], *(1 for _ in self.shape(x)[2:]))
        if self.shape(scale) not in (self.shape(x), of_channels, of_channels[:2]):
            raise InvalidGraphError(
                f"a product takes equal shapes or one number per channel, got {self.shape(x)} and {self.shape(scale)}"
            )
        return self._add(plain("mul", self.shape(x)), x, scale)

    def resize(self, x: int, size: int) -> int:
        """Another height and width, bilinear; where they are the same, the node itself."""
        if size < 1:
            raise InvalidGraphError(f"a height and width of at least 1 can be made, {size} was given")
        batch, channels, *_ = self.shape(x)
        wanted = (batch, channels, size, size)
        return x if wanted == self.shape(x) else self._add(plain("resize", wanted), x)

    def zeros(self, x: int) -> int:
        """Zeros in the shape of a node: what it gives less itself."""
        return self._add(plain("sub", self.shape(x)), x, x)

    def concat(self, *xs: int) -> int:
        """Channels side by side; of one node it is the node itself."""
        shapes = [self.shape(x) for x in self._given(xs, "concatenation")]
        if len({(shape[0], *shape[2:]) for shape in shapes}) > 1:
            raise InvalidGraphError(f"what is concatenated must be alike but for the channels, got shapes {shapes}")
        if len(xs) == 1:
            return xs[0]
        batch, _, *places = shapes[0]
        return self._add(plain("concat", (batch, sum(shape[1] for shape in shapes), *places)), *xs)

    def slice(self, x: int, channels: int) -> int:
        """The first channels; where these are all, the node itself."""
        batch, before, *places = self.shape(x)
        if not 0 < channels <= before:
            raise InvalidGraphError(f"{channels} channels cannot be taken of {before}; take 1 to {before}")
        part = sliced((batch, channels, *places), (0,) * (2 + len(places)))
        return x if channels == before else self._add(part, x)

    def shifted(self, x: int) -> int:
        """Without the first row and the first column: two slices, as exporters write it."""
        batch, channels, height, width = self.shape(x)
        if min(height, width) < 2:
            raise InvalidGraphError(f"the shape {self.shape(x)} has no rows and columns to spare; take a larger image")
        rows = self._add(sliced((batch, channels, height - 1, width), (0, 0, 1, 0)), x)
        return self._add(sliced((batch, channels, height - 1, width - 1), (0, 0, 0, 1)), rows)

    def _sum(self, x: int, y: int) -> int:
        if self.shape(x) != self.shape(y):
            raise InvalidGraphError(f"a sum takes equal shapes, got {self.shape(x)} and {self.shape(y)}")
        return self._add(plain("add", self.shape(x)), x, y)

    def _given(self, xs: tuple[int, ...], what: str) -> tuple[int, ...]:
        if not xs:
            raise InvalidGraphError(f"a {what} takes at least one node, none was given")
        return xs

    def _pool(self, op: str, x: int, kernel: int, stride: int, padding: int | None) -> int:
        if self.shape(x)[2:] == (kernel, kernel) and not (padding or (padding is None and (kernel - 1) // 2)):
            return self._add(plain(f"global_{op}", (*self.shape(x)[:2], 1, 1)), x)  # one window is all there is
        return self._add(windowed(op, self.shape(x), self.channels(x), (kernel, stride, padding, 1)), x)

    def _add(self, operation: Operation, *sources: int) -> int:
        place = len(self._nodes)
        number = self._numbers.setdefault(operation, len(self._operations))
        if number == len(self._operations):
            self._operations.append(operation)
        if self._merge and not operation.weight:
            found = self._known.setdefault((number, sources), place)
            if found < place:
                self._found = min(self._found, found)
                return found
        self._nodes.append(number)
        self._scopes.append(self._scope)
        for source in sources:
            self._edges.append((source, place))
        return place

    def _names(self) -> list[str]:
        """The scope of each node, then the kind of operator, told apart by how many such ones came before."""
        kinds = [_kind(operation) for operation in self._operations]
        before: dict[str, int] = {}
        names = []
        for scope, number in zip(self._scopes, self._nodes, strict=True):
            name = scope + kinds[number]
            count = before[name] = before.get(name, -1) + 1
            names.append(f"{name}{count}" if count else name)
        return names


def _are_integers(*numbers: object) -> bool:
    """Whether these are plain ones, as in all networks of spaces."""
    return {int}.issuperset(map(type, numbers))


def _kind(operation: Operation) -> str:
    """The operator, told apart by groups."""
    return "depthwise" if operation.groups > 1 and operation.weight[1:2] == (1,) else operation.op


class _NameScope:
    """What is built inside has a name that begins so.

    Args:
        builder: Of the network.
        scope: Beginning of names.
    """

    __slots__ = ("_before", "_builder", "_scope")

    def __init__(self, builder: Builder, scope: str) -> None:
        self._builder, self._scope, self._before = builder, scope, builder._scope

    def __enter__(self) -> None:
        self._before, self._builder._scope = self._builder._scope, self._scope

    def __exit__(self, *error: object) -> None:
        self._builder._scope = self._before


def width_of(channels: int | None, published: int) -> int:
    """The width that is asked for of a network, or the published one.

    Raises:
        UsageError: It is no integer of at least 1.
    """
    return published if channels is None else whole_number("channels", channels, 1)
