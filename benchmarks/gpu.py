"""Everything that a graphics card is for, in one run: what is equal to the CPU, and how much faster it is.

    python benchmarks/gpu.py --out gpu.json
    OMP_NUM_THREADS=1 python benchmarks/gpu.py --out cpu.json --small      # without a card: a check of the script

Writes one JSON file and takes at most eight minutes on one card (``--minutes``): what does not fit is left out, and
the file says so. Nothing is read but what ships, so that it runs on a bare machine.

* ``tests``: those marked ``gpu``;
* ``equality``: largest difference between CPU and device, of encodings and of their gradients per back end and encoder,
  and of predictions, deviations and comparisons per encoder and head;
* ``search``, ``scoring``, ``ranking``: seconds of a CTNAS search against the embedded DARTS surrogate, of scoring as
  many cells as NAS-Bench-101 has with ``nac``, of ranking 100 architectures; ``supernet``: of a training step in three
  spaces, in single and in half precision. On the CPU and on the device, with the device's peak memory.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch

from archpredict import __version__, search
from archpredict._files import write_atomically
from archpredict.backends import has_dgl
from archpredict.encoders.base import Encoder
from archpredict.graph.batch import Backend, batched
from archpredict.graph.packed import PackedGraphs
from archpredict.images.base import load_images
from archpredict.networks.form import Form
from archpredict.networks.recipe import Recipe
from archpredict.networks.supernet import Supernet
from archpredict.networks.supernet_training import SupernetTraining
from archpredict.predict.inputs import InputSpec
from archpredict.predict.predictor import Predictor
from archpredict.predict.presets import preset
from archpredict.predict.training.training import Training
from archpredict.registry import names, resolve
from archpredict.spaces.base import Architecture, load_space

ROOT = Path(__file__).resolve().parent.parent
LABELS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3", "output", "input")
CELLS = 423_624
SUPERNETS: dict[str, dict[str, float]] = {"nasbench201": {"channels": 16}, "darts": {"channels": 8}, "mobilenetv3": {}}
ARCHITECTURES = 3
"""That a supernet's steps train in turn."""


def tests() -> dict[str, Any]:
    """Counts of the tests marked ``gpu``, and how long they took."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", str(ROOT / "tests")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    closing = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr.strip()[-300:]
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|errors?)", closing)}
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return {**counts, "failures": failed, "seconds": round(time.perf_counter() - start, 1)}


# ---------------------------------------------------------------------- equality


def some_cells(count: int, seed: int = 0) -> list[Architecture]:
    space = load_space("nasbench201")
    return space.architectures(space.sample(count, np.random.default_rng(seed)))


def difference(a: torch.Tensor | np.ndarray, b: torch.Tensor | np.ndarray) -> float:
    a, b = (np.asarray(x.detach().cpu() if isinstance(x, torch.Tensor) else x, dtype=np.float64) for x in (a, b))
    return float(np.abs(a - b).max())


def encodings(device: str, cells: Sequence[Architecture]) -> dict[str, dict[str, float]]:
    """Differences of encodings and of the gradients of all weights, by encoder and back end."""
    backends: list[Backend] = ["dense", "scatter", *(["dgl"] if has_dgl() and device == "cpu" else [])]
    found = {}
    for name in names("encoders"):
        kind: Any = resolve("encoders", name, Encoder)
        spec, inputs = InputSpec.fit(cells, form=kind.form)
        sizes = spec.num_ops, 1 if kind.form == "choices" else spec.num_cells
        for backend in backends:
            results = []
            for place in ("cpu", device):
                torch.manual_seed(0)
                encoder = kind(*sizes).to(place).eval()
                z = encoder(batched(inputs.graphs, place, "dense" if place == "cpu" else backend))
                z.square().mean().backward()
                slopes = torch.cat([p.grad.flatten().cpu() for p in encoder.parameters() if p.grad is not None])
                results.append((z, slopes))
            (z, slope), (z_there, slope_there) = results
            found[f"{name}, {backend}"] = {
                "values": difference(z, z_there),
                "gradients": difference(slope, slope_there),
            }
    return found


def predictions(device: str, cells: Sequence[Architecture]) -> dict[str, dict[str, float]]:
    """Differences of what predictors that were fitted on the CPU say on the device, by encoder and head."""
    labels = np.array([sum(choice * (i + 1) for i, choice in enumerate(cell.choices)) for cell in cells], dtype=float)
    found = {}
    for encoder in names("encoders"):
        for head in names("heads"):
            with tempfile.TemporaryDirectory() as folder:
                predictor = Predictor(
                    encoder,
                    head,
                    sources=(),
                    regressors=None,
                    ensemble=2,
                    training=Training(epochs=3),
                    transfer=False,
                    device="cpu",
                )
                predictor.fit(cells, labels).save(folder)
                here, there = (Predictor.load(folder, device=place) for place in ("cpu", device))
                found[f"{encoder}, {head}"] = {
                    "predictions": difference(here.predict(cells), there.predict(cells)),
                    "deviations": difference(here.predict_std(cells), there.predict_std(cells)),
                    "comparisons": difference(here.compare(cells, cells), there.compare(cells, cells)),
                }
    return found


# ---------------------------------------------------------------------- times


def timed(device: str, work: Callable[[], object], repeats: int = 1) -> dict[str, float]:
    """Median seconds of some work, its first run left out where there are several, and the device's peak memory."""
    cuda = device != "cpu"
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    taken = []
    for _ in range(repeats + (repeats > 1)):
        start = time.perf_counter()
        work()
        if cuda:
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    found = {"seconds": round(float(np.median(taken[repeats > 1 :])), 5)}
    return found | ({"peak_megabytes": round(torch.cuda.max_memory_allocated() / 1e6, 1)} if cuda else {})


