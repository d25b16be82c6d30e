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

_GENOTYPE = "genotype("
_ASSIGNED = re.compile(r"\w+ ?[:=]? ?$")
_FRONT = re.compile(
    r"\s*(?:[(\[]?[0-9][0-9/:.,TZ+-]*[)\]]?(?=\s|$)|[(\[]?(?:AM|PM|DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL)\b[)\]]?"
    r"|[\w./-]+\.py:[0-9]+|root\b|[-|>:\[\]]+)[:|>,]*\s*",
    re.IGNORECASE,
)
"""What stands before a message: date, time, level, place."""
_PAIR = re.compile(
    r" ?(?P<name>[A-Za-z_][\w./-]*)(?: ?[:=] ?| )[(\[]?"
    r"(?P<value>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|nan|[+-]?inf)(?:/[0-9]+)?[)\]]? ?(?:%|s|M|MB)?"
    r"(?: ?[,;|]|(?= )|$)"
)
"""A name and a number."""
_EPOCH = "epoch"
_MAX_EPOCHS = 100_000
_MAX_COLUMNS = 200
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
        return any(_genotype(text) for text in islice(text_lines(path), _LOOKED_AT))

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
    for line, text in enumerate(text_lines(path), start=1):
        before, genotype = _genotype(text) or (text, None)
        numbers = _numbers(before)
        if epoch.genotype is not None and (genotype is not None or _EPOCH in numbers):
            yield epoch
            epoch = _Epoch()
        elif _EPOCH in numbers:
            epoch = _Epoch()  # what stands before it belongs to no epoch
        if genotype is not None:
            epoch.line, epoch.genotype = line, genotype
        epoch.numbers |= numbers
    if epoch.genotype is not None:
        yield epoch


def _genotype(text: str) -> tuple[str, str] | None:
    """What stands before a line's genotype and its name, and the genotype; None where there is none."""
    start, end = text.lower().find(_GENOTYPE), text.rfind(")")
    if not 0 <= start < end:
        return None
    before = " ".join(text[max(0, start - _LONGEST) : start].split())
    return _ASSIGNED.sub("", before), text[start : end + 1]


def _numbers(text: str) -> dict[str, str]:
    """The numbers of a line that holds nothing else, by name.

    Example:
        >>> _numbers("2019-01-01 12:00:00,123 INFO epoch 3 lr 2.5e-02")
        {'epoch': '3', 'lr': '2.5e-02'}
        >>> _numbers("11/28 09:14:02 AM Train_acc: 91.5%, loss=0.25"), _numbers("train 050 1.6 40.1 90.2")
        ({'train_acc': '91.5', 'loss': '0.25'}, {})
    """
    if len(text) > _LONGEST:
        return {}
    text, at = " ".join(text.split()), 0
    while (front := _FRONT.match(text, at)) is not None and front.end() > at:
        at = front.end()
    found: dict[str, str] = {}
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            return {}
        found[pair["name"].lower()] = pair["value"]
        at = pair.end()
    return found
