"""The house: imports point downwards in the order that docs/architecture.md shows; plug-ins never know each other."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent
_PACKAGE = _ROOT / "archpredict"
_PLUGINS = ("spaces", "images", "encoders", "heads", "regressors", "evaluators", "executors", "strategies", "proxies")
_MOST_ROOMS, _MOST_FLOORS, _MOST_IMPORTS = 32, 14, 165


def _name(path: Path) -> str:
    parts = path.relative_to(_ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


_MODULES = {_name(path): path for path in sorted(_PACKAGE.rglob("*.py"))}
_INSIDE = [name for name in _MODULES if name != "archpredict"]


def _floors(block: str) -> dict[str, int]:
    """Rooms and the floor on which each stands, from the ground up."""
    page = (_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    found = re.search(rf"^```text {block}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert found, f"docs/architecture.md has no block {block!r}"
    lines = [line.split() for line in reversed(found[1].splitlines())]
    return {room: floor for floor, rooms in enumerate(lines) for room in rooms}


_HOUSE = _floors("floors")


@cache
def _imports(module: str) -> frozenset[str]:
    """The modules of archpredict that a module imports, those imported inside functions included."""
    return frozenset(name for name, _, _ in _imported(_MODULES[module]))


def _imported(path: Path) -> Iterator[tuple[str, str, int]]:
    """Modules of archpredict that a file imports, what it takes from each ("" for the module), and the line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} line {node.lineno}: write imports in full, not relative"
            names = [(f"{node.module}.{alias.name}", alias.name) for alias in node.names]
            found = [(full, "") if full in _MODULES else (str(node.module), name) for full, name in names]
        else:
            continue
        yield from ((module, name, node.lineno) for module, name in found if module.split(".")[0] == "archpredict")


def _room(module: str) -> str:
    return module.split(".")[1]


def _arrows() -> Iterator[tuple[str, str]]:
    for module in _INSIDE:
        for imported in _imports(module):
            yield module, imported


def test_every_import_points_downwards() -> None:
    wrong = [f"{room} has no floor in docs/architecture.md" for room in {*map(_room, _INSIDE)} - _HOUSE.keys()]
    wrong += [f"docs/architecture.md has a floor for {room}, which is not there" for room in _gone(_HOUSE, 1)]
    for module, imported in _arrows():
        if imported == "archpredict":
            wrong.append(f"{module} imports the façade; import the module that has the name")
        elif imported not in _MODULES:
            wrong.append(f"{module} imports {imported}, which does not exist")
        elif _room(imported) != _room(module) and _HOUSE[_room(imported)] >= _HOUSE[_room(module)]:
            wrong.append(f"{module} must not know {imported}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", ["onnx", "predict"])
def test_every_import_inside_a_large_room_points_downwards(room: str) -> None:
    floors, wrong = _floors(f"floors {room}"), []
    for module, imported in _arrows():
        if _room(module) == _room(imported) == room and module.count(".") > 1:
            own, other = (name.split(".")[2] for name in (module, imported))
            if own != other and floors[other] >= floors[own]:
                wrong.append(f"{module} must not know {imported}")
    assert not wrong, "\n".join(wrong)


def _gone(floors: Mapping[str, int], depth: int) -> set[str]:
    return set(floors) - {name.split(".")[depth] for name in _INSIDE if name.count(".") >= depth}


def test_the_house_is_as_small_as_it_was_planned() -> None:
    """28 rooms, and four for what comes: executors, integrations, pages and explanations."""
    rooms = {*map(_room, _INSIDE)}
    arrows = {(_room(a), _room(b)) for a, b in _arrows() if _room(a) != _room(b)}
    assert len(rooms) <= _MOST_ROOMS
    assert max(_HOUSE.values()) + 1 <= _MOST_FLOORS
    assert len(arrows) <= _MOST_IMPORTS


def test_no_module_imports_the_facade_of_its_own_package() -> None:
    wrong = [m for m in _INSIDE if _MODULES[m].name != "__init__.py" and m.rpartition(".")[0] in _imports(m)]
    assert not wrong, f"{wrong} import the package that they are part of"


def test_plugins_know_their_base_and_private_helpers_but_not_each_other() -> None:
    wrong = []
    for module, imported in _arrows():
        if _room(module) in _PLUGINS and _room(imported) == _room(module) and module.count(".") == 2:
            name = imported.rpartition(".")[2]
            if imported.count(".") == 2 and name != "base" and not name.startswith("_"):
                wrong.append(f"{module} must not know its sibling {imported}")
    assert not wrong, "\n".join(wrong)


def _imported_names(path: Path) -> Iterator[tuple[str, int]]:
    """Modules and names of archpredict that a file imports, in full, and the line."""
    for module, name, line in _imported(path):
        yield f"{module}.{name}" if name else module, line


def _is_private(full: str, room: str) -> bool:
    """Whether a part of the name has an underscore in front, and it belongs to another room.

    Modules with an underscore at the root belong to every room.
    """
    parts = full.split(".")[1:]
    if parts and (parts[0] == room or parts[0].startswith("_")):
        parts = parts[1:] if parts[0] != room else []
    return any(part.startswith("_") and not part.startswith("__") for part in parts)


def test_no_module_imports_a_private_name_of_another_package() -> None:
    files = [(path, _room(name) if name != "archpredict" else "") for name, path in _MODULES.items()]
    files += [(path, "") for folder in ("tests", "benchmarks", "examples") for path in (_ROOT / folder).rglob("*.py")]
    wrong = []
    for path, room in files:
        place = path.relative_to(_ROOT).as_posix()
        for full, line in _imported_names(path):
            if _is_private(full, room):
                wrong.append(f"{place}:{line} imports {full}, which is private to another package")
    assert not wrong, "\n".join(wrong)


def test_no_class_name_stands_for_two_classes() -> None:
    places: dict[str, list[str]] = {}
    for module, path in _MODULES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(module)
    wrong = {name: modules for name, modules in places.items() if len(modules) > 1}
    assert not wrong, f"one class name, several classes; give them names of their own: {wrong}"


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


def test_the_walks_that_are_told_go_down_from_file_to_file() -> None:
    page = (_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    told = re.search(r"^```text walks\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert told
    for line in told[1].splitlines():
        files = re.findall(r"\S+\.py", line)
        assert [file for file in files if not (_ROOT / "archpredict" / file).is_file()] == []
        floors = [_HOUSE[file.split("/")[0].removesuffix(".py")] for file in files]
        assert floors == sorted(floors, reverse=True), line
