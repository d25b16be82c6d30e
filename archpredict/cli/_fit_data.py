"""What ``fit`` learns from: rows of a table, ONNX models with labels, or tables of several spaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archpredict.cli._options import flag_of
from archpredict.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from archpredict.graph.arch_graph import ArchGraph
    from archpredict.predict.predictor import Predictor
    from archpredict.spaces.base import Architecture, SearchSpace


_TABLE = ("space", "data", "target")
_MODELS = ("onnx", "labels")
_LEAST = 2


@dataclass(frozen=True, eq=False)
class FitData:
    """Labelled architectures that a predictor is fitted to.

    Args:
        title: Where they are from, in a few words.
        architectures, labels: As ``Predictor.fit`` takes them.
        features: Further columns.
        about: What the card says of them.
    """

    title: str
    architectures: list[Architecture] | list[ArchGraph]
    labels: np.ndarray
    features: Mapping[str, np.ndarray]
    about: Mapping[str, Any]


def check_source(given: Mapping[str, Any]) -> None:
    """Either a table or ONNX models are given, and all that belongs to them.

    Raises:
        UsageError: Both, or parts of one.
    """
    if given["transfer"] is not None and (given["family"] or given["onnx"] is not None):
        raise UsageError("--transfer says what is known of a search space (--space); leave it out")
    if given["family"]:
        _check_families(given)
        return
    table = [name for name in (*_TABLE, "features", "dataset", "network", "column") if given[name]]
    models = [name for name in _MODELS if given[name] is not None]
    if table and models:
        raise UsageError(
            f"{flag_of(table[0])} is for a table of architectures, --{models[0]} for ONNX models; give one or the other"
        )
    wanted = _MODELS if models else _TABLE
    missing = [f"--{name}" for name in wanted if given[name] is None]
    if missing:
        ways = "--space, --data and --target for a table of architectures, or --onnx and --labels for ONNX models"
        raise UsageError(f"{' and '.join(missing)} missing; give {ways}")
    if models and given["origin"] is not None:
        raise UsageError(
            "--from goes on with labels of a table; to adapt a predictor to ONNX models of yours, use "
            "archpredict rank --predictor ... --labels ... --save ..."
        )
    if given["input_shape"] and not models:
        raise UsageError("--input-shape is for ONNX models (--onnx); leave it out")


def _check_families(given: Mapping[str, Any]) -> None:
    others = (*_TABLE, *_MODELS, "features", "dataset", "network", "column", "origin", "input_shape")
    if found := [name for name in others if given[name]]:
        flag = "--from" if found[0] == "origin" else flag_of(found[0])
        raise UsageError(f"--family says where labels are from, and so does {flag}; leave one of them out")
    if given["folds"]:
        raise UsageError("--folds judges by labels of one space, --family gives those of several; leave it out")


def data_of_families(given: Mapping[str, Any]) -> FitData:
    """The rows of all tables of ``--family``, as networks, with labels that can be compared."""
    from archpredict.cli._tables import read_families
    from archpredict.predict.families import pooled

    tables = read_families(given["family"])
    networks, labels = pooled([(table.architectures, table.labels) for table in tables])
    sources = [
        {"space": t.space.name, "data": t.path.name, "data_sha256": t.sha256, "target": t.target, "rows": len(t.labels)}
        for t in tables
    ]
    names = ", ".join(table.space.name for table in tables)
    about = {"families": sources, "labels": f"ranks within each of {names}, as normal scores"}
    return FitData(f"networks of {names}", networks, labels, {}, about)


def data_of_table(given: Mapping[str, Any], space: SearchSpace, features: Sequence[str]) -> FitData:
    """The rows of ``--data``."""
    from archpredict.cli._tables import read_labelled

    table = read_labelled(given, space, features)
    about = {
        "space": table.space.name,
        "data": table.path.name,
        "data_sha256": table.sha256,
        "target": table.target,
        "labels": f"{table.target} of {table.path.name}",
    }
    title = f"{table.space.name}, column {table.target} of {table.path}"
    return FitData(title, table.architectures, table.labels, table.features, about)


def onnx_predictor(given: Mapping[str, Any]) -> tuple[Predictor, str]:
    """The predictor that the options describe, reading numbers of whole networks in place of those of cells."""
    from archpredict.cli._predictors import build_predictor, described_predictor, given_overrides, with_given_options
    from archpredict.predict.presets import preset

    if given["predictor"] is None and given["encoder"] is None and given["head"] is None:
        predictor = preset("ranker").make(seed=given["seed"], device=given["device"])
        predictor = with_given_options(predictor.set_params(**given_overrides(given)), given)
        return predictor, ", ".join(["the default for ONNX models", *given["option"]])
    predictor = build_predictor(given, given["seed"])
    sources = tuple("network" if source == "statistics" else source for source in predictor.sources)
    return predictor.set_params(sources=sources), described_predictor(given)


def data_of_models(given: Mapping[str, Any]) -> FitData:
    """The models of ``--onnx`` that ``--labels`` has a score of."""
    import warnings

    from archpredict.cli._console import progress
    from archpredict.onnx.files import find_models, read_models
    from archpredict.onnx.reader import OpenSizes
    from archpredict.predict.calibration import check_labels
    from archpredict.tables.model_labels import read_labels

    with progress(given["quiet"]) as observer:
        sizes = OpenSizes(given["input_size"], given["sequence_length"])
        models, failures = read_models(find_models([given["onnx"]]), given["input_shape"], observer, sizes)
    for failure in failures:
        warnings.warn(f"left out: {failure.error}", stacklevel=2)
    labels = read_labels(
        given["labels"], [str(model.path) for model in models], [failure.model for failure in failures], _LEAST
    )
    if labels.unmatched is not None:
        warnings.warn(labels.unmatched, stacklevel=2)
    about = {
        "data": given["labels"].name,
        "data_sha256": labels.sha256,
        "target": "score",
        "labels": f"score as in {given['labels'].name}",
    }
    graphs = [models[i].graph for i in labels.models]
    return FitData(f"ONNX models, {labels.title}", graphs, check_labels(graphs, labels.scores), {}, about)
