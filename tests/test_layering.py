"""Imports point one way: what is early in ORDER never knows what is late; plug-ins never know each other."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

_PACKAGE = Path(__file__).resolve().parent.parent / "archpredict"

ORDER = (
    ("errors",),
    ("registry", "files"),
    ("backends", "metrics", "dropout"),
    ("graph",),
    ("ops",),
    ("network_builder",),
    ("node_features", "network_statistics", "summary"),
    ("packed",),
    ("sweeping",),
    ("spaces",),
    ("io", "datasets", "features"),
    ("images",),
    ("networks",),
    ("proxies",),
    ("items",),
    ("proxy_features",),
    ("protocols",),
    ("batch",),
    ("encoders", "heads", "regressors"),
    ("inputs",),
    ("training", "calibration", "familiarity", "reweighting"),
    ("pretraining",),
    ("saved",),
    ("committee",),
    ("members",),
    ("predictor",),
    ("adaptation", "ranker"),
    ("predictors", "evaluation"),
    ("evaluators",),
    ("strategies",),
    ("history", "checkpoint"),
    ("run_directory",),
    ("report", "plan"),
    ("search", "drawing"),
    ("cli",),
    ("__main__",),
    ("testing",),  # reads everything that has a contract; nothing reads it
)
PLUGINS = ("spaces", "images", "encoders", "heads", "regressors", "predictors", "evaluators", "strategies")

_RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}


def _name(path: Path) -> str:
    parts = path.relative_to(_PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


_MODULES = {_name(path): path for path in sorted(_PACKAGE.rglob("*.py"))}


@cache
def _imports(module: str) -> frozenset[str]:
    """The modules of archpredict that a module imports, those imported inside functions included."""
    found = set()
    for node in ast.walk(ast.parse(_MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} line {node.lineno}: write imports in full, not relative"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in _MODULES else str(node.module))
    return frozenset(name for name in found if name.split(".")[0] == "archpredict")


def _top(module: str) -> str:
    return module.split(".")[1]


_INSIDE = [name for name in _MODULES if name != "archpredict"]


@pytest.mark.parametrize("module", _INSIDE)
def test_imports_only_what_comes_before_it(module: str) -> None:
    assert _top(module) in _RANK, f"{module} has no place in the order yet: give it one in ORDER"
    for imported in _imports(module):
        assert imported != "archpredict", f"{module} imports the façade; import the module that has the name"
        assert imported in _MODULES, f"{module} imports {imported}, which does not exist"
        if _top(imported) != _top(module):
            assert _RANK[_top(imported)] < _RANK[_top(module)], f"{module} must not know {imported}"


@pytest.mark.parametrize("module", [name for name in _INSIDE if _MODULES[name].name != "__init__.py"])
def test_no_module_imports_the_facade_of_its_own_package(module: str) -> None:
    assert module.rpartition(".")[0] not in _imports(module)


@pytest.mark.parametrize("module", [m for m in _INSIDE if _top(m) in PLUGINS and m.count(".") == 2])
def test_plugins_know_their_base_and_private_helpers_but_not_each_other(module: str) -> None:
    for imported in _imports(module):
        if _top(imported) == _top(module) and imported.count(".") == 2:
            name = imported.rpartition(".")[2]
            assert name == "base" or name.startswith("_"), f"{module} must not know its sibling {imported}"


def test_no_import_goes_in_a_circle() -> None:
    TopologicalSorter({module: _imports(module) for module in _INSIDE}).prepare()


def _loaded_by(script: str) -> set[str]:
    script += "\nimport sys\nprint(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


def test_importing_the_package_loads_neither_torch_nor_dgl() -> None:
    loaded = _loaded_by("import archpredict")
    assert "archpredict" in loaded
    assert not loaded & {"torch", "dgl", "scipy", "sklearn", "matplotlib", "networkx"}


@pytest.mark.skipif("archpredict.cli.main" not in _MODULES, reason="there is no command line yet")
def test_asking_the_command_line_for_help_loads_neither_torch_nor_dgl() -> None:
    loaded = _loaded_by(
        "import sys\n"
        "from archpredict.cli.main import main\n"
        "sys.argv = ['archpredict', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code"
    )
    assert "click" in loaded
    assert not loaded & {"torch", "dgl", "scipy", "sklearn", "matplotlib", "networkx"}
