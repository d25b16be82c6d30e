"""``archpredict report-bug``: what a bug report should say of this machine and of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from archpredict.cli._options import debug_option, example, json_option

_KEPT = ("space", "strategy", "preset", "budget", "seed", "device", "within_table", "jobs", "top", "timeout", "retries")
"""Parts of an invocation that hold no text of the user's own."""


@click.command(name="report-bug", epilog=example("archpredict report-bug --run runs/darts-random-seed0-1"))
@click.option("--run", type=click.Path(path_type=Path), metavar="RUN_DIR", help="A search that went wrong.")
@json_option
@debug_option
def command(run: Path | None, as_json: bool) -> None:
    """Print what a bug report should say: versions, the machine's kind, and the settings of a run.

    No path, no name of a file, of a user or of a machine is among them: of a run only names that the package itself
    knows, and numbers. Read it before you send it.
    """
    from archpredict.cli._machine import machine
    from archpredict.cli._output import print_json

    found = machine()
    if run is not None:
        found["run"] = _run(run)
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        rows = value.items() if isinstance(value, dict) else [("", value)]
        click.echo(f"{name}: " + ", ".join(f"{left} {right}".strip() for left, right in rows))


def _run(folder: Path) -> dict[str, Any]:
    """Settings of a run without anything of the user's own, and how far it came."""
    from archpredict.registry import names
    from archpredict.runs.directory import read_config
    from archpredict.runs.history import History

    config = read_config(folder)
    invocation = config["invocation"] or {}
    known = {*names("spaces"), *names("strategies"), *names("evaluators"), *names("predictors")}
    found = {name: _shown(invocation.get(name), known) for name in _KEPT if invocation.get(name) is not None}
    for name in ("evaluator", "predictor"):
        if isinstance(invocation.get(name), str):
            found[name] = _shown(invocation[name].partition(":")[0], known)
    with History(folder / "history.db") as history:
        tally = history.tally()
    return {**found, "evaluations": tally.count, "failed": tally.failed}


def _shown(value: Any, known: set[str]) -> Any:
    """A number as it is, a name of the package's own as it is, any other text not at all."""
    return value if not isinstance(value, str) or value in known or value in ("auto", "cpu", "cuda") else "(own)"
