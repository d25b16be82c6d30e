"""``archpredict train``: train one architecture from scratch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from archpredict.cli._options import debug_option, example, json_option, pairs_option
from archpredict.errors import UsageError

if TYPE_CHECKING:
    from archpredict.cli._training import Settings
    from archpredict.images.base import Images
    from archpredict.networks.fitting import Fit
    from archpredict.spaces.base import Architecture

_PATH = click.Path(path_type=Path)


@click.command(
    name="train",
    epilog=example(
        "archpredict train --space nasbench201 --dataset digits --training epochs=1 --out net",
        '"|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"',
    ),
)
@click.argument("architecture", required=False)
@click.option("--space", help="Name (see 'archpredict spaces'), module:Class or file.py:Class.")
@click.option("--dataset", help="Images: digits, cifar10:PATH, cifar100:PATH, folder:PATH, or your own module:Class.")
@pairs_option("--training", "epochs=10", "How to train, e.g. epochs=200; repeatable (see docs/training.md).")
@pairs_option("--network", "channels=8", "Form of the network, e.g. channels=8; repeatable.")
@click.option("--validate", is_flag=True, help="Train as a search does and give the validation accuracy.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Source of all randomness.")
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True, help="Where to train."
)
@click.option("--from", "origin", type=_PATH, metavar="RUN_DIR", help="Train the best architecture of this search.")
@click.option("--out", type=_PATH, help="Folder, new or empty.  [default: runs/train-<space>-seed<seed>-<n>]")
@click.option("--resume", type=_PATH, metavar="DIR", help="Go on with the training in this folder.")
@json_option
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@debug_option
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Train one architecture from scratch, and save the network.

    It learns from the images for training and for validation together; its accuracy is that on the test images, which
    nothing has been chosen by. There is a checkpoint after each epoch.
    """
    from archpredict.cli._console import warnings_as_lines
    from archpredict.cli._output import print_json

    with warnings_as_lines():
        result = _train(ctx, _settings(ctx, given), given)
    if given["as_json"]:
        print_json(result)
        return
    click.echo(
        f"Accuracy on the {result['images']:,} {result['split']} images of {result['dataset']}: "
        f"{result['accuracy']:.2f} % ({_epochs(result['epochs'])}, {result['seconds']:.1f} s)"
    )
    click.echo(f"Saved the network in {result['network']}")


# ---------------------------------------------------------------------- what is asked


def _settings(ctx: click.Context, given: Mapping[str, Any]) -> Settings:
    """Settings of the training: from the command line, a search's run directory, or the training that is resumed."""
    from archpredict.cli._evaluators import absolute
    from archpredict.cli._training import SETTINGS, check_same, found_by, read_settings

    explicit = {n: given[n] for n in SETTINGS if ctx.get_parameter_source(n) is ParameterSource.COMMANDLINE}
    explicit |= {name: absolute(explicit[name]) for name in ("space", "dataset") if name in explicit}
    if given["resume"] is not None:
        for option, name in (("out", "out"), ("origin", "from")):
            if given[option] is not None:
                raise UsageError(f"--resume goes on in the folder it names; leave out --{name}")
        kept = read_settings(given["resume"])
        check_same(given["resume"], kept, explicit)
        return kept
    defaults = {name: given[name] for name in ("network", "training", "seed", "validate")}
    origin = {} if given["origin"] is None else found_by(given["origin"])
    if "architecture" in explicit and origin:
        raise UsageError("an architecture and --from, which names one too, were given; leave out one of them")
    settings = {**defaults, **origin, **explicit}
    _check_complete(settings)
    return settings


def _check_complete(settings: Settings) -> None:
    from archpredict.networks.recipe import Recipe
    from archpredict.registry import names

    if "architecture" not in settings:
        raise UsageError("give an architecture to train, in the notation of its space, or --from RUN_DIR of a search")
    if "space" not in settings:
        raise UsageError("give --space, the space of the architecture: a name (see 'archpredict spaces') or your own")
    if settings.get("dataset") is None:
        raise UsageError(f"give --dataset, the images to train on; those there are: {', '.join(names('images'))}")
    settings["training"] = Recipe.from_numbers(settings["training"]).describe()


# ---------------------------------------------------------------------- training


def _train(ctx: click.Context, settings: Settings, given: Mapping[str, Any]) -> dict[str, Any]:
    from archpredict.cli._console import progress, say
    from archpredict.cli._interrupts import resumable
    from archpredict.cli._runs import run_directory
    from archpredict.cli._training import CHECKPOINT, has_begun, training_folder
    from archpredict.images.base import load_images
    from archpredict.spaces.base import load_space

    space = load_space(settings["space"])
    architecture, images = space.from_text(settings["architecture"]), load_images(settings["dataset"])
    fit = _fit(architecture, images, settings, given["device"])
    resume = given["resume"] is not None
    name = f"train-{space.name}-seed{settings['seed']}"
    with run_directory(given["resume"] or given["out"], name) as out, training_folder(out, settings, resume):
        how = f"archpredict train --resume {out}"
        if resume and (out / CHECKPOINT).exists():
            fit.restore(out / CHECKPOINT)
        if not given["quiet"]:
            at = f", {fit.epoch} of them done" if resume else ""
            size = sum(p.numel() for p in fit.network.parameters())
            say(
                f"Training {size:,} parameters on {len(fit.images.train):,} images of {images.name} for "
                f"{_epochs(fit.recipe.epochs)}{at}; record in {out}"
            )
        with resumable(ctx, lambda: how if has_begun(out) else None), progress(given["quiet"]) as observer:
            fit.run(checkpoint=out / CHECKPOINT, observe=observer)
            return _finish(fit, architecture, images, settings, out)


def _fit(architecture: Architecture, images: Images, settings: Settings, device: str) -> Fit:
    from archpredict.backends import torch_device
    from archpredict.networks.fitting import Fit
    from archpredict.networks.form import Form
    from archpredict.networks.network import build
    from archpredict.networks.recipe import Recipe

    graph = Form.of(images, settings["network"]).graph(architecture.space, architecture.choices)
    data = images if settings["validate"] else images.trainval()
    recipe = Recipe(**settings["training"])
    network = build(graph, seed=settings["seed"])
    return Fit(network, data, recipe, seed=settings["seed"], device=torch_device(device))


def _epochs(number: int) -> str:
    return f"{number} epoch" if number == 1 else f"{number} epochs"


def _finish(fit: Fit, architecture: Architecture, images: Images, settings: Settings, out: Path) -> dict[str, Any]:
    from archpredict.cli._training import NETWORK, RESULT
    from archpredict.graph.operators import total
    from archpredict.networks.network import save
    from archpredict.runs.directory import write_json

    split = "validation" if settings["validate"] else "test"
    last = fit.epochs[-1]
    result = {
        "space": architecture.space.name,
        "architecture": str(architecture),
        "dataset": images.name,
        "split": split,
        "images": len(images.split(split)),
        "accuracy": fit.accuracy(split),
        "epochs": fit.epoch,
        "loss": last.loss,
        "train_accuracy": last.accuracy,
        "params": int(total(fit.network.graph, "params")),
        "macs": int(total(fit.network.graph, "macs")),
        "seconds": round(sum(epoch.seconds for epoch in fit.epochs), 3),
        "out": str(out),
        "network": str(out / NETWORK),
    }
    card = {name: value for name, value in result.items() if name not in ("out", "network")}
    card |= {"images": images.describe(), "recipe": fit.recipe.describe(), "seed": fit.seed}
    save(fit.network, out / NETWORK, card)
    write_json(out, RESULT, result)
    return result
