"""``archpredict evaluators``: list evaluators, zero-cost proxies and data sets."""

from __future__ import annotations

import json

import click

from archpredict.cli._options import debug_option, example, json_option


@click.command(name="evaluators", epilog=example("archpredict evaluators"))
@json_option
@debug_option
def command(as_json: bool) -> None:
    """List the evaluators, the zero-cost proxies, and the data sets to train on."""
    from archpredict.cli._listing import described
    from archpredict.evaluators.base import Evaluator
    from archpredict.images.base import ImageSet
    from archpredict.proxies.base import Proxy

    parts = {
        "evaluators": described("evaluators", Evaluator, lambda evaluator: evaluator.options().values()),
        "proxies": described("proxies", Proxy),
        "images": described("images", ImageSet),
    }
    if as_json:
        click.echo(json.dumps(parts, indent=2))
        return
    from archpredict.cli._listing import Entry, options_in_words, show_list

    titles = ("Evaluators (--evaluator)", "Zero-cost proxies (--evaluator zero-cost:NAME)", "Data sets (--dataset)")
    for title, rows in zip(titles, parts.values(), strict=True):
        notes = [{"options": options_in_words(row["options"])} if "options" in row else {} for row in rows]
        show_list(title, [Entry(r["name"], r["description"], notes=n) for r, n in zip(rows, notes, strict=True)])
    click.echo("Options: flags such as --dataset, else --option NAME=VALUE.")
