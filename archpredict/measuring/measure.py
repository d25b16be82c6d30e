"""Speed of models, measured: each in a process of its own, between two looks at how quiet the machine is."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archpredict.backends import torch_device, versions
from archpredict.costs.settings import COMPILERS, LAYOUTS, MODES, PRECISIONS
from archpredict.errors import MissingDependencyError, UnknownNameError, UsageError, whole_number
from archpredict.measuring import machine
from archpredict.measuring.apart import WORKER, answered_apart
from archpredict.measuring.question import RUNTIMES, Question
from archpredict.measuring.quiet import Load, ReferenceLoad, doubts
from archpredict.measuring.running import import_onnxruntime
from archpredict.measuring.table import NO, YES, Measurement, read_with_others, write_measurements
from archpredict.measuring.timing import DEFAULT_LIMITS, MIN_REPEATS, Limits, half_width, median_interval
from archpredict.onnx.files import ONLY, find_models
from archpredict.onnx.reader import DEFAULT_SIZES, OpenSizes
from archpredict.progress import Event, Observer, silent
from archpredict.tables.formats.base import format_to_write

__all__ = ["Measurements", "measure"]

_SHARE_OF_FREE = 0.8
_MILLI, _MEGA = 1e3, 1e6


@dataclass(frozen=True)
class Measurements:
    """What was measured of some models.

    Args:
        rows: A row per model and batch size, in the order in which they were asked for.
        reused: How many of them were in the table before.
    """

    rows: tuple[Measurement, ...]
    reused: int = 0

    def __iter__(self) -> Iterator[Measurement]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def failures(self) -> list[Measurement]:
        """Those of which nothing was measured."""
        return [row for row in self.rows if row.failed]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: ``measured``, ``failed`` (lists of rows, by column) and ``reused``."""
        return {
            "measured": [row.to_dict() for row in self.rows if not row.failed],
            "failed": [row.to_dict() for row in self.failures],
            "reused": self.reused,
        }


def measure(
    models: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    batch_sizes: Sequence[int] = (1,),
    threads: int | None = None,
    device: str = "cpu",
    device_name: str | None = None,
    runtime: str = RUNTIMES[0],
    precision: str | None = None,
    layout: str = LAYOUTS[0],
    compiler: str = COMPILERS[0],
    mode: str = MODES[0],
    input_shape: Sequence[int] | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    input_size: int = DEFAULT_SIZES.image,
    sequence_length: int = DEFAULT_SIZES.sequence,
    seed: int = 0,
    retry: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    observer: Observer = silent,
    reference: Callable[[], Load] | None = None,
) -> Measurements:
    """Measure how fast models run on this machine.

    Every model runs in a process of its own: one that crashes, hangs or is refused becomes a row with its reason.
    After warming up, runs are repeated until the 95 % interval of their median is narrow. Before, between and after,
    a fixed reference load is timed; where it varies, the row says that it is not to be trusted. Weights that a file
    lacks are made up from the seed, and counted in the row.

    Args:
        models: .onnx or .onnx.gz files, folders or patterns.
        out: Table of measurements, written after every model. Rows that are in it are not measured again, unless the
            file of the model has changed; its other rows and columns stay.
        batch_sizes: Images at once; each is measured for every model.
        threads: On the CPU; all processors if left out.
        device: ``cpu``, ``cuda`` or ``cuda:1``.
        device_name: What the device is called in the table; made of the processor's name if left out.
        runtime: ``onnxruntime``, or ``torch``, where the graph is built anew with weights that are all made up.
        precision: Of torch: ``fp32`` if left out, ``amp`` (autocast to fp16), ``amp_bf16``, ``bf16``, ``fp16``. ONNX
            Runtime runs a file in the precision of its weights.
        layout: Of torch: ``nchw``, or ``nhwc`` for channels last in memory.
        compiler: Of torch: ``eager``, or ``dynamo`` for ``torch.compile``, which on a CPU takes a C++ compiler.
        mode: Of torch: ``infer``, or ``train`` for whole steps of training.
        input_shape: Shape of the input where files leave it open, for models with one input; the batch size takes the
            place of the first length.
        input_shapes: The same by the name of the input.
        input_size: Height and width of images, where files leave them open and no shape is given.
        sequence_length: Length of texts and time series, likewise.
        seed: Of what is made up.
        retry: Measure again what is in the table with a reason: failed, or not to be trusted.
        limits: When a measurement ends.
        observer: Told of every row.
        reference: Times the reference load; products of matrices if left out.

    Raises:
        UsageError: An argument is out of range, there are no models, or the table cannot be written.
        DataError: The table is of another kind.
        MissingDependencyError: The runtime is not installed.

    Example:
        >>> measure("models/*.onnx", "speed.csv", batch_sizes=[1, 64])  # doctest: +SKIP
        Measurements(rows=(Measurement(model='models/a.onnx', ...), ...), reused=0)
    """
    if not batch_sizes:
        raise UsageError("`batch_sizes` is empty; give at least one, such as `batch_sizes=[1]`")
    sizes = list(dict.fromkeys(whole_number("a batch size", size, 1) for size in batch_sizes))
    threads = machine.cores() if threads is None else whole_number("`threads`", threads, 1)
    device = _checked_device(device, runtime)
    _check_setting(runtime, device, precision=precision, layout=layout, compiler=compiler, mode=mode)
    question = Question(
        path="",
        runtime=runtime,
        device=device,
        precision=precision or "fp32",
        layout=layout,
        compiler=compiler,
        mode=mode,
        threads=threads,
        seed=whole_number("`seed`", seed, 0),
        shapes=_shapes(input_shape, input_shapes),
        sizes=OpenSizes(
            whole_number("`input_size`", input_size, 1), whole_number("`sequence_length`", sequence_length, 1)
        ),
        limits=_with_memory(limits),
    )
    paths = find_models([models] if isinstance(models, str | Path) else list(models))
    record = _Record(None if out is None else Path(out), paths)
    blank = _of_machine(question, device_name)
    asked = [
        replace(blank, model=str(path), batch_size=size, sha256=digest)
        for path in paths
        for digest in [_digest(path)]
        for size in sizes
    ]
    rows, reused = [], 0
    with tempfile.TemporaryDirectory() as compiled:
        session = _Session(question, reference or ReferenceLoad(question.device, threads), compiled)
        for done, row in enumerate(asked, start=1):
            known = record.find(row, retry)
            reused += known is not None
            rows.append(known or record.keep(session.measured(row)))
            observer(Event("measured", done, len(asked), _figures(rows)))
    return Measurements(tuple(rows), reused)


