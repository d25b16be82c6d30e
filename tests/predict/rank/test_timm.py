"""Models of timm by name, with a stand-in for timm: it imports torchvision, which is not among what tests install."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from archpredict.errors import MissingDependencyError, UsageError
from archpredict.predict.rank.ranking import rank
from tests.cli.conftest import Commands, write_onnx

_WIDTHS = {"resnet18": 16, "resnet34": 64}


def network(width: int) -> nn.Module:
    convolution = nn.Conv2d(3, width, 3, 2)
    return nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 1000))


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    def create_model(name: str, pretrained: bool) -> nn.Module:
        assert not pretrained
        if name == "broken":
            raise RuntimeError("no such layer")
        return network(_WIDTHS[name.partition(".")[0]])

    fake, data = ModuleType("timm"), ModuleType("timm.data")
    known = [*_WIDTHS, "broken"]
    members: dict[str, Any] = {
        "create_model": create_model,
        "is_model": lambda name: name.partition(".")[0] in known,
        "list_models": lambda: known,
        "data": data,
    }
    vars(fake).update(members)
    vars(data).update({"resolve_model_data_config": lambda module: {"input_size": (3, 32, 48)}})
    monkeypatch.setitem(sys.modules, "timm", fake)
    monkeypatch.setitem(sys.modules, "timm.data", data)
    return fake


def test_names_rank_as_their_modules_with_inputs_of_the_default_size(timm: ModuleType) -> None:
    by_name = rank(["timm:resnet18", "timm:resnet34", "timm:resnet18"])
    modules = {f"timm:{name}": network(width) for name, width in _WIDTHS.items()}
    by_module = rank(modules, example=torch.zeros(1, 3, 32, 48))
    assert [(row.name, row.score, row.macs) for row in by_name] == [(r.name, r.score, r.macs) for r in by_module]
    (alone,) = rank("timm:resnet18.a1_in1k")
    (named,) = rank({"mine": "timm:resnet18"})
    assert (alone.name, alone.score, named.name) == ("timm:resnet18.a1_in1k", named.score, "mine")


def test_random_numbers_of_torch_stay_as_they_were(timm: ModuleType) -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    rank("timm:resnet18")
    assert torch.rand(1) == expected


def test_a_model_that_timm_cannot_make_is_a_failure_beside_the_others(timm: ModuleType) -> None:
    ranking = rank(["timm:broken", "timm:resnet18"])
    assert [row.name for row in ranking] == ["timm:resnet18"]
    assert [failure.model for failure in ranking.failures] == ["timm:broken"]
    assert "timm cannot make broken: " in ranking.failures[0].error
    assert "no such layer" in ranking.failures[0].error


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet81", r"^timm has no model 'resnet81'; did you mean timm:resnet18( or timm:resnet34)?\?$"),
        ("", r"^timm has no model ''; see timm.list_models\(\)$"),
        ("hf-hub:someone/net", r"^timm has no model 'hf-hub:someone/net'; see timm.list_models\(\)$"),
    ],
)
def test_an_unknown_name_is_told_with_near_ones(timm: ModuleType, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        rank([f"timm:{name}"])


def test_where_timm_is_missing_or_does_not_load_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    load = importlib.import_module

    def fails(error: Exception) -> None:
        def importing(name: str, package: str | None = None) -> ModuleType:
            if name.startswith("timm"):
                raise error
            return load(name, package)

        monkeypatch.setattr(importlib, "import_module", importing)

    fails(ModuleNotFoundError("No module named 'timm'", name="timm"))
    with pytest.raises(
        MissingDependencyError, match=r"^timm:resnet18 is a model of timm, which is not installed: pip in"
    ):
        rank("timm:resnet18")
    fails(RuntimeError("operator torchvision::nms does not exist"))
    with pytest.raises(
        MissingDependencyError, match=r"which does not load \(.*torchvision::nms does not exist.*\); install a"
    ):
        rank("timm:resnet18")


def test_the_command_takes_names_beside_files(
    timm: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cli = Commands()
    write_onnx(Path("a.onnx"), [8])
    result = cli("rank", "timm:resnet18", "a.onnx", "--format", "csv")
    assert result.exit_code == 0
    assert {line.split(",")[1] for line in result.stdout.splitlines()[1:]} == {"timm:resnet18", "a.onnx"}
    assert cli.fails("rank", "timm:resnet81").endswith("did you mean timm:resnet18 or timm:resnet34?")
