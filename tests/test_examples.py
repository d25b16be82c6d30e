"""The examples run to their end."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archpredict.images.base import Split
from archpredict.networks.recipe import Recipe
from archpredict.runs.search import SearchResult, search
from archpredict.testing.strategies import SHORT

_EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "end_to_end.py"


def _short(*arguments: Any, strategy: str, options: Mapping[str, Any] | None = None, **more: Any) -> SearchResult:
    """A search as the example makes it, but for the rounds and iterations of its strategy."""
    return search(*arguments, strategy=strategy, options={**(options or {}), **SHORT.get(strategy, {})}, **more)


@pytest.mark.slow
def test_ctnas_goes_from_images_to_a_trained_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location("end_to_end", _EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    few = {name: getattr(example.IMAGES, name) for name in ("train", "test")}
    few = {name: Split(split.images[:128], split.labels[:128]) for name, split in few.items()}
    monkeypatch.setattr(example, "IMAGES", replace(example.IMAGES, **few))
    monkeypatch.setattr(example, "FORM", replace(example.FORM, options={"channels": 4}))
    monkeypatch.setattr(example, "search", _short)
    monkeypatch.setattr(example, "SUPERNET", Recipe(epochs=1))
    monkeypatch.setattr(example, "SCRATCH", Recipe(epochs=1))
    words = ["end_to_end.py", "--out", str(tmp_path), "--labels", "4", "--budget", "8", "--seeds", "1"]
    monkeypatch.setattr(sys, "argv", words)
    example.main()
    said = capsys.readouterr().out
    for name in ("best of 4 labels", "random search, 8 labels", "CTNAS, 8 labels"):
        assert name in said
    assert (tmp_path / "supernet.safetensors").exists()
