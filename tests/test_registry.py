"""Plug-ins by name and by reference, and what is said of a user's file that cannot be loaded."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from archpredict.errors import UsageError
from archpredict.registry import described, resolve, users_place
from archpredict.spaces.base import SearchSpace


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("class X(\n    a = 1\n", r"SyntaxError: .* \(.*broken.py, line \d\)"),
        (
            "\nimport no_such_package\n",
            r"ModuleNotFoundError: No module named 'no_such_package' \(.*broken.py, line 2, in <module>\)",
        ),
        ("1 / 0\n", r"ZeroDivisionError: division by zero \(.*broken.py, line 1, in <module>\)"),
        ("raise SystemExit(5)\n", r"SystemExit: 5 \(.*broken.py, line 1, in <module>\)"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_named_with_the_line(tmp_path: Path, content: str, why: str) -> None:
    (tmp_path / "broken.py").write_text(content)
    for _ in range(2):  # the second time is not answered from half a module
        with pytest.raises(UsageError, match=rf"broken.py cannot be loaded: {why}; correct it"):
            resolve("spaces", f"{tmp_path}/broken.py:X", SearchSpace)
    assert "broken" not in sys.modules


def test_a_module_that_cannot_be_loaded_is_named_with_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_module.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        UsageError, match=r"broken_module cannot be loaded: ZeroDivisionError: .*broken_module.py, line 1"
    ):
        resolve("spaces", "broken_module:X", SearchSpace)


@pytest.mark.parametrize("reference", [":X", "module:", ":"])
def test_half_a_reference_is_answered_with_the_whole_form(reference: str) -> None:
    with pytest.raises(
        UsageError, match=f"'{reference}' names no class; expected module:Class or path/to/file.py:Class"
    ):
        resolve("spaces", reference, SearchSpace)


def test_only_code_of_the_user_is_given_as_the_place() -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads("{")
    assert "test_registry.py, line" in str(users_place(caught.value))
    shown = described(caught.value.with_traceback(None))
    assert shown.startswith("json.decoder.JSONDecodeError: Expecting property name")
    assert "test_registry" not in shown
