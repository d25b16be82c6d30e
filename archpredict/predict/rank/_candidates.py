"""Candidates: models of every kind that can be ranked, read once, in the form that a predictor reads."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx

from archpredict.errors import ModelFileError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import check_computational, total
from archpredict.networks.form import Form
from archpredict.onnx.apart import MANY, FileReading, read_apart
from archpredict.onnx.files import Failure, Shapes, check_found, check_input_names, expanded, read_model
from archpredict.onnx.reader import OpenSizes
from archpredict.predict.rank._timm import TimmName, timm_name
from archpredict.progress import Event, Observer
from archpredict.spaces.base import Architecture

if TYPE_CHECKING:
    from torch import nn

    from archpredict.onnx.modules import Example
    from archpredict.onnx.reader import OnnxModel


@dataclass(frozen=True, eq=False)
class Candidate:
    """One model.

    Args:
        name: What it is called.
        model: As it was given; of a folder or pattern, the file.
        architecture: What the predictor reads.
        source: What reading found, of files, ONNX models and torch modules.
    """

    name: str
    model: Any
    architecture: Architecture | ArchGraph
    source: OnnxModel | None

    @property
    def graph(self) -> ArchGraph:
        """Its graph."""
        return self.architecture.graph if isinstance(self.architecture, Architecture) else self.architecture

    @property
    def costs(self) -> tuple[int | None, int | None]:
        """Parameters and multiply-adds, as far as they are known."""
        if isinstance(self.architecture, Architecture):
            found = self.architecture.cost
        else:
            known = [name for name in ("params", "macs") if name in self.graph.attrs]
            found = {name: total(self.graph, name) for name in known}
        params, macs = (int(found[name]) if name in found else None for name in ("params", "macs"))
        return params, macs


def equal(candidates: Sequence[Candidate], *, by_choices: bool) -> list[int]:
    """For each candidate the index of the first one that is equal up to the numbering of its nodes.

    Keys are only made of graphs that agree in what is counted at once. A predictor that reads choices tells
    architectures with equal graphs apart.
    """
    alike = defaultdict(list)
    for i, candidate in enumerate(candidates):
        graph, architecture = candidate.graph, candidate.architecture
        choices = architecture.choices if by_choices and isinstance(architecture, Architecture) else None
        alike[choices, tuple(sorted(graph.ops)), graph.num_edges, candidate.costs].append(i)
    first = list(range(len(candidates)))
    for members in alike.values():
        seen: dict[str, int] = {}
        for i in members if len(members) > 1 else ():
            first[i] = seen.setdefault(candidates[i].graph.key, i)
    return first


@dataclass(frozen=True, eq=False)
class Chunk:
    """Models that are scored together.

    Args:
        candidates: Those that were read, by number, in order.
        failures: The others.
        is_part: Whether there are further chunks.
    """

    candidates: Mapping[int, Candidate]
    failures: Mapping[int, Failure]
    is_part: bool


@dataclass(frozen=True)
class Reading:
    """A reading of models as candidates.

    Args:
        predictor: Name of the predictor, for messages.
        space: Name of the search space of which the predictor reads architectures; None for graphs.
        networks: Whether these graphs are whole networks.
        example: Input of torch modules that come without one.
        shapes: Of inputs that files leave open, by name.
        sizes: Of images and sequences that files leave open and for which there is no shape.
        form: How architectures of a space become networks.
        files: How many files are read.
    """

    predictor: str
    space: str | None
    networks: bool
    example: Example | None
    shapes: Shapes
    sizes: OpenSizes
    form: Form
    files: FileReading = FileReading()  # noqa: RUF009 - it never changes

    def chunks(self, models: Any, observer: Observer, size: int | None) -> Iterator[Chunk]:
        """All models, ``size`` of neighbours at a time; a chunk comes when the last of them is read.

        Args:
            models: What was given.
            observer: Is told how many are read, and how many in a second.
            size: None for all in one.

        Raises:
            UsageError: Something is no model, or none that the predictor reads; or a shape is of no input.
        """
        given = list(_named(models))
        size = size or max(1, len(given))
        if not given:
            yield Chunk({}, {}, False)
        unfinished: dict[int, list[tuple[int, Candidate | Failure]]] = defaultdict(list)
        inputs: dict[str, None] = {}
        start = time.monotonic()
        for done, (i, outcome) in enumerate(self._outcomes(given), start=1):
            rate = done / max(time.monotonic() - start, 1e-9)
            observer(Event("reading", done, len(given), {"files_per_second": rate} if len(given) >= MANY else {}))
            unfinished[i // size].append((i, outcome))
            if len(unfinished[i // size]) == min(size, len(given) - i // size * size):
                read = dict(sorted(unfinished.pop(i // size), key=itemgetter(0)))
                found = {i: one for i, one in read.items() if isinstance(one, Candidate)}
                sources = [candidate.source for candidate in found.values() if candidate.source is not None]
                inputs |= dict.fromkeys(name for source in sources for name in source.inputs)
                failures = {i: one for i, one in read.items() if isinstance(one, Failure)}
                yield Chunk(found, failures, len(given) > size)
        if inputs:
            check_input_names(inputs, self.shapes)

    def _outcomes(self, given: Sequence[tuple[str, Any]]) -> Iterator[tuple[int, Candidate | Failure]]:
        """Each model as it is read, by its number; files in processes, where there are many."""
        files = {i: model for i, (_, model) in enumerate(given) if isinstance(model, Path) and self.space is None}
        apart = files if self.files.is_apart(len(files)) else {}
        for i, (name, model) in enumerate(given):
            if i not in apart:
                try:
                    yield i, self._candidate(name, model)
                except ModelFileError as error:
                    yield i, Failure(name, str(error))
        for i, source in read_apart(apart, self.shapes, self.sizes, self.files) if apart else ():
            name, model = given[i]
            if isinstance(source, ModelFileError):
                yield i, Failure(name, str(source))
                continue
            try:
                _check_sizes(source, name)
                yield i, Candidate(name, model, source.graph, source)
            except ModelFileError as error:
                yield i, Failure(name, str(error))

    def _candidate(self, name: str, model: Any) -> Candidate:
        given, example = model if _has_example(model) else (model, self.example)
        if isinstance(given, Architecture | ArchGraph):
            return Candidate(name, given, self._architecture(name, given), None)
        if self.space is not None:
            raise UsageError(
                f"the predictor {self.predictor} was fitted on the space {self.space}, not on ONNX models; leave out "
                "`predictor`, or fit one to ONNX models with `Predictor.fit`"
            )
        if isinstance(given, TimmName):
            module, image = given.made()
            source = _module(module, image, name)
        elif isinstance(given, Path | onnx.ModelProto):
            source = read_model(given, self.shapes, self.sizes, name=name)
        else:
            source = _module(given, example, name)
        _check_sizes(source, name)
        return Candidate(name, str(given) if isinstance(given, TimmName) else given, source.graph, source)

    def _architecture(self, name: str, given: Architecture | ArchGraph) -> Architecture | ArchGraph:
        """An architecture or graph as the predictor reads it."""
        if isinstance(given, Architecture):
            if self.space is not None and given.space.name != self.space:
                raise UsageError(
                    f"the predictor {self.predictor} was fitted on the space {self.space}, and {name} is of the space "
                    f"{given.space.name}; take another predictor"
                )
            return self.form.graph(given.space, given.choices) if self.networks else given
        if self.networks:
            try:
                check_computational(given)
            except UsageError as error:
                raise UsageError(f"{name} is no graph of a whole network: {error}") from error
        return given


_MOST_UNPLACED = 0.5


def _check_sizes(model: OnnxModel, name: str) -> None:
    """An input of unknown size leaves most layers with known ones: a model would be ranked by zeros otherwise.

    Raises:
        ModelFileError: It does not.
    """
    unknown = any(-1 in shape or not shape for shape in model.inputs.values())
    if unknown and model.unplaced > _MOST_UNPLACED:
        raise ModelFileError(
            f"{name} cannot be ranked: layers with {100 * model.unplaced:.0f} % of its parameters have sizes that are "
            f"not known ({next(iter(model.warnings), 'shapes are missing')}); give `input_shapes`, or export it again"
        )


def _module(module: nn.Module, example: Example | None, name: str) -> OnnxModel:
    from archpredict.onnx.modules import read_module  # which loads torch's exporter

    if example is None:
        raise UsageError(
            f"{name} is a torch module without an example input; give (module, example) or `example=torch.zeros(...)`"
        )
    return read_module(module, example, name)


# ---------------------------------------------------------------------- names


def _named(models: Any) -> Iterator[tuple[str, Any]]:
    """Each model with a name of its own; folders and patterns as the files that they lead to."""
    if isinstance(models, Mapping):
        yield from ((str(name), _single(str(name), model)) for name, model in models.items())
        return
    each = _flat([models] if _is_model(models) or _has_example(models) else models)
    plain = [(_plain_name(model), model) for model in each]
    names = [name for name, _ in plain]
    for place, (name, model) in enumerate(plain):
        several = not isinstance(model, Path | Architecture) and names.count(name) > 1
        yield f"{name} {names[: place + 1].count(name)}" if several else name, model


def _single(name: str, model: Any) -> Any:
    """A model of a mapping, where a path is one file."""
    if (of_timm := timm_name(model)) is not None:
        return of_timm
    if not isinstance(model, str | Path):
        return _checked(model)
    if Path(model).is_dir():
        raise UsageError(f"{name} is the folder {model}; in a mapping, each name has one model")
    return Path(model)


def _flat(models: Any) -> list[Any]:
    """Models in their order, with the files themselves in place of folders and patterns, each file or name once."""
    try:
        given = list(models)
    except TypeError:
        raise UsageError(_no_model(models)) from None
    each: dict[Any, Any] = {}
    for number, model in enumerate(given):
        if (of_timm := timm_name(model)) is not None:
            each.setdefault(of_timm, of_timm)
        elif isinstance(model, str | Path):
            for path in expanded([model]):
                each.setdefault(path.resolve(), path)
        else:
            each[number] = _checked(model)
    found = list(each.values())
    if all(isinstance(model, str | Path) for model in given) and not any(
        isinstance(model, TimmName) for model in found
    ):
        check_found(given, found)
    return found


def _checked(model: Any) -> Any:
    if not (_is_model(model) or _has_example(model)):
        raise UsageError(_no_model(model))
    return model


def _no_model(model: Any) -> str:
    return (
        "models are paths, folders, patterns, ONNX models, torch modules with an example input, names such as "
        f"`timm:resnet18`, graphs or architectures; {type(model).__name__} was given"
    )


def _plain_name(model: Any) -> str:
    given = model[0] if _has_example(model) else model
    if isinstance(given, Path | Architecture | TimmName):
        return str(given)
    if isinstance(given, onnx.ModelProto):
        return given.graph.name or "model"
    return "graph" if isinstance(given, ArchGraph) else type(given).__name__


def _is_model(model: Any) -> bool:
    return isinstance(model, str | Path | Architecture | ArchGraph | onnx.ModelProto) or _is_module(model)


def _has_example(model: Any) -> bool:
    """Whether it is a torch module with what it is called with."""
    return isinstance(model, tuple) and len(model) == 2 and _is_module(model[0]) and not _is_model(model[1])


def _is_module(model: Any) -> bool:
    from torch import nn

    return isinstance(model, nn.Module)
