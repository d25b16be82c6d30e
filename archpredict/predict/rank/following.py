"""A CSV file with scores as they become known, for those who do not wait for the ranking."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from archpredict.errors import writing
from archpredict.onnx.files import Failure
from archpredict.predict.rank.scored import ScoredModel

_COLUMNS = ("model", "score", "std", "params", "macs", "nodes", "error")

Told = Callable[[Iterable[ScoredModel], Iterable[Failure]], None]


@contextmanager
def following(path: str | Path | None) -> Iterator[Told]:
    """A function that adds models to the file, which can be read at any time; nothing happens without a path.

    Raises:
        RunError: The file cannot be written.
    """
    if path is None:
        yield lambda scored, failures: None
        return
    with writing(path), Path(path).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_COLUMNS)

        def told(scored: Iterable[ScoredModel], failures: Iterable[Failure]) -> None:
            writer.writerows((one.name, one.known.score, one.known.std, *one.costs, one.nodes, None) for one in scored)
            writer.writerows((failure.model, *[None] * 5, failure.error) for failure in failures)
            stream.flush()

        yield told
