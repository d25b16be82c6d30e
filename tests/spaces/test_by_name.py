"""Whatever takes a space takes its name, a reference or its class as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from archpredict import Problem, search
from archpredict.errors import UnknownNameError
from archpredict.evaluators.base import as_evaluator
from archpredict.networks.form import Form
from archpredict.networks.supernet import Supernet
from archpredict.predict.batch import Batch
from archpredict.predict.protocols import Protocol
from archpredict.spaces.base import load_space
from archpredict.spaces.nasbench201 import NASBench201

SPACE = load_space("nasbench201")
ROWS = SPACE.sample(4, np.random.default_rng(0))
PACKED = Batch.of(SPACE.architectures(ROWS)).nodes

HOLDERS: dict[str, Callable[[Any], Any]] = {
    "protocol": lambda space: Protocol("mine", "four cells", space, ROWS, np.arange(4.0), np.arange(4.0)),
    "problem": lambda space: Problem(space, budget=4),
    "batch": lambda space: Batch.of_packed(PACKED, space, ROWS),
    "supernet": lambda space: Supernet(space, Form(options={"channels": 4, "cells": 1})),
}
TAKERS = {
    **HOLDERS,
    "evaluator": lambda space: as_evaluator("zero-cost:macs", space),
    "search": lambda space: search(space, "zero-cost:macs", strategy="random", budget=1),
}


@pytest.mark.parametrize("space", ["nasbench201", "archpredict.spaces.nasbench201:NASBench201", NASBench201, SPACE])
@pytest.mark.parametrize("holder", HOLDERS)
def test_a_space_is_taken_by_name_reference_class_or_object(holder: str, space: Any) -> None:
    assert HOLDERS[holder](space).space == SPACE


@pytest.mark.parametrize("taker", TAKERS)
def test_a_space_that_is_not_there_is_named(taker: str) -> None:
    with pytest.raises(UnknownNameError, match=r"^unknown space 'nasbench'; choose from: darts, "):
        TAKERS[taker]("nasbench")
