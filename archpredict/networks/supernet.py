"""One store of weights for all architectures of a space, and networks that take theirs from it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from archpredict.errors import InvalidGraphError, UsageError
from archpredict.networks.form import Form
from archpredict.networks.network import Network, initial_layer
from archpredict.networks.program import Program
from archpredict.networks.steps import Layer, Norm, Run
from archpredict.spaces.base import SearchSpace, load_space

if TYPE_CHECKING:
    from archpredict.images.base import Images
    from archpredict.networks.batches import Batches

__all__ = ["Supernet"]

_PROGRAMS = 256
"""Programs that are kept; those of a small space are made once."""


def part(stored: Tensor, shape: Sequence[int]) -> Tensor:
    """The part of a larger weight that a layer of a shape takes: the first channels, the centre of the window; a view.

    The middle of a window of ``k`` places is place ``k // 2``, for odd and even windows alike, so that a part of a part
    is the part of the whole.

    Args:
        stored: ``(O, I, H, W)``, ``(O, I)`` or ``(O,)``.
        shape: As long, and nowhere larger.

    Example:
        >>> part(torch.arange(25).view(1, 1, 5, 5), (1, 1, 3, 3)).flatten().tolist()
        [6, 7, 8, 11, 12, 13, 16, 17, 18]
    """
    for axis, (whole, wanted) in enumerate(zip(stored.shape, shape, strict=True)):
        if wanted != whole:
            start = whole // 2 - wanted // 2 if axis > 1 else 0
            stored = stored.narrow(axis, start, wanted)
    return stored


def joint(shapes: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """The smallest shape of which all the given ones can be a part.

    Example:
        >>> joint([(8, 4, 3, 3), (4, 6, 5, 5)])
        (8, 6, 5, 5)
    """
    return tuple(max(lengths) for lengths in zip(*shapes, strict=True))


class Supernet:
    """A supernet: weights that all architectures of a space share.

    Weight sharing is that of Pham et al. 2018, arXiv 1802.03268.

    A layer's weights are found by its name in the network (see
    :meth:`Builder.scope <archpredict.graph.builder.Builder.scope>`). Each is stored once, in the largest shape seen,
    and a layer takes :func:`part` of it: the first channels and the centre of the window, as in Once-for-All (Cai et
    al. 2020, arXiv 1908.09791, but without its learnt transforms between windows). What a layer finds missing it would
    find as it was at the start: numbers drawn from the seed, the name and the shape alone.

    Batch norms have no averages here, as those of one architecture are wrong for any other; :meth:`recalibrated`
    finds them when an architecture is to be used.

    Args:
        space: Any space with ``network()``.
        form: The images, and the options of the space's networks.
        seed: Of the initial weights.
        device: Where the weights are.

    Example:
        >>> form = Form(image_size=8, image_channels=1, options={"channels": 4, "cells": 1})
        >>> supernet = Supernet("nasbench201", form)
        >>> program = supernet.program((3, 3, 3, 3, 3, 3))
        >>> supernet.grow([program])
        >>> supernet.run(program, torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
        >>> len(supernet.weights) == len(program.shapes)
        True
    """

    def __init__(
        self,
        space: str | type[SearchSpace] | SearchSpace,
        form: Form,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        space = load_space(space)
        form.check(space)
        self.space, self.form, self.seed, self.device = space, form, seed, torch.device(device)
        self.weights: dict[str, Tensor] = {}
        self._programs: OrderedDict[tuple[int, ...], Program] = OrderedDict()
        self._ones: dict[int, Tensor] = {}

    def check_images(self, images: Images) -> None:
        """The images are of the form.

        Raises:
            UsageError: They are not.
        """
        wanted = (self.form.image_channels, self.form.image_size, self.form.num_classes)
        given = (images.channels, images.size, images.num_classes)
        if given != wanted:
            raise UsageError(
                f"the data set {images.name} has images of (channels, pixels) {given[:2]} in {given[2]} classes, the "
                f"supernet takes {wanted[:2]} in {wanted[2]}; take the data set that it was made for"
            )

    def describe(self) -> dict[str, Any]:
        """The description of the weights before training, as JSON."""
        return {
            "space": self.space.name,
            "choices": list(self.space.num_choices),
            "form": self.form.describe(),
            "seed": self.seed,
        }

    # ------------------------------------------------------------------ programs and their weights

    def program(self, choices: Sequence[int]) -> Program:
        """The steps of an architecture's network.

        Raises:
            UsageError: The space has no ``network()``, or the image is too small for this architecture.
        """
        key = tuple(int(choice) for choice in choices)
        if key in self._programs:
            self._programs.move_to_end(key)
        else:
            self._programs[key] = Program(self.form.graph(self.space, key))
            if len(self._programs) > _PROGRAMS:
                self._programs.popitem(last=False)
        return self._programs[key]

    def grow(self, programs: Iterable[Program]) -> None:
        """Make the store hold all weights of some programs; what it has stays as it is, in its place."""
        for program in programs:
            for name, layer in program.layers.items():
                if not self._holds(_shapes(name, layer)):
                    made = self._of_layer(name, layer)
                    self.weights.update({key: value.requires_grad_() for key, value in made.items()})

    def tensors(self, program: Program) -> dict[str, Tensor]:
        """The weights of a program: views of the store, through which gradients reach it.

        What the store lacks is as :meth:`grow` would make it, but the store is left alone: so what an architecture is
        given does not depend on which others were asked for before.
        """
        found: dict[str, Tensor] = {}
        for name, layer in program.layers.items():
            shapes = _shapes(name, layer)
            stored = self.weights if self._holds(shapes) else self._of_layer(name, layer)
            found.update((key, part(stored[key], shape)) for key, shape in shapes.items())
        return found

    def missing(self, program: Program) -> int:
        """Number of a program's weights that are not in the store, thus were never trained."""
        count = 0
        for key, shape in program.shapes.items():
            held = map(min, shape, self.weights[key].shape) if key in self.weights else [0]
            count += prod(shape) - prod(held)
        return count

    def _holds(self, shapes: Mapping[str, Sequence[int]]) -> bool:
        return all(key in self.weights and _fits(shape, self.weights[key]) for key, shape in shapes.items())

    def _of_layer(self, name: str, layer: Layer) -> dict[str, Tensor]:
        """A layer's weights in the joint shape of what is stored and what it needs: the stored numbers, else new."""
        key = f"{name}/weight"
        known = self.weights.get(key)
        if known is not None and known.dim() != len(layer.weight):
            raise InvalidGraphError(
                f"{name} has weights of shape {tuple(known.shape)} in one architecture of {self.space.name} and "
                f"{layer.weight} in another; give them names of their own with Builder.scope"
            )
        shape = layer.weight if known is None else joint([layer.weight, known.shape])
        made = {}
        for key, value in initial_layer(name, replace(layer, weight=shape), self.seed).items():
            stored = self.weights.get(key)
            if stored is not None and stored.shape == value.shape:
                made[key] = stored
                continue
            made[key] = value.to(self.device)
            if stored is not None:
                part(made[key], stored.shape).copy_(stored.detach())
        return made

    # ------------------------------------------------------------------ running architectures

    def run(
        self,
        program: Program,
        images: Tensor,
        *,
        tensors: Mapping[str, Tensor] | None = None,
        statistics: Mapping[str, Tensor] | None = None,
        drop_path: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """``(N, num_classes)`` of ``(N, C, H, W)`` images.

        Args:
            program: The architecture's.
            images: On the store's device.
            tensors: Its weights; by default those of the store.
            statistics: Means and variances of the batch norms; by default they are taken of the batch.
            drop_path: Probability with which an operation is left out of a sum, per sample.
            generator: Of what is left out.
        """
        given = self.tensors(program) if tensors is None else tensors
        norm: Norm = "batch" if statistics is None else "running"
        return program.run(
            images, Run(given, statistics, norm, drop_path=drop_path, generator=generator, ones=self._ones)
        )

    @torch.no_grad()
    def recalibrated(self, program: Program, batches: Batches, count: int) -> dict[str, Tensor]:
        """Means and variances of an architecture's batch norms with the weights of the store.

        They are the plain averages over the batches (Guo et al. 2019, arXiv 1904.00420, section 3.4), so that the
        order of the batches does not count, and those of no other architecture are touched.

        Args:
            program: The architecture's.
            batches: Images of the training split.
            count: How many batches are used, at most as many as there are.
        """
        statistics, tensors = program.fresh_statistics(self.device), self.tensors(program)
        if not statistics:
            return statistics
        for i, (images, _) in zip(range(count), batches.epoch(0), strict=False):
            program.run(images, Run(tensors, statistics, norm="batch", momentum=1 / (i + 1), ones=self._ones))
        return statistics

    def network(self, choices: Sequence[int], batches: Batches, count: int) -> Network:
        """A network of its own with the weights that an architecture inherits, to be exported or trained further."""
        program = self.program(choices)
        made = Network(program.graph)
        inherited = {**self.tensors(program), **self.recalibrated(program, batches, count)}
        made.load_state_dict({name: value.detach().cpu() for name, value in inherited.items()})
        return made.eval()


def _shapes(name: str, layer: Layer) -> dict[str, tuple[int, ...]]:
    found = {f"{name}/weight": layer.weight}
    return {**found, f"{name}/bias": layer.weight[:1]} if layer.bias else found


def _fits(shape: Sequence[int], stored: Tensor) -> bool:
    return len(shape) == stored.dim() and all(a <= b for a, b in zip(shape, stored.shape, strict=True))
