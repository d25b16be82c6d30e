"""Labels of the published Once-for-All accuracy predictor."""

from __future__ import annotations

import hashlib
import io
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict._typing import FloatArray
from archpredict.errors import DataError, UsageError
from archpredict.evaluators.base import SCORE, Evaluator, Result
from archpredict.spaces.base import Architecture, SearchSpace, load_space
from archpredict.spaces.mobilenetv3 import EXPANSIONS, KERNELS, MAX_DEPTH, RESOLUTIONS, STAGES, MobileNetV3, Subnet

__all__ = ["OnceForAllEvaluator"]

_SLOTS = len(STAGES) * MAX_DEPTH
_FEATURES = _SLOTS * (len(KERNELS) + len(EXPANSIONS)) + len(RESOLUTIONS)
_WIDTHS = (_FEATURES, 400, 400, 400, 1)
_SHAPES: Mapping[str, tuple[int, ...]] = {
    name: shape
    for layer, (before, after) in enumerate(pairwise(_WIDTHS))
    for name, shape in ((f"{2 * layer}.weight", (after, before)), (f"{2 * layer}.bias", (after,)))
}
_MAX_FILE_BYTES = 32 << 20
_BLOCK = 512
_DIGITS = 6


class OnceForAllEvaluator(Evaluator):
    """Gives the ImageNet accuracy that the published Once-for-All predictor expects, instead of training.

    Cai, Gan, Wang, Zhang and Han, "Once-for-all: train one network and specialize it for efficient deployment", ICLR
    2020, arXiv 1908.09791, section 3.4. A multilayer perceptron (128, 400, 400, 400, 1; ReLU) reads which kernel and
    which expansion each of 20 slots has, none where the slot is unused, and the resolution. It was trained on
    accuracies of subnets with shared weights on 10,000 images held out of ImageNet's training set; its authors search
    resolutions from 160 on with it. Scores are in percent and have six decimals, so that they do not depend on which
    architectures are labelled together.

    Args:
        weights: Arrays ``0.weight``, ``0.bias``, ... ``6.bias`` of the four layers.
        sha256: Digest of the file that they are from.

    Example:
        >>> zeros = {name: np.zeros(shape) for name, shape in _SHAPES.items()}
        >>> evaluator = OnceForAllEvaluator({**zeros, "6.bias": np.array([0.75])})
        >>> space = MobileNetV3()
        >>> [result] = evaluator.evaluate([space.from_text("r160" + 5 * " | k3e6 k5e3")])
        >>> result.score
        75.0
    """

    name = "once-for-all"

    def __init__(self, weights: Mapping[str, npt.NDArray[np.floating[Any]]], sha256: str | None = None) -> None:
        self._layers = [
            (np.asarray(weights[f"{i}.weight"], np.float64), np.asarray(weights[f"{i}.bias"], np.float64))
            for i in range(0, len(_SHAPES), 2)
        ]
        self.sha256 = sha256

    @classmethod
    def load(cls, path: str | Path) -> OnceForAllEvaluator:
        """The evaluator of a file with the predictor's weights, ``.npz`` with the names of the published state.

        Raises:
            DataError: There is no such file, or it does not hold these weights.
        """
        file = Path(path)
        if not file.is_file():
            raise DataError(f"there is no file {file}; give the .npz with the weights of the Once-for-All predictor")
        if file.stat().st_size > _MAX_FILE_BYTES:
            raise DataError(
                f"{file} has {file.stat().st_size:,} bytes, the weights of the Once-for-All predictor about 1.4 million"
            )
        content = file.read_bytes()
        return cls(_weights(content, file), hashlib.sha256(content).hexdigest())

    @classmethod
    def for_space(cls, space: str | SearchSpace, /, weights: str | Path) -> OnceForAllEvaluator:
        """As :meth:`load`, for the space mobilenetv3.

        Args:
            space: What is searched.
            weights: The .npz file with the weights of the published predictor.
        """
        found = load_space(space)
        if not isinstance(found, MobileNetV3):
            raise UsageError(
                f"the evaluator once-for-all labels the space mobilenetv3, not {found.name}; give `space='mobilenetv3'`"
            )
        return cls.load(weights)

    def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
        for start in range(0, len(architectures), _BLOCK):
            block = architectures[start : start + _BLOCK]
            began = time.perf_counter()
            scores = self.predict(block)
            seconds = (time.perf_counter() - began) / len(block)
            for architecture, score in zip(block, scores.tolist(), strict=True):
                yield Result(architecture, score, seconds=seconds)

    def predict(self, architectures: Sequence[Architecture]) -> FloatArray:
        """``(B,)`` expected top-1 accuracies in percent.

        Raises:
            UsageError: An architecture is not of the space mobilenetv3.
        """
        x = np.zeros((len(architectures), _FEATURES))
        for row, architecture in zip(x, architectures, strict=True):
            space = architecture.space
            if not isinstance(space, MobileNetV3):
                raise UsageError(
                    f"the evaluator once-for-all labels the space mobilenetv3, one of {space.name} was given; "
                    "give architectures of mobilenetv3"
                )
            row[_active(space.subnet(architecture.choices))] = 1
        *hidden, (weight, bias) = self._layers
        for w, b in hidden:
            x = np.maximum(x @ w.T + b, 0)
        scores: FloatArray = np.round(100 * (x @ weight.T + bias)[:, 0], _DIGITS)
        return scores

    @property
    def label_names(self) -> tuple[str, ...]:
        return (SCORE, "accuracy")

    @property
    def also_measures(self) -> tuple[str, ...]:
        return ()

    def describe(self) -> dict[str, Any]:
        return {
            "evaluator": self.name,
            "labels": "ImageNet top-1 accuracies (%) that the published Once-for-All predictor expects of subnets with "
            "shared weights; no network was trained for them",
            "sha256": self.sha256,
        }


