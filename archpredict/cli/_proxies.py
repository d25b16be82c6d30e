"""Zero-cost scores for the commands that fit and use predictors: which are asked for, and their progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from archpredict.cli._options import pairs_option
from archpredict.errors import UsageError

if TYPE_CHECKING:
    from archpredict.graph.arch_graph import ArchGraph
    from archpredict.predict.predictor import Predictor
    from archpredict.predict.universal import UniversalPredictor
    from archpredict.spaces.base import Architecture

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


def feature_options(command: _Decorated) -> _Decorated:
    """The options that say what a predictor reads beside the graph."""
    for option in (
        pairs_option(
            "--network", "channels=8", "Form of the networks that proxies are computed of, e.g. channels=8; repeatable."
        ),
        click.option("--dataset", help="Images for proxies that read some: digits, cifar10:PATH, folder:PATH, ...."),
        click.option(
            "--features",
            metavar="NAME,NAME",
            help="More to learn from: columns of --data, or zero-cost proxies to compute, e.g. synflow,macs.",
        ),
    ):
        command = option(command)
    return command


def split_features(given: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Names of columns of ``--data``, and of zero-cost proxies; what is both is taken from the table.

    Raises:
        DataError: A name that is neither.
        UsageError: Options of proxies without any.
    """
    from archpredict.cli._tables import column_names
    from archpredict.predict.sources.proxies import columns_or_proxies

    wanted = column_names(given["features"])
    columns, proxies = columns_or_proxies(wanted, _columns(given["data"]) if wanted else [], given["data"])
    if (unused := [name for name in ("dataset", "network") if given[name]]) and not proxies:
        raise UsageError(
            f"--{unused[0]} says how zero-cost proxies are computed, none is among the --features; leave it out, "
            "or give --features synflow"
        )
    return columns, proxies


def with_proxies(predictor: Predictor, proxies: Sequence[str], given: Mapping[str, Any]) -> Predictor:
    """The unfitted predictor, such that it reads these proxies as ``--dataset`` and ``--network`` say."""
    from archpredict.predict.sources.proxies import Proxies

    if not proxies:
        return predictor
    options = {"dataset": given["dataset"], "network": given["network"]}
    source = Proxies(proxies, **{name: value for name, value in options.items() if value})
    return predictor.set_params(sources=(*predictor.sources, source))


def compute_scores(
    predictor: Predictor | UniversalPredictor, architectures: Sequence[Architecture] | Sequence[ArchGraph], quiet: bool
) -> None:
    """Compute the zero-cost scores that a predictor will ask for, with progress; they are then known."""
    from archpredict.cli._console import progress
    from archpredict.predict.batch import Batch
    from archpredict.predict.cards import proxies_of
    from archpredict.predict.predictor import Predictor

    source = proxies_of(predictor) if isinstance(predictor, Predictor) else None
    if source is None:
        return
    with progress(quiet) as observer:
        source.compute(Batch.of(architectures), observer)


def _columns(path: Path | None) -> list[str]:
    from archpredict.tables.formats.base import read_rows

    first = next(iter(read_rows(path)), None) if path is not None and path.is_file() else None
    return [] if first is None else list(first.values)
