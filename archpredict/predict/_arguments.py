"""Arguments of a predictor as JSON, and back; also those of files of version 0.1 before arguments were objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from archpredict.errors import UsageError
from archpredict.predict.parts import Part, kind_of, options_of, with_options
from archpredict.predict.sources.proxies import Proxies
from archpredict.predict.training.training import Training
from archpredict.registry import resolve
from archpredict.regressors.base import Regressor

_TRAINING = tuple(f.name for f in fields(Training))
_SIMPLE = ("ensemble", "vocabulary", "seed", "device")
_NAMES = ("encoder", "head", "sources", "regressors", "training", *_SIMPLE, "cross_fit", "transfer")


def arguments_to_json(params: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments from ``Predictor.get_params(deep=False)`` as JSON values; numbers of numpy may be among them.

    A class of one's own becomes ``{"class": "module.Class", "options": {...}}``.

    Raises:
        UsageError: A source that cannot be saved.
    """
    return {
        "encoder": None if params["encoder"] is None else _part_to_json(params["encoder"]),
        "head": _part_to_json(params["head"]),
        "sources": [_source_to_json(source) for source in params["sources"]],
        "regressors": [_regressor_to_json(*item) for item in (params["regressors"] or {}).items()],
        "training": params["training"].get_params(),
        **{name: params[name] for name in _SIMPLE},
        "cross_fit": params["cross_fit"],
        "transfer": params["transfer"] if isinstance(params["transfer"], bool) else str(params["transfer"]),
    }


