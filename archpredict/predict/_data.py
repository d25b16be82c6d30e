"""Further columns in the containers that users have them in: mappings, structured arrays, data frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.predict.batch import ArchLikes
from archpredict.predict.inputs import Inputs
from archpredict.spaces.base import Architecture

Architectures = ArchLikes | Inputs
"""Any number of architectures, packed already or not."""


@runtime_checkable
class Frame(Protocol):
    """A table with named columns, such as a ``pandas.DataFrame``."""

    @property
    def columns(self) -> Iterable[Any]:
        """Names of the columns."""

    def __getitem__(self, name: Any, /) -> Any:
        """The column of a name."""


Columns = Mapping[str, Any] | npt.NDArray[Any] | Frame
"""Numbers by name: a mapping, a structured array, or a data frame with one row for each architecture."""


def as_columns(features: Columns | None) -> dict[str, Any] | None:
    """Columns by name; rows are taken by position, whatever the index of a data frame.

    Raises:
        UsageError: They have no names.

    Example:
        >>> rows = np.array([(1.0, 2.0), (3.0, 4.0)], dtype=[("synflow", float), ("flops", float)])
        >>> {name: column.tolist() for name, column in as_columns(rows).items()}
        {'synflow': [1.0, 3.0], 'flops': [2.0, 4.0]}
    """
    if features is None:
        return None
    if isinstance(features, np.ndarray):
        names: Any = features.dtype.names
    else:
        names = features.columns if isinstance(features, Frame) else features if isinstance(features, Mapping) else None
    if names is None:
        raise UsageError(
            "features are columns with names: a mapping, a structured array or a data frame; "
            f"{type(features).__name__} was given"
        )
    return {str(name): np.asarray(features[name]) for name in names}


def is_one(given: Any) -> bool:
    """Whether it is one architecture or graph, not a sequence."""
    return isinstance(given, (Architecture, ArchGraph))
