"""The README of a saved predictor: a model card as the Hugging Face hub reads it, made of the predictor's own card.

Nothing reads it again. What a card holds may come from strangers' tables: it is text, never markup.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from archpredict.backends import versions
from archpredict.predict.storage import StoredPredictor, plain

README = "README.md"
_MARK = "# Written by archpredict, and replaced when the predictor is saved again; a README without this line stays."
_MOST_CHARACTERS = 300
_MOST_ROWS = 40
_HUB_NAMES = {"kendall_tau": "kendall_tau", "spearman": "spearmanr"}
"""Figures that the front matter tells, by what the hub calls them."""
_TAGS = ("archpredict", "neural-architecture-search", "performance-prediction")
_ELSEWHERE = {"predictor", "cross_validation", "license"}
"""Entries of a card that are not in the table of what was learnt from."""
_SPECIAL = re.compile(r"[\\`*_\[\]<>#|~$&]")


def write_model_card(place: Path, folder: Path, stored: StoredPredictor) -> None:
    """Write the model card of a predictor, unless the folder has a README of someone's own.

    Args:
        place: Where to write it.
        folder: Where it goes when all is written.
        stored: The predictor.

    Raises:
        OSError: It cannot be written.
    """
    there = folder / README
    if not there.exists() or _is_ours(there):
        (place / README).write_text(model_card(stored), encoding="utf-8")


def _is_ours(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_MARK) + 8).startswith(f"---\n{_MARK}\n".encode())


def model_card(stored: StoredPredictor) -> str:
    """The text of a model card.

    Args:
        stored: The predictor.

    Example:
        >>> page = model_card(StoredPredictor({}, {}, {"predictor": "mine", "labels": "<b>accuracy</b>"}, {}))
        >>> page.splitlines()[2], "# mine" in page, "<b>" in page
        ('library_name: "archpredict"', True, False)
    """
    card = json.loads(json.dumps(stored.card, default=plain))
    space = _space(stored)
    meaning = card.get("meaning") or card.get("labels") or card.get("target") or "the label that it was fitted to"
    sections = [
        _front_matter(card, space),
        f"# {_name(card)}",
        f"Ranks neural networks{f' of the search space {_marked(space)}' if space else ''} before they are trained. "
        f"A score is {_marked(meaning)}; higher is better.",
        "## What it was learnt from",
        _learnt_from(card, stored.fitted),
        "## Figures",
        _figures(card),
        "## How to load it",
        _loading(stored, space),
        "## Limits",
        "\n".join(f"- {line}" for line in _limits(card, stored)),
    ]
    return "\n\n".join(sections) + "\n"


# ---------------------------------------------------------------------- front matter


def _front_matter(card: Mapping[str, Any], space: str | None) -> str:
    """YAML, of which JSON is a part: every value is one line of JSON."""
    values: dict[str, Any] = {
        "library_name": "archpredict",
        "pipeline_tag": "graph-ml",
        "tags": [*_TAGS, *([space] if space else [])],
    }
    if isinstance(card.get("license"), str):
        values |= _license(card["license"])
    figures = {name: value for name, value in _own(card).items() if name in _HUB_NAMES and _is_finite(value)}
    if figures:
        measured = [{"type": _HUB_NAMES[name], "value": round(float(value), 4)} for name, value in figures.items()]
        dataset = {"name": card.get("data") or "labels", "type": "custom"}
        result = {"task": {"type": "graph-ml"}, "dataset": dataset, "metrics": measured}
        values["metrics"] = [_HUB_NAMES[name] for name in figures]
        values["model-index"] = [{"name": card.get("predictor") or "archpredict", "results": [result]}]
    lines = [f"{name}: {json.dumps(_plain(value), ensure_ascii=False)}" for name, value in values.items()]
    return "\n".join(["---", _MARK, *lines, "---"])


def _license(name: str) -> dict[str, str]:
    """A licence by its short name, else as one that the hub does not know."""
    short = name.lower()
    return (
        {"license": short} if re.fullmatch(r"[a-z0-9.-]{2,40}", short) else {"license": "other", "license_name": name}
    )


def _plain(value: Any) -> Any:
    """A value whose texts are lines of printable characters, which YAML takes as JSON has them."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, int | float) else _line(value)


