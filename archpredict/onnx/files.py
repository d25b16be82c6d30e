"""Model files: found in folders and patterns, read one by one, and whether they are image classifiers."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archpredict.errors import ModelFileError, UsageError
from archpredict.onnx._file.reading import read_proto, stripped
from archpredict.onnx._trace.inputs import input_names
from archpredict.onnx.reader import DEFAULT_SIZES, OnnxModel, OpenSizes, interpret
from archpredict.progress import Event, Observer

__all__ = ["find_models", "read_model", "read_models"]

ENDINGS = (".onnx", ".onnx.gz")
_MAX_FILES = 100_000
_MAX_ENTRIES = 1_000_000
Shapes = Mapping[str, tuple[int, ...]]
ONLY = ""
"""Stands for the name of a model's only input."""


@dataclass(frozen=True)
class Failure:
    """A model that could not be read, and the sentence that says why."""

    model: str
    error: str


# ---------------------------------------------------------------------- finding


def find_models(given: Sequence[str | Path]) -> list[Path]:
    """The files that paths, folders and patterns lead to (:func:`expanded`).

    Raises:
        UsageError: Nothing is there at all, or too much.
    """
    paths = expanded(given)
    check_found(given, paths)
    return paths


def expanded(given: Sequence[str | Path]) -> list[Path]:
    """The files that paths, folders and patterns lead to, each once, in the order given.

    Folders are searched with all folders below them, for names that end in .onnx or .onnx.gz, in alphabetical order.
    Paths of files that are not there are kept: reading them says so.
    """
    found: dict[Path, Path] = {}
    for place in given:
        for path in _expanded(place):
            found.setdefault(path.resolve(), path)
    return list(found.values())


def check_found(given: Sequence[str | Path], paths: Sequence[Path]) -> None:
    """There is a file among those that were found, where any was asked for.

    Raises:
        UsageError: Nothing is there at all.
    """
    if given and not any(path.exists() for path in paths):
        where = f"in {given[0]}" if len(given) == 1 else f"in any of the {len(given)} places given"
        raise UsageError(f"there is no ONNX model {where}; give .onnx or .onnx.gz files, folders or patterns of them")


def _expanded(place: str | Path) -> list[Path]:
    path, text = Path(place), str(place)
    try:
        if path.is_dir():
            return _below(path)
        if path.exists() or not glob.has_magic(text):
            return [path]
    except (OSError, ValueError) as error:  # a name that is too long, or holds a null
        raise UsageError(f"{text[:80]!r} is no file's path: {error}") from error
    matches = (Path(name) for name in sorted(glob.iglob(text, recursive=True)))
    return [file for match in matches for file in (_below(match) if match.is_dir() else [match])]


def _below(folder: Path) -> list[Path]:
    files: list[Path] = []
    entries = 0
    for place, folders, names in os.walk(folder):
        folders.sort()
        entries += len(names) + len(folders)
        files += [Path(place, name) for name in sorted(names) if name.lower().endswith(ENDINGS)]
        if len(files) > _MAX_FILES or entries > _MAX_ENTRIES:
            raise UsageError(
                f"the folder {folder} holds more than {_MAX_FILES:,} models or {_MAX_ENTRIES:,} files; "
                "give a smaller folder"
            )
    return files


def stem(name: str) -> str:
    """A file's name without what it ends in, where that is .onnx or .onnx.gz.

    Example:
        >>> stem("net.onnx.gz"), stem("net.v2")
        ('net', 'net.v2')
    """
    ending = next((e for e in reversed(ENDINGS) if name.lower().endswith(e)), "")
    return name[: len(name) - len(ending)]


# ---------------------------------------------------------------------- reading