def _active(subnet: Subnet) -> list[int]:
    """Places of the features that are 1: kernels slot by slot, then expansions slot by slot, then the resolution."""
    places = [_FEATURES - len(RESOLUTIONS) + RESOLUTIONS.index(subnet.resolution)]
    for s, stage in enumerate(subnet.stages):
        for slot, (kernel, expansion) in enumerate(stage, s * MAX_DEPTH):
            places.append(slot * len(KERNELS) + KERNELS.index(kernel))
            places.append((_SLOTS * len(KERNELS)) + slot * len(EXPANSIONS) + EXPANSIONS.index(expansion))
    return places


def _weights(content: bytes, file: Path) -> dict[str, FloatArray]:
    found: dict[str, FloatArray] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(info.file_size for info in archive.infolist())
        if size > _MAX_FILE_BYTES:
            raise DataError(f"{file} holds {size:,} bytes of arrays, the Once-for-All predictor about 1.4 million")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            for name, shape in _SHAPES.items():
                if name not in arrays:
                    raise DataError(f"{file} has no array {name!r}; it is not the Once-for-All accuracy predictor")
                found[name] = _checked(arrays[name], name, shape, file)
    except DataError:
        raise
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, KeyError, NotImplementedError, zlib.error) as error:
        raise DataError(f"{file} cannot be read as .npz: {error}; it may be incomplete, get it again") from error
    return found


def _checked(array: npt.NDArray[Any], name: str, shape: tuple[int, ...], file: Path) -> FloatArray:
    if array.shape != shape or array.dtype.kind != "f":
        raise DataError(
            f"{file}: {name} has shape {array.shape} and type {array.dtype}, that of the Once-for-All predictor has "
            f"shape {shape} and floating-point numbers"
        )
    if not np.isfinite(array).all():
        raise DataError(f"{file}: {name} has numbers that are not finite; get the file again")
    return array.astype(np.float64)