def _line(value: Any) -> str:
    text = "".join(letter if letter.isprintable() else " " for letter in str(value)[: 2 * _MOST_CHARACTERS])
    text = " ".join(text.split())
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + "..."


# ---------------------------------------------------------------------- page


def _marked(value: Any) -> str:
    """A value as text of Markdown in which nothing is markup."""
    if isinstance(value, Mapping):
        value = "; ".join(f"{key}: {_line(item)}" for key, item in list(value.items())[:_MOST_ROWS])
    elif isinstance(value, list | tuple):
        value = ", ".join(_line(item) for item in value[:_MOST_ROWS])
    elif isinstance(value, float):
        value = f"{value:.6g}"
    return _SPECIAL.sub(r"\\\g<0>", _line(value))


def _name(card: Mapping[str, Any]) -> str:
    return _marked(card.get("predictor") or "") or "A predictor of archpredict"


def _learnt_from(card: Mapping[str, Any], fitted: Mapping[str, Any]) -> str:
    told = {name: value for name, value in card.items() if name not in _ELSEWHERE and value not in (None, "", [], {})}
    made = {name: version for name, version in versions("archpredict", "torch").items() if version}
    rows = {"rows": fitted.get("num_labels"), **told, "made with": made}
    lines = [
        f"| {_marked(name.replace('_', ' '))} | {_marked(value)} |" for name, value in list(rows.items())[:_MOST_ROWS]
    ]
    return "\n".join(["| | |", "|---|---|", *lines])


def _figures(card: Mapping[str, Any]) -> str:
    rows = {name: row for name, row in _validated(card).items() if isinstance(row, Mapping) and row}
    if not rows:
        return "No cross-validation has been kept with it."
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))[:_MOST_ROWS]
    head = " | ".join(_marked(name.replace("_", " ")) for name in columns)
    lines = [
        f"| {_marked(name)} | {' | '.join(_marked(row.get(column, '')) for column in columns)} |"
        for name, row in list(rows.items())[:_MOST_ROWS]
    ]
    return "\n".join([f"| cross-validation | {head} |", "|---|" + "---|" * len(columns), *lines])


def _validated(card: Mapping[str, Any]) -> Mapping[str, Any]:
    found = card.get("cross_validation")
    return found if isinstance(found, Mapping) else {}


def _own(card: Mapping[str, Any]) -> Mapping[str, Any]:
    """The figures of the predictor itself, which come after those of base lines."""
    *_, last = {}, *_validated(card).values()
    return last if isinstance(last, Mapping) else {}


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _loading(stored: StoredPredictor, space: str | None) -> str:
    if space is None:
        code = 'import archpredict\n\nprint(archpredict.rank(["models"], predictor="path/of/this/folder"))'
    else:
        code = (
            'from archpredict import Predictor\n\npredictor = Predictor.load("path/of/this/folder")\n'
            "best_first = predictor.rank(architectures)"
        )
    own = [part for part in ("encoder", "head") if ":" in _part_name(stored.params.get(part))]
    needed = f"; it needs the class of its {' and of its '.join(own)}, which the folder does not hold" if own else ""
    from_hub = "From the hub, `huggingface_hub.snapshot_download` brings the folder"
    return f"```python\n{code}\n```\n\n{from_hub}{needed}."


def _part_name(part: Any) -> str:
    return str(part.get("name", "")) if isinstance(part, Mapping) else ""


def _limits(card: Mapping[str, Any], stored: StoredPredictor) -> Iterator[str]:
    match card.get("range"):
        case [int() | float() as low, int() | float() as high]:
            yield f"Its labels are from {low:.4g} to {high:.4g}: of scores beyond, believe the order alone."
    if _space(stored):
        yield "It reads architectures of that search space only."
    if card.get("not_for"):
        yield f"Not for {_marked(card['not_for'])}."
    yield "What it calls novel (`Predictor.novelty` above 1) is unlike all that it has learnt from."
    if stored.params.get("regressors"):
        yield "Its regressors may hold their training set, labels included: do not publish it where these are secret."
    yield "Weights are safetensors, the rest is JSON: nothing in the folder is run as code when it is loaded."


def _space(stored: StoredPredictor) -> str | None:
    """The search space whose architectures it reads; None for any network."""
    found = stored.fitted.get("spec", {}).get("space")
    return found if isinstance(found, str) else None
