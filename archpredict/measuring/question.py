"""What a process is asked to measure, and a model that it has made ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from archpredict.measuring.timing import DEFAULT_LIMITS, Limits
from archpredict.onnx.reader import DEFAULT_SIZES, OpenSizes

RUNTIMES = ("onnxruntime", "torch")
"""What runs models."""


@dataclass(frozen=True)
class Question:
    """What a process is asked to measure.

    Args:
        path: The model's file.
        runtime: One of :data:`RUNTIMES`.
        device: ``cpu``, ``cuda`` or ``cuda:1``.
        batch_size: Images at once.
        threads: On the CPU.
        seed: Of weights and inputs that are made up.
        precision, layout, compiler, mode: Of torch, as in :class:`archpredict.costs.settings.Setting`.
        shapes: Of inputs by name.
        sizes: Of images and sequences that the file leaves open.
        limits: When to end.
    """

    path: str
    runtime: str = "onnxruntime"
    device: str = "cpu"
    batch_size: int = 1
    threads: int = 1
    seed: int = 0
    precision: str = "fp32"
    layout: str = "nchw"
    compiler: str = "eager"
    mode: str = "infer"
    shapes: Mapping[str, tuple[int, ...]] | None = None
    sizes: OpenSizes = DEFAULT_SIZES
    limits: Limits = DEFAULT_LIMITS

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Question:
        """From what :meth:`to_dict` gave."""
        shapes = {name: tuple(shape) for name, shape in (given["shapes"] or {}).items()}
        sizes, limits = OpenSizes(**given["sizes"]), Limits(**given["limits"])
        return cls(**{**given, "shapes": shapes, "sizes": sizes, "limits": limits})


@dataclass(frozen=True)
class Ready:
    """A model that can be run.

    Args:
        run: Runs it once, on the same inputs each time.
        precision: Of most of its weights, or the one that was asked for.
        made_up: How many parameters were made up.
    """

    run: Callable[[], object]
    precision: str
    made_up: int