def searching(device: str, small: bool) -> dict[str, float]:
    budget = 16 if small else 60
    return timed(
        device,
        lambda: search(
            "darts", "surrogate", strategy="ctnas", budget=budget, seed=0, options={"device": device, "transfer": False}
        ),
    )


def scoring(device: str, small: bool) -> dict[str, float]:
    space, wanted = load_space("nasbench101"), 4_000 if small else CELLS
    rng = np.random.default_rng(0)
    known = space.architectures(space.sample(100, rng))
    predictor = preset("nac").make(training__epochs=2, vocabulary=LABELS, device=device)
    predictor.fit(known, np.arange(100.0))
    cells = space.architectures(space.sample(min(wanted, 4_000), rng))
    packed = PackedGraphs.from_graphs([cell.graph for cell in cells], LABELS)
    index = rng.integers(len(cells), size=wanted)
    everything = packed[index]
    return timed(device, lambda: predictor.predict(everything)) | {"cells": wanted}


def ranking(device: str, small: bool) -> dict[str, float]:
    cells = some_cells(100)
    for cell in cells:
        assert cell.graph.num_nodes  # decoded beforehand
    predictor = preset("nac").make(training__epochs=2, device=device).fit(cells, np.arange(100.0))
    return timed(device, lambda: predictor.rank(cells), 3 if small else 50)


def supernet_steps(device: str, small: bool) -> dict[str, dict[str, float]]:
    found = {}
    for name in SUPERNETS:
        for half in (False, *([True] if device != "cpu" else [])):  # half precision is for cards
            step = one_step(name, device, half)
            found[f"{name}, {'half' if half else 'single'} precision"] = timed(device, step, 2 if small else 20)
    return found


def one_step(name: str, device: str, half: bool) -> Callable[[], object]:
    """A step of the training of a supernet, of a few architectures in turn."""
    images = load_images("digits")
    supernet = Supernet(load_space(name), Form.of(images, SUPERNETS[name]), device=device)
    training = SupernetTraining(supernet, images, Recipe(batch_size=128), half=half)
    x, y = next(iter(training.batches.epoch(0)))
    drawn = list(map(tuple, supernet.space.sample(ARCHITECTURES, np.random.default_rng(0)).tolist()))
    training.choices_of = lambda number: [drawn[number % len(drawn)]]  # type: ignore[method-assign]
    numbers = count()
    return lambda: training.step(next(numbers), 0, x, y)


PARTS: dict[str, Callable[[str, bool], Any]] = {
    "ranking": ranking,
    "scoring": scoring,
    "supernet": supernet_steps,
    "search": searching,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--small", action="store_true", help="little work of each kind, as a check of this script")
    parser.add_argument("--no-tests", action="store_true")
    given = parser.parse_args()
    device, begun = "cuda" if torch.cuda.is_available() else "cpu", time.perf_counter()
    report: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if device == "cuda" else "none",
        "versions": {"archpredict": __version__, "torch": torch.__version__, "python": platform.python_version()},
        "cpus": os.cpu_count(),
        "small": given.small,
        "left_out": [],
    }
    cells = some_cells(24)
    places = ["cpu", *([device] if device != "cpu" else [])]
    work: dict[str, Callable[[], Any]] = {
        "equality": lambda: {"encodings": encodings(device, cells), "predictions": predictions(device, cells)},
        **{
            name: (lambda part=part: {place: part(place, given.small) for place in reversed(places)})
            for name, part in PARTS.items()
        },
    }
    if not given.no_tests:
        work["tests"] = tests
    for name, part in work.items():
        if time.perf_counter() - begun > 60 * given.minutes * 0.8:  # the longest part takes a fifth of the time
            report["left_out"].append(name)
            continue
        start = time.perf_counter()
        report[name] = part()
        print(f"{name}: {time.perf_counter() - start:.1f} s", flush=True)
        report["seconds"] = round(time.perf_counter() - begun, 1)
        write_atomically(
            given.out, json.dumps(report, indent=2).encode()
        )  # what is there is kept, should the next part fail
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
