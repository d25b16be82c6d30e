"""``archpredict search``: search a space for its best architectures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from archpredict.cli._executors import executor_options, options_of_executor
from archpredict.cli._options import column_option, debug_option, example, json_option, pairs_option
from archpredict.cli._plugin_options import Owner, assign, full_names, option_option, values
from archpredict.cli._predictors import given_transfer, predictor_owner, set_options, transfer_options
from archpredict.errors import UsageError

if TYPE_CHECKING:
    from archpredict.predict.predictor import Predictor
    from archpredict.registry.options import Option
    from archpredict.runs.plan import Plan
    from archpredict.runs.search import SearchResult

_NOTHING = type(None)
_INVOCATION: dict[str, tuple[type, ...]] = {
    "space": (str,),
    "strategy": (str,),
    "preset": (str, _NOTHING),
    "predictor": (str, _NOTHING),
    "evaluator": (str,),
    "command": (str, _NOTHING),
    "timeout": (int, float, _NOTHING),
    "retries": (int,),
    "data": (str, _NOTHING),
    "target": (str, _NOTHING),
    "column": (str, _NOTHING),
    "dataset": (str, _NOTHING),
    "training": (dict,),
    "network": (dict,),
    "budget": (int, _NOTHING),
    "hours": (int, float, _NOTHING),
    "seed": (int,),
    "device": (str,),
    "limit": (dict,),
    "objective": (list,),
    "start_from": (list,),
    "within_table": (bool,),
    "jobs": (int,),
    "executor": (str,),
    "ray_address": (str, _NOTHING),
    "resources": (dict,),
    "top": (int,),
    "option": (dict,),
    "no_transfer": (bool,),
    "transfer": (str, _NOTHING),
}
"""Options that make the run, and their types in config.json, which keeps them for ``--resume``."""

_PATH = click.Path(path_type=Path)
_FROM_0 = click.IntRange(min=0)
_FROM_1 = click.IntRange(min=1)
_SECONDS = click.FloatRange(min=0, min_open=True)


@click.command(name="search", epilog=example("archpredict search --space darts --strategy random --budget 20"))
@click.option(
    "--space",
    default="darts",
    show_default=True,
    help="Name (see 'archpredict spaces'), module:Class or file.py:Class.",
)
@click.option(
    "--strategy",
    default="ctnas",
    show_default=True,
    help="Name (see 'archpredict strategies'), module:Class or file.py:Class.",
)
@click.option("--preset", help="Configuration of the strategy (see 'archpredict strategies').")
@click.option("--predictor", help="Named predictor for the strategy (see 'archpredict predictors').")
@transfer_options
@click.option(
    "--evaluator",
    help="Who labels: surrogate, table, command, train, supernet:CHECKPOINT, zero-cost:PROXY, once-for-all:FILE, "
    "module:Class or file.py:Class (see docs/evaluators.md).  [default: table with --data, command with --command, "
    "train with --dataset, else surrogate]",
)
@click.option(
    "--command",
    help="Program that prints the score of {architecture}, e.g. 'python train.py {architecture}'.",
)
@click.option("--timeout", type=_SECONDS, help="Seconds that one try of --command may take.  [default: no limit]")
@click.option("--retries", type=_FROM_0, default=0, show_default=True, help="Further tries of --command.")
@click.option("--data", type=_PATH, help="Table with labelled architectures (see docs/data.md).")
@click.option(
    "--target",
    help="Column of --data with the labels, higher is better; of what --command prints, the entry.  [default: the "
    "first --objective; of --command score]",
)
@column_option
@click.option("--dataset", help="Images to train on: digits, cifar10:PATH, cifar100:PATH, folder:PATH, ....")
@pairs_option("--training", "epochs=10", "How --evaluator train trains, e.g. epochs=10; repeatable.")
@pairs_option("--network", "channels=8", "Form of the networks that are built, e.g. channels=8; repeatable.")
@option_option(
    "Set an option of the strategy, the evaluator or --predictor, e.g. rounds=3; where several have it: "
    "strategy.rounds=3, evaluator.seed=1, predictor.ensemble=3; repeatable."
)
@click.option("--budget", type=_FROM_1, help="Evaluations in all.  [default: the strategy's, e.g. 150 for ctnas]")
@click.option("--hours", type=_SECONDS, help="Budget in time: after so many hours of work nothing more is begun.")
@click.option("--seed", type=_FROM_0, default=0, show_default=True, help="Source of all randomness.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where models are trained.",
)
@click.option(
    "--objective",
    multiple=True,
    metavar="NAME[:min|:max[:REFERENCE]]",
    help="What is to be good, where it is more than the score: a column of --data, an entry of what --command prints, "
    "a cost of the space, e.g. accuracy, latency:min; repeatable (see docs/objectives.md).",
)
@pairs_option(
    "--limit",
    "params=4e6",
    "Recommend nothing above this cost, or below it where more is better, e.g. params=4e6; repeatable.",
    name=str,
)
@click.option(
    "--start-from",
    type=_PATH,
    multiple=True,
    metavar="RUN|TABLE",
    help="An earlier run, or a table, whose labels are known from the start and cost no budget; repeatable.",
)
@click.option("--within-table", is_flag=True, help="Recommend only what the table of --data holds.")
@executor_options("evaluation", "Evaluations at a time: runs of --command, or trainings.")
@click.option("--top", type=_FROM_1, default=10, show_default=True, help="Architectures to recommend.")
@click.option(
    "--out",
    type=_PATH,
    help="Run directory, new or empty.  [default: runs/<space>-<strategy>-seed<seed>-<n>]",
)
@click.option("--resume", type=_PATH, metavar="RUN_DIR", help="Go on with the run in this directory.")
@json_option
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@debug_option
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Search a space for its best architectures.

    Without options: CTNAS in the DARTS space, labelled by the embedded surrogate.
    """
    from archpredict.cli._console import show_result, warnings_as_lines

    with warnings_as_lines():
        invocation = _invocation(ctx, given)
        plan = _plan(invocation)
        result = _run(ctx, plan, invocation, given)
    if given["as_json"]:
        click.echo(json.dumps(result.to_dict()))
    else:
        show_result(result, plan)


