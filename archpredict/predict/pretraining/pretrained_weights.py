"""Weights of pre-trained encoders on disk: those that ship, and the cache of those that were made here."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor

from archpredict._files import cache_folder, write_atomically
from archpredict.encoders.base import Encoder
from archpredict.graph.packed import PackedGraphs
from archpredict.predict.inputs import InputSpec
from archpredict.runtime import seeded
from archpredict.spaces.base import SearchSpace

Weights = dict[str, Tensor]

SHIPPED = Path(__file__).parent.parent.parent / "pretrained" / "encoders"

_FORMAT = 1
"""Part of every fingerprint: raised when pre-training, statistics or encoders change what is learnt."""
_SAMPLE = 64
_MAX_BYTES = 64_000_000


def fingerprint(space: SearchSpace, spec: InputSpec, steps: int, key: object) -> str:
    """Text that is equal for spaces and encoders whose pre-training is the same, whatever the objects.

    It covers what a space says of itself, and graphs and costs of 64 of its architectures.
    """
    rows = space.sample(_SAMPLE, np.random.default_rng(0))
    # Bare graphs: what is read of them does not depend on how the space compares architectures.
    graphs = [space.decode(row) for row in rows.tolist()]
    on_nodes = [graph.on_nodes for graph in graphs]
    labels = sorted({label for graph in on_nodes for label in graph.ops})
    packed = PackedGraphs.from_graphs(on_nodes, labels)
    content = hashlib.sha256()
    for array in (packed.op, packed.cell, packed.node_start, packed.source, packed.target, packed.edge_start):
        content.update(array.astype("<i8").tobytes())
    costs = {name: [f"{value:.4g}" for value in values.tolist()] for name, values in space.costs(rows).items()}
    told = {
        "format": _FORMAT,
        "space": [space.name, list(space.num_choices), list(space.operators)],
        "graphs": [labels, content.hexdigest()],
        "costs": costs,
        "read": [spec.form, list(spec.vocabulary), spec.num_cells],
        "steps": steps,
        "encoder": key if isinstance(key, str) else repr(key),
    }
    text = json.dumps(told, sort_keys=True, default=int)
    return f"{space.name}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def read_weights(mark: str, make: Callable[[], Encoder]) -> Weights | None:
    """The weights of this fingerprint that ship or were kept; None where there are none that fit the encoder.

    A file that is damaged, or does not hold the weights of this encoder, is passed over with a warning.
    """
    for folder in (SHIPPED, _kept()):
        path = None if folder is None else folder / _file_name(mark)
        if path is None or not path.is_file():
            continue
        try:
            return _checked(path, make)
        except Exception as error:  # whatever a damaged or hostile file provokes
            warnings.warn(
                f"the weights kept in {path} are passed over, they are made anew: {error}", UserWarning, stacklevel=2
            )
    return None


def keep_weights(mark: str, weights: Weights) -> None:
    """Write weights into the cache; where that cannot be written to, they are made again next time."""
    if (folder := _kept()) is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / _file_name(mark), save(weights))
    except OSError:
        return


def _kept() -> Path | None:
    folder = cache_folder()
    return None if folder is None else folder / "encoders"


def _file_name(mark: str) -> str:
    plain = "".join(c if c.isalnum() or c in "-_." else "_" for c in mark)
    return f"{plain}.safetensors"


def _checked(path: Path, make: Callable[[], Encoder]) -> Weights:
    """Weights of a file, in memory of their own.

    Raises:
        Exception: Whatever a damaged file provokes; ``ValueError`` where it holds something else.
    """
    if path.stat().st_size > _MAX_BYTES:
        raise ValueError(f"it is larger than {_MAX_BYTES:,} bytes")
    weights = load(path.read_bytes())
    with seeded(0):  # not on the device "meta", whose first use imports half of torch
        check_weights(weights, make().state_dict())
    return {name: value.clone() for name, value in weights.items()}


def check_weights(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Check that weights are those of an encoder.

    Args:
        weights: What a file holds.
        expected: The state of an untrained encoder.

    Raises:
        ValueError: They are not, or not finite.
    """
    if weights.keys() != expected.keys():
        raise ValueError("it does not hold the weights of this encoder")
    for name, value in expected.items():
        own = weights[name]
        if own.shape != value.shape or own.dtype != value.dtype or not torch.isfinite(own).all():
            raise ValueError(f"its {name} is not that of this encoder")
