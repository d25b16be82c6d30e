"""Labels from zero-cost proxies: scores of untrained networks."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archpredict.errors import InvalidGraphError, UsageError, described
from archpredict.evaluators.base import Evaluator, Result
from archpredict.spaces.base import Architecture, SearchSpace, load_space

if TYPE_CHECKING:
    from archpredict.images.base import Images
    from archpredict.networks.form import Form

__all__ = ["ZeroCostEvaluator"]


class ZeroCostEvaluator(Evaluator):
    """Labels architectures with a zero-cost proxy: one or two passes through the network with its initial weights.

    Abdelfattah, Mehrotra, Dudziak and Lane, "Zero-cost proxies for lightweight NAS", 2021, arXiv 2101.08134. The label
    of an architecture depends on it, the form, the images and the seed alone, not on what else is labelled.

    Args:
        proxy: Name of a proxy (see ``archpredict.proxies``).
        form: The form of the networks; if left out that of the images, or of CIFAR-10 where there are none.
        images: Data set that a batch is taken of, for proxies that read images.
        batch_size: Images in it.
        seed: Of initial weights and batch.
        device: ``auto`` (CUDA where there is one), ``cpu`` or ``cuda``.

    Raises:
        UnknownNameError: There is no such proxy.
        UsageError: The proxy reads images and there are none, or the form is not theirs.

    Example:
        >>> from archpredict.spaces import load_space
        >>> space = load_space("nasbench201")
        >>> cells = [space.architecture([choice] * 6) for choice in (3, 1)]
        >>> large, small = ZeroCostEvaluator("synflow", device="cpu").evaluate(cells)
        >>> large.score > small.score
        True
    """

    name = "zero-cost"

    def __init__(
        self,
        proxy: str = "synflow",
        form: Form | None = None,
        *,
        images: Images | None = None,
        batch_size: int = 64,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        from archpredict.backends import torch_device
        from archpredict.networks.form import Form
        from archpredict.proxies.base import batch_for, load_proxy

        self._proxy = load_proxy(proxy, images)
        form = form or Form.of(images)
        self._form = form if images is None else _checked(form, images)
        self._images, self._batch_size, self._seed = images, batch_size, seed
        self._device = torch_device(device)
        self._batch = batch_for([self._proxy], images, batch_size=batch_size, seed=seed, device=self._device)

    @classmethod
    def for_space(
        cls,
        space: str | SearchSpace,
        /,
        proxy: str,
        dataset: str | None = None,
        network: Mapping[str, float] | None = None,
        *,
        batch_size: int = 64,
        seed: int = 0,
        device: str = "auto",
    ) -> ZeroCostEvaluator:
        """The evaluator of a named proxy.

        Args:
            space: What is searched.
            proxy: Name of a zero-cost proxy, e.g. synflow.
            dataset: Images for proxies that read some, e.g. digits or cifar10:FOLDER.
            network: Options of the space's networks.
            batch_size: Images in the batch.
            seed: Of initial weights and batch.
            device: ``auto``, ``cpu`` or ``cuda``.
        """
        from archpredict.images.base import load_images
        from archpredict.networks.form import Form

        images = None if dataset is None else load_images(dataset)
        form = Form.of(images, network)
        form.check(load_space(space))
        return cls(proxy, form, images=images, batch_size=batch_size, seed=seed, device=device)

    def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
        for architecture in architectures:
            start = time.perf_counter()
            error, score = None, math.nan
            graph = self._form.graph  # what the space cannot build at all is an error of the call
            try:
                network = graph(architecture.space, architecture.choices)
                score = self._proxy.score_graph(network, *self._batch, seed=self._seed, device=self._device)
            except (InvalidGraphError, RuntimeError) as failure:
                error = f"{self._proxy.name} cannot be computed: {described(failure)}"
            seconds = time.perf_counter() - start
            if math.isfinite(score):
                yield Result(architecture, score, seconds=seconds)
            else:
                yield Result(architecture, None, error or self._undefined(score), seconds)

    def _undefined(self, score: float) -> str:
        return (
            f"{self._proxy.name} is {score}, no finite number: it is not defined for this network, whose output may "
            "not depend on the image"
        )

    @property
    def also_measures(self) -> tuple[str, ...]:
        return ()

    def describe(self) -> dict[str, Any]:
        reads = (
            f" on {self._batch_size} images of {self._images.name}"
            if self._images and self._batch[0] is not None
            else ""
        )
        return {
            "evaluator": self.name,
            "labels": f"the zero-cost proxy {self._proxy.name}{reads}, computed on untrained networks",
            "proxy": self._proxy.name,
            "form": self._form.describe(),
            "images": None if self._images is None else self._images.describe(),
            "batch_size": self._batch_size,
            "seed": self._seed,
        }


def _checked(form: Form, images: Images) -> Form:
    """The form, which reads the images."""
    wanted, given = ((f.num_classes, f.image_channels, f.image_size) for f in (type(form).of(images), form))
    if given != wanted:
        raise UsageError(
            f"the form has (classes, channels, pixels) {given}, the data set {images.name} {wanted}; give the form of "
            "the data set, as networks.form.Form.of makes it"
        )
    return form
