"""Inputs of predictors that were saved before sources were a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archpredict.graph.statistics import Statistics
from archpredict.predict.batch import choice_labels


def modern(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The JSON of an ``InputSpec`` as this version writes it, of what this version or the one before wrote.

    Raises:
        ValueError: It does not hold together.
    """
    if "sources" in data:
        return data
    space, num_choices = data["space"], list(map(int, data["num_choices"]))
    costs, sources = list(data["costs"]), []
    if data["statistics"] is not None:
        statistics = Statistics.from_dict(data["statistics"])
        names = {"columns": statistics.names, "statistics": data["statistics"], "space": space}
        sources.append({"source": "statistics", **names})
    if costs != ([] if data["statistics"] is None else list(statistics.costs)):
        raise ValueError("its statistics are of other costs")
    if data["one_hot"]:
        choices = {"columns": choice_labels(num_choices), "space": space, "num_choices": num_choices}
        sources.append({"source": "choices", **choices})
    if data.get("network"):
        sources.append({"source": "network", "columns": data["network"]})
    if data.get("proxies") is not None:
        sources.append({"source": "proxies", "columns": data["proxies"]["names"], **data["proxies"]})
    if data["features"]:
        sources.append({"source": "features", "columns": data["features"]})
    kept = ("form", "vocabulary", "num_cells", "space", "location", "scale")
    chosen = num_choices if data["form"] == "choices" else []
    return {**{name: data[name] for name in kept}, "num_choices": chosen, "sources": sources}
