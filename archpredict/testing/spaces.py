"""The contract of search spaces, as a test class."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from archpredict.errors import InvalidArchitectureError
from archpredict.graph.packed import PackedGraphs
from archpredict.graph.packed_on_nodes import packed_on_nodes
from archpredict.spaces.base import SearchSpace
from archpredict.spaces.notation.texts import TextReader
from archpredict.testing.toys import ToySpace

__all__ = ["SpaceContract"]

_SAMPLES = 64
_NONSENSE = (
    "",
    " ",
    "nonsense",
    "[",
    "[]",
    "{}",
    "null",
    "[0.5]",
    '["a"]',
    "[[[[[[[[[[",
    "\x00",
    "-1",
    "[" * 5000,
)


_CIRCLE: list[Any] = []
_CIRCLE.append(_CIRCLE)


class _Stranger(ToySpace):
    name = "stranger"


class _Trap:
    """An object that fails whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __repr__(self) -> str:
        raise RuntimeError


_FOREIGN: tuple[Any, ...] = (
    None,
    True,
    3,
    0.5,
    object(),
    _Trap(),
    ToySpace,
    b"nonsense",
    {},
    [],
    (),
    [[]],
    [None],
    [object()],
    {"normal": None, "matrix": {}, "ks": [], None: 1},
    {(1, 2): {3}},
    {1, 2},
    range(10**12),
    np.zeros((0, 3)),
    np.full(3, np.nan),
    np.zeros(10**6, dtype=np.uint8),
    np.datetime64("2019-01-01"),
    _CIRCLE,
    [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],
    map(int, "012"),
    len,
)


def _damaged(text: str, rng: np.random.Generator) -> str:
    """A text with a character taken out, doubled, or in the place of another."""
    at, other = rng.integers(len(text), size=2).tolist()
    return text[:at] + str(rng.choice(["", text[at] * 2, text[other]])) + text[at + 1 :]


def _parsed(space: SearchSpace, text: str) -> tuple[int, ...] | str:
    """Choices, or why there are none."""
    try:
        return space.parse(text)
    except InvalidArchitectureError as error:
        return str(error)


def _assert_equal(a: PackedGraphs, b: PackedGraphs) -> None:
    for field in fields(PackedGraphs):
        first, second = getattr(a, field.name), getattr(b, field.name)
        if isinstance(first, np.ndarray):
            np.testing.assert_array_equal(first, second, field.name)
            assert first.dtype == second.dtype
        else:
            assert first == second


