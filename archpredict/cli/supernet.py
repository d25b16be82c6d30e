"""``archpredict supernet``: train a network in which architectures share weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from archpredict.cli._interrupts import resumable
from archpredict.cli._options import debug_option, example, json_option, pairs_option
from archpredict.errors import UsageError

if TYPE_CHECKING:
    from archpredict.networks.supernet_training import SupernetTraining

_PATH = click.Path(path_type=Path)
_FREE = ("resume", "dataset", "device", "as_json", "quiet")
"""Options that may be given with --resume; all others are those that the training was started with."""


@click.group(name="supernet", epilog=example("archpredict supernet train --space nasbench201 --dataset digits"))
@debug_option
def command() -> None:
    """Train a supernet, in which all architectures of a space share their weights."""


@command.command(
    name="train",
    epilog=example(
        "archpredict supernet train --space nasbench201 --dataset digits", "--network channels=4 --out supernet"
    ),
)
@click.option("--space", help="Name (see 'archpredict spaces'), module:Class or file.py:Class.")
@click.option("--dataset", help="Images to train on: digits, cifar10:PATH, cifar100:PATH, folder:PATH, ....")
@pairs_option("--training", "epochs=10", "How to train, e.g. epochs=100; repeatable.")
@pairs_option("--network", "channels=8", "Form of the space's networks, e.g. channels=8; repeatable.")
@click.option(
    "--paths",
    type=click.IntRange(min=1),
    help="Architectures drawn per step.  [default: 1, with --sandwich 2]",
)
@click.option("--sandwich", is_flag=True, help="Train the largest and the smallest architecture in each step too.")
@click.option("--distillation", is_flag=True, help="With --sandwich: the others learn what the largest one says.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Source of all randomness.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where it is trained.",
)
@click.option("--out", type=_PATH, help="Folder, new or empty.  [default: runs/<space>-supernet-seed<seed>-<n>]")
@click.option("--resume", type=_PATH, metavar="DIR", help="Go on with the training in this folder.")
@json_option
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@debug_option
@click.pass_context
def train(ctx: click.Context, /, **given: Any) -> None:
    """Train a supernet on a data set.

    Each step trains the weights of one architecture, drawn at random; the supernet then labels all of them
    (archpredict search --evaluator supernet:DIR).
    """
    from archpredict.cli._console import progress, say, warnings_as_lines
    from archpredict.runs.directory import held

    with warnings_as_lines():
        order = _order(ctx, given)
        training = _training(order, given["device"])
        with _folder(order, given) as folder, held(folder):
            file = _begun(training, folder, resume=given["resume"] is not None)
            if not given["quiet"]:
                doing = "Going on to train" if training.epochs else "Training"
                say(f"{doing} a supernet of {order.space} on {order.dataset}; checkpoints in {folder}")
            how = f"archpredict supernet train --resume {folder}"
            with resumable(ctx, lambda: how if file.exists() else None), progress(given["quiet"]) as observer:
                training.run(checkpoint=file, about=order.about(), observe=observer, reproducible=True)
    _show(training, order, folder, given["as_json"])


@dataclass(frozen=True)
class _Order:
    """The supernet that is to be trained, as the checkpoint keeps it beside what decides the weights."""

    space: str
    dataset: str
    belongs_to: Mapping[str, Any]

    def about(self) -> dict[str, Any]:
        return {"space": self.space, "dataset": self.dataset}


def _order(ctx: click.Context, given: Mapping[str, Any]) -> _Order:
    """From the options, or from the checkpoint that is to be gone on with."""
    from archpredict.cli._evaluators import absolute
    from archpredict.networks.trained_supernet import located, read_about

    dataset = absolute(given["dataset"])
    if given["resume"] is None:
        if given["space"] is None or dataset is None:
            raise UsageError("archpredict supernet train needs --space and --dataset, or --resume DIR")
        return _Order(str(absolute(given["space"])), dataset, _belongs_to(given))
    for name in given:
        if name not in _FREE and ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise UsageError(
                f"--{name} cannot be given with --resume, which goes on with what the training was started with; "
                "leave it out"
            )
    about = read_about(located(given["resume"]))
    space, known = about.get("space"), about.get("dataset")
    if not isinstance(space, str) or not isinstance(known, str):
        raise UsageError(
            f"the training in {given['resume']} was started by a program; go on with it there: SupernetTraining.restore"
        )
    return _Order(space, dataset or known, about["belongs_to"])


def _belongs_to(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options in the words of :meth:`SupernetTraining.belongs_to`."""
    from archpredict.networks.recipe import Recipe

    paths = given["paths"] or (2 if given["sandwich"] else 1)
    return {
        "seed": given["seed"],
        "form": {"options": given["network"]},
        "recipe": Recipe.from_numbers(given["training"]).describe(),
        "sampling": {"paths": paths, "sandwich": given["sandwich"], "distillation": given["distillation"]},
    }


