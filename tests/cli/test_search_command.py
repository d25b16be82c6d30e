"""``archpredict search`` as a user meets it."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from archpredict.cli.main import main
from archpredict.registry import names, resolve
from archpredict.runs.directory import RunDirectory, read_config
from archpredict.runs.history import History
from archpredict.spaces.base import load_space
from archpredict.strategies.base import Strategy
from archpredict.testing.toys import ToySpace

TOY = (
    "--space", "archpredict.testing.toys:ToySpace", "--evaluator", "archpredict.testing.toys:ToyEvaluator",
    "--strategy", "random",
)  # fmt: skip

HELPERS = """
import time
from archpredict.registry import resolve
from archpredict.strategies.base import Strategy
from archpredict.testing.strategies import SHORT
from archpredict.testing.toys import ToyEvaluator

class Slow(ToyEvaluator):
    def evaluate(self, architectures):
        for result in super().evaluate(architectures):
            time.sleep(0.03)
            yield result

class Broken(ToyEvaluator):
    def evaluate(self, architectures):
        raise ZeroDivisionError("division by zero")

base = resolve("strategies", {name!r}, Strategy)

class Quick(base):
    def __init__(self, problem, *, seed, observer):
        super().__init__(problem, seed=seed, observer=observer, **SHORT.get(base.name, {{}}))
"""


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def helpers(name: str = "random") -> Path:
    path = Path(f"helpers_{name.replace('-', '_')}.py").absolute()
    path.write_text(HELPERS.format(name=name))
    return path


def cli(*words: str) -> Result:
    return CliRunner().invoke(main, ["search", *words], catch_exceptions=False)


MAIN = "from archpredict.cli.main import main; main()"


def count(run: Path, table: str) -> int:
    """Rows of the record, looked at from outside; 0 while there is none."""
    if not (run / "history.db").exists():
        return 0
    with closing(sqlite3.connect(run / "history.db")) as db:
        return int(db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


def wait_until(program: Any, reached: Callable[[], bool]) -> None:
    while not program.ended() and not reached():
        time.sleep(0.005)


def test_json_is_one_object_alone_on_stdout() -> None:
    result = cli(*TOY, "--budget", "12", "--seed", "4", "--top", "3", "--json")
    shown = json.loads(result.stdout)
    assert list(shown) == [
        "space", "strategy", "evaluator", "seed", "queries", "best", "top", "run_dir", "seconds",
    ]  # fmt: skip
    assert (shown["seed"], shown["queries"], len(shown["top"])) == (4, 12, 3)
    assert shown["run_dir"] == "runs/toy-random-seed4-1"
    assert json.loads(Path(shown["run_dir"], "best.json").read_text()) == shown


def test_the_first_free_run_directory_is_taken() -> None:
    for n in (1, 2, 3):
        assert json.loads(cli(*TOY, "--budget", "5", "--json").stdout)["run_dir"] == f"runs/toy-random-seed0-{n}"


@pytest.mark.draw
def test_people_get_a_table_what_the_scores_are_and_the_best_ready_to_paste() -> None:
    result = cli(*TOY, "--budget", "40")
    assert result.exit_code == 0
    best = json.loads(Path("runs/toy-random-seed0-1/best.json").read_text())["best"]
    lines = result.stdout.splitlines()
    assert "Best architectures of toy found by random" in lines[0]
    for heading in ("rank", "score", "params", "architecture"):
        assert heading in lines[2]
    assert "evaluated" in result.stdout
    assert "Scores are made-up scores of a toy space." in lines
    assert lines[lines.index("Best architecture:") + 1] == best["architecture"]
    assert "40 evaluations" in result.stdout
    assert "runs/toy-random-seed0-1/report" in result.stdout
    assert Path("runs/toy-random-seed0-1/report/best_so_far.png").is_file()
    assert "labelling 40/40" in result.stderr
    assert "best 4.4" in result.stderr


def test_the_output_explains_scores_costs_and_what_failed() -> None:
    program = f"""{sys.executable} -c 's = input(); print(s[4] + s[7]) if s[1] == "0" else exit(3)'"""
    words = ("--space", "examples_space.py:Costly", "--strategy", "random", "--command", program, "--budget", "30")
    Path("examples_space.py").write_text(
        "from archpredict.testing.toys import ToySpace\n"
        "class Costly(ToySpace):\n"
        "    def cost(self, choices):\n"
        "        '''Costs of a network on paper.\n\n        More.'''\n"
        '        return {"flops": 1.3e6, "params": 2.0, "watts": 5.0}\n'
    )
    result = cli(*words)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[2].split() == ["rank", "score", "params", "flops", "watts", "architecture"]
    assert "1.30M" in lines[4]
    assert f"Scores are what the command prints: {program}." in lines
    assert (
        "Costs of a network on paper. params: parameters; flops: multiply-adds and operations on single elements."
        in lines
    )
    failed = History("runs/toy-random-seed0-1/history.db").rows()
    count_failed = sum(row["score"] is None for row in failed)
    assert count_failed > 0
    assert f"30 evaluations ({count_failed} failed), " in result.stdout
    assert f"failed {count_failed}" in result.stderr.splitlines()[-1]
    assert result.stderr.splitlines()[0] == (
        "Searching toy with random: 30 evaluations by command, seed 0; record in runs/toy-random-seed0-1"
    )


def test_a_budget_that_cannot_be_used_up_is_explained() -> None:
    program = f"""{sys.executable} -c 'print(len(input()))'"""
    Path("one.py").write_text(
        "import archpredict\n"
        "class One(archpredict.SearchSpace):\n"
        "    name = 'one'\n"
        "    num_choices = (1, 3)\n"
        "    def decode(self, choices):\n"
        "        return archpredict.ArchGraph(ops=('a',), edges=())\n"
    )
    result = cli("--space", "one.py:One", "--strategy", "random", "--command", program, "--budget", "9", "--quiet")
    assert "1 evaluation (of a budget of 9: there is nothing else to evaluate), " in result.stdout


TELLING = """
from archpredict.progress import Event
from archpredict.strategies.base import Recommendation
from archpredict.strategies.random import RandomSearch

