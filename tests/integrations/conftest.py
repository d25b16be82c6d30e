"""A module that is loaded as if a package were not installed."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import archpredict

LoadWithout = Callable[[str, str], None]


@pytest.fixture
def load_without(monkeypatch: pytest.MonkeyPatch) -> LoadWithout:
    def load(module: str, package: str) -> None:
        for name in [name for name in sys.modules if name.split(".")[0] == package]:
            monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.setitem(sys.modules, package, None)
        path = Path(str(archpredict.__file__)).parent / "integrations" / f"{module}.py"
        spec = importlib.util.spec_from_file_location(f"without_{package}", path)
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(importlib.util.module_from_spec(spec))

    return load
