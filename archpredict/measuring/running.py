"""A model made ready to run: in ONNX Runtime, or in torch where its graph can be built there."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from archpredict.errors import InvalidGraphError, MissingDependencyError, ModelFileError
from archpredict.measuring.batching import UNCHANGEABLE, check_row, filled_shapes, is_rewritten, with_batch
from archpredict.measuring.timing import DEFAULT_LIMITS, Limits
from archpredict.measuring.weights import absent, stored_elements, weights_of
from archpredict.onnx.files import Shapes, read_model
from archpredict.onnx.reader import DEFAULT_SIZES, OpenSizes, read_proto

RUNTIMES = ("onnxruntime", "torch")
"""What runs models."""
_GZIP = b"\x1f\x8b"
_LONGEST = 300
_INPUTS = {
    "float": np.float32,
    "double": np.float64,
    "float16": np.float16,
    "uint8": np.uint8,
    "int8": np.int8,
    "int32": np.int32,
    "int64": np.int64,
    "bool": np.bool_,
}
_PRECISIONS: Mapping[int, str] = {
    onnx.TensorProto.FLOAT: "fp32",
    onnx.TensorProto.DOUBLE: "fp64",
    onnx.TensorProto.FLOAT16: "fp16",
    onnx.TensorProto.BFLOAT16: "bf16",
    onnx.TensorProto.INT8: "int8",
    onnx.TensorProto.UINT8: "int8",
}


@dataclass(frozen=True)
class Question:
    """What a process is asked to measure.

    Args:
        path: The model's file.
        runtime: One of :data:`RUNTIMES`.
        device: ``cpu``, ``cuda`` or ``cuda:1``.
        batch_size: Images at once.
        threads: On the CPU.
        seed: Of weights and inputs that are made up.
        shapes: Of inputs by name.
        sizes: Of images and sequences that the file leaves open.
        limits: When to end.
    """

    path: str
    runtime: str = "onnxruntime"
    device: str = "cpu"
    batch_size: int = 1
    threads: int = 1
    seed: int = 0
    shapes: Mapping[str, tuple[int, ...]] | None = None
    sizes: OpenSizes = DEFAULT_SIZES
    limits: Limits = DEFAULT_LIMITS

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Question:
        """From what :meth:`to_dict` gave."""
        shapes = {name: tuple(shape) for name, shape in (given["shapes"] or {}).items()}
        sizes, limits = OpenSizes(**given["sizes"]), Limits(**given["limits"])
        return cls(**{**given, "shapes": shapes, "sizes": sizes, "limits": limits})


@dataclass(frozen=True)
class Ready:
    """A model that can be run.

    Args:
        run: Runs it once, on the same inputs each time.
        precision: Of most of its weights.
        made_up: How many parameters were made up.
    """

    run: Callable[[], object]
    precision: str
    made_up: int


def ready(question: Question) -> Ready:
    """Make a model ready to run.

    Raises:
        ModelFileError: It cannot be read or run; one sentence says why.
        MissingDependencyError: The runtime is not installed.
    """
    return _in_torch(question) if question.runtime == "torch" else _in_onnxruntime(question)


# ---------------------------------------------------------------------- ONNX Runtime


def import_onnxruntime() -> Any:
    """The package.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(
            "measuring ONNX files needs ONNX Runtime, which is not installed: pip install 'archpredict[measure]', "
            "or onnxruntime-gpu for CUDA"
        ) from error
    return onnxruntime


def _in_onnxruntime(question: Question) -> Ready:
    path = Path(question.path)
    read_proto(path)  # whose sentences say what is no model
    model = onnx.load_model_from_string(_content(path))
    tensors = absent(model, path.parent)
    _check_memory(sum(tensor.num_bytes for tensor in tensors), question.limits.memory)
    shapes = filled_shapes(model, path, question.batch_size, question.shapes or {}, question.sizes)
    weights = dict(weights_of(tensors, question.seed))
    kinds = stored_elements(model)
    precision = _PRECISIONS.get(max(kinds, key=kinds.__getitem__), "other") if kinds else "fp32"
    changed = is_rewritten(model, shapes)
    session = _session(model, weights, path.parent, question)
    feeds = _feeds(session, shapes, question.seed)
    if changed:
        session = _for_batch(session, model, feeds, weights, question)
    return Ready(_runner(session, feeds, question.device), precision, sum(t.elements for t in tensors))


