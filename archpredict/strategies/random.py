"""Random search: the baseline every strategy has to beat."""

from __future__ import annotations

from archpredict.spaces.base import Architecture
from archpredict.strategies.base import Strategy

__all__ = ["RandomSearch"]


class RandomSearch(Strategy):
    """Label random architectures and recommend the best.

    Draws from :meth:`archpredict.SearchSpace.sample` (uniform over sequences of legal choices), without isomorphic
    repetitions. Li and Talwalkar, "Random search and reproducibility for neural architecture search", 2019,
    arXiv 1902.07638, show why it is the baseline to beat.
    """

    name = "random"
    several_objectives = True

    def ask(self, n: int) -> list[Architecture]:
        n = min(n, self.left)
        return self.problem.sample(n, self.rng(), self.seen)
