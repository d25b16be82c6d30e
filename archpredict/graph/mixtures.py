"""Mixtures in a computational graph: sums whose terms are weighted by numbers from outside of the network."""

from __future__ import annotations

import re
from collections.abc import Sequence

from archpredict.graph.builder import Builder

__all__ = ["mixture", "share_of"]

_NAME = re.compile(r"(?:.*/)?mixture(\d+)/(\d+)/[^/]+")


def mixture(b: Builder, decision: int, terms: Sequence[int | None]) -> int:
    """The sum of what the options of a decision give, each multiplied by its share.

    A share is a convolution of its own, depthwise and with a window of one place, whose weights are all one number. So
    a mixture needs no operator of its own; whoever runs the network gives these numbers.

    Args:
        b: Of the network.
        decision: Number of the decision; mixtures of one decision in several places have the same shares.
        terms: What each option gives, in their order; None for zeros. One at least is a node.

    Example:
        >>> b = Builder(image=(2, 8, 8))
        >>> x = b.input()
        >>> mixed = mixture(b, 0, [None, x, b.avg_pool(x, 3)])
        >>> [share_of(name) for name in b.graph().names if share_of(name)]
        [(0, 1), (0, 2)]
    """
    scaled = []
    for option, x in enumerate(terms):
        if x is not None:
            with b.scope(f"mixture{decision}"), b.scope(option):
                scaled.append(b.conv(x, b.channels(x), 1, groups=b.channels(x)))
    return b.add(*scaled)


def share_of(name: str) -> tuple[int, int] | None:
    """The decision and the option whose share a layer is; None for any other layer.

    Args:
        name: Of the layer.
    """
    found = _NAME.fullmatch(name)
    return None if found is None else (int(found[1]), int(found[2]))
