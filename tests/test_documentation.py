"""What the documentation shows works: Python blocks run, commands and options exist, links lead somewhere.

The Python blocks of one file run in order, in one namespace and an empty folder. ``<!-- no-run -->`` before a
block leaves it out.
"""

from __future__ import annotations

import itertools
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import click
import pytest

_ROOT = Path(__file__).resolve().parent.parent
_FILES = [
    p for p in (_ROOT / "README.md", _ROOT / "CONTRIBUTING.md", *sorted(_ROOT.glob("docs/**/*.md"))) if p.exists()
]
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
_SHELL = {"console", "bash", "sh", "shell"}

each_file = pytest.mark.parametrize("path", _FILES, ids=lambda path: str(path.relative_to(_ROOT)))


class _Block(NamedTuple):
    language: str
    text: str
    line: int
    """Number of the opening fence."""
    runs: bool


def _blocks(path: Path) -> Iterator[_Block]:
    page = path.read_text(encoding="utf-8")
    for match in _FENCE.finditer(page):
        before = page[: match.start()]
        runs = not before.rstrip().endswith("<!-- no-run -->")
        yield _Block(match[1], match[2], before.count("\n") + 1, runs)


@each_file
def test_python_blocks_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("documentation")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # so that classes of a page find their module
    monkeypatch.chdir(tmp_path)
    for block in _blocks(path):
        if block.language == "python" and block.runs:
            source = "\n" * block.line + block.text  # so that a traceback names the page's line
            exec(compile(source, str(path), "exec", dont_inherit=True), module.__dict__)


def _first_command(line: str) -> list[str]:
    """The words of a line up to a pipe, a redirection or the next command; quoted ones are words like others."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|>&;")
    lexer.whitespace_split = True
    return list(itertools.takewhile(lambda word: not set(word) <= set("|>&;"), lexer))


def _commands(path: Path) -> Iterator[list[str]]:
    for block in _blocks(path):
        if block.language in _SHELL:
            lines = block.text.replace("\\\n", " ").splitlines()
            prompted = [line for line in lines if line.startswith("$ ")]  # the others are output
            for line in prompted or lines:
                words = _first_command(line.removeprefix("$ "))
                while words and re.fullmatch(r"\w+=.*", words[0]):
                    words = words[1:]
                if words and Path(words[0]).name == "archpredict":
                    yield words[1:]


def _check(command: click.Command, words: list[str]) -> None:
    context = click.Context(command)
    _, rest, _ = command.make_parser(context).parse_args(list(words))
    if isinstance(command, click.Group) and rest:
        chosen = command.get_command(context, rest[0])
        assert chosen is not None, f"there is no command {rest[0]!r}"
        _check(chosen, rest[1:])


def _command_line() -> click.Group:
    module = pytest.importorskip("archpredict.cli.main", reason="there is no command line yet")
    return next(value for value in vars(module).values() if isinstance(value, click.Group))


@each_file
def test_commands_shown_exist_with_their_options(path: Path) -> None:
    group = _command_line()
    for words in _commands(path):
        try:
            _check(group, words)
        except click.UsageError as error:
            pytest.fail(f"{path.name} shows 'archpredict {shlex.join(words)}': {error.format_message()}")


@each_file
def test_relative_links_lead_to_files(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            assert (path.parent / target).exists(), f"{path.name} links to {target}, which does not exist"
