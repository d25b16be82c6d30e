"""Pre-training an encoder of networks on a corpus of them, for one of several objectives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from archpredict._typing import FloatArray, IntArray
from archpredict.errors import RunError
from archpredict.graph.batch import batched
from archpredict.graph.packed import PackedGraphs
from archpredict.predict.inputs import InputSpec
from archpredict.predict.parts import Part, PartLike, kind_of, options_of
from archpredict.predict.pretraining.checkpoint import read_checkpoint, write_checkpoint
from archpredict.predict.pretraining.corpus import Corpus
from archpredict.predict.pretraining.objectives.base import PretrainingObjective
from archpredict.predict.pretraining.objectives.contrastive import Contrastive, Spectral
from archpredict.predict.pretraining.objectives.statistics import RegressedStatistics
from archpredict.predict.pretraining.pretrained_encoder import PretrainedEncoder, encoder_of
from archpredict.predict.training.encoder_training import EncoderTraining
from archpredict.predict.training.trainer import draw_from, dropouts
from archpredict.progress import Event, Observer, silent
from archpredict.registry.arguments import check_choice, check_integer, check_positive
from archpredict.runtime import seeded

__all__ = ["OBJECTIVES", "Pretraining", "pretrain", "untrained"]

OBJECTIVES: Mapping[str, type[PretrainingObjective]] = {
    kind.name: kind for kind in (Contrastive, Spectral, RegressedStatistics)
}
"""Objectives by name."""

_NODES = 32_768
"""Nodes in a batch, above which it has fewer graphs."""
_EVERY, _KEPT_EVERY = 20, 200
"""Steps from one event to the next, and from one checkpoint to the next."""


@dataclass(frozen=True)
class Pretraining:
    """How an encoder of networks is pre-trained.

    Args:
        objective: What for; see :data:`OBJECTIVES`.
        steps: Mini-batches.
        batch_size: Networks in each; fewer where they are so large that they have more than 32,768 nodes.
        batches: Whether a batch is ``mixed`` from all sources or of ``one`` source, drawn for each step: contrasts
            within one space are finer than those between spaces.
        learning_rate: Peak rate of AdamW, which decays to 0 as a cosine.
        seed: Of initial weights, batches and dropout.

    Raises:
        UsageError: A value out of its range.
    """

    objective: PretrainingObjective = field(default_factory=Spectral)
    steps: int = 1000
    batch_size: int = 64
    batches: Literal["mixed", "one"] = "one"
    learning_rate: float = 3e-3
    seed: int = 0

    def __post_init__(self) -> None:
        check_integer("steps", self.steps, 1)
        check_integer("batch_size", self.batch_size, 2)
        check_integer("seed", self.seed, 0)
        check_positive("learning_rate", self.learning_rate)
        check_choice("batches", self.batches, ("mixed", "one"))

    def describe(self) -> dict[str, Any]:
        """All of it as JSON values."""
        own = {name: getattr(self, name) for name in ("steps", "batch_size", "batches", "learning_rate", "seed")}
        options: dict[str, Any] = asdict(self.objective)  # type: ignore[call-overload]
        return {"objective": {"name": self.objective.name, "options": options}, **own}


def pretrain(
    corpus: Corpus,
    encoder: PartLike = "comp-graph",
    pretraining: Pretraining | None = None,
    *,
    checkpoint: Path | None = None,
    observer: Observer = silent,
) -> PretrainedEncoder:
    """Pre-train an encoder on a corpus of unlabelled networks.

    Args:
        corpus: The networks.
        encoder: Which one, with options; it has to read networks.
        pretraining: How.
        checkpoint: A file to keep what was learnt in every 200 steps and when it is interrupted, and to go on from
            where it is there and of the same corpus, encoder and settings.
        observer: Told about progress, stage ``pre-training`` with the ``loss``.

    Raises:
        UsageError: An encoder that does not read networks, or is not there.
        DataError: The checkpoint is damaged.
        RunError: The training diverged.

    Example:
        >>> from archpredict.predict.pretraining.corpus import of_space
        >>> corpus = Corpus.concat([of_space("nasbench201", samples=8)])
        >>> small = Part("comp-graph", dim=8, layers=1)
        >>> pretrain(corpus, small, Pretraining(steps=2, batch_size=4)).part
        Part('comp-graph', dim=8, layers=1)
    """
    how = pretraining or Pretraining()
    part = Part(kind_of(encoder), **options_of(encoder))
    encoder_of(part)
    _, inputs = InputSpec.fit(list(corpus.graphs), form="network")
    training = begun(part, how, targets := how.objective.targets(corpus.graphs))
    told = {"encoder": repr(part), **how.describe(), "sources": [dict(source) for source in corpus.sources]}
    if checkpoint is not None:
        read_checkpoint(checkpoint, training, told)
    try:
        run(training, inputs.graphs, targets, corpus.source, how, _reporting(observer, training, checkpoint, told))
    except KeyboardInterrupt:
        if checkpoint is not None:
            write_checkpoint(checkpoint, training, told)
        raise
    return PretrainedEncoder(part, training.weights, {**told, "loss": training.loss})


def untrained(corpus: Corpus, encoder: PartLike = "comp-graph", seed: int = 0) -> PretrainedEncoder:
    """The encoder as :func:`pretrain` begins with it: what others are compared with.

    Args:
        corpus: As for :func:`pretrain`; it is told on the card, nothing is learnt of it.
        encoder: As for :func:`pretrain`.
        seed: Of initial weights.
    """
    part = Part(kind_of(encoder), **options_of(encoder))
    with seeded(seed):
        made = encoder_of(part)
    told = {"objective": {"name": "none", "options": {}}, "steps": 0, "seed": seed, "encoder": repr(part)}
    sources = [dict(source) for source in corpus.sources]
    return PretrainedEncoder(part, made.state_dict(), {**told, "sources": sources, "loss": None})


def begun(part: Part, how: Pretraining, targets: FloatArray) -> EncoderTraining:
    """The training of an encoder before its first step.

    Args:
        part: The encoder.
        how: Its pre-training.
        targets: ``(G, K)`` what the objective knows of the graphs.
    """
    with seeded(how.seed):
        made = encoder_of(part).train()
        readout = how.objective.readout(made.out_features, targets.shape[1])
        return EncoderTraining(made, readout, how.steps, how.learning_rate)


def run(
    training: EncoderTraining,
    graphs: PackedGraphs,
    targets: FloatArray,
    source: IntArray,
    how: Pretraining,
    after: Callable[[], None] = lambda: None,
) -> None:
    """All steps that are left; each depends on the seed and its number alone, so that it may be done another day.

    Args:
        training: What :func:`begun` gave, or a checkpoint of it.
        graphs: ``G`` networks with the numbers of their nodes.
        targets: ``(G, K)`` what the objective knows of them.
        source: ``(G,)`` the number of each one's source.
        how: The pre-training.
        after: Called after each step.

    Raises:
        RunError: The training diverged.
    """
    places, members = dropouts(training.encoder), _members(source, how.batches)
    wanted = torch.from_numpy(targets).float()
    with seeded(how.seed):  # for what draws from torch itself
        while training.done < how.steps:
            rng = np.random.default_rng([how.seed, training.done])
            index = _drawn(members[int(rng.integers(len(members)))], how.batch_size, np.diff(graphs.node_start), rng)
            draw_from(places, [rng])
            training.step(batched(graphs[index]), partial(how.objective.loss, targets=wanted[torch.from_numpy(index)]))
            if not np.isfinite(training.loss):
                raise RunError(
                    f"the pre-training diverged at step {training.done}; lower the learning rate, {how.learning_rate:g}"
                )
            after()


def _members(source: IntArray, batches: str) -> list[IntArray]:
    """The numbers of the graphs that batches are drawn from: all, or those of one source each."""
    if batches == "mixed":
        return [np.arange(len(source))]
    each = [np.flatnonzero(source == i) for i in range(int(source.max(initial=0)) + 1)]
    return [members for members in each if len(members) > 1] or [np.arange(len(source))]


def _drawn(members: IntArray, size: int, nodes: IntArray, rng: np.random.Generator) -> IntArray:
    """A batch without replacement, cut to what fits into memory, of two at least."""
    drawn: IntArray = rng.choice(members, size=min(size, len(members)), replace=False)
    fits = int(np.searchsorted(np.cumsum(nodes[drawn]), _NODES, side="right"))
    return drawn[: max(2, fits)]


def _reporting(
    observer: Observer, training: EncoderTraining, checkpoint: Path | None, told: Mapping[str, Any]
) -> Callable[[], None]:
    """What is done after each step."""

    def after() -> None:
        done, last = training.done, training.done == training.steps
        if done % _EVERY == 0 or last:
            observer(Event("pre-training", done, training.steps, {"loss": training.loss}))
        if checkpoint is not None and (done % _KEPT_EVERY == 0 or last):
            write_checkpoint(checkpoint, training, told)

    return after
