"""``archpredict pretrain``: make an encoder of unlabelled networks, to begin predictors with."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archpredict.cli._options import debug_option, example, json_option
from archpredict.cli._plugin_options import Owner, option_option, values
from archpredict.cli._predictors import quiet_option
from archpredict.errors import UsageError

if TYPE_CHECKING:
    from archpredict.onnx.files import Failure
    from archpredict.predict.parts import Part
    from archpredict.predict.pretraining.corpus import Corpus
    from archpredict.predict.pretraining.networks import Pretraining
    from archpredict.predict.pretraining.pretrained_encoder import PretrainedEncoder
    from archpredict.progress import Observer

_PATH = click.Path(path_type=Path)
_FROM_1 = click.IntRange(min=1)
_CHECKPOINT = "checkpoint.safetensors"


@click.command(name="pretrain", epilog=example("archpredict pretrain --onnx models --space nasbench201 --out encoder"))
@click.option("--onnx", multiple=True, metavar="DIR", help="Folder or pattern of ONNX files; repeatable.")
@click.option("--space", multiple=True, help="Space to draw architectures from; repeatable.")
@click.option(
    "--samples", type=_FROM_1, default=1000, show_default=True, help="Architectures to draw from each --space."
)
@click.option(
    "--objective",
    default="spectral",
    show_default=True,
    help="What to learn: spectral, contrastive, statistics (see docs/pretraining.md), or none.",
)
@click.option("--steps", type=_FROM_1, default=1000, show_default=True, help="Mini-batches.")
@option_option(
    "Set an option of the encoder, the objective or the training, e.g. dim=32, eigenvalues=8, batch_size=32; "
    "where several have it: encoder.dim=32; repeatable."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Source of all randomness.")
@click.option("--resume", is_flag=True, help="Go on with what was interrupted in --out, with the same settings.")
@click.option("--out", type=_PATH, required=True, help="Folder to save in: new, empty, or a saved encoder's.")
@json_option
@quiet_option
@debug_option
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Pre-train an encoder of whole networks, without any label.

    It learns from ONNX files (--onnx) and from architectures of search spaces (--space). Begin predictors with it:
    archpredict fit --encoder DIR.
    """
    from archpredict.cli._console import progress, warnings_as_lines
    from archpredict.cli._interrupts import resumable

    part, how = _settings(given)
    _check_out(given)
    place = given["out"] / _CHECKPOINT
    hint = "the same command and --resume"
    with warnings_as_lines(), resumable(ctx, lambda: hint if place.is_file() else None):
        start = time.perf_counter()
        with progress(given["quiet"]) as observer:
            corpus, failures = _corpus(given, observer)
            encoder = _encoder(given, corpus, part, how, observer)
        encoder.save(given["out"])
        place.unlink(missing_ok=True)
    _tell(given, encoder, failures, time.perf_counter() - start)


def _settings(given: Mapping[str, Any]) -> tuple[Part, Pretraining]:
    """The encoder to train and how, checked before anything is read."""
    from archpredict.cli._plugin_options import full_names
    from archpredict.encoders.comp_graph import CompGraph
    from archpredict.predict.parts import Part
    from archpredict.predict.pretraining.networks import OBJECTIVES, Pretraining
    from archpredict.predict.pretraining.objectives.contrastive import Spectral
    from archpredict.predict.pretraining.pretrained_encoder import encoder_of
    from archpredict.registry.arguments import check_choice
    from archpredict.registry.options import options_of

    if not given["onnx"] and not given["space"]:
        raise UsageError("there is nothing to learn from; give --onnx with a folder, --space with a name, or both")
    check_choice("objective", given["objective"], (*OBJECTIVES, "none"))
    kind = OBJECTIVES.get(given["objective"], Spectral)  # none has no options, and trains nothing
    supplied = ("objective", "steps", "seed")
    owners = [
        Owner("encoder", "the encoder comp-graph", options_of(CompGraph, leave_out=("num_ops", "num_cells"))),
        Owner("objective", f"the objective {given['objective']}", options_of(kind)),
        Owner("training", "the training", options_of(Pretraining, leave_out=supplied), with_flags=("steps", "seed")),
    ]
    texts = full_names(given["option"], owners)
    encoder, objective, training = ({path[0]: v for path, v in values(texts, owner)} for owner in owners)
    part = Part("comp-graph", **{"shapes": True, "layers": 3, **encoder})
    encoder_of(part)
    return part, Pretraining(kind(**objective), steps=given["steps"], seed=given["seed"], **training)


def _check_out(given: Mapping[str, Any]) -> None:
    from archpredict.cli._output import check_folder, check_replaceable
    from archpredict.predict.pretraining.pretrained_encoder import ENCODER_MANIFEST

    interrupted = (given["out"] / _CHECKPOINT).is_file()
    if interrupted and not given["resume"]:
        raise UsageError(
            f"there is an interrupted pre-training in {given['out']}; go on with it by --resume, or give another --out"
        )
    if given["resume"] and not interrupted:
        raise UsageError(f"there is no interrupted pre-training in {given['out']}; leave --resume out")
    if interrupted:
        check_folder(given["out"])
    else:
        check_replaceable(given["out"], ENCODER_MANIFEST, "encoder", "--out")


def _corpus(given: Mapping[str, Any], observer: Observer) -> tuple[Corpus, list[Failure]]:
    """All networks that can be read; the others are told."""
    from archpredict.cli._console import say
    from archpredict.predict.pretraining.corpus import Corpus, of_models, of_space

    parts = [of_space(space, given["samples"], given["seed"], observer) for space in given["space"]]
    failures = []
    for place in given["onnx"]:
        part, failed = of_models(place, observer)
        parts.append(part)
        failures += failed
    for failure in failures:
        say(f"Warning: left out: {failure.error}")
    return Corpus.concat(parts), failures


def _encoder(
    given: Mapping[str, Any], corpus: Corpus, part: Part, how: Pretraining, observer: Observer
) -> PretrainedEncoder:
    from archpredict.predict.pretraining.networks import pretrain, untrained

    if given["objective"] == "none":
        return untrained(corpus, part, how.seed)
    return pretrain(corpus, part, how, checkpoint=given["out"] / _CHECKPOINT, observer=observer)


def _tell(given: Mapping[str, Any], encoder: PretrainedEncoder, failures: list[Failure], seconds: float) -> None:
    from archpredict.cli._output import print_json

    if given["as_json"]:
        left_out = [{"model": failure.model, "error": failure.error} for failure in failures]
        print_json({"out": str(given["out"]), **encoder.card, "left_out": left_out, "seconds": round(seconds, 2)})
        return
    networks = sum(source["networks"] for source in encoder.card["sources"])
    names = ", ".join(source["name"] for source in encoder.card["sources"])
    click.echo(f"Pre-trained {encoder.part!r} on {networks:,} networks ({names}) in {seconds:.1f} s")
    if failures:
        click.echo(f"{len(failures)} files could not be read and were left out")
    click.echo(f"Saved in {given['out']}; begin with it: archpredict fit --encoder {given['out']} ...")
