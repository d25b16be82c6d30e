"""Torch modules as computational graphs: the same as from a file, and nothing of the module is changed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archpredict.errors import ModelFileError, UsageError
from archpredict.onnx.modules import exported, read_module
from archpredict.onnx.reader import load


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches, self.head = nn.Conv2d(3, 16, 8, 8), nn.Linear(16, 10)
        self.layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
        self.position = nn.Parameter(torch.randn(1, 4, 16))

    def forward(self, image: Tensor) -> Tensor:
        tokens = self.patches(image).flatten(2).transpose(1, 2) + self.position
        scores: Tensor = self.head(self.layer(tokens).mean(1))
        return scores


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(50, 8), nn.Linear(12, 3)
        self.layer = nn.LSTM(8, 6, batch_first=True, bidirectional=True)

    def forward(self, tokens: Tensor) -> Tensor:
        scores: Tensor = self.head(self.layer(self.table(tokens))[0][:, -1])
        return scores


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 5), nn.Linear(6, 5)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        sum_: Tensor = self.a(x) + self.b(y)
        return sum_


def convolutions() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.Hardswish(),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(8, 10),
    )


IMAGE = torch.zeros(1, 3, 16, 16)


@pytest.mark.parametrize(
    ("make", "example"),
    [
        (convolutions, IMAGE),
        (Attention, IMAGE),
        (Recurrent, torch.zeros(1, 7, dtype=torch.long)),
        (Two, (torch.zeros(2, 4), torch.zeros(2, 6))),
    ],
)
def test_a_module_is_read_as_the_file_that_it_is_exported_to(make: Any, example: Any, tmp_path: Path) -> None:
    module, arguments = make(), example if isinstance(example, tuple) else (example,)
    (tmp_path / "m.onnx").write_bytes(exported(module.eval(), arguments))
    graph, model = load(tmp_path / "m.onnx"), read_module(module, example)
    assert model.graph.key == graph.key
    assert model.graph.attrs["params"].sum() == graph.attrs["params"].sum() > 0
    assert (model.warnings, model.path, len(model.inputs)) == ((), None, len(arguments))


def test_weights_are_not_needed() -> None:
    with torch.device("meta"):
        module, image = convolutions(), torch.zeros(1, 3, 16, 16)
    assert read_module(module, image).graph.key == read_module(convolutions(), IMAGE).graph.key
    assert all(p.is_meta for p in module.parameters())


def test_arguments_are_taken_by_name_too() -> None:
    x, y = torch.zeros(2, 4), torch.zeros(2, 6)
    assert read_module(Two(), {"y": y, "x": x}).graph.key == read_module(Two(), (x, y)).graph.key


def test_the_module_and_torchs_random_numbers_stay_as_they_were() -> None:
    module = convolutions().train()
    module[1].eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    torch.manual_seed(3)
    state = torch.get_rng_state()
    read_module(module, torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    assert [part.training for part in module] == [part is not module[1] for part in module]
    assert module.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_the_package_onnxscript_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "onnxscript"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert "conv" in read_module(convolutions(), IMAGE).graph.ops


def test_what_cannot_be_traced_is_one_sentence() -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("out of order")

    module = Broken().train()
    with pytest.raises(ModelFileError, match=r"^Broken cannot be traced with its example \(.*out of order.*\); check"):
        read_module(module, IMAGE)
    assert module.training
    with pytest.raises(ModelFileError, match=r"^mine cannot be traced"):
        read_module(convolutions(), torch.zeros(1, 5, 16, 16), "mine")
    with pytest.raises(
        UsageError, match="the example of Two is a tensor, a tuple of arguments or a mapping of them, int"
    ):
        read_module(Two(), 3)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"the example of Two has no tensor in it; give an input, such as torch.zeros"):
        read_module(Two(), (1, 3, 224, 224))
