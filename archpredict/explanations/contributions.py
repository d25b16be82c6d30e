"""What raises and lowers the score of a whole network, and which known networks are like it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archpredict._typing import FloatArray, IntArray
from archpredict.errors import UsageError
from archpredict.explanations.shapley import coalitions, shapley_values
from archpredict.graph.arch_graph import ArchGraph
from archpredict.predict.inputs import Inputs
from archpredict.predict.predictor import Predictor

__all__ = ["Contribution", "Explained", "Neighbour", "contributions", "nearest"]

_GROUPS: Mapping[str, str] = {
    "size": r"log (params|macs|activations|nodes|input size|outputs|largest)|edges per node",
    "depth": r"log (layers|depth)|receptive field|features before",
    "stages 0 to 2, at high resolution": r"stage [012]:|stem ",
    "stages 3 and later, at low resolution": r"stage \d:|strided",
    "dense convolutions": r".*conv_(1x1|dense|transpose)",
    "grouped and depthwise convolutions": r".*conv_(grouped|depthwise)|group(s| width)",
    "attention and matrices": r".*(attention|matmul|linear)|embedding|recurrent",
    "kernels": r"kernel",
    "widths": r"width|expansion",
    "norms": r".*norm",
    "activations, gates and learnt scales": r"share of activations: |(gates|learnt scales) per|"
    r".*\b(relu6?|prelu|elu|selu|celu|gelu|silu|mish|sigmoid|tanh|softplus|clip|softmax|"
    r"leaky_relu|quick_gelu|hard_swish|hard_sigmoid) per",
}
"""Names of groups, and what begins the names of their statistics; the first that fits counts."""
_OTHERS = "other operators"
RECIPE, REST = "training recipe", "means of all statistics"
"""What is no group of statistics: what the stated recipe adds, and what a network of mean statistics is ahead."""
_MOST_STATISTICS = 3


@dataclass(frozen=True)
class Contribution:
    """What a group of statistics adds to a score.

    Args:
        group: The group; or :data:`RECIPE` or :data:`REST`.
        gain: In units of the score.
        statistics: Those that are farthest from the reference, with their value here and there.
    """

    group: str
    gain: float
    statistics: tuple[tuple[str, float, float], ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = [{"statistic": n, "value": v, "reference": r} for n, v, r in self.statistics]
        return {"group": self.group, "gain": self.gain, "statistics": told}


@dataclass(frozen=True)
class Explained:
    """A score, and what it is made of.

    Args:
        score: What the network is predicted to score.
        reference: What it is compared with: the mean of the labels that were learnt from, or what another network is
            predicted to score.
        parts: Contributions, the largest gain first; they add up to ``score - reference``.
    """

    score: float
    reference: float
    parts: tuple[Contribution, ...]


@dataclass(frozen=True)
class Neighbour:
    """A known network that is like another one.

    Args:
        name: What it is called.
        label: Its label.
        distance: Root mean square of what their statistics differ by, in standard deviations of the training set.
    """

    name: str
    label: float
    distance: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"model": self.name, "label": self.label, "distance": self.distance}


def contributions(predictor: Predictor, graph: ArchGraph, reference: ArchGraph | None = None) -> Explained:
    """What groups of statistics add to the predicted score of a whole network.

    The score is a number that depends on which groups are the network's own while the others are the reference's; each
    group gets its Shapley value (:func:`archpredict.explanations.shapley.shapley_values`), over all orders of the
    groups. Together these are exactly the difference from the score of the reference. Statistics of one network go
    together, and a mixture of two may be no network that there is: what they say is what the predictor reads, not what
    would become of a network that is changed.

    Without another network the statistics of the reference are the means of the training set, and the score is compared
    with the mean of the labels ``m``. A predictor ``f`` that is not linear says something else of mean statistics
    ``s``::

        f(x) - m = sum over groups of phi_i  +  f(s, recipe) - f(s, mean recipe)  +  f(s, mean recipe) - m

    The second term, :data:`RECIPE`, is there where training recipes are read; the last one is :data:`REST`. A training
    set's rows are not kept in what is saved, so that what they say on average stands in one number.

    Args:
        predictor: Fitted on whole networks, of regressors on their statistics, as the shipped ``imagenet`` is.
        graph: The network.
        reference: Another network; None: the training set.

    Raises:
        UsageError: The predictor reads the graph itself, or no statistics.

    Example:
        >>> from archpredict.spaces import load_space
        >>> network = load_space("nasbench201").network([3, 0, 1, 0, 0, 2], num_classes=1000, image_size=224)
        >>> explained = contributions(Predictor.load("imagenet"), network)
        >>> total = sum(part.gain for part in explained.parts)
        >>> bool(np.isclose(total, explained.score - explained.reference)), len(explained.parts)
        (True, 14)
    """
    names = _names(predictor)
    inputs = predictor.pack([graph] if reference is None else [graph, reference])
    own, groups = inputs.numbers[0], _groups(names)
    location = predictor.spec_.location
    assert location is not None
    is_recipe = np.array([name.startswith("recipe: ") for name in names])
    there = inputs.numbers[-1] if reference is not None else np.where(is_recipe, own, location)
    sets = coalitions(len(groups))
    rows = np.repeat(there[None], len(sets), axis=0)
    for i, columns in enumerate(groups.values()):
        rows[np.ix_(sets[:, i], columns)] = own[columns]
    values = _scores(predictor, inputs, rows)
    found = [
        Contribution(group, gain, _farthest(predictor, columns, own, there))
        for (group, columns), gain in zip(groups.items(), shapley_values(values).tolist(), strict=True)
    ]
    score, nothing = float(values[-1]), float(values[0])
    if reference is None:
        found += _beyond(predictor, inputs, nothing, any_recipe=bool(is_recipe.any()))
        nothing = predictor.mean_label_
    return Explained(score, nothing, tuple(sorted(found, key=lambda part: -part.gain)))


def _beyond(predictor: Predictor, inputs: Inputs, of_means: float, *, any_recipe: bool) -> list[Contribution]:
    """What leads from the mean of the labels to a network of mean statistics under the stated recipe."""
    location = predictor.spec_.location
    assert location is not None
    mean = float(_scores(predictor, inputs, location[None])[0]) if any_recipe else of_means
    recipe = [Contribution(RECIPE, of_means - mean, ())] if any_recipe else []
    return [*recipe, Contribution(REST, mean - predictor.mean_label_, ())]


def _scores(predictor: Predictor, inputs: Inputs, numbers: FloatArray) -> FloatArray:
    """``(n,)`` predictions for numbers ``(n, F)`` that are no network's."""
    mixed = inputs[np.zeros(len(numbers), dtype=np.int64)]
    vars(mixed)["numbers"] = numbers
    return predictor.predict(mixed)


