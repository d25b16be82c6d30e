"""Gaussian processes averaged by how well they explain the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from scipy.special import logsumexp

from archpredict._typing import FloatArray, IntArray
from archpredict.regressors.base import Arrays, Regressor, Values, check_arrays, sampled_rows
from archpredict.regressors.processes.kernels import Distances, Kernel, Rows, kernels
from archpredict.regressors.processes.kernels import values as kernel_values
from archpredict.regressors.processes.process import Prior, Process
from archpredict.regressors.processes.stacking import stacking_weights

__all__ = ["GaussianProcesses"]

_LENGTHS = {0.5: 1 / 16, 1.0: 1 / 4, 2.0: 1.0, 4.0: 1.0, 8.0: 1.0}
"""Lengths of kernels, and their prior weights: a process to which a label says nothing of what is one spread away is
rarely right, and a handful of labels does not rule it out."""
_NOISES = (0.01, 0.03, 0.1, 0.3, 1.0)
_GROUPS = {"network": "network", "topology": "network", "choices": "choices", "ordered": "ordered"}
_OTHER = "statistics"
"""The group of the columns of all other sources."""
_MEANS = "transfer"
"""The source whose columns are means of processes."""
_SOURCES = (*_GROUPS, _MEANS)
_SCREENED, _SHORT = 128, 12
"""Labels on which all kernels are tried; with more of them, how many kernels are tried on all."""
_MOST, _LEAST_WEIGHT = 8, 1e-3
"""How many kernels are kept for predictions, and the smallest weight of one of their processes."""
_TEMPER = 0.5
"""Power of evidence in the prior weights of means: the evidence of models of which none is right is too sure."""
_PSEUDO_LABELS = 100.0
"""Labels that the prior weights of the means count for; and from how many labels on no mean weighs as much as all."""
_CHUNK = 4096
_MOST_MEMBERS, _ROUNDING = 10_000, 1e-6


@dataclass(frozen=True)
class _Shape:
    """A kernel and its length."""

    kernel: Kernel
    length: float


@dataclass(frozen=True)
class _Member:
    """One process of the average: a shape and a prior, and its weight."""

    shape: _Shape
    prior: Prior
    weight: float


class GaussianProcesses(Regressor):
    """Many Gaussian processes, averaged by evidence: with several kernels, lengths, noises and prior means.

    Kernels (Matérn 5/2 and Laplacian) read the numbers of the cell, those of the whole network, one-hot and ordered
    choices, or several of these; lengths and noises are on a grid, short lengths with less prior weight. They are
    averaged by their marginal likelihoods (Hoeting et al., "Bayesian model averaging", Statistical Science 14, 1999),
    so that nothing is optimised, and ten labels do not have to settle on one. Each column of the source ``transfer``,
    an expectation that comes from other search spaces, is a prior mean, with a factor that is learnt; what processes
    with this mean or another or none say is weighed by how likely each label is by all others
    (:func:`archpredict.regressors.processes.stacking.stacking_weights`), for a prior mean is often more plausible than
    it is helpful. Standard deviations are those of the mixture. Of more than ``max_labels`` labels a random part is
    used: the cost grows with their cube.

    Like a single Gaussian process it predicts from its training set, so that this is what it is saved as: whoever gets
    the file can read the numbers and the ranks of the labels.

    Args:
        seed: Chooses that part.
        max_labels: At most so many labels.
        sources: Of which columns are read as well, where the architectures have them.

    Example:
        >>> x = np.linspace(-1, 1, 20)[:, None]
        >>> model = GaussianProcesses()
        >>> model.fit(x, np.sin(3 * x[:, 0]))
        >>> bool(abs(model.predict(np.array([[0.5]]))[0] - np.sin(1.5)) < 0.05)
        True
    """

    name = "gaussian-processes"
    head_start = 100.0  # from ten labels networks and trees learn little that its kernels and means do not know

    def __init__(self, seed: int = 0, *, max_labels: int = 500, sources: Sequence[str] = _SOURCES) -> None:
        self.seed = seed
        self.sources = tuple(sources)
        self.max_labels = max_labels
        self._sources: tuple[str, ...] | None = None

    # ------------------------------------------------------------------ fitting

    def name_columns(self, names: Sequence[str]) -> None:
        self._sources = tuple(name.partition(": ")[0] for name in names)

    def fit(self, x: FloatArray, y: FloatArray) -> None:
        kept = sampled_rows(len(y), self.max_labels, self.seed)
        x, y = x[kept], y[kept]
        self._given(x, y)
        shapes = [_Shape(kernel, length) for kernel in self._kernels() for length in _LENGTHS]
        if len(y) > _SCREENED:
            few = sampled_rows(len(y), _SCREENED, self.seed)
            evidence, *_ = self._evidence(shapes, few)
            best = np.argsort(-logsumexp(evidence, axis=(1, 2)), kind="stable")[:_SHORT]
            shapes = [shapes[i] for i in np.sort(best)]
        self._average(shapes, *self._evidence(shapes, np.arange(len(y))))

    def _given(self, x: FloatArray, y: FloatArray) -> None:
        """Take the training set over: its numbers by group, of which only those that vary count."""
        self._x, self._y = x, y
        sources = self._sources if self._sources is not None else (_OTHER,) * x.shape[1]
        is_mean = np.array([source == _MEANS for source in sources], dtype=np.bool_)
        self._mean_columns = np.flatnonzero(is_mean)
        varied = np.flatnonzero(~is_mean & (np.ptp(x, axis=0) > 0))
        names = [_GROUPS.get(sources[i], _OTHER) for i in varied]
        order = [_OTHER, *dict.fromkeys(_GROUPS.values())]
        self._columns = {g: varied[[name == g for name in names]] for g in order if g in names} or {_OTHER: varied}
        self._rows = self._by_group(x)

    def _by_group(self, x: FloatArray) -> Rows:
        return {group: x[:, columns] for group, columns in self._columns.items()}

    def _kernels(self) -> list[Kernel]:
        return kernels(list(self._columns), exclusive=("choices", "ordered"))

    def _evidence(self, shapes: Sequence[_Shape], labelled: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """What each of ``S`` shapes with each of ``1 + M`` means and ``N`` noises says of some ``n`` labels.

        Returns:
            Evidence ``(S, 1 + M, N)`` with the prior of lengths, and leave-one-out predictions and their variances,
            ``(S, 1 + M, N, n)`` each.
        """
        rows = {group: numbers[labelled] for group, numbers in self._rows.items()}
        y, means = self._y[labelled], self._x[np.ix_(labelled, self._mean_columns)]
        distances = Distances(rows, rows)
        priors = [Prior(mean, noise) for mean in range(-1, means.shape[1]) for noise in _NOISES]
        found = [
            Process(kernel_values(shape.kernel, distances.of(shape.kernel), shape.length), y, means).posteriors(priors)
            for shape in shapes
        ]
        size = (len(shapes), 1 + means.shape[1], len(_NOISES))
        prior = np.log([_LENGTHS[shape.length] for shape in shapes])
        evidence = prior[:, None, None] + np.stack([f.evidence for f in found]).reshape(size)
        left_out, variance = (
            np.stack([getattr(f, name) for f in found]).reshape(*size, len(y)) for name in ("left_out", "variance")
        )
        return evidence, left_out, variance

    def _average(
        self, shapes: Sequence[_Shape], evidence: FloatArray, left_out: FloatArray, variance: FloatArray
    ) -> None:
        """Weigh the processes of each mean by their evidence, and the means by leave-one-out likelihood."""
        density = -0.5 * (np.log(2 * np.pi * variance) + (self._y - left_out) ** 2 / variance)
        # Without a label, the evidence is that of the others: p(y) = p(y_i | others) p(others).
        without = evidence[..., None] - density
        within = without - logsumexp(without, axis=(0, 2), keepdims=True)
        share = stacking_weights(
            logsumexp(within + density, axis=(0, 2)),
            self._prior_shares(logsumexp(evidence, axis=(0, 2))),
            _PSEUDO_LABELS,
        )
        weights = np.exp(evidence - logsumexp(evidence, axis=(0, 2), keepdims=True)) * share[:, None]
        best = np.sort(np.argsort(-weights.sum(axis=(1, 2)), kind="stable")[:_MOST])
        largest = weights[best].max()  # of a handful of labels many processes may say the same
        least = _LEAST_WEIGHT if largest > _LEAST_WEIGHT else largest / 2
        kept = [(i, *place) for i in best for place in np.argwhere(weights[i] > least)]
        total = sum(weights[place] for place in kept)
        self._hold(
            [_Member(shapes[i], Prior(int(m) - 1, _NOISES[k]), float(weights[i, m, k] / total)) for i, m, k in kept]
        )

    def _prior_shares(self, evidence: FloatArray) -> FloatArray:
        """Prior weights ``(1 + M,)`` of no mean and of ``M`` means with this evidence."""
        if len(evidence) == 1:
            return np.ones(1)
        none = len(self._y) / (len(self._y) + _PSEUDO_LABELS)  # the fewer labels, the more a mean is needed
        means = np.exp(_TEMPER * (evidence[1:] - evidence[1:].max()))
        return np.array([none, *((1 - none) * means / means.sum())])

    def _hold(self, members: Sequence[_Member]) -> None:
        """Take the members over: those of one shape share a process."""
        distances = Distances(self._rows, self._rows)
        means = self._x[:, self._mean_columns]
        self._members = [(shape, list(same)) for shape, same in groupby(members, key=lambda member: member.shape)]
        self._processes = [
            Process(kernel_values(shape.kernel, distances.of(shape.kernel), shape.length), self._y, means)
            for shape, _ in self._members
        ]

    # ------------------------------------------------------------------ predicting

    def predict(self, x: FloatArray) -> FloatArray:
        return self._predictions(x)[0]

    def std(self, x: FloatArray) -> FloatArray:
        return np.sqrt(self._predictions(x)[1])

    def predict_both(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        mean, variance = self._predictions(x)
        return mean, np.sqrt(variance)

    def _predictions(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        parts = [self._mixture(x[start : start + _CHUNK]) for start in range(0, len(x), _CHUNK)]
        none = np.zeros(0)
        mean, variance = (np.concatenate([none, *column]) for column in zip(*parts, (none, none), strict=True))
        return mean, variance

    def _mixture(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the mixture of all members, ``(G,)`` each."""
        distances, means = Distances(self._by_group(x), self._rows), x[:, self._mean_columns]
        said = []
        for (shape, members), process in zip(self._members, self._processes, strict=True):
            kernel = kernel_values(shape.kernel, distances.of(shape.kernel), shape.length)
            said.append(process.predict(kernel, means, [member.prior for member in members]))
        weights = np.array([member.weight for _, members in self._members for member in members])
        mean, variance = (np.concatenate(column) for column in zip(*said, strict=True))
        return _moments(weights[:, None], mean, variance)

    # ------------------------------------------------------------------ state

    def state(self) -> tuple[Values, Arrays]:
        single = self._x.astype(np.float32)  # the numbers of a predictor are
        arrays = {"x": single if (single == self._x).all() else self._x, "y": self._y}
        members = [
            [*_shape_to_json(shape), member.prior.mean, member.prior.noise, member.weight]
            for shape, members in self._members
            for member in members
        ]
        counts = [[source, len(list(same))] for source, same in groupby(self._sources or ())]
        return {"sources": counts if self._sources is not None else None, "members": members}, arrays

    def restore(self, values: Values, arrays: Arrays, columns: int) -> None:
        labels = len(arrays["y"])
        check_arrays(arrays, {"x": (labels, columns), "y": (labels,)})
        if not 0 < labels <= self.max_labels:
            raise ValueError(f"Gaussian processes on {labels} labels are given, their max_labels is {self.max_labels}")
        self._sources = _sources_from_json(values["sources"], columns)
        self._given(arrays["x"].astype(np.float64), arrays["y"].astype(np.float64))
        self._hold(_members_from_json(values["members"], self._kernels(), len(self._mean_columns)))


