"""Seeds, threads, memory and CUDA streams of torch, and dropout that a seed decides on every device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_WORTH_SHARING = 20_000
"""Nodes in a step from which a second thread is worth its waiting."""


@contextmanager
def few_threads(nodes: int) -> Iterator[None]:
    """Work on one thread where tensors of ``nodes`` rows are too small to share out.

    For cells a second thread gains nothing, and where other processes keep the cores busy its waiting costs a multiple
    of the work itself.
    """
    before = torch.get_num_threads()
    if nodes > _WORTH_SHARING or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def seeded(*seed: int) -> Iterator[None]:
    """Run with torch's random numbers on the CPU set by ``seed``, and leave the global generators as they were."""
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which would set the generators of CUDA devices too; nothing here draws from those.
        torch.default_generator.manual_seed(_entropy(seed))
        yield


def _entropy(seed: tuple[int, ...]) -> int:
    return int(np.random.SeedSequence(seed).generate_state(1)[0])


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch computes with one thread on the CPU: the last bits of a result depend on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """On CUDA, what this thread asks for does not wait for what other threads have asked for."""
    if device.type != "cuda":
        yield
        return
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield
    stream.synchronize()


def owned(array: npt.NDArray[Any], device: torch.device | str = "cpu") -> Tensor:
    """A copy of an array in memory that torch has allocated, for numbers that go into products and convolutions.

    Math libraries choose their kernels by addresses too, and kernels differ in the last digits. Torch's memory always
    begins at a multiple of 64 bytes, NumPy's wherever there was room.

    Args:
        array: Numbers of any kind.
        device: Where the copy is to be.
    """
    return torch.tensor(array, device=device)


class without_initial_values(TorchFunctionMode):  # noqa: N801 - reads like a function, as torch.no_grad does
    """Layers that are made inside draw no initial weights.

    On the device ``meta`` there is nothing to fill, and torch would import its compiler to find that out.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _FILLING or getattr(func, "__module__", None) == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


_FILLING = (torch.Tensor.normal_, torch.Tensor.uniform_)
_DRAWN = 2**16


class Dropout(nn.Module):
    """Dropout with masks drawn on the CPU, so that the same seed drops the same units on every device.

    A unit is dropped where one of the numbers from 0 to 65,535 is below ``65536 p``; they cost a tenth of numbers
    from 0 to 1.

    Attributes:
        generators: Sources of randomness, one, or one per member of an ensemble where members are trained as one and
            inputs begin with a dimension of members; None draws from torch's own generator.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout is a share of at least 0 and below 1, {p!r} was given")
        self.p = p
        self.generators: Sequence[np.random.Generator] | None = None

    def forward(self, h: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return h
        members = 1 if self.generators is None else len(self.generators)
        return h * self._factors([h.numel() // members] * members).view(h.shape).to(h.device)

    def factors(self, counts: Sequence[int], width: int) -> Tensor | None:
        """What rows that are listed member after member are multiplied by, on the CPU; None where nothing is dropped.

        Args:
            counts: Rows of each member.
            width: Units of a row.

        Returns:
            ``(sum(counts), width)``, each 0 or one number above 1.
        """
        if not self.training or self.p == 0:
            return None
        return self._factors([count * width for count in counts]).view(-1, width)

    def _factors(self, counts: Sequence[int]) -> Tensor:
        generators = self.generators
        if generators is None:
            generators = [np.random.default_rng(int(torch.randint(2**62, (), device="cpu")))]
        below = min(max(1, round(self.p * _DRAWN)), _DRAWN - 1)
        kept = np.empty(sum(counts), dtype=np.float32)
        start = 0
        for count, generator in zip(counts, generators, strict=True):
            drawn = generator.integers(2**32, size=(count + 1) // 2, dtype=np.uint32).view(np.uint16)[:count]
            np.multiply(drawn >= below, np.float32(_DRAWN / (_DRAWN - below)), out=kept[start : start + count])
            start += count
        return torch.from_numpy(kept)


def linear(h: Tensor, layer: nn.Linear) -> Tensor:
    """A linear layer, or one per member of an ensemble.

    Args:
        h: ``(..., I)``, or ``(M, n, I)`` for ``M`` members.
        layer: Its weight is ``(O, I)``, or ``(M, O, I)``.

    Returns:
        Like ``h`` with ``O`` instead of ``I``.
    """
    weight, bias = layer.weight, layer.bias
    if weight.dim() == 2:
        return nn.functional.linear(h, weight, bias)
    out = torch.bmm(h, weight.transpose(1, 2))
    return out if bias is None else out + bias[:, None]
