"""``archpredict strategies``: the ways to search."""

from __future__ import annotations

import json
from typing import Any

import click

from archpredict.cli._options import debug_option, json_option


@click.command(name="strategies")
@json_option
@debug_option
def command(as_json: bool) -> None:
    """List the search strategies."""
    from archpredict.registry import names

    rows = [_describe(name) for name in names("strategies")]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    from archpredict.cli._console import show_table

    show_table(
        "Search strategies (budgets in evaluations)",
        {"name": "left", "budget": "right", "at least": "right", "presets": "left", "description": "left"},
        [
            (
                r["name"],
                str(r["default_budget"]),
                str(r["min_budget"]),
                ", ".join(r["presets"]) or "-",
                r["description"],
            )
            for r in rows
        ],
    )


def _describe(name: str) -> dict[str, Any]:
    from archpredict.cli._console import first_line
    from archpredict.registry import resolve
    from archpredict.strategies.base import Strategy

    strategy = resolve("strategies", name, Strategy)
    return {
        "name": name,
        "description": first_line(strategy),
        "default_budget": strategy.default_budget,
        "min_budget": strategy.min_budget,
        "presets": sorted(getattr(strategy, "presets", ())),
    }
