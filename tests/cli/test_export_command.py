"""``archpredict export``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archpredict.cli.main import main
from archpredict.graph.operators import total
from archpredict.networks.exporting import num_scores
from archpredict.networks.network import build, save
from archpredict.onnx.reader import load
from archpredict.spaces.base import load_space

ARCH = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|"
OTHER = ARCH.replace("1x1", "3x3")
SPACE = load_space("nasbench201")
SMALL = ("--network", "channels=4", "--network", "cells=1")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


def failed(result: Result) -> str:
    assert result.exit_code == 2, result.output
    return result.output


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """What a training has saved."""
    graph = SPACE.network(SPACE.parse(ARCH), num_classes=4, image_size=8, image_channels=1, channels=4, cells=1)
    save(build(graph, seed=5), tmp_path / "trained.safetensors")
    return tmp_path / "trained.safetensors"


def test_an_architecture_is_written_with_random_weights(tmp_path: Path) -> None:
    out = tmp_path / "a.onnx"
    result = run(ARCH, "--space", "nasbench201", "--to", "onnx", "--out", out, *SMALL, "--classes", "7")
    assert result.exit_code == 0, result.output
    graph = SPACE.network(SPACE.parse(ARCH), num_classes=7, channels=4, cells=1)
    assert load(out).key == graph.key
    assert result.stdout.splitlines() == [
        f"Exported {ARCH} with random weights; saved in {out}",
        f"It reads images of ?x3x32x32; {total(graph, 'params') / 1e3:.2f}k parameters, 1.06M multiply-adds per image",
    ]


def test_json_says_what_was_written(tmp_path: Path) -> None:
    out = tmp_path / "a.pt2"
    result = run(
        ARCH, "--space", "nasbench201", "--to", "torch", "--out", out, *SMALL, "--image-size", "8",
        "--image-channels", "1", "--json",
    )  # fmt: skip
    graph = SPACE.network(SPACE.parse(ARCH), image_size=8, image_channels=1, channels=4, cells=1)
    assert json.loads(result.stdout) == {
        "out": str(out),
        "to": "torch",
        "space": "nasbench201",
        "architecture": ARCH,
        "weights": None,
        "image": [1, 8, 8],
        "key": graph.key,
        "params": total(graph, "params"),
        "macs": total(graph, "macs"),
        "bytes": out.stat().st_size,
    }


def test_the_seed_decides_the_weights(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(
            ARCH,
            "--space",
            "nasbench201",
            "--to",
            "onnx",
            "--out",
            tmp_path / f"{name}.onnx",
            *SMALL,
            "--seed",
            str(seed),
        )
    a, b, c = ((tmp_path / f"{name}.onnx").read_bytes() for name in "abc")
    assert a == b != c  # fmt: skip


def test_a_trained_network_needs_no_architecture(saved: Path, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    import torch

    from archpredict.networks.network import load as load_network

    out = tmp_path / "a.onnx"
    result = run("--to", "onnx", "--out", out, "--weights", saved)
    assert result.exit_code == 0, result.output
    assert f"Exported the network with weights of {saved}; saved in {out}" in result.output
    images = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    expected = load_network(saved)[0](images).detach()
    found = runtime.InferenceSession(out).run(None, {"images": images.numpy()})[0]
    assert torch.allclose(torch.from_numpy(found), expected, atol=1e-5)


def test_a_trained_network_may_be_checked_against_its_architecture(saved: Path, tmp_path: Path) -> None:
    given = ("--space", "nasbench201", "--to", "onnx", "--out", tmp_path / "a.onnx", "--weights", saved)
    assert run(ARCH, *given, *SMALL).exit_code == 0
    assert num_scores(load(tmp_path / "a.onnx")) == 4
    assert f"holds another network than {OTHER}; leave ARCH and --space out to exp" in failed(
        run(OTHER, *given, *SMALL)
    )
    assert "give --network as in its training" in failed(run(ARCH, *given))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((), "give an architecture and --space, or --weights with a trained network"),
        ((ARCH,), "ARCH needs --space, the search space whose notation it is in"),
        ((ARCH, "--space", "nasbench"), "unknown space 'nasbench'; choose from:"),
        (("|conv~0|", "--space", "nasbench201"), "is no architecture of the space nasbench201"),
        (
            (ARCH, "--space", "nasbench201", "--network", "width=3"),
            "have no option 'width'; they have: channels, cells",
        ),
        ((ARCH, "--space", "nasbench201", "--network", "channels=1.5"), "channels=1.5: options of networks are whole"),
        ((ARCH, "--space", "nasbench201", "--network", "channels"), "'channels' is not a name and a number"),
        (("[0]", "--space", "enas-micro"), "enas-micro"),
        ((ARCH, "--space", "nasbench201", "--image-size", "1"), "take a larger image"),
        (
            ("--weights", "no.safetensors"),
            "there is no file no.safetensors; give a network that was saved",
        ),
        (("--weights", "SAVED", "--space", "nasbench201"), "--space goes with ARCH; give both, or leave both out"),
        (
            ("--weights", "SAVED", "--classes", "3"),
            "--classes is for new networks, --weights has it fixed; leave it out",
        ),
        (("--weights", "SAVED", "--image-size", "3"), "--image-size is for new networks, --weights has it fixed"),
        (("--weights", "SAVED", "--network", "cells=1"), "--network goes with ARCH and --space; leave it out"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(
    given: tuple[str, ...], message: str, saved: Path, tmp_path: Path
) -> None:
    arguments = [str(saved) if text == "SAVED" else text for text in given]
    assert message in failed(run(*arguments, "--to", "onnx", "--out", tmp_path / "a.onnx"))
    assert not (tmp_path / "a.onnx").exists()


def test_a_name_with_another_ending_is_refused(tmp_path: Path) -> None:
    output = failed(run(ARCH, "--space", "nasbench201", "--to", "torch", "--out", tmp_path / "a.onnx"))
    assert "torch files end in .pt2, a.onnx was given; rename it" in output
