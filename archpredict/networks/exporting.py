"""Networks as files that other programs run: ONNX and torch's own exported programs."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from archpredict._files import write_atomically
from archpredict.errors import RunError, UsageError, described, writing
from archpredict.graph.arch_graph import ArchGraph
from archpredict.networks.network import Network
from archpredict.onnx.modules import exported

__all__ = ["export"]

ENDINGS: Mapping[str, str] = {"onnx": ".onnx", "torch": ".pt2"}
"""How names of files end, by what :func:`export` writes."""

INPUT, OUTPUT = "images", "scores"
"""Names of what an exported network reads and gives."""

_MAX_ONNX_BYTES = (1 << 31) - 1
"""A protocol buffer cannot be larger."""


def export(network: Network, path: str | Path, to: str) -> None:
    """Write a network in the form in which it is used: batch norms folded, the batch of any size.

    ``onnx`` is written by torch's TorchScript-based exporter, which keeps the operators one to one, so that
    :func:`archpredict.onnx.reader.load` reads the network's own graph again. ``torch`` is a ``torch.export`` program,
    which ``torch.export.load(path).module()`` opens without this package.

    Args:
        network: With its weights and running averages.
        path: The file; one that is there is replaced once the new one is whole.
        to: ``onnx`` or ``torch``.

    Raises:
        UsageError: There is no such form, or the name has another ending.
        RunError: torch has no such exporter, the network is too large for the form, or the disk is full.

    Example:
        >>> import tempfile
        >>> from archpredict.onnx.reader import load
        >>> from archpredict.networks.network import build
        >>> from archpredict.spaces import load_space
        >>> graph = load_space("nasbench201").network((3, 0, 1, 0, 0, 2), cells=1, channels=4)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     export(build(graph), f"{folder}/cell.onnx", "onnx")
        ...     load(f"{folder}/cell.onnx").key == graph.key
        True
    """
    file = Path(path)
    check_export(file, to)
    module = network.folded()
    content = _WRITERS[to](module, torch.zeros(2, *image_shape(network.graph)))
    with writing(file):
        write_atomically(file, content)


def check_export(path: Path, to: str) -> None:
    """The file can be made.

    Raises:
        UsageError: There is no such form, its name has another ending, or its folder is missing.
    """
    if to not in ENDINGS:
        raise UsageError(f"networks are exported to {' or '.join(ENDINGS)}, not {to!r}")
    if path.suffix.lower() != ENDINGS[to]:
        raise UsageError(f"{to} files end in {ENDINGS[to]}, {path.name} was given; rename it")
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no regular file; give the name of a file to write")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent} to write {path.name} into; make it first")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"the folder {path.parent} cannot be written to; choose another place for {path.name}")


def image_shape(graph: ArchGraph) -> tuple[int, int, int]:
    """Channels, height and width of the images that a network reads."""
    _, channels, height, width = (int(n) for n in graph.attrs["shape"][graph.ops.index("input")][:4])
    return channels, max(1, height), max(1, width)


def num_scores(graph: ArchGraph) -> int:
    """Numbers that a network gives per image."""
    return max(1, int(graph.attrs["shape"][graph.ops.index("output")][1]))


class _Plain(nn.Module):
    """A network with one argument, which is what exporters trace."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.network(images)
        return scores


def _onnx(module: Network, images: Tensor) -> bytes:
    import onnx

    size = sum(p.numel() * p.element_size() for p in module.parameters())
    if size > _MAX_ONNX_BYTES:
        raise RunError(
            f"the network has {size:,} bytes of weights, ONNX files hold {_MAX_ONNX_BYTES:,}; use `to='torch'`"
        )
    axes = {INPUT: {0: "batch"}, OUTPUT: {0: "batch"}}
    try:
        content = exported(
            _Plain(module).eval(), (images,), input_names=[INPUT], output_names=[OUTPUT], dynamic_axes=axes
        )
    except Exception as error:
        raise RunError(
            f"torch {torch.__version__} cannot write ONNX with its TorchScript-based exporter, which keeps operators "
            f"one to one ({described(error)}); use `to='torch'` or another version of torch"
        ) from error
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    return content


def _torch(module: Network, images: Tensor) -> bytes:
    stream = io.BytesIO()
    batch = torch.export.Dim("batch", min=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(_Plain(module).eval(), (images,), dynamic_shapes={INPUT: {0: batch}})
        torch.export.save(program, stream)
    return stream.getvalue()


_WRITERS: Mapping[str, Callable[[Network, Tensor], bytes]] = {"onnx": _onnx, "torch": _torch}
