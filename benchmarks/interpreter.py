"""What it costs that networks are interpreted from their graphs: training steps against plain torch modules.

    OMP_NUM_THREADS=1 python benchmarks/interpreter.py [--device cpu] [--steps 9]

The network of NAS-Bench-201 that an architecture names, once built from its graph and once written by hand as torch
modules, takes training steps (forward, backward, SGD with momentum) on the same images in turn. Printed are images per
second (of the median step), their ratio (the median over the pairs of steps), and what is kept between forward and
backward, which is what the memory of a training grows with. The first rows are the published form on CIFAR-sized
images, the last the small one that is trained on digits.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from archpredict.networks.form import Form
from archpredict.networks.network import build
from archpredict.spaces.nasbench201 import NASBench201

_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
_CELLS = {"six 3x3 convolutions": (3, 3, 3, 3, 3, 3), "of all kinds": (3, 1, 2, 4, 1, 3)}


class Conv(nn.Module):
    """ReLU, convolution, batch norm."""

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, relu: bool = True) -> None:
        super().__init__()
        self.relu = relu
        self.conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.norm(self.conv(F.relu(x) if self.relu else x))
        return scores


class Cell(nn.Module):
    def __init__(self, choices: tuple[int, ...], width: int) -> None:
        super().__init__()
        makers: dict[int, Callable[[], nn.Module]] = {
            1: nn.Identity,
            2: lambda: Conv(width, width, 1),
            3: lambda: Conv(width, width, 3),
            4: lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
        }
        self.places = [edge for edge, choice in zip(_EDGES, choices, strict=True) if choice]
        self.edges = nn.ModuleList(makers[choice]() for choice in choices if choice)

    def forward(self, x: Tensor) -> Tensor:
        values: list[Tensor | None] = [x, None, None, None]
        for (source, target), edge in zip(self.places, self.edges, strict=True):
            y, so_far = edge(values[source]), values[target]
            values[target] = y if so_far is None else so_far + y
        assert values[3] is not None
        return values[3]


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = Conv(width // 2, width, 3, 2), Conv(width, width, 3)
        self.shorter = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(width // 2, width, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.shorter(x) + self.second(self.first(x))
        return scores


class ByHand(nn.Sequential):
    """The network of NAS-Bench-201."""

    def __init__(self, choices: tuple[int, ...], form: Form) -> None:
        width, cells = form.options["channels"], form.options["cells"]
        parts: list[nn.Module] = [Conv(form.image_channels, width, 3, relu=False)]
        for stage in range(3):
            if stage:
                width *= 2
                parts.append(Residual(width))
            parts += [Cell(choices, width) for _ in range(cells)]
        end = [nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        super().__init__(*parts, *end, nn.Linear(width, form.num_classes))


class Training:
    """Steps on random images."""

    def __init__(self, network: nn.Module, images: Tensor, labels: Tensor) -> None:
        self.network, self.images, self.labels = network.to(images.device).train(), images, labels
        self.optimizer = torch.optim.SGD(network.parameters(), 0.01, 0.9, nesterov=True)

    def step(self) -> float:
        """Seconds."""
        start = time.perf_counter()
        self.optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(self.network(self.images), self.labels).backward()
        self.optimizer.step()
        if self.images.is_cuda:
            torch.cuda.synchronize()
        return time.perf_counter() - start

    def kept(self) -> int:
        """Bytes that the forward pass keeps for the backward pass, each tensor once."""
        storages: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = F.cross_entropy(self.network(self.images), self.labels)
        del loss
        return sum(storages.values())


def rows(device: str, steps: int) -> Iterator[tuple[str, ...]]:
    forms = {
        (32, 64): Form(10, 32, 3, {"channels": 16, "cells": 5}),
        (8, 64): Form(10, 8, 1, {"channels": 4, "cells": 1}),
    }
    for (size, batch), form in forms.items():
        for name, choices in _CELLS.items():
            generator = torch.Generator().manual_seed(0)
            images = torch.randn(batch, form.image_channels, size, size, generator=generator).to(device)
            labels = torch.randint(0, 10, (batch,), generator=generator).to(device)
            built = Training(build(form.graph(NASBench201(), choices)), images, labels)
            plain = Training(ByHand(choices, form), images, labels)
            count = steps if size > 8 else 40 * steps
            times = [(built.step(), plain.step()) for _ in range(count + 2)][2:]
            ours, theirs = (median(column) for column in zip(*times, strict=True))
            ratio = median(b / a for a, b in times)
            memory = [training.kept() / 2**20 for training in (built, plain)]
            yield (
                f"{form.options['channels']} channels, {form.options['cells']} cells, {size}x{size}: {name}",
                f"{batch / ours:.1f}",
                f"{batch / theirs:.1f}",
                f"{ratio:.3f}",
                f"{memory[0]:.1f}",
                f"{memory[1]:.1f}",
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=9, help="pairs of steps of the large networks")
    given = parser.parse_args()
    if given.device == "cpu":
        torch.set_num_threads(1)
    print("| network | images/s, interpreted | by hand | ratio | MiB kept, interpreted | by hand |")
    print("|---|---:|---:|---:|---:|---:|")
    for row in rows(given.device, given.steps):
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
