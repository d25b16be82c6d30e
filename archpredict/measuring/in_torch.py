"""A model made ready to run in torch, where its graph can be built anew, in the settings that speeds are known in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from archpredict.errors import InvalidGraphError, ModelFileError, UsageError
from archpredict.measuring.question import Question, Ready
from archpredict.networks.exporting import image_shape
from archpredict.networks.network import Network, build
from archpredict.onnx.files import read_model

_AUTOCAST = {"amp": torch.float16, "amp_bf16": torch.bfloat16}
_WHOLE = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    **dict.fromkeys(_AUTOCAST, torch.float32),
}
"""Of weights and images, by precision."""
_LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}
_LEARNING_RATE, _MOMENTUM = 1e-4, 0.9


def ready_in_torch(question: Question) -> Ready:
    """Make a model ready to run: whole batches forward, or whole steps of training.

    A step is what image classifiers are commonly timed by: forward, cross-entropy with random labels, backward, and
    stochastic gradient descent with momentum. Batch norms are folded into convolutions but in training.

    Raises:
        ModelFileError: Its graph cannot be built, or has no scores to train by.
    """
    torch.set_num_threads(question.threads)
    if question.device != "cpu":
        torch.backends.cudnn.benchmark = True  # of kernels for these very shapes, as those who time GPUs do
    model = read_model(question.path, question.shapes or {}, question.sizes)
    training, kind, lies = (
        question.mode == "train",
        _WHOLE.get(question.precision, torch.float32),
        _LAYOUTS[question.layout],
    )
    try:
        network = build(model.graph, norm=training, seed=question.seed).train(training)
        if training:
            network.program.check_scores()
    except (InvalidGraphError, UsageError) as error:
        raise ModelFileError(f"torch cannot run its graph: {error}") from error
    network = network.to(question.device, kind)
    network.to(memory_format=lies)  # type: ignore[call-overload]
    generator = torch.Generator().manual_seed(question.seed)
    images = torch.randn(question.batch_size, *image_shape(model.graph), generator=generator)
    images = images.to(question.device, kind).contiguous(memory_format=lies)
    made_up = sum(parameter.numel() for parameter in network.parameters())
    run = _step(network, images, question) if training else _pass(network, images, question)
    if question.compiler == "dynamo":
        run()  # which compiles
    return Ready(run, question.precision, made_up)


def _pass(network: Network, images: Tensor, question: Question) -> Callable[[], object]:
    forward, precise = _compiled(network, question), _precision(question)

    def run() -> Tensor:
        with torch.inference_mode(), precise():
            scores = forward(images)
        _wait(images)
        return scores

    return run


def _step(network: Network, images: Tensor, question: Question) -> Callable[[], object]:
    forward, precise = _compiled(network, question), _precision(question)
    optimizer = torch.optim.SGD(network.parameters(), lr=_LEARNING_RATE, momentum=_MOMENTUM)
    (classes,) = network.program.output_shape or (1,)
    generator = torch.Generator().manual_seed(question.seed)
    labels = torch.randint(classes, (len(images),), generator=generator).to(images.device)

    def run() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        with precise():
            loss = F.cross_entropy(forward(images), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        _wait(images)
        return loss.detach()

    return run


def _compiled(network: Network, question: Question) -> Callable[[Tensor], Tensor]:
    """The network, in one piece of compiled code where that was asked for: a part left out would not be told."""
    if question.compiler == "eager":
        return network
    compiled: Callable[[Tensor], Tensor] = torch.compile(network, fullgraph=True)
    return compiled


def _precision(question: Question) -> Callable[[], Any]:
    kind = _AUTOCAST.get(question.precision)
    if kind is None:
        return nullcontext
    return lambda: torch.autocast(torch.device(question.device).type, dtype=kind)


def _wait(images: Tensor) -> None:
    if images.is_cuda:
        torch.cuda.synchronize(images.device)
