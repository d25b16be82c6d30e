"""``archpredict evaluate``: measure how well a predictor ranks."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from archpredict.cli._evaluation_output import (
    headings_of,
    largest_k,
    say_transfer,
    show,
    show_published,
    sizes_to_json,
    times,
    write_files,
)
from archpredict.cli._evaluation_pages import write_evaluation, write_figures
from archpredict.cli._executors import executor_options, made_executor
from archpredict.cli._options import column_option, debug_option, example, flag_of, json_option
from archpredict.cli._pages import Repeatable, check_page, html_option
from archpredict.cli._predictors import device_option, predictor_options, quiet_option, space_option
from archpredict.cli._proxies import feature_options
from archpredict.cli._submissions import entrant_of, submit
from archpredict.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from archpredict.predict.leaderboard import Entrant
    from archpredict.predict.protocols import Protocol
    from archpredict.predict.validation import Trial

_PATH = click.Path(path_type=Path)
_FROM_1 = click.IntRange(min=1)
_WHERE = ("jobs", "executor", "ray_address", "resources")
"""Options that say where trainings run."""
_TRAINING = (
    "predictor",
    "encoder",
    "head",
    "option",
    "no_transfer",
    "transfer",
    "ensemble",
    "epochs",
    "features",
    "dataset",
    "network",
    "folds",
    "train_sizes",
    "seeds",
    *_WHERE,
)
"""Options that say what is trained, and how often: not for a saved model."""
_OF_DEVICES = ("train_sizes", "seeds", *_WHERE)
"""Those of them that a protocol of devices has too."""


def _of_devices(protocol: str | None) -> bool:
    """Whether a protocol holds out devices, not architectures."""
    if protocol is None:
        return False
    from archpredict.predict.device_protocols import device_protocol_names

    return protocol in device_protocol_names()


def _sizes(ctx: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, ...]:
    try:
        sizes = tuple(int(part) for part in (text or "").split(",") if part.strip())
    except ValueError:
        sizes = (0,)
    fewest = 0 if _of_devices(ctx.params.get("protocol")) else 2
    if text is not None and (not sizes or min(sizes) < fewest):
        raise click.BadParameter(
            f"{text!r} is no list of numbers of labels from {fewest}, e.g. 100,172,423", ctx, parameter
        )
    return tuple(dict.fromkeys(sizes))


@click.command(
    name="evaluate",
    cls=Repeatable,
    epilog=example(
        "archpredict evaluate --space nasbench201 --data table.csv --target accuracy",
        "--predictor gaussian-process --train-sizes 20 --seeds 2",
    ),
)
@click.option("--model", metavar="DIR|NAME", help="A saved or shipped predictor; without it, new ones are trained.")
@space_option
@click.option("--data", type=_PATH, help="Table with labelled architectures; with --protocol, the folder of tables.")
@click.option(
    "--target", help="Column of --data with the labels, higher is better; of hw-nas-bench: latency or energy."
)
@column_option
@predictor_options
@feature_options
@click.option(
    "--protocol",
    is_eager=True,  # which numbers of labels there may be follows from it
    help="Published split and labels, e.g. nb101-20k, instead of --target and --space; hw-nas-bench: costs on devices.",
)
@click.option("--folds", type=click.IntRange(min=2), help="Cross-validation.  [default: 5]")
@click.option("--train-sizes", callback=_sizes, metavar="N,N", help="Learning curve: labels to learn from.")
@click.option("--seeds", type=_FROM_1, help="Repetitions.  [default: 5, 1 for cross-validation]")
@click.option("--k", type=_FROM_1, help="How many of the predicted best to look at.  [default: 10]")
@device_option
@executor_options("training", "Trainings at a time, in processes; the figures are those of one at a time.")
@click.option("--csv", "csv_file", type=_PATH, help="Write the figures as a table, one row per trained predictor.")
@click.option("--plots", type=_PATH, metavar="DIR", help="Write pictures into this folder.")
@html_option
@click.option(
    "--submit",
    type=_PATH,
    metavar="FILE",
    help="Write predictions and figures under --protocol for the leaderboard; --predictor may be any FILE.py:Class "
    "with fit and predict.",
)
@json_option
@quiet_option
@debug_option
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Measure how well a predictor ranks.

    A saved one on a table (--model), or one to be trained: by cross-validation (--folds), as a learning curve over
    the number of labels (--train-sizes), or under a published protocol (--protocol). Under hw-nas-bench, what cells
    cost on a device is told from others and a few measurements.
    """
    from archpredict.cli._console import warnings_as_lines
    from archpredict.cli._output import check_file, check_folder, check_output

    with warnings_as_lines():
        _check(ctx, given)
        if given["csv_file"] is not None:
            check_output(given["csv_file"], *([given["data"]] if given["data"] is not None else []))
        check_page(given["html"])
        if given["plots"] is not None:
            check_folder(given["plots"])
        if given["submit"] is not None:
            check_file(given["submit"])
        if given["model"] is not None:
            _evaluate_model(given)
        elif _of_devices(given["protocol"]):
            from archpredict.cli._device_evaluation import evaluate

            evaluate(given, _data_folder(given))
        elif given["protocol"] is not None or given["train_sizes"]:
            _evaluate_curve(given)
        else:
            _evaluate_folds(given)


