"""``archpredict spaces``: list the search spaces."""

from __future__ import annotations

import json
from typing import Any

import click

from archpredict.cli._options import debug_option, example, json_option


@click.command(name="spaces", epilog=example("archpredict spaces"))
@json_option
@debug_option
def command(as_json: bool) -> None:
    """List the search spaces."""
    from archpredict.registry import names

    rows = [_describe(name) for name in names("spaces")]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    from archpredict.cli._listing import Entry, show_list

    show_list(
        "Search spaces",
        [
            Entry(
                r["name"], r["description"], {"choices": str(r["num_choices"]), "costs": ", ".join(r["costs"]) or "-"}
            )
            for r in rows
        ],
        align="left",
    )


def _describe(name: str) -> dict[str, Any]:
    import numpy as np

    from archpredict.cli._console import first_line
    from archpredict.spaces.base import load_space

    space = load_space(name)
    example = space.sample(1, np.random.default_rng(0))[0].tolist()
    return {
        "name": name,
        "description": first_line(type(space)),
        "num_choices": space.num_decisions,
        "notation": space.notation,
        "costs": sorted(space.cost(example)),
    }
