"""One network in every form that people have it in: exporters, opsets, quantisers, optimisers, simplifiers, open axes.

    python benchmarks/export_forms.py [--networks resnet18 vit lstm yolo] [--forms PART ...]

Makes a ResNet-18, a ViT-tiny, an LSTM and a YOLO-like network with random weights, writes each in all forms, and
prints a line for each file: parameters, multiply-adds, nodes, the score of the shipped predictor, and in what it
differs from the first form. In the end it says how many forms differ.
"""

from __future__ import annotations

import argparse
import copy
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
import onnx
import torch
from torch import Tensor, nn

import archpredict
from archpredict.graph.operators import total
from archpredict.onnx.reader import read

# ---------------------------------------------------------------------- networks


def _convolution(inputs: int, outputs: int, size: int, stride: int = 1, act: nn.Module | None = None) -> nn.Sequential:
    layers = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs)
    return nn.Sequential(*layers, *([act] if act is not None else []))


class _Basic(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolution(inputs, outputs, 3, stride, nn.ReLU()), _convolution(outputs, outputs, 3)
        )
        same = inputs == outputs and stride == 1
        self.skip = nn.Identity() if same else _convolution(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.skip(x))


def resnet18() -> nn.Module:
    """He et al. 2016."""
    blocks, inputs = [], 64
    for stage, width in enumerate((64, 128, 256, 512)):
        for block in range(2):
            blocks.append(_Basic(inputs, width, 2 if stage and not block else 1))
            inputs = width
    stem = _convolution(3, 64, 7, 2, nn.ReLU()), nn.MaxPool2d(3, 2, 1)
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        q, k, v = (
            self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        )
        scores = (q @ k.transpose(-2, -1)) * (width // self.heads) ** -0.5
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, tokens, width))


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.first, self.attention, self.second = nn.LayerNorm(width), _Attention(width, heads), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.first(x))
        return x + self.mlp(self.second(x))


class ViT(nn.Module):
    """Dosovitskiy et al. 2021, in the size of DeiT-tiny."""

    def __init__(self, width: int = 192, depth: int = 12, heads: int = 3) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.places = nn.Parameter(torch.randn(1, 197, width))
        self.blocks = nn.Sequential(*(_Block(width, heads) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 1000)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(tokens), -1, -1), tokens], 1) + self.places
        scores: Tensor = self.head(self.norm(self.blocks(tokens))[:, 0])
        return scores


