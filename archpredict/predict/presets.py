"""Named predictors: one table of configurations of Predictor, and what turns a name into an unfitted one."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator, clone

from archpredict import registry
from archpredict.errors import UnknownNameError, UsageError
from archpredict.predict._arguments import of_today
from archpredict.predict.fine_tuned import FineTuned
from archpredict.predict.parts import Part
from archpredict.predict.predictor import Predictor
from archpredict.predict.training.training import Training

__all__ = ["ALONE", "PRESETS", "PUBLISHED_GCN", "PUBLISHED_TRAINING", "Preset", "names", "preset", "unfitted"]

_KIND = "predictors"

ALONE: Mapping[str, Any] = {"sources": (), "ensemble": 1, "regressors": None}
"""One network that reads the graph and nothing else, as most published predictors are."""

PUBLISHED_TRAINING = Training(
    optimizer="adam",
    betas=(0.5, 0.999),
    weight_decay=5e-4,
    learning_rate=2e-4,
    schedule="constant",
    batch_size=256,
    epochs=1000,
    pretrain=0,
    max_steps=None,
)
"""Training of the comparator in the published code of CTNAS."""

PUBLISHED_GCN = Part("gcn", dim=128, layers=4, direction="forward", layer_norm=False, dropout=0.0, readout="mean")
"""Encoder of the comparator in the published code of CTNAS."""

_ADAM = Training(optimizer="adam", learning_rate=1e-3, schedule="cosine", epochs=300, pretrain=0, max_steps=None)


@dataclass(frozen=True)
class Preset:
    """A named configuration of :class:`~archpredict.predict.predictor.Predictor`.

    Args:
        name: What users write.
        description: Whose it is and what it does; the first line is shown in lists.
        arguments: Arguments of Predictor that are not its defaults.

    Example:
        >>> preset("extra-trees").make(seed=3).seed
        3
    """

    name: str
    description: str
    arguments: Mapping[str, Any]

    def make(self, **overrides: Any) -> Predictor:
        """The unfitted predictor.

        Args:
            overrides: Arguments of Predictor in place of those of the preset, or parts of them, such as
                ``training__epochs``.
        """
        return Predictor().set_params(**deepcopy(dict(self.arguments))).set_params(**overrides)


def _baseline(name: str, description: str) -> Preset:
    """One regressor on graph statistics."""
    return Preset(name, description, {"ensemble": 0, "regressors": {name: 1.0}})


_TABLE = (
    Preset(
        "default",
        """What ranked best from few labels: an ensemble of asynchronous graph networks with graph statistics.

        The default arguments of Predictor; docs/benchmarks.md tells how they were chosen.""",
        {},
    ),
    Preset(
        "choices",
        """Gaussian process with a Matérn 5/2 kernel on one-hot choices, which does not look at the graph.

        For spaces in which every choice is a place of its own, such as the kernel of a layer: there no
        two vectors name one architecture, and where an operator stands matters more than how it is connected.""",
        {"ensemble": 0, "regressors": {"gaussian-process": 1.0}, "sources": ("choices",)},
    ),
    Preset(
        "ranker",
        """Mixed model and boosted trees on statistics of whole networks and their training recipes, for ONNX models.

        What ranks ONNX models, and what ships as ``imagenet``. With some hundreds of labels these are ahead of
        any graph network that was tried (docs/benchmarks.md); ``make(encoder="comp-graph", ensemble=3)`` adds some.""",
        {
            "encoder": None,
            "ensemble": 0,
            "sources": ("network",),
            "regressors": {"mixed-effects": 1.0, "hist-gradient-boosting": 0.1},
            "training": Training(pretrain=0, target="values"),
            "cross_fit": False,
        },
    ),
    Preset(
        "gates",
        """GATES: gated message passing with the pairwise hinge loss that it publishes.

        Ning et al., ECCV 2020, arXiv 2004.01899. Encoder, loss (margin 0.1, random pairs, at most four times as many as
        architectures) and Adam at 1e-3 are as published; the schedule is ours, 300 epochs in batches of 128 with a
        cosine decay, because the published 50 to 80 epochs in batches of 512 are not enough for few labels.""",
        {
            **ALONE,
            "encoder": "gates",
            "head": Part("pairwise", loss="hinge", pairs="random", target="hard", hidden=200),
            "training": replace(_ADAM, weight_decay=0.0, batch_size=128),
        },
    ),
    Preset(
        "nac",
        """NAC: the neural architecture comparator of CTNAS, as in its published code.

        Chen, Guo et al., CVPR 2021, arXiv 2103.05471. Four graph convolutions, a linear layer on the concatenation of
        two architectures, one random pairing of a batch per step, 1,000 epochs. (On NAS-Bench-101 the published code
        averages over 7 node slots: ``encoder__slots=7``.)""",
        {
            **ALONE,
            "encoder": PUBLISHED_GCN,
            "head": Part("comparator", form="linear", pairs="permutation"),
            "training": PUBLISHED_TRAINING,
        },
    ),
    Preset(
        "regression-nas",
        """RegressionNAS: the encoder of CTNAS's comparator with a regression head (mean squared error).

        The baseline of Chen, Guo et al., CVPR 2021, arXiv 2103.05471, table 1, which predicts the accuracy instead of
        comparing. Encoder and training are those of their published comparator; the publication gives no others.""",
        {**ALONE, "encoder": PUBLISHED_GCN, "head": "regression", "training": PUBLISHED_TRAINING},
    ),
    Preset(
        "renas",
        """ReNAS: a convolutional network on feature tensors with a pairwise ranking loss.

        Xu et al., CVPR 2021, arXiv 1910.01523; see :class:`archpredict.encoders.renas.ReNAS` for the tensors.""",
        {
            **ALONE,
            "encoder": "renas",
            "head": Part("pairwise", loss="hinge", target="hard", hidden=200),
            "training": replace(_ADAM, weight_decay=5e-4, batch_size=256),
        },
    ),
    Preset(
        "bananas",
        """BANANAS: five multilayer perceptrons on the paths through a cell.

        White, Neiswanger and Savani, AAAI 2021, arXiv 1910.11858; see
        :class:`archpredict.predict.sources.paths.PathEncoding`. Two hidden layers of 64 units and the squared error of
        normal scores of the labels, in batches of 64 for 100 epochs, where the publication has ten layers of 20 and the
        mean absolute error of the labels, in batches of 32 for 150.""",
        {
            "encoder": None,
            "head": Part("regression", hidden=64, dropout=0.0),
            "sources": ("paths",),
            "regressors": None,
            "ensemble": 5,
            "training": replace(_ADAM, learning_rate=1e-2, weight_decay=0.0, epochs=100, side_dropout=0.0),
            "cross_fit": False,
            "transfer": False,
        },
    ),
    Preset(
        "npenas",
        """NPENAS-NP: graph convolutions with a regression head.

        Wei, Niu, Tang, Wang, Hu and Liang, 2020, arXiv 2003.12857. Three layers of 32 units, Adam at 5e-3 with a weight
        decay of 1e-4; the layers are those of :class:`archpredict.encoders.gcn.GCN` in both directions in place of
        graph isomorphism networks, and the error is that of normal scores of the labels, in batches of 32 for 100
        epochs where the publication has 16 and 300.""",
        {
            **ALONE,
            "encoder": Part("gcn", dim=32, layers=3, layer_norm=False, readout="mean"),
            "head": Part("regression", hidden=32),
            "training": replace(_ADAM, learning_rate=5e-3, weight_decay=1e-4, batch_size=32, epochs=100),
        },
    ),
    Preset(
        "general-purpose",
        """An MLP on a pre-trained encoder of whole networks: the general-purpose transferable predictor.

        Han, Mills et al., SDM 2023, arXiv 2302.10835. It reads ``space.network()`` or ONNX files and begins with the
        encoder ``networks`` that ships; ``make(encoder="folder")`` takes another (docs/pretraining.md). Fit it to
        labelled families (:func:`archpredict.predict.families.pooled`), then fine-tune it on a few labels of the target
        (:class:`archpredict.predict.fine_tuned.FineTuned`).""",
        {
            "encoder": "networks",
            "head": "regression",
            "sources": (),
            "regressors": None,
            "ensemble": 1,
            "training": Training(epochs=60, learning_rate=1e-3, pretrain=0, max_steps=None),
        },
    ),
    _baseline("bayesian-ridge", "Bayesian linear regression on graph statistics."),
    _baseline("extra-trees", "Extremely randomised trees on graph statistics."),
    _baseline("gaussian-process", "Gaussian process with a Matérn 5/2 kernel on graph statistics."),
    _baseline("gaussian-processes", "Gaussian processes averaged by evidence, on statistics, networks and choices."),
    _baseline("hist-gradient-boosting", "Histogram gradient boosting on graph statistics."),
    _baseline("mixed-effects", "Gaussian process with an effect of the training recipe, on graph statistics."),
    _baseline("random-forest", "Random forest on graph statistics."),
)
PRESETS: Mapping[str, Preset] = {row.name: row for row in _TABLE}
"""Named predictors that come with the package."""


def names() -> list[str]:
    """Names of all presets, those of other distributions (entry points ``archpredict.predictors``) included.

    Example:
        >>> "gates" in names()
        True
    """
    return sorted({*PRESETS, *registry.names(_KIND)})


def preset(name: str) -> Preset:
    """The preset called ``name``, of this package or another, or the one that a ``module:Attribute`` names.

    Raises:
        UnknownNameError: There is none; the message lists those there are.
        UsageError: What the reference names is no preset.
    """
    plain = name.replace("_", "-")
    if plain in PRESETS:
        return PRESETS[plain]
    if ":" not in name and name not in registry.names(_KIND):
        raise UnknownNameError(
            "predictor", name, names(), "Or name your own as module:Preset or path/to/file.py:Preset."
        )
    return _as_preset(name, registry.find(_KIND, name))


def _as_preset(name: str, found: Any) -> Preset:
    if isinstance(found, Preset):
        return found
    arguments = getattr(found, "arguments", None)  # a class with this method, as plug-ins of version 0.1 had
    if inspect.isclass(found) and callable(arguments):
        return Preset(str(getattr(found, "name", name)), inspect.getdoc(found) or "", of_today(arguments()))
    raise UsageError(f"{name} is no named predictor; expected a Preset of archpredict.predict.presets")


def unfitted(predictor: Any) -> Any:
    """The unfitted predictor that was given: by name, as arguments, or as an estimator, which is copied.

    Args:
        predictor: The name of a preset, arguments of Predictor or parts of them, or an unfitted estimator with its
            methods, of which a copy is made; or the folder of a saved predictor, which labels fine-tune
            (:class:`archpredict.predict.fine_tuned.FineTuned`).

    Raises:
        UsageError: It is none of these, or an argument is out of its range.

    Example:
        >>> unfitted({"ensemble": 2}).ensemble
        2
    """
    if isinstance(predictor, str):
        named = FineTuned(predictor) if Path(predictor).is_dir() else preset(predictor).make()
        return named.check()
    if isinstance(predictor, Mapping):
        return Predictor().set_params(**of_today(predictor)).check()
    if not isinstance(predictor, BaseEstimator):
        raise UsageError(
            f"the predictor is a name, an unfitted Predictor, or a mapping of its arguments; {predictor!r} was given"
        )
    copied = clone(predictor)
    return copied.check() if isinstance(copied, Predictor | FineTuned) else copied
