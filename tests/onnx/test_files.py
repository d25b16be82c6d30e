"""Finding and reading model files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import nn

from archpredict.errors import ModelFileError, UsageError
from archpredict.onnx import files
from archpredict.onnx.files import ONLY, read_model, read_models
from archpredict.onnx.modules import exported
from archpredict.progress import silent


@pytest.fixture
def open_file(tmp_path: Path) -> Path:
    """A network whose file leaves the shape of its input ``image`` open."""
    net, path = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), tmp_path / "open.onnx"
    axes = {"image": {0: "n", 2: "h", 3: "w"}}
    path.write_bytes(exported(net, (torch.zeros(1, 3, 8, 8),), input_names=["image"], dynamic_axes=axes))
    return path


def macs(model: Any) -> float:
    return float(model.graph.attrs["macs"].sum())


@pytest.mark.parametrize("shapes", [{ONLY: (1, 3, 20, 20)}, {"image": (1, 3, 20, 20), "other": (1,)}])
def test_a_shape_is_given_and_the_file_is_read_once(
    open_file: Path, monkeypatch: pytest.MonkeyPatch, shapes: dict[str, tuple[int, ...]]
) -> None:
    read: list[str] = []
    for name in ("read_proto", "interpret"):
        plain = getattr(files, name)
        monkeypatch.setattr(files, name, lambda *a, name=name, plain=plain: read.append(name) or plain(*a))
    assert macs(read_model(open_file, shapes)) == 18 * 18 * 4 * 27
    assert read == ["read_proto", "interpret"]


def test_a_model_in_memory_is_read_as_its_file_and_stays_as_it_is(open_file: Path) -> None:
    proto = onnx.load(str(open_file))
    before = proto.SerializeToString(deterministic=True)
    model = read_model(proto, {ONLY: (1, 3, 20, 20)}, name="mine")
    assert model.graph.key == read_model(open_file, {ONLY: (1, 3, 20, 20)}).graph.key
    assert model.path is None
    assert proto.SerializeToString(deterministic=True) == before
    with pytest.raises(ModelFileError, match=r"^mine has no graph; give a model exported to ONNX"):
        read_model(onnx.ModelProto(), {}, name="mine")


def test_every_error_names_its_file(open_file: Path) -> None:
    empty = onnx.load(str(open_file))
    del empty.graph.node[:]
    onnx.save(empty, str(open_file.with_name("empty.onnx")))
    models, failures = read_models([open_file, open_file.with_name("empty.onnx")], {}, silent)
    assert [model.path for model in models] == [open_file]
    assert [failure.error for failure in failures] == [
        f"{open_file.with_name('empty.onnx')}: the graph has no operators; export the model again"
    ]


def test_shapes_of_inputs_that_no_model_has_are_refused(open_file: Path) -> None:
    with pytest.raises(UsageError, match="no model has an input 'imag'; there are: image"):
        read_models([open_file], {"imag": (1, 3, 8, 8)}, silent)
