"""Parameters as a proxy: the larger network is taken for the better one."""

from __future__ import annotations

from archpredict.proxies._totals import TotalProxy

__all__ = ["Params"]


class Params(TotalProxy):
    """Number of parameters, batch norms folded: a base line that proxies should beat.

    White, Khodak, Tu, Shah, Bubeck and Dey, "A deeper look at zero-cost proxies for lightweight NAS", 2022, ICLR blog
    track, show how hard that is.

    Example:
        >>> from archpredict.graph.builder import Builder
        >>> b = Builder(image=(3, 8, 8))
        >>> Params().score_graph(b.output(b.conv(b.input(), 4, kernel=3, norm=True)).graph())
        112.0
    """

    name = "params"
