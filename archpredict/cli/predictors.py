"""``archpredict predictors``: list predictors, encoders, heads and shipped models."""

from __future__ import annotations

from typing import Any

import click

from archpredict.cli._options import debug_option, example, json_option


@click.command(name="predictors", epilog=example("archpredict predictors"))
@json_option
@debug_option
def command(as_json: bool) -> None:
    """List the named predictors, encoders, heads, and the shipped models."""
    from archpredict.cli._listing import described
    from archpredict.cli._output import print_json
    from archpredict.predict.ensemble.builder import NETWORK_PARTS

    parts = {"predictors": _presets(), **{kind: described(kind, base) for kind, base in NETWORK_PARTS.items()}}
    models = _shipped()
    if as_json:
        print_json({**parts, "models": models})
        return
    from archpredict.cli._listing import Entry, show_list

    titles = ("Named predictors (--predictor)", "Encoders (--encoder)", "Heads (--head)")
    for title, rows in zip(titles, parts.values(), strict=True):
        show_list(title, [Entry(row["name"], row["description"]) for row in rows])
    show_list(
        "Shipped models (--model)",
        [
            Entry(
                m["name"],
                str(m["labels"]),
                {"space": str(m["space"]), "labels": str(m["rows"]), "tau": _tau(m["kendall_tau"])},
            )
            for m in models
        ],
    )


def _presets() -> list[dict[str, str]]:
    from archpredict.cli._listing import row
    from archpredict.predict.presets import names, preset

    return [row(name, preset(name).description) for name in names()]


def _shipped() -> list[dict[str, Any]]:
    from archpredict.predict.storage import shipped

    return [*(_model(name) for name in shipped()), _universal()]


def _universal() -> dict[str, Any]:
    """The predictor that needs no label of a space, which is no folder of its own."""
    from archpredict.predict.transfer.shipped import shipped_model
    from archpredict.predict.universal import UNIVERSAL

    known = [space for space in shipped_model().spaces if space.has_labels]
    return {
        "name": UNIVERSAL,
        "space": "any with network()",
        "labels": f"rank within the space, learnt from labels of {', '.join(space.name for space in known)}",
        "target": None,
        "rows": sum(space.moments.count for space in known),
        "protocol": None,
        "kendall_tau": None,
        "cross_validation": {},
    }


def _model(name: str) -> dict[str, Any]:
    from archpredict.predict.cards import own_figures
    from archpredict.predict.storage import PRETRAINED, read_card

    card = read_card(PRETRAINED / name)
    known = {key: card.get(key) for key in ("space", "labels", "target", "rows", "protocol")}
    tau = own_figures(card).get("kendall_tau")
    return {"name": name, **known, "kendall_tau": tau, "cross_validation": card.get("cross_validation", {})}


def _tau(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
