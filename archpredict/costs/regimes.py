"""Regimes of settings in which kernels behave alike, and what fits them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archpredict._typing import FloatArray
from archpredict.costs.roofline import TERMS, usual
from archpredict.costs.settings import Device, Setting

__all__ = ["REGIMES", "Regime", "regime_of"]


@dataclass(frozen=True)
class Regime:
    """A regime: settings whose kernels come alike near to the peaks.

    Args:
        name: What it is called.
        eager: Whether every operation is a kernel of its own.
        strength: How much the coefficients that are usual count.
        memory: How many times as much those of kernels that memory bounds do, whose speed is known best.
        noise: Variance of what statistics do not tell, over that of what they do.
    """

    name: str
    eager: bool
    strength: float
    memory: float
    noise: float

    @property
    def prior(self) -> FloatArray:
        """``(K,)`` coefficients before anything is measured."""
        return usual(self.eager)

    @property
    def strengths(self) -> FloatArray:
        """``(K,)`` how much the prior of each term counts."""
        return np.array([self.strength * (self.memory if term in _MEMORY else 1.0) for term in TERMS])


_OTHER = ("first", "dense", "1x1", "grouped", "linear", "matmul", "attention", "depthwise", "groups", "misaligned")
_MEMORY = frozenset(
    term
    for term in TERMS
    if term == "traffic: folded batch norms"
    or (term.startswith("traffic: ") and not any(word in term for word in (*_OTHER, "again", "padding", "casts")))
)
REGIMES = {
    regime.name: regime
    for regime in (
        Regime("cpu", eager=False, strength=3e-3, memory=1.0, noise=0.3),
        Regime("compiled", eager=False, strength=1e-3, memory=3.0, noise=1.0),
        Regime("eager", eager=True, strength=1e-3, memory=60.0, noise=1.0),
        Regime("training", eager=True, strength=3e-4, memory=1.0, noise=1.0),
    )
}
"""Regimes by name."""


def regime_of(setting: Setting, device: Device) -> Regime:
    """The regime of a setting.

    Example:
        >>> from archpredict.costs.settings import device
        >>> regime_of(Setting("rtx4090", compiler="dynamo"), device("rtx4090")).name
        'compiled'
    """
    if device.kind == "cpu":
        return REGIMES["cpu"]
    if setting.mode == "train":
        return REGIMES["training"]
    return REGIMES["eager" if setting.compiler == "eager" else "compiled"]
