"""Splits and protocols are what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpredict.errors import DataError, UnknownNameError, UsageError
from archpredict.predict.protocols import (
    family_folds,
    hold_out,
    k_folds,
    load_protocol,
    protocol_names,
    table_protocol,
)
from archpredict.spaces.base import load_space
from archpredict.tables.table import Table


def test_nb101_20k_tests_on_the_last_10000_and_trains_on_the_first(data_folder: Path) -> None:
    protocol = load_protocol("nb101-20k", data_folder)
    train, test = protocol.split(423, seed=3)
    order = np.random.default_rng(3).permutation(20_001)
    assert protocol.choices.shape == (20_001, protocol.space.num_decisions)
    np.testing.assert_array_equal(train, order[:423])
    np.testing.assert_array_equal(test, order[-10_000:])
    assert protocol.space.is_valid(protocol.choices[test[:100]]).all()
    assert protocol.train_sizes == (100, 172, 423)
    assert protocol.train_labels is protocol.test_labels


def test_nb201_c10_tests_on_everything_it_does_not_train_on_by_another_label(data_folder: Path) -> None:
    protocol = load_protocol("nb201-c10", data_folder)
    train, test = protocol.split(78, seed=0)
    order = np.random.default_rng(0).permutation(15_625)
    np.testing.assert_array_equal(train, order[:78])
    np.testing.assert_array_equal(test, order[78:])
    assert protocol.test_labels.max() == pytest.approx(94.37, abs=0.01)  # the benchmark's best test accuracy
    assert not np.array_equal(protocol.train_labels, protocol.test_labels)
    assert protocol.train_sizes == (78, 156, 469, 781)


def test_nb201_c10_has_the_published_ceiling(data_folder: Path) -> None:
    from archpredict.metrics import kendall_tau

    protocol = load_protocol("nb201-c10", data_folder)
    assert kendall_tau(protocol.test_labels, protocol.train_labels) == pytest.approx(0.892, abs=5e-4)


@pytest.mark.parametrize("name", protocol_names())
def test_every_protocol_carries_figures_of_others_with_their_sources(name: str, data_folder: Path) -> None:
    protocol = load_protocol(name, data_folder)
    assert protocol.name == name
    assert len(protocol.architectures) == len(protocol) == len(protocol.train_labels) == len(protocol.test_labels)
    for figure in protocol.published:
        assert 0 < figure.kendall_tau < 1
        assert figure.source
        assert any(abs(figure.n - n) <= 1 for n in protocol.train_sizes)
    assert len({(figure.name, figure.n) for figure in protocol.published}) == len(protocol.published)


def test_more_training_rows_than_the_test_set_leaves_is_an_error(data_folder: Path) -> None:
    protocol = load_protocol("nb101-20k", data_folder)
    assert len(protocol.split(10_001, seed=0).train) == 10_001
    with pytest.raises(
        UsageError,
        match="nb101-20k: 10002 labels to learn from were asked for, but of 20001 only 10001 can be: "
        "10000 are kept to test on; ask for fewer or bring more",
    ):
        protocol.split(10_002, seed=0)


def test_an_unknown_protocol_lists_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match="unknown protocol 'nb201'; choose from: nb101-20k, nb201-c10"):
        load_protocol("nb201", ".")


def test_tables_that_are_missing_or_damaged_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file .*labelled_20k\.npz; the protocol nb101-20k needs it"):
        load_protocol("nb101-20k", tmp_path)
    with pytest.raises(DataError, match=r"there is no file .*nasbench201\.csv\.gz"):
        load_protocol("nb201-c10", tmp_path)
    (tmp_path / "nasbench101").mkdir()
    (tmp_path / "nasbench101" / "labelled_20k.npz").write_bytes(b"PK\x03\x04nonsense")
    with pytest.raises(DataError, match=r"labelled_20k\.npz is not the table of the protocol nb101-20k: "):
        load_protocol("nb101-20k", tmp_path)
    import gzip

    (tmp_path / "nasbench201").mkdir()
    with gzip.open(tmp_path / "nasbench201" / "nasbench201.csv.gz", "wt") as file:
        file.write("index,arch\n0,x\n")
    with pytest.raises(DataError, match=r"nasbench201\.csv\.gz is not the table of the protocol nb201-c10: "):
        load_protocol("nb201-c10", tmp_path)


def test_a_table_of_the_users_own_is_a_protocol(tmp_path: Path) -> None:
    space = load_space("nasbench201")
    cells = space.architectures(space.sample(6, np.random.default_rng(0)))
    file = tmp_path / "mine.csv"
    file.write_text("architecture,score\n" + "".join(f"{cell},{i}\n" for i, cell in enumerate(cells)))
    protocol = table_protocol(Table.read(file, space, "score"))
    train, test = protocol.split(2, seed=1)
    np.testing.assert_array_equal(train, np.random.default_rng(1).permutation(6)[:2])
    assert sorted([*train, *test]) == list(range(6))
    assert (protocol.name, protocol.train_labels.tolist()) == ("mine.csv", [0, 1, 2, 3, 4, 5])
    assert [str(a) for a in protocol.architectures] == [str(cell) for cell in cells]


@given(total=st.integers(4, 60), seed=st.integers(0, 5), data=st.data())
def test_a_split_never_tests_on_what_was_learnt(total: int, seed: int, data: st.DataObject) -> None:
    num_test = data.draw(st.none() | st.integers(2, total - 2))
    n = data.draw(st.integers(2, total - (num_test or 2)))
    train, test = hold_out(total, n, seed, num_test)
    assert len(train) == n
    assert len(test) == (total - n if num_test is None else num_test)
    assert len({*train, *test}) == len(train) + len(test)


@pytest.mark.parametrize(
    ("n", "message"),
    [
        (1, "at least 2 labels are needed to learn a ranking, 1 was asked for"),
        (9, "9 labels to learn from were asked for, but of 10 only 8 can be: 2 are kept to test on"),
    ],
)
def test_sizes_that_cannot_be_are_refused(n: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        hold_out(10, n, seed=0)


@given(groups=st.lists(st.sampled_from("abcdefgh"), min_size=8, max_size=40), seed=st.integers(0, 5))
def test_folds_hold_every_row_once_and_tear_no_group_apart(groups: list[str], seed: int) -> None:
    if len(set(groups)) < 6:
        groups = [*groups, *"uvwxyz"]
    folds = k_folds(len(groups), 3, seed, groups=groups)
    assert sorted(row for fold in folds for row in fold.test) == list(range(len(groups)))
    for train, test in folds:
        assert sorted([*train, *test]) == list(range(len(groups)))
        assert not {groups[i] for i in train} & {groups[i] for i in test}


def test_folds_without_groups_differ_by_at_most_one_row() -> None:
    assert sorted(len(fold.test) for fold in k_folds(17, 5, seed=0)) == [3, 3, 3, 4, 4]


def test_folds_follow_their_seed() -> None:
    first, again, other = (k_folds(30, 3, seed=seed)[0].test.tolist() for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        (1, "cross-validation needs at least 2 folds, 1 was asked for"),
        (6, "6 folds need at least 12 different architectures, 10 were given; ask for fewer folds or bring more"),
    ],
)
def test_folds_that_cannot_be_are_refused(folds: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        k_folds(10, folds)


def test_folds_by_family_never_tear_a_family_apart() -> None:
    families = [name for name in "abcdefgh" for _ in range(3)]
    for seed in (0, 1):
        folds = family_folds(families, seed)
        assert len(folds) == 5
        assert sorted(row for fold in folds for row in fold.test.tolist()) == list(range(len(families)))
        for fold in folds:
            assert not {families[row] for row in fold.train} & {families[row] for row in fold.test}
