"""Exported networks compute the same elsewhere, and are read back as the same graph."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from archpredict.errors import RunError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.builder import Builder
from archpredict.graph.operators import total
from archpredict.networks.exporting import export, image_shape, num_scores
from archpredict.networks.form import Form
from archpredict.networks.network import Network, build
from archpredict.onnx.reader import load
from archpredict.spaces.base import load_space

SMALL = {
    "nasbench101": (16, {"channels": 4, "cells": 1}),
    "nasbench201": (16, {"channels": 4, "cells": 1}),
    "darts": (16, {"channels": 4, "cells": 3}),
    "enas": (8, {"channels": 4}),
    "mobilenetv3": (32, {"channels": 8}),
    "nasbench-macro": (16, {"channels": 4}),
}


def graphs(space: str, count: int) -> list[ArchGraph]:
    size, options = SMALL[space]
    made, form = load_space(space), Form(image_size=size, options=options)
    return [form.graph(made, row) for row in made.sample(count, np.random.default_rng(2)).tolist()]


def worn(graph: ArchGraph) -> Network:
    """A network whose weights, shifts and running averages are none of a new one's, in evaluation mode."""
    network, generator = build(graph, seed=1), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
        network.momentum = 0.5
        for _ in range(4):
            network(1 + 2 * torch.randn(8, *image_shape(graph), generator=generator))
    return network.eval()


def relative(found: np.ndarray, expected: Tensor) -> float:
    return float(np.abs(found - expected.numpy()).max() / expected.abs().max())


def inputs(graph: ArchGraph, count: int) -> Tensor:
    return torch.randn(count, *image_shape(graph), generator=torch.Generator().manual_seed(9))


@pytest.mark.parametrize("space", SMALL)
def test_onnx_files_run_to_the_same_scores_and_are_read_as_the_same_graph(space: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    for graph in graphs(space, 2):
        network, file = worn(graph), tmp_path / "network.onnx"
        export(network, file, "onnx")
        session = runtime.InferenceSession(file)
        for count in (1, 5):
            images = inputs(graph, count)
            with torch.no_grad():
                expected = network(images)
            assert relative(session.run(["scores"], {"images": images.numpy()})[0], expected) < 1e-4
        read = load(file)
        assert read.key == graph.key
        assert total(read, "macs") == total(graph, "macs")
        assert total(read, "params") == total(graph, "params") == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("space", ["nasbench201", "enas"])
def test_new_networks_with_shifts_of_zero_are_read_as_the_same_graph(space: str, tmp_path: Path) -> None:
    for graph in graphs(space, 3):
        export(build(graph), tmp_path / "network.onnx", "onnx")
        read = load(tmp_path / "network.onnx")
        assert read.key == graph.key
        assert total(read, "params") == total(graph, "params")


@pytest.mark.parametrize("space", ["nasbench201", "mobilenetv3"])
def test_torch_files_run_to_the_same_scores(space: str, tmp_path: Path) -> None:
    graph = min(graphs(space, 20), key=lambda graph: graph.num_nodes)  # torch takes seconds for each hundred nodes
    network = worn(graph)
    export(network, tmp_path / "network.pt2", "torch")
    module = torch.export.load(tmp_path / "network.pt2").module()
    for count in (1, 5):
        with torch.no_grad():
            expected = network(inputs(graph, count))
            assert relative(module(inputs(graph, count)).numpy(), expected) < 1e-4


def tiny() -> ArchGraph:
    b = Builder(image=(1, 4, 4))
    x = b.relu(b.conv(b.input(), 2, kernel=3, norm=True))
    return b.output(b.linear(b.global_avg_pool(x), 7)).graph()


def test_torch_files_need_nothing_of_this_package(tmp_path: Path) -> None:
    export(build(tiny()), tmp_path / "tiny.pt2", "torch")
    script = (
        "import sys\nsys.modules['archpredict'] = None\nimport torch\n"
        f"print(*torch.export.load({str(tmp_path / 'tiny.pt2')!r}).module()(torch.zeros(3, 1, 4, 4)).shape)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "3 7\n", done.stderr


def test_exporting_leaves_the_network_as_it_was(tmp_path: Path) -> None:
    network = build(tiny())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    export(network, tmp_path / "tiny.onnx", "onnx")
    assert network.training
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())


def test_a_file_that_is_there_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "tiny.onnx").write_text("old")
    export(build(tiny()), tmp_path / "tiny.onnx", "onnx")
    assert load(tmp_path / "tiny.onnx").key == tiny().key
    assert [file.name for file in tmp_path.iterdir()] == ["tiny.onnx"]


def test_images_and_scores_of_a_graph_are_known() -> None:
    assert image_shape(tiny()) == (1, 4, 4)
    assert num_scores(tiny()) == 7


@pytest.mark.parametrize(
    ("name", "to", "message"),
    [
        ("a.onnx", "jax", "networks are exported to onnx or torch, not 'jax'"),
        ("a.pt", "torch", r"torch files end in \.pt2, a\.pt was given; rename it"),
        ("a.onnx.gz", "onnx", r"onnx files end in \.onnx, a\.onnx\.gz was given; rename it"),
        ("no/a.onnx", "onnx", r"there is no folder .*no to write a\.onnx into; make it first"),
        ("folder.onnx", "onnx", r"folder\.onnx is no regular file; give the name of a file to write"),
    ],
)
def test_a_file_that_cannot_be_made_is_refused_before_any_work(
    tmp_path: Path, name: str, to: str, message: str
) -> None:
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(UsageError, match=message):
        export(build(tiny()), tmp_path / name, to)


def test_without_the_older_exporter_one_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def export_of_the_future(*given: object, dynamo: bool = True, **more: object) -> None:
        raise TypeError("dynamo=False is gone")

    monkeypatch.setattr(torch.onnx, "export", export_of_the_future)
    with pytest.raises(
        RunError, match=r"cannot write ONNX with its TorchScript-based exporter, .*gone.*; use `to='torch'`"
    ):
        export(build(tiny()), tmp_path / "tiny.onnx", "onnx")
    assert not list(tmp_path.iterdir())


def test_a_network_that_is_too_large_for_the_form_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archpredict.networks.exporting._MAX_ONNX_BYTES", 50)
    with pytest.raises(RunError, match="the network has 164 bytes of weights, ONNX files hold 50; use `to='torch'`"):
        export(build(tiny()), tmp_path / "tiny.onnx", "onnx")
