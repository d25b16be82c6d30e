"""Pre-training objectives of the general-purpose transferable predictor, compared without labels and with few.

    OMP_NUM_THREADS=1 python benchmarks/transferable.py --spectra               # what spectra alone tell of labels
    OMP_NUM_THREADS=1 python benchmarks/transferable.py --seeds 3               # zero-shot, and 100 labels
    OMP_NUM_THREADS=1 python benchmarks/transferable.py --only none spectral --pairs 101-201 --seeds 1 --trained

An encoder is pre-trained on unlabelled networks of all spaces, the target's included (as published, Han, Mills et al.,
arXiv 2302.10835), by each objective, with the same initial weights and batches. Then, for each pair of sources and
target, 1,000 labels of each source and 1,000 architectures of the target:

* frozen: ridge regression of the encodings on the sources' labels (normal scores in each space), standardised over the
  sources and clipped to 4; 0 labels of the target;
* trained (``--trained``): the named predictor ``general-purpose``, encoder and head trained on the sources' labels;
* at 100 labels of the target: the same ridge on these alone, standardised within the target.

Spearman and Kendall's tau-b, mean and standard deviation over seeds; a seed decides weights, batches and architectures.
Seeds 0 to 2 are for reporting; settings were chosen on seed 100 (``--first-seed 100 --seeds 1``). NAS-Bench-101's
labels have no licence: nothing that this script makes is kept.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
import torch
from _protocols import add_data_option
from _spaces import labelled
from sklearn.linear_model import Ridge

from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.batch import batched
from archpredict.graph.packed import PackedGraphs
from archpredict.metrics import kendall_tau, spearman
from archpredict.predict.calibration import standardize
from archpredict.predict.families import pooled
from archpredict.predict.inputs import InputSpec
from archpredict.predict.parts import Part
from archpredict.predict.presets import preset
from archpredict.predict.pretraining.corpus import Corpus
from archpredict.predict.pretraining.networks import OBJECTIVES, Pretraining, pretrain, untrained
from archpredict.predict.pretraining.objectives.base import PretrainingObjective
from archpredict.predict.pretraining.pretrained_encoder import PretrainedEncoder, encoder_of

SPACES = ("nasbench101", "nasbench201", "darts", "enas")
PAIRS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "101-201": (("nasbench101",), "nasbench201"),
    "201-101": (("nasbench201",), "nasbench101"),
    "others-201": (("nasbench101", "darts", "enas"), "nasbench201"),
}
NAMES = ("none", *OBJECTIVES)
CONTRASTIVE = ("contrastive", "spectral")
RIDGE = 1e4
"""Chosen on seed 100, from 1e2 and 1e4, for all objectives together."""
FEW = 100


@dataclass(frozen=True, eq=False)
class Family:
    """Networks of a space, and labels.

    Args:
        networks: ``n`` of them.
        packed: The same, as encoders read them.
        labels: ``(n,)`` normal scores.
    """

    networks: list[ArchGraph]
    packed: PackedGraphs
    labels: np.ndarray


@cache
def family(name: str, size: int, seed: int, data: Path) -> Family:
    """Random labelled networks of a space."""
    every = labelled(name, data)
    drawn = every.rows(np.random.default_rng(seed).permutation(len(every.labels))[:size])
    networks = [a.space.network(a.choices) for a in drawn.architectures]
    packed = InputSpec.fit(networks, form="network")[1].graphs
    return Family(networks, packed, standardize(np.asarray(drawn.labels, dtype=np.float64)))


def corpus_of(families: Mapping[str, Family]) -> Corpus:
    """The networks of all families without their labels."""
    parts = [
        Corpus(tuple(f.networks), ({"kind": "space", "name": name, "networks": len(f.networks)},), _zeros(f))
        for name, f in families.items()
    ]
    return Corpus.concat(parts)


def _zeros(f: Family) -> np.ndarray:
    return np.zeros(len(f.networks), dtype=np.int64)


@torch.no_grad()
def encodings(encoder: PretrainedEncoder, packed: PackedGraphs, size: int = 250) -> np.ndarray:
    """``(n, D)`` by the frozen encoder."""
    made = encoder_of(encoder.part)
    made.load_state_dict(dict(encoder.weights))
    made.eval()
    parts = [made(batched(packed[np.arange(i, min(i + size, len(packed)))])) for i in range(0, len(packed), size)]
    return np.asarray(torch.cat(parts).numpy(), dtype=np.float64)


def standardized(x: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Columns in standard deviations of other rows, clipped to 4; those that do not vary there are 0."""
    spread = like.std(axis=0)
    return np.clip((x - like.mean(axis=0)) / np.where(spread > 1e-6, spread, np.inf), -4, 4)


def frozen(encoded: Mapping[str, np.ndarray], families: Mapping[str, Family], pair: str) -> np.ndarray:
    """What ridge regression on the sources predicts of the target."""
    sources, target = PAIRS[pair]
    x = np.concatenate([encoded[name] for name in sources])
    y = np.concatenate([families[name].labels for name in sources])
    model = Ridge(RIDGE).fit(standardized(x, x), y)
    return np.asarray(model.predict(standardized(encoded[target], x)))


