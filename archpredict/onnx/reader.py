"""ONNX files as computational graphs, from the graph alone: weights are never needed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from archpredict.graph.arch_graph import ArchGraph
from archpredict.onnx._canonical.canonical import canonical as canonical
from archpredict.onnx._file.elements import same_in_file, same_in_model
from archpredict.onnx._file.reading import read_proto as read_proto
from archpredict.onnx._tensors.steps import Trace as Trace
from archpredict.onnx._trace.inputs import SIZE_TAKEN
from archpredict.onnx._trace.open_axes import OpenSizes
from archpredict.onnx._trace.tracer import trace as trace

__all__ = ["DEFAULT_SIZES", "SIZE_TAKEN", "OnnxModel", "OpenSizes", "interpret", "load", "read"]

DEFAULT_SIZES = OpenSizes()
"""Images of 224 x 224, sequences of 128."""


@dataclass(frozen=True)
class OnnxModel:
    """An ONNX file as a computational graph, and what was seen on the way.

    Args:
        path: The file; None for a model in memory.
        graph: In the operators of :mod:`archpredict.graph.operators`.
        warnings: Sentences for the user.
        folded: What was folded into something else, and how often.
        unknown: Operators that are not known, and how often they occur.
        num_nodes: Nodes in the file, those of functions and bodies included.
        opset: Version of ONNX's own operators.
        producer: Program that wrote the file.
        inputs, outputs: Shapes by name, -1 where a length is not known.
        unplaced: Share of the parameters that are in layers whose sizes are not known, from 0 to 1.
        assumed: Of inputs whose shapes the file leaves open, the shapes that were taken for them.
    """

    path: Path | None
    graph: ArchGraph
    warnings: tuple[str, ...]
    folded: Mapping[str, int]
    unknown: Mapping[str, int]
    num_nodes: int
    opset: int
    producer: str
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    unplaced: float = 0.0
    assumed: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def read(
    path: str | Path,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    sizes: OpenSizes | None = DEFAULT_SIZES,
) -> OnnxModel:
    """Read an ONNX file, plain or compressed with gzip; no other file is opened.

    Shape arithmetic, reshapes, identities, casts and dropout disappear; batch norms are folded into the layer before;
    GELU, SiLU, HardSwish, layer norms and attention that an exporter has spread over many operators become one node.
    ``docs/onnx.md`` tells how far the same network, exported in different ways, gives the same graph.

    Args:
        path: The file. Weights may be absent: external data is never opened.
        input_shapes: Shapes of inputs by name, where the file leaves them open; a batch that is left open is 1.
        sizes: Of images and sequences where the file leaves them open and no shape is given, which a warning says;
            None leaves them open.

    Raises:
        ModelFileError: It cannot be read as a network; one sentence says why.
    """
    return interpret(read_proto(path), input_shapes, Path(path), sizes)


def interpret(
    model: onnx.ModelProto,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    path: Path | None = None,
    sizes: OpenSizes | None = DEFAULT_SIZES,
    whole: onnx.ModelProto | None = None,
) -> OnnxModel:
    """A model in memory as a computational graph.

    Args:
        model: As ``onnx.load`` gives it; elements of its weights are not needed.
        input_shapes: As for :func:`read`.
        path: Where it is from.
        sizes: As for :func:`read`.
        whole: The model with its elements, where ``model`` has none and there is no path.

    Raises:
        ModelFileError: It cannot be read as a network; one sentence says why.
    """
    seen = trace(model, input_shapes, sizes)
    result = canonical(seen, same_in_file(path) if path is not None else same_in_model(whole or model))
    return OnnxModel(
        path=path,
        graph=result.graph,
        warnings=(*seen.warnings, *result.warnings),
        folded=result.folded,
        unknown=result.unknown,
        num_nodes=seen.num_nodes,
        opset=seen.opset,
        producer=seen.producer,
        inputs={tensor.name: tensor.shape or () for tensor in seen.inputs},
        outputs={name: shape or () for name, shape in seen.output_shapes.items()},
        unplaced=result.unplaced,
        assumed=seen.assumed,
    )


def load(path: str | Path, input_shapes: Mapping[str, Sequence[int]] | None = None) -> ArchGraph:
    """The computational graph of an ONNX file; what :func:`read` notes becomes Python warnings.

    Args:
        path: As for :func:`read`.
        input_shapes: As for :func:`read`.

    Raises:
        ModelFileError: It cannot be read as a network; one sentence says why.
    """
    model = read(path, input_shapes)
    for text in model.warnings:
        warnings.warn(f"{Path(path).name}: {text}", stacklevel=2)
    return model.graph
