"""Tables for the commands that fit and use predictors: what they say and refuse beyond the reading."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archpredict.errors import UsageError
from archpredict.tables.formats.base import ARCHITECTURE
from archpredict.tables.table import Table

if TYPE_CHECKING:
    from archpredict.spaces.base import SearchSpace


def column_names(text: str | None) -> list[str]:
    """The names in ``COL,COL``, each once."""
    return list(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))


def read_labelled(given: Mapping[str, Any], space: SearchSpace, features: Sequence[str] = ()) -> Table:
    """Labels and features of ``--data``; says where isomorphic architectures disagree in their labels."""
    target = given["target"]
    if target in features:
        raise UsageError(f"{target!r} is the --target; a predictor that reads it as a feature would learn nothing else")
    table = Table.read(given["data"], space, target, features, column=given["column"] or ARCHITECTURE)
    _warn_of_scales(table)
    found = table.duplicates()
    if found.num_conflicts:
        warnings.warn(
            f"{table.path}: {found.num_conflicts} architectures have several isomorphic rows with different values in "
            f"{table.target!r}, up to {found.largest_spread:.4g} apart; all rows are kept",
            stacklevel=2,
        )
    return table


def _warn_of_scales(table: Table) -> None:
    """Say so where some labels look like fractions and the others like percent."""
    labels = table.labels
    small, large = labels[(labels > 0) & (labels <= 1)], labels[labels > 1]
    if not len(small) or not len(large) or len(small) + len(large) < len(labels):
        return
    if ((100 * small >= large.min()) & (100 * small <= large.max())).all():
        warnings.warn(
            f"{table.path}: {len(small):,} of {len(labels):,} values in {table.target!r} are at most 1, the others "
            f"{large.min():.4g} to {large.max():.4g}: if those are fractions and these percent, bring them to one "
            "scale",
            stacklevel=3,
        )


def read_families(texts: Sequence[str]) -> list[Table]:
    """The tables of ``SPACE=FILE:COLUMN``.

    Raises:
        UsageError: A text is none.
    """
    from archpredict.spaces.base import load_space

    tables = []
    for text in texts:
        space, _, rest = text.partition("=")
        path, _, target = rest.rpartition(":")
        if not (space and path and target):
            raise UsageError(f"--family {text}: expected SPACE=FILE:COLUMN, e.g. nasbench201=cells.csv:accuracy")
        table = Table.read(path, load_space(space), target)
        _warn_of_scales(table)
        tables.append(table)
    return tables
