"""A model made ready to run: in ONNX Runtime, or in torch (:mod:`archpredict.measuring.in_torch`)."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from archpredict.errors import MissingDependencyError, ModelFileError
from archpredict.measuring.batching import UNCHANGEABLE, check_row, filled_shapes, is_rewritten, with_batch
from archpredict.measuring.question import Question, Ready
from archpredict.measuring.weights import absent, stored_elements, weights_of
from archpredict.onnx.reader import read_proto

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


def ready(question: Question) -> Ready:
    """Make a model ready to run.

    Raises:
        ModelFileError: It cannot be read or run; one sentence says why.
        MissingDependencyError: The runtime is not installed.
    """
    if question.runtime == "torch":
        from archpredict.measuring.in_torch import ready_in_torch

        return ready_in_torch(question)
    return _in_onnxruntime(question)


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
