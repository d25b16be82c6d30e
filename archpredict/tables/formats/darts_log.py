"""Logs of searches that print a genotype in every epoch, as DARTS's own code writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from archpredict.errors import DataError
from archpredict.progress import Observer, silent
from archpredict.tables.formats.base import ARCHITECTURE, Format, Row
from archpredict.tables.reading.files import text_lines

__all__ = ["DartsLog"]

_GENOTYPE = re.compile(r"(?:genotype|structure)\(", re.IGNORECASE)
_ASSIGNED = re.compile(r"\w+ ?[:=]? ?$")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FRONT = re.compile(
    r"\s*(?:\[(?![^\]]*epoch)[^\[\]]*\]"
    r"|[(\[<]?(?:[0-9][0-9/:.,TZ+-]*|(?:AM|PM|DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL)\b)[)\]>]?(?=[\s:|,\[>-]|$)"
    r"|[IWEF][0-9]{4}\b|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b"
    r"|[\w./-]+\.py:[0-9]+|root\b|\w+ (?=INFO\b)|[-|>:*=#<\[\]{]+)[:|>,\]]*\s*",
    re.IGNORECASE,
)
"""What stands before a message: date, time, level, place."""
_LABEL = re.compile(r"[A-Za-z]\w* ?: (?=['\"]?[A-Za-z_][\w./@-]*['\"]?(?: ?[:=] ?| )[(\[]?[+-]?[0-9.])")
"""What the numbers behind it are about, such as ``valid:``."""
_PAIR = re.compile(
    r" ?(?P<quote>[<'\"]?)(?P<name>[A-Za-z_][\w./@-]*)[>'\"]?(?: ?(?:[:=,]|->) ?| )[(\[]?"
    r"(?P<value>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|nan|[+-]?inf)(?:/[0-9]+)?[)\]]? ?(?:%|s|M|MB)?"
    r"(?: ?[,;|}.]+|(?= )|$)"
)
"""A name and a number."""
_EPOCH_LINE = re.compile(
    r"(?:\w+ |the |\[)*(?:epoch\b[\s:=#(\[]*(?P<after>[0-9]{1,6})\b|(?P<before>[0-9]{1,6})(?:-[0-9]+)?-th epoch\b)"
    r"(?:\s*(?:/|of)\s*[0-9]+)?[\s\])/:,=*|-]*(?:\[[0-9]+/[0-9]+\])?",
    re.IGNORECASE,
)
"""The number of an epoch, as ``Epoch [3/50]`` or ``[the 003-050-th epoch]``, before anything else that a line says."""
_EPOCH = "epoch"
_MAX_EPOCHS = 100_000
_MAX_COLUMNS = 200
_MOST_LINES = 100
"""Of a genotype."""
_LONGEST = 1_000
"""Characters of a line of numbers."""
_LOOKED_AT = 20_000
"""Lines in which a log shows a genotype, or is none."""


@dataclass
class _Epoch:
    """What the lines of an epoch say."""

    line: int = 0
    genotype: str | None = None
    numbers: dict[str, str] = field(default_factory=dict)


class DartsLog(Format):
    """Log of a search that prints ``genotype = Genotype(...)`` in every epoch, as DARTS's own code does.

    Liu, Simonyan and Yang, "DARTS: differentiable architecture search", 2019, arXiv 1806.09055. An epoch's genotype is
    a row; its columns are the numbers that lines of the epoch give by name and nothing else, such as ``epoch``,
    ``lr``, ``train_acc`` and ``valid_acc``. A last epoch that lacks numbers of the first has an ``error``.
    """

    endings = (".txt", ".log")

    def recognises(self, path: Path) -> bool:
        try:
            return any(_genotype(text) for _, text in islice(_messages(path), _LOOKED_AT))
        except DataError:  # a document of one long line, or no text: another format tells of it
            return False

    def rows(self, path: Path, observe: Observer = silent) -> Iterator[Row]:
        epochs = list(islice(_epochs(path), _MAX_EPOCHS + 1))
        if len(epochs) > _MAX_EPOCHS:
            raise DataError(f"{path} has more than {_MAX_EPOCHS:,} genotypes, the most that are read of a log")
        if not epochs:
            raise DataError(f"{path} is a log without a line that holds Genotype(...); expected one in every epoch")
        names = list(dict.fromkeys(name for epoch in epochs for name in epoch.numbers))
        if len(names) > _MAX_COLUMNS:
            raise DataError(f"{path} gives more than {_MAX_COLUMNS} numbers by name, the most that are read of a log")
        unfinished = epochs[0].numbers.keys() - epochs[-1].numbers.keys()
        for epoch in epochs:
            values: dict[str, Any] = {ARCHITECTURE: epoch.genotype}
            values |= {name: epoch.numbers.get(name) for name in names}
            if unfinished:
                values["error"] = "the log ends in this epoch" if epoch is epochs[-1] else None
            yield Row(f"line {epoch.line}", values)


def _epochs(path: Path) -> Iterator[_Epoch]:
    """The epochs that show a genotype; one begins with the line that gives its number, else with its genotype."""
    epoch = _Epoch()
    for line, text in _messages(path):
        before, genotype = _genotype(text) or (text, None)
        numbers = _numbers(before)
        is_new = _EPOCH in numbers and numbers[_EPOCH] != epoch.numbers.get(_EPOCH)
        if epoch.genotype is not None and (is_new or genotype is not None):
            yield epoch
            epoch = _Epoch()
        elif is_new:
            epoch = _Epoch()  # what stands before it belongs to no epoch
        if genotype is not None:
            epoch.line, epoch.genotype = line, genotype
        epoch.numbers |= numbers
    if epoch.genotype is not None:
        yield epoch


def _messages(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a log with their numbers; a genotype that goes over several is one."""
    started, parts = 0, list[str]()
    for line, text in enumerate(text_lines(path), start=1):
        if parts or (_GENOTYPE.search(text) and _is_open(text)):
            started = started or line
            parts.append(text)
            if _is_open("".join(parts)) and len(parts) < _MOST_LINES:
                continue
            line, text = started, " ".join("".join(parts).split())
            started, parts = 0, []
        yield line, text
    if parts:
        yield started, "".join(parts)


