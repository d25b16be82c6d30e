"""Options of commands that do much side by side: how many at a time, and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from archpredict.cli._options import pairs_option
from archpredict.errors import UsageError

_Decorated = TypeVar("_Decorated", bound=Callable[..., object])


def executor_options(what: str, at_a_time: str) -> Callable[[_Decorated], _Decorated]:
    """``--jobs``, ``--executor``, ``--ray-address`` and ``--resources``.

    Args:
        what: What runs there, e.g. evaluation.
        at_a_time: Help of ``--jobs``.
    """
    jobs = click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help=at_a_time)
    return lambda command: jobs(place_options(what)(command))


def place_options(what: str) -> Callable[[_Decorated], _Decorated]:
    """``--executor``, ``--ray-address`` and ``--resources``.

    Args:
        what: What runs there, e.g. evaluation.
    """

    def decorate(command: _Decorated) -> _Decorated:
        for option in (
            pairs_option(
                "--resources",
                "cpu=2",
                f"What one {what} needs of a machine of Ray, e.g. cpu=2,gpu=0.5.",
                name=str,
                commas=True,
            ),
            click.option(
                "--ray-address", metavar="HOST:PORT", help="Cluster of --executor ray.  [default: Ray is started here]"
            ),
            click.option(
                "--executor",
                default="local",
                show_default=True,
                help=f"Where {what}s run: local, as --jobs says, or ray, on the machines of a cluster (see "
                "docs/executors.md).",
            ),
        ):
            command = option(command)
        return command

    return decorate


def options_of_executor(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the executor, where flags say so."""
    address, resources = given["ray_address"], given["resources"]
    return ({} if address is None else {"address": address}) | ({"resources": resources} if resources else {})


def made_executor(given: Mapping[str, Any]) -> Any:
    """The executor that these options describe; None where it is this process.

    Raises:
        UsageError: There is no such executor, or it has no such options.
    """
    found = executor_elsewhere(given)
    if found is not None or given["jobs"] == 1:
        return found
    from archpredict.runs.plan import load_executor

    return load_executor("local", {"jobs": given["jobs"]})


def executor_elsewhere(given: Mapping[str, Any]) -> Any:
    """The executor that these options describe; None where it is ``local``.

    Raises:
        UsageError: There is no such executor, or it has no such options.
    """
    from archpredict.runs.plan import load_executor

    options = options_of_executor(given)
    if given["executor"] == "local":
        if options:
            raise UsageError("--ray-address and --resources are for --executor ray; give it too, or leave them out")
        return None
    if given["jobs"] not in (None, 1):
        raise UsageError(
            f"--jobs is for --executor local; {given['executor']} does as many at a time as there is room for: leave "
            "--jobs out, and say with --resources what each needs"
        )
    return load_executor(given["executor"], options)
