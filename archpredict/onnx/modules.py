"""Torch modules as computational graphs: exported to ONNX in memory, without their weights."""

from __future__ import annotations

import copy
import inspect
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, cast

import onnx
import torch
import torch.backends.mha
from torch import Tensor, nn

from archpredict.errors import ModelFileError, UsageError, described
from archpredict.onnx.reader import OnnxModel, interpret

__all__ = ["Example", "exported", "read_module"]

Example = Tensor | tuple[Any, ...] | Mapping[str, Any]
"""An example input, with which a module is called: a tensor, the arguments, or arguments by name."""


def read_module(module: nn.Module, example: Example, name: str = "") -> OnnxModel:
    """A torch module as a computational graph, as it is used for inference.

    It is traced with the example by torch's TorchScript-based exporter, which keeps operators one to one; no file is
    written. Weights are not looked at, and may be on the meta device. The module is left as it was: its mode, its
    running averages and torch's random numbers.

    Args:
        module: The module.
        example: An input of the right shapes, on the module's device: a tensor, a tuple of the arguments, or arguments
            by name. Its values do not matter unless the module branches on them.
        name: What messages call it; the class's name if left out.

    Raises:
        UsageError: The example is none of these.
        ModelFileError: The exporter cannot trace the module.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        >>> read_module(net, torch.zeros(1, 3, 8, 8)).graph.ops
        ('input', 'conv', 'relu', 'output')
    """
    called = name or type(module).__name__
    arguments = _arguments(example, called)
    num_inputs = _num_tensors(arguments)
    if not num_inputs:
        raise UsageError(
            f"the example of {called} has no tensor in it; give an input, such as torch.zeros(1, 3, 224, 224)"
        )
    if any(tensor.is_meta for tensor in (*module.parameters(), *module.buffers())):
        module, arguments = _real(module, arguments)
    inputs = [f"input{i}" if num_inputs > 1 else "input" for i in range(num_inputs)]
    try:
        with _as_it_was(module):
            content = exported(module.eval(), arguments, export_params=False, input_names=inputs)
    except Exception as error:  # whatever tracing code of the user's provokes
        raise ModelFileError(
            f"{called} cannot be traced with its example ({described(error)}); check the example, or export it to ONNX"
        ) from error
    model = onnx.load_from_string(content)
    _store_parameters(model.graph, set(inputs))
    try:
        return interpret(model)
    except ModelFileError as error:
        raise ModelFileError(f"{called}: {error}") from error


def exported(module: nn.Module, arguments: tuple[Any, ...], **options: Any) -> bytes:
    """The ONNX model that torch's TorchScript-based exporter writes, which keeps operators one to one.

    Args:
        module: The module, in the mode in which it is used.
        arguments: What it is called with.
        options: Further arguments of ``torch.onnx.export``.
    """
    stream = io.BytesIO()
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:  # before torch 2.5 there was one exporter
        options["dynamo"] = False
    # Where it fails it prints the whole module; fused attention is no operator that it knows.
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")  # that this exporter is the older one, and what tracing takes for constant
            torch.onnx.export(module, arguments, cast(Any, stream), **options)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return stream.getvalue()


def _arguments(example: Example, called: str) -> tuple[Any, ...]:
    if isinstance(example, Tensor):
        return (example,)
    if isinstance(example, Mapping):
        return (dict(example),)  # the exporter takes a dictionary at the end for arguments by name
    if isinstance(example, tuple | list):
        return tuple(example)
    raise UsageError(
        f"the example of {called} is a tensor, a tuple of arguments or a mapping of them, {type(example).__name__} was "
        "given"
    )


def _num_tensors(value: Any) -> int:
    """Tensors in nested tuples, lists and mappings."""
    if isinstance(value, Mapping):
        return sum(map(_num_tensors, value.values()))
    if isinstance(value, tuple | list):
        return sum(map(_num_tensors, value))
    return int(isinstance(value, Tensor))


def _real(module: nn.Module, arguments: tuple[Any, ...]) -> tuple[nn.Module, tuple[Any, ...]]:
    """A module on the meta device with numbers for weights, as tracing calculates; exporters store equal ones once."""
    module = copy.deepcopy(module).to_empty(device="cpu")
    with torch.no_grad():
        for number, tensor in enumerate((*module.parameters(), *module.buffers()), start=1):
            tensor.fill_(number if tensor.is_floating_point() else 0)
    return module, _zeros(arguments)


def _zeros(value: Any) -> Any:
    """Nested arguments with zeros for tensors."""
    if isinstance(value, Mapping):
        return {name: _zeros(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return tuple(map(_zeros, value))
    return torch.zeros_like(value, device="cpu") if isinstance(value, Tensor) else value


@contextmanager
def _as_it_was(module: nn.Module) -> Iterator[None]:
    """Puts back the mode of each part and the state of torch's generator."""
    modes: Sequence[tuple[nn.Module, bool]] = [(part, part.training) for part in module.modules()]
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            for part, training in modes:
                part.training = training


def _store_parameters(graph: Any, inputs: set[str]) -> None:
    """Parameters that were exported as inputs become stored tensors without elements, as in a file without weights."""
    for value in graph.input:
        if value.name not in inputs:
            kind = value.type.tensor_type
            tensor = graph.initializer.add(name=value.name, data_type=kind.elem_type)
            tensor.dims.extend(axis.dim_value for axis in kind.shape.dim)
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="weights")
    kept = [value for value in graph.input if value.name in inputs]
    del graph.input[:]
    graph.input.extend(kept)