def _invocation(ctx: click.Context, given: Mapping[str, Any]) -> dict[str, Any]:
    """The invocation of the plan, as JSON values: what the resumed run was started with, and what is given now."""
    from archpredict.cli._evaluators import absolute
    from archpredict.cli._training import refuse_training
    from archpredict.runs.directory import corrupt_config, read_config

    values = {name: given[name] for name in _INVOCATION}
    values["hours"] = None if given["hours"] == math.inf else given["hours"]
    values["objective"] = list(given["objective"])
    values["start_from"] = [str(path.absolute()) for path in given["start_from"]]
    values["data"] = None if given["data"] is None else str(given["data"].absolute())
    values["transfer"] = None if given["transfer"] is None else str(Path(given["transfer"]).absolute())
    for name in ("space", "strategy", "evaluator", "dataset"):
        values[name] = absolute(given[name])
    if given["resume"] is None:
        return _with_full_names({**values, "evaluator": values["evaluator"] or _default_evaluator(given)})
    if given["out"] is not None:
        raise UsageError("--resume goes on in the directory it names; leave out --out")
    refuse_training(given["resume"])
    kept = read_config(given["resume"])["invocation"]
    if kept is None:
        raise UsageError(
            f"the run in {given['resume']} was started by a program; go on with it there: "
            f"archpredict.search(..., out={str(given['resume'])!r}, resume=True)"
        )
    kept.setdefault("option", {})  # which runs of before there were options do not have
    kept.setdefault("column", None)
    kept.setdefault("no_transfer", False)
    kept.setdefault("transfer", None)
    kept.setdefault("hours", None)
    kept.setdefault("executor", "local")
    kept.setdefault("ray_address", None)
    kept.setdefault("resources", {})
    kept.setdefault("objective", [])
    kept.setdefault("start_from", [])
    for name, types in _INVOCATION.items():
        if not isinstance(kept.get(name, ...), types):
            raise corrupt_config(given["resume"], f"{name!r} in its invocation is {kept.get(name, 'not there')!r}")
    explicit = {n: v for n, v in values.items() if ctx.get_parameter_source(n) is not ParameterSource.DEFAULT}
    options = {"option": {**kept["option"], **given["option"]}}
    return _with_full_names({**kept, **explicit, **options})


def _strategy_options(name: str) -> Mapping[str, Option]:
    """Options of the strategy of this name."""
    from archpredict.registry import resolve
    from archpredict.strategies.base import Strategy

    found: Mapping[str, Option] = resolve("strategies", name, Strategy).options()
    return found


def _owners(invocation: Mapping[str, Any]) -> list[Owner]:
    """Owners of the options of a search."""
    from archpredict.evaluators.base import evaluator_options
    from archpredict.registry import resolve
    from archpredict.strategies.base import Strategy

    strategy, reference = resolve("strategies", invocation["strategy"], Strategy), invocation["evaluator"]
    owners = [
        Owner("strategy", f"the strategy {strategy.name}", strategy.options(), with_flags=("device", "preset")),
        Owner("evaluator", f"the evaluator {reference}", evaluator_options(reference)),
    ]
    if invocation["predictor"] is not None:
        owners.append(predictor_owner(_predictor(invocation)))
    return owners


