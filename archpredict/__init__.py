"""archpredict: rank neural networks before they are trained, and search for better ones.

Public names are imported when they are first used: ``import archpredict`` loads neither torch nor DGL.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archpredict.evaluators.base import Evaluator, Result
    from archpredict.evaluators.objectives.objective import Objective
    from archpredict.graph.arch_graph import ArchGraph
    from archpredict.graph.drawing import draw
    from archpredict.predict.parts import Part
    from archpredict.predict.predictor import Predictor
    from archpredict.predict.rank.ranking import Ranking, rank
    from archpredict.predict.training.training import Training
    from archpredict.predict.universal import UniversalPredictor
    from archpredict.progress import Event
    from archpredict.runs.search import SearchResult, search
    from archpredict.spaces.base import Architecture, SearchSpace, load_space
    from archpredict.strategies.base import Problem, Recommendation, Strategy
    from archpredict.tables.table import Table

__version__ = "0.1.0"

__all__ = [
    "ArchGraph",
    "Architecture",
    "Evaluator",
    "Event",
    "Objective",
    "Part",
    "Predictor",
    "Problem",
    "Ranking",
    "Recommendation",
    "Result",
    "SearchResult",
    "SearchSpace",
    "Strategy",
    "Table",
    "Training",
    "UniversalPredictor",
    "__version__",
    "draw",
    "load_space",
    "rank",
    "search",
]

_HOME = {
    "ArchGraph": "graph.arch_graph",
    "Architecture": "spaces.base",
    "Evaluator": "evaluators.base",
    "Event": "progress",
    "Objective": "evaluators.objectives.objective",
    "Part": "predict.parts",
    "Predictor": "predict.predictor",
    "Problem": "strategies.base",
    "Ranking": "predict.rank.ranking",
    "Recommendation": "strategies.base",
    "Result": "evaluators.base",
    "SearchResult": "runs.search",
    "SearchSpace": "spaces.base",
    "Strategy": "strategies.base",
    "Table": "tables.table",
    "Training": "predict.training.training",
    "UniversalPredictor": "predict.universal",
    "draw": "graph.drawing",
    "load_space": "spaces.base",
    "rank": "predict.rank.ranking",
    "search": "runs.search",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
