"""Gaussian process on the vector of choices."""

from __future__ import annotations

from typing import Any

from archpredict.predictors.base import NamedPredictor


class Choices(NamedPredictor):
    """Gaussian process with a Matérn 5/2 kernel on one-hot choices, which does not look at the graph.

    For spaces in which every choice is a place of its own in the network, such as the kernel of a layer: there no two
    vectors name one architecture, and where an operator stands matters more than how the graph is connected.
    """

    name = "choices"

    @classmethod
    def arguments(cls) -> dict[str, Any]:
        return {"ensemble": 0, "regressors": {"gaussian-process": 1.0}, "side": ("choices",)}
