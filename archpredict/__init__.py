"""archpredict: rank neural networks before they are trained, and search for better ones.

Public names are imported when they are first used: ``import archpredict`` loads neither torch nor DGL.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archpredict.datasets.table import Table
    from archpredict.evaluators.base import Evaluator, Result
    from archpredict.graph import ArchGraph
    from archpredict.predictor import Predictor
    from archpredict.search import SearchResult, search
    from archpredict.spaces.base import Architecture, SearchSpace, load_space
    from archpredict.strategies.base import Event, Problem, Recommendation, Strategy

__version__ = "0.1.0"

__all__ = [
    "ArchGraph",
    "Architecture",
    "Evaluator",
    "Event",
    "Predictor",
    "Problem",
    "Recommendation",
    "Result",
    "SearchResult",
    "SearchSpace",
    "Strategy",
    "Table",
    "__version__",
    "load_space",
    "search",
]

_HOME = {
    "ArchGraph": "graph",
    "Architecture": "spaces.base",
    "Evaluator": "evaluators.base",
    "Event": "strategies.base",
    "Predictor": "predictor",
    "Problem": "strategies.base",
    "Recommendation": "strategies.base",
    "Result": "evaluators.base",
    "SearchResult": "search",
    "SearchSpace": "spaces.base",
    "Strategy": "strategies.base",
    "Table": "datasets.table",
    "load_space": "spaces.base",
    "search": "search",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)


class _Facade(ModuleType):
    """Keeps ``archpredict.search`` the function, where an import would put the module."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name == "search" and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Facade
