"""Inputs of predictors: packed graphs for the encoder, and standardised numbers of each architecture as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from archpredict._typing import FloatArray, IntArray
from archpredict.errors import UsageError
from archpredict.graph.node_features import NAMES as NODE_NAMES
from archpredict.graph.node_features import node_features
from archpredict.graph.operators import OPERATORS, UNKNOWN
from archpredict.graph.packed import PackedGraphs
from archpredict.predict._former_inputs import modern
from archpredict.predict._source_list import SourceList
from archpredict.predict.batch import ArchLikes, Batch, Features, choice_labels, choices_in
from archpredict.predict.sources.base import Source, SourceLike, as_sources
from archpredict.predict.sources.features import FeatureColumns

_FORMS = ("nodes", "native", "choices", "network")
_CLIP = 4.0
_CONSTANT = 1e-9
"""Spread, as a share of the largest number, below which a column tells nothing; it is set to 0 throughout."""
_MAX_COLUMNS = 20_000


_SourceT = TypeVar("_SourceT", bound=Source)


@dataclass(frozen=True, eq=False)
class Inputs:
    """``G`` architectures as a fitted predictor reads them; made by :meth:`InputSpec.pack`.

    Args:
        graphs: In the form that the encoder wants.
        nodes: In operation-on-node form, for the statistics; the same object where the encoder wants that too.
        sources: Whose numbers are read.
        read: What each source has taken from the architectures, ``(G, K)``.
    """

    graphs: PackedGraphs
    nodes: PackedGraphs
    sources: SourceList
    read: tuple[FloatArray, ...]

    @classmethod
    def concat(cls, parts: Sequence[Inputs]) -> Inputs:
        """Several one after another."""
        graphs = PackedGraphs.concat([part.graphs for part in parts])
        same = all(part.graphs is part.nodes for part in parts)
        nodes = graphs if same else PackedGraphs.concat([part.nodes for part in parts])
        read = tuple(np.concatenate(columns) for columns in zip(*(part.read for part in parts), strict=True))
        return cls(graphs, nodes, parts[0].sources, read)

    @cached_property
    def numbers(self) -> FloatArray:
        """Raw numbers beside the graph, ``(G, F)``, computed when they are first asked for."""
        return self.sources.finish(self.nodes, self.read)

    def __len__(self) -> int:
        return len(self.graphs)

    def __getitem__(self, index: slice | npt.NDArray[Any]) -> Inputs:
        """Inputs of a slice or of an index array, in that order."""
        if isinstance(index, slice) and index.indices(len(self)) == (0, len(self), 1):
            return self
        graphs = self.graphs[index]
        nodes = graphs if self.nodes is self.graphs else self.nodes[index]
        part = Inputs(graphs, nodes, self.sources, tuple(columns[index] for columns in self.read))
        if "numbers" in vars(self):  # they need not be computed again
            vars(part)["numbers"] = self.numbers[index]
        return part


@dataclass(frozen=True, eq=False)
class InputSpec:
    """The specification of a predictor's inputs: what it reads of an architecture, fixed when it is fitted.

    Args:
        form: Graph form of the encoder: ``nodes``, ``native``, ``choices`` or ``network``.
        vocabulary: Operator labels.
        num_cells: Cells per graph.
        space: Name of the search space; None where it was fitted on bare graphs.
        num_choices: Options of each choice, where the encoder reads choices, else empty.
        sources: Fitted sources of numbers beside the graph, and which of their columns are read.
        location, scale: ``(F,)`` mean and spread of each number on the training set; scale 0 drops a number.
        private: How many of the sources, the last ones, are read by those regressors alone that name them.
    """

    form: str
    vocabulary: tuple[str, ...]
    num_cells: int
    space: str | None = None
    num_choices: tuple[int, ...] = ()
    sources: SourceList = field(default_factory=SourceList)
    location: FloatArray | None = None
    scale: FloatArray | None = None
    private: int = 0

    # ------------------------------------------------------------------ fitting

    @classmethod
    def fit(
        cls,
        architectures: ArchLikes,
        *,
        form: str,
        sources: Sequence[SourceLike] = (),
        vocabulary: Sequence[str] | None = None,
        features: Features | None = None,
        wishes: Sequence[SourceLike] = (),
    ) -> tuple[InputSpec, Inputs]:
        """Fix what is read, from the training architectures; also gives them packed.

        Args:
            architectures: ``n`` architectures, graphs, or graphs packed already.
            form: What the encoder wants.
            sources: Numbers that are read beside the graph (see ``archpredict.predict.sources``).
            vocabulary: Operator labels; those of the architectures and their spaces if left out. Of computational
                graphs they are always :data:`archpredict.graph.operators.OPERATORS`.
            features: Columns of the user's own, ``(n,)`` by name, which are read after the sources.
            wishes: Further sources that single regressors read, as far as there are such numbers of the architectures.
        """
        wanted = as_sources(sources)
        batch = Batch.of(architectures, features)
        shared = {source.name for source in wanted}
        private = [source for source in as_sources(wishes) if source.name not in shared and source.can_read(batch)]
        taken = {column for source in (*wanted, *private) for column in source.reads_columns}
        rest = tuple(column for column in batch.features if column not in taken)
        if rest and FeatureColumns.name not in shared:
            wanted = (*wanted, FeatureColumns(rest))
        wanted = (*wanted, *private)
        # What reads networks beside the graph of an architecture leaves it the vocabulary of its space.
        if form == "network" or (any(source.reads_networks for source in wanted) and not batch.is_of_spaces):
            vocabulary = OPERATORS
        batch = replace(
            batch,
            vocabulary=None if vocabulary is None else tuple(vocabulary),
            as_networks=form == "network",
        )
        batch = replace(batch, vocabulary=batch.labels, num_cells=batch.most_cells)
        space = None if batch.first_space is None else batch.first_space.name
        num_choices: tuple[int, ...] = ()
        if form == "choices":
            batch.choices("the encoder reads the choices")
            num_choices = () if batch.space is None else batch.space.num_choices
        fitted = SourceList.fit(wanted, batch)
        spec = cls(form, batch.labels, batch.most_cells, space, num_choices, fitted, private=len(private))
        inputs = spec._pack(batch)
        if len(fitted):
            location, scale = _scale(inputs.numbers)
            location, scale = np.where(fitted.is_standardised, [[0.0], [1.0]], [location, scale])
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

    @property
    def num_shared(self) -> int:
        """How many of these, the first ones, all members read."""
        return self.num_side - sum(map(len, self.sources.columns[len(self.sources.columns) - self.private :]))

    def columns_of(self, wishes: Sequence[str]) -> IntArray:
        """Where the numbers are that a regressor reads: those that all members read, and those of sources it names."""
        counts = list(map(len, self.sources.columns))
        shared = len(counts) - self.private
        read = [i < shared or source.name in wishes for i, source in enumerate(self.sources.sources)]
        return np.flatnonzero(np.repeat(read, counts))

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the user's columns that are read."""
        pairs = zip(self.sources.sources, self.sources.columns, strict=True)
        return tuple(name for source, names in pairs if source.name == FeatureColumns.name for name in names)

    def source(self, kind: type[_SourceT]) -> _SourceT | None:
        """The fitted source of this class; None where it is not among those that are read."""
        return next((source for source in self.sources.sources if isinstance(source, kind)), None)

    def with_source(self, source: Source) -> InputSpec:
        """This specification with a fitted source in place of the one of its class, with the same columns."""
        sources = tuple(source if type(own) is type(source) else own for own in self.sources.sources)
        return replace(self, sources=SourceList(sources, self.sources.columns))

    def pack(self, architectures: ArchLikes | Inputs, features: Features | None = None) -> Inputs:
        """Architectures in the form that :meth:`side` and the encoder read.

        Raises:
            DataError: A feature is missing or not finite.
            UsageError: Operators, cells or kinds of architectures that the predictor does not know.
        """
        if isinstance(architectures, Inputs):
            self._check_graphs(architectures.graphs)
            self._check_sources(architectures.sources)
            return architectures
        batch = Batch.of(
            architectures,
            features,
            vocabulary=self.vocabulary,
            num_cells=self.num_cells,
            as_networks=self.form == "network",
        )
        return self._pack(batch)

    def side(self, inputs: Inputs) -> npt.NDArray[np.float32] | None:
        """Standardised numbers ``(G, F)``, clipped to 4 standard deviations; None where none are read.

        Numbers that have a scale of their own are not clipped.
        """
        if self.location is None or self.scale is None:
            return None
        divisor = np.where(self.scale > 0, self.scale, np.inf)
        with np.errstate(over="ignore"):  # what is too large a multiple of the spread is clipped
            standardized = inputs.numbers - self.location
            standardized /= divisor
        limit = np.where(self.sources.is_standardised, np.inf, _CLIP)
        return np.clip(standardized, -limit, limit, out=standardized).astype(np.float32)

    def _pack(self, batch: Batch) -> Inputs:
        graphs = self._graphs(batch)
        shared = self.form in ("nodes", "network") or not self.sources.needs_nodes
        return Inputs(graphs, graphs if shared else batch.nodes, self.sources, self.sources.read(batch))

    def _graphs(self, batch: Batch) -> PackedGraphs:
        """Graphs in the form that the encoder wants."""
        if self.form == "choices":
            return self._chosen(batch)
        if batch.packed is not None:
            self._check_graphs(batch.packed)
            return batch.packed
        if self.form == "network":
            graphs = batch.graphs("the encoder reads numbers of each node")
            numbers = [np.zeros((0, len(NODE_NAMES)), np.float32), *map(node_features, graphs)]
            return replace(batch.nodes, features=np.concatenate(numbers))
        return batch.nodes if self.form == "nodes" else batch.native

    def _chosen(self, batch: Batch) -> PackedGraphs:
        """One node per choice, no edges; the operator numbers of different choices do not overlap."""
        rows = choices_in(batch, str(self.space), self.num_choices)
        offset = np.concatenate([[0], np.cumsum(self.num_choices)[:-1]])
        op = (rows + offset + 1).astype(np.uint8 if self.num_ops < 256 else np.uint16)
        none = np.zeros((len(rows), op.shape[1], op.shape[1]), dtype=np.bool_)
        return PackedGraphs.from_arrays(op, none, choice_labels(self.num_choices))

    def _check_graphs(self, packed: PackedGraphs) -> None:
        vocabulary = choice_labels(self.num_choices) if self.form == "choices" else self.vocabulary
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

    def _check_sources(self, sources: SourceList) -> None:
        if sources is not self.sources and sources.names != self.sources.names:
            raise UsageError(
                f"inputs with {len(sources)} numbers beside the graph were given, this predictor reads "
                f"{len(self.sources)}, and not the same; pack the architectures with its method pack()"
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
            "sources": self.sources.to_list(),
            "location": None if self.location is None else self.location.tolist(),
            "scale": None if self.scale is None else self.scale.tolist(),
            "private": self.private,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], own: Mapping[str, type[Source]] | None = None) -> InputSpec:
        """Read :meth:`to_dict`'s result, or what the version before wrote.

        Args:
            data: Plain JSON.
            own: Classes of sources of one's own, by name.

        Raises:
            ValueError: It does not hold together.
        """
        data = modern(data)
        spec = cls(
            form=str(data["form"]),
            vocabulary=tuple(map(str, data["vocabulary"])),
            num_cells=int(data["num_cells"]),
            space=None if data["space"] is None else str(data["space"]),
            num_choices=tuple(map(int, data["num_choices"])),
            sources=SourceList.from_list(data["sources"], own or {}),
            location=None if data["location"] is None else np.array(data["location"], dtype=np.float64),
            scale=None if data["scale"] is None else np.array(data["scale"], dtype=np.float64),
            private=int(data.get("private", 0)),  # before, all members read all sources
        )
        spec._check_consistent()
        return spec

    def _check_consistent(self) -> None:
        if self.form not in _FORMS:
            raise ValueError(f"the form {self.form!r} of its inputs is none of {', '.join(_FORMS)}")
        if self.num_cells < 1 or min(self.num_choices, default=1) < 1:
            raise ValueError("numbers of cells and of options are at least 1")
        if self.form == "choices" and not self.num_choices:
            raise ValueError("it reads choices, of which none are given")
        sources = self.sources.sources
        bare = self.space is None and any(source.reads_networks for source in sources)
        if (self.form == "network" or bare) and UNKNOWN not in self.vocabulary:
            raise ValueError("its vocabulary is not that of computational graphs")
        if len({source.name for source in sources}) < len(sources):
            raise ValueError("it reads a source twice")
        for source in sources:
            if mismatch := source.mismatch(self.vocabulary, self.num_cells):
                raise ValueError(mismatch)
        if not 0 <= self.private <= len(sources):
            raise ValueError(f"{self.private} of its {len(sources)} sources are of single regressors")
        count = len(self.sources)
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