def _predictor(invocation: Mapping[str, Any]) -> Predictor:
    from archpredict.predict.presets import unfitted

    made: Predictor = unfitted(invocation["predictor"])
    return made


def _with_full_names(invocation: dict[str, Any]) -> dict[str, Any]:
    """The invocation, whose options say whose they are."""
    if not invocation["option"]:
        return invocation
    return {**invocation, "option": full_names(invocation["option"], _owners(invocation))}


def _default_evaluator(given: Mapping[str, Any]) -> str:
    if given["data"] is not None:
        return "table"
    if given["command"] is not None:
        return "command"
    return "surrogate" if given["dataset"] is None else "train"


def _plan(invocation: Mapping[str, Any]) -> Plan:
    from archpredict.runs.plan import plan

    options, evaluator_options = _options(invocation)
    return plan(
        invocation["space"],
        invocation["evaluator"],
        strategy=invocation["strategy"],
        budget=invocation["budget"],
        hours=invocation["hours"],
        seed=invocation["seed"],
        limits=invocation["limit"],
        objectives=invocation["objective"],
        start_from=invocation["start_from"],
        within_table=invocation["within_table"],
        device=invocation["device"],
        preset=invocation["preset"],
        jobs=invocation["jobs"],
        executor=invocation["executor"],
        executor_options=options_of_executor(invocation),
        options=options,
        evaluator_options=evaluator_options,
    )


def _options(invocation: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of the strategy, and of the evaluator: from flags and from ``--option``."""
    from archpredict.cli._evaluators import flag_options

    found: dict[str, dict[str, Any]] = {"strategy": {}, "evaluator": flag_options(invocation)}
    if invocation["predictor"] is not None:
        found["strategy"]["predictor"] = invocation["predictor"]
    found["strategy"] |= _transfer(invocation)
    flags = {(owner, name) for owner, options in found.items() for name in options}
    texts = invocation["option"]
    for owner in _owners(invocation) if texts else ():
        if owner.name == "predictor":
            if any(name.startswith("predictor.") for name in texts):
                found["strategy"]["predictor"] = set_options(_predictor(invocation), texts, owner)
            continue
        for path, value in values(texts, owner):
            if (owner.name, path[0]) in flags:
                name = f"{owner.name}.{path[0]}"
                raise UsageError(f"--{path[0]} and --option {name} say the same; leave one of them out")
            assign(found[owner.name], path, value)
    return found["strategy"], found["evaluator"]


def _transfer(invocation: Mapping[str, Any]) -> dict[str, Any]:
    """The option of the strategy that says whose labels it learns from, where flags say so."""
    transfer, strategy = given_transfer(invocation), invocation["strategy"]
    if transfer is True:
        return {}
    if "transfer" in _strategy_options(strategy):
        return {"transfer": transfer}
    if transfer is False:
        return {}  # which it does anyway
    raise UsageError(f"the strategy {strategy} learns from no labels of other spaces; leave --transfer out")


def _warn_if_useless(plan: Plan, invocation: Mapping[str, Any]) -> None:
    """Say so where ``--transfer`` knows labels of the space itself alone."""
    from archpredict.cli._predictors import warn_if_left_out

    if invocation["transfer"] is not None:
        warn_if_left_out(invocation["transfer"], plan.make_strategy().other_labels, plan.problem.space)


def _run(ctx: click.Context, plan: Plan, invocation: Mapping[str, Any], given: Mapping[str, Any]) -> SearchResult:
    from archpredict.cli._again import commands_of
    from archpredict.cli._console import progress, say
    from archpredict.cli._interrupts import resumable
    from archpredict.cli._runs import run_directory
    from archpredict.runs.directory import is_run
    from archpredict.runs.search import run

    resume = given["resume"] is not None
    name = f"{plan.problem.space.name}-{plan.strategy.name}-seed{plan.seed}"
    with run_directory(given["resume"] or given["out"], name) as out:
        if not resume:
            _warn_if_useless(plan, invocation)
        if not given["quiet"]:
            budget = f"{plan.settings['budget']} evaluations"
            budget += "" if plan.hours is None else f" or {plan.hours:g} hours, whichever ends first,"
            doing = "Resuming the search of" if resume else "Searching"
            say(
                f"{doing} {plan.problem.space.name} with {plan.strategy.name}: {budget} by "
                f"{plan.evaluator.name}, seed {plan.seed}; record in {out}"
            )
        how = f"archpredict search --resume {out}"
        with resumable(ctx, lambda: how if is_run(out) else None), progress(given["quiet"]) as observer:
            return run(
                plan,
                out=out,
                resume=resume,
                top=invocation["top"],
                observer=observer,
                invocation=invocation,
                again=commands_of(invocation, out),
            )
