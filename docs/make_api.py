"""Writes docs/api.md, the public surface, from ``__all__`` of the modules: ``make api``.

A module is public if it has ``__all__``; what is said of a name is the first sentence of its documentation.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "api.md"

_HEAD = """# The public surface

What you may rely on: the modules below and the names in them, each of which keeps its meaning or is renamed with a
warning ([policy](../CONTRIBUTING.md#what-is-public)). Everything else may change in any version: modules and names that
begin with an underscore, modules that are not listed, and names that are not listed of those that are. The command line
(see [README](../README.md)), saved predictors, run directories and the entry-point groups of plug-ins are
public too. This page is made by `make api` from `__all__` of the modules, and tested against what the documentation and
the examples import.
"""


class Module(NamedTuple):
    """A public module.

    Args:
        name: In full.
        about: First sentence of its documentation.
        names: What is said of each public name.
    """

    name: str
    about: str
    names: Mapping[str, str]


def modules(root: Path = ROOT) -> dict[str, Module]:
    """The public modules of the package, by name, without importing any."""
    found = {}
    for path in sorted((root / "archpredict").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        public = _assigned(tree).get("__all__")
        if public is not None:
            known = {**_homes(tree, root), **_imported(tree, root), **_told(tree)}
            names = {each: known.get(each, "") for each in ast.literal_eval(public)}
            found[name] = Module(name, _first(ast.get_docstring(tree)), names)
    return found


def page(found: Mapping[str, Module]) -> str:
    """The content of docs/api.md."""
    parts = [_HEAD]
    package = ""
    for module in sorted(found.values(), key=lambda module: (module.name.count(".") > 1, module.name)):
        inside = module.name.split(".")[1] if module.name.count(".") > 1 else "archpredict"
        if inside != package:
            package = inside
            parts.append(f"## {package if package == 'archpredict' else f'archpredict.{package}'}\n")
        parts.append(f"### `{module.name}`\n\n{module.about}\n")
        parts.append("\n".join(f"- `{name}`: {about}" for name, about in sorted(module.names.items())) + "\n")
    return "\n".join(parts)


def _assigned(tree: ast.Module) -> dict[str, ast.expr]:
    """Values that are assigned to names at the top level."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            found.update({target.id: node.value for target in node.targets if isinstance(target, ast.Name)})
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            found[node.target.id] = node.value
    return found


def _told(tree: ast.Module) -> dict[str, str]:
    """First sentences of what is defined at the top level; of a constant the text that follows it."""
    found = {}
    for node, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = _first(ast.get_docstring(node))
        elif (
            isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str)
        ):
            for name in _assigned(ast.Module([node], [])):
                found[name] = _first(after.value.value)
    return found


def _homes(tree: ast.Module, root: Path) -> dict[str, str]:
    """Of names that the package itself offers, what is said where they are defined."""
    homes = _assigned(tree).get("_HOME")
    if homes is None:
        return {}
    found = {"__version__": "The version of the package."}
    for name, home in ast.literal_eval(homes).items():
        path = root / "archpredict" / Path(*home.split(".")).with_suffix(".py")
        found[name] = _told(ast.parse(path.read_text(encoding="utf-8"))).get(name, "")
    return found


def _imported(tree: ast.Module, root: Path) -> dict[str, str]:
    """Of names that are imported from another module of the package, what is said there."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith("archpredict."):
            path = (root / Path(*node.module.split("."))).with_suffix(".py")
            told = _told(ast.parse(path.read_text(encoding="utf-8"))) if path.exists() else {}
            found.update({alias.name: told.get(alias.name, "") for alias in node.names})
    return found


def _first(text: str | None) -> str:
    """The first sentence of a documentation, on one line, in Markdown."""
    paragraph = " ".join((text or "").strip().partition("\n\n")[0].split())
    sentence = re.split(r"(?<=[.])\s", paragraph, maxsplit=1)[0]
    named = re.sub(r":\w+:`(?:~[\w.]*\.)?([^`]*)`", r"`\1`", sentence)
    return named.replace("``", "`")


if __name__ == "__main__":
    sys.stdout.write(page(modules()))
