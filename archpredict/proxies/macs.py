"""Multiply-adds as a proxy: the costlier network is taken for the better one."""

from __future__ import annotations

from archpredict.proxies._totals import TotalProxy

__all__ = ["Macs"]


class Macs(TotalProxy):
    """Number of multiply-adds for one image: a base line that proxies should beat.

    See :func:`archpredict.graph.operators.count_macs`.

    White, Khodak, Tu, Shah, Bubeck and Dey, "A deeper look at zero-cost proxies for lightweight NAS", 2022, ICLR blog
    track, show how hard that is.

    Example:
        >>> from archpredict.graph.builder import Builder
        >>> b = Builder(image=(3, 8, 8))
        >>> Macs().score_graph(b.output(b.conv(b.input(), 4, kernel=3, norm=True)).graph())
        6912.0
    """

    name = "macs"
