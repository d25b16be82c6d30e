"""Ensembles of untrained networks and regressors, made of a predictor's arguments."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from archpredict.encoders.base import Encoder
from archpredict.errors import UsageError
from archpredict.heads.base import Head
from archpredict.predict.ensemble.ensemble import Ensemble
from archpredict.predict.inputs import InputSpec
from archpredict.predict.parts import PartLike, check_part_options, class_of, kind_of, made, options_of
from archpredict.predict.pretraining.cells import pretrained
from archpredict.predict.pretraining.pretrained_encoder import pretrained_encoder
from archpredict.predict.training.model import Model
from archpredict.predict.training.training import Training
from archpredict.progress import Observer
from archpredict.registry import resolve
from archpredict.registry.arguments import check_integer, check_positive
from archpredict.regressors.base import Regressor
from archpredict.runtime import seeded, without_initial_values
from archpredict.spaces.base import SearchSpace

_SIDE_DROPOUT, _SIDE_KEPT = 0.3, 130

NETWORK_PARTS: Mapping[str, type] = {"encoders": Encoder, "heads": Head}
"""The kinds of plug-ins that a network is made of, and what each derives from."""
Weighted = float | tuple[float, Mapping[str, Any]]
"""The weight of a regressor, alone or with keyword arguments of its constructor."""
Regressors = Mapping[Any, Weighted]
"""Weights by name or class."""


@dataclass(frozen=True)
class RegressorChoice:
    """One regressor of a predictor.

    Args:
        name: What it is called in the ensemble.
        kind: The class.
        weight: Where the networks together weigh 1.
        options: Keyword arguments of its constructor.
    """

    name: str
    kind: type[Regressor]
    weight: float
    options: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class EnsembleBuilder:
    """A builder of ensembles: what networks and regressors are made of, checked.

    Args:
        encoder, head, training, ensemble, seed: As ``Predictor`` takes them.
        regressors: As ``Predictor`` takes them.

    Raises:
        UsageError: An argument out of its range or of a wrong type, a name or an option that does not exist, or
            neither networks nor regressors.
    """

    encoder: PartLike | None
    head: PartLike
    training: Training
    ensemble: int
    regressors: Regressors | None
    seed: int
    weights: Mapping[str, Tensor] | None = field(init=False)
    """Those of a pre-trained encoder of networks."""
    encoder_class: type[Encoder] | None = field(init=False)
    head_class: type[Head] = field(init=False)
    choices: tuple[RegressorChoice, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.training, Training):
            raise UsageError(f"training is a Training, {self.training!r} was given")
        choices = regressor_choices(self.regressors)
        check_integer("ensemble, a number of networks,", self.ensemble, 0)
        if self.ensemble == 0 and not choices:
            raise UsageError("ensemble is a number of networks of at least 1, or 0 with regressors; 0 was given")
        check_integer("seed", self.seed, 0)
        if (begun := pretrained_encoder(self.encoder)) is not None:
            object.__setattr__(self, "encoder", begun.part)
        object.__setattr__(self, "weights", None if begun is None else begun.weights)
        encoder = None if self.encoder is None else class_of("encoders", "the encoder", self.encoder, Encoder)
        head = class_of("heads", "the head", self.head, Head)
        if encoder is not None:
            check_part_options(f"the encoder {_called(self.encoder)}", encoder, options_of(self.encoder), 2)
        check_part_options(f"the head {_called(self.head)}", head, options_of(self.head), 1)
        for name, value in (("encoder_class", encoder), ("head_class", head), ("choices", choices)):
            object.__setattr__(self, name, value)

    @property
    def form(self) -> str:
        """Form of the graphs that the encoder reads."""
        return "nodes" if self.encoder_class is None else self.encoder_class.form

    @property
    def wishes(self) -> tuple[str, ...]:
        """Sources that single regressors name, in the order in which they name them."""
        return tuple(dict.fromkeys(name for regressor in self._regressors().values() for name in regressor.sources))

    def build(self, spec: InputSpec, device: torch.device) -> Ensemble:
        """Networks with initial weights, and regressors, none of them trained.

        Raises:
            UsageError: There are members that read numbers beside the graph, and none are read.
        """
        self._check_numbers(spec)
        models = []
        for member in range(self.ensemble):
            with seeded(int(self.seed), member):
                models.append(self._network(spec).to(device))
        return self.around(models, spec, device)

    def hollow(self, spec: InputSpec, device: torch.device) -> Ensemble:
        """An ensemble to restore: its networks have shapes and no storage."""
        with torch.device("meta"), without_initial_values():
            models = [self._network(spec) for _ in range(self.ensemble)]
        return self.around(models, spec, device)

    def around(self, models: Sequence[Model], spec: InputSpec, device: torch.device) -> Ensemble:
        """An ensemble of these networks and of untrained regressors."""
        return Ensemble(spec, models, self._regressors(), [choice.weight for choice in self.choices], device)

    def _regressors(self) -> dict[str, Regressor]:
        return {
            choice.name: made(f"the regressor {choice.name}", choice.kind, (int(self.seed),), choice.options)
            for choice in self.choices
        }

    def _check_numbers(self, spec: InputSpec) -> None:
        """Every member that reads numbers beside the graph has some to read."""
        blind = [name for name, its in self._regressors().items() if not len(spec.columns_of(its.sources))]
        if blind or (self.encoder is None and self.ensemble and not spec.num_shared):
            raise UsageError(
                "regressors, and networks without an encoder, read numbers beside the graph, and there are none; "
                'give sources=("statistics",) or features, or regressors=None'
            )

    def pretrain(self, ensemble: Ensemble, space: SearchSpace | None, observer: Observer) -> None:
        """Give all networks a pre-trained encoder.

        Args:
            ensemble: Whose encoders they are.
            space: Of which architectures they learn the statistics, where they are not pre-trained on networks; None
                for bare graphs.
            observer: Told about pre-training.
        """
        if self.weights is not None:
            _begin_with(self.weights, ensemble)
        elif space is not None:
            self._pretrain_on(space, ensemble, observer)

    def _pretrain_on(self, space: SearchSpace, ensemble: Ensemble, observer: Observer) -> None:
        """Let encoders learn the statistics of architectures of the space."""
        spec = ensemble.spec
        # Choices say nothing about what they build; labels that the user left out of the vocabulary cannot be read.
        unreadable = spec.form == "choices" or not set(space.operators) <= set(spec.vocabulary)
        if not self.training.pretrain or self.encoder is None or not ensemble.models or unreadable:
            return
        make = partial(self._make_encoder, spec)
        key, persistent = self._identity()
        steps = self.training.pretrain
        weights = pretrained(make, space, spec, steps, key=key, persistent=persistent, observer=observer)
        if weights is not None:
            _begin_with(weights, ensemble)

    def _make_encoder(self, spec: InputSpec) -> Encoder:
        cells = 1 if spec.form == "choices" else spec.num_cells
        supplied = (spec.num_ops, cells)
        encoder: Encoder = made(
            f"the encoder {_called(self.encoder)}", self.encoder_class, supplied, options_of(self.encoder)
        )
        return encoder

    def _identity(self) -> tuple[object, bool]:
        """The identity of the encoder, and whether that holds in every process."""
        encoder, options = self.encoder_class, options_of(self.encoder)
        assert encoder is not None  # else there is nothing to pre-train
        name = f"{encoder.__module__}.{encoder.__qualname__}"
        try:
            key = f"{name} {json.dumps(options, sort_keys=True)}"
        except TypeError:  # options that are objects
            return (encoder, options), False
        # Code of the user's own may change from one process to the next.
        return (key, True) if name.startswith("archpredict.encoders.") else ((encoder, key), False)

    def _network(self, spec: InputSpec) -> Model:
        encoder = None if self.encoder is None else self._make_encoder(spec)
        side = nn.Linear(spec.num_shared, self.training.side_width) if spec.num_shared else None
        width = (encoder.out_features if encoder else 0) + (self.training.side_width if side else 0)
        head: Head = made(f"the head {_called(self.head)}", self.head_class, (width,), options_of(self.head))
        return Model(encoder, head, side, self._dropout(spec.num_shared))

    def _dropout(self, num_shared: int) -> float:
        if self.training.side_dropout is not None:
            return self.training.side_dropout
        return max(_SIDE_DROPOUT, 1 - _SIDE_KEPT / max(1, num_shared))


def _begin_with(weights: Mapping[str, Tensor], ensemble: Ensemble) -> None:
    for model in ensemble.models:
        if model.encoder is not None:
            model.encoder.load_state_dict(weights)


def regressor_choices(given: Regressors | None) -> tuple[RegressorChoice, ...]:
    """The regressors of a predictor, checked.

    Raises:
        UsageError: Something else than a mapping from names or classes to weights, a name or option that does not
            exist, or a weight that is not finite and above 0.
    """
    if not isinstance(given, Mapping | None):
        raise UsageError(f"regressors are a mapping from names to weights, {given!r} was given")
    choices = tuple(_regressor(kind, value) for kind, value in (given or {}).items())
    names = [choice.name for choice in choices]
    if twice := sorted({name for name in names if names.count(name) > 1 or "." in name}):
        raise UsageError(f"each regressor has a name of its own without a dot; {twice[0]!r} is not such a name")
    return choices


def _regressor(kind: str | type[Regressor], given: Weighted) -> RegressorChoice:
    weight, options = given if isinstance(given, (tuple, list)) and len(given) == 2 else (given, {})
    if not isinstance(options, Mapping):
        raise UsageError(f"the options of a regressor are a mapping, {options!r} was given for {kind!r}")
    if not isinstance(kind, (str, type)):
        raise UsageError(f"a regressor is a name or a class derived from Regressor, {kind!r} was given")
    found: type[Regressor] = resolve("regressors", kind, Regressor)
    name = kind if isinstance(kind, str) and ":" not in kind else found.name
    check_positive(f"the weight of the regressor {name}", weight)
    check_part_options(f"the regressor {name}", found, options, 1)
    return RegressorChoice(name, found, float(weight), options)


def _called(part: Any) -> str:
    """What a part is called in messages."""
    kind = kind_of(part)
    return kind.__name__ if isinstance(kind, type) else str(kind)
