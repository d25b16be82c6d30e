"""Functions and what they work on as bytes, for processes that did not make them."""

from __future__ import annotations

import sys
import threading
from functools import cache, lru_cache
from types import ModuleType
from typing import Any

import cloudpickle

from archpredict.errors import EvaluationError, described

_ONE_AT_A_TIME = threading.Lock()
"""What is pickled by value is said to the whole process."""


def packed(value: Any, what: str = "evaluator") -> bytes:
    """What other processes make the value of; classes of files that they cannot import come along.

    Args:
        value: To be sent.
        what: What messages call it.

    Raises:
        EvaluationError: It cannot be pickled.
    """
    modules = _of_files(tuple(sys.modules))
    with _ONE_AT_A_TIME:
        for module in modules:
            cloudpickle.register_pickle_by_value(module)
        try:
            content: bytes = cloudpickle.dumps(value)
        except Exception as error:
            raise EvaluationError(
                f"the {what} cannot be sent to other processes: it holds what cannot be pickled "
                f"({described(error)}); make that where it is used, or work in this process"
            ) from error
        finally:
            for module in modules:
                cloudpickle.unregister_pickle_by_value(module)
    return content


@lru_cache(maxsize=1)  # as long as nothing more is imported: it takes longer than to pickle what is sent
def _of_files(every: tuple[str, ...]) -> list[ModuleType]:
    """Modules that were loaded from the path of a file, and that no import would find."""
    names = {name for name in every if "." not in name} - sys.stdlib_module_names - {"__main__", "__mp_main__"}
    loaded = ((name, module) for name in sorted(names) if (module := sys.modules.get(name)) is not None)
    return [module for name, module in loaded if getattr(module, "__file__", None) and not _is_found(name)]


@cache
def _is_found(name: str) -> bool:
    """Whether an import anew would find it; those that are installed for editing have finders of their own."""
    return any(finder.find_spec(name, None) is not None for finder in sys.meta_path if hasattr(finder, "find_spec"))
