"""Members: the networks and regressors of a predictor, made of its arguments."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from archpredict.encoders.base import Encoder
from archpredict.errors import UsageError
from archpredict.heads.base import Head
from archpredict.predict.ensemble import Ensemble
from archpredict.predict.inputs import InputSpec
from archpredict.predict.pretraining import pretrained
from archpredict.predict.training import Model
from archpredict.registry import resolve
from archpredict.regressors.base import Regressor
from archpredict.runtime import seeded
from archpredict.spaces.base import SearchSpace

_SIDE_DROPOUT, _SIDE_KEPT = 0.3, 130


@dataclass(frozen=True)
class Members:
    """What the members of an ensemble are made of; the arguments are those of ``Predictor`` with the same names.

    Raises:
        UsageError: No member at all, a weight, a seed or a width out of range.
    """

    encoder: str | type[Encoder] | None
    head: str | type[Head]
    encoder_options: Mapping[str, Any] | None
    head_options: Mapping[str, Any] | None
    side_width: int
    side_dropout: float | None
    ensemble: int
    regressors: Mapping[str, float] | None
    regressor_options: Mapping[str, Mapping[str, Any]] | None
    seed: int

    def __post_init__(self) -> None:
        if self.ensemble < 0 or (self.ensemble == 0 and not self.regressors):
            raise UsageError(
                f"ensemble is a number of networks of at least 1, or 0 with regressors; {self.ensemble} was given"
            )
        if any(not 0 < weight < np.inf for weight in (self.regressors or {}).values()):
            raise UsageError(f"regressors have weights above 0, {dict(self.regressors or {})} was given")
        if self.seed < 0:
            raise UsageError(f"the seed is an integer of at least 0, {self.seed} was given")
        if self.side_width < 1:
            raise UsageError(f"side_width is a number of units of at least 1, {self.side_width} was given")

    @property
    def form(self) -> str:
        """Form of the graphs that the encoder reads."""
        return "nodes" if self.encoder is None else self._encoder_class(self.encoder).form

    def build(self, spec: InputSpec, device: torch.device) -> Ensemble:
        """Networks with initial weights, and regressors, all of which have learnt nothing yet.

        Raises:
            UsageError: There are members that read numbers beside the graph, and none are read.
        """
        if (self.encoder is None or self.regressors) and not spec.num_side:
            raise UsageError(
                "regressors, and networks without an encoder, read numbers beside the graph, and there are none; "
                'give side=("statistics",) or features, or regressors=None'
            )
        models = []
        for member in range(self.ensemble):
            with seeded(int(self.seed), member):
                models.append(self._network(spec).to(device))
        return self.around(models, spec, device)

    def hollow(self, spec: InputSpec, device: torch.device) -> Ensemble:
        """An ensemble to restore: its networks have shapes and no storage."""
        with torch.device("meta"):
            models = [self._network(spec) for _ in range(self.ensemble)]
        return self.around(models, spec, device)

    def around(self, models: Sequence[Model], spec: InputSpec, device: torch.device) -> Ensemble:
        """These networks, and regressors that have learnt nothing yet."""
        shares = self.regressors or {}
        return Ensemble(spec, models, {name: self._regressor(name) for name in shares}, list(shares.values()), device)

    def pretrain(self, ensemble: Ensemble, space: SearchSpace, steps: int, observe: Callable[[float], None]) -> None:
        """Give all networks an encoder that has learnt the statistics of architectures of the space."""
        spec = ensemble.spec
        # Choices say nothing about what they build; labels that the user left out of the vocabulary cannot be read.
        unreadable = spec.form == "choices" or not set(space.operators) <= set(spec.vocabulary)
        if self.encoder is None or not ensemble.models or unreadable:
            return
        make = partial(self._make_encoder, self.encoder, spec)
        key, persistent = self._identity(self._encoder_class(self.encoder))
        weights = pretrained(make, space, spec, steps, key=key, persistent=persistent, observe=observe)
        for model in ensemble.models:
            if model.encoder is not None and weights is not None:
                model.encoder.load_state_dict(weights)

    def _make_encoder(self, encoder: str | type[Encoder], spec: InputSpec) -> Encoder:
        cells = 1 if spec.form == "choices" else spec.num_cells
        return self._encoder_class(encoder)(spec.num_ops, cells, **(self.encoder_options or {}))

    def _identity(self, encoder: type[Encoder]) -> tuple[object, bool]:
        """What tells an encoder from others, and whether that holds in every process."""
        name = f"{encoder.__module__}.{encoder.__qualname__}"
        try:
            key = f"{name} {json.dumps(dict(self.encoder_options or {}), sort_keys=True)}"
        except TypeError:  # options that are objects
            return (encoder, dict(self.encoder_options or {})), False
        # Code of the user's own may change from one process to the next.
        return (key, True) if name.startswith("archpredict.encoders.") else ((encoder, key), False)

    def _network(self, spec: InputSpec) -> Model:
        encoder = None if self.encoder is None else self._make_encoder(self.encoder, spec)
        side = nn.Linear(spec.num_side, self.side_width) if spec.num_side else None
        width = (encoder.out_features if encoder else 0) + (self.side_width if side else 0)
        head_class = resolve("heads", self.head, Head)
        return Model(encoder, head_class(width, **(self.head_options or {})), side, self._dropout(spec.num_side))

    def _dropout(self, num_side: int) -> float:
        if self.side_dropout is not None:
            return self.side_dropout
        return max(_SIDE_DROPOUT, 1 - _SIDE_KEPT / max(1, num_side))

    def _encoder_class(self, encoder: str | type[Encoder]) -> type[Encoder]:
        found: type[Encoder] = resolve("encoders", encoder, Encoder)
        return found

    def _regressor(self, name: str) -> Regressor:
        made: Regressor = resolve("regressors", name, Regressor)(
            int(self.seed), **(self.regressor_options or {}).get(name, {})
        )
        return made
