"""``archpredict predictors``: nothing that can be fitted or used is left out."""

from __future__ import annotations

import json
from typing import Any

from archpredict.predict import presets
from archpredict.predict.storage import shipped
from archpredict.registry import names


def test_json_lists_every_plug_in_and_every_shipped_model(cli: Any) -> None:
    shown = json.loads(cli("predictors", "--json").stdout)
    assert set(shown) == {"predictors", "encoders", "heads", "models"}
    for kind, known in {"predictors": presets.names(), "encoders": names("encoders"), "heads": names("heads")}.items():
        assert [row["name"] for row in shown[kind]] == known
        assert all(row["description"] for row in shown[kind])
    assert [row["name"] for row in shown["models"]] == [*shipped(), "universal"]


def test_shipped_models_come_with_the_figures_of_their_cards(cli: Any) -> None:
    darts, imagenet, universal = json.loads(cli("predictors", "--json").stdout)["models"]
    assert (darts["name"], darts["space"], darts["target"], darts["rows"]) == (
        "darts-cifar10", "darts", "val_accuracy", 1218,
    )  # fmt: skip
    assert 0.8 < darts["kendall_tau"] < 1
    assert (imagenet["name"], imagenet["space"], imagenet["target"], imagenet["rows"]) == (
        "imagenet", "ONNX models", "top1 by recipe", 792,
    )  # fmt: skip
    assert 0.75 < imagenet["kendall_tau"] < 1
    assert (universal["name"], universal["space"]) == ("universal", "any with network()")


def test_the_tables_name_everything_without_marks_of_the_documentation(cli: Any) -> None:
    result = cli("predictors")
    assert result.exit_code == 0
    for name in (*presets.names(), *names("encoders"), *names("heads"), *shipped()):
        assert name in result.stdout
    assert "`" not in result.stdout
