"""``archpredict fit``: train a predictor on labels and save it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archpredict.cli._onnx import input_shape_options
from archpredict.cli._options import column_option, debug_option, example, flag_of, json_option
from archpredict.cli._pages import Repeatable, check_page, html_option
from archpredict.cli._predictors import device_option, predictor_options, quiet_option
from archpredict.cli._proxies import feature_options
from archpredict.errors import UsageError

if TYPE_CHECKING:
    from archpredict.cli._fit_data import FitData
    from archpredict.predict.predictor import Predictor
    from archpredict.predict.validation import Trial

_PATH = click.Path(path_type=Path)
_NEW = (
    "predictor",
    "encoder",
    "head",
    "option",
    "transfer",
    "no_transfer",
    "ensemble",
    "features",
    "dataset",
    "network",
    "folds",
)
"""Options that make no sense for a predictor that is there already."""
_OF_FAMILIES = "general-purpose"
"""What learns from several spaces where nothing else is named."""


@click.command(
    name="fit",
    cls=Repeatable,
    epilog=example("archpredict fit --space nasbench201 --data table.csv --target accuracy --out model"),
)
@click.option("--space", help="Name (see 'archpredict spaces'), module:Class or file.py:Class.")
@click.option("--data", type=_PATH, help="Table with labelled architectures (CSV, JSONL, ...).")
@click.option("--target", help="Column of --data with the labels, higher is better.")
@column_option
@click.option("--onnx", metavar="DIR", help="Learn from ONNX models instead: a folder or a pattern.")
@click.option("--labels", type=_PATH, help="Table of their scores (columns model, score), higher is better.")
@click.option(
    "--family",
    multiple=True,
    metavar="SPACE=FILE:COLUMN",
    help="Learn from labelled networks of several spaces instead, to fine-tune with --from later; repeatable.",
)
@input_shape_options
@predictor_options
@feature_options
@click.option("--from", "origin", metavar="DIR|NAME", help="Go on training this saved or shipped predictor.")
@click.option("--folds", type=click.IntRange(min=2), help="Cross-validate first, and put the figures on the card.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Source of all randomness.")
@device_option
@click.option("--out", type=_PATH, required=True, help="Folder to save in: new, empty, or a saved predictor's.")
@html_option
@json_option
@quiet_option
@debug_option
def command(**given: Any) -> None:
    """Train a predictor on labelled architectures and save it with a card.

    They are the rows of a table (--space, --data, --target), ONNX models (--onnx, --labels) or tables of several spaces
    (--family). Without --predictor or --encoder and --head: the default predictor.
    """
    from archpredict.cli._console import warnings_as_lines

    with warnings_as_lines():
        _fit(given)


def _fit(given: dict[str, Any]) -> None:
    from archpredict.cli._console import say
    from archpredict.cli._evaluation_pages import write_card
    from archpredict.cli._fit_data import check_source
    from archpredict.cli._output import check_replaceable, print_json
    from archpredict.cli._proxies import compute_scores
    from archpredict.predict.cards import fitted_card, judged_by_others
    from archpredict.predict.storage import MANIFEST
    from archpredict.predict.validation import summarize

    check_source(given)
    check_replaceable(given["out"], MANIFEST, "predictor", "--out")
    check_page(given["html"])
    predictor, name, data = _start(given)
    labels = f"{len(data.labels):,} labels"
    if not given["quiet"]:
        say(f"Fitting {name} on {labels} of {data.title}")
    compute_scores(predictor, data.architectures, given["quiet"])
    trials = _cross_validate(predictor, data, given) if given["folds"] else []
    summary = summarize(trials) if trials else None
    start = time.perf_counter()
    _train(predictor, data, given)
    seconds = time.perf_counter() - start
    judged = judged_by_others(predictor, data.architectures, data.labels, data.features)
    card = fitted_card(
        predictor,
        data.labels,
        name=name,
        about={**data.about, **_transfer_file(given), **judged},
        seconds=seconds,
        features=list(data.features),
        folds=given["folds"],
        summary=summary,
    )
    predictor.save(given["out"], card)
    write_card(given, card, data.labels, predictor, trials)
    if given["as_json"]:
        print_json({"out": str(given["out"]), **card})
        return
    click.echo(f"Fitted {name} on {labels} in {card['seconds']:.1f} s; saved in {given['out']}")
    low, high = card["range"]
    error = f"; error on held-out labels {card['held_out_error']:.3g}" if "held_out_error" in card else ""
    click.echo(f"Labels from {low:.4g} to {high:.4g}: of scores beyond believe the order alone{error}")
    if judged:
        others = judged["others"]
        said = f"Kendall's tau on {others['rows']:,} of the others: {others['kendall_tau']:.3f}"
        click.echo(f"Learnt from {judged['rows_learnt']:,} of these labels; {said}")
    if summary is not None:
        tau, spread = summary.mean["kendall_tau"], summary.std["kendall_tau"]
        click.echo(f"Kendall's tau in {given['folds']}-fold cross-validation: {tau:.3f} ± {spread:.3f}")


def _start(given: dict[str, Any]) -> tuple[Predictor, str, FitData]:
    """The predictor to train or to go on with, what to call it, and the labels."""
    from archpredict.cli._fit_data import data_of_families, data_of_models, data_of_table, onnx_predictor
    from archpredict.cli._predictors import (
        build_predictor,
        check_learns,
        described_predictor,
        load_model,
        model_space,
    )
    from archpredict.cli._proxies import split_features, with_proxies
    from archpredict.spaces.base import load_space

    origin = given["origin"]
    if origin is None:
        _check_saveable(given)
        if given["onnx"] is not None:
            predictor, name = onnx_predictor(given)
            return predictor, name, data_of_models(given)
        if given["family"]:
            predictor = build_predictor(given, given["seed"], _OF_FAMILIES)
            return predictor, described_predictor(given, _OF_FAMILIES), data_of_families(given)
        space = load_space(given["space"])
        predictor = build_predictor(given, given["seed"], space.predictor)
        columns, proxies = split_features(given)
        predictor, name = with_proxies(predictor, proxies, given), described_predictor(given, space.predictor)
        check_learns(predictor, name, given, space)
        return predictor, name, data_of_table(given, space, columns)
    for name in _NEW:
        if given[name]:
            raise UsageError(
                f"{flag_of(name)} is for a new predictor, --from goes on with {origin}; leave one of them out"
            )
    predictor = load_model(origin, given["device"]).set_params(seed=given["seed"])
    space = model_space(predictor, origin, given["space"])
    return predictor, f"{origin}, fine-tuned", data_of_table(given, space, predictor.feature_names_)


def _transfer_file(given: dict[str, Any]) -> dict[str, Any]:
    """What the card says of ``--transfer``."""
    from archpredict.predict.transfer.shipped import transfer_sha256

    return {} if given["transfer"] is None else {"transfer_sha256": transfer_sha256(given["transfer"])}


def _check_saveable(given: dict[str, Any]) -> None:
    for name in ("encoder", "head"):
        if ":" in (given[name] or ""):
            raise UsageError(
                f"--{name} {given[name]} cannot be saved: a saved predictor opens without code of your own; "
                "fit and use it from Python, or judge it with archpredict evaluate"
            )


def _train(predictor: Predictor, data: FitData, given: dict[str, Any]) -> None:
    from archpredict.cli._console import progress

    labelled = (data.architectures, data.labels)
    with progress(given["quiet"]) as observer:
        if given["origin"] is None:
            predictor.fit(*labelled, features=data.features, observer=observer)
        else:
            predictor.fine_tune(*labelled, features=data.features, observer=observer, epochs=given["epochs"])


def _cross_validate(predictor: Predictor, data: FitData, given: dict[str, Any]) -> list[Trial]:
    from archpredict.cli._console import progress
    from archpredict.predict.validation import cross_validate

    with progress(given["quiet"]) as observer:
        return cross_validate(
            predictor,
            data.architectures,
            data.labels,
            given["folds"],
            [given["seed"]],
            observer,
            features=data.features,
        )
