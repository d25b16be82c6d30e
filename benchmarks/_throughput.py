"""The measured speeds of image classifiers: graphs, families, and a table of speeds by setting."""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archpredict.costs.settings import Setting
from archpredict.costs.table import Measured, SpeedTable
from archpredict.graph.arch_graph import ArchGraph
from archpredict.onnx.reader import read

__all__ = ["SpeedData", "load_speeds"]

RUNTIME = "torch"


@dataclass(frozen=True)
class SpeedData:
    """Models with their measured speeds."""

    graphs: list[ArchGraph]
    family: np.ndarray
    table: SpeedTable
    sha256: str


def load_speeds(folder: Path) -> SpeedData:
    """Graphs of all models, and speeds of those that were measured."""
    home = folder / "imagenet_models"
    with (home / "labels.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    files = [row["file"] for row in rows]
    table = SpeedTable.of(_measured(home / "throughput.csv.gz"), files)
    return SpeedData(
        graphs=[read(home / "onnx" / file).graph for file in files],
        family=np.array([row["family"] for row in rows]),
        table=table,
        sha256=hashlib.sha256((home / "throughput.csv.gz").read_bytes()).hexdigest(),
    )


def _measured(path: Path) -> Iterator[Measured]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            setting = Setting(
                row["device"],
                row["precision"],
                row["layout"],
                row["compiler"],
                f"{RUNTIME} {row['torch']}",
                row["mode"],
                int(row["batch_size"]),
            )
            yield Measured(row["file"], setting, float(row["samples_per_sec"]))
