import gc
import json
import os
import shlex
import sys
import time

import pytest

from archpredict.errors import EvaluationError, UsageError
from archpredict.evaluators.command import CommandEvaluator
from archpredict.testing.evaluators import EvaluatorContract
from archpredict.testing.toys import ToySpace

SPACE = ToySpace()
ARCHITECTURES = SPACE.architectures(SPACE.enumerate()[::50])
ONE = ARCHITECTURES[:1]
PATIENCE = 60.0


def python(code, *arguments):
    """A command that runs a piece of Python."""
    return shlex.join([sys.executable, "-S", "-c", code, *arguments])


def outcome(code, *arguments, **options):
    (result,) = CommandEvaluator(python(code, *arguments), **options).evaluate(ONE)
    assert (result.score is None) != (result.error is None)
    assert result.error is None or "\n" not in result.error
    return result


def until(condition):
    """Wait for what other processes do."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def is_alive(pid):
    """Whether a process runs (one that has ended and that nobody has asked after does not)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return sys.platform != "linux"


def pids_in(folder):
    return [int(file.name) for file in folder.iterdir()]


SLEEPER = "import os, sys, time; open(os.path.join(sys.argv[1], str(os.getpid())), 'w').close(); time.sleep(600)"


class TestCommandEvaluatorContract(EvaluatorContract):
    @pytest.fixture
    def evaluator(self):
        code = "import json; c = json.loads(input()); print(json.dumps({'score': sum(c)} if c[0] < 1 else 'no'))"
        return CommandEvaluator(python(code), jobs=2)

    @pytest.fixture
    def architectures(self):
        return ARCHITECTURES[::3]


# ---------------------------------------------------------------------- what a program gets and gives


def test_the_architecture_comes_on_the_standard_input_and_in_the_environment():
    code = (
        "import os, sys, json\ntext = sys.stdin.read()\n"
        "assert text == os.environ['ARCHPREDICT_ARCHITECTURE'] + '\\n'\n"
        "choices = json.loads(os.environ['ARCHPREDICT_CHOICES'])\n"
        "print(json.dumps({'score': 1, 'text': text, 'choices': choices}))"
    )
    metadata = outcome(code).metadata
    assert metadata["text"] == str(ONE[0]) + "\n"
    assert metadata["choices"] == list(ONE[0].choices)


def test_the_architecture_takes_the_place_of_its_name_in_the_command_and_no_shell_sees_it():
    code = "import sys, json; print(json.dumps({'score': 1, 'argv': sys.argv[1:], 'stdin': sys.stdin.read()}))"
    metadata = outcome(code, "--arch={architecture}", "$HOME; *", "{architecture}").metadata
    assert metadata["argv"] == [f"--arch={ONE[0]}", "$HOME; *", str(ONE[0])]
    assert metadata["stdin"] == ""


@pytest.mark.parametrize(
    ("printed", "score"),
    [
        ("93.5", 93.5),
        (" -2 \r\n\n", -2.0),
        ("1e-3", 0.001),
        ('{"score": 4}', 4.0),
        ("epoch 1\nepoch 2\n7", 7.0),
    ],
)
def test_the_last_line_that_is_not_blank_is_the_score(printed, score):
    result = outcome(f"print({printed!r})")
    assert result.score == score
    assert type(result.score) is float


def test_the_rest_of_the_object_is_metadata_that_json_can_hold():
    code = """print('{"score": 1.5, "epochs": 3, "loss": NaN, "big": 1e999, "list": [-Infinity]}')"""
    assert outcome(code).metadata == {"epochs": 3, "loss": "NaN", "big": "1e999", "list": ["-Infinity"]}


def test_a_hundred_megabytes_of_output_are_read_and_only_the_end_is_kept():
    result = outcome("import sys\nfor _ in range(100): print('x' * 10**6); sys.stderr.write('y' * 10**6)\nprint(5)")
    assert result.score == 5.0


