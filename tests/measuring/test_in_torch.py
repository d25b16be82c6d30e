"""Models made ready to run in torch, in every setting that speeds are known in."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from onnx import helper

from archpredict.costs.settings import LAYOUTS, PRECISIONS
from archpredict.errors import ModelFileError
from archpredict.measuring.question import Question, Ready
from archpredict.measuring.running import ready
from tests.cli.conftest import write_onnx

HALF = {"amp": torch.float16, "amp_bf16": torch.bfloat16, "bf16": torch.bfloat16, "fp16": torch.float16}


@pytest.fixture
def net(place: Path) -> str:
    """Two convolutions, a pool and a linear layer."""
    write_onnx(place / "net.onnx", [8, 16])
    return "net.onnx"


def model(path: str, **setting: Any) -> Ready:
    return ready(Question(path, "torch", batch_size=4, **setting))


def test_torch_runs_what_it_can_build(toys: Any, place: Path) -> None:
    (place / "net.onnx").write_bytes(toys.convolution().SerializeToString())
    made = model("net.onnx")
    assert made.run().shape == (4, 4, 6, 6)  # type: ignore[attr-defined]
    assert (made.precision, made.made_up) == ("fp32", 4 * 27)


def test_torch_says_what_it_cannot_build(toys: Any, place: Path) -> None:
    turned = toys.net([helper.make_node("Transpose", ["x"], ["y"], perm=[0, 2, 3, 1])])
    (place / "net.onnx").write_bytes(turned.SerializeToString())
    with pytest.raises(ModelFileError, match="torch cannot run its graph: node 1"):
        model("net.onnx")


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_precision_and_layout_gives_the_same_scores(net: str, precision: str, layout: str) -> None:
    made = model(net, precision=precision, layout=layout)
    scores: Any = made.run()
    assert (made.precision, scores.dtype) == (precision, HALF.get(precision, torch.float32))
    exact: Any = model(net).run()
    torch.testing.assert_close(scores.float(), exact, rtol=0.05, atol=0.02)  # eight bits of bfloat16


@pytest.mark.parametrize("layout", LAYOUTS)
def test_images_lie_as_asked_up_to_the_end(toys: Any, place: Path, layout: str) -> None:
    (place / "net.onnx").write_bytes(toys.convolution().SerializeToString())
    maps: Any = model("net.onnx", layout=layout).run()
    assert maps.is_contiguous() is (layout == "nchw")
    assert maps.is_contiguous(memory_format=torch.channels_last) is (layout == "nhwc")


@pytest.mark.parametrize("precision", [name for name in PRECISIONS if name != "bf16"])  # whose weights round steps away
def test_steps_of_training_make_the_loss_smaller(net: str, precision: str) -> None:
    made = model(net, precision=precision, mode="train", layout="nhwc")
    losses = [float(made.run()) for _ in range(40)]  # type: ignore[arg-type]
    assert sum(losses[-5:]) < sum(losses[:5])


def test_a_model_without_scores_is_not_trained(toys: Any, place: Path) -> None:
    (place / "net.onnx").write_bytes(toys.convolution().SerializeToString())
    with pytest.raises(ModelFileError, match="a loss against labels takes one number per class"):
        model("net.onnx", mode="train")


def test_a_network_is_compiled_in_one_piece(net: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(torch, "compile", lambda network, **options: asked.append(options) or network)
    model(net, compiler="dynamo").run()
    model(net).run()
    assert asked == [{"fullgraph": True}]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile takes a C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # torch's own, of its parts
@pytest.mark.parametrize("mode", ["infer", "train"])
def test_compiled_networks_give_what_they_give_step_by_step(
    mode: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_onnx(place / "net.onnx", [8])  # one convolution: each kernel is seconds of a compiler
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")
    said: Any = [model("net.onnx", compiler=compiler, mode=mode).run() for compiler in ("dynamo", "eager")]
    torch.testing.assert_close(said[0], said[1], rtol=1e-2 if mode == "train" else 1e-4, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("mode", ["infer", "train"])
def test_every_precision_and_mode_runs_on_cuda(net: str, precision: str, mode: str) -> None:
    made: Any = model(net, precision=precision, mode=mode, device="cuda", layout="nhwc").run()
    assert made.is_cuda
    assert torch.isfinite(made).all()
