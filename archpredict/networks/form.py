"""The form in which architectures become networks: the images they read and the options of their space."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archpredict.errors import UsageError, integer, whole_number
from archpredict.graph.arch_graph import ArchGraph
from archpredict.images.base import Images
from archpredict.spaces.base import SearchSpace

__all__ = ["Form"]

_GIVEN = ("choices", "num_classes", "image_size", "image_channels")


@dataclass(frozen=True)
class Form:
    """The form of a space's networks: the images that they read, and options such as their width.

    What :meth:`SearchSpace.network <archpredict.spaces.base.SearchSpace.network>` is asked for beside the choices.

    Args:
        num_classes: Numbers that a network gives per image.
        image_size: Height and width of an image in pixels.
        image_channels: 3 for colours, 1 for grey.
        options: Further arguments of the space's ``network()``, such as ``channels`` and, in spaces of cells,
            ``cells``.

    Example:
        >>> from archpredict.spaces import load_space
        >>> form = Form(image_size=8, image_channels=1, options={"channels": 4, "cells": 1})
        >>> form.graph(load_space("nasbench201"), (3, 3, 3, 3, 3, 3)).num_nodes
        57
    """

    num_classes: int = 10
    image_size: int = 32
    image_channels: int = 3
    options: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("num_classes", "image_size", "image_channels"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), 1))
        for name, number in self.options.items():
            if not isinstance(number, bool) and integer(number) is None:
                raise UsageError(f"network: {name} is a whole number, {number!r} was given")

    @classmethod
    def of(cls, images: Images | None, options: Mapping[str, float] | None = None) -> Form:
        """The form that reads the images of a data set, with options given as numbers, as on the command line.

        Without a data set it is the form for CIFAR-10.

        Raises:
            UsageError: An option is no whole number.
        """
        for name, number in (options or {}).items():
            if not float(number).is_integer():
                raise UsageError(f"network: {name} is a whole number, {number:g} was given")
        whole = {name: int(number) for name, number in (options or {}).items()}
        if images is None:
            return cls(options=whole)
        return cls(images.num_classes, images.size, images.channels, whole)

    def graph(self, space: SearchSpace, choices: Sequence[int]) -> ArchGraph:
        """The network of an architecture in this form.

        Raises:
            UsageError: The space has no ``network()``, or does not take an option, or the image is too small for it.
        """
        self.check(space)
        return space.network(
            choices,
            num_classes=self.num_classes,
            image_size=self.image_size,
            image_channels=self.image_channels,
            **self.options,
        )

    def relaxed(self, space: SearchSpace) -> ArchGraph:
        """All architectures of a space as one network in this form.

        Raises:
            UsageError: The space has no ``relaxed_network()``, or does not take an option, or the image is too small.
        """
        self.check_relaxed(space)
        return space.relaxed_network(
            num_classes=self.num_classes,
            image_size=self.image_size,
            image_channels=self.image_channels,
            **self.options,
        )

    def check_relaxed(self, space: SearchSpace) -> None:
        """As :meth:`check`, of the network of all architectures."""
        if not space.defines_relaxed_network:
            space.relaxed_network()
        self._check_options(space, "relaxed networks", space.relaxed_network)

    def check(self, space: SearchSpace) -> None:
        """Check that a space has networks, and that these take the options.

        Raises:
            UsageError: It has none, and the message says what to write; or they do not, and it lists those they take.
        """
        if not space.defines_networks:
            space.network(())
        self._check_options(space, "networks", space.network)

    def _check_options(self, space: SearchSpace, what: str, write: Callable[..., ArchGraph]) -> None:
        if not self.options:
            return
        known = [name for name in inspect.signature(write).parameters if name not in _GIVEN]
        for name in self.options:
            if name not in known:
                raise UsageError(
                    f"{what} of the space {space.name} have no option {name!r}; they have: {', '.join(known)}"
                )

    def describe(self) -> dict[str, Any]:
        """The description of the form as JSON, for the record of a run."""
        return {
            "num_classes": self.num_classes,
            "image_size": self.image_size,
            "image_channels": self.image_channels,
            "options": dict(self.options),
        }