def _training(order: _Order, device: str) -> SupernetTraining:
    from archpredict.backends import torch_device
    from archpredict.images.base import load_images
    from archpredict.networks.form import Form
    from archpredict.networks.recipe import Recipe
    from archpredict.networks.supernet import Supernet
    from archpredict.networks.supernet_training import Sampling, SupernetTraining
    from archpredict.spaces.base import load_space

    known = order.belongs_to
    sampling = Sampling(**known["sampling"])
    where = torch_device(device)
    space, images = load_space(order.space), load_images(order.dataset)
    form = Form.of(images, known["form"]["options"])
    supernet = Supernet(space, form, seed=known["seed"], device=where)
    return SupernetTraining(supernet, images, Recipe(**known["recipe"]), sampling)


@contextmanager
def _folder(order: _Order, given: Mapping[str, Any]) -> Iterator[Path]:
    """The folder that was named, or the first free one; that one goes again if nothing was trained."""
    from archpredict.cli._output import check_folder
    from archpredict.cli._runs import run_directory
    from archpredict.networks.trained_supernet import FILE
    from archpredict.runs.directory import is_used

    if given["resume"] is not None:
        if given["out"] is not None:
            raise UsageError("--resume goes on in the folder it names; leave out --out")
        yield given["resume"] if given["resume"].is_dir() else given["resume"].parent
        return
    if given["out"] is not None:
        check_folder(given["out"])
        if is_used(given["out"]):
            there = (given["out"] / FILE).exists()
            more = f", or --resume {given['out']} to go on with the training in it" if there else ""
            raise UsageError(f"the folder {given['out']} is not empty; give another --out{more}")
    name = f"{Path(order.space).stem.replace(':', '-')}-supernet-seed{order.belongs_to['seed']}"
    with run_directory(given["out"], name) as out:
        yield out


def _begun(training: SupernetTraining, folder: Path, *, resume: bool) -> Path:
    """The checkpoint's file; the training has gone on from it where it is there already."""
    from archpredict.networks.trained_supernet import FILE

    file = folder / FILE
    if resume:
        training.restore(file)
    return file


def _show(training: SupernetTraining, order: _Order, folder: Path, as_json: bool) -> None:
    from archpredict.cli._output import print_json

    last = training.epochs[-1]
    numbers = sum(weight.numel() for weight in training.supernet.weights.values())
    seconds = sum(epoch.seconds for epoch in training.epochs)
    if as_json:
        print_json(
            {
                "out": str(folder),
                **order.about(),
                "epochs": training.epoch,
                "loss": last.loss,
                "train_accuracy": last.accuracy,
                "weights": numbers,
                "seconds": round(seconds, 2),
                "belongs_to": training.belongs_to(),
            }
        )
        return
    click.echo(
        f"Trained a supernet of {order.space} on {order.dataset}: {training.epoch} epochs in {seconds:.1f} s, "
        f"{numbers:,} weights; mean training accuracy of the architectures in the last epoch {last.accuracy:.2f} %"
    )
    click.echo(f"Label with it: archpredict search --space {order.space} --evaluator supernet:{folder}")
