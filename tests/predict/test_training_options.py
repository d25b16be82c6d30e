"""Training: checked when it is made, equal by value, and what scikit-learn asks for."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from archpredict.errors import UsageError
from archpredict.predict.training.training import Training

NAN = float("nan")


@pytest.mark.parametrize("name", ["epochs", "batch_size", "patience", "side_width"])
@pytest.mark.parametrize("value", [0, -1, "3", 3.0, None, True, NAN])
def test_counts_are_integers_of_at_least_one(name: str, value: Any) -> None:
    with pytest.raises(UsageError) as error:
        Training(**{name: value})
    assert str(error.value) == f"{name} is an integer of at least 1, {value!r} was given"


@pytest.mark.parametrize("name", ["held_out", "side_dropout"])
@pytest.mark.parametrize("value", [-0.1, 1.0, 2.0, "0.5", NAN])
def test_shares_are_below_one(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"{name} is a number of at least 0 and below 1, {value!r} was given"):
        Training(**{name: value})


@pytest.mark.parametrize("value", [True, False, NAN, "3", None, float("inf")])
@pytest.mark.parametrize("name", ["learning_rate", "weight_decay", "pretrain", "held_out"])
def test_neither_truth_values_nor_texts_nor_nan_are_numbers(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"^{name} is an? .* {value!r} was given$"):
        Training(**{name: value})
    with pytest.raises(UsageError, match=f"^{name} is an? .* {value!r} was given$"):
        replace(Training(), **{name: value})


@pytest.mark.parametrize("name", ["optimizer", "schedule", "target"])
@pytest.mark.parametrize("value", [True, NAN, None, ["adam"]])
def test_choices_are_names(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"^unknown {name} .*; choose from: "):
        Training(**{name: value})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pretrain": -5}, "pretrain is an integer of at least 0, -5 was given"),
        ({"pretrain": 4.5}, "pretrain is an integer of at least 0, 4.5 was given"),
        ({"max_steps": 0}, "max_steps is an integer of at least 1, 0 was given"),
        ({"learning_rate": 0}, "learning_rate is a finite number above 0, 0 was given"),
        ({"learning_rate": -1.0}, "learning_rate is a finite number above 0, -1.0 was given"),
        ({"learning_rate": NAN}, "learning_rate is a finite number above 0, nan was given"),
        ({"learning_rate": "fast"}, "learning_rate is a finite number above 0, 'fast' was given"),
        ({"weight_decay": -0.1}, "weight_decay is a finite number of at least 0, -0.1 was given"),
        ({"weight_decay": float("inf")}, "weight_decay is a finite number of at least 0, inf was given"),
        ({"betas": 0.9}, "betas are two numbers of at least 0 and below 1, 0.9 was given"),
        ({"betas": (0.9,)}, "betas are two numbers of at least 0 and below 1, (0.9,) was given"),
        ({"betas": (0.9, 1.0)}, "betas[1] is a number of at least 0 and below 1, 1.0 was given"),
        ({"optimizer": "sgd"}, "unknown optimizer 'sgd'; choose from: adam, adamw."),
        ({"schedule": "step"}, "unknown schedule 'step'; choose from: constant, cosine."),
        ({"target": "rank"}, "unknown target 'rank'; choose from: errors, ranks, values. Did you mean 'ranks'?"),
        ({"target": 3}, "unknown target '3'; choose from: errors, ranks, values."),
    ],
)
def test_values_out_of_range_are_refused_in_one_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        Training(**options)
    assert str(error.value) == message


def test_numbers_of_numpy_are_numbers() -> None:
    given = Training(epochs=np.int64(3), learning_rate=np.float32(0.5), betas=[0.5, 0.9])  # type: ignore[arg-type]
    assert given == Training(epochs=3, learning_rate=0.5, betas=(0.5, 0.9))


def test_it_is_equal_by_value_and_says_what_was_changed() -> None:
    assert Training(epochs=5) == Training(epochs=5) != Training(epochs=6)
    assert repr(Training()) == "Training()"
    assert repr(Training(epochs=5, betas=(0.5, 0.9))) == "Training(epochs=5, betas=(0.5, 0.9))"


def test_it_never_changes() -> None:
    training = Training(epochs=5)
    with pytest.raises(FrozenInstanceError):
        training.epochs = 6  # type: ignore[misc]
    assert replace(training, epochs=6).epochs == 6
    for copied in (clone(training), copy.deepcopy(training), pickle.loads(pickle.dumps(training))):
        assert copied == training
