"""What SearchSpace derives from num_choices, mask and decode, against brute force on a small masked space."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpredict._typing import BoolArray, IntArray
from archpredict.errors import InvalidArchitectureError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.spaces import Architecture, SearchSpace, load_space
from archpredict.spaces.base import unique_rows


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
        (dict, "is not a SearchSpace but dict"),
    ],
)
def test_what_is_no_space_is_refused_with_a_reason(given: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_space(given)
