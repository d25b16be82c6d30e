"""SearchSpace: a vector of categorical choices and a decoder. Everything else follows.

A new space is one file: ``num_choices``, ``decode``, and, where not every combination is legal, ``mask``. Sampling,
mutation, crossover, neighbours, enumeration and the one-hot encoding come from these.
"""

from __future__ import annotations

import json
import math
import operator
import reprlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from archpredict._typing import BoolArray, FloatArray, IntArray
from archpredict.errors import InvalidArchitectureError, UsageError, integer, whole_number
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.mixing import Keys
from archpredict.graph.packed import PackedGraphs
from archpredict.graph.packed_keys import keys_of, packed_keys
from archpredict.registry import make
from archpredict.spaces._identity import are_equal, options_of
from archpredict.spaces._plain import plain, read_parts, unwrapped, whole, wholes
from archpredict.spaces.notation.literals import read

__all__ = ["Architecture", "BoolArray", "IntArray", "SearchSpace", "load_space", "unique_rows"]

Choices = tuple[int, ...]
Ordered = tuple[tuple[float, ...] | None, ...]
"""For each choice the numbers that its options stand for, None where they have no order."""

_ENUMERATION_LIMIT = 10_000_000
_MUTATION_DRAWS = 8
"""Places that a mutation draws; where the mask allows no change at any of these, all places are gone through."""