# ---------------------------------------------------------------------- what goes wrong in a program


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("", "the program printed nothing; expected a JSON object with a 'score', or a number"),
        (
            "print('\\n \\n')",
            "the program printed nothing; expected a JSON object with a 'score', or a number",
        ),
        (
            "print('done')",
            "the program's last line is 'done'; expected a JSON object with a 'score', or a number",
        ),
        ("print(1); print('93%')", "the program's last line is '93%'; expected a JSON object"),
        ("print('{\"score\": 1')", "the program's last line is '{\"score\": 1'; expected a JSON object"),
        ("print('[' * 100000)", "the program's last line is '[[["),
        ("print('x' * 3000000)", "the program's last line is 'xxx"),
        ("import sys; sys.stdout.buffer.write(b'\\xff\\x1b[31m')", "the program's last line is '"),
        ("print('nan')", "the program gave a value that is not finite: nan"),
        ("print('NaN')", "the program gave a value that is not finite: NaN"),
        ("print('-inf')", "the program gave a value that is not finite: -inf"),
        ("print('1e999')", "the program gave a value that is not finite: 1e999"),
        ("print('1' + '0' * 400)", "the program gave a value that is not finite"),
        ("print('{\"score\": Infinity}')", "the program gave a 'score' that is not finite: Infinity"),
        ("print('{\"score\": null}')", "the program gave a 'score' that is no number: None"),
        ('print(\'{"score": "93"}\')', "the program gave a 'score' that is no number: '93'"),
        ("print('{\"score\": true}')", "the program gave a 'score' that is no number: True"),
        ("print('{\"accuracy\": 93}')", "the program gave no 'score' but only: accuracy"),
        ("print('{}')", "the program gave no 'score' but only: nothing"),
        ("print('[1]')", "the program gave a value that is no number: [1]"),
        (
            "print(1); raise SystemExit(3)",
            "the program exited with code 3 and said nothing on its standard error",
        ),
        (
            "raise ValueError('out of memory')",
            "the program exited with code 1 and said: ValueError: out of memory",
        ),
        ("import os; os.kill(os.getpid(), 9)", "the program was killed by SIGKILL and said nothing"),
        (
            "import sys; sys.exit('\\x1b[31mred' + 'x' * 9999)",
            "the program exited with code 1 and said: [31mredxxx",
        ),
    ],
)
def test_each_failure_is_a_result_that_says_in_one_sentence_what_happened(code, error):
    result = outcome(code)
    assert result.score is None
    assert result.error is not None
    assert result.error.startswith(error)
    assert len(result.error) < 400
    assert result.error.isprintable()


def test_a_program_that_hangs_is_killed_after_its_time():
    result = outcome("import time; print(1, flush=True); time.sleep(600)", timeout=0.5)
    assert result.error == "the program was killed because it took longer than 0.5 s"
    assert result.seconds >= 0.5


def test_a_program_that_ignores_all_signals_is_killed_too():
    code = "import signal, time; [signal.signal(s, signal.SIG_IGN) for s in (1, 2, 3, 15)]; time.sleep(600)"
    assert "took longer" in outcome(code, timeout=1).error


SPAWN = (
    "import subprocess, sys, time, os\n"
    "subprocess.Popen([sys.executable, '-S', '-c', sys.argv[2], sys.argv[1]]);\n"
    "while not os.listdir(sys.argv[1]): time.sleep(0.01)\n"
)


def test_what_a_program_leaves_running_is_killed_and_its_score_counts(tmp_path):
    result = outcome(SPAWN + "print(8)", str(tmp_path), SLEEPER)
    assert result.score == 8.0
    (pid,) = pids_in(tmp_path)
    until(lambda: not is_alive(pid))


def test_the_children_of_a_program_that_hangs_are_killed(tmp_path):
    result = outcome(SPAWN + "time.sleep(600)", str(tmp_path), SLEEPER, timeout=5)
    assert "took longer than 5 s" in result.error
    (pid,) = pids_in(tmp_path)
    until(lambda: not is_alive(pid))


def test_an_argument_too_long_for_the_system_is_a_failed_result():
    class Wordy(ToySpace):
        def format(self, choices):
            return "x" * 10_000_000

    (result,) = CommandEvaluator(python("print(1)", "{architecture}")).evaluate([Wordy().architecture(ONE[0].choices)])
    assert result.error.startswith("the program could not be started: ")


# ---------------------------------------------------------------------- retries


COUNTS = (
    "import os, sys; open(os.path.join(sys.argv[1], str(os.getpid())), 'w').close()\nn = len(os.listdir(sys.argv[1]))\n"
)


def test_a_failure_is_tried_again_and_the_attempts_are_recorded(tmp_path):
    result = outcome(COUNTS + "sys.exit('no') if n < 3 else print(n)", str(tmp_path), retries=5)
    assert result.score == 3.0
    assert result.metadata == {"attempts": 3}


def test_a_success_is_not_tried_again(tmp_path):
    assert outcome(COUNTS + "print(n)", str(tmp_path), retries=5).metadata == {}
    assert len(pids_in(tmp_path)) == 1


def test_after_the_last_attempt_the_last_failure_is_the_result(tmp_path):
    result = outcome(COUNTS + "sys.exit(str(n))", str(tmp_path), retries=2)
    assert result.error == "the program exited with code 1 and said: 3 (in the last of 3 attempts)"


# ---------------------------------------------------------------------- several at a time, and interruption


def test_jobs_run_together_and_no_more_than_that(tmp_path):
    meet = (
        "import os, sys, time; own = os.path.join(sys.argv[1], str(os.getpid())); open(own, 'w').close()\n"
        "while len(os.listdir(sys.argv[1])) < 3: time.sleep(0.01)\n"
        "print(len(os.listdir(sys.argv[1])))"
    )
    results = list(CommandEvaluator(python(meet, str(tmp_path)), jobs=3, timeout=PATIENCE).evaluate(ARCHITECTURES[:3]))
    assert [r.score for r in results] == [3.0, 3.0, 3.0]


