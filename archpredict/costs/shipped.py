"""The predictor of speed that comes with the package."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from archpredict.costs.speed import SpeedPredictor
from archpredict.costs.storage import load_speed

__all__ = ["shipped_speed"]

SHIPPED_SPEED = Path(__file__).parent.parent / "pretrained" / "speed" / "speed.safetensors"


@cache
def shipped_speed() -> SpeedPredictor:
    """What archpredict has learnt from published measurements of image classifiers; its card says which.

    Example:
        >>> shipped_speed().devices[:3]
        ['i7_12700h', 'i9_10940x', 'pro6000maxq']
    """
    return load_speed(SHIPPED_SPEED)
