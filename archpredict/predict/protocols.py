"""Evaluation protocols as named objects: which labels, which split. Every rank correlation quoted names its protocol.

A :class:`Protocol` is a set of labelled architectures and the rule that splits them: one permutation of
``numpy.random.default_rng(seed)``, of which the first ``n`` rows are learnt from. Those with a name read the benchmark
tables from a folder that the user brings (:func:`load_protocol`); :func:`table_protocol` makes one of any table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from archpredict._typing import FloatArray, IntArray
from archpredict.errors import DataError, UnknownNameError, UsageError
from archpredict.spaces.base import Architecture, SearchSpace, load_space
from archpredict.spaces.nasbench101 import NASBench101, choices_from_packed
from archpredict.spaces.nasbench201 import NASBench201
from archpredict.tables.formats.base import read_rows
from archpredict.tables.table import Table

__all__ = [
    "HoldOut",
    "Protocol",
    "Published",
    "family_folds",
    "hold_out",
    "k_folds",
    "load_protocol",
    "protocol_names",
    "table_protocol",
]


class HoldOut(NamedTuple):
    """A hold-out split: rows to learn from, and rows to be judged by."""

    train: IntArray
    test: IntArray


class Published(NamedTuple):
    """A published figure: Kendall's tau that others reached with ``n`` labels, and where it comes from."""

    name: str
    n: int
    kendall_tau: float
    source: str


@dataclass(frozen=True, eq=False)
class Protocol:
    """An evaluation protocol: labelled architectures, and how to split them.

    Args:
        name: What the figures quote.
        description: Labels and test set, in one line.
        space: The search space; a name, a reference or a class are loaded.
        choices: ``(N, L)``.
        train_labels: ``(N,)`` that a predictor may learn from, in percent for the named protocols.
        test_labels: ``(N,)`` that its ranking is judged by, likewise.
        num_test: Size of the test set, from the end of the permutation; None: all that is not trained on.
        train_sizes: Numbers of labels that figures are usually quoted for.
        published: Figures of others to compare with.
    """

    name: str
    description: str
    space: SearchSpace
    choices: IntArray
    train_labels: FloatArray
    test_labels: FloatArray
    num_test: int | None = None
    train_sizes: tuple[int, ...] = ()
    published: tuple[Published, ...] = ()

    if TYPE_CHECKING:

        def __init__(
            self,
            name: str,
            description: str,
            space: str | type[SearchSpace] | SearchSpace,
            choices: IntArray,
            train_labels: FloatArray,
            test_labels: FloatArray,
            num_test: int | None = ...,
            train_sizes: tuple[int, ...] = ...,
            published: tuple[Published, ...] = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "space", load_space(self.space))

    def __len__(self) -> int:
        return len(self.choices)

    @cached_property
    def architectures(self) -> list[Architecture]:
        """One architecture per row; the same objects every time, so that their graphs are made once."""
        return self.space.architectures(self.choices)

    def split(self, n: int, seed: int) -> HoldOut:
        """The first ``n`` rows of the permutation of ``default_rng(seed)``, and the test set.

        Raises:
            UsageError: ``n`` is below 2, or more than the test set leaves.
        """
        try:
            return hold_out(len(self), n, seed, self.num_test)
        except UsageError as error:
            raise UsageError(f"{self.name}: {error}") from error


