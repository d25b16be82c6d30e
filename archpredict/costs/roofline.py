"""Roofline of networks: seconds that their kernels would take at a device's peaks, in terms that can be weighed.

Williams, Waterman and Patterson, "Roofline", CACM 2009: a kernel takes as long as its arithmetic at peak or its traffic
at the memory's bandwidth, whichever is longer. How near a kind of kernel comes to the peaks is a coefficient per term,
which :mod:`archpredict.costs.fitting` learns from measurements; without any the :func:`usual` ones hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from archpredict._typing import BoolArray, FloatArray
from archpredict.costs.settings import Device, Setting
from archpredict.costs.work import DEPTHWISE, KINDS, MATRIX, Traffic, Work, work_of
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import COLUMNS

__all__ = ["TERMS", "launching", "roofline", "usual"]

LAUNCH = 1e-5
"""Seconds: the unit of what a kernel costs that does nothing."""
_TILED = ("conv first", "conv dense", "conv 1x1", "conv grouped", "linear")
_POINTWISE = tuple(kind for kind in KINDS if kind not in (*MATRIX, *DEPTHWISE, "slice"))
_LAUNCHED = {
    "matrix": MATRIX,
    "depthwise": DEPTHWISE,
    "pointwise": ("activation", "elementwise", "function", "batch norm", "softmax"),
    "norm": ("layer norm", "group norm", "other norm"),
    "pool": ("pool", "reduce", "resize"),
    "move": ("permute", "concat"),
}
_LAUNCHES_OF_A_STEP = 3
"""Forwards, and backwards for inputs and weights."""
_DEPTHWISE_PEAK = 4.0
"""How much slower ordinary arithmetic is than matrix units, about."""


class _Term(NamedTuple):
    """A term: its name, seconds per sample of each network, ``(G,)``, and its usual coefficient."""

    name: str
    seconds: FloatArray
    usual: float = 0.0


def roofline(work: Work, setting: Setting, device: Device, batch_size: FloatArray | float) -> FloatArray:
    """Terms of the time per sample, at the device's peaks.

    Args:
        work: Of ``G`` networks.
        setting: Precision, layout and compiler.
        device: Its peaks.
        batch_size: Of each network ``(G,)``, or of all.

    Returns:
        ``(G, K)`` seconds, in the order of :data:`TERMS`: products with coefficients add up to a time.

    Example:
        >>> from archpredict.graph.operators import Operation, computational_graph
        >>> nodes = [Operation("input", (1, 64, 10, 10)), Operation("relu", (1, 64, 10, 10))]
        >>> work = work_of([computational_graph(nodes, [(0, 1)])])
        >>> toy = Device("toy", "a toy", "gpu", tflops=1.0, half_tflops=1.0, bandwidth=1.0, cores=1)
        >>> row = dict(zip(TERMS, roofline(work, Setting("toy", "bf16"), toy, 1.0)[0]))
        >>> float(row["traffic: activation"])  # 12,800 bytes in and out, at 10⁹ bytes per second
        2.56e-05
    """
    return np.stack([term.seconds for term in _terms(work, setting, device, batch_size)], axis=1)


def launching(work: Work, setting: Setting, device: Device, batch_size: float) -> FloatArray:
    """Seconds per sample that launching the kernels takes at least, however little they do.

    Accelerators work while the next kernels are launched, so that a batch takes as long as either. A launch from Python
    takes 5 to 10 microseconds; where a processor runs the kernels itself, launches are in the terms alone.

    Args:
        work: Of ``G`` networks.
        setting: What is fused, or merged, is launched once.
        device: Where.
        batch_size: Samples that share a launch.

    Returns:
        ``(G,)``, 0 on CPUs.
    """
    terms = _Terms(work, setting, device, np.full(work.count, float(batch_size)))
    views = work.is_kind("slice", "permute")
    launched = terms.alive & (terms.traffic.written > 0) & ~views
    each = LAUNCH / 2 * (_LAUNCHES_OF_A_STEP if setting.mode == "train" else 1)
    counts = work.sums(np.ones(len(work.kind)), launched)
    return np.asarray(counts * each / batch_size * (device.kind == "gpu"))


def usual(eager: bool) -> FloatArray:
    """``(K,)`` coefficients before anything is measured: kernels at the peaks, that is.

    Args:
        eager: Whether a function without a name is several kernels, and batch norms are kernels of their own.
    """
    found = {term.name: term.usual for term in _EMPTY}
    found["traffic: function"] = 3.0 if eager else 1.0
    return np.array(list(found.values()))


def _terms(work: Work, setting: Setting, device: Device, batch_size: FloatArray | float) -> list[_Term]:
    size = np.broadcast_to(np.asarray(batch_size, dtype=np.float64), (work.count,))
    return list(_Terms(work, setting, device, size))


class _Terms:
    """The terms of many networks in one setting, one after another.

    Args:
        work: Of ``G`` networks.
        setting, device: Where they run.
        size: ``(G,)`` batch sizes.
    """

    def __init__(self, work: Work, setting: Setting, device: Device, size: FloatArray) -> None:
        self.work, self.size = work, size
        self.alive: BoolArray = work.kind >= 0
        if setting.merges_branches:
            self.alive = self.alive & ~work.merged
        self.fused = setting.compiler == "dynamo"
        self.on_gpu = device.kind == "gpu"
        self.autocast, self.element = setting.autocast, setting.element
        tera = device.tflops if setting.precision == "fp32" else device.half_tflops
        self.peak = tera * 1e12 / 2
        self.bandwidth = device.bandwidth * 1e9
        widens = self.autocast and not self.fused  # a compiler writes what it has fused in the type that is read
        width = np.where(work.wide & widens, 4.0, self.element)
        self.traffic: Traffic = work.traffic(width, self.fused)
        self.arithmetic = work.macs / self.peak
        self.moved = self.traffic.moved / self.bandwidth
        self.weights = work.params * self.element / self.bandwidth

    def __iter__(self) -> Iterator[_Term]:
        yield from self._matrix()
        yield from self._depthwise()
        yield from self._pointwise()
        yield from self._attention()
        yield from self._batch()
        yield from self._layout()

    def _sum(self, values: FloatArray, where: BoolArray) -> FloatArray:
        return self.work.sums(values, self.alive & where)

    def _matrix(self) -> Iterator[_Term]:
        """Products of matrices: arithmetic, traffic, the longer of both, and what does not fill the units."""
        work = self.work
        longer = np.maximum(self.arithmetic, self.moved + self.weights / self.size[work.graph])
        for kind in MATRIX:
            here = work.is_kind(kind)
            yield _Term(f"arithmetic: {kind}", self._sum(self.arithmetic, here))
            yield _Term(f"traffic: {kind}", self._sum(self.moved, here))
            yield _Term(f"roofline: {kind}", self._sum(longer, here), 1.0)
            if kind in _TILED:
                yield _Term(f"tiles: {kind}", self._sum(work.padded / self.peak, here), 0.2)
        grouped = work.is_kind("conv grouped")
        odd = grouped & (np.log2(np.maximum(work.group_width, 1)) % 1 > 0)
        for name, where in (
            ("misaligned", work.misaligned),
            ("groups below 16", grouped & (work.group_width < 16)),
            ("groups below 32", grouped & (work.group_width < 32)),
            ("groups of odd width", odd),
        ):
            yield _Term(f"arithmetic: {name}", self._sum(self.arithmetic, where))
            yield _Term(f"traffic: {name}", self._sum(self.moved, where))

    def _depthwise(self) -> Iterator[_Term]:
        """Depthwise convolutions, which have no use for matrix units."""
        work = self.work
        arithmetic = work.elements * work.window / self.peak * _DEPTHWISE_PEAK
        for kind in DEPTHWISE:
            here = work.is_kind(kind)
            yield _Term(f"traffic: {kind}", self._sum(self.moved, here), 1.0)
            yield _Term(f"traffic: strided {kind}", self._sum(self.moved, here & work.strided))
            yield _Term(f"arithmetic: {kind}", self._sum(arithmetic, here), 1.0)
            yield _Term(f"arithmetic: {kind} above 3x3", self._sum(arithmetic, here & (work.window > 9)))

    def _pointwise(self) -> Iterator[_Term]:
        """Kernels that memory bounds."""
        work, everywhere = self.work, np.ones(len(self.work.kind), dtype=np.bool_)
        for kind in _POINTWISE:
            yield _Term(f"traffic: {kind}", self._sum(self.moved, work.is_kind(kind)), 1.0)
        for name, values in (("again", self.traffic.again), ("again, whole maps", self.traffic.again_whole)):
            yield _Term(f"traffic: {name}", self._sum(values / self.bandwidth, everywhere))
        uneven = 2 * self.traffic.read / self.bandwidth
        yield _Term("traffic: padding before", self._sum(uneven, work.padded_unevenly), 1.0)
        cast = work.cast * self.element / self.bandwidth * self.autocast
        yield _Term("traffic: casts", self._sum(cast, everywhere))
        normed = work.normed * self.element / self.bandwidth * (not self.fused)
        yield _Term("traffic: folded batch norms", self._sum(normed, everywhere), 0.8)

    def _attention(self) -> Iterator[_Term]:
        """Attention matrices that are written out."""
        scores = self.work.scores * self.element / self.bandwidth
        yield _Term("traffic: attention matrices", self._sum(scores, np.ones(len(scores), dtype=np.bool_)))
        yield _Term("traffic: biased attention matrices", self._sum(scores, self.work.biased))

    def _batch(self) -> Iterator[_Term]:
        """What a whole batch pays once: weights, and launches."""
        work, linear = self.work, self.work.is_kind("linear")
        yield _Term("weights: linear", self._sum(self.weights, linear) / self.size, 1.0)
        yield _Term("weights: others", self._sum(self.weights, ~linear) / self.size, 1.0)
        each = np.full(len(work.kind), LAUNCH)
        for name, kinds in _LAUNCHED.items():
            yield _Term(f"launches: {name}", self._sum(each, work.is_kind(*kinds)) / self.size, 0.5)
        small = work.is_kind(*MATRIX) & (work.rows <= 1)
        yield _Term("launches: one place", self._sum(each, small) / self.size, 0.5)
        yield _Term("launches: network", LAUNCH / self.size)

    def _layout(self) -> Iterator[_Term]:
        """Compilers turn images channels-last unless a convolution has groups of several channels."""
        grouped = self.work.sums(np.ones(len(self.work.kind)), self.work.is_kind("conv grouped")) > 0
        stays = grouped * float(self.fused and self.on_gpu)
        for kind in ("conv dense", "conv 1x1"):
            here = self.work.is_kind(kind)
            yield _Term(f"arithmetic: {kind}, channels first", self._sum(self.arithmetic, here) * stays)
            yield _Term(f"traffic: {kind}, channels first", self._sum(self.moved, here) * stays)


_NOWHERE = Device("none", "no device", "gpu", 1.0, 1.0, 1.0, 1)
_NOTHING = ArchGraph(("input",), (), attrs={name: np.zeros((1, width)) for name, width in COLUMNS.items()})
_EMPTY = _terms(work_of([_NOTHING]), Setting(_NOWHERE.name), _NOWHERE, 1.0)
TERMS: tuple[str, ...] = tuple(term.name for term in _EMPTY)
"""Names of the terms: what bounds a kind of kernel, and the kind."""
