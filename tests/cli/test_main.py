"""The command as a whole: its sub-commands, its errors, its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import Future
from importlib.metadata import version

import click
import pytest
from click.testing import CliRunner

import archpredict
from archpredict.cli import spaces
from archpredict.cli.main import main
from archpredict.errors import DataError, RunError
from archpredict.registry import names
from archpredict.runs import directory as runs_directory

SCRIPT = "from archpredict.cli.main import main; main()"


def test_help_lists_the_commands() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    for name in ("search", "spaces", "strategies"):
        assert name in result.stdout


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys\nfrom archpredict.cli.main import main\n"
        "try:\n    main(['--help'])\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert "click" in loaded
    assert not loaded & {"torch", "numpy", "scipy", "sklearn", "matplotlib", "rich", "dgl", "sqlite3"}


def test_the_version_is_that_of_the_package() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.stdout == f"archpredict, version {archpredict.__version__}\n"
    assert version("archpredict") == archpredict.__version__


def test_an_unknown_command_is_answered_with_those_there_are() -> None:
    result = CliRunner().invoke(main, ["serch"])
    assert result.exit_code == 2
    assert "unknown command 'serch'; choose from: adapt, compare, data, devices, draw, evaluate, " in result.stderr
    assert "search, spaces, strategies, supernet, train, transfer. " in result.stderr
    assert "Did you mean 'search'?" in result.stderr


def broken(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make the command ``spaces`` raise, from no place in code of the user's."""
    failing = Future[None]()
    failing.set_exception(error)
    monkeypatch.setattr(spaces.command, "params", [p for p in spaces.command.params if p.name == "debug"])
    monkeypatch.setattr(spaces.command, "callback", failing.result)


@pytest.mark.parametrize(
    ("error", "message", "exit_code"),
    [
        (DataError("the table has no rows"), "Error: the table has no rows\n", 2),
        (RunError("it broke"), "Error: it broke\n", 1),
        (KeyboardInterrupt(), "Error: interrupted\n", 130),
        (
            ZeroDivisionError("division by zero"),
            "Error: internal error: ZeroDivisionError: division by zero; run again with --debug to see where\n",
            1,
        ),
    ],
)
def test_an_error_is_one_sentence_on_stderr_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, message: str, exit_code: int
) -> None:
    broken(monkeypatch, error)
    result = CliRunner().invoke(main, ["spaces"])
    assert (result.exit_code, result.stderr, result.stdout) == (exit_code, message, "")


@pytest.mark.parametrize("error", [DataError("no rows"), ZeroDivisionError("division by zero")])
def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    broken(monkeypatch, error)
    result = CliRunner().invoke(main, ["spaces", "--debug"])
    assert "Traceback (most recent call last)" in result.stderr
    assert result.stderr.endswith(f"{error}\n")


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "archpredict", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"archpredict, version {archpredict.__version__}\n"


def test_a_reader_that_leaves_early_is_no_internal_error() -> None:
    command = f'"{sys.executable}" -c "{SCRIPT}" spaces --json | true'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "internal error" not in done.stderr


@pytest.mark.parametrize("kind", ["spaces", "strategies"])
def test_the_lists_name_everything_there_is(kind: str) -> None:
    shown = CliRunner().invoke(main, [kind])
    data = json.loads(CliRunner().invoke(main, [kind, "--json"]).stdout)
    assert [row["name"] for row in data] == names(kind)
    for row in data:
        assert row["name"] in shown.stdout
        assert row["description"].endswith(".")


def test_the_list_of_evaluators_names_proxies_and_data_sets_too() -> None:
    shown = CliRunner().invoke(main, ["evaluators"])
    data = json.loads(CliRunner().invoke(main, ["evaluators", "--json"]).stdout)
    for kind in ("evaluators", "proxies", "images"):
        assert [row["name"] for row in data[kind]] == names(kind)
        assert all(row["name"] in shown.stdout and row["description"].endswith(".") for row in data[kind])


def test_the_lists_say_what_is_needed_to_choose() -> None:
    spaces = {r["name"]: r for r in json.loads(CliRunner().invoke(main, ["spaces", "--json"]).stdout)}
    assert spaces["nasbench201"]["num_choices"] == 6
    assert "params" in spaces["darts"]["costs"]
    strategies = {r["name"]: r for r in json.loads(CliRunner().invoke(main, ["strategies", "--json"]).stdout)}
    assert strategies["random"] == {
        "name": "random",
        "description": "Label random architectures and recommend the best.",
        "default_budget": 100,
        "min_budget": 1,
        "needs": "labels",
        "several_objectives": True,
        "presets": [],
        "options": [],
    }
    several = {name for name, row in strategies.items() if row["several_objectives"]}
    assert {"random", "nsga2"} <= several
    assert "evolution" not in several


@pytest.mark.parametrize("columns", ["60", "80", "120"])
@pytest.mark.parametrize("kind", ["spaces", "strategies", "evaluators", "predictors"])
def test_lists_are_legible_on_terminals_of_any_width(monkeypatch: pytest.MonkeyPatch, kind: str, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    lines = CliRunner().invoke(main, [kind]).stdout.splitlines()
    assert max(map(len, lines)) <= int(columns)
    assert not any("…" in line for line in lines)
    found = json.loads(CliRunner().invoke(main, [kind, "--json"]).stdout)
    for row in found if isinstance(found, list) else found[kind]:
        assert any(row["name"] in line and " ".join(row["description"].split()[:3]) in line for line in lines), (
            f"{row['name']} is not on one line with the beginning of what it is"
        )


def test_help_describes_commands_by_the_first_line_of_their_files() -> None:
    shown = CliRunner().invoke(main, ["--help"]).stdout
    assert "  spaces      List the search spaces.\n" in shown
    for name in main.list_commands(click.Context(main)):  # type: ignore[attr-defined]
        command = main.get_command(click.Context(main), name)  # type: ignore[attr-defined]
        assert command.name == name


def test_arguments_in_messages_are_shown_as_flags_of_the_running_command(monkeypatch: pytest.MonkeyPatch) -> None:
    message = (
        "leave out `out`, give `dataset='two words'`, `input_shapes={'x': (1, 3)}` or `git lfs pull`; "
        "go on with `search(..., out='run', resume=True)`, or `out='run', resume=True`, or `Predictor.fit`"
    )

    def fail(*given: object, **options: object) -> None:
        raise DataError(message)

    monkeypatch.setattr(runs_directory, "read_config", fail)
    assert CliRunner().invoke(main, ["search", "--resume", "nowhere"]).stderr == (
        "Error: leave out --out, give --dataset 'two words', `input_shapes={'x': (1, 3)}` or `git lfs pull`; "
        "go on with archpredict search --resume run, or --resume run, or archpredict fit\n"
    )