class Telling(RandomSearch):
    def tell(self, results):
        super().tell(results)
        self.observer(Event("controller", 5, 5, {"reward": 0.5}))

class Predicting(RandomSearch):
    def recommend(self, k):
        unseen = self.problem.sample(1, self.rng(2), self.seen)[0]
        return [Recommendation(unseen, 9.5, evaluated=False), *super().recommend(k)]
"""


def test_a_predicted_best_is_marked_and_the_best_evaluated_is_beside_it() -> None:
    Path("telling.py").write_text(TELLING)
    shown = cli(*TOY[:4], "--strategy", "telling.py:Predicting", "--budget", "12", "--quiet").stdout
    top = json.loads(Path("runs/toy-random-seed0-1/best.json").read_text())["top"]
    assert "Scores marked 'predicted' are what the strategy's model expects." in shown
    assert f"Best architecture (predicted, not evaluated):\n{top[0]['architecture']}\n" in shown
    assert f"Best of those evaluated (score {top[1]['score']:.6g}):\n{top[1]['architecture']}\n" in shown


@pytest.mark.parametrize("columns", ["20", "60", "200"])
def test_no_figure_is_cut_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    shown = cli(*TOY, "--budget", "12").stdout
    assert "…" not in shown
    for recommendation in json.loads(Path("runs/toy-random-seed0-1/best.json").read_text())["top"]:
        assert recommendation["architecture"] in shown


def test_progress_that_nobody_reads_any_more_does_not_stop_a_run() -> None:
    words = " ".join((*TOY, "--budget", "12", "--json"))
    command = f'"{sys.executable}" -c "{MAIN}" search {words} 2>/dev/full'
    done = subprocess.run(["bash", "-c", command], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0
    assert json.loads(done.stdout)["queries"] == 12


def test_progress_says_how_many_labels_there_are() -> None:
    Path("telling.py").write_text(TELLING)
    lines = cli(*TOY[:4], "--strategy", "telling.py:Telling", "--budget", "12").stderr.splitlines()
    labelling, controller = (line.partition("] ")[2] for line in lines[-2:])
    best = labelling.split(", ")[1]
    assert labelling.startswith(f"labelling 12/12, {best}, score ")
    assert controller == f"controller iteration 5/5, 12/12 labels, {best}, reward 0.5"


def test_long_notations_stay_whole_on_a_line_of_their_own() -> None:
    words = ("--space", "nasbench201", "--strategy", "random", "--evaluator", f"{helpers()}:Constant")
    with open(helpers(), "a") as file:
        file.write("\ndef Constant():\n    return ToyEvaluator(constant=1.0)\n")
    result = cli(*words, "--budget", "3", "--quiet")
    best = result.stdout.splitlines()[result.stdout.splitlines().index("Best architecture:") + 1]
    assert load_space("nasbench201").from_text(best)


def test_quiet_leaves_stderr_empty() -> None:
    assert cli(*TOY, "--budget", "5", "--quiet").stderr == ""


def test_a_command_labels() -> None:
    program = f'"{sys.executable}" -c "print(input().count(chr(49)))"'
    words = ("--space", TOY[1], "--strategy", "random", "--command", program, "--budget", "4", "--jobs", "2")
    shown = json.loads(cli(*words, "--json").stdout)
    assert shown["evaluator"] == "command"
    assert shown["best"]["score"] == shown["best"]["architecture"].count("1")


def test_a_table_labels_and_its_rows_are_all_that_is_asked_for() -> None:
    space = ToySpace()
    rows = space.enumerate()[::10].tolist()
    lines = [json.dumps({"architecture": space.format(row), "accuracy": float(sum(row))}) for row in rows]
    Path("table.jsonl").write_text("\n".join(lines))
    words = ("--space", TOY[1], "--strategy", "random", "--data", "table.jsonl")
    shown = json.loads(cli(*words, "--target", "accuracy", "--budget", "20", "--within-table", "--json").stdout)
    assert shown["evaluator"] == "table"
    assert all(r["score"] == sum(space.parse(r["architecture"])) for r in shown["top"])

    changed = [line.replace(": 3.0", ": 3.5") for line in lines]
    Path("table.jsonl").write_text("\n".join(changed))
    result = cli("--resume", shown["run_dir"])
    assert result.exit_code == 2
    assert "another configuration: evaluator.sha256 is" in result.stderr


def test_limits_are_kept() -> None:
    shown = json.loads(cli(*TOY, "--budget", "20", "--limit", "params=20", "--json").stdout)
    assert all(r["costs"]["params"] <= 20 for r in shown["top"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--space", "dart"], "unknown space 'dart'; choose from: darts"),
        (["--strategy", "rand"], "choose from: bananas, ctnas"),
        (["--evaluator", "oracle"], "unknown evaluator 'oracle'; choose from: command, function, "),
        (["--evaluator", "table"], "the evaluator table needs --data"),
        (["--data", "x.csv"], "--data belongs to --evaluator table"),
        (["--evaluator", "command"], "the evaluator command needs --command"),
        (["--evaluator", "table", "--data", "x.csv"], "the evaluator table needs --target"),
        (["--evaluator", "table", "--data", "none.csv", "--target", "y"], "none.csv"),
        (["--preset", "fast"], "the strategy random has no presets; leave out the preset 'fast'"),
        (["--limit", "params"], "'params' is not a name and a number, e.g. params=4e6"),
        (["--limit", "params=nan"], "'params=nan' is not a name and a number"),
        (["--limit", "=3"], "'=3' is not a name and a number"),
        (["--limit", "watts=3"], "the space toy has no cost 'watts' to limit; it computes: params"),
        (["--within-table"], "needs an evaluator with a table"),
        (
            ["--within-table", "--evaluator", "command", "--command", "true"],
            "needs an evaluator with a table; command can label the whole space",
        ),
        (["--jobs", "4"], "--jobs belongs to --evaluator command"),
        (["--timeout", "4"], "--timeout belongs to --evaluator command"),
        (["--limit", "params=-1"], "no architecture of the space toy was found within the limits (params -1)"),
        (["--evaluator", "command", "--command", "no-such-program"], "there is no program 'no-such-program'"),
        (["--strategy", "archpredict.testing.toys:ToySpace"], "is the class ToySpace; expected a class derived from"),
        (["--budget", "0"], "0 is not in the range x>=1"),
        (["--seed", "-1"], "-1 is not in the range x>=0"),
        (["--device", "tpu"], "'tpu' is not one of 'auto', 'cpu', 'cuda'"),
        (["--budget", "many"], "'many' is not a valid integer"),
        (["--resume", "nowhere"], "there is no run in nowhere"),
        (["--nonsense"], "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence_and_exit_code_2(words: Sequence[str], message: str) -> None:
    result = cli(*TOY, *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert not list(Path().glob("runs/*")), "nothing is left behind"


def test_an_evaluator_that_breaks_is_one_sentence_with_the_place_and_how_to_go_on() -> None:
    file = helpers()
    words = ("--space", TOY[1], "--strategy", "random", "--evaluator", f"{file}:Broken", "--budget", "3", "--quiet")
    result = cli(*words)
    assert result.exit_code == 1
    line = 1 + HELPERS[: HELPERS.index("raise ZeroDivisionError")].count("\n")
    assert result.stderr == (
        f"Error: the evaluator toy failed: ZeroDivisionError: division by zero ({file}, line {line}, in evaluate). "
        "Correct it, then go on with: archpredict search --resume runs/toy-random-seed0-1\n"
    )
    assert "Traceback" in cli(*words, "--debug").stderr


def test_a_command_that_always_fails_says_so_once_and_keeps_the_record() -> None:
    program = f'"{sys.executable}" -c "raise SystemExit(3)"'
    result = cli("--space", TOY[1], "--strategy", "random", "--command", program, "--budget", "5", "--quiet")
    assert result.exit_code == 1
    assert "Error: all 5 evaluations failed: the program exited with code 3" in result.stderr
    with History("runs/toy-random-seed0-1/history.db") as history:
        assert len(history) == 5


def test_resume_alone_repeats_a_finished_run_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = json.loads(cli(*TOY, "--budget", "12", "--top", "3", "--out", "run", "--json").stdout)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = json.loads(cli("--resume", "../run", "--json").stdout)
    assert again == {**first, "run_dir": "../run"}


def test_resume_with_options_that_agree_is_fine_and_others_are_listed() -> None:
    cli(*TOY, "--budget", "12", "--out", "run")
    assert cli("--resume", "run", "--budget", "12", "--seed", "0").exit_code == 0
    result = cli("--resume", "run", "--budget", "13", "--seed", "1")
    assert result.exit_code == 2
    assert "belongs to another configuration: seed is 0 there and 1 now. Resume" in result.stderr
    result = cli("--resume", "run", "--budget", "11")
    assert result.exit_code == 2
    assert result.stderr.endswith(
        "Error: the run in run has a budget of 12 evaluations, 11 was given; the budget of a run can only grow: give "
        "--budget 12 or more, or start a new run in another directory\n"
    )
    result = cli("--resume", "run", "--out", "other")
    assert result.exit_code == 2
    assert "leave out --out" in result.stderr


def test_a_finished_run_goes_on_with_a_larger_budget_which_its_record_keeps() -> None:
    first = json.loads(cli(*TOY, "--budget", "12", "--out", "run", "--json").stdout)
    longer = json.loads(cli("--resume", "run", "--budget", "20", "--top", "2", "--json").stdout)
    assert (first["queries"], longer["queries"], len(longer["top"])) == (12, 20, 2)
    again = cli("--resume", "run", "--json", "--quiet")
    assert json.loads(again.stdout) == longer, "budget and top are those of the resumed run"
    config = read_config(Path("run"))
    assert config["changes"] == [{"evaluations": 12, "old": 12, "new": 20}]
    assert (config["invocation"]["budget"], config["invocation"]["top"]) == (20, 2)


def test_a_search_starts_from_earlier_runs_and_tables_and_is_resumed_with_them() -> None:
    cli(*TOY, "--budget", "12", "--out", "first")
    words = ("--seed", "1", "--budget", "8", "--start-from", "first", "--start-from", "first/report/history.csv")
    result = cli(*TOY, *words, "--out", "second", "--json")
    assert "Searching toy with random: 8 evaluations by toy, seed 1" in result.stderr
    assert json.loads(result.stdout)["queries"] == 8
    assert json.loads(cli("--resume", "second", "--json").stdout) == json.loads(result.stdout)
    assert [s["results"] for s in read_config(Path("second"))["settings"]["start_from"]] == [12, 12]
    wrong = cli(*TOY, "--budget", "8", "--start-from", "nowhere.csv")
    assert wrong.exit_code == 2
    assert "nowhere.csv" in wrong.stderr


def test_a_run_of_a_program_is_resumed_by_the_program() -> None:
    RunDirectory("run", {"space": "toy"}).close()
    result = cli("--resume", "run")
    assert result.exit_code == 2
    assert "go on with it there: archpredict.search(..., out='run', resume=True)" in result.stderr


def test_a_used_directory_is_refused_with_a_hint() -> None:
    cli(*TOY, "--budget", "5", "--out", "run")
    result = cli(*TOY, "--budget", "5", "--out", "run")
    assert result.exit_code == 2
    assert "the directory run is not empty; give another --out, or --resume run" in result.stderr


def test_a_corrupt_run_is_exit_code_1() -> None:
    cli(*TOY, "--budget", "5", "--out", "run")
    Path("run/history.db").write_bytes(b"nonsense" * 1000)
    result = cli("--resume", "run")
    assert result.exit_code == 1
    assert "history.db is corrupt" in result.stderr


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ({"space": 7}, "'space' in its invocation is 7"),
        ({"limit": [1]}, "'limit' in its invocation is [1]"),
        ({"budget": "many"}, "'budget' in its invocation is 'many'"),
    ],
)
def test_an_invocation_that_was_damaged_is_exit_code_1(damage: dict[str, Any], why: str) -> None:
    cli(*TOY, "--budget", "5", "--out", "run")
    config = json.loads(Path("run/config.json").read_text())
    config["invocation"].update(damage)
    Path("run/config.json").write_text(json.dumps(config))
    result = cli("--resume", "run")
    assert result.exit_code == 1
    assert f"run/config.json is not the configuration of a run ({why}" in result.stderr


def test_mistakes_in_the_users_own_space_are_one_sentence_with_the_place() -> None:
    Path("late.py").write_text(
        "from archpredict.testing.toys import ToySpace\n"
        "class Late(ToySpace):\n"
        "    left = 40\n"
        "    def format(self, choices):\n"
        "        self.left -= 1\n"
        "        if not self.left:\n"
        "            raise KeyError('late')\n"
        "        return super().format(choices)\n"
    )
    words = ("--strategy", "random", "--evaluator", TOY[3], "--budget", "60", "--quiet")
    result = cli("--space", "late.py:Late", *words)
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: your own code failed: KeyError: 'late' ({Path('late.py').absolute()}, line 7, in format); "
        "correct it (--debug shows the traceback)\n"
    )
    Path("syntax.py").write_text("class X(\n")
    result = cli("--space", "syntax.py:X", *words)
    assert result.exit_code == 2
    assert "syntax.py cannot be loaded: SyntaxError: " in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unwritable_place_is_exit_code_1() -> None:
    Path("file").write_text("in the way")
    result = cli(*TOY, "--budget", "5", "--out", "file/run")
    assert result.exit_code == 1
    assert "Error: cannot write the run directory file/run" in result.stderr
    Path("runs").write_text("in the way")
    result = cli(*TOY, "--budget", "5")
    assert result.exit_code == 1
    assert "Error: cannot write the run directory runs" in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_stdout_is_no_traceback() -> None:
    with open("/dev/full", "w") as full:
        words = [*TOY, "--budget", "3", "--json", "--quiet"]
        done = subprocess.run(
            [sys.executable, "-c", MAIN, "search", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "Error: the disk is full; free some space, then run this again\n"
    assert Path("runs/toy-random-seed0-1/best.json").exists()


@pytest.mark.filterwarnings("default::RuntimeWarning")
def test_warnings_are_one_line_each() -> None:
    cli(*TOY, "--budget", "5", "--out", "run")
    Path("run/checkpoint.safetensors").write_bytes(b"nonsense")
    result = cli("--resume", "run", "--quiet")
    assert result.exit_code == 0
    (line,) = result.stderr.splitlines()
    assert line.startswith("Warning: the checkpoint in run cannot be used")


@pytest.mark.parametrize(
    ("number", "word", "exit_code"),
    [(signal.SIGINT, "interrupted", 130), (signal.SIGTERM, "terminated", 143)],
)
def test_an_interrupted_run_says_how_to_go_on_and_does(start: Any, number: int, word: str, exit_code: int) -> None:
    words = (*TOY[:2], "--strategy", "random", "--evaluator", f"{helpers()}:Slow", "--budget", "60")
    program = start(MAIN, "search", *words, "--out", "run", "--json", "--quiet")
    wait_until(program, lambda: count(Path("run"), "evaluations") >= 3)
    in_use = cli("--resume", "run")
    assert in_use.exit_code == 1
    assert "the folder run is in use by another process" in in_use.stderr
    program.send_signal(number)
    assert program.wait() == (exit_code, "", f"Error: {word}; go on with: archpredict search --resume run\n")
    resumed = json.loads(cli("--resume", "run", "--json").stdout)
    whole = json.loads(cli(*words, "--out", "whole", "--json").stdout)
    assert without_time(resumed) == without_time(whole)


def without_time(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name not in ("seconds", "run_dir")}


@pytest.mark.parametrize("name", names("strategies"))
def test_killed_at_random_moments_and_resumed_a_run_ends_as_if_nothing_had_happened(start: Any, name: str) -> None:
    file = helpers(name)
    strategy = resolve("strategies", name, Strategy)
    budget = max(24, strategy.min_budget)
    made = "toy_space_with_networks" if strategy.needs == "supernet" else "ToySpace"
    place, quick, slow = f"archpredict.testing.toys:{made}", f"{file}:Quick", f"{file}:Slow"
    words: tuple[str, ...] = ("--space", place, "--strategy", quick, "--evaluator", slow, "--budget", str(budget))
    moments = random.Random(name)  # of the process's life; where they fall in the run is up to the machine
    next_words = (*words, "--out", "run")
    for session in range(1, 4):
        program = start(MAIN, "search", *next_words, "--quiet")
        wait_until(program, lambda: count(Path("run"), "sessions") >= session)  # noqa: B023 - used at once
        time.sleep(moments.uniform(0, 0.5))
        program.send_signal(signal.SIGKILL)
        program.wait()
        next_words = ("--resume", "run")
    shutil.copytree("run", "copy")
    resumed = cli("--resume", "run", "--json", "--quiet")
    whole = cli(*words, "--out", "whole", "--json", "--quiet")
    assert without_time(json.loads(resumed.stdout)) == without_time(json.loads(whole.stdout))
    space = ToySpace()
    with (
        History("run/history.db") as a,
        History("whole/history.db") as b,
        History("copy/history.db") as before,
    ):
        assert a.results(space) == b.results(space)
        assert a.events() == b.events()
        kept = before.results(space)
    assert {n: r for n, r in a_results(space).items() if n in kept} == kept, "what was recorded stays"


def a_results(space: ToySpace) -> dict[int, Any]:
    with History("run/history.db") as history:
        return history.results(space)


def test_the_record_says_how_to_make_the_run_again() -> None:
    cli(*TOY, "--budget", "5", "--seed", "2", "--out", "run", "--limit", "params=30")
    config = read_config(Path("run"))
    assert config["settings"]["limits"] == {"params": 30}
    assert config["settings"]["evaluator"]["labels"] == "made-up scores of a toy space"
    assert config["invocation"]["seed"] == 2