class SpaceContract:
    """The contract of search spaces: what every one keeps to.

    A space's own tests derive from it and give the space::

        class TestMySpace(SpaceContract):
            @pytest.fixture
            def space(self):
                return MySpace()
    """

    def test_samples_are_legal_and_decode(self, space: SearchSpace) -> None:
        rows = space.sample(_SAMPLES, np.random.default_rng(1))
        assert rows.shape == (_SAMPLES, space.num_decisions)
        assert rows.dtype == np.int64
        assert space.is_valid(rows).all()
        for row in rows.tolist():
            assert space.validate(row) == tuple(row)
            assert space.decode(row).num_nodes >= 1

    def test_the_same_seed_gives_the_same_samples(self, space: SearchSpace) -> None:
        first, again = (space.sample(_SAMPLES, np.random.default_rng(7)) for _ in range(2))
        np.testing.assert_array_equal(first, again)
        if len(np.unique(first, axis=0)) > 1:
            other = space.sample(_SAMPLES, np.random.default_rng(8))
            assert (first != other).any()

    def test_the_mask_leaves_an_option_after_every_legal_prefix(self, space: SearchSpace) -> None:
        rows = space.sample(_SAMPLES, np.random.default_rng(2))
        for i, options in enumerate(space.num_choices):
            legal = space.mask(rows[:, :i])
            assert legal.shape == (_SAMPLES, options)
            assert legal.dtype == np.bool_
            assert legal.any(axis=1).all()
            for row in (0, _SAMPLES - 1):  # a row's mask does not depend on its companions
                np.testing.assert_array_equal(space.mask(rows[row : row + 1, :i])[0], legal[row])

    def test_the_notation_reads_back_as_the_same_architecture(self, space: SearchSpace) -> None:
        for row in space.sample(_SAMPLES, np.random.default_rng(3)).tolist():
            text = space.format(row)
            assert isinstance(text, str)
            assert "\n" not in text, "a history and a CSV hold one architecture a line"
            assert space.parse(text) == tuple(row)

    def test_many_texts_are_read_as_each_is(self, space: SearchSpace) -> None:
        rng = np.random.default_rng(15)
        texts = [space.format(row) for row in space.sample(_SAMPLES, rng).tolist()]
        parts = [part for text in texts[:8] for part in (text[: len(text) // 2], text[len(text) // 2 :])]
        halves = [parts[i] + parts[j] for i, j in rng.integers(len(parts), size=(32, 2)).tolist()]
        texts += [*halves, *(_damaged(text, rng) for text in texts for _ in range(4)), *texts[:4], *_NONSENSE]
        reader = TextReader(space)
        for some in (texts[:40], texts, texts):  # first with nothing known, last with all known
            rows, wrong = reader.read(some)
            assert rows.shape == (len(some), space.num_decisions)
            found = [str(wrong[i]) if i in wrong else tuple(row) for i, row in enumerate(rows.tolist())]
            assert found == [_parsed(space, text) for text in some]

    def test_graphs_packed_at_once_are_those_of_each(self, space: SearchSpace) -> None:
        rows = space.sample(_SAMPLES, np.random.default_rng(16))
        graphs = [space.decode(row) for row in rows.tolist()]
        packed = space.pack(rows)
        _assert_equal(packed, PackedGraphs.from_graphs(graphs, space.operators))
        on_nodes = [graph.on_nodes for graph in graphs]
        _assert_equal(packed_on_nodes(packed), PackedGraphs.from_graphs(on_nodes, space.operators))
        assert len(space.pack(rows[:0])) == 0

    def test_keys_of_many_are_equal_where_those_of_graphs_are(self, space: SearchSpace) -> None:
        rows = space.sample(_SAMPLES, np.random.default_rng(17))
        rows = np.concatenate([rows, rows[:4], space.mutate(rows, np.random.default_rng(18))])
        found = [key.tobytes() for key in space.graph_keys(rows)]
        keys = [space.decode(row).key for row in rows.tolist()]
        assert len(set(zip(found, keys, strict=True))) == len(set(found)) == len(set(keys))
        parts = np.concatenate([space.graph_keys(rows[i : i + 1]) for i in range(len(rows))])
        assert [key.tobytes() for key in parts] == found, "a key does not depend on those beside it"

    @pytest.mark.parametrize("text", _NONSENSE)
    def test_text_outside_the_notation_is_an_invalid_architecture(self, space: SearchSpace, text: str) -> None:
        with pytest.raises(InvalidArchitectureError, match=space.name):
            space.parse(text)

    @pytest.mark.parametrize("given", _FOREIGN, ids=lambda given: type(given).__name__)
    def test_a_foreign_object_is_an_invalid_architecture(self, space: SearchSpace, given: Any) -> None:
        with pytest.raises(InvalidArchitectureError, match=space.name) as caught:
            space.parse(given)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 1_000

    def test_a_vector_of_choices_is_read_however_it_is_held(self, space: SearchSpace) -> None:
        for row in space.sample(8, np.random.default_rng(14)):
            choices = tuple(row.tolist())
            others = row.astype(np.uint8), row.astype(float), np.array(choices, dtype=object)
            for given in (choices, row, list(row), *others, space.architecture(choices)):
                assert space.parse(given) == choices, given

    def test_an_architecture_of_another_space_is_invalid(self, space: SearchSpace) -> None:
        with pytest.raises(InvalidArchitectureError, match="it is of the space stranger"):
            space.parse(_Stranger().architecture((1, 0, 0, 0, 0, 0)))

    def test_a_damaged_text_is_invalid_or_another_legal_architecture(self, space: SearchSpace) -> None:
        rng = np.random.default_rng(4)
        text = space.format(space.sample(1, rng)[0].tolist())
        for _ in range(200):
            cut = int(rng.integers(len(text)))
            damaged = text[:cut] + chr(int(rng.integers(32, 127))) * int(rng.integers(3)) + text[cut + 1 :]
            try:
                choices = space.parse(damaged)
            except InvalidArchitectureError:
                continue
            assert space.validate(choices) == choices

    def test_choices_outside_the_space_are_invalid(self, space: SearchSpace) -> None:
        row = space.sample(1, np.random.default_rng(5))[0].tolist()
        for wrong in ([], row[:-1], [*row, 0], [-1, *row[1:]], [*row[:-1], space.num_choices[-1]]):
            with pytest.raises(InvalidArchitectureError, match=space.name):
                space.validate(wrong)
            if wrong:
                with pytest.raises(InvalidArchitectureError):
                    space.architecture(wrong)

    def test_mutants_are_legal_and_differ_from_their_parents(self, space: SearchSpace) -> None:
        rng = np.random.default_rng(6)
        parents = space.sample(_SAMPLES, rng)
        before = parents.copy()
        children = space.mutate(parents, rng)
        np.testing.assert_array_equal(parents, before)
        assert space.is_valid(children).all()
        stayed = (children == parents).all(axis=1)
        stuck = [parent for parent in parents[stayed].tolist() if len(space.neighbours(parent))]
        assert not stuck, "a mutant equals its parent only where a change of one choice cannot be legal"

    def test_children_of_a_crossover_are_legal(self, space: SearchSpace) -> None:
        rng = np.random.default_rng(7)
        a, b = space.sample(_SAMPLES, rng), space.sample(_SAMPLES, rng)
        assert space.is_valid(space.crossover(a, b, rng)).all()
        np.testing.assert_array_equal(space.crossover(a, a, rng), a)

    def test_neighbours_are_legal_distinct_and_one_choice_away(self, space: SearchSpace) -> None:
        for row in space.sample(4, np.random.default_rng(8)):
            rows = space.neighbours(row.tolist())
            assert space.is_valid(rows).all()
            assert ((rows != row).sum(axis=1) == 1).all()
            assert len(np.unique(rows, axis=0)) == len(rows)

    def test_operators_are_sorted_and_cover_what_decoding_gives(self, space: SearchSpace) -> None:
        assert list(space.operators) == sorted(set(space.operators))
        known = set(space.operators)
        for row in space.sample(4 * _SAMPLES, np.random.default_rng(9)).tolist():
            graph = space.decode(row)
            assert known >= {*graph.ops, *(graph.edge_ops or ())}

    def test_equal_choices_give_equal_graphs_and_keys(self, space: SearchSpace) -> None:
        for row in space.sample(8, np.random.default_rng(10)).tolist():
            first, again = space.architecture(row), space.architecture(row)
            assert first == again
            assert first.graph == again.graph
            assert first.key == again.key
            assert first.graph.is_isomorphic(again.graph)

    def test_one_hot_marks_each_choice_once(self, space: SearchSpace) -> None:
        rows = space.sample(_SAMPLES, np.random.default_rng(11))
        features = space.one_hot(rows)
        assert features.shape == (_SAMPLES, sum(space.num_choices))
        blocks = np.split(features, np.cumsum(space.num_choices)[:-1], axis=1)
        np.testing.assert_array_equal(np.stack([block.argmax(axis=1) for block in blocks], axis=1), rows)
        assert all((block.sum(axis=1) == 1).all() for block in blocks)

    def test_ordered_choices_have_a_number_of_its_own_for_each_option(self, space: SearchSpace) -> None:
        assert len(space.ordered) == space.num_decisions
        for options, numbers in zip(space.num_choices, space.ordered, strict=True):
            if numbers is not None:
                assert len(set(numbers)) == len(numbers) == options
                assert all(math.isfinite(number) for number in numbers)

    def test_costs_are_finite_and_have_the_same_names_everywhere(self, space: SearchSpace) -> None:
        costs = [space.cost(row) for row in space.sample(_SAMPLES, np.random.default_rng(12)).tolist()]
        for cost in costs:
            assert cost.keys() == costs[0].keys()
            assert all(math.isfinite(value) and value >= 0 for value in cost.values())
            json.dumps(cost)

    def test_costs_of_many_are_those_of_each(self, space: SearchSpace) -> None:
        rows = space.sample(_SAMPLES, np.random.default_rng(13))
        costs = space.costs(rows)
        each = [space.cost(row) for row in rows.tolist()]
        assert all(values.shape == (_SAMPLES,) and values.dtype == np.float64 for values in costs.values())
        assert [{name: values[i] for name, values in costs.items()} for i in range(_SAMPLES)] == each
        none = space.costs(rows[:0])
        assert {name: values.shape for name, values in none.items()} == dict.fromkeys(costs, (0,))
