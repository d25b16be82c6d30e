"""Types that many modules name, and arrays that nobody can write to."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
"""An array of doubles."""
IntArray = npt.NDArray[np.int64]
"""An array of 64-bit integers."""
BoolArray = npt.NDArray[np.bool_]
"""An array of truth values."""
AnyArray = npt.NDArray[Any]
"""An array of anything."""

_Array = TypeVar("_Array", bound=npt.NDArray[Any])


def read_only(array: _Array) -> _Array:
    """The array as one that cannot be written to; its memory is shared, not copied.

    Example:
        >>> read_only(np.zeros(2)).flags.writeable
        False
    """
    if not array.flags.writeable:
        return array
    view = array.view()
    view.flags.writeable = False
    return view


def freeze(instance: object, *names: str) -> None:
    """Make the arrays in these attributes of a frozen dataclass :func:`read_only`; None stays None."""
    for name in names:
        array = getattr(instance, name)
        if array is not None:
            object.__setattr__(instance, name, read_only(array))
