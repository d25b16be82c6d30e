"""``archpredict report``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

RUN = ("search", "--space", "darts", "--strategy", "random", "--budget", "5", "--quiet")


def test_a_run_and_several_compared(cli: Any) -> None:
    for seed in ("0", "1"):
        assert cli(*RUN, "--seed", seed, "--out", f"run{seed}").exit_code == 0
    assert cli("report", "run0", "--out", "one.html").stdout == "Written: one.html\n"
    assert "archpredict search --resume run0" in Path("one.html").read_text()
    assert "--strategy random" in Path("one.html").read_text()
    told = json.loads(cli("report", "run0", "run1", "--out", "two.html", "--json").stdout)
    assert told == {"page": "two.html", "runs": ["run0", "run1"], "evaluations": 10}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("none", "--out", "o.html"), "there is no run in none"),
        (("none", "--out", "o.pdf"), "the page is an HTML file; o.pdf was given: give a name that ends in .html"),
        (("none", "none", "--out", "o.html"), "a run was given twice; give each once"),
        (("none", "--out", "no/o.html"), "there is no folder no to write o.html into; make it first"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(cli: Any, words: tuple[str, ...], message: str) -> None:
    assert message in cli.fails("report", *words)
