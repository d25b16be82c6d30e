"""``archpredict transfer``: learn from labels of some spaces what holds in others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archpredict.cli._options import debug_option, example, json_option
from archpredict.cli._predictors import quiet_option
from archpredict.errors import UsageError

if TYPE_CHECKING:
    from archpredict.tables.table import Table

_ENDING = ".safetensors"


@click.command(
    name="transfer",
    epilog=example("archpredict transfer --family nasbench201=table.csv:accuracy --out mine.safetensors"),
)
@click.option(
    "--family",
    multiple=True,
    required=True,
    metavar="SPACE=FILE:COLUMN",
    help="Labelled architectures of a space with network(), higher is better; repeatable.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The file to write, .safetensors."
)
@json_option
@quiet_option
@debug_option
def command(**given: Any) -> None:
    """Learn from labels of some spaces what holds in others, and write it into a file.

    The file holds moments, no labels. Give it to fit, evaluate, search and predict as --transfer FILE. What has been
    learnt from a space is left out in that space and in those that share its cells.
    """
    from archpredict.cli._console import say, warnings_as_lines
    from archpredict.cli._output import check_file, print_json
    from archpredict.cli._tables import read_families
    from archpredict.predict.transfer.learning import learn_transfer
    from archpredict.predict.transfer.shipped import transfer_sha256

    if given["out"].suffix != _ENDING:
        raise UsageError(f"a transfer model is a file {_ENDING}, {given['out']} was given; give it that ending")
    check_file(given["out"])
    with warnings_as_lines():
        tables = read_families(given["family"])
        model = learn_transfer([(t.architectures, t.labels) for t in tables], [_about(t) for t in tables])
    model.save(given["out"])
    told = [
        {"space": t.space.name, "data": t.path.name, "data_sha256": t.sha256, "target": t.target, "rows": len(t)}
        for t in tables
    ]
    if given["as_json"]:
        print_json({"out": str(given["out"]), "sha256": transfer_sha256(given["out"]), "families": told})
        return
    names = ", ".join(f"{len(t):,} labels of {t.space.name}" for t in tables)
    if not given["quiet"]:
        say(f"Learnt from {names}; saved in {given['out']}: use it with --transfer {given['out']}")


def _about(table: Table) -> str:
    return f"{len(table):,} labels, {table.target} of {table.path.name}, SHA-256 {table.sha256}"