def _is_open(text: str) -> bool:
    return text.count("(") > text.count(")")


def _genotype(text: str) -> tuple[str, str] | None:
    """What stands before a line's genotype and its name, and the genotype; None where there is none."""
    match, end = _GENOTYPE.search(text), text.rfind(")")
    if match is None or match.start() > end:
        return None
    start = match.start()
    before = " ".join(text[max(0, start - _LONGEST) : start].split())
    return _ASSIGNED.sub("", before), text[start : end + 1]


def _numbers(text: str) -> dict[str, str]:
    """The numbers of a line that holds nothing else, by name.

    Example:
        >>> _numbers("2019-01-01 12:00:00,123 INFO epoch 3 lr 2.5e-02")
        {'epoch': '3', 'lr': '2.5e-02'}
        >>> _numbers("11/28 09:14:02 AM Train_acc: 91.5%, loss=0.25"), _numbers("train 050 1.6 40.1 90.2")
        ({'train_acc': '91.5', 'loss': '0.25'}, {})
        >>> _numbers("=== Epoch [3/50] lr: 0.025 ==="), _numbers("[Search the 003-050-th epoch] Time Left: [10:00:00]")
        ({'epoch': '3', 'lr': '0.025'}, {'epoch': '3'})
    """
    if len(text) > _LONGEST:
        return {}
    text, at = " ".join(_COLOUR.sub("", text).split()), 0
    while (front := _FRONT.match(text, at)) is not None and front.end() > at:
        at = front.end()
    found: dict[str, str] = {}
    epoch = _EPOCH_LINE.match(text, at)
    if epoch is not None:
        found[_EPOCH], at = str(int(epoch["after"] or epoch["before"])), epoch.end()
    label = _LABEL.match(text, at)
    at = at if label is None else label.end()
    pairs: dict[str, str] = {}
    while at < len(text) and text[at:].strip(" })]|*=-"):
        pair = _PAIR.match(text, at)
        if pair is None:
            return found
        pairs[pair["name"].lower()] = pair["value"]
        at = pair.end()
    return found | pairs
