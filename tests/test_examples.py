"""The examples run to their end."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from archpredict.images.base import Split
from archpredict.networks.recipe import Recipe

_EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "end_to_end.py"


@pytest.mark.slow
def test_ctnas_goes_from_images_to_a_trained_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location("end_to_end", _EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    train = example.IMAGES.train
    few = replace(example.IMAGES, train=Split(train.images[:128], train.labels[:128]))
    monkeypatch.setattr(example, "IMAGES", few)
    monkeypatch.setattr(example, "SUPERNET", Recipe(epochs=1))
    monkeypatch.setattr(example, "SCRATCH", Recipe(epochs=1))
    words = ["end_to_end.py", "--out", str(tmp_path), "--labels", "6", "--budget", "10", "--seeds", "1"]
    monkeypatch.setattr(sys, "argv", words)
    example.main()
    said = capsys.readouterr().out
    for name in ("best of 6 labels", "random search, 10 labels", "CTNAS, 10 labels"):
        assert name in said
    assert (tmp_path / "supernet.safetensors").exists()
