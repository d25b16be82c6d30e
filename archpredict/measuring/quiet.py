"""Whether a machine is quiet: a fixed load, timed before, between and after measurements."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

MAX_SPREAD = 0.1
MAX_DRIFT = 0.05
_REPEATS = 40
_WARMUP = 5
_SIZE = 512


@dataclass(frozen=True)
class Load:
    """How long the reference load took: the median, and the distance of the quartiles as a share of it.

    Args:
        seconds: Of one run.
        spread: 0 where all runs took equally long.
    """

    seconds: float
    spread: float

    @classmethod
    def of(cls, times: Sequence[float]) -> Load:
        """Of several runs.

        Example:
            >>> Load.of([1.0, 2.0, 2.0, 2.0, 3.0])
            Load(seconds=2.0, spread=0.0)
        """
        low, median, high = np.quantile(times, [0.25, 0.5, 0.75])
        return cls(float(median), float((high - low) / median) if median > 0 else math.inf)


class ReferenceLoad:
    """The reference load: products of two 512 x 512 matrices in single precision.

    Args:
        device: ``cpu``, or a CUDA device of torch.
        threads: On the CPU.
        clock: Seconds that have passed.
    """

    def __init__(self, device: str, threads: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._device, self._threads, self._clock = device, threads, clock

    def __call__(self) -> Load:
        """Time it now."""
        return self._on_cpu() if self._device == "cpu" else self._on_cuda()

    def _on_cpu(self) -> Load:
        from threadpoolctl import threadpool_limits

        a = np.random.default_rng(0).random((_SIZE, _SIZE), dtype=np.float32)
        out = np.empty_like(a)
        with threadpool_limits(self._threads):
            return self._timed(lambda: np.matmul(a, a, out=out))

    def _on_cuda(self) -> Load:
        import torch

        a = torch.ones(_SIZE * 8, _SIZE * 8, device=self._device)

        def run() -> None:
            torch.mm(a, a)
            torch.cuda.synchronize(self._device)

        return self._timed(run)

    def _timed(self, run: Callable[[], object]) -> Load:
        for _ in range(_WARMUP):
            run()
        times = []
        for _ in range(_REPEATS):
            start = self._clock()
            run()
            times.append(self._clock() - start)
        return Load.of(times)


def doubts(first: Load, before: Load, after: Load) -> list[str]:
    """Why what was measured between two runs of the reference load is not to be trusted; nothing where it is.

    Args:
        first: The reference load at the beginning of all measurements.
        before: Just before this one.
        after: Just after it.

    Example:
        >>> doubts(Load(1.0, 0.01), Load(1.01, 0.02), Load(1.3, 0.2))
        ['the reference load took 29 % longer after than before', 'the times of the reference load spread by 20 %']
        >>> doubts(Load(1.0, 0.01), Load(1.01, 0.02), Load(1.02, 0.02))
        []
    """
    found = []
    drift = after.seconds / before.seconds - 1
    if abs(drift) > MAX_DRIFT:
        found.append(f"the reference load took {_percent(drift)} {_than(drift)} after than before")
    since = statistics.mean((before.seconds, after.seconds)) / first.seconds - 1
    if abs(since) > MAX_DRIFT and not found:
        found.append(f"the reference load took {_percent(since)} {_than(since)} than at the beginning")
    spread = max(before.spread, after.spread)
    if spread > MAX_SPREAD:
        found.append(f"the times of the reference load spread by {_percent(spread)}")
    return found


def _percent(share: float) -> str:
    return f"{100 * abs(share):.0f} %"


def _than(share: float) -> str:
    return "longer" if share > 0 else "less"