class _Session:
    """Measurements one after the other, with the reference load in between; ``compiled`` is a folder for programs."""

    def __init__(self, question: Question, reference: Callable[[], Load], compiled: str) -> None:
        self._question, self._reference, self._compiled = question, reference, compiled
        self._first: Load | None = None
        self._last: Load | None = None

    def measured(self, row: Measurement) -> Measurement:
        """A row with what comes of measuring it."""
        if self._last is None:
            self._first = self._last = self._reference()
        assert self._first is not None
        question = replace(self._question, path=row.model, batch_size=row.batch_size)
        environment = {
            "OMP_NUM_THREADS": str(row.threads),
            "MKL_NUM_THREADS": str(row.threads),
            "ORT_DISABLE_TELEMETRY": "1",
            "TORCHINDUCTOR_CACHE_DIR": self._compiled,
            "TORCHINDUCTOR_COMPILE_THREADS": "1",  # no processes that outlive this one
        }
        answer = answered_apart(WORKER, question.to_dict(), question.limits.timeout, environment)
        before, after = self._last, self._reference()
        self._last = after
        row = replace(row, reference_before_ms=before.seconds * _MILLI, reference_after_ms=after.seconds * _MILLI)
        return _answered(row, answer, question.limits, doubts(self._first, before, after))


def _answered(row: Measurement, answer: Mapping[str, Any], limits: Limits, unquiet: Iterable[str]) -> Measurement:
    """A row with the times that a process has answered, or why there are none."""
    if "error" in answer:
        return replace(row, reason=str(answer["error"]))
    times = [float(time) for time in answer["times"]]
    median, interval = Load.of(times).seconds, median_interval(times)
    reasons = list(unquiet)
    if interval is None:
        reasons.append(f"{len(times)} runs are fewer than the {MIN_REPEATS} that an interval takes")
    elif (width := half_width(times)) > limits.tolerance:
        reasons.append(f"the interval of the median is ± {100 * width:.1f} %, wider than {100 * limits.tolerance:g} %")
    peak = answer["peak_memory"]
    return replace(
        row,
        precision=str(answer["precision"]),
        samples_per_sec=row.batch_size / median,
        step_time_ms=median * _MILLI,
        step_time_low_ms=None if interval is None else interval[0] * _MILLI,
        step_time_high_ms=None if interval is None else interval[1] * _MILLI,
        repeats=len(times),
        peak_memory_mb=None if peak is None else peak / _MEGA,
        made_up=int(answer["made_up"]),
        trusted=NO if reasons else YES,
        reason="; ".join(reasons),
    )


