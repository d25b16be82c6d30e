"""``archpredict evaluators``: who can label architectures, and by what."""

from __future__ import annotations

import json

import click

from archpredict.cli._options import debug_option, json_option


@click.command(name="evaluators")
@json_option
@debug_option
def command(as_json: bool) -> None:
    """List the evaluators, the zero-cost proxies, and the data sets to train on."""
    from archpredict.cli._listing import described
    from archpredict.evaluators.base import Evaluator
    from archpredict.images.base import ImageSet
    from archpredict.proxies.base import Proxy

    bases = {"evaluators": Evaluator, "proxies": Proxy, "images": ImageSet}
    parts = {kind: described(kind, base) for kind, base in bases.items()}
    if as_json:
        click.echo(json.dumps(parts, indent=2))
        return
    from archpredict.cli._console import show_table

    titles = ("Evaluators (--evaluator)", "Zero-cost proxies (--evaluator zero-cost:NAME)", "Data sets (--dataset)")
    for title, rows in zip(titles, parts.values(), strict=True):
        show_table(
            title,
            {"name": "left", "description": "left"},
            [(row["name"], row["description"]) for row in rows],
        )
