"""Processes that answer, crash or hang."""

from __future__ import annotations

import sys

import pytest

from archpredict.measuring.apart import answered_apart

ECHO = "import json, sys; print('noise'); print(json.dumps({'got': json.loads(sys.stdin.readline())['n']}))"


def said(program: str, timeout: float = 300.0) -> dict[str, object]:
    return answered_apart([sys.executable, "-c", program], {"n": 3}, timeout)


def test_the_answer_is_the_last_line() -> None:
    assert said(ECHO) == {"got": 3}


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("import os; os.abort()", "its process was ended by SIGABRT"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "its process was ended by SIGKILL, as systems do when memory runs out",
        ),
        ("import sys; sys.exit('out of luck')", "its process exited with code 1, and said: out of luck"),
        ("print('no JSON')", "its process exited with code 0 without an answer"),
        ("print('[1]')", "its process exited with code 0 without an answer"),
    ],
)
def test_a_process_without_an_answer_says_how_it_ended(program: str, sentence: str) -> None:
    assert said(program) == {"error": sentence}


def test_a_process_that_hangs_is_killed() -> None:
    assert said("import time; time.sleep(1000)", 0.5) == {
        "error": "it took longer than 0.5 s, and its process was killed"
    }


def test_a_question_that_nobody_reads_is_no_trouble() -> None:
    assert said("import os; os.close(0); print('{}', flush=True); os._exit(3)") == {
        "error": "its process exited with code 3 without an answer"
    }