def read_model(
    source: Any, shapes: Shapes, sizes: OpenSizes = DEFAULT_SIZES, *, name: str = "", check_names: bool = False
) -> OnnxModel:
    """An ONNX model as a computational graph, with the shapes that concern it.

    Args:
        source: A file, or a model in memory as ``onnx.load`` gives it.
        shapes: Shapes of inputs by name; that of :data:`ONLY` is of the only one, whatever its name.
        sizes: Of images and sequences, where a file leaves them open and no shape is given.
        name: What messages call a model in memory.
        check_names: Refuse names that are none of its inputs.

    Raises:
        ModelFileError: It cannot be read as a network; the message names it.
        UsageError: A shape is of an input that it has not.
    """
    path = Path(source) if isinstance(source, str | Path) else None
    called = str(path or name)
    proto = read_proto(path) if path is not None else stripped(source, called)
    try:
        inputs = input_names(proto)
        if check_names:
            check_input_names(inputs, shapes)
        return interpret(proto, _own(inputs, shapes, called), path, sizes, None if path is not None else source)
    except ModelFileError as error:
        raise ModelFileError(str(error) if called in str(error) else f"{called}: {error}") from error


def _own(inputs: Sequence[str], shapes: Shapes, called: str) -> dict[str, tuple[int, ...]]:
    """The shapes of a model's own inputs."""
    own = {name: shape for name, shape in shapes.items() if name in inputs}
    if ONLY not in shapes or own:
        return own
    if len(inputs) != 1:
        raise ModelFileError(
            f"{called} has {len(inputs)} inputs, {', '.join(inputs)}; "
            "say which one has the shape: `input_shapes={'NAME': (1, 3, 224, 224)}`"
        )
    return {inputs[0]: shapes[ONLY]}


def read_models(
    paths: Sequence[Path], shapes: Shapes, observer: Observer, sizes: OpenSizes = DEFAULT_SIZES
) -> tuple[list[OnnxModel], list[Failure]]:
    """The models of all files that can be read, and why the others cannot.

    Raises:
        UsageError: A shape is of an input that no model has.
    """
    models, failures = [], []
    for done, path in enumerate(paths, start=1):
        try:
            models.append(read_model(path, shapes, sizes))
        except ModelFileError as error:
            failures.append(Failure(str(path), str(error)))
        observer(Event("reading", done, len(paths)))
    if models:
        check_input_names([name for model in models for name in model.inputs], shapes)
    return models, failures


def check_input_names(inputs: Iterable[str], shapes: Shapes) -> None:
    """Every shape is of an input that some model has.

    Args:
        inputs: Names of the inputs of all models.
        shapes: Shapes by name.

    Raises:
        UsageError: One is not.
    """
    names = dict.fromkeys(inputs)
    for name in shapes:
        if name != ONLY and name not in names:
            raise UsageError(f"`input_shapes`: no model has an input {name!r}; there are: {', '.join([*names][:10])}")


# ---------------------------------------------------------------------- what they are


def not_a_classifier(model: OnnxModel) -> str | None:
    """Why a model is no image classifier, as the end of a sentence; None where it is one, as far as one can tell."""
    if len(model.inputs) != 1:
        return f"it has {len(model.inputs)} inputs, an image classifier has one"
    ((name, shape),) = model.inputs.items()
    if len(shape) != 4 or not any(length in (-1, 1, 2, 3, 4) for length in (shape[1], shape[3])):
        return f"its input {name!r} has {_named_shape(shape)}, expected images, e.g. 1x3x224x224"
    for name, shape in model.outputs.items():
        classes = [length for length in shape[1:] if length != 1]
        if len(shape) < 2 or len(classes) != 1 or shape[1] == 1:
            return f"its output {name!r} has {_named_shape(shape)}, expected one score per class, e.g. 1x1000"
    return None


def _named_shape(shape: Sequence[int]) -> str:
    return f"shape {shown_shape(shape)}" if shape else "a shape that is not known"


def shown_shape(shape: Sequence[int]) -> str:
    """A shape as people write it.

    Example:
        >>> shown_shape((-1, 3, 224, 224))
        '?x3x224x224'
    """
    return "x".join("?" if length < 0 else str(length) for length in shape) or "that is not known"
