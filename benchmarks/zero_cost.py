"""Zero-cost proxies on random NAS-Bench-201 cells: rank correlation with their CIFAR-10 test accuracy, and time.

    OMP_NUM_THREADS=1 python benchmarks/zero_cost.py                     # all proxies, 1,000 cells
    OMP_NUM_THREADS=1 python benchmarks/zero_cost.py --proxies synflow --count 15625
    OMP_NUM_THREADS=1 python benchmarks/zero_cost.py --dataset cifar10:FOLDER
    OMP_NUM_THREADS=1 python benchmarks/zero_cost.py --proxies params macs --network pruned=0

The cells are the first of ``numpy.random.default_rng(0).permutation(15625)``, the networks the published ones (16
channels, 5 cells per stage), without the operations that lead nowhere. Proxies that read a batch of 64 images get it
from ``--dataset`` (networks are then in its form) and, as a second row, Gaussian noise of CIFAR's shape with random
labels, on the first ``--noise-count`` cells only. Where a proxy is not defined, the cell ranks last. Seconds are those
of the processor (one thread), building the networks included.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
import torch
from _protocols import add_data_option, load_nb201
from torch import Tensor

from archpredict.images.base import load_images
from archpredict.metrics import kendall_tau, spearman
from archpredict.networks.form import Form
from archpredict.proxies.base import BATCH_SIZE, Proxy, batch_for
from archpredict.registry import names, resolve
from archpredict.spaces.base import Architecture

_HEAD = f"{'proxy':<10} {'images':<16} {'cells':>6} {'undefined':>9} {'Spearman':>9} {'tau':>6} {'s per 100':>10}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--proxies", nargs="+", default=names("proxies"), help="default: all")
    parser.add_argument("--count", type=int, default=1000, help="cells (default: 1000)")
    parser.add_argument(
        "--noise-count", type=int, default=100, help="cells for noise images, 0 for none (default: 100)"
    )
    parser.add_argument("--dataset", default="digits", help="images for proxies that read some (default: digits)")
    parser.add_argument("--network", nargs="+", default=[], metavar="NAME=NUMBER", help="form, e.g. channels=8 cells=2")
    given = parser.parse_args()
    torch.set_num_threads(1)
    protocol = load_nb201(given.data)
    rows = np.random.default_rng(0).permutation(len(protocol.architectures))[: given.count]
    cells, accuracy = [protocol.architectures[i] for i in rows], protocol.test_labels[rows]
    images = load_images(given.dataset)
    options = {name: float(number) for name, _, number in (text.partition("=") for text in given.network)}
    form, own = Form.of(None, options), Form.of(images, options)
    print(_HEAD, flush=True)
    for name in given.proxies:
        proxy = resolve("proxies", name, Proxy)()
        if not proxy.needs_images:
            _row(proxy, "none", form, (None, None), cells, accuracy)
            continue
        _row(proxy, images.name, own, batch_for([proxy], images), cells, accuracy)
        if given.noise_count:
            some = slice(given.noise_count)
            _row(proxy, "noise 3x32x32", form, _noise(), cells[some], accuracy[some])


def _noise() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn((BATCH_SIZE, 3, 32, 32), generator=generator)
    return images, torch.randint(0, 10, (BATCH_SIZE,), generator=generator)


def _row(
    proxy: Proxy,
    images: str,
    form: Form,
    batch: tuple[Tensor | None, Tensor | None],
    cells: Sequence[Architecture],
    accuracy: np.ndarray,
) -> None:
    start = time.process_time()
    scores = np.array([proxy.score_graph(form.graph(cell.space, cell.choices), *batch) for cell in cells])
    seconds = (time.process_time() - start) / len(cells) * 100
    defined = np.isfinite(scores)
    ranked = np.where(defined, scores, scores[defined].min() - 1)
    print(
        f"{proxy.name:<10} {images:<16} {len(cells):>6,} {(~defined).sum():>9} {spearman(accuracy, ranked):>9.3f} "
        f"{kendall_tau(accuracy, ranked):>6.3f} {seconds:>10.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