def arguments_from_json(data: Mapping[str, Any], classes: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of ``Predictor`` from what :func:`arguments_to_json` gave.

    Args:
        data: The JSON values.
        classes: Classes that the user hands over: ``encoder``, ``head``, and ``regressors`` by name.

    Raises:
        ValueError: It names a class of someone's own that is not handed over, or something that does not exist.
    """
    if unknown := sorted(data.keys() - set(_NAMES)):
        raise ValueError(f"its arguments have no {unknown[0]!r}")
    if other := sorted(data["training"].keys() - set(_TRAINING)):
        raise ValueError(f"its training has no {other[0]!r}")
    own = classes.get("regressors") or {}
    rows = data["regressors"]
    regressors = {_class_of_row(row, own): (row["weight"], dict(row["options"])) for row in rows}
    encoder = data["encoder"]
    if encoder is None and classes.get("encoder") is not None:
        raise ValueError("it has no encoder, but one was handed to load")
    return {
        "encoder": None if encoder is None else _part_from_json("encoder", encoder, classes.get("encoder")),
        "head": _part_from_json("head", data["head"], classes.get("head")),
        "sources": tuple(map(_source_from_json, data["sources"])),
        "regressors": {name: value if value[1] else value[0] for name, value in regressors.items()},
        "training": Training(**{**data["training"], "betas": tuple(data["training"]["betas"])}),
        **{name: data[name] for name in _SIMPLE},
        "cross_fit": data.get("cross_fit", False),  # what was saved before them did neither
        "transfer": data.get("transfer", False),
    }


def upgraded(flat: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values of arguments from those of the time when ``Predictor`` took 26 of them.

    Example:
        >>> upgraded({"head": "pairwise", "encoder_options": {"dim": 8}, "epochs": 5})["encoder"]
        {'name': 'asynchronous', 'options': {'dim': 8}}
    """
    rest = dict(flat)
    own_options = {name: rest.pop(f"{name}_options", None) or {} for name in ("encoder", "head", "regressor", "proxy")}
    encoder, head = rest.pop("encoder", "asynchronous"), rest.pop("head", "pairwise")
    sources: list[Any] = list(rest.pop("side", ("statistics",)))
    if proxies := rest.pop("proxies", ()):
        sources.append({"proxies": list(proxies), **own_options["proxy"]})
    weights = rest.pop("regressors", _FORMER_REGRESSORS) or {}
    rows = [{"name": n, "weight": w, "options": own_options["regressor"].get(n, {})} for n, w in weights.items()]
    training = {**Training().get_params(), **{name: rest.pop(name) for name in _TRAINING if name in rest}}
    return {
        "encoder": None if encoder is None else {"name": encoder, "options": own_options["encoder"]},
        "head": {"name": head, "options": own_options["head"]},
        "sources": sources,
        "regressors": rows,
        "training": training,
        **_FORMER_SIMPLE,
        **rest,
    }


def of_today(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments for ``Predictor.set_params`` from names of today, or of the time when ``Predictor`` took 26 arguments.

    Example:
        >>> of_today({"epochs": 5, "encoder": "gcn", "encoder_options": {"dim": 8}, "side": ()})
        {'encoder': Part('gcn', dim=8), 'training__epochs': 5, 'sources': ()}
    """
    rest = dict(arguments)
    own_options = {name: rest.pop(f"{name}_options", None) or {} for name in ("encoder", "head", "regressor", "proxy")}
    for name, default in {"encoder": "asynchronous", "head": "pairwise"}.items():
        if own_options[name]:
            rest[name] = with_options(rest.get(name, default), own_options[name])
    if of_regressors := own_options["regressor"]:
        weights = rest.get("regressors", _FORMER_REGRESSORS) or {}
        rest["regressors"] = {n: (w, of_regressors[n]) if n in of_regressors else w for n, w in weights.items()}
    rest |= {f"training__{name}": rest.pop(name) for name in _TRAINING if name in rest}
    if "side" in rest or "proxies" in rest:
        proxies = rest.pop("proxies", ())
        sources = tuple(rest.pop("side", ("statistics",)))
        rest["sources"] = (*sources, Proxies(proxies, **own_options["proxy"])) if proxies else sources
    return rest


_FORMER_REGRESSORS = {"hist-gradient-boosting": 0.3, "bayesian-ridge": 0.2}
_FORMER_SIMPLE = {"ensemble": 2, "vocabulary": None, "seed": 0, "device": "auto"}


def _part_to_json(part: Any) -> dict[str, Any]:
    return {**_kind_to_json(kind_of(part)), "options": options_of(part)}


def _kind_to_json(kind: Any) -> dict[str, str]:
    if isinstance(kind, type):
        return {"class": f"{kind.__module__}.{kind.__qualname__}"}
    return {"class": kind} if ":" in kind else {"name": kind}


def _part_from_json(argument: str, data: Mapping[str, Any], given: Any) -> Any:
    kind = given
    if given is None:
        kind = _own_name(argument, data)
    elif "class" not in data:
        raise ValueError(f"its {argument} is archpredict's {data['name']!r}; load it without a class of your own")
    return Part(kind, **data["options"]) if data["options"] else kind


def _own_name(argument: str, data: Mapping[str, Any]) -> str:
    """The name of a plug-in; what is no plain name is never imported."""
    name = data.get("name", data.get("class"))
    if "class" in data or not isinstance(name, str) or ":" in name:
        raise ValueError(
            f"its {argument} {name} is not one of archpredict's own, and code that a file names is not imported; hand "
            f"the class over: Predictor.load(path, {argument}=...)"
        )
    return name


def _regressor_to_json(kind: Any, given: Any) -> dict[str, Any]:
    weight, options = given if isinstance(given, (tuple, list)) else (given, {})
    named = _kind_to_json(kind)
    if "class" in named:
        named["called"] = (resolve("regressors", kind, Regressor) if isinstance(kind, str) else kind).name
    return {**named, "weight": weight, "options": dict(options)}


def _class_of_row(row: Mapping[str, Any], own: Mapping[str, Any]) -> Any:
    if "class" in row and row.get("called") in own:
        return own[row["called"]]
    return _own_name("regressors", row)


def _source_to_json(source: Any) -> Any:
    if isinstance(source, str):
        return source
    if not isinstance(source, Proxies):
        raise UsageError(f"a predictor with the source {source!r} cannot be saved")
    if foreign := [name for name in source.names if ":" in name]:
        raise UsageError(f"a predictor that reads {foreign[0]} cannot be saved; take proxies of archpredict")
    network = None if source.network is None else dict(source.network)
    return {"proxies": list(source.names), "dataset": source.dataset, "network": network, "seed": source.seed}


def _source_from_json(data: Any) -> Any:
    if isinstance(data, str):
        return data
    if foreign := [name for name in data["proxies"] if not isinstance(name, str) or ":" in name]:
        raise ValueError(f"its proxy {foreign[0]} is not one of archpredict's own")
    options = {name: data.get(name) for name in ("dataset", "network")}
    return Proxies(data["proxies"], **options, seed=int(data.get("seed", 0)))
