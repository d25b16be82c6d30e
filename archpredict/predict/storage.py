"""Predictors on disk: JSON and safetensors, no pickle; and checks that a damaged or hostile folder does not pass.

Each check raises ``ValueError`` with a phrase that goes on from "does not hold a valid predictor:".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from archpredict._files import read_tensors, written_whole
from archpredict._typing import FloatArray
from archpredict.backends import versions
from archpredict.errors import RunError, UnknownNameError, UsageError
from archpredict.predict._arguments import upgraded
from archpredict.predict.calibration import Calibration

PRETRAINED = Path(__file__).parent.parent / "pretrained"
MANIFEST = "predictor.json"
"""The file without which a folder holds no predictor."""

_FORMAT = 4
_FORMER = 3
"""Whose arguments are flat (:func:`archpredict.predict._arguments.upgraded`)."""
_MAX_JSON_BYTES = 20_000_000
_PACKAGES = ("archpredict", "torch", "scikit-learn", "numpy")
_MAX_OPTION = 10_000
"""Largest integer among the options of encoder and head; a hostile file must not make us build without end."""
_BUILDS = ("encoder", "head", "regressors", "ensemble")
"""Arguments that decide how much is built, beside the training's ``side_width``."""


@dataclass(frozen=True, eq=False)
class StoredPredictor:
    """The content of a folder.

    Args:
        params: Arguments of the constructor, as JSON values.
        fitted: What fitting has set, as JSON values.
        card: What users should know.
        weights: Tensors by name.
    """

    params: dict[str, Any]
    fitted: dict[str, Any]
    card: dict[str, Any]
    weights: dict[str, torch.Tensor]


@contextmanager
def saving(folder: Path, what: str = "predictor") -> Iterator[Path]:
    """A place to write a predictor in, which becomes that of the folder when it is whole.

    Args:
        folder: Where it will be.
        what: What messages call it.

    Raises:
        RunError: It cannot be written; what was in the folder is there still.
    """
    try:
        with written_whole(folder) as place:
            yield place
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or error
        raise RunError(f"cannot save the {what} in {folder}: {why}; choose another place") from error


def write(folder: Path, saved: StoredPredictor) -> None:
    """Write ``predictor.json`` and ``weights.safetensors``; the folder is made if it is not there."""
    content = {
        "archpredict_predictor": _FORMAT,
        "versions": versions(*_PACKAGES),
        "params": saved.params,
        "fitted": saved.fitted,
        "card": saved.card,
    }
    text = json.dumps(content, indent=1, default=plain) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    weights = {name: value.cpu().contiguous() for name, value in saved.weights.items()}
    save_file(weights, folder / "weights.safetensors")


def read(folder: Path) -> StoredPredictor:
    """Read what :func:`write` has written.

    Raises:
        Exception: Whatever a damaged file provokes; ``ValueError`` for another format.
    """
    content = _content(folder)
    if content["archpredict_predictor"] not in (_FORMER, _FORMAT):
        raise ValueError(
            f"its format is {content['archpredict_predictor']!r}, this version reads {_FORMAT}; "
            "fit it again with this version"
        )
    former = content["archpredict_predictor"] == _FORMER
    params = upgraded(content["params"]) if former else content["params"]
    weights = read_tensors(folder / "weights.safetensors", "pt")[1]
    if former:
        weights = {re.sub(r"^familiarity\.", "novelty.", name): value for name, value in weights.items()}
    return StoredPredictor(params, content["fitted"], content["card"], weights)


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a saved predictor, of which nothing else is read.

    Raises:
        Exception: Whatever a damaged file provokes.
    """
    return dict(_content(folder)["card"])


def _content(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if path.stat().st_size > _MAX_JSON_BYTES:
        raise ValueError(f"{MANIFEST} is larger than {_MAX_JSON_BYTES:,} bytes")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def shipped() -> list[str]:
    """Names of the predictors that come with the package."""
    return sorted(p.parent.name for p in PRETRAINED.glob(f"*/{MANIFEST}"))


def located(path: str | Path) -> Path:
    """The folder of a saved predictor: ``path`` itself, or that of the shipped one of this name.

    Raises:
        UnknownNameError: Neither a folder nor a shipped name.
    """
    if Path(path).is_dir():
        return Path(path)
    if str(path) not in shipped():
        raise UnknownNameError("predictor", str(path), shipped(), "Or give the folder of a saved one.")
    return PRETRAINED / str(path)


def check_params(params: Mapping[str, Any], num_cells: Any) -> None:
    """Arguments of the constructor, and the spec's number of cells, that may be built from."""
    check_options([num_cells, params["training"]["side_width"], *(params[name] for name in _BUILDS)])


