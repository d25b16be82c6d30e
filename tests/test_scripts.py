"""Benchmarks and examples take from the package what is there: they are too long to run here."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent
_SCRIPTS = sorted(path for folder in ("benchmarks", "examples", "docs") for path in (_ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("script", _SCRIPTS, ids=lambda path: path.relative_to(_ROOT).as_posix())
def test_a_script_imports_names_that_exist(script: Path) -> None:
    missing = []
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "archpredict":
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                if not hasattr(module, alias.name) and not _is_module(f"{node.module}.{alias.name}"):
                    missing.append(f"line {node.lineno}: {node.module} has no {alias.name}")
    assert not missing, "\n".join(missing)


def _is_module(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return False
    return True