def test_a_result_is_given_as_soon_as_it_is_there(tmp_path):
    code = (
        "import json, os, sys, time\n"
        "slow = json.loads(input())[0] == 0\n"
        "while slow and not os.path.exists(sys.argv[1]): time.sleep(0.01)\n"
        "print(1)"
    )
    slow, fast = SPACE.architecture([0, 0, 1, 0, 0, 0]), SPACE.architecture([1, 0, 0, 0, 0, 0])
    results = CommandEvaluator(python(code, str(tmp_path / "go")), jobs=2).evaluate([slow, fast])
    assert next(results).architecture is fast
    (tmp_path / "go").touch()
    assert next(results).architecture is slow


def test_leaving_early_kills_all_that_runs(tmp_path):
    code = (
        "import json, os, sys\nif json.loads(input())[0] == 0:\n "
        + SLEEPER
        + "\n"
        + ("import time\nwhile len(os.listdir(sys.argv[1])) < 2: time.sleep(0.01)\nprint(1)")
    )
    slow = [SPACE.architecture([0, 0, 1, 0, 0, i]) for i in (0, 1)]
    results = CommandEvaluator(python(code, str(tmp_path)), jobs=3).evaluate(
        [*slow, SPACE.architecture([1, 0, 0, 0, 0, 0]), *ARCHITECTURES]
    )
    assert next(results).score == 1.0
    results.close()
    pids = pids_in(tmp_path)
    assert len(pids) == 2
    assert not any(map(is_alive, pids))


def test_ctrl_c_kills_all_that_runs_and_goes_on(tmp_path):
    import signal
    import threading

    def interrupt():
        until(lambda: len(pids_in(tmp_path)) == 2)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        list(CommandEvaluator(python(SLEEPER, str(tmp_path)), jobs=2).evaluate(ARCHITECTURES))
    thread.join()
    assert not any(map(is_alive, pids_in(tmp_path)))
    assert len(pids_in(tmp_path)) == 2


def test_no_process_and_no_pipe_is_left_behind():
    list(CommandEvaluator(python("print(1)"), jobs=2).evaluate(ARCHITECTURES[:4]))
    gc.collect()  # an open pipe or an unwaited process would warn, and warnings are errors


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("command", ["no-such-program-anywhere", "./none.py {architecture}", "/"])
def test_a_program_that_is_not_there_is_said_at_once(command):
    with pytest.raises(UsageError, match=r"there is no program .* that can be executed; give its path"):
        CommandEvaluator(command)


def test_a_file_that_cannot_be_executed_is_said_at_once(tmp_path):
    (tmp_path / "train.py").write_text("print(1)")
    with pytest.raises(UsageError, match="make it executable, or put the interpreter before it"):
        CommandEvaluator(shlex.quote(str(tmp_path / "train.py")))


@pytest.mark.parametrize("word", ["{arch}", "{}", "{ architecture }"])
def test_a_placeholder_of_another_name_is_refused(word):
    with pytest.raises(UsageError, match=f"the command has {word}; write {{architecture}} where the architecture goes"):
        CommandEvaluator(f'python train.py "{word}"')


def test_a_program_that_vanishes_ends_the_evaluation(tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho 1\n")
    program.chmod(0o755)
    results = CommandEvaluator(shlex.quote(str(program))).evaluate(ARCHITECTURES)
    assert next(results).score == 1.0
    program.unlink()
    with pytest.raises(EvaluationError, match="there is no program"):
        list(results)


def test_a_script_without_its_first_line_is_a_failed_result_that_says_why(tmp_path):
    program = tmp_path / "program"
    program.write_text("echo 1\n")
    program.chmod(0o755)
    (result,) = CommandEvaluator(shlex.quote(str(program))).evaluate(ONE)
    assert result.error == "the program could not be started: [Errno 8] Exec format error: " + repr(str(program))


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("", {}, "the command is empty; give a program and its arguments"),
        ("python 'x", {}, "cannot be split into arguments: No closing quotation; close its quotes"),
        ("python", {"timeout": 0}, "timeout is a number of seconds above 0, 0 was given"),
        ("python", {"timeout": float("nan")}, "timeout is a number of seconds above 0, nan was given"),
        ("python", {"retries": -1}, "retries is a number of further attempts, at least 0; -1 was given"),
        ("python", {"jobs": 0}, "jobs is the number of evaluations at a time, at least 1; 0 was given"),
    ],
)
def test_what_cannot_be_run_is_refused(command, options, message):
    with pytest.raises(UsageError, match=message):
        CommandEvaluator(command, **options)


def test_the_description_is_the_command():
    command = python("print(1)")
    assert CommandEvaluator(command, jobs=3, timeout=5, retries=1).describe() == {
        "evaluator": "command",
        "labels": f"what the command prints: {command}",
        "command": command,
    }
    assert json.dumps(CommandEvaluator(command).describe())
