"""``archpredict strategies``: list the search strategies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from archpredict.cli._options import debug_option, example, json_option

if TYPE_CHECKING:
    from archpredict.registry.options import Option
    from archpredict.strategies.base import Strategy


@click.command(name="strategies", epilog=example("archpredict strategies"))
@json_option
@debug_option
def command(as_json: bool) -> None:
    """List the search strategies."""
    from archpredict.cli._listing import described
    from archpredict.strategies.base import Strategy

    plugins = described("strategies", Strategy, _options)
    rows = [{**plugin, **_figures(plugin["name"])} for plugin in plugins]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    from archpredict.cli._listing import Entry, options_in_words, show_list

    show_list(
        "Search strategies (--strategy; budgets in evaluations)",
        [
            Entry(
                r["name"],
                r["description"],
                {
                    "budget": str(r["default_budget"]),
                    "at least": str(r["min_budget"]),
                    "needs": r["needs"],
                    "objectives": "several" if r["several_objectives"] else "one",
                },
                {"presets": ", ".join(r["presets"]) or "-", "options": options_in_words(r["options"])},
            )
            for r in rows
        ],
    )


def _options(strategy: type[Strategy]) -> list[Option]:
    """Those that have no flag of their own."""
    return [option for option in strategy.options().values() if option.name not in ("device", "preset")]


def _figures(name: str) -> dict[str, Any]:
    from archpredict.registry import resolve
    from archpredict.strategies.base import Strategy

    strategy = resolve("strategies", name, Strategy)
    return {
        "default_budget": strategy.default_budget,
        "min_budget": strategy.min_budget,
        "needs": strategy.needs,
        "several_objectives": strategy.several_objectives,
        "presets": sorted(getattr(strategy, "presets", ())),
    }