class Lstm(nn.Module):
    """Two layers in both directions over tokens, and a layer over the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(2000, 64), nn.Linear(128, 20)
        self.layers = nn.LSTM(64, 64, 2, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.layers(self.table(x))[0][:, -1])
        return scores


class Yolo(nn.Module):
    """A backbone with cross-stage blocks, SiLU, a pyramid with upsampling, and heads at two scales."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()

        def layer(a: int, b: int, size: int = 3, stride: int = 1) -> nn.Module:
            return _convolution(a, b, size, stride, nn.SiLU())

        self.stem = nn.Sequential(layer(3, width, 3, 2), layer(width, 2 * width, 3, 2))
        self.left, self.right = layer(2 * width, width, 1), layer(2 * width, width, 1)
        self.inner = nn.Sequential(layer(width, width, 1), layer(width, width, 3))
        self.joined = layer(2 * width, 2 * width, 1)
        self.down = layer(2 * width, 4 * width, 3, 2)
        self.pools = nn.MaxPool2d(5, 1, 2)
        self.spp = layer(12 * width, 4 * width, 1)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.merged = layer(6 * width, 2 * width, 3)
        self.small, self.large = nn.Conv2d(2 * width, 255, 1), nn.Conv2d(4 * width, 255, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.stem(x)
        left = self.left(x)
        fine = self.joined(torch.cat([left + self.inner(left), self.right(x)], 1))
        coarse = self.down(fine)
        once = self.pools(coarse)
        coarse = self.spp(torch.cat([coarse, once, self.pools(once)], 1))
        return self.small(self.merged(torch.cat([self.up(coarse), fine], 1))), self.large(coarse)


@dataclass(frozen=True)
class Network:
    """A network, an example of what it reads, and which axes of it can be open."""

    make: Callable[[], nn.Module]
    example: Tensor
    open: dict[int, str]
    heads: int = 0


IMAGE = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
ALL_OPEN = {0: "batch", 2: "height", 3: "width"}
NETWORKS = {
    "resnet18": Network(resnet18, IMAGE, ALL_OPEN),
    "vit": Network(ViT, IMAGE, {0: "batch"}, heads=3),
    "lstm": Network(Lstm, torch.arange(128)[None] % 2000, {0: "batch", 1: "tokens"}),
    "yolo": Network(Yolo, IMAGE, ALL_OPEN),
}


def _with_random_weights(module: nn.Module) -> nn.Module:
    """As after training: no two tensors are equal, and none is full of zeros or ones."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            if tensor.is_floating_point():
                noise = torch.randn(tensor.shape, generator=generator)
                tensor.copy_(noise.abs() + 0.5 if "var" in name else noise * (tensor.numel() ** -0.25))
    return module.eval()


# ---------------------------------------------------------------------- forms


def _export(module: nn.Module, example: Tensor, path: Path, **options: Any) -> Path:
    torch.onnx.export(module, (example,), str(path), input_names=["x"], **options)
    return path


def _dynamo(module: nn.Module, example: Tensor, path: Path, opset: int) -> Path:
    program = torch.onnx.export(module, (example,), input_names=["x"], dynamo=True, opset_version=opset)
    program.save(str(path))
    return path


def _session(source: Path, path: Path, level: str) -> Path:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, f"ORT_{level}")
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 4
    ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    return path


def _calibration(example: Tensor) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = [{"x": example.numpy()}]

        def get_next(self) -> Any:
            return self.left.pop() if self.left else None

    return Reader()


def _static(source: Path, path: Path, example: Tensor, form: str, per_channel: bool, weights: str = "QInt8") -> Path:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    kinds = {"weight_type": getattr(QuantType, weights), "activation_type": QuantType.QUInt8}
    data = _calibration(example)
    quantize_static(str(source), str(path), data, getattr(QuantFormat, form), per_channel=per_channel, **kinds)
    return path


def _dynamic(source: Path, path: Path, kind: str) -> Path:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(str(source), str(path), weight_type=getattr(QuantType, kind))
    return path


def _few_bits(source: Path, path: Path, bits: int) -> Path:
    from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

    config = DefaultWeightOnlyQuantConfig(block_size=32, bits=bits)
    quantizer = MatMulNBitsQuantizer(onnx.load(source), algo_config=config)
    quantizer.process()
    quantizer.model.save_model_to_file(str(path))
    return path


def _half(source: Path, path: Path) -> Path:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(source)), path)
    return path


def _fused(source: Path, path: Path, heads: int, level: int) -> Path:
    from onnxruntime.transformers.optimizer import optimize_model

    model = optimize_model(str(source), model_type="vit", num_heads=heads, hidden_size=192, opt_level=level)
    model.save_model_to_file(str(path))
    return path


def _simplified(source: Path, path: Path) -> Path:
    import onnxsim

    onnx.save(onnxsim.simplify(onnx.load(source))[0], path)
    return path


def _converted(source: Path, path: Path, opset: int) -> Path:
    from onnx import version_converter

    onnx.save(version_converter.convert_version(onnx.load(source), opset), path)
    return path


def _stripped(source: Path, path: Path) -> Path:
    model = onnx.load(source)
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) > 256:
            tensor.ClearField("raw_data")
    onnx.save(model, path)
    return path


def _external(source: Path, path: Path) -> Path:
    onnx.save(onnx.load(source), path, save_as_external_data=True, location=f"{path.name}.data")
    return path


def forms(network: Network, folder: Path) -> Iterator[tuple[str, Callable[[Path], Path]]]:
    """The name of each form and what writes it; the first is the plain export."""
    module, example = _with_random_weights(network.make()), network.example
    base = folder / "base.onnx"

    def plain(opset: int, folding: bool = True, axes: dict[int, str] | None = None) -> Callable[[Path], Path]:
        more: dict[str, Any] = {} if axes is None else {"dynamic_axes": {"x": axes}}
        settings = {"opset_version": opset, "do_constant_folding": folding, "dynamo": False, **more}
        return lambda path: _export(copy.deepcopy(module), example, path, **settings)

    plain(17)(base)
    yield "legacy, opset 17", plain(17)
    for opset in (7, 9, 11, 13, 15, 18, 20):
        yield f"legacy, opset {opset}", plain(opset)
    yield "legacy, constants not folded", plain(17, folding=False)
    yield "batch open", plain(17, axes={0: "batch"})
    yield "all axes open", plain(17, axes=network.open)
    for opset in (18, 20, 22, 23, 24):
        yield f"dynamo, opset {opset}", lambda path, opset=opset: _dynamo(copy.deepcopy(module), example, path, opset)
    yield "onnxsim", lambda path: _simplified(base, path)
    yield "converted to opset 21", lambda path: _converted(base, path, 21)
    yield "external data", lambda path: _external(base, path)
    yield "weights taken out", lambda path: _stripped(base, path)
    yield "float16", lambda path: _half(base, path)
    for level in ("ENABLE_BASIC", "ENABLE_EXTENDED", "ENABLE_LAYOUT", "ENABLE_ALL"):
        yield f"session, {level}", lambda path, level=level: _session(base, path, level)
    if network.heads:
        for number in (0, 1, 2):
            yield f"transformer optimiser, level {number}", lambda path, n=number: _fused(base, path, network.heads, n)
    for kind in ("QInt8", "QUInt8"):
        yield f"dynamic, {kind}", lambda path, kind=kind: _dynamic(base, path, kind)
    for form in ("QDQ", "QOperator"):
        for per_channel in (False, True):
            name = f"static, {form}{', per channel' if per_channel else ''}"
            yield name, lambda path, form=form, each=per_channel: _static(base, path, example, form, each)
    for bits in (4, 8):
        yield f"weights of {bits} bits", lambda path, bits=bits: _few_bits(base, path, bits)


# ---------------------------------------------------------------------- comparison


@dataclass(frozen=True)
class Row:
    """What is read of one form."""

    form: str
    params: int
    macs: int
    nodes: int
    score: float
    key: str
    remarks: tuple[str, ...]

    def differences(self, first: Row) -> list[str]:
        return [name for name in ("params", "macs", "key") if getattr(self, name) != getattr(first, name)] + (
            ["score"] if abs(self.score - first.score) > 0.005 else []
        )


def _row(form: str, path: Path) -> Row:
    model = read(path)
    (ranked,) = archpredict.rank([path])
    graph = model.graph
    counts = int(total(graph, "params")), int(total(graph, "macs"))
    return Row(form, *counts, graph.num_nodes, ranked.score, graph.key, (*model.unknown, *model.warnings))


@contextmanager
def _silence() -> Iterator[None]:
    """Without what exporters and quantisers print, be it from C++."""
    sys.stdout.flush()
    before = [os.dup(number) for number in (1, 2)]
    try:
        with open(os.devnull, "wb") as nowhere:
            for number in (1, 2):
                os.dup2(nowhere.fileno(), number)
        yield
    finally:
        sys.stdout.flush()
        for number, copy_ in zip((1, 2), before, strict=True):
            os.dup2(copy_, number)
            os.close(copy_)


def compare(name: str, wanted: list[str]) -> list[str]:
    """Print a line for each form of a network; the forms that differ from the first."""
    print(f"{name}\n  {'form':34s} {'parameters':>12s} {'multiply-adds':>16s} {'nodes':>6s} {'score':>7s}  differs in")
    first: Row | None = None
    different = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (form, write) in enumerate(forms(NETWORKS[name], Path(folder))):
            if first is not None and wanted and not any(part in form for part in wanted):
                continue
            path = Path(folder) / f"form{number}.onnx"
            try:
                with _silence():
                    write(path)
            except Exception as error:  # the tool that writes it cannot
                print(f"  {form:34s} not written: {type(error).__name__}: {' '.join(str(error).split())[:60]}")
                continue
            row = _row(form, path)
            first = first or row
            found = row.differences(first)
            if found:
                different.append(f"{name}, {form}: {', '.join(found)}")
            said = f"{', '.join(found) or '-'}{'; ' if row.remarks else ''}{'; '.join(row.remarks)[:90]}"
            print(f"  {form:34s} {row.params:12,} {row.macs:16,} {row.nodes:6} {row.score:7.2f}  {said}", flush=True)
    return different


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--forms", nargs="+", default=[], help="parts of names of forms; all if left out")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    np.random.seed(0)
    different = [line for name in given.networks for line in compare(name, given.forms)]
    print(f"{len(different)} forms differ" + "".join(f"\n  {line}" for line in different))


if __name__ == "__main__":
    main()
