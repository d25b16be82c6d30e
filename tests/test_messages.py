"""The library speaks of arguments; flags and commands are the command line's."""

from __future__ import annotations

import ast
import re
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent / "archpredict"
_CLI = _PACKAGE / "cli"
_COMMANDS = [path.stem for path in _CLI.glob("[!_]*.py") if path.stem != "main"]
_FLAG = re.compile(rf"(?<![\w-])--[a-z]|\barchpredict ({'|'.join(_COMMANDS)})\b")


def test_no_text_of_the_library_names_a_flag_or_a_command() -> None:
    wrong = []
    for path in sorted(set(_PACKAGE.rglob("*.py")) - set(_CLI.rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _FLAG.search(node.value):
                wrong.append(f"{path.relative_to(_PACKAGE)}, line {node.lineno}: {node.value.strip()[:80]}")
    assert not wrong, "write `argument`, see archpredict/errors.py:\n" + "\n".join(wrong)