def _for_batch(
    single: Any, model: onnx.ModelProto, feeds: Mapping[str, Any], weights: Mapping[str, Any], question: Question
) -> Any:
    """A session that runs a batch of a model for one image; ``single`` runs one."""
    try:
        session = _session(with_batch(model, question.batch_size), weights, Path(question.path).parent, question)
        several = _run(session, feeds)
    except ModelFileError as error:
        raise ModelFileError(UNCHANGEABLE.format(question.batch_size, error)) from error
    for place in (0, question.batch_size - 1):
        image = {name: array[place : place + 1] for name, array in feeds.items()}
        check_row(_run(single, image), several, place, question.batch_size)
    return session


def _content(path: Path) -> bytes:
    with path.open("rb") as stream:
        if stream.read(2) != _GZIP:
            return path.read_bytes()
    with gzip.open(path) as unpacked:  # whose length reading it without weights has checked
        return unpacked.read()


def _check_memory(needed: int, limit: int | None) -> None:
    if limit is not None and needed > limit:
        raise ModelFileError(f"its absent weights take {needed:,} bytes, more than the limit of {limit:,}")


def _session(model: onnx.ModelProto, weights: Mapping[str, Any], folder: Path, question: Question) -> Any:
    runtime = import_onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = question.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder.resolve()))
    if weights:
        values = [runtime.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
        options.add_external_initializers(list(weights), values)
    kind, _, number = question.device.partition(":")
    providers: list[Any] = ["CPUExecutionProvider"]
    if kind == "cuda":
        providers = [("CUDAExecutionProvider", {"device_id": number or "0"}), *providers]
    try:
        session = runtime.InferenceSession(model.SerializeToString(), options, providers=providers)
    except Exception as error:  # ONNX Runtime has a class of its own for each status
        raise _refused(error) from error
    if kind == "cuda" and "CUDAExecutionProvider" not in session.get_providers():
        raise ModelFileError("ONNX Runtime could not begin on CUDA, and would have run on the CPU")
    return session


def _run(session: Any, feeds: Mapping[str, Any]) -> Sequence[Any]:
    try:
        outputs: Sequence[Any] = session.run(None, feeds)
    except Exception as error:
        raise _refused(error) from error
    return outputs


def _refused(error: Exception) -> ModelFileError:
    text = " ".join(str(error).split())
    return ModelFileError(f"ONNX Runtime refuses it: {text if len(text) <= _LONGEST else text[:_LONGEST] + '...'}")


def _feeds(session: Any, shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
    """Inputs of random numbers; integers, which are indices or masks, are 1."""
    feeds = {}
    for place, given in enumerate(session.get_inputs()):
        kind = given.type.removeprefix("tensor(").removesuffix(")")
        if kind not in _INPUTS or given.name not in shapes:
            raise ModelFileError(f"its input {given.name[:60]!r} is {given.type}, of which no values are made up")
        shape, dtype = shapes[given.name], np.dtype(_INPUTS[kind])
        rng = np.random.default_rng([seed, place])
        is_float = dtype.kind == "f"
        feeds[given.name] = rng.standard_normal(shape, np.float32).astype(dtype) if is_float else np.ones(shape, dtype)
    return feeds


def _runner(session: Any, feeds: Mapping[str, Any], device: str) -> Callable[[], object]:
    """Runs a session; on CUDA without copies between the memories."""
    kind, _, number = device.partition(":")
    if kind == "cpu":
        return lambda: _run(session, feeds)
    value = import_onnxruntime().OrtValue
    binding = session.io_binding()
    for name, array in feeds.items():
        binding.bind_ortvalue_input(name, value.ortvalue_from_numpy(array, kind, int(number or 0)))
    for output in session.get_outputs():
        binding.bind_output(output.name, kind, int(number or 0))

    def run() -> None:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    return run


# ---------------------------------------------------------------------- torch


def _in_torch(question: Question) -> Ready:
    import torch

    from archpredict.networks.exporting import image_shape
    from archpredict.networks.network import build

    torch.set_num_threads(question.threads)
    shapes: Shapes = question.shapes or {}
    model = read_model(question.path, shapes, question.sizes)
    try:
        network = build(model.graph, norm=False, seed=question.seed).eval().to(question.device)
    except InvalidGraphError as error:
        raise ModelFileError(f"torch cannot run its graph: {error}") from error
    generator = torch.Generator().manual_seed(question.seed)
    images = torch.randn(question.batch_size, *image_shape(model.graph), generator=generator).to(question.device)
    made_up = sum(parameter.numel() for parameter in network.parameters())

    def run() -> None:
        with torch.inference_mode():
            network(images)
        if images.is_cuda:
            torch.cuda.synchronize(question.device)

    return Ready(run, "fp32", made_up)