def _farthest(
    predictor: Predictor, columns: IntArray, own: FloatArray, there: FloatArray
) -> tuple[tuple[str, float, float], ...]:
    """The statistics of a group that are farthest from the reference, in standard deviations."""
    scale, names = predictor.spec_.scale, predictor.spec_.sources.names
    assert scale is not None
    apart = np.abs(own - there)[columns] / np.where(scale > 0, scale, np.inf)[columns]
    far = [columns[i] for i in np.argsort(-apart, kind="stable")[:_MOST_STATISTICS] if apart[i] > 0]
    return tuple((_plain(names[i]), float(own[i]), float(there[i])) for i in far)


def nearest(
    predictor: Predictor, graph: ArchGraph, known: Mapping[str, tuple[ArchGraph, float]], k: int = 5
) -> list[Neighbour]:
    """The known networks that are most like one, the nearest first.

    Args:
        predictor: Whose statistics are compared.
        graph: The network.
        known: Networks with their labels, by name.
        k: How many at most.

    Raises:
        UsageError: The predictor reads no statistics of networks.

    Example:
        >>> from archpredict.spaces import load_space
        >>> space = load_space("nasbench201")
        >>> small, large = (space.network([3, 0, 1, 0, 0, 2], channels=c) for c in (8, 32))
        >>> known = {"small": (small, 70.0), "large": (large, 75.0)}
        >>> [each.name for each in nearest(Predictor.load("imagenet"), space.network([3] * 6, channels=32), known)]
        ['large', 'small']
    """
    _names(predictor)
    if not known:
        return []
    side = predictor.spec_.side(predictor.pack([graph, *(network for network, _ in known.values())]))
    assert side is not None
    distance = np.sqrt(np.mean((side[1:] - side[0]).astype(np.float64) ** 2, axis=1))
    order = np.argsort(distance, kind="stable")[: max(k, 0)]
    rows = [(name, label) for name, (_, label) in known.items()]
    return [Neighbour(rows[i][0], rows[i][1], float(distance[i])) for i in order.tolist()]


def _names(predictor: Predictor) -> tuple[str, ...]:
    """Names of the statistics that a predictor of whole networks reads.

    Raises:
        UsageError: It reads the graph itself, or no statistics of networks.
    """
    ensemble = predictor.ensemble_ if "ensemble_" in vars(predictor) else None
    names = () if ensemble is None else tuple(predictor.spec_.sources.names)
    if ensemble is None or ensemble.models or not any(name.startswith("network: ") for name in names):
        raise UsageError(
            "what a score is made of can be told of predictors of whole networks that read statistics and no graph, "
            "such as imagenet; take one of these, fitted with ensemble=0 and sources=('network',)"
        )
    return names


def _groups(names: Sequence[str]) -> dict[str, IntArray]:
    """Places of the statistics of each group; training recipes are in none."""
    found: dict[str, list[int]] = {group: [] for group in (*_GROUPS, _OTHERS)}
    for i, name in enumerate(names):
        if name.startswith("recipe: "):
            continue
        plain = _plain(name)
        found[next((group for group, begins in _GROUPS.items() if re.match(begins, plain)), _OTHERS)].append(i)
    return {group: np.array(places) for group, places in found.items() if places}


def _plain(name: str) -> str:
    return name.removeprefix("network: ")