def _check(ctx: click.Context, given: Mapping[str, Any]) -> None:
    """Options that do not go together, and those that are missing."""
    explicit = {name for name in given if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT}
    way = next((name for name in ("model", "protocol", "train_sizes") if name in explicit), "folds")
    if way == "protocol" and _of_devices(given["protocol"]):
        way = "devices"
    unwanted = {
        "devices": (
            *(name for name in _TRAINING if name not in _OF_DEVICES),
            "space",
            "column",
            "k",
            "plots",
        ),
        "model": (*(name for name in _TRAINING if name != "transfer"), "protocol"),
        "protocol": ("space", "target", "column", "folds"),
        "train_sizes": ("folds",),
        "folds": (),
    }[way]
    for name in unwanted:
        if name in explicit:
            which = f"--protocol {given['protocol']}" if way == "devices" else flag_of(way)
            raise UsageError(f"{flag_of(name)} does not go together with {which}; leave one of them out")
    needed = {"model": ("data", "target"), "protocol": (), "devices": ()}.get(way, ("space", "data", "target"))
    if given["submit"] is not None and way != "protocol":
        raise UsageError("--submit is for the leaderboard of published protocols; give --protocol NAME too")
    missing = [flag_of(name) for name in needed if given[name] is None]
    if missing:
        other = "; or say --model or --protocol" if way == "folds" else ""
        raise UsageError(f"{', '.join(missing)} must be given too, to say which labels to evaluate on{other}")


def _evaluate_model(given: Mapping[str, Any]) -> None:
    from archpredict.cli._output import number_columns, print_json, write_table
    from archpredict.cli._predictors import load_any_model, model_space
    from archpredict.cli._proxies import compute_scores
    from archpredict.cli._tables import read_labelled
    from archpredict.predict.validation import evaluate_predictions

    model = load_any_model(given["model"], given["device"], given["transfer"])
    space = model_space(model, given["model"], given["space"])
    data = read_labelled(given, space, model.feature_names_)
    compute_scores(model, data.architectures, given["quiet"])
    packed = model.pack(data.architectures, data.features)
    predicted = model.predict(packed)
    std = model.predict_std(packed) if model.has_std else None
    figures = evaluate_predictions(data.labels, predicted, std, given["k"])
    _warn_of_scale(getattr(model, "label_range_", None), data.labels)
    if given["csv_file"] is not None:
        write_table(given["csv_file"], number_columns([figures]), [figures])
    if given["plots"] is not None:
        from archpredict.cli._plots import draw_predicted

        title = f"{given['model']} on {given['data'].name}"
        draw_predicted(data.labels, predicted, given["target"], title, given["plots"])
    source = {"model": given["model"], "space": space.name, **_source(data)}
    write_figures(given, source, figures, data.labels, predicted, std)
    if given["as_json"]:
        print_json({**source, **figures})
        return
    from archpredict.cli._console import show_table

    headings = headings_of(figures, int(figures["k"]))
    rows = [(heading, f"{figures[name]:.4g}") for name, heading in headings.items()]
    title = f"{given['model']} on {len(data):,} architectures, column {given['target']} of {given['data']}"
    show_table(title, {"figure": "left", "value": "right"}, rows)