class _Record:
    """The table that rows are kept in, if any."""

    def __init__(self, path: Path | None, models: Sequence[Path]) -> None:
        self._path = path
        self._rows: dict[tuple[Any, ...], Measurement] = {}
        self._others: list[dict[str, Any]] = []
        if path is None:
            return
        _check_place(path, models)
        if path.exists():
            found = read_with_others(path)
            self._rows = {row.key: row for row, _ in found}
            self._others = list({row.key: other for row, other in found}.values())

    def find(self, asked: Measurement, retry: bool) -> Measurement | None:
        """What is known of the same file, measured in the same setting."""
        row = self._rows.get(asked.key)
        if row is None or not row.sha256 or row.sha256 != asked.sha256 or (retry and row.reason):
            return None
        return row

    def keep(self, row: Measurement) -> Measurement:
        """Write it down, in the place of what was known of it."""
        self._rows[row.key] = row
        if self._path is not None:
            write_measurements(self._path, self._rows.values(), self._others)
        return row


def _check_place(path: Path, models: Sequence[Path]) -> None:
    format_to_write(path)
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no regular file; give the name of a file to write")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent} to write {path.name} into; make it first")
    if any(path.exists() and model.exists() and path.samefile(model) for model in models):
        raise UsageError(f"{path} is one of the models; write to another file")


def _checked_device(device: str, runtime: str) -> str:
    """The device, where the runtime is there and has it."""
    if runtime not in RUNTIMES:
        raise UnknownNameError("runtime", str(runtime), RUNTIMES)
    if runtime == "torch" or device == "cpu":
        if runtime != "torch":
            _check_installed()
        return str(torch_device(device)) if device != "cpu" else device
    _check_installed()
    if device.partition(":")[0] != "cuda":
        raise UnknownNameError("device", device, ("cpu", "cuda"))
    if "CUDAExecutionProvider" not in import_onnxruntime().get_available_providers():
        raise MissingDependencyError(
            f"device {device} was asked for, but this ONNX Runtime has no CUDA: pip install onnxruntime-gpu in its "
            "place, or give `device='cpu'`"
        )
    return str(torch_device(device))  # the reference load runs there in torch


def _check_setting(runtime: str, device: str, **given: str | None) -> None:
    """What is chosen of a setting is there, and the runtime can be told it.

    Raises:
        UnknownNameError: There is no such precision, layout, compiler or mode.
        UsageError: ONNX Runtime runs files as they are.
        MissingDependencyError: There is no C++ compiler.
    """
    for (name, value), choices in zip(given.items(), (PRECISIONS, LAYOUTS, COMPILERS, MODES), strict=True):
        if value is not None and value not in choices:
            raise UnknownNameError(name, str(value), choices)
        if runtime != "torch" and value not in (None, choices[0]):
            raise UsageError(
                f"ONNX Runtime runs a file as it is, and `{name}` {value} was asked for; give `runtime='torch'` too"
            )
    if given["compiler"] == "dynamo" and device == "cpu" and not any(map(shutil.which, _cpp_compilers())):
        raise MissingDependencyError(
            "torch.compile on a CPU needs a C++ compiler, and there is none; install g++ or clang, or give "
            "`compiler='eager'`"
        )


def _cpp_compilers() -> list[str]:
    return [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++", "c++", "cl"]


def _check_installed() -> None:
    if importlib.util.find_spec("onnxruntime") is None:
        import_onnxruntime()


def _with_memory(limits: Limits) -> Limits:
    free = machine.free_memory()
    if limits.memory is not None or free is None:
        return limits
    return replace(limits, memory=int(_SHARE_OF_FREE * free))


def _shapes(shape: Sequence[int] | None, shapes: Mapping[str, Sequence[int]] | None) -> dict[str, tuple[int, ...]]:
    found = {name: tuple(given) for name, given in (shapes or {}).items()}
    return found if shape is None else {**found, ONLY: tuple(shape)}


def _of_machine(question: Question, name: str | None) -> Measurement:
    """A row with what all rows of one call have."""
    title = machine.processor(question.device)
    package = "torch" if question.runtime == "torch" else "onnxruntime"
    found = versions(package, "onnxruntime-gpu")
    return Measurement(
        model="",
        device=name or machine.device_slug(title),
        runtime=f"{package} {found[package] or found['onnxruntime-gpu']}",
        batch_size=1,
        threads=question.threads,
        precision=question.precision if package == "torch" else "",
        layout=question.layout,
        compiler=question.compiler,
        mode=question.mode,
        processor=title,
        cores=machine.cores(),
        system=machine.system(),
        versions=machine.packages(),
    )


def _digest(path: Path) -> str:
    """SHA-256 of a file; empty where it cannot be read, of which the row will tell."""
    try:
        if not path.is_file():  # opening a pipe could wait for ever
            return ""
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def _figures(rows: Sequence[Measurement]) -> dict[str, float]:
    failed = sum(row.failed for row in rows)
    last = rows[-1].samples_per_sec
    speed = {} if last is None else {"images_per_second": last}
    return {**speed, **({"failed": failed} if failed else {})}
