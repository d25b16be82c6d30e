"""What statistics say of the networks of architectures: computed of many at once, and once in a process.

A search scores the same architectures in every round and a learning curve in every step, while a network takes longer
to make than to read. So networks are made when they come up and let go, and only the numbers are kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from weakref import WeakKeyDictionary

import numpy as np

from archpredict._typing import FloatArray
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.network_statistics import NAMES, network_statistics_of
from archpredict.graph.network_view import NetworkView
from archpredict.graph.operators import UNKNOWN
from archpredict.graph.path_statistics import PATH_NAMES, path_statistics_of
from archpredict.predict.batch import Batch
from archpredict.predict.per_space import PerSpace

_MOST_ROWS = 32_768
"""Architectures whose numbers are kept, about 50 MB; those that came first go first."""
_MOST_NODES = 30_000
"""Of the networks that are read at once: more are no faster, and take more memory."""

_Key = ArchGraph | tuple[object, ...]
"""A graph; or the mark of a space, what tells its networks apart, and the operators that a network is read with."""

_marks: PerSpace[object] = PerSpace(object)
_of_choices: OrderedDict[_Key, FloatArray] = OrderedDict()
_of_graphs: WeakKeyDictionary[ArchGraph, FloatArray] = WeakKeyDictionary()
_of_batches: WeakKeyDictionary[Batch, FloatArray] = WeakKeyDictionary()


def network_numbers(batch: Batch, reader: str) -> tuple[FloatArray, FloatArray]:
    """Network and path statistics of a batch of ``B`` architectures.

    Args:
        batch: Architectures of spaces with a ``network()``, or computational graphs.
        reader: Who reads them, for the error messages.

    Returns:
        ``(B, F)`` as :data:`archpredict.graph.network_statistics.NAMES` and
        :data:`archpredict.graph.path_statistics.PATH_NAMES` name them.

    Raises:
        InvalidGraphError: A graph is no computational graph.
        UsageError: Packed graphs were given, or a space does not define its networks.
    """
    if batch not in _of_batches:
        _of_batches[batch] = _computed(batch, reader)
    found = _of_batches[batch]
    return found[:, : len(NAMES)], found[:, len(NAMES) :]


def _computed(batch: Batch, reader: str) -> FloatArray:
    found = np.empty((len(batch), len(NAMES) + len(PATH_NAMES)))
    missing: dict[_Key, list[int]] = {}
    for i, key in enumerate(_keys(batch, reader)):
        row = _of_graphs.get(key) if isinstance(key, ArchGraph) else _of_choices.get(key)
        if row is None:
            missing.setdefault(key, []).append(i)
        else:
            found[i] = row
    networks = (batch.network(places[0], reader) for places in missing.values())
    for (key, places), row in zip(missing.items(), _each_row(networks), strict=True):
        found[places] = row
        _keep(key, row)
    return found


def _keys(batch: Batch, reader: str) -> Iterator[_Key]:
    """What is equal for architectures whose networks are equal."""
    origins = batch.origins or [None] * len(batch)
    marks = {id(space): _marks[space] for space in {id(o[0]): o[0] for o in origins if o is not None}.values()}
    operators = batch.labels if UNKNOWN in batch.labels else ()
    for i, origin in enumerate(origins):
        if origin is None:
            yield batch.network(i, reader)
        else:
            space, choices = origin
            yield marks[id(space)], space.network_key(choices), operators


def _keep(key: _Key, row: FloatArray) -> None:
    if isinstance(key, ArchGraph):
        _of_graphs[key] = row
        return
    _of_choices[key] = row
    while len(_of_choices) > _MOST_ROWS:
        _of_choices.popitem(last=False)


def _each_row(networks: Iterable[ArchGraph]) -> Iterator[FloatArray]:
    """The numbers of each network, computed of many at a time."""
    some: list[ArchGraph] = []
    nodes = 0
    for network in networks:
        some.append(network)
        nodes += network.num_nodes
        if nodes >= _MOST_NODES:
            yield from _rows_of(some)
            some, nodes = [], 0
    yield from _rows_of(some)


def _rows_of(networks: list[ArchGraph]) -> FloatArray:
    view = NetworkView(networks)
    return np.hstack([network_statistics_of(view), path_statistics_of(view)])