def _warn_of_scale(learnt: tuple[float, float] | None, labels: np.ndarray) -> None:
    """Labels none of which is where those that were learnt from lie are on another scale."""
    if learnt is None or (labels.max() >= learnt[0] and labels.min() <= learnt[1]):
        return
    warnings.warn(
        f"the labels are {labels.min():.4g} to {labels.max():.4g}, and {learnt[0]:.4g} to {learnt[1]:.4g} where the "
        "predictor has learnt: what is said of order holds, what is said of errors and intervals does "
        "not; bring labels on the same scale",
        stacklevel=2,
    )


def _evaluate_folds(given: Mapping[str, Any]) -> None:
    from archpredict.cli._console import progress
    from archpredict.cli._output import print_json
    from archpredict.cli._predictors import build_predictor, check_learns, described_predictor
    from archpredict.cli._proxies import compute_scores, split_features, with_proxies
    from archpredict.cli._tables import read_labelled
    from archpredict.predict.evaluation_page import Judgement
    from archpredict.predict.validation import cross_validate, summarize
    from archpredict.spaces.base import load_space

    folds, seeds = given["folds"] or 5, given["seeds"] or 1
    executor = made_executor(given)
    columns, proxies = split_features(given)
    space = load_space(given["space"])
    predictor = with_proxies(build_predictor(given, 0, space.predictor), proxies, given)
    name = described_predictor(given, space.predictor)
    check_learns(predictor, name, given, space)
    data = read_labelled(given, space, columns)
    labels = data.labels
    compute_scores(predictor, data.architectures, given["quiet"])
    with progress(given["quiet"]) as observer:
        results = cross_validate(
            predictor,
            data.architectures,
            labels,
            folds,
            seeds,
            observer,
            features=data.features,
            k=given["k"],
            executor=executor,
        )
    title = f"{name}: {folds}-fold cross-validation on {len(labels):,} architectures"
    write_files(given, results, labels, given["data"].name)
    summary, others = summarize(results), predictor.learns_from(space)
    found = Judgement(name, title.removeprefix(f"{name}: "), results, labels, labels, learnt_from=others)
    write_evaluation(given, found, {"space": space.name, **_source(data)}, predictor)
    if given["as_json"]:
        print_json(
            {
                "predictor": name,
                "space": space.name,
                **_source(data),
                "transfer": others,
                "folds": folds,
                "seeds": seeds,
                "k": largest_k(results),
                "n": len(labels),
                "mean": summary.mean,
                "std": summary.std,
                "trials": [trial.row() for trial in results],
            }
        )
        return
    show(f"{title}, {times(seeds, 'seed')}", {"": summary}, largest_k(results))
    say_transfer(others)


def _evaluate_curve(given: Mapping[str, Any]) -> None:
    from sklearn.base import clone

    from archpredict.cli._console import progress
    from archpredict.cli._output import print_json
    from archpredict.cli._predictors import build_predictor, check_learns, described_predictor
    from archpredict.cli._proxies import compute_scores, split_features, with_proxies
    from archpredict.predict.evaluation_page import Judgement
    from archpredict.predict.validation import learning_curve, summarize_sizes

    seeds = given["seeds"] or 5
    executor = made_executor(given)
    columns, proxies = split_features(given)
    other = entrant_of(given)
    if other is not None:
        _evaluate_entrant(other, given, seeds, executor)
        return
    predictor = with_proxies(build_predictor(given, 0), proxies, given)
    protocol, features, source = _protocol(given, columns)
    check_learns(predictor, described_predictor(given), given, protocol.space)
    compute_scores(predictor, protocol.architectures, given["quiet"])
    with progress(given["quiet"]) as observer:
        results = learning_curve(
            predictor,
            protocol,
            given["train_sizes"],
            seeds,
            observer,
            features=features,
            k=given["k"],
            executor=executor,
        )
    others = predictor.learns_from(protocol.space)
    alone: list[Trial] = []
    if given["protocol"] is not None and others["sources"]:  # comparisons are with predictors that know no other labels
        unaware = clone(predictor).set_params(transfer=False)
        with progress(given["quiet"]) as observer:
            alone = learning_curve(
                unaware,
                protocol,
                given["train_sizes"],
                seeds,
                observer,
                features=features,
                k=given["k"],
                executor=executor,
            )
    without = summarize_sizes(alone) if alone else {}
    title = f"{described_predictor(given)}: {protocol.name} ({protocol.description})"
    write_files(given, results, protocol.test_labels, protocol.name)
    submit(given, described_predictor(given), protocol, results, others)
    y = (protocol.test_labels, protocol.train_labels)
    about = f"{protocol.name} ({protocol.description})"
    found = Judgement(described_predictor(given), about, results, *y, alone, others, protocol.published)
    write_evaluation(given, found, {**_of_protocol(protocol), **source}, predictor)
    sizes = summarize_sizes(results)
    if given["plots"] is not None:
        from archpredict.cli._plots import draw_curve

        draw_curve(sizes, protocol.published, f"{described_predictor(given)} on {protocol.name}", given["plots"])
    if given["as_json"]:
        print_json(
            {
                "predictor": described_predictor(given),
                "protocol": protocol.name,
                "description": protocol.description,
                **source,
                "seeds": seeds,
                "k": largest_k(results),
                "sizes": sizes_to_json(sizes),
                "transfer": others,
                "without_transfer": sizes_to_json(without),
                "trials": [trial.row() for trial in results],
                "published": [figure._asdict() for figure in protocol.published],
            }
        )
        return
    show(f"{title}, {times(seeds, 'seed')}", {str(n): summary for n, summary in sizes.items()}, largest_k(results))
    say_transfer(others)
    if without:
        show("The same without transfer", {str(n): summary for n, summary in without.items()}, largest_k(results))
    show_published(protocol)


