"""The predictor of whole networks: what ``archpredict rank`` uses, and what ships as ``imagenet``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archpredict.predictor import Predictor

_REGRESSORS: Mapping[str, float] = {"gaussian-process": 1.0, "hist-gradient-boosting": 0.2}
_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "gaussian-process": {"kernel": "laplacian", "relevance": "correlation", "length": 2.0, "noise": 0.03}
}


def ranker(**changes: Any) -> Predictor:
    """An unfitted predictor of computational graphs, as :func:`archpredict.io.onnx.load` gives them.

    A Gaussian process and boosted trees on the graph's statistics (:mod:`archpredict.network_statistics`). With some
    hundreds of labels these are ahead of any graph network that was tried, and networks beside them gained nothing
    that could be told from noise (``docs/benchmarks.md``); ``ranker(encoder="comp-graph", ensemble=3)`` adds some.

    Args:
        **changes: Arguments of :class:`~archpredict.predictor.Predictor` in place of these.

    Example:
        >>> import numpy as np
        >>> from archpredict.testing.graphs import random_computational_graph
        >>> graphs = [random_computational_graph(20 + i, np.random.default_rng(i)) for i in range(20)]
        >>> sizes = [graph.num_nodes for graph in graphs]
        >>> ranker().fit(graphs, sizes).score(graphs, sizes) > 0.5
        True
    """
    settings: dict[str, Any] = {
        "encoder": None,
        "ensemble": 0,
        "side": ("network",),
        "pretrain": 0,
        "regressors": _REGRESSORS,
        "regressor_options": _OPTIONS,
        "target": "values",
    }
    return Predictor(**{**settings, **changes})
