"""Operators in an order in which each reads only what is there, and sentences for graphs that have none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import Any

from archpredict.errors import ModelFileError

WEIGHT_SLOTS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("Conv", "ConvTranspose", "FusedConv", "Gemm", "FusedGemm"), (1, 2)),
    **dict.fromkeys(("InstanceNormalization", "GroupNormalization", "LayerNormalization"), (1, 2)),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), (1, 2, 3)),
    **dict.fromkeys(("PRelu", "MatMul", "RMSNormalization"), (1,)),
    "BatchNormalization": (1, 2, 3, 4),
}
"""Inputs of operators that are parameters, wherever they come from."""


def shown(name: str, limit: int = 60) -> str:
    """A name from the file for a message: quoted, on one line, shortened."""
    return repr(name if len(name) <= limit else name[: limit - 3] + "...")


def called(node: Any) -> str:
    """An operator for a message."""
    name = node.name or next(iter(node.output), "")
    return f"{node.op_type[:60]} {shown(name)}"


def bodies(node: Any) -> Iterator[Any]:
    """The graphs among an operator's attributes: branches, and what a loop repeats."""
    for attribute in node.attribute:
        if attribute.type in (0, 5) and attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def captured(graph: Any) -> dict[str, None]:
    """What a body reads from around it."""
    known = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    known |= {tensor.values.name for tensor in graph.sparse_initializer}
    made = {name for node in graph.node for name in node.output}
    found: dict[str, None] = {}
    for node in graph.node:
        found.update(dict.fromkeys(name for name in reads(node) if name not in known and name not in made))
    found.update(dict.fromkeys(v.name for v in graph.output if v.name not in known and v.name not in made))
    return found


def reads(node: Any) -> list[str]:
    """Names of what an operator reads, what its bodies capture included."""
    names = [name for name in node.input if name]
    for body in bodies(node):
        names += captured(body)
    return names


def ordered(
    nodes: Sequence[Any], known: Callable[[str], bool], missing: Callable[[str, Any, int], bool]
) -> tuple[list[Any], bool]:
    """Operators in an order in which each reads only what is there, and whether they were in one.

    Args:
        nodes: The operators of one graph, function or body.
        known: Whether a name is there before any of them.
        missing: Asked about a name that nothing writes, its reader and the place among its inputs; true where that
            has been mended.

    Raises:
        ModelFileError: One name is written twice, or nothing writes what is read, or the operators form a cycle.
    """
    writers = _writers(nodes, known)
    wanted: list[list[int]] = []
    in_order = True
    for index, node in enumerate(nodes):
        before = []
        for place, name in enumerate(reads(node) if node.attribute else node.input):
            if not name or known(name):
                continue
            if name not in writers:
                if not missing(name, node, list(node.input).index(name) if name in node.input else place):
                    raise ModelFileError(
                        f"{called(node)} reads {shown(name)}, which nothing writes; export the model again"
                    )
                continue
            before.append(writers[name])
            in_order = in_order and writers[name] < index
        wanted.append(before)
    return (list(nodes), True) if in_order else (_sorted(nodes, wanted), False)


def _writers(nodes: Sequence[Any], known: Callable[[str], bool]) -> dict[str, int]:
    writers: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in node.output:
            if name and (name in writers or known(name)):
                raise ModelFileError(
                    f"{shown(name)} is written twice, the second time by {called(node)}; export the model again"
                )
            if name:
                writers[name] = index
    return writers


def _sorted(nodes: Sequence[Any], wanted: Sequence[Sequence[int]]) -> list[Any]:
    readers: list[list[int]] = [[] for _ in nodes]
    waits = [0] * len(nodes)
    for index, before in enumerate(wanted):
        for writer in set(before):
            readers[writer].append(index)
            waits[index] += 1
    ready = [index for index, count in enumerate(waits) if count == 0]
    heapify(ready)
    result = []
    while ready:
        index = heappop(ready)
        result.append(nodes[index])
        for reader in readers[index]:
            waits[reader] -= 1
            if waits[reader] == 0:
                heappush(ready, reader)
    if len(result) < len(nodes):
        raise ModelFileError(
            f"the operators form a cycle through {called(nodes[_on_cycle(wanted, waits)])}, and a network has none; "
            "export the model again"
        )
    return result


def _on_cycle(wanted: Sequence[Sequence[int]], waits: Sequence[int]) -> int:
    """An operator on a cycle: going from writer to writer among those that wait leads into one."""
    index, seen = next(i for i, count in enumerate(waits) if count), set()
    while index not in seen:
        seen.add(index)
        index = next(writer for writer in wanted[index] if waits[writer])
    return index
