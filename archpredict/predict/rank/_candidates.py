"""Candidates: models of every kind that can be ranked, read once, in the form that a predictor reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx

from archpredict.errors import ModelFileError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import check_computational, total
from archpredict.networks.form import Form
from archpredict.onnx.files import Failure, Shapes, check_found, check_input_names, expanded, read_model
from archpredict.onnx.reader import OpenSizes
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
    """

    predictor: str
    space: str | None
    networks: bool
    example: Example | None
    shapes: Shapes
    sizes: OpenSizes
    form: Form

    def candidates(self, models: Any, observer: Observer) -> tuple[list[Candidate], list[Failure]]:
        """All models that can be read, and why the others cannot.

        Raises:
            UsageError: Something is no model, or none that the predictor reads; or a shape is of no input.
        """
        given = list(_named(models))
        found: list[Candidate] = []
        failures: list[Failure] = []
        for done, (name, model) in enumerate(given, start=1):
            try:
                found.append(self._candidate(name, model))
            except ModelFileError as error:
                failures.append(Failure(name, str(error)))
            observer(Event("reading", done, len(given)))
        inputs = [name for candidate in found if candidate.source is not None for name in candidate.source.inputs]
        if inputs:
            check_input_names(inputs, self.shapes)
        return found, failures

    def _candidate(self, name: str, model: Any) -> Candidate:
        given, example = model if _has_example(model) else (model, self.example)
        if isinstance(given, Architecture | ArchGraph):
            return Candidate(name, given, self._architecture(name, given), None)
        if self.space is not None:
            raise UsageError(
                f"the predictor {self.predictor} was fitted on the space {self.space}, not on ONNX models; leave out "
                "`predictor`, or fit one to ONNX models with `Predictor.fit`"
            )
        if isinstance(given, Path | onnx.ModelProto):
            source = read_model(given, self.shapes, self.sizes, name=name)
        else:
            source = _module(given, example, name)
        _check_sizes(source, name)
        return Candidate(name, given, source.graph, source)

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
        several = names.count(name) > 1 and not isinstance(model, Path | Architecture)
        yield f"{name} {names[: place + 1].count(name)}" if several else name, model


def _single(name: str, model: Any) -> Any:
    """A model of a mapping, where a path is one file."""
    if not isinstance(model, str | Path):
        return _checked(model)
    if Path(model).is_dir():
        raise UsageError(f"{name} is the folder {model}; in a mapping, each name has one model")
    return Path(model)


def _flat(models: Any) -> list[Any]:
    """Models in their order, with the files themselves in place of folders and patterns, each file once."""
    try:
        given = list(models)
    except TypeError:
        raise UsageError(_no_model(models)) from None
    each: dict[Any, Any] = {}
    for number, model in enumerate(given):
        if isinstance(model, str | Path):
            for path in expanded([model]):
                each.setdefault(path.resolve(), path)
        else:
            each[number] = _checked(model)
    if all(isinstance(model, str | Path) for model in given):
        check_found(given, list(each.values()))
    return list(each.values())


def _checked(model: Any) -> Any:
    if not (_is_model(model) or _has_example(model)):
        raise UsageError(_no_model(model))
    return model


def _no_model(model: Any) -> str:
    return (
        "models are paths, folders, patterns, ONNX models, torch modules with an example input, graphs or "
        f"architectures; {type(model).__name__} was given"
    )


def _plain_name(model: Any) -> str:
    given = model[0] if _has_example(model) else model
    if isinstance(given, Path | Architecture):
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
