"""From architectures to what predictors read: packed graphs, and numbers known of each architecture as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict._typing import FloatArray, IntArray
from archpredict.errors import DataError, UnknownNameError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.network_statistics import NAMES as NETWORK_NAMES
from archpredict.graph.network_statistics import network_statistics
from archpredict.graph.node_features import NAMES as NODE_NAMES
from archpredict.graph.node_features import node_features
from archpredict.graph.operators import OPERATORS, UNKNOWN
from archpredict.graph.packed import PackedGraphs
from archpredict.graph.statistics import Statistics
from archpredict.predict._items import Item, common_space, cost_names, graph_of, labels_of, one_space, spaces_of
from archpredict.predict.proxy_features import ProxyFeatures
from archpredict.spaces.base import Architecture, SearchSpace

Features = Mapping[str, Sequence[float] | npt.NDArray[Any]]

SIDES = ("statistics", "choices", "network")
_FORMS = ("nodes", "native", "choices", "network")
_CLIP = 4.0
_CONSTANT = 1e-9
"""Spread, as a share of the largest number, below which a column tells nothing; it is set to 0 throughout."""
_MAX_COLUMNS = 20_000


@dataclass(frozen=True, eq=False)
class Inputs:
    """``G`` architectures as a fitted predictor reads them; made by :meth:`InputSpec.pack`.

    Args:
        graphs: In the form that the encoder wants.
        nodes: In operation-on-node form, for the statistics; the same object where the encoder wants that too.
        known: ``(G, K)`` costs, one-hot choices, statistics and zero-cost scores of networks, and extra features, as
            far as they are read.
    """

    graphs: PackedGraphs
    nodes: PackedGraphs
    known: FloatArray

    @classmethod
    def concat(cls, parts: Sequence[Inputs]) -> Inputs:
        """Several one after another."""
        graphs = PackedGraphs.concat([part.graphs for part in parts])
        same = all(part.graphs is part.nodes for part in parts)
        nodes = graphs if same else PackedGraphs.concat([part.nodes for part in parts])
        return cls(graphs, nodes, np.concatenate([part.known for part in parts]))

    def __len__(self) -> int:
        return len(self.graphs)

    def __getitem__(self, index: slice | npt.NDArray[Any]) -> Inputs:
        graphs = self.graphs[index]
        return Inputs(graphs, graphs if self.nodes is self.graphs else self.nodes[index], self.known[index])


Items = Sequence[Item] | PackedGraphs | Inputs


@dataclass(frozen=True, eq=False)
class InputSpec:
    """What a predictor reads of an architecture; fixed when it is fitted.

    Args:
        form: Graph form of the encoder: ``nodes``, ``native``, ``choices`` or ``network``.
        vocabulary: Operator labels.
        num_cells: Cells per graph.
        space: Name of the search space; None where it was fitted on bare graphs.
        num_choices: Options of each choice, where choices are read, else empty.
        statistics: The graph statistics read, or None.
        one_hot: Whether the one-hot choices are among the numbers.
        costs: Names of the space's costs that are read.
        network: Whether the statistics of computational graphs are among the numbers.
        proxies: Zero-cost scores that are among the numbers, or None.
        features: Names of the extra columns.
        location, scale: ``(F,)`` mean and spread of each number on the training set; scale 0 drops a number.
    """

    form: str
    vocabulary: tuple[str, ...]
    num_cells: int
    space: str | None = None
    num_choices: tuple[int, ...] = ()
    statistics: Statistics | None = None
    one_hot: bool = False
    costs: tuple[str, ...] = ()
    network: bool = False
    proxies: ProxyFeatures | None = None
    features: tuple[str, ...] = ()
    location: FloatArray | None = None
    scale: FloatArray | None = None

    # ------------------------------------------------------------------ fitting

    @classmethod
    def fit(
        cls,
        items: Items,
        *,
        form: str,
        side: Sequence[str] = (),
        vocabulary: Sequence[str] | None = None,
        proxies: ProxyFeatures | None = None,
        features: Features | None = None,
    ) -> tuple[InputSpec, Inputs]:
        """Fix what is read, from the training architectures; also gives them packed.

        Args:
            items: ``n`` architectures, graphs, or graphs packed already.
            form: What the encoder wants.
            side: Which numbers are read beside the graph: ``statistics``, ``choices``, ``network``.
            vocabulary: Operator labels; those of the items and their spaces if left out. Of computational graphs they
                are always :data:`archpredict.graph.operators.OPERATORS`.
            proxies: Zero-cost scores that are computed and read beside the graph.
            features: Extra columns ``(n,)`` by name.
        """
        for name in side:
            if name not in SIDES:
                raise UnknownNameError("side input", name, SIDES)
        if isinstance(items, Inputs):
            raise UsageError("a predictor is fitted on architectures or graphs, not on inputs packed for another one")
        if isinstance(items, PackedGraphs):
            if form == "choices" or "choices" in side:
                raise UsageError("choices are read from Architecture objects; packed graphs have none")
            if "network" in side:
                raise UsageError("statistics of networks are taken from ArchGraph objects; packed graphs have none")
            if proxies is not None:
                raise UsageError("zero-cost scores are taken of Architecture objects; packed graphs have none")
            spec = cls(form, OPERATORS if form == "network" else items.vocabulary, items.num_cells)
        else:
            spaces = spaces_of(items)
            reads_choices = form == "choices" or "choices" in side
            if form == "network" or "network" in side:
                vocabulary = OPERATORS
            spec = cls(
                form=form,
                vocabulary=tuple(vocabulary) if vocabulary is not None else labels_of(items, spaces),
                num_cells=max(graph_of(item).num_cells for item in items),
                space=spaces[0].name if spaces else None,
                num_choices=one_space(items, spaces).num_choices if reads_choices else (),
                one_hot="choices" in side,
                costs=cost_names(items, spaces) if "statistics" in side else (),
                network="network" in side,
                proxies=None if proxies is None else proxies.fit(items),
            )
        spec = replace(spec, features=tuple(features or ()))
        if isinstance(items, PackedGraphs):
            inputs = spec.pack(items, features)
        else:
            inputs = spec._packed(items, features, with_nodes="statistics" in side)
        if "statistics" in side:
            spec = replace(spec, statistics=Statistics.fit(inputs.nodes, spec.costs))
        raw = spec.raw(inputs)
        if raw.shape[1]:
            location, scale = _scale(raw)
            spec = replace(spec, location=location, scale=scale)
        return spec, inputs

    # ------------------------------------------------------------------ use

    @property
    def num_ops(self) -> int:
        """Size of the vocabulary that the encoder sees."""
        return sum(self.num_choices) if self.form == "choices" else len(self.vocabulary)

    @property
    def num_side(self) -> int:
        """``F``, how many numbers are read beside the graph."""
        return 0 if self.location is None else len(self.location)

    def pack(self, items: Items, features: Features | None = None) -> Inputs:
        """Architectures in the form that :meth:`side` and the encoder read.

        Raises:
            DataError: A feature is missing or not finite.
            UsageError: Operators, cells or kinds of items that the predictor does not know.
        """
        if isinstance(items, Inputs):
            self._check(items.graphs)
            return items
        if isinstance(items, PackedGraphs):
            self._check(items)
            if self.form == "choices" or self.one_hot or self.costs:
                raise UsageError(
                    "this predictor reads choices or costs of its search space, which packed graphs do not have; give "
                    "Architecture objects, or Inputs with the known numbers"
                )
            if self.network or self.proxies is not None:
                what, given = ("statistics", "ArchGraph") if self.network else ("zero-cost scores", "Architecture")
                raise UsageError(
                    f"this predictor reads {what} of networks, which packed graphs do not have; give {given} "
                    "objects, or Inputs with the known numbers"
                )
            return Inputs(items, items, self._features(features, len(items)))
        return self._packed(items, features, with_nodes=self.statistics is not None)

    def side(self, inputs: Inputs) -> npt.NDArray[np.float32] | None:
        """Standardised numbers ``(G, F)``, clipped to 4 standard deviations; None where none are read."""
        if self.location is None or self.scale is None:
            return None
        divisor = np.where(self.scale > 0, self.scale, np.inf)
        with np.errstate(over="ignore"):  # what is too large a multiple of the spread is clipped
            standardized = (self.raw(inputs) - self.location) / divisor
        return np.clip(standardized, -_CLIP, _CLIP).astype(np.float32)

    def _packed(self, items: Sequence[Item], features: Features | None, *, with_nodes: bool) -> Inputs:
        """Pack; ``with_nodes``: in operation-on-node form too, which statistics are taken on."""
        rows = self._rows(items)
        if self.form in ("nodes", "network"):
            packed = nodes = self._on_nodes(items)
        else:
            packed = self._chosen(rows) if self.form == "choices" else self._native(items)
            nodes = self._on_nodes(items) if with_nodes else packed
        known = [self._known(items, rows), self._features(features, len(items))]
        return Inputs(packed, nodes, np.concatenate(known, axis=1))

    def raw(self, inputs: Inputs) -> FloatArray:
        """Numbers beside the graph as they are, ``(G, F)``."""
        if self.statistics is None:
            return inputs.known
        costs = {name: inputs.known[:, i] for i, name in enumerate(self.costs)}
        rest = inputs.known[:, len(self.costs) :]
        return np.concatenate([self.statistics(inputs.nodes, costs).astype(np.float64), rest], axis=1)

    def _chosen(self, rows: IntArray) -> PackedGraphs:
        """One node per choice, no edges; the operator numbers of different choices do not overlap."""
        offset = np.concatenate([[0], np.cumsum(self.num_choices)[:-1]])
        op = (rows + offset + 1).astype(np.uint8 if self.num_ops < 256 else np.uint16)
        none = np.zeros((len(rows), op.shape[1], op.shape[1]), dtype=np.bool_)
        return PackedGraphs.from_arrays(op, none, _choice_labels(self.num_choices))

    def _on_nodes(self, items: Sequence[Item]) -> PackedGraphs:
        return self._pack_graphs([graph_of(item).on_nodes for item in items])

    def _native(self, items: Sequence[Item]) -> PackedGraphs:
        return self._pack_graphs([graph_of(item) for item in items])

    def _pack_graphs(self, graphs: Sequence[ArchGraph]) -> PackedGraphs:
        features = None
        if self.form == "network":
            features = np.concatenate([np.zeros((0, len(NODE_NAMES)), np.float32), *map(node_features, graphs)])
        unknown = UNKNOWN if self.vocabulary == OPERATORS else None
        return PackedGraphs.from_graphs(graphs, self.vocabulary, self.num_cells, unknown=unknown, features=features)

    def _rows(self, items: Sequence[Item]) -> IntArray:
        """Choices ``(G, L)`` where they are needed."""
        if not (self.costs or self.num_choices) or not len(items):
            return np.zeros((len(items), len(self.num_choices)), dtype=np.int64)
        what = "choices" if self.num_choices else f"the costs {', '.join(self.costs)}"
        for item in items:
            graph_of(item)
            if not isinstance(item, Architecture):
                raise DataError(
                    f"this predictor reads {what} of the space {self.space}, which a bare graph does not tell; "
                    "give Architecture objects"
                )
        space = one_space(items, spaces_of(items))
        if self.num_choices and space.num_choices != self.num_choices:
            raise DataError(
                f"this predictor reads choices of the space {self.space}, architectures of the space {space.name} "
                "with other choices were given"
            )
        return np.array([item.choices for item in items if isinstance(item, Architecture)], dtype=np.int64)

    def _known(self, items: Sequence[Item], rows: IntArray) -> FloatArray:
        """Costs, then one-hot choices, then statistics of networks, then zero-cost scores."""
        parts: list[FloatArray] = [np.zeros((len(items), 0))]
        if len(items) and (self.costs or self.one_hot):
            space = one_space(items, spaces_of(items))
            if self.costs:
                costs = space.costs(rows)
                if missing := [name for name in self.costs if name not in costs]:
                    raise DataError(
                        f"this predictor reads the cost {missing[0]!r}, which {space.name} does not compute"
                    )
                parts += [np.asarray(costs[name], dtype=np.float64)[:, None] for name in self.costs]
            if self.one_hot:
                parts.append(space.one_hot(rows).astype(np.float64))
        elif not len(items):
            parts.append(np.zeros((0, len(self.costs) + (sum(self.num_choices) if self.one_hot else 0))))
        if self.network:
            rows_of_networks = [network_statistics(graph_of(item)) for item in items]
            parts.append(np.array(rows_of_networks, dtype=np.float64).reshape(len(items), len(NETWORK_NAMES)))
        if self.proxies is not None:
            parts.append(self.proxies.columns(items))
        return np.concatenate(parts, axis=1)

    def _features(self, given: Features | None, n: int) -> FloatArray:
        columns = np.zeros((n, len(self.features)))
        for i, name in enumerate(self.features):
            if given is None or name not in given:
                raise DataError(
                    f"this predictor was fitted with the feature {name!r}, which is missing; give a value of it for "
                    f"each of the {n} architectures"
                )
            values = np.asarray(given[name], dtype=np.float64)
            if values.shape != (n,):
                raise DataError(f"the feature {name!r} has shape {values.shape}; expected one number for each of {n}")
            if not np.isfinite(values).all():
                raise DataError(
                    f"the feature {name!r} is not a finite number for architecture "
                    f"{int(np.flatnonzero(~np.isfinite(values))[0])}; remove or mend it"
                )
            columns[:, i] = values
        return columns

    def _check(self, packed: PackedGraphs) -> None:
        vocabulary = _choice_labels(self.num_choices) if self.form == "choices" else self.vocabulary
        if (packed.vocabulary, packed.num_cells) != (vocabulary, 1 if self.form == "choices" else self.num_cells):
            raise UsageError(
                "the graphs were packed with another vocabulary or number of cells than the predictor's; "
                "pack them with its method pack()"
            )
        if self.form == "network" and packed.features is None:
            raise UsageError(
                "this predictor reads numbers of each node of computational graphs, which these packed graphs do not "
                "have; pack them with its method pack()"
            )

    # ------------------------------------------------------------------ saving

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "form": self.form,
            "vocabulary": list(self.vocabulary),
            "num_cells": self.num_cells,
            "space": self.space,
            "num_choices": list(self.num_choices),
            "statistics": None if self.statistics is None else self.statistics.to_dict(),
            "one_hot": self.one_hot,
            "costs": list(self.costs),
            "network": list(NETWORK_NAMES) if self.network else [],
            "proxies": None if self.proxies is None else self.proxies.to_dict(),
            "features": list(self.features),
            "location": None if self.location is None else self.location.tolist(),
            "scale": None if self.scale is None else self.scale.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> InputSpec:
        """Read :meth:`to_dict`'s result.

        Raises:
            ValueError: It does not hold together.
        """
        statistics = None if data["statistics"] is None else Statistics.from_dict(data["statistics"])
        if (columns := tuple(data.get("network") or ())) not in ((), NETWORK_NAMES):
            raise ValueError("its statistics of networks are not those of this version; fit it again with this version")
        spec = cls(
            form=str(data["form"]),
            vocabulary=tuple(map(str, data["vocabulary"])),
            num_cells=int(data["num_cells"]),
            space=None if data["space"] is None else str(data["space"]),
            num_choices=tuple(map(int, data["num_choices"])),
            statistics=statistics,
            one_hot=bool(data["one_hot"]),
            costs=tuple(map(str, data["costs"])),
            network=bool(columns),
            proxies=None if data.get("proxies") is None else ProxyFeatures.from_dict(data["proxies"]),
            features=tuple(map(str, data["features"])),
            location=None if data["location"] is None else np.array(data["location"], dtype=np.float64),
            scale=None if data["scale"] is None else np.array(data["scale"], dtype=np.float64),
        )
        spec._check_consistent()
        return spec

    def _check_consistent(self) -> None:
        if self.form not in _FORMS:
            raise ValueError(f"the form {self.form!r} of its inputs is none of {', '.join(_FORMS)}")
        if self.num_cells < 1 or min(self.num_choices, default=1) < 1:
            raise ValueError("numbers of cells and of options are at least 1")
        if (self.form == "choices" or self.one_hot) and not self.num_choices:
            raise ValueError("it reads choices, of which none are given")
        statistics = self.statistics
        of_statistics = ((), ()) if statistics is None else (statistics.vocabulary, statistics.costs)
        if of_statistics != (self.vocabulary if statistics is not None else (), self.costs):
            raise ValueError("its statistics are of another vocabulary or other costs")
        if statistics is not None and statistics.num_cells != self.num_cells:
            raise ValueError(f"its statistics are of {statistics.num_cells} cells, its graphs have {self.num_cells}")
        if self.form == "network" and self.vocabulary != OPERATORS:
            raise ValueError("its vocabulary is not that of computational graphs")
        count = len(self.features) + (sum(self.num_choices) if self.one_hot else 0) + len(NETWORK_NAMES) * self.network
        count += 0 if statistics is None else len(statistics.names)
        count += 0 if self.proxies is None else len(self.proxies.names)
        shapes = {(0,) if v is None else v.shape for v in (self.location, self.scale)}
        if shapes != {(count,)} or count > _MAX_COLUMNS:
            raise ValueError(f"it reads {count} numbers, a scale of {sorted(shapes)} is given")
        if not all(np.isfinite(v).all() for v in (self.location, self.scale) if v is not None):
            raise ValueError("the scale of its inputs is not finite")


def _scale(raw: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and spread of each column, 0 for a constant one; of columns of any magnitude."""
    peak = np.abs(raw).max(axis=0)
    shares = raw / np.where(peak > 0, peak, 1.0)
    spread = shares.std(axis=0)
    return peak * shares.mean(axis=0), np.where(spread > _CONSTANT, peak * spread, 0.0)


def _choice_labels(num_choices: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"{i}={option}" for i, n in enumerate(num_choices) for option in range(n))


def space_of(items: Items) -> SearchSpace | None:
    """The search space that all items are of; None for graphs, packed ones, and items of several spaces."""
    return None if isinstance(items, Inputs | PackedGraphs) else common_space(items)
