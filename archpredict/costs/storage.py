"""Storage of a predictor of speed: one safetensors file, arrays and JSON, nothing pickled."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from archpredict._files import read_tensors, write_atomically
from archpredict._typing import FloatArray
from archpredict.costs.known import KnownSetting, Seen
from archpredict.costs.model import SpeedModel
from archpredict.costs.regimes import REGIMES
from archpredict.costs.residual import Similarity
from archpredict.costs.roofline import TERMS
from archpredict.costs.settings import Setting
from archpredict.costs.speed import SpeedPredictor
from archpredict.errors import DataError
from archpredict.graph.network_statistics import NAMES

__all__ = ["load_speed", "save_speed"]

_VERSION = "1"
_MOST_SETTINGS, _MOST_MODELS = 1000, 100_000
_ARRAYS = ("weights", "shared", "own", "regime_weights", "regime_shared")


def save_speed(predictor: SpeedPredictor, path: str | Path) -> None:
    """Write a fitted predictor of speed.

    Raises:
        NotFittedError: It has learnt nothing yet.
    """
    from safetensors.numpy import save

    model, seen = predictor.fitted
    arrays = {name: getattr(model, name) for name in _ARRAYS}
    similar = model.similarity
    arrays |= {"known": similar.known, "centre": similar.centre, "scale": similar.scale}
    told = {
        "archpredict_speed": _VERSION,
        "terms": json.dumps(TERMS),
        "statistics": json.dumps(NAMES),
        "regimes": json.dumps(list(REGIMES)),
        "length": json.dumps(similar.length),
        "settings": json.dumps([_told(known) for known in predictor.known_]),
        "seen": json.dumps({**vars(seen), "operators": sorted(seen.operators)}),
    }
    small = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()}
    write_atomically(Path(path), save(small, told))


def load_speed(path: str | Path) -> SpeedPredictor:
    """Read what :func:`save_speed` has written.

    Raises:
        DataError: There is no such file, or it holds no predictor of speed of this version.
    """
    try:
        told, arrays = read_tensors(Path(path), "np")
        if told.get("archpredict_speed") != _VERSION or tuple(json.loads(told["terms"])) != TERMS:
            raise ValueError("its terms are not those that this version computes")
        if tuple(json.loads(told["statistics"])) != NAMES or json.loads(told["regimes"]) != list(REGIMES):
            raise ValueError("its statistics are not those that this version computes")
        known = tuple(_known(row) for row in json.loads(told["settings"])[:_MOST_SETTINGS])
        model = _model(arrays, len(known), float(json.loads(told["length"])))
        return SpeedPredictor.of(model, known, _seen(json.loads(told["seen"])))
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}; give one that holds a predictor of speed") from error
    except Exception as error:  # whatever a damaged or hostile file provokes
        raise DataError(
            f"{path} does not hold a predictor of speed of this version: {error}; fit it again with this version"
        ) from error


def _told(known: KnownSetting) -> dict[str, Any]:
    return {**vars(known), "setting": known.setting.to_dict()}


def _known(row: Mapping[str, Any]) -> KnownSetting:
    models, smallest, largest = (int(row[name]) for name in ("models", "smallest", "largest"))
    width, tau, error = (float(row[name]) for name in ("width", "tau", "error"))
    if not (math.isfinite(width) and width >= 0):
        raise ValueError(f"the width of an interval is a number of at least 0, {width} is given")
    return KnownSetting(Setting.from_dict(row["setting"]), models, smallest, largest, width, tau, error)


def _seen(row: Mapping[str, Any]) -> Seen:
    numbers = {name: float(row[name]) for name in ("smallest_side", "largest_side", "farthest")}
    return Seen(frozenset(map(str, row["operators"])), **numbers)


def _model(arrays: Mapping[str, Any], settings: int, length: float) -> SpeedModel:
    """The model of a file.

    Raises:
        ValueError: Its arrays do not go together.
    """
    models = len(arrays["known"])
    regimes, terms, statistics = len(REGIMES), len(TERMS), len(NAMES)
    shapes = {
        "known": (models, statistics),
        "centre": (statistics,),
        "scale": (statistics,),
        "weights": (settings, terms),
        "shared": (settings, models),
        "own": (settings, models),
        "regime_weights": (regimes, terms),
        "regime_shared": (regimes, models),
    }
    if models > _MOST_MODELS or not (math.isfinite(length) and length > 0) or arrays.keys() != shapes.keys():
        raise ValueError("its arrays are not those of a predictor of speed")
    doubles: dict[str, FloatArray] = {}
    for name, shape in shapes.items():
        if arrays[name].shape != shape or arrays[name].dtype != np.float32 or not np.isfinite(arrays[name]).all():
            raise ValueError(f"its {name} is not {shape} finite numbers in single precision")
        doubles[name] = arrays[name].astype(np.float64)
    if (doubles["scale"] <= 0).any() or (doubles["weights"] < 0).any() or (doubles["regime_weights"] < 0).any():
        raise ValueError("its coefficients are below 0")
    similarity = Similarity(doubles["known"], doubles["centre"], doubles["scale"], length)
    return SpeedModel(similarity, *(doubles[name] for name in _ARRAYS))
