"""Corpus: unlabelled networks to pre-train an encoder on, and where they are from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archpredict._typing import IntArray
from archpredict.errors import RunError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.onnx.files import Failure, find_models, read_models
from archpredict.progress import Event, Observer, silent
from archpredict.spaces.base import SearchSpace, load_space

__all__ = ["Corpus", "of_models", "of_space"]

_EVERY = 100
"""Networks of a space from one event to the next."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """A corpus of computational graphs.

    Args:
        graphs: ``G`` graphs.
        sources: What is to be said of each source: its ``kind`` and ``name``, the number of its ``networks``, and
            ``sha256``.
        source: ``(G,)`` the number of each graph's source.
    """

    graphs: tuple[ArchGraph, ...]
    sources: tuple[Mapping[str, Any], ...]
    source: IntArray

    @classmethod
    def concat(cls, parts: Sequence[Corpus]) -> Corpus:
        """Several one after another.

        Raises:
            UsageError: There are fewer than two graphs.
        """
        graphs = tuple(graph for part in parts for graph in part.graphs)
        if len(graphs) < 2:
            raise UsageError(f"an encoder is pre-trained on at least 2 networks, {len(graphs)} were given; give more")
        begins = np.cumsum([0, *(len(part.sources) for part in parts)])
        source = np.concatenate([part.source + begin for part, begin in zip(parts, begins, strict=False)])
        return cls(graphs, tuple(told for part in parts for told in part.sources), source)


def of_space(
    space: str | type[SearchSpace] | SearchSpace, samples: int, seed: int = 0, observer: Observer = silent
) -> Corpus:
    """Networks of random architectures of a search space.

    Args:
        space: The space.
        samples: How many are drawn; equal ones count once.
        seed: Of the sample.
        observer: Told about progress, stage ``networks of`` the space.

    Raises:
        UsageError: The space does not define its networks.

    Example:
        >>> of_space("nasbench201", samples=3).sources[0]["networks"]
        3
    """
    loaded = load_space(space)
    rows = np.unique(loaded.sample(samples, np.random.default_rng(seed)), axis=0)
    graphs = list[ArchGraph]()
    for done, row in enumerate(rows.tolist(), start=1):
        graphs.append(loaded.network(row))
        if done % _EVERY == 0 or done == len(rows):
            observer(Event(f"networks of {loaded.name}", done, len(rows)))
    digest = hashlib.sha256("\n".join(graph.key for graph in graphs).encode()).hexdigest()
    told = {"kind": "space", "name": loaded.name, "networks": len(graphs), "seed": seed, "sha256": digest}
    return Corpus(tuple(graphs), (told,), np.zeros(len(graphs), dtype=np.int64))


def of_models(place: str | Path, observer: Observer = silent) -> tuple[Corpus, list[Failure]]:
    """Networks of all ONNX files in a folder or of a pattern, and why others could not be read.

    Args:
        place: A folder, which is searched with all folders below it, a file, or a pattern.
        observer: Told about progress, stage ``reading``.

    Raises:
        UsageError: There is no file.
        RunError: None can be read.
    """
    models, failures = read_models(find_models([place]), {}, observer)
    if not models:
        raise RunError(
            f"none of the {len(failures)} ONNX files in {place} can be read as a network (the first: "
            f"{failures[0].error}); give a folder with networks"
        )
    files = {_name(model.path, place): _digest(model.path) for model in models if model.path is not None}
    digest = hashlib.sha256("\n".join(sorted(files.values())).encode()).hexdigest()
    told = {"kind": "onnx", "name": Path(place).name, "networks": len(models), "sha256": digest, "files": files}
    return Corpus(tuple(m.graph for m in models), (told,), np.zeros(len(models), dtype=np.int64)), failures


def _name(path: Path, place: str | Path) -> str:
    """A file as the folder that was given knows it."""
    return path.relative_to(place).as_posix() if path.is_relative_to(place) and path != Path(place) else path.name


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