def _moments(weights: FloatArray, mean: FloatArray, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and variance ``(G,)`` of mixtures of ``(C, G)`` distributions with weights that sum to 1 over ``C``."""
    mixed = (weights * mean).sum(axis=0)
    return mixed, (weights * (variance + (mean - mixed) ** 2)).sum(axis=0)


def _shape_to_json(shape: _Shape) -> tuple[str, list[str], float]:
    return shape.kernel.kind, list(shape.kernel.groups), shape.length


def _members_from_json(rows: Any, known: Sequence[Kernel], means: int) -> list[_Member]:
    """Members, of these kernels and so many means.

    Raises:
        ValueError: Others, or none, or numbers that are not positive and finite.
    """
    members = []
    for kind, groups, length, mean, noise, weight in rows if isinstance(rows, list) else ():
        numbers = (length, noise, weight)
        kernel = Kernel(str(kind), tuple(map(str, groups)))
        if kernel not in known or type(mean) is not int or not -1 <= mean < means:
            raise ValueError(f"a Gaussian process of a kernel or mean that there is not is given: {kind}, {groups}")
        if not all(isinstance(number, float) and 0 < number < np.inf for number in numbers):
            raise ValueError(f"a Gaussian process has a positive length, noise and weight, {numbers} is given")
        members.append(_Member(_Shape(kernel, length), Prior(mean, noise), weight))
    if not members or len(members) > _MOST_MEMBERS or abs(sum(m.weight for m in members) - 1) > _ROUNDING:
        raise ValueError(f"Gaussian processes whose weights sum to 1 were expected, {rows!r:.80} is given")
    return members


def _sources_from_json(counts: Any, columns: int) -> tuple[str, ...] | None:
    """The source of each column, None where that was not told.

    Raises:
        ValueError: They are not those of so many columns.
    """
    if counts is None:
        return None
    if not isinstance(counts, list) or any(type(count) is not int or not 0 < count <= columns for _, count in counts):
        raise ValueError(f"sources with their numbers of columns were expected, {counts!r:.80} is given")
    sources = tuple(str(source) for source, count in counts for _ in range(count))
    if len(sources) != columns:
        raise ValueError(f"sources of {columns} columns were expected, of {len(sources)} is given")
    return sources
