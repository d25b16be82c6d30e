"""Networks that can be trained, saved and exported: a program with weights of its own."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from archpredict._files import write_atomically
from archpredict.errors import DataError, InvalidGraphError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.networks.program import Program
from archpredict.networks.steps import EPS, MOMENTUM, Layer, Norm, Run

__all__ = ["Network", "build", "load", "save"]

_FORMAT = "archpredict-network-1"
_MAX_FILE_BYTES = 8 << 30


class Network(nn.Module):
    """A computational graph as a torch module: ``(N, C, H, W)`` images to ``(N, num_classes)``, or to what it puts out.

    In training mode batch norms take mean and variance from the batch and keep running averages (momentum 0.1), in
    evaluation mode they use these. Parameters are called ``NAME/weight`` and ``NAME/bias`` with the names of the
    graph's nodes, running averages ``NAME/mean`` and ``NAME/variance``.

    Args:
        graph: A computational graph with one input.
        norm: Whether convolutions with a bias have a batch norm (see :class:`Program
            <archpredict.networks.program.Program>`): True to train, False for the folded form that is exported.
        seed: Of the initial weights, each drawn from a generator of its own, by name: uniform within
            ``1 / sqrt(fan_in)``, which is torch's own. Shifts are 0, scales 1.

    Raises:
        InvalidGraphError: A node cannot be run; the message names it and says why.

    Example:
        >>> from archpredict.graph.builder import Builder
        >>> b = Builder(image=(3, 8, 8))
        >>> x = b.global_avg_pool(b.relu(b.conv(b.input(), 4, kernel=3, norm=True)))
        >>> network = build(b.output(b.linear(x, 10)).graph())
        >>> network(torch.zeros(2, 3, 8, 8)).shape
        torch.Size([2, 10])
        >>> sum(p.numel() for p in network.parameters()) == (3 * 9 * 4 + 4) + (4 * 10 + 10)
        True
    """

    def __init__(self, graph: ArchGraph, *, norm: bool = True, seed: int = 0) -> None:
        super().__init__()
        self.program = Program(graph, norm=norm)
        for name, value in initial_weights(self.program, seed).items():
            self.register_parameter(name, nn.Parameter(value))
        for name, value in self.program.fresh_statistics().items():
            self.register_buffer(name, value)
        self.drop_path = 0.0
        self.momentum = MOMENTUM
        self.generator: torch.Generator | None = None
        self._ones: dict[int, Tensor] = {}

    @property
    def graph(self) -> ArchGraph:
        return self.program.graph

    def forward(
        self, images: Tensor, norm: Norm | None = None, observe: Callable[[int, Tensor], None] | None = None
    ) -> Tensor:
        """Scores of the classes.

        Args:
            images: ``(N, C, H, W)``.
            norm: Where batch norms take mean and variance from; by default as the mode says.
            observe: Called with each node's number and value.
        """
        run = Run(
            self._parameters,
            self._buffers,
            norm=norm or ("batch" if self.training else "running"),
            momentum=self.momentum,
            drop_path=self.drop_path if self.training else 0.0,
            generator=self.generator,
            observe=observe,
            ones=self._ones,
        )
        return self.program.run(images, run)

    def folded(self) -> Network:
        """The same function as in evaluation mode, with batch norms folded into the convolutions before them."""
        made = Network(self.graph, norm=False)
        with torch.no_grad():
            for name, value in folded_weights(self.program, self._parameters, self._buffers).items():
                made.get_parameter(name).copy_(value)
            for name, buffer in made.named_buffers():
                buffer.copy_(self.get_buffer(name))
        return made.eval()


def build(graph: ArchGraph, *, norm: bool = True, seed: int = 0) -> Network:
    """A trainable network of a computational graph, such as ``space.network(choices)`` or ``onnx.reader.load(path)``.

    See :class:`Network`, whose arguments these are.
    """
    return Network(graph, norm=norm, seed=seed)


def initial_weights(program: Program, seed: int) -> dict[str, Tensor]:
    """Weights of all layers, each the same wherever a layer of its name and shape occurs."""
    return {
        key: value for name, layer in program.layers.items() for key, value in initial_layer(name, layer, seed).items()
    }


def initial_layer(name: str, layer: Layer, seed: int) -> dict[str, Tensor]:
    """Weights ``NAME/weight`` and ``NAME/bias`` of one layer."""
    found = {f"{name}/weight": initial_weight(f"{name}/weight", layer.weight, seed)}
    if layer.bias:
        bound = 0.0 if layer.normalised else 1 / math.sqrt(math.prod(layer.weight[1:]))
        found[f"{name}/bias"] = _uniform(f"{name}/bias", layer.weight[:1], bound, seed)
    return found


def initial_weight(name: str, shape: tuple[int, ...], seed: int) -> Tensor:
    """Ones for the scale of a norm, else uniform within 1 / sqrt(fan_in) (He et al. 2015, as torch uses it)."""
    if len(shape) == 1:
        return torch.ones(shape)
    return _uniform(name, shape, 1 / math.sqrt(math.prod(shape[1:])), seed)


def _uniform(name: str, shape: tuple[int, ...], bound: float, seed: int) -> Tensor:
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
    return torch.empty(shape).uniform_(-bound, bound, generator=generator)


def folded_weights(program: Program, tensors: Mapping[str, Any], statistics: Mapping[str, Any]) -> dict[str, Tensor]:
    """Weights of the program without norms after convolutions that computes the same as this one in use."""
    found = {}
    for name, layer in program.layers.items():
        weight = tensors[f"{name}/weight"]
        bias = tensors[f"{name}/bias"] if layer.bias else None
        if layer.kind == "conv" and layer.normalised and bias is not None:
            scale = torch.rsqrt(statistics[f"{name}/variance"] + EPS)
            bias = bias - statistics[f"{name}/mean"] * scale
            weight = weight * scale.view(-1, 1, 1, 1)
        found[f"{name}/weight"] = weight
        if bias is not None:
            found[f"{name}/bias"] = bias
    return found


def save(network: Network, path: str | Path, card: Mapping[str, Any] | None = None) -> None:
    """Write a network as one safetensors file: weights, running averages, and the graph in its header.

    Args:
        network: What to save.
        path: The file.
        card: What else to note, as JSON: the architecture, how it was trained, its accuracy.
    """
    from safetensors.torch import save as to_bytes

    metadata = {
        "format": _FORMAT,
        "graph": network.graph.to_json(),
        "norm": json.dumps(network.program.norm),
        "card": json.dumps(dict(card or {})),
    }
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    write_atomically(Path(path), to_bytes(tensors, metadata))


def load(path: str | Path) -> tuple[Network, dict[str, Any]]:
    """The network of a file that :func:`save` wrote, in evaluation mode, and its card.

    Raises:
        DataError: There is no such file, or it holds no network.
    """
    from safetensors import SafetensorError, safe_open

    file = Path(path)
    if not file.is_file():
        raise DataError(f"there is no file {file}; give a network that was saved after its training")
    if file.stat().st_size > _MAX_FILE_BYTES:
        raise DataError(f"{file} has {file.stat().st_size:,} bytes; networks of up to {_MAX_FILE_BYTES:,} are read")
    try:
        with safe_open(str(file), framework="pt") as opened:
            metadata = opened.metadata() or {}
            if metadata.get("format") != _FORMAT:
                raise DataError(f"{file} is a safetensors file but no network of archpredict ({_FORMAT} is read)")
            graph, norm = ArchGraph.from_json(metadata["graph"]), json.loads(metadata["norm"])
            card = json.loads(metadata["card"])
            _check_shapes(Program(graph, norm=bool(norm)), opened, file)  # before there is memory for what it promises
            network = Network(graph, norm=bool(norm))
            _load_tensors(network, {name: opened.get_tensor(name) for name in network.state_dict()}, file)
    except (SafetensorError, KeyError, ValueError, TypeError, InvalidGraphError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{file} cannot be read as a network: {error}") from error
    return network.eval(), card if isinstance(card, dict) else {}


def _check_shapes(program: Program, opened: Any, file: Path) -> None:
    """The file has every tensor of the program."""
    averages = {name: (width,) for name, width in program.statistics.items()}
    there = set(opened.keys())
    for name, shape in {**program.shapes, **averages}.items():
        found = tuple(opened.get_slice(name).get_shape()) if name in there else None
        if found != shape:
            said = "none" if found is None else f"shape {found}"
            raise DataError(f"{file}: {name} has shape {shape} in the graph, {said} in the file")


def _load_tensors(network: Network, tensors: Mapping[str, Tensor], file: Path) -> None:
    for name, value in tensors.items():
        if not torch.isfinite(value).all():
            raise DataError(f"{file}: {name} has numbers that are not finite; train it again")
    network.load_state_dict(tensors)
