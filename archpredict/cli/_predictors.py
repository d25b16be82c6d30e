"""Predictors from what the command line says: new ones to fit, and saved ones."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from archpredict.cli._plugin_options import Owner, full_names, option_option, values
from archpredict.cli._values import admits_mapping
from archpredict.errors import UnknownNameError, UsageError
from archpredict.registry.options import Option, options_of

if TYPE_CHECKING:
    from archpredict.predict.predictor import Predictor
    from archpredict.predict.universal import UniversalPredictor
    from archpredict.spaces.base import SearchSpace

Invocation = Mapping[str, Any]
_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])

DEFAULT = "default"
_OVERRIDES = {"ensemble": "ensemble", "epochs": "training__epochs"}
"""Arguments of the predictor that options replace."""

device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where models run.",
)
space_option = click.option("--space", help="Name (see 'archpredict spaces'), module:Class or file.py:Class.")
model_option = click.option(
    "--model", required=True, metavar="DIR|NAME", help="Folder of a saved predictor, or the name of a shipped one."
)
quiet_option = click.option("--quiet", is_flag=True, help="No progress on stderr.")


def transfer_options(command: _Decorated) -> _Decorated:
    """The options that say whose labels are learnt from beside those of the space."""
    no_transfer = click.option(
        "--no-transfer", is_flag=True, help="Learn nothing from labels of other search spaces (see docs/transfer.md)."
    )
    transfer = click.option(
        "--transfer",
        metavar="FILE",
        help="Learn from the labels in this transfer model, which 'archpredict transfer' makes, instead of those that "
        "ship.",
    )
    return transfer(no_transfer(command))


def given_transfer(given: Invocation) -> bool | str:
    """What ``--transfer`` and ``--no-transfer`` say, as the argument ``transfer`` has it; True where neither is given.

    Raises:
        UsageError: Both are.
    """
    if given["transfer"] is not None and given["no_transfer"]:
        raise UsageError("--transfer names labels to learn from, --no-transfer refuses all; leave one of them out")
    return not given["no_transfer"] if given["transfer"] is None else str(given["transfer"])


def predictor_options(command: _Decorated) -> _Decorated:
    """The options that describe a predictor to fit."""
    from_1 = click.IntRange(min=1)
    for option in (
        option_option("Set an option of the predictor, e.g. ensemble=3 ; repeatable."),
        transfer_options,
        click.option("--epochs", type=from_1, help="Passes over the labels.  [default: the predictor's]"),
        click.option("--ensemble", type=from_1, help="Networks to average; from 2 on there are standard deviations."),
        click.option("--head", help="Head of networks of your own choice; goes with --encoder."),
        click.option(
            "--encoder",
            help="Encoder of networks of your own choice, alone, instead of --predictor: a name, or the folder of one "
            "that 'archpredict pretrain' made.",
        ),
        click.option("--predictor", help="Named predictor (see 'archpredict predictors').  [default: the space's]"),
    ):
        command = option(command)
    return command


def build_predictor(given: Invocation, seed: int, default: str = DEFAULT) -> Predictor:
    """The unfitted predictor that ``--predictor``, or ``--encoder`` and ``--head``, and their companions describe.

    Args:
        given: Values of the options of :func:`predictor_options` and ``device``.
        seed: Of initial weights and batches.
        default: Name of the predictor where none is given.
    """
    return with_given_options(_built(given, seed, default), given)


def with_given_options(predictor: Predictor, given: Invocation) -> Predictor:
    """The predictor with what ``--option`` sets.

    Raises:
        UsageError: There is no such option, or it has a flag that was given too.
    """
    owner = predictor_owner(predictor)
    texts = full_names(given["option"], [owner])
    for name in texts:
        flag = name.rpartition(".")[2]
        if given.get(flag) is not None and flag in (*_OVERRIDES, "transfer"):
            raise UsageError(f"--{flag} and --option {name} say the same; leave one of them out")
    return set_options(predictor, texts, owner)


def predictor_owner(predictor: Predictor) -> Owner:
    """The predictor as something whose options can be set, those of its arguments behind a dot."""
    known = dict[str, Option]()
    for name, option in options_of(type(predictor)).items():
        value = getattr(predictor, name)
        known[name] = replace(option, default=value)
        if is_dataclass(value):
            known |= {f"{name}.{inner}": found for inner, found in options_of(type(value)).items()}
    return Owner("predictor", "the predictor", known, with_flags=("seed", "device"), checks_entries=True)


def set_options(predictor: Predictor, texts: Mapping[str, str], owner: Owner) -> Predictor:
    """Set the options of an unfitted predictor that these texts say, by full names."""
    for path, value in values(texts, owner):
        before = getattr(predictor, path[0])
        if len(path) == 2 and admits_mapping(owner.options[path[0]].type) and isinstance(before, Mapping | None):
            predictor.set_params(**{path[0]: {**(before or {}), path[1]: value}})
        else:
            _set(predictor, path, value)
    return predictor


def _set(predictor: Predictor, path: tuple[str, ...], value: Any) -> None:
    try:
        predictor.set_params(**{"__".join(path): value})
    except UsageError:
        raise
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"--option {'.'.join(path)}: {path[0]} has no such option") from error


def _built(given: Invocation, seed: int, default: str) -> Predictor:
    overrides = given_overrides(given)
    if given["encoder"] is not None or given["head"] is not None:
        if given["predictor"] is not None:
            raise UsageError("--predictor names encoder and head; leave --encoder and --head out, or --predictor")
        overrides |= {name: given[name] for name in ("encoder", "head") if given[name] is not None}
        return _network(overrides, given["device"], seed)
    return _named(given["predictor"] or default, overrides, given["device"], seed)


def given_overrides(given: Invocation) -> dict[str, Any]:
    """Arguments of the predictor that the options replace."""
    overrides = {argument: given[option] for option, argument in _OVERRIDES.items() if given[option] is not None}
    transfer = given_transfer(given)
    return overrides if transfer is True else {**overrides, "transfer": transfer}


def described_predictor(given: Invocation, default: str = DEFAULT) -> str:
    """What to call that predictor in one line."""
    own = [f"{name} {given[name]}" for name in ("encoder", "head") if given[name] is not None]
    name = ", ".join(own) or given["predictor"] or default
    set_too = [f"{option} {text}" for option, text in given["option"].items()]
    return ", ".join(
        [name, *(f"{option} {given[option]}" for option in _OVERRIDES if given[option] is not None), *set_too]
    )


def load_model(reference: str, device: str) -> Predictor:
    """A saved or shipped predictor."""
    from archpredict.predict.predictor import Predictor
    from archpredict.predict.universal import UNIVERSAL

    if reference == UNIVERSAL:
        raise UsageError(
            "the model universal gives scores and nothing else; use it with predict, evaluate or rank, "
            "or name another one"
        )
    return Predictor.load(reference, device)


def load_any_model(reference: str, device: str, transfer: str | None = None) -> Predictor | UniversalPredictor:
    """A saved or shipped predictor, or the one that needs no label of a space.

    Args:
        reference: What ``--model`` says.
        device: Where to predict.
        transfer: What ``--transfer`` says.

    Raises:
        UsageError: A saved predictor is given ``--transfer``, which has learnt what it knows.
    """
    from archpredict.predict.universal import UNIVERSAL, UniversalPredictor

    if reference == UNIVERSAL:
        return UniversalPredictor(transfer)
    if transfer is not None:
        raise UsageError(
            f"--transfer is for the model {UNIVERSAL}; the model {reference} has learnt already, leave it out"
        )
    return load_model(reference, device)


def check_learns(predictor: Predictor, name: str, given: Invocation, space: SearchSpace) -> None:
    """Something is to be learnt from ``--transfer``, where it is given.

    Args:
        predictor: The unfitted predictor.
        name: What it is called.
        given: Values of the options.
        space: The space of the architectures.

    Raises:
        UsageError: The predictor or the space cannot do so.
    """
    from archpredict.predict.transfer.shipped import transfer_model

    if given["transfer"] is None:
        return
    predictor.check()
    origins = predictor.learns_from(space)
    if not any(origins.values()):
        why = f"the predictor {name} learns from no labels of other spaces"
        if not space.defines_networks:
            why = f"the space {space.name} does not define network(), by which spaces are compared"
        elif transfer_model(given["transfer"]).zero_shot_or_none(space) is None:
            why = f"the networks of the space {space.name} are all of the same size and depth"
        raise UsageError(f"nothing can be learnt from --transfer {given['transfer']}: {why}; leave it out")
    warn_if_left_out(given["transfer"], origins, space)


def warn_if_left_out(transfer: str, origins: Mapping[str, Sequence[str]], space: SearchSpace) -> None:
    """Say so where all that a transfer model knows is left out in a space.

    Args:
        transfer: What ``--transfer`` says.
        origins: Names of the spaces that it has learnt from, ``sources`` and ``left_out``.
        space: The space of the architectures.
    """
    if not origins["sources"] and origins["left_out"]:
        warnings.warn(
            f"nothing is learnt from {transfer}: it knows labels of {', '.join(origins['left_out'])} alone, "
            f"which are the space {space.name} itself or share its cells",
            stacklevel=2,
        )


def model_space(model: Predictor | UniversalPredictor, reference: str, space: str | None) -> SearchSpace:
    """The search space that a saved predictor reads, checked against ``--space``.

    Args:
        model: The predictor.
        reference: What ``--model`` says.
        space: What ``--space`` says, if given.
    """
    from archpredict.spaces.base import load_space

    fitted = model.space_ or model.card_.get("space")
    if fitted is None and space is None:
        raise UsageError(f"the model {reference} is of no space in particular; give --space")
    if space is None:
        try:
            return load_space(str(fitted))
        except UnknownNameError as error:
            raise UsageError(
                f"the model {reference} was fitted on the space {fitted}, which does not come with archpredict; "
                "give it as --space module:Class or --space file.py:Class"
            ) from error
    loaded = load_space(space)
    if fitted is not None and loaded.name != fitted:
        raise UsageError(
            f"the model {reference} was fitted on the space {fitted}, --space {space} was given; "
            "leave it out or take another model"
        )
    return loaded


def _network(arguments: Mapping[str, Any], device: str, seed: int) -> Predictor:
    from archpredict.predict.ensemble.builder import NETWORK_PARTS
    from archpredict.predict.predictor import Predictor
    from archpredict.predict.pretraining.pretrained_encoder import pretrained_encoder
    from archpredict.registry import resolve

    begun = pretrained_encoder(arguments.get("encoder"))
    for kind, base in NETWORK_PARTS.items():
        if (name := kind.removesuffix("s")) in arguments and not (name == "encoder" and begun):
            resolve(kind, arguments[name], base)  # unknown names are found before the table is read
    # What is compared is the network; one that reads whole networks reads no statistics of cells.
    sources = {} if begun is None else {"sources": ()}
    return Predictor(regressors=None, device=device, seed=seed).set_params(**sources, **arguments)


def _named(name: str, overrides: Mapping[str, Any], device: str, seed: int) -> Predictor:
    from archpredict.predict.presets import preset

    named = preset(name)
    of_networks = [option for option, argument in _OVERRIDES.items() if argument in overrides]
    if of_networks and not named.make().ensemble:
        option = of_networks[0]
        raise UsageError(f"the predictor {name} trains no networks, so it has no --{option}; leave it out")
    made: Predictor = named.make(**overrides, device=device, seed=seed)
    return made