def check_state(
    values: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], networks: int, regressors: int, columns: int
) -> None:
    """The state of an ensemble is that of so many networks and regressors, and numbers that all of these read."""
    check_scale(*scale_of(values), networks + regressors)
    check_weights(tensors, networks, [*["regressors"] * (regressors > 0), *["novelty"] * (columns > 0)])


def parts_of(tensors: Mapping[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    """Tensors named ``part.name``, by part and name."""
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        part, _, name = key.partition(".")
        parts.setdefault(part, {})[name] = tensor
    return parts


def scale_of(values: Mapping[str, Any]) -> tuple[FloatArray, FloatArray, Calibration]:
    """Location, scale and calibration among the JSON values of an ensemble."""
    scores, labels, *margin = (np.array(part, dtype=float) for part in values["calibration"])
    calibration = Calibration(scores, labels, *map(float, margin))
    return np.array(values["location"]), np.array(values["scale"]), calibration


def deviation_of(values: Mapping[str, Any]) -> tuple[float, float]:
    """The two numbers that standard deviations are calibrated by."""
    a, b = map(float, values["deviation"])
    if not (0 <= a < np.inf and 0 <= b < np.inf):
        raise ValueError(f"its standard deviations are calibrated by {[a, b]}, not by numbers of at least 0")
    return a, b


def mean_label_of(values: Mapping[str, Any], calibration: Calibration) -> float:
    """The mean of the labels; versions before did not save it, and their quantiles say it roughly."""
    quantiles = calibration.labels
    mean = float(values.get("mean_label", np.mean(quantiles[1:] + quantiles[:-1]) / 2))
    if not quantiles[0] <= mean <= quantiles[-1]:
        raise ValueError(f"the mean of its labels is {mean}, which is none")
    return mean


def check_options(value: Any) -> None:
    """Check that no integer in nested options is out of bounds."""
    if isinstance(value, (Mapping, list)):
        for item in value.values() if isinstance(value, Mapping) else value:
            check_options(item)
    elif isinstance(value, int) and abs(value) > _MAX_OPTION:
        raise ValueError(f"an option of {value} is out of bounds")


def check_weights(weights: Mapping[str, torch.Tensor], ensemble: int, others: Sequence[str]) -> None:
    """There are finite weights, named ``member.parameter``, of every member of the ensemble, others, and no more."""
    found = parts_of(weights).keys()
    wanted = {*map(str, range(ensemble)), *others}
    if found != wanted:
        raise ValueError(f"it holds weights of {', '.join(sorted(found))}; expected are {', '.join(sorted(wanted))}")
    if not all(bool(torch.isfinite(w).all()) for w in weights.values()):
        raise ValueError("its weights are not all finite")


def check_model(wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> None:
    """The weights of one model have the names, shapes and types that its encoder and head want."""
    missing, unknown = sorted(wanted.keys() - given.keys()), sorted(given.keys() - wanted.keys())
    if missing or unknown:
        first = [*missing, *unknown][0]
        raise ValueError(f"{len(missing)} of its weights are missing and {len(unknown)} unknown, the first is {first}")
    for name, tensor in wanted.items():
        if (given[name].shape, given[name].dtype) != (tensor.shape, tensor.dtype):
            raise ValueError(
                f"size mismatch, {name} is {tuple(given[name].shape)} of {given[name].dtype}, "
                f"its encoder and head want {tuple(tensor.shape)} of {tensor.dtype}"
            )


def check_scale(location: FloatArray, scale: FloatArray, calibration: Calibration, ensemble: int) -> None:
    """Scores are scaled by one finite location and one positive scale per model, and by an increasing calibration."""
    x, y = calibration.scores, calibration.labels
    if not (location.shape == scale.shape == (ensemble,) and x.shape == y.shape == (len(x),)):
        raise ValueError("its scores are not scaled once for each model")
    if not np.isfinite([*location, *scale, *x, *y]).all():
        raise ValueError("the scale of its scores is not finite")
    if not calibration.margin > 0:
        raise ValueError(f"its predictions end {calibration.margin} beyond its labels")
    if len(x) < 2 or min(*scale, *np.diff(x)) <= 0 or min(np.diff(y)) < 0:
        raise ValueError("the scale of its scores does not increase")


def plain(value: Any) -> Any:
    """Plain values for what JSON has no word for: numbers of numpy, and mappings that are no dict.

    Raises:
        UsageError: A value that is neither.
    """
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise UsageError(f"a predictor with an option of type {type(value).__name__} cannot be saved")