def hold_out(total: int, n: int, seed: int, num_test: int | None = None) -> HoldOut:
    """The first ``n`` of ``total`` permuted rows to learn from, and the others, or the last ``num_test``, to test on.

    Raises:
        UsageError: ``n`` is below 2, fewer than 2 rows are left to test on, or the test set would overlap.

    Example:
        >>> train, test = hold_out(10, 4, seed=0)
        >>> train.tolist(), sorted([*train.tolist(), *test.tolist()])
        ([4, 6, 2, 7], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    most = total - (2 if num_test is None else num_test)
    if n < 2:
        raise UsageError(f"at least 2 labels are needed to learn a ranking, {n} was asked for")
    if num_test is not None and num_test < 2:
        raise UsageError(f"a ranking is tested on at least 2 labels, num_test is {num_test}")
    if n > most:
        raise UsageError(
            f"{n} labels to learn from were asked for, but of {total} only {most} can be: "
            f"{total - most} are kept to test on; ask for fewer or bring more"
        )
    order = np.random.default_rng(seed).permutation(total)
    return HoldOut(order[:n], order[n:] if num_test is None else order[total - num_test :])


FAMILY_FOLDS = 5


def family_folds(families: Sequence[str], seed: int) -> list[HoldOut]:
    """The folds of ``imagenet-family`` and ``throughput-family``: whole families are left out, five times.

    ``imagenet-family`` pools the predictions of all folds. ``throughput-family`` does so in each setting (device,
    precision, layout, runtime) with at least 300 models, learning from all settings of the other families; Kendall's
    tau-b and the mean absolute percentage error of speeds, mean over seeds 0, 1, 2.

    Args:
        families: ``(total,)`` the family of each model.
        seed: Of the shuffle.

    Example:
        >>> folds = family_folds(["a", "a", "b", "c", "d", "e"], seed=0)
        >>> sorted(fold.test.tolist() for fold in folds)
        [[0, 1], [2], [3], [4], [5]]
    """
    from sklearn.model_selection import GroupKFold  # slow to load, and seldom needed

    folds = GroupKFold(FAMILY_FOLDS, shuffle=True, random_state=seed)
    return [HoldOut(train, test) for train, test in folds.split(np.zeros(len(families)), groups=np.asarray(families))]


def k_folds(total: int, folds: int, seed: int = 0, groups: Sequence[str] | None = None) -> list[HoldOut]:
    """Split rows into ``folds`` test sets of as many groups, each to be judged by what is learnt from the others.

    Args:
        total: Number of rows.
        folds: At least 2.
        seed: Of the permutation.
        groups: ``(total,)`` what may not be torn apart, e.g. the keys of the architectures: where isomorphic ones
            are on both sides, a predictor is asked for what it was told.

    Raises:
        UsageError: ``folds`` is below 2, or the rows are too few for it.

    Example:
        >>> [fold.test.tolist() for fold in k_folds(6, 3, seed=0)]
        [[2, 3], [4, 5], [0, 1]]
    """
    names, group = np.unique(np.arange(total) if groups is None else np.asarray(groups), return_inverse=True)
    if folds < 2:
        raise UsageError(f"cross-validation needs at least 2 folds, {folds} was asked for")
    if len(names) < 2 * folds:
        raise UsageError(
            f"{folds} folds need at least {2 * folds} different architectures, {len(names)} were given; "
            "ask for fewer folds or bring more"
        )
    fold = np.empty(len(names), dtype=np.int64)
    for i, part in enumerate(np.array_split(np.random.default_rng(seed).permutation(len(names)), folds)):
        fold[part] = i
    rows = np.arange(total)
    return [HoldOut(rows[fold[group] != i], rows[fold[group] == i]) for i in range(folds)]


def protocol_names() -> list[str]:
    """Names that :func:`load_protocol` knows."""
    return sorted(_LOADERS)


def load_protocol(name: str, folder: str | Path) -> Protocol:
    """The evaluation protocol of a name.

    Args:
        name: One of :func:`protocol_names`.
        folder: Where the benchmark tables are, with the sub-folders ``nasbench101`` and ``nasbench201``.

    Raises:
        UnknownNameError: No protocol has this name; the message lists those there are.
        DataError: The table is not in the folder, or is not what it should be.
    """
    if name not in _LOADERS:
        raise UnknownNameError("protocol", name, _LOADERS)
    return _LOADERS[name](Path(folder))


def table_protocol(table: Table) -> Protocol:
    """The protocol of a table of the user's own: learn from some rows, be judged by all others.

    Rows that hold isomorphic architectures can fall on both sides, as they do in the named protocols.
    """
    return Protocol(
        name=table.path.name,
        description=f"column {table.target}; tested on all others",
        space=table.space,
        choices=table.choices,
        train_labels=table.labels,
        test_labels=table.labels,
    )


def _load_nb101_20k(folder: Path) -> Protocol:
    path = folder / "nasbench101" / "labelled_20k.npz"
    try:
        with path.open("rb") as raw, np.load(raw) as table:  # numpy alone leaves a damaged file open
            choices = choices_from_packed(table["edge_bits"], table["n_vertices"], table["ops"])
            labels = 100 * table["valid_acc_best3"][:, 3].astype(np.float64)
    except FileNotFoundError as error:
        raise DataError(
            f"there is no file {path}; the protocol nb101-20k needs it, give the folder that holds it"
        ) from error
    except Exception as error:  # whatever a damaged archive provokes
        raise DataError(f"{path} is not the table of the protocol nb101-20k: {error}; bring it again") from error
    return Protocol(
        name="nb101-20k",
        description="NAS-Bench-101, 20,001 cells, validation accuracy at 108 epochs; tested on 10,000",
        space=NASBench101(),
        choices=choices,
        train_labels=labels,
        test_labels=labels,
        num_test=10_000,
        train_sizes=(100, 172, 423),
        published=_NB101,
    )


def _load_nb201_c10(folder: Path) -> Protocol:
    path = folder / "nasbench201" / "nasbench201.csv.gz"
    space = NASBench201()
    rows = [row.values for row in read_rows(path)]
    try:
        choices = np.array([space.parse(row["arch_str"]) for row in rows], dtype=np.int64)
        valid, test = (np.array([float(row[name]) for row in rows]) for name in ("c10_nasntk_acc", "c10_test"))
    except (KeyError, ValueError) as error:
        raise DataError(f"{path} is not the table of the protocol nb201-c10: {error}; bring it again") from error
    return Protocol(
        name="nb201-c10",
        description="NAS-Bench-201, 15,625 cells, mean validation accuracy on CIFAR-10; tested on all others by "
        "their test accuracy",
        space=space,
        choices=choices,
        train_labels=valid,
        test_labels=test,
        train_sizes=(78, 156, 469, 781),
        published=_NB201,
    )


_LOADERS: dict[str, Callable[[Path], Protocol]] = {"nb101-20k": _load_nb101_20k, "nb201-c10": _load_nb201_c10}


def _figures(name: str, source: str, figures: dict[int, float]) -> tuple[Published, ...]:
    return tuple(Published(name, n, tau, source) for n, tau in figures.items())


_MEASURED = "; measured on this protocol with its authors' code"
_TA_GATES = "Ning et al., NeurIPS 2022" + _MEASURED
_FLAN = "Akhauri and Abdelfattah, 2024" + _MEASURED
_GATES = "Ning et al., ECCV 2020, arXiv 2004.01899, hinge loss, 200 epochs" + _MEASURED
_CTNAS = "Chen et al., CVPR 2021" + _MEASURED
_NEURAL = "Wen et al., ECCV 2020" + _MEASURED
_PINAT = "Lu et al., AAAI 2023"
_WHOLE = ", as published: tested on the test accuracy of the whole space"

_NB101 = (
    *_figures("TA-GATES", _TA_GATES, {100: 0.686, 172: 0.743, 423: 0.804}),
    *_figures("FLAN", _FLAN, {100: 0.712, 423: 0.803}),
    *_figures("PINAT (measured)", _PINAT + _MEASURED, {100: 0.668, 423: 0.787}),
    *_figures("PINAT (published)", _PINAT + _WHOLE, {100: 0.717, 172: 0.764, 424: 0.812}),
    *_figures("GATES", _GATES, {100: 0.666, 172: 0.714, 423: 0.773}),
    *_figures("CTNAS", _CTNAS, {423: 0.745}),
    *_figures("Neural Predictor", _NEURAL, {100: 0.565, 172: 0.638, 423: 0.705}),
)
_NB201 = (
    *_figures("TA-GATES", _TA_GATES, {156: 0.818}),
    *_figures("FLAN", _FLAN, {156: 0.817}),
    *_figures("GATES", _GATES, {78: 0.742, 156: 0.819, 469: 0.868, 781: 0.872}),
    *_figures("PINAT (measured)", _PINAT + _MEASURED, {156: 0.631}),
    *_figures("PINAT (published)", _PINAT + _WHOLE, {78: 0.549, 156: 0.631, 469: 0.706, 781: 0.761}),
    *_figures("TNASP (published)", "Lu et al., NeurIPS 2021" + _WHOLE, {78: 0.539, 156: 0.589, 469: 0.640, 781: 0.689}),
)
