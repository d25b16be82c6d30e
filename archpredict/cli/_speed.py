"""Options that say where models are to run, and the places that they mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from archpredict.errors import UsageError

if TYPE_CHECKING:
    from archpredict.costs.places import Place
    from archpredict.predict.rank.choosing import Limit

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])
_OPTIONS = ("batch_size", "precision", "layout", "compiler", "mode")
_COMPUTES = ("auto", "cpu", "cuda")


def speed_options(command: _Decorated) -> _Decorated:
    """``--batch-size`` and what else is measured under, for the devices that ``--device`` names."""
    for flag, kind, about in reversed(
        (
            ("--batch-size", int, "Images at once; what is usual on the device if left out."),
            ("--precision", str, "fp32, amp, amp_bf16 or bf16."),
            ("--layout", str, "Of images in memory: nchw or nhwc."),
            ("--compiler", str, "eager, or dynamo for torch.compile."),
            ("--mode", str, "infer, or train for whole steps."),
        )
    ):
        command = click.option(flag, type=kind, help=about, metavar="N" if kind is int else "NAME")(command)
    return command


def read_limits(ctx: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> list[Limit]:
    """Limits as one types them, ``params=20e6``: from below or from above, as the option's name says."""
    from archpredict.predict.rank.choosing import Limit

    found = []
    for text in texts:
        name, equals, typed = text.partition("=")
        try:
            number = float(typed)
        except ValueError:
            number = math.nan
        if not equals or not math.isfinite(number):
            raise UsageError(f"a limit is NAME=NUMBER, such as throughput=1000; {text!r} was given")
        below = option.name == "at_least"
        found.append(Limit(name.strip(), number if below else None, None if below else number))
    return found


def places_of(names: Iterable[str], given: Mapping[str, Any]) -> list[Place]:
    """The places that are meant, one for each device or file of an adapted cost.

    Raises:
        UsageError: There is no such device, precision and so on, or no device that they could be of.
    """
    devices = list(dict.fromkeys(names))
    asked = {name: given[name] for name in _OPTIONS if given[name] is not None}
    flag = "--" + next(iter(asked), "").replace("_", "-")
    if not devices:
        if asked:
            raise UsageError(f"{flag} is of a device that models are to run on; give --device NAME too")
        return []
    from archpredict.costs import places

    if asked and all(map(places.is_file, devices)):
        raise UsageError(
            f"{flag} is of devices that 'archpredict devices' lists, and {' and '.join(devices)} was measured in a "
            "setting of its own; leave it out"
        )
    return places.places_of(devices, **asked)


def split_devices(given: Iterable[str]) -> tuple[str, list[str]]:
    """Where the predictor computes, and the devices that models are to run on.

    Raises:
        UsageError: Several places to compute are given.
    """
    places = [name for name in given if name in _COMPUTES]
    if len(places) > 1:
        raise UsageError(f"the predictor computes in one place, --device {' and '.join(places)} were given")
    return places[0] if places else "auto", [name for name in given if name not in _COMPUTES]
