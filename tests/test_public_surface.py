"""The public surface: docs/api.md, ``__all__`` of the modules, and what documentation and examples import, agree."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import archpredict

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))


def _generator() -> Any:
    spec = importlib.util.spec_from_file_location("make_api", ROOT / "docs" / "make_api.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


API = _generator()
MODULES = API.modules()
MODULE_FILES = {name: Path(str(importlib.import_module(name).__file__)) for name in MODULES}


def test_the_page_is_what_the_modules_say() -> None:
    assert API.PAGE.read_text(encoding="utf-8") == API.page(MODULES), "run 'make api'"


def test_no_public_module_has_an_underscore_in_its_path() -> None:
    assert [name for name in MODULES if any(part.startswith("_") for part in name.split("."))] == []


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_exists_and_says_what_it_is(module: str) -> None:
    loaded, names = importlib.import_module(module), MODULES[module].names
    assert MODULES[module].about
    assert [name for name, about in names.items() if not about] == []
    assert [name for name in names if not hasattr(loaded, name)] == []
    assert [name for name in names if name.startswith("_") and name != "__version__"] == []


@pytest.mark.parametrize("path", [*PAGES, *EXAMPLES], ids=lambda path: path.name)
def test_documentation_and_examples_import_what_is_public(path: Path) -> None:
    others = [
        f"{name} of {module}" if name else module for module, name in _imported(path) if not _public(module, name)
    ]
    assert not others, "make these public in __all__, or do without"


KINDS = {
    **dict.fromkeys(
        ["ArchGraph", "Architecture", "Evaluator", "Event", "Objective", "Part", "Predictor", "Problem"], "class"
    ),
    **dict.fromkeys(["Ranking", "Recommendation", "Result", "SearchResult", "SearchSpace"], "class"),
    **dict.fromkeys(["Strategy", "Table", "Training", "UniversalPredictor"], "class"),
    **dict.fromkeys(["draw", "load_space", "rank", "search"], "function"),
    "__version__": "text",
}
_IS = {"class": inspect.isclass, "function": inspect.isfunction, "text": lambda thing: isinstance(thing, str)}


def test_the_kind_of_every_name_of_the_top_level_is_told() -> None:
    assert KINDS.keys() == set(archpredict.__all__)


@pytest.mark.parametrize("name", KINDS)
def test_a_name_of_the_top_level_is_one_thing_and_no_module(name: str) -> None:
    assert _IS[KINDS[name]](getattr(archpredict, name))
    with pytest.raises(ModuleNotFoundError, match=f"^No module named 'archpredict.{name}'"):
        importlib.import_module(f"archpredict.{name}")
    assert _IS[KINDS[name]](getattr(archpredict, name))


@pytest.mark.parametrize("package", [name for name in MODULES if MODULE_FILES[name].name == "__init__.py"])
def test_no_name_of_a_package_stands_in_the_place_of_a_module(package: str) -> None:
    beside = {path.stem for path in MODULE_FILES[package].parent.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not beside & MODULES[package].names.keys()


def _public(module: str, name: str) -> bool:
    if not name:  # import archpredict.x
        return module in MODULES
    return f"{module}.{name}" in MODULES or (module in MODULES and name in MODULES[module].names)


def _imported(path: Path) -> Iterator[tuple[str, str]]:
    """Modules of archpredict that a page's Python blocks or a file import, and the names taken from them."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if path.suffix == ".md" else [text]
    for node in (node for block in blocks for node in ast.walk(ast.parse(block))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if _ours(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module is not None and _ours(node.module):
            yield from ((node.module, alias.name) for alias in node.names)


def _ours(module: str) -> bool:
    return module.split(".")[0] == "archpredict"
