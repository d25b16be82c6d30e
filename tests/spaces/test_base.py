"""What SearchSpace derives from num_choices, mask and decode, against brute force on a small masked space."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Sequence
from functools import cached_property, partial
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpredict import search
from archpredict._typing import BoolArray, IntArray
from archpredict.errors import InvalidArchitectureError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.registry import names
from archpredict.spaces import Architecture, SearchSpace, check_space, load_space
from archpredict.spaces.base import unique_rows
from archpredict.spaces.darts import Darts
from archpredict.testing.spaces import SpaceContract


class Rising(SearchSpace):
    """Five choices of 3, 2, 4, 3, 2 options whose running sum never exceeds six."""

    name = "rising"
    num_choices = (3, 2, 4, 3, 2)
    limit = 6

    def mask(self, prefix: IntArray) -> BoolArray:
        options = np.arange(self.num_choices[prefix.shape[1]])
        legal: BoolArray = prefix.sum(axis=1)[:, None] + options <= self.limit
        return legal

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        edges = tuple((i, i + 1) for i in range(len(choices) - 1))
        return ArchGraph(tuple(f"op{c}" for c in choices), edges)


class Everything(SearchSpace):
    """No mask, and far too many vectors to enumerate."""

    name = "everything"
    num_choices = (4,) * 20

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        return ArchGraph(("node",), ())


SPACE = Rising()
LEGAL = sorted(row for row in product(*map(range, SPACE.num_choices)) if sum(row) <= SPACE.limit)
seeds = st.integers(0, 2**32 - 1)
legal_rows = st.sampled_from(LEGAL)


def test_enumeration_equals_brute_force_in_order() -> None:
    assert SPACE.enumerate().tolist() == [list(row) for row in LEGAL]
    assert len(LEGAL) < SPACE.num_vectors == 144


def test_a_space_too_large_to_enumerate_says_so() -> None:
    with pytest.raises(UsageError, match="everything is too large to enumerate; sample from it instead"):
        Everything().enumerate()


def test_is_valid_and_validate_agree_with_brute_force() -> None:
    rows = np.array(list(product(range(-1, 4), repeat=5)))
    expected = [tuple(row) in set(LEGAL) for row in rows.tolist()]
    assert SPACE.is_valid(rows).tolist() == expected
    for row, valid in list(zip(rows.tolist(), expected, strict=True))[::7]:
        if valid:
            assert SPACE.validate(row) == tuple(row)
        else:
            with pytest.raises(InvalidArchitectureError):
                SPACE.validate(row)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0, 0], "takes 5 choices, 2 were given"),
        ([3, 0, 0, 0, 0], "choice 0 of the space rising is 0 to 2, 3 was given"),
        ([0, -1, 0, 0, 0], "choice 1 of the space rising is 0 to 1, -1 was given"),
        ([2, 1, 3, 1, 0], r"outside the space rising: choice 3 may not be 1 after \[2, 1, 3\]"),
    ],
)
def test_illegal_choices_say_which_and_why(row: list[int], message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        SPACE.validate(row)


@given(seeds)
def test_samples_are_legal(seed: int) -> None:
    assert SPACE.is_valid(SPACE.sample(50, np.random.default_rng(seed))).all()


def test_each_choice_is_uniform_over_what_is_legal_after_those_before() -> None:
    n = 60_000
    rows = SPACE.sample(n, np.random.default_rng(0))
    for t in range(SPACE.num_decisions):
        prefix, inverse, counts = np.unique(rows[:, :t], axis=0, return_inverse=True, return_counts=True)
        legal = SPACE.mask(prefix)
        for i in range(len(prefix)):
            share = np.bincount(rows[inverse.reshape(-1) == i, t], minlength=SPACE.num_choices[t]) / counts[i]
            expected = legal[i] / legal[i].sum()
            # Five standard deviations of a share; about 500 shares are compared.
            np.testing.assert_allclose(share, expected, atol=5 * 0.5 / np.sqrt(counts[i]))


@given(st.lists(legal_rows, min_size=1, max_size=20), seeds)
def test_a_mutant_is_legal_and_differs(rows: list[tuple[int, ...]], seed: int) -> None:
    parents = np.array(rows)
    children = SPACE.mutate(parents, np.random.default_rng(seed))
    assert SPACE.is_valid(children).all()
    assert (children != parents).any(axis=1).all()
    assert parents.tolist() == [list(row) for row in rows], "parents stay as they are"


@given(legal_rows, seeds)
def test_a_mutant_changes_later_choices_only_where_they_became_illegal(row: tuple[int, ...], seed: int) -> None:
    child = SPACE.mutate(np.array([row]), np.random.default_rng(seed))[0]
    first, *others = np.flatnonzero(child != row)
    for i in others:
        assert i > first
        assert not SPACE.mask(child[None, :i])[0, row[i]]


@given(legal_rows, legal_rows, seeds)
def test_a_child_of_a_crossover_takes_from_its_parents_what_is_legal(
    a: tuple[int, ...], b: tuple[int, ...], seed: int
) -> None:
    child = SPACE.crossover(np.array([a]), np.array([b]), np.random.default_rng(seed))
    assert SPACE.is_valid(child).all()
    for i, choice in enumerate(child[0]):
        legal = SPACE.mask(child[:, :i])[0]
        assert choice in (a[i], b[i]) or not (legal[a[i]] and legal[b[i]])


@given(legal_rows)
def test_neighbours_are_exactly_the_legal_vectors_one_choice_away(row: tuple[int, ...]) -> None:
    expected = {other for other in LEGAL if sum(x != y for x, y in zip(row, other, strict=True)) == 1}
    found = [tuple(other) for other in SPACE.neighbours(row).tolist()]
    assert set(found) == expected
    assert len(found) == len(expected)


def test_one_hot_marks_each_choice_in_its_own_columns() -> None:
    features = SPACE.one_hot(np.array([[2, 0, 3, 1, 0]]))
    assert features.tolist() == [[0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0]]
    assert len(np.unique(SPACE.one_hot(SPACE.enumerate()), axis=0)) == len(LEGAL)


def test_operators_are_all_labels_that_decoding_can_give() -> None:
    assert SPACE.operators == ("op0", "op1", "op2", "op3")


def test_without_a_notation_of_its_own_a_space_reads_a_json_list() -> None:
    assert SPACE.format((2, 0, 3, 1, 0)) == "[2, 0, 3, 1, 0]"
    assert SPACE.parse("[2, 0, 3, 1, 0]") == (2, 0, 3, 1, 0)
    for text, message in [
        ("2", "not a list of integers"),
        ("[true, 0, 0, 0, 0]", "not a list"),
        ("[", "does not parse"),
    ]:
        with pytest.raises(InvalidArchitectureError, match=message):
            SPACE.parse(text)


def test_a_long_wrong_text_is_shown_shortened() -> None:
    with pytest.raises(InvalidArchitectureError) as caught:
        SPACE.parse("x" * 10_000)
    assert len(str(caught.value)) < 300


def test_without_network_the_error_names_the_space() -> None:
    with pytest.raises(UsageError, match=r"rising does not define network\(\)"):
        SPACE.network((0,) * 5)


def test_an_architecture_knows_its_graph_key_and_text() -> None:
    architecture = SPACE.architecture([2, 0, 3, 1, 0])
    assert architecture == Architecture(SPACE, (2, 0, 3, 1, 0))
    assert architecture.graph is architecture.graph
    assert architecture.key == SPACE.decode(architecture.choices).key
    assert str(architecture) == "[2, 0, 3, 1, 0]"
    assert architecture.cost == {}


def test_unique_rows_gives_first_occurrences_not_seen() -> None:
    rows = np.array([[0, 1], [0, 1], [1, 0], [2, 2]])
    assert list(unique_rows(rows)) == [0, 2, 3]
    assert list(unique_rows(rows, seen=[(2, 2)])) == [0, 2]


def test_costs_of_many_are_those_of_each_where_a_space_says_no_more() -> None:
    class Weighed(Rising):
        def cost(self, choices: Sequence[int]) -> dict[str, float]:
            return {"sum": float(sum(choices)), "first": float(choices[0])}

    rows = np.array(LEGAL[:7])
    costs = Weighed().costs(rows)
    assert {name: values.tolist() for name, values in costs.items()} == {
        "sum": rows.sum(axis=1).tolist(),
        "first": rows[:, 0].tolist(),
    }
    assert {name: values.shape for name, values in Weighed().costs(rows[:0]).items()} == {"sum": (0,), "first": (0,)}
    assert SPACE.costs(rows) == {}


def test_a_space_loads_by_name_class_factory_or_instance() -> None:
    assert load_space("nasbench101").name == load_space("NASBench101".lower()).name == "nasbench101"
    assert load_space(Rising).name == load_space(lambda: SPACE).name == load_space(SPACE).name == "rising"
    assert load_space("archpredict.spaces.darts:Darts").name == "darts"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("dart", r"unknown space 'dart'; choose from: .*darts.* Did you mean 'darts'\?"),
        ("no_such_module:Space", "there is no module 'no_such_module'"),
        ("nowhere/space.py:Space", "there is no file nowhere/space.py"),
        ("archpredict.spaces.darts:Dart", "has no 'Dart' to use from spaces; its classes are: Darts"),
        (dict, "the space given is the class dict; expected a class derived from"),
    ],
)
def test_what_is_no_space_is_refused_with_a_reason(given: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_space(given)


class Alone(Rising):
    """One architecture only, though the second choice has two options: the mask leaves one."""

    name = "alone"
    num_choices = (1, 2, 1)

    def mask(self, prefix: IntArray) -> BoolArray:
        legal = np.ones((len(prefix), self.num_choices[prefix.shape[1]]), dtype=bool)
        if prefix.shape[1] == 1:
            legal[:, 0] = False
        return legal


class OneChoice(Rising):
    name = "one-choice"
    num_choices = (1,)


class Lock(Rising):
    """Thirty choices of which the last alone can change."""

    name = "lock"
    num_choices = (3,) * 30

    def mask(self, prefix: IntArray) -> BoolArray:
        legal = np.ones((len(prefix), 3), dtype=bool)
        if prefix.shape[1] < 29:
            legal[:, 1:] = False
        return legal


@pytest.mark.parametrize("space", [Alone(), OneChoice(), Lock()], ids=lambda space: space.name)
class TestSpacesWithLittleRoom(SpaceContract):
    """The contract, and a check before a search, also where hardly anything or nothing can change."""

    def test_it_can_be_searched(self, space: SearchSpace) -> None:
        check_space(space)


@pytest.mark.parametrize("space", [Alone(), OneChoice()], ids=lambda space: space.name)
def test_where_nothing_can_change_there_is_the_parent_alone(space: SearchSpace) -> None:
    rng = np.random.default_rng(0)
    rows = space.enumerate()
    assert len(rows) == 1
    parents = rows[[0, 0, 0]]
    assert space.sample(3, rng).tolist() == parents.tolist()
    assert space.mutate(parents, rng).tolist() == parents.tolist()
    assert space.crossover(parents, parents, rng).tolist() == parents.tolist()
    assert space.neighbours(rows[0].tolist()).shape == (0, space.num_decisions)
    assert space.one_hot(rows).sum() == space.num_decisions
    assert space.mutate(rows[:0], rng).shape == (0, space.num_decisions)


@pytest.mark.parametrize("strategy", ["random", "evolution"])
def test_a_space_of_one_architecture_is_searched_to_its_end(strategy: str) -> None:
    result = search(Alone(), lambda architecture: 1.0, strategy=strategy, budget=3)
    assert result.best.architecture.choices == (0, 1, 0)


def test_a_mutation_finds_the_one_place_where_a_change_is_legal() -> None:
    parents = np.zeros((200, 30), dtype=np.int64)
    children = Lock().mutate(parents, np.random.default_rng(0))
    assert (children[:, 29] != 0).all()
    assert {1, 2} == set(children[:, 29].tolist())


WRONG_NUMBERS = [2.0, 1.9, "1", True, np.True_, np.float32(1), None, [1], 1 + 0j, float("nan")]


@pytest.mark.parametrize("wrong", WRONG_NUMBERS, ids=repr)
@pytest.mark.parametrize("place", [0, 4])
def test_a_choice_that_is_no_integer_is_refused(wrong: object, place: int) -> None:
    row: list[Any] = [0, 0, 0, 0, 0]
    row[place] = wrong
    message = rf"^choice {place} of the space rising is an integer from 0 to \d, {re.escape(repr(wrong))} was given$"
    for use in (SPACE.validate, SPACE.architecture, SPACE.neighbours, SPACE.format, partial(Architecture, SPACE)):
        with pytest.raises(InvalidArchitectureError, match=message):
            use(row)


@pytest.mark.parametrize("wrong", ["00000", 5, None, b"00000"])
def test_what_is_no_sequence_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidArchitectureError, match=r"the space rising takes a sequence of 5 choices, .* was given"):
        SPACE.validate(wrong)


@pytest.mark.parametrize("kind", [tuple, list, np.array, np.uint8, np.int32, iter])
def test_integers_of_every_kind_are_choices(kind: Any) -> None:
    row = [2, 0, 1, 0, 1]
    given = kind(row)
    assert SPACE.validate(given) == (2, 0, 1, 0, 1)
    architecture = Architecture(SPACE, given if kind is not iter else iter(row))
    assert architecture == SPACE.architecture(row)
    assert [type(c) for c in architecture.choices] == [int] * 5
    assert hash(architecture) == hash(SPACE.architecture(row))


def test_an_architecture_has_as_many_choices_as_its_space() -> None:
    with pytest.raises(InvalidArchitectureError, match="the space rising takes 5 choices, 4 were given"):
        Architecture(SPACE, (0, 0, 0, 0))


@pytest.mark.parametrize("dtype", [np.float64, np.bool_, "U1", object])
def test_rows_that_are_no_integers_are_refused(dtype: Any) -> None:
    rows = np.zeros((2, 5)).astype(dtype)
    rng = np.random.default_rng(0)
    uses = (
        *(SPACE.is_valid, SPACE.architectures, SPACE.one_hot),
        *(lambda rows: SPACE.mutate(rows, rng), lambda rows: SPACE.crossover(rows, rows, rng)),
    )
    for use in uses:
        with pytest.raises(
            InvalidArchitectureError, match=r"of the space rising (are integers, an array of|is an int)"
        ):
            use(rows)
        with pytest.raises(InvalidArchitectureError, match=r"takes 5 choices per architecture, an array of shape \(5,"):
            use(np.zeros(5, dtype=np.int64))


class Option(Rising):
    """A space with an option that its choices do not show."""

    name = "option"

    def __init__(self, prefix: str = "op", widths: object = ()) -> None:
        self._prefix = prefix
        self.widths = widths
        self._memo: dict[int, int] = {}

    @cached_property
    def doubled(self) -> str:
        return self._prefix * 2


class Alias(Rising):
    """The same choices and name as Rising."""


def test_architectures_are_equal_within_one_space_alone() -> None:
    row = (0, 0, 0, 0, 0)
    assert Rising().architecture(row) == SPACE.architecture(row)
    assert len({Rising().architecture(row), SPACE.architecture(row)}) == 1
    for other in (Alias(), Option(), Everything(), load_space("nasbench201")):
        assert other != SPACE
        architecture = (
            other.architecture(other.enumerate()[0])
            if other.num_vectors < 10**6
            else other.architectures(other.sample(1, np.random.default_rng(0)))[0]
        )
        assert architecture != SPACE.architecture(row)
        assert len({architecture, SPACE.architecture(row)}) == 2


@pytest.mark.parametrize("name", names("spaces"))
def test_two_objects_of_a_space_are_one_space(name: str) -> None:
    first, second = load_space(name), load_space(name)
    rows = first.sample(3, np.random.default_rng(0))
    assert first.operators  # what is computed once makes no difference
    for other in (second, pickle.loads(pickle.dumps(first)), copy.deepcopy(second)):
        assert first == other
        assert hash(first) == hash(other)
        assert first.architectures(rows) == other.architectures(rows)
        assert len({*first.architectures(rows), *other.architectures(rows)}) == len(np.unique(rows, axis=0))


def test_the_options_of_a_space_tell_it_from_others() -> None:
    row = (0, 0, 0, 0, 0)
    same, other = Option("op"), Option("other")
    assert Option().doubled == "opop"
    same._memo[0] = 1
    assert same == Option()
    assert other != Option()
    assert other.architecture(row) != Option().architecture(row)
    arrays = [
        Option(widths=values) for values in (np.arange(3), np.arange(3), np.arange(4), [1, np.arange(3)], {"a": 1})
    ]
    assert arrays[0] == arrays[1]
    assert arrays[0] != arrays[2]
    assert arrays[3] != arrays[4]
    assert Option(widths=[1, np.arange(3)]) == arrays[3]
    assert load_space("darts") != Darts(with_none=True)