def _evaluate_entrant(entrant: Entrant, given: Mapping[str, Any], seeds: int, executor: Any) -> None:
    from archpredict.cli._console import progress
    from archpredict.cli._output import print_json
    from archpredict.predict.evaluation_page import Judgement
    from archpredict.predict.validation import learning_curve, summarize_sizes

    protocol, _, source = _protocol(given, [])
    with progress(given["quiet"]) as observer:
        results = learning_curve(
            entrant, protocol, given["train_sizes"], seeds, observer, k=given["k"], executor=executor
        )
    name = str(given["predictor"]).rpartition(":")[2]
    write_files(given, results, protocol.test_labels, protocol.name)
    submit(given, name, protocol, results)
    y = (protocol.test_labels, protocol.train_labels)
    found = Judgement(name, f"{protocol.name} ({protocol.description})", results, *y, published=protocol.published)
    write_evaluation(given, found, {**_of_protocol(protocol), **source})
    sizes = summarize_sizes(results)
    if given["as_json"]:
        rows = [trial.row() for trial in results]
        about = {"predictor": name, "protocol": protocol.name, "description": protocol.description, **source}
        print_json({**about, "seeds": seeds, "k": largest_k(results), "sizes": sizes_to_json(sizes), "trials": rows})
        return
    title = f"{name}: {protocol.name} ({protocol.description})"
    show(f"{title}, {times(seeds, 'seed')}", {str(n): summary for n, summary in sizes.items()}, largest_k(results))
    show_published(protocol)


def _protocol(given: Mapping[str, Any], columns: Sequence[str]) -> tuple[Protocol, dict[str, Any], dict[str, Any]]:
    """The protocol, features (columns) of its rows, and where the labels are from."""
    from archpredict.cli._tables import read_labelled
    from archpredict.predict.protocols import load_protocol, protocol_names, table_protocol
    from archpredict.spaces.base import load_space

    if given["protocol"] is None:
        data = read_labelled(given, load_space(given["space"]), columns)
        return table_protocol(data), dict(data.features), {"space": data.space.name, **_source(data)}
    folder = _data_folder(given)
    if given["protocol"] not in protocol_names():
        from archpredict.predict.device_protocols import device_protocol_names

        raise UnknownNameError("protocol", given["protocol"], [*device_protocol_names(), *protocol_names()])
    protocol = load_protocol(given["protocol"], folder)
    return protocol, {}, {"space": protocol.space.name, "data": str(folder)}


def _of_protocol(protocol: Protocol) -> dict[str, str]:
    """What a page says of a protocol: its name, and a digest of its labels and architectures."""
    from archpredict.predict.leaderboard import table_digest

    return {"protocol": protocol.name, "labels_sha256": table_digest(protocol)}


def _data_folder(given: Mapping[str, Any]) -> str | Path:
    """Where the tables of protocols are."""
    folder: str | Path | None = given["data"] or os.environ.get("ARCHPREDICT_DATA")
    if folder is None:
        raise UsageError("--protocol needs --data, the folder of the benchmark tables (or $ARCHPREDICT_DATA)")
    return folder


def _source(table: Any) -> dict[str, Any]:
    return {"data": str(table.path), "sha256": table.sha256, "target": table.target}
