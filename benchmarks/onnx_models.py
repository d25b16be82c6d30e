"""How much of real ONNX models is read: shapes, parameters and multiply-adds against published ones, and time.

    python benchmarks/onnx_models.py

Prints the shares of `imagenet_models` that agree with `labels.csv`, the models that do not, and a line for each of the
nine light models that ship with the `onnx` package.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnx
from _protocols import add_data_option

from archpredict.graph.operators import total
from archpredict.networks.program import Program
from archpredict.onnx.reader import OnnxModel, read

_LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
_REASONS = {
    "lambda_resnet26rpt_256": "the published count leaves out products with the table of relative positions",
}
"""What is known of models that do not agree."""


@dataclass(frozen=True)
class Comparison:
    """One model: read, and its ratios to what is published."""

    name: str
    model: OnnxModel
    seconds: float
    params: float
    macs: float

    @property
    def agrees(self) -> bool:
        return abs(self.params - 1) <= 0.01 and abs(self.macs - 1) <= 0.05


def _whole(model: OnnxModel) -> bool:
    return bool((model.graph.attrs["shape"] >= 0).all())


def _buildable(model: OnnxModel) -> bool:
    """Whether it can be built as a network that is trained, and has the parameters of its graph then."""
    try:
        program = Program(model.graph)
    except ValueError:  # InvalidGraphError
        return False
    return sum(prod(shape) for shape in program.shapes.values()) == total(model.graph, "params")


def _comparisons(folder: Path) -> Iterator[Comparison]:
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        start = time.process_time()
        model = read(folder / "onnx" / row["file"])
        seconds = time.process_time() - start
        params = total(model.graph, "params") / 1e6 / float(row["params_m"])
        macs = total(model.graph, "macs") / 1e9 / float(row["gmacs"])
        yield Comparison(row["file"].split("@")[0], model, seconds, params, macs)


def _classifiers(folder: Path) -> None:
    found = list(_comparisons(folder))
    params, macs = (np.abs(np.array([getattr(c, name) for c in found]) - 1) for name in ("params", "macs"))
    nodes = sum(c.model.num_nodes for c in found), sum(c.model.graph.num_nodes for c in found)
    slowest = max(found, key=lambda c: c.seconds)
    seconds = [c.seconds for c in found]
    print(f"{len(found)} models, {nodes[0]:,} nodes in the files, {nodes[1]:,} in the graphs")
    print(f"  all shapes known            {np.mean([_whole(c.model) for c in found]):7.1%}")
    for name, errors, bounds in (("parameters", params, (0.001, 0.01)), ("multiply-adds", macs, (0.01, 0.05))):
        for bound in bounds:
            print(f"  {name:14}within {bound:6.1%}{np.mean(errors <= bound):8.1%}")
    print(f"  with warnings               {np.mean([bool(c.model.warnings) for c in found]):7.1%}")
    print(f"  with unknown operators      {np.mean([bool(c.model.unknown) for c in found]):7.1%}")
    print(f"  trainable, with the graph's parameters {sum(_buildable(c.model) for c in found)} of {len(found)}")
    print(
        f"  seconds of one core: {sum(seconds):.1f} in all, median {np.median(seconds):.3f}, "
        f"most {slowest.seconds:.2f} ({slowest.name}, {slowest.model.num_nodes:,} nodes)"
    )
    print("exceptions: parameters off by more than 1 %, or multiply-adds by more than 5 %")
    for c in sorted((c for c in found if not c.agrees), key=lambda c: -max(abs(c.params - 1), abs(c.macs - 1))):
        print(f"  {c.name:24} parameters x {c.params:.3f}  multiply-adds x {c.macs:.3f}  {_REASONS.get(c.name, '?')}")


def _light_models() -> None:
    print("models that ship with onnx                parameters   multiply-adds   nodes  shapes  seconds")
    for path in sorted(_LIGHT.glob("*.onnx")):
        start = time.process_time()
        model = read(path)
        seconds = time.process_time() - start
        graph = model.graph
        print(
            f"  {path.stem.removeprefix('light_'):36} {total(graph, 'params') / 1e6:9.3f} M "
            f"{total(graph, 'macs') / 1e9:12.3f} G {graph.num_nodes:7} "
            f"{'all' if _whole(model) else 'some':>7} {seconds:8.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_option(parser)
    folder = Path(parser.parse_args().data)
    _light_models()
    _classifiers(folder / "imagenet_models")


if __name__ == "__main__":
    main()