def few(encoded: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predictions from the first 100 labels for all others, and the labels of these."""
    x = standardized(encoded, encoded)
    return np.asarray(Ridge(FEW).fit(x[:FEW], labels[:FEW]).predict(x[FEW:])), labels[FEW:]


def trained(encoder: PretrainedEncoder, families: Mapping[str, Family], pair: str, seed: int) -> np.ndarray:
    """What the named predictor, trained on the sources, predicts of the target."""
    sources, target = PAIRS[pair]
    with tempfile.TemporaryDirectory() as place:
        encoder.save(place)
        general = preset("general-purpose").make(encoder=place, seed=seed, training__epochs=10, device="cpu")
        general.fit(*pooled([(families[name].networks, families[name].labels) for name in sources]))
    return np.asarray(general.predict(families[target].networks))


def objective(name: str, options: argparse.Namespace) -> PretrainingObjective:
    """An objective by its name, the contrastive ones with the options that were given."""
    if name not in CONTRASTIVE:
        return OBJECTIVES[name]()
    given = {"temperature": options.temperature, "eigenvalues": options.eigenvalues}
    return OBJECTIVES[name](**{key: value for key, value in given.items() if value is not None})


def figures(options: argparse.Namespace, name: str, seed: int) -> Iterator[tuple[str, float, float]]:
    """Spearman and tau of one objective, by what was predicted."""
    families = {f: family(f, options.size, seed, options.data) for f in SPACES}
    labelled_ones = {f: _first(families[f], options.labels) for f in SPACES}
    part = Part("comp-graph", dim=options.dim, layers=options.layers, shapes=True)
    corpus = corpus_of(families)
    how = Pretraining(steps=options.steps, seed=seed, batches=options.batches)
    start = time.process_time()
    encoder = (
        untrained(corpus, part, seed)
        if name == "none"
        else pretrain(corpus, part, replace(how, objective=objective(name, options)))
    )
    print(f"  {name}, seed {seed}: pre-trained in {time.process_time() - start:.0f} CPU s", flush=True)
    encoded = {f: encodings(encoder, labelled_ones[f].packed) for f in SPACES}
    for pair in options.pairs:
        wanted = labelled_ones[PAIRS[pair][1]].labels
        predicted = frozen(encoded, labelled_ones, pair)
        yield f"{pair} frozen", spearman(wanted, predicted), kendall_tau(wanted, predicted)
        if options.trained:
            predicted = trained(encoder, labelled_ones, pair, seed)
            yield f"{pair} trained", spearman(wanted, predicted), kendall_tau(wanted, predicted)
    for target in dict.fromkeys(PAIRS[pair][1] for pair in options.pairs):
        predicted, rest = few(encoded[target], labelled_ones[target].labels)
        yield f"{target}, {FEW} labels", spearman(rest, predicted), kendall_tau(rest, predicted)


def _first(f: Family, n: int) -> Family:
    return Family(f.networks[:n], f.packed[:n], f.labels[:n])


def spectra(options: argparse.Namespace) -> None:
    """How well ridge regression on spectra, and on statistics, orders networks of the space that it has learnt from."""
    print(f"Spearman on held-out networks of the same space; half of {options.size} labels; seed {options.first_seed}")
    for name in (*SPACES, "once-for-all"):
        f = family(name, options.size, options.first_seed, options.data)
        values = {k: OBJECTIVES["spectral"](eigenvalues=k).targets(f.networks) for k in (16, 64)}
        known = {f"{k} eigenvalues": x for k, x in values.items()}
        known["statistics"] = OBJECTIVES["statistics"]().targets(f.networks)
        half = len(f.labels) // 2
        taus = []
        for what, x in known.items():
            z = standardized(x, x)
            predicted = Ridge(10.0).fit(z[:half], f.labels[:half]).predict(z[half:])
            taus.append(f"{what} {spearman(f.labels[half:], predicted):.3f}")
        of = np.unique(values[16].round(6), axis=0, return_inverse=True)[1].ravel()
        apart = f.labels - (np.bincount(of, f.labels) / np.bincount(of))[of]
        share = (apart**2).sum() / ((f.labels - f.labels.mean()) ** 2).sum()
        print(
            f"{name:14s} {', '.join(taus)}; {of.max() + 1} different spectra of {len(of)} networks, "
            f"{share:.2f} of the labels' variance between networks of one spectrum",
            flush=True,
        )


def _summary(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=list(NAMES), choices=NAMES)
    parser.add_argument("--pairs", nargs="+", default=list(PAIRS), choices=list(PAIRS))
    parser.add_argument("--trained", action="store_true", help="also train encoder and head on the sources")
    parser.add_argument("--spectra", action="store_true", help="only what spectra tell of labels")
    parser.add_argument("--size", type=int, default=1000, help="unlabelled networks of each space")
    parser.add_argument("--labels", type=int, default=1000, help="labelled networks of each space")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batches", default="one", choices=("one", "mixed"))
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--temperature", type=float, help="of the contrastive objectives")
    parser.add_argument("--eigenvalues", type=int, help="of the contrastive objectives")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.spectra:
        spectra(options)
        return
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    contrast = "".join(
        f"{key} {value}, "
        for key, value in (("temperature", options.temperature), ("eigenvalues", options.eigenvalues))
        if value is not None
    )
    print(
        f"{options.size} networks of each of {', '.join(SPACES)}; {options.steps} steps, dim {options.dim}, "
        f"{options.layers} layers, {contrast}seeds {seeds[0]} to {seeds[-1]}; Spearman, Kendall's tau",
        flush=True,
    )
    for name in options.only:
        found: dict[str, list[tuple[float, float]]] = {}
        for seed in seeds:
            for what, rho, tau in figures(options, name, seed):
                found.setdefault(what, []).append((rho, tau))
        for what, values in found.items():
            rho, tau = zip(*values, strict=True)
            print(f"{name:12s} {what:24s} {_summary(rho)}  {_summary(tau)}", flush=True)


if __name__ == "__main__":
    main()