class SearchSpace(ABC):
    """A search space: all architectures that a fixed-length vector of categorical choices can name.

    Subclasses set :attr:`name` and :attr:`num_choices`, write :meth:`decode`, and override :meth:`mask` where some
    combinations are illegal and :meth:`parse` / :meth:`format` where the field has a notation of its own.
    Batches of choices are ``int64`` arrays of shape ``(B, L)``, one row per architecture.
    """

    name: ClassVar[str]
    num_choices: tuple[int, ...]
    """How many options each of the ``L`` choices has."""

    notation: ClassVar[str] = "a JSON list of choices, e.g. [0, 2, 1]"
    """One line for error messages: what :meth:`parse` reads."""

    attributes: ClassVar[tuple[str, ...]] = ()
    """Attributes by which objects of other libraries hold an architecture, for :meth:`parse`."""

    predictor: ClassVar[str] = "default"
    """Name of the predictor that ranks architectures of this space where no other is asked for."""

    # ------------------------------------------------------------------ what a space defines

    @abstractmethod
    def decode(self, choices: Sequence[int]) -> ArchGraph:
        """The graph of one legal vector of choices, without anything that cannot reach an output."""

    def outline(self, choices: Sequence[int]) -> ArchGraph:
        """The graph of what the choices decide, for words and pictures about them: here the architecture's own.

        A space whose :meth:`decode` leaves out what has no effect writes it here all the same, so that a choice is at
        one place whatever the others are. Nothing is computed of it.

        Args:
            choices: A legal vector.

        Example:
            >>> from archpredict.spaces import load_space
            >>> space = load_space("nasbench201")
            >>> space.decode([3, 0, 0, 3, 0, 0]).num_edges, space.outline([3, 0, 0, 3, 0, 0]).num_edges
            (1, 6)
        """
        return self.decode(choices)

    def mask(self, prefix: IntArray) -> BoolArray:
        """The mask of the choices that are legal after each prefix.

        Args:
            prefix: ``(B, t)`` choices made so far, ``t < L``, each row legal.

        Returns:
            ``(B, num_choices[t])``, True where legal. At least one option is legal after every legal prefix.
        """
        return np.ones((len(prefix), self.num_choices[prefix.shape[1]]), dtype=bool)

    def parse(self, given: Any) -> Choices:
        """Choices from a notation of the space, or from an object that says the same.

        A vector of choices is read in every space. Texts may be what Python, JSON or NumPy print.

        Args:
            given: A text, a list, tuple, dictionary or array, a named tuple, an object with :attr:`attributes`, or an
                architecture.

        Raises:
            InvalidArchitectureError: It is in no notation of the space, or names no architecture of it.
        """
        try:
            value = self._plain(given)
            value = read_parts(unwrapped(read(value) if isinstance(value, str) else value, self.attributes))
            numbers = wholes(value)
            if numbers is not None and len(numbers) == self.num_decisions:
                return self.validate(numbers)
            return self.read(value)
        except InvalidArchitectureError:
            raise
        except ValueError as error:
            raise self.invalid(given, str(error)) from error

    def __init_subclass__(cls, **options: Any) -> None:
        """A space that overrides :meth:`parse` need only know texts: what else is given does not fail in it. One that
        overrides :meth:`network` alone has other networks than the keys of its base class were written for; so it is
        with one that parses or decodes in its own way.
        """
        super().__init_subclass__(**options)
        own = cls.__dict__.keys()
        if own & {"parse", "read"} and "fragments" not in own:
            cls.fragments = SearchSpace.fragments  # type: ignore[method-assign]
            cls.fragment_choices = SearchSpace.fragment_choices  # type: ignore[method-assign]
        if "decode" in own and "pack" not in own:
            cls.pack = SearchSpace.pack  # type: ignore[method-assign]
        if "network" in cls.__dict__ and "network_key" not in cls.__dict__:
            cls.network_key = SearchSpace.network_key  # type: ignore[method-assign]
        if "parse" in cls.__dict__:
            cls.parse = _for_objects_too(cls.__dict__["parse"])  # type: ignore[method-assign, assignment]

    def _plain(self, given: Any) -> Any:
        """An object as a plain value, an architecture of this space as its choices."""
        if not isinstance(given, Architecture):
            return plain(given, self.attributes)
        if given.space != self:
            raise ValueError(f"it is of the space {given.space.name}")
        return list(given.choices)

    def read(self, value: Any) -> Choices:
        """Choices from what a notation says; :meth:`parse` does the rest.

        Args:
            value: None, a truth value, a number, a text, or a list or dictionary of these. Texts that Python or JSON
                would read as lists, dictionaries or texts in quotes come as such; others as they are.

        Raises:
            ValueError: It is not in the notation; the message says why.
        """
        if isinstance(value, str) and whole(value) is None:
            raise ValueError("it does not parse")
        numbers = wholes(value)
        if numbers is None:
            raise ValueError("it is not a list of integers")
        return self.validate(numbers)

    def format(self, choices: Sequence[int]) -> str:
        """The space's own notation for ``choices``; :meth:`parse` reads it back."""
        return json.dumps(self._whole(choices))

    @property
    def fragment_choices(self) -> tuple[tuple[int, ...], ...]:
        """For each of the :meth:`fragments` of a text the choices that it decides; here there is one, for all."""
        return (tuple(range(self.num_decisions)),)

    def fragments(self, text: str) -> Sequence[Hashable] | None:
        """What a text falls apart into, so that many texts with some fragments each are read without parsing each.

        A fragment decides the choices that :attr:`fragment_choices` says, whatever the others are: a text whose
        fragments all occur in architectures at their places is an architecture too. A space whose notation is such,
        and long to read, writes both.

        Args:
            text: Any text.

        Returns:
            As many as :attr:`fragment_choices` has; None for a text of another notation than the usual one.
        """
        return (text,)

    def pack(self, choices: IntArray) -> PackedGraphs:
        """The graphs of many architectures, packed with :attr:`operators`: those that :meth:`decode` gives of each.

        A space that writes them without a loop over architectures makes large tables and batches quick.

        Args:
            choices: ``(B, L)`` legal rows.

        Raises:
            UsageError: A graph has an operator that :attr:`operators` lacks.
        """
        return PackedGraphs.from_graphs([self.decode(row) for row in self.rows(choices).tolist()], self.operators)

    def cost(self, choices: Sequence[int]) -> dict[str, float]:
        """Costs known without training, e.g. ``{"params": 1.2e6, "macs": 6e8}``; empty where none is known."""
        return {}

    def costs(self, choices: IntArray) -> dict[str, FloatArray]:
        """Costs of many architectures at once: ``(B,)`` for each name that :meth:`cost` gives.

        A space that overrides this makes limits cheap to keep; :meth:`cost` must agree.

        Args:
            choices: ``(B, L)`` legal rows.
        """
        found = [self.cost(row) for row in self.rows(choices).tolist()]
        names = found[0] if found else self.cost(self.sample(1, np.random.default_rng(0))[0].tolist())
        return {name: np.array([cost[name] for cost in found], dtype=np.float64) for name in names}

    def network(
        self,
        choices: Sequence[int],
        *,
        num_classes: int = 10,
        image_size: int = 32,
        image_channels: int = 3,
        channels: int | None = None,
    ) -> ArchGraph:
        """The whole network of an architecture, in the operators of :mod:`archpredict.graph.operators`.

        It is the graph that :func:`archpredict.onnx.reader.load` reads from the same network exported from torch: batch
        norms are folded into the convolutions before them. A space writes it with
        :class:`archpredict.graph.builder.Builder`.

        Args:
            choices: A legal vector.
            num_classes: Numbers that the network gives per image.
            image_size: Height and width of an image in pixels.
            image_channels: 3 for colours, 1 for grey.
            channels: Width of the network, as the space defines it; None for the published one.

        Raises:
            UsageError: The space does not define it, or the image is too small for the network.
        """
        raise UsageError(
            f"the space {self.name} does not define network(), which turns choices into a trainable network; "
            f"write {type(self).__name__}.network(choices, *, num_classes, image_size, image_channels, channels) "
            "with archpredict.graph.builder.Builder"
        )

    @property
    def mixtures(self) -> tuple[int, ...]:
        """How many options each decision of :meth:`relaxed_network` has; here as many as the choices have."""
        return self.num_choices

    def relaxed_network(
        self,
        *,
        num_classes: int = 10,
        image_size: int = 32,
        image_channels: int = 3,
        channels: int | None = None,
    ) -> ArchGraph:
        """All architectures as one network, for differentiable search: every decision is a mixture of its options.

        A space whose decisions are operators writes it, with :func:`archpredict.graph.mixtures.mixture` at each place
        where :meth:`network` has one of them, in the same scopes. Arguments are those of :meth:`network`.

        Raises:
            UsageError: The space does not define it, or the image is too small for the network.
        """
        raise UsageError(
            f"the space {self.name} defines no network that mixes the options of its choices, which a differentiable "
            "search trains: write relaxed_network() for it, or take a strategy that needs none, such as enas"
        )

    def derivations(self, log_shares: Sequence[FloatArray]) -> list[tuple[IntArray, FloatArray]]:
        """What the shares of options in :meth:`relaxed_network` say of choices.

        The score of an architecture is the sum of those of its parts: runs of choices that are decided together, here
        each choice alone. An architecture may be illegal though its parts are not.

        Args:
            log_shares: For each decision ``(K,)`` logarithms.

        Returns:
            For each part, in the order of choices, all ``(M, l)`` options that it has and their ``(M,)`` scores.
        """
        return [(np.arange(len(scores))[:, None], scores) for scores in log_shares]

    def network_key(self, choices: Sequence[int]) -> Hashable:
        """What is equal only for choices that make equal networks: here the choices themselves.

        A space in which parts of an architecture may lead nowhere can leave these out, so that what is computed of
        networks is computed once for all choices that make the same one.

        Args:
            choices: A legal vector.

        Example:
            >>> from archpredict.spaces import load_space
            >>> space = load_space("nasbench201")
            >>> space.network_key([3, 0, 1, 0, 2, 0]) == space.network_key([3, 0, 0, 0, 2, 0])
            True
        """
        return tuple(choices)

    @property
    def ordered(self) -> Ordered:
        """For each choice the numbers that its options stand for, where these are ordered; here None for all.

        Widths, kernels, depths and resolutions are: from 16 and 32 channels a predictor learns about 24. Operators are
        not. Where ratios matter more than differences, give logarithms.

        Example:
            >>> from archpredict.spaces import load_space
            >>> load_space("mobilenetv3").ordered[1:4]
            ((2.0, 3.0, 4.0), (3.0, 5.0, 7.0), (3.0, 4.0, 6.0))
        """
        return (None,) * self.num_decisions

    # ------------------------------------------------------------------ what follows from it

    @property
    def packs_quickly(self) -> bool:
        """Whether the space writes :meth:`pack`."""
        return type(self).pack is not SearchSpace.pack

    @property
    def defines_networks(self) -> bool:
        """Whether the space writes :meth:`network`."""
        return type(self).network is not SearchSpace.network

    @property
    def defines_relaxed_network(self) -> bool:
        """Whether the space writes :meth:`relaxed_network`."""
        return type(self).relaxed_network is not SearchSpace.relaxed_network

    @property
    def num_decisions(self) -> int:
        """``L``, the length of a vector of choices."""
        return len(self.num_choices)

    @property
    def num_vectors(self) -> int:
        """Number of choice vectors if all were legal: an upper bound on the number of architectures."""
        return math.prod(self.num_choices)

    @cached_property
    def operators(self) -> tuple[str, ...]:
        """Every operator label of nodes and edges, sorted; the vocabulary of encoders.

        Found by decoding a spread of architectures in which each option of each choice occurs. A space whose labels
        depend on combinations of choices sets this attribute itself.
        """
        rng = np.random.default_rng(0)
        rows = [self.sample(16, rng)]
        for i, n in enumerate(self.num_choices):
            for option in range(n):
                rows.append(self._repair(self.sample(1, rng), rng, wanted={i: option}))
        labels: set[str] = set()
        for choices in np.unique(np.concatenate(rows), axis=0).tolist():
            graph = self.decode(choices)
            labels.update(graph.ops, graph.edge_ops or ())
        return tuple(sorted(labels))

    def architecture(self, choices: Sequence[int]) -> Architecture:
        """The architecture of a vector of choices (validated)."""
        return Architecture(self, self.validate(choices))

    def architectures(self, choices: IntArray) -> list[Architecture]:
        """One architecture per row of ``(B, L)`` choices that are known to be legal."""
        return [Architecture(self, tuple(row)) for row in self.rows(choices).tolist()]

    def rows(self, choices: npt.ArrayLike) -> IntArray:
        """Vectors of choices as an ``int64`` array of shape ``(B, L)``; whether they are legal is not looked at.

        Raises:
            InvalidArchitectureError: They are no integers, or not ``L`` each.
        """
        given = np.asarray(choices)
        if not given.size and given.ndim < 2:
            return np.zeros((0, self.num_decisions), dtype=np.int64)
        if given.ndim != 2 or given.shape[1] != self.num_decisions:
            raise InvalidArchitectureError(
                f"the space {self.name} takes {self.num_decisions} choices per architecture, "
                f"an array of shape {given.shape} was given"
            )
        if given.dtype.kind == "O":
            given = np.array([self._whole(row) for row in given.tolist()], dtype=np.int64).reshape(given.shape)
        if given.dtype.kind not in "iu":
            raise InvalidArchitectureError(
                f"choices of the space {self.name} are integers, an array of {given.dtype} was given"
            )
        return given.astype(np.int64, copy=False)

    def graph_keys(self, choices: IntArray) -> Keys:
        """``(B, 2)`` keys of many architectures: equal where :attr:`Architecture.key` is, in 128 bits.

        Args:
            choices: ``(B, L)`` legal rows.

        Example:
            >>> from archpredict.spaces import load_space
            >>> space = load_space("nasbench201")
            >>> keys = space.graph_keys([[3, 0, 1, 0, 2, 0], [3, 0, 0, 0, 2, 0], [0, 0, 0, 0, 2, 0]])
            >>> (keys[0] == keys[1]).all(), (keys[0] == keys[2]).any()
            (np.True_, np.False_)
        """
        rows = self.rows(choices)
        if self.packs_quickly:
            return packed_keys(self.pack(rows))
        return keys_of([self.decode(row) for row in rows.tolist()])

    def from_text(self, text: str) -> Architecture:
        """The architecture that a text in a notation of the space names."""
        return Architecture(self, self.parse(text))

    def validate(self, choices: Sequence[int]) -> Choices:
        """The choices as a tuple of ints.

        Raises:
            InvalidArchitectureError: Wrong length, an option out of range, or a combination that the mask forbids.
        """
        row = self._whole(choices)
        for i, (choice, n) in enumerate(zip(row, self.num_choices, strict=True)):
            if not 0 <= choice < n:
                raise InvalidArchitectureError(
                    f"choice {i} of the space {self.name} is 0 to {n - 1}, {choice} was given"
                )
        batch = np.array([row], dtype=np.int64)
        for i in range(self.num_decisions):
            if not self.mask(batch[:, :i])[0, row[i]]:
                raise InvalidArchitectureError(
                    f"{list(row)} is outside the space {self.name}: "
                    f"choice {i} may not be {row[i]} after {list(row[:i])}"
                )
        return row

    def _whole(self, choices: Sequence[Any]) -> Choices:
        """As many ints as there are choices, in range or not."""
        if not isinstance(choices, Iterable) or isinstance(choices, str | bytes):
            raise InvalidArchitectureError(
                f"the space {self.name} takes a sequence of {self.num_decisions} choices, {choices!r} was given"
            )
        row = tuple(choices)
        if len(row) != self.num_decisions:
            raise InvalidArchitectureError(
                f"the space {self.name} takes {self.num_decisions} choices, {len(row)} were given: {list(row)}"
            )
        if all(type(c) is int for c in row):
            return row
        for i, (choice, n) in enumerate(zip(row, self.num_choices, strict=True)):
            if integer(choice) is None:
                raise InvalidArchitectureError(
                    f"choice {i} of the space {self.name} is an integer from 0 to {n - 1}, {choice!r} was given"
                )
        return tuple(map(operator.index, row))

    def is_valid(self, choices: IntArray) -> BoolArray:
        """Mask ``(B,)`` of the rows of ``(B, L)`` that are legal."""
        choices = self.rows(choices)
        limits = np.array(self.num_choices)
        valid: BoolArray = np.asarray(((choices >= 0) & (choices < limits)).all(axis=1))
        for i in range(self.num_decisions):
            rows = np.flatnonzero(valid)
            valid[rows] = self.mask(choices[rows, :i])[np.arange(len(rows)), choices[rows, i]]
        return valid

    def sample(self, n: int, rng: np.random.Generator) -> IntArray:
        """Draw ``n`` vectors, each choice uniform over the options legal after those before it; ``(n, L)``.

        This is uniform over *sequences of choices*, not over architectures: where a mask cuts options, or several
        vectors decode to isomorphic graphs, some architectures are drawn more often than others.

        Raises:
            UsageError: ``n`` is no integer of at least 0.
        """
        n = whole_number("n, the number of architectures,", n, 0)
        return self._repair(np.empty((n, self.num_decisions), dtype=np.int64), rng, keep=False)

    def mutate(self, choices: IntArray, rng: np.random.Generator) -> IntArray:
        """Change one choice of each row to another option; later choices are redrawn only where that forbids them.

        Args:
            choices: ``(B, L)`` legal rows.
            rng: Source of randomness.

        Returns:
            ``(B, L)`` legal rows, each different from its parent, or equal where no other option is legal anywhere.
        """
        parents = self.rows(choices)
        child = parents.copy()
        changeable = np.flatnonzero(np.array(self.num_choices) > 1)
        todo = np.arange(len(child)) if len(changeable) else np.zeros(0, dtype=np.int64)
        for _ in range(_MUTATION_DRAWS):
            if not len(todo):
                return child
            positions = rng.choice(changeable, size=len(todo))
            for i in np.unique(positions):
                self._change(child, todo[positions == i], int(i), rng)
            todo = todo[(child[todo] == parents[todo]).all(axis=1)]
        for i in rng.permutation(changeable) if len(todo) else ():
            self._change(child, todo, int(i), rng)
            todo = todo[(child[todo] == parents[todo]).all(axis=1)]
        return child

    def _change(self, child: IntArray, rows: IntArray, i: int, rng: np.random.Generator) -> None:
        """Give choice ``i`` of these rows another option, in place, where another one is legal."""
        legal = self.mask(child[rows, :i]).copy()
        legal[np.arange(len(rows)), child[rows, i]] = False
        rows, legal = rows[legal.any(axis=1)], legal[legal.any(axis=1)]
        changed = child[rows].copy()
        changed[:, i] = _draw(legal, rng)
        child[rows] = self._repair(changed, rng)

    def crossover(self, a: IntArray, b: IntArray, rng: np.random.Generator) -> IntArray:
        """Take each choice from ``a`` or ``b`` with equal probability, redrawing what the mask then forbids."""
        a, b = self.rows(a), self.rows(b)
        return self._repair(np.where(rng.random(a.shape) < 0.5, a, b), rng)

    def neighbours(self, choices: Sequence[int]) -> IntArray:
        """All legal vectors that differ from ``choices`` in exactly one choice, ``(n, L)``."""
        parent = np.array(self._whole(choices), dtype=np.int64)
        rows = np.repeat(parent[None], sum(self.num_choices) - self.num_decisions, axis=0)
        row = 0
        for i, n in enumerate(self.num_choices):
            others = [option for option in range(n) if option != parent[i]]
            rows[row : row + n - 1, i] = others
            row += n - 1
        return rows[self.is_valid(rows)]

    def enumerate(self) -> IntArray:
        """All legal vectors in lexicographic order, ``(n, L)``.

        Raises:
            UsageError: There are more than ten million.
        """
        rows = np.zeros((1, 0), dtype=np.int64)
        for _ in range(self.num_decisions):
            parent, option = np.nonzero(self.mask(rows))
            if len(parent) > _ENUMERATION_LIMIT:
                raise UsageError(f"the space {self.name} is too large to enumerate; sample from it instead")
            rows = np.concatenate([rows[parent], option[:, None]], axis=1)
        return rows

    def one_hot(self, choices: IntArray) -> npt.NDArray[np.float32]:
        """``(B, sum(num_choices))`` indicator features for tree models, multilayer perceptrons and LSTMs."""
        choices = self.rows(choices)
        offsets = np.concatenate([[0], np.cumsum(self.num_choices)[:-1]])
        features = np.zeros((len(choices), sum(self.num_choices)), dtype=np.float32)
        features[np.arange(len(choices))[:, None], choices + offsets] = 1
        return features

    def invalid(self, given: Any, why: str) -> InvalidArchitectureError:
        """The error for what is not in the notation: shows it (shortened), why, and what is expected."""
        text = given if isinstance(given, str) else " ".join(reprlib.repr(given).split())
        text = text if len(text) <= 120 else text[:117] + "..."
        shown = repr(text) if isinstance(given, str) else text
        return InvalidArchitectureError(
            f"{shown} is no architecture of the space {self.name}: {why}; expected {self.notation}"
        )

    def _repair(
        self,
        rows: IntArray,
        rng: np.random.Generator,
        keep: bool = True,
        wanted: dict[int, int] | None = None,
    ) -> IntArray:
        """Walk through the choices, keeping those that are legal and redrawing the others."""
        rows = np.array(rows, dtype=np.int64)
        everyone = np.arange(len(rows))
        for i in range(self.num_decisions):
            legal = self.mask(rows[:, :i])
            if wanted and i in wanted:
                rows[:, i] = wanted[i]
            stays = legal[everyone, rows[:, i]] if keep else np.zeros(len(rows), dtype=bool)
            redraw = np.flatnonzero(~stays)
            rows[redraw, i] = _draw(legal[redraw], rng)
        return rows

    def __eq__(self, other: object) -> bool:
        """Whether it is the same space: of one class, with equal options; the objects may be two."""
        if self is other:
            return True
        return (
            type(self) is type(other)
            and isinstance(other, SearchSpace)
            and (self.name, tuple(self.num_choices)) == (other.name, tuple(other.num_choices))
            and are_equal(options_of(self), options_of(other))
        )

    def __hash__(self) -> int:
        return hash((type(self), self.name, tuple(self.num_choices)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


@dataclass(frozen=True)
class Architecture:
    """One point of a search space: what strategies ask for and histories record.

    Equal where the spaces are equal (of one class, with equal options) and the choices are.

    Args:
        space: The search space.
        choices: ``L`` integers, which are taken for legal; :meth:`SearchSpace.architecture` looks.

    Raises:
        InvalidArchitectureError: The choices are no integers, or not as many as the space has.

    Example:
        >>> from archpredict.spaces import load_space
        >>> space = load_space("nasbench201")
        >>> cell = space.from_text("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|")
        >>> cell.choices
        (3, 0, 1, 0, 0, 2)
    """

    space: SearchSpace = field(repr=False)
    choices: Choices

    def __post_init__(self) -> None:
        choices = self.choices
        if type(choices) is not tuple or len(choices) != len(self.space.num_choices) or {*map(type, choices)} != {int}:
            object.__setattr__(self, "choices", self.space._whole(choices))

    @cached_property
    def graph(self) -> ArchGraph:
        return self.space.decode(self.choices)

    @property
    def key(self) -> str:
        """The key of the graph, equal for architectures with isomorphic graphs."""
        return self.graph.key

    @cached_property
    def cost(self) -> dict[str, float]:
        return self.space.cost(self.choices)

    def __str__(self) -> str:
        return self.space.format(self.choices)


def load_space(space: str | type[SearchSpace] | SearchSpace | Any) -> SearchSpace:
    """A search space from its name, a ``module:Class`` reference, a class, a factory or an instance."""
    made: SearchSpace = make("spaces", space, SearchSpace)
    return made


def unique_rows(rows: IntArray, seen: Iterable[Sequence[int]] = ()) -> Iterator[int]:
    """Indices of the first occurrence of each row that is not in ``seen``, in order."""
    known = {np.asarray(s, dtype=np.int64).tobytes() for s in seen}
    for i, row in enumerate(np.ascontiguousarray(rows, dtype=np.int64)):
        token = row.tobytes()
        if token not in known:
            known.add(token)
            yield i


def _for_objects_too(parse: Callable[[Any, Any], Choices]) -> Callable[[Any, Any], Choices]:
    """A method that parses texts, such that it takes vectors of choices too, and refuses other objects."""

    @wraps(parse)
    def parsing(self: SearchSpace, given: Any) -> Choices:
        if isinstance(given, str):
            return parse(self, given)
        try:
            numbers = wholes(self._plain(given))
            if numbers is not None and len(numbers) == self.num_decisions:
                return self.validate(numbers)
            return parse(self, given)
        except InvalidArchitectureError:
            raise
        except Exception as error:  # a parser of texts fails on anything else in its own way
            why = str(error) if type(error) is ValueError else f"an object of the type {type(given).__name__} was given"
            raise self.invalid(given, why) from error

    return parsing


def _draw(legal: BoolArray, rng: np.random.Generator) -> IntArray:
    """One uniformly drawn True column per row."""
    if not len(legal):
        return np.zeros(0, dtype=np.int64)
    if not legal.any(axis=1).all():
        raise ValueError("mask() left no legal option after a legal prefix")
    drawn: IntArray = np.where(legal, rng.random(legal.shape), -1.0).argmax(axis=1)
    return drawn
