"""Models as ONNX Runtime saves them, optimised, are the networks that they were before."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archpredict.onnx.reader import read

runtime = pytest.importorskip("onnxruntime", reason="it optimises the models")


class Convolutional(nn.Module):
    """A convolution by channel, squeeze and excitation, a residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, width, side, 1, side // 2, groups=groups, bias=False), nn.BatchNorm2d(width)
            )
            for before, side, groups in ((3, 3, 1), (width, 3, width), (width, 1, 1))
        )
        for layer in self.layers:
            nn.init.normal_(layer[1].bias)
        self.squeeze, self.excite = nn.Conv2d(width, 6, 1), nn.Conv2d(6, width, 1)
        self.head = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.layers[0](x)), 2)
        y = functional.relu6(self.layers[1](x))
        y = y * self.excite(functional.relu(self.squeeze(y.mean((2, 3), keepdim=True)))).sigmoid()
        x = functional.relu(x + self.layers[2](y))
        return self.head(x.mean((2, 3)))


class Reader(nn.Module):
    """Words and places, attention with a mask, a norm after each sum."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places, self.kinds = nn.Embedding(50, 32), nn.Embedding(16, 32), nn.Embedding(2, 32)
        self.layers = nn.ModuleList(nn.Linear(32, 32) for _ in range(4))
        self.norms = nn.ModuleList(nn.LayerNorm(32) for _ in range(3))
        self.wide, self.narrow, self.head = nn.Linear(32, 128), nn.Linear(128, 32), nn.Linear(32, 5)
        self.register_buffer("ids", torch.arange(16)[None])

    def forward(self, ids: Tensor, mask: Tensor, kinds: Tensor) -> Tensor:
        x = self.norms[0](self.words(ids) + self.kinds(kinds) + self.places(self.ids))
        query, key, value = (layer(x).view(2, 16, 4, 8).permute(0, 2, 1, 3) for layer in self.layers[:3])
        hidden = (1.0 - mask[:, None, None, :].to(torch.float32)) * -10000.0
        weights = (query @ key.transpose(-1, -2) / 8**0.5 + hidden).softmax(-1)
        x = self.norms[1](self.layers[3]((weights @ value).permute(0, 2, 1, 3).reshape(2, 16, 32)) + x)
        x = self.norms[2](self.narrow(functional.gelu(self.wide(x))) + x)
        return self.head(x[:, 0])


def _export(model: nn.Module, inputs: tuple[Tensor, ...], path: Path, names: list[str]) -> None:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(model.eval(), inputs, path, opset_version=17, dynamo=False, input_names=names)


def _optimised(path: Path, level: str) -> Path:
    """The model as a session saves it at this level."""
    saved = path.with_name(f"{level}.onnx")
    options = runtime.SessionOptions()
    options.graph_optimization_level = getattr(runtime.GraphOptimizationLevel, f"ORT_ENABLE_{level}")
    options.optimized_model_filepath, options.log_severity_level = str(saved), 4
    runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return saved


@pytest.fixture(scope="module", params=[16, 20])
def convolutional(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("convolutional") / "model.onnx"
    _export(Convolutional(request.param), (torch.zeros(1, 3, 16, 16),), path, ["x"])
    return path


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("transformer") / "model.onnx"
    ones = torch.ones(2, 16, dtype=torch.int64)
    _export(Reader(), (ones, ones, ones), path, ["input_ids", "attention_mask", "token_type_ids"])
    return path


@pytest.mark.parametrize("level", ["BASIC", "EXTENDED", "ALL"])
def test_a_session_leaves_a_convolutional_network_as_it_was(convolutional: Path, level: str) -> None:
    seen = read(_optimised(convolutional, level))
    assert seen.graph.key == read(convolutional).graph.key
    assert not seen.warnings


@pytest.mark.parametrize("level", ["BASIC", "EXTENDED", "ALL"])
def test_a_session_leaves_a_transformer_as_it_was(transformer: Path, level: str) -> None:
    assert read(_optimised(transformer, level)).graph.key == read(transformer).graph.key


@pytest.mark.parametrize("half", [False, True], ids=["whole", "half"])
@pytest.mark.parametrize("apart", [False, True], ids=["together", "apart"])
def test_the_optimiser_for_transformers_leaves_them_as_they_were(transformer: Path, apart: bool, half: bool) -> None:
    logging.disable(logging.WARNING)
    try:
        reason = "it optimises the model"
        options = pytest.importorskip("onnxruntime.transformers.fusion_options", reason=reason).FusionOptions("bert")
        options.use_multi_head_attention = apart
        optimizer = pytest.importorskip("onnxruntime.transformers.optimizer", reason=reason)
        made = optimizer.optimize_model(str(transformer), "bert", 4, 32, opt_level=0, optimization_options=options)
        fused = {node.op_type for node in made.model.graph.node}
        if half:
            made.convert_float_to_float16(keep_io_types=True)
        path = transformer.with_name(f"{apart}-{half}.onnx")
        made.save_model_to_file(str(path))
    finally:
        logging.disable(logging.NOTSET)
    assert {"SkipLayerNormalization", "MultiHeadAttention" if apart else "Attention"} <= fused
    seen = read(path)
    assert seen.graph.key == read(transformer).graph.key
    assert not seen.warnings
