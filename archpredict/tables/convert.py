"""One table from another: any format that is read to any that is written."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import IO, Any

from archpredict.errors import DataError
from archpredict.progress import Event, Observer, silent
from archpredict.spaces.base import SearchSpace, load_space
from archpredict.tables.columns import architecture_column, parsed
from archpredict.tables.formats.base import ARCHITECTURE, OBSERVE_EVERY, Kind, format_to_write, read_rows
from archpredict.tables.reading.numbers import as_kind, joined, kind_of
from archpredict.tables.reading.writing import whole

__all__ = ["convert"]


def convert(
    path: str | Path,
    space: str | type[SearchSpace] | SearchSpace,
    out: str | Path,
    *,
    column: str = ARCHITECTURE,
    observe: Observer = silent,
) -> int:
    r"""Write a table's rows to a new file: all of them, with all their columns.

    The architectures come first, as ``architecture``, in the space's own notation. A column is written as numbers
    where every value is a finite number or missing, else as it is.

    Args:
        path: The table to read, in any format.
        space: The space of its architectures, or its name.
        out: The file to make; its name says the format. It is there when it is whole, or not at all.
        column: The column of the architectures.
        observe: Told of the rows read, every hundred of them.

    Returns:
        How many rows were written.

    Raises:
        DataError: The table is malformed or has no rows.
        UsageError: The new file exists, or no format that can be written has its ending.

    Example:
        >>> from archpredict.spaces.base import load_space
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file, new = Path(folder, "one.csv"), Path(folder, "one.jsonl")
        ...     _ = file.write_text("arch,acc\n|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|,10.0\n")
        ...     _ = convert(file, load_space("nasbench201"), new)
        ...     new.read_text()
        '{"architecture": "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|", "acc": 10.0}\n'
    """
    path, out = Path(path), Path(out)
    writer = format_to_write(out)
    with whole(out) as part, tempfile.TemporaryFile("w+", encoding="ascii", dir=part.parent) as spool:
        kinds, count = _spool(path, load_space(space), column, spool, observe)
        spool.seek(0)
        writer.write(part, kinds, _typed(spool, kinds))
    return count


def _spool(
    path: Path, space: SearchSpace, column: str, spool: IO[str], observe: Observer
) -> tuple[dict[str, Kind], int]:
    """Write all rows to a file in passing, as what a column holds is known only after the last row."""
    rows = read_rows(path, observe)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{path} has no rows to convert")
    column = architecture_column(path, first, column, space)
    kinds: dict[str, Kind | None] = {ARCHITECTURE: "text"}
    count = 0
    for count, row in enumerate(chain([first], rows), start=1):
        text = space.format(parsed(path, row, column, space))
        others = {name: value for name, value in row.values.items() if name != column}
        for name, value in others.items():
            kinds[name] = joined(kinds.get(name), kind_of(value))
        spool.write(json.dumps({ARCHITECTURE: text, **others}, default=str) + "\n")
        if count % OBSERVE_EVERY == 0:
            observe(Event("rows read", count))
    return {name: kind or "text" for name, kind in kinds.items()}, count


def _typed(spool: IO[str], kinds: Mapping[str, Kind]) -> Iterator[dict[str, Any]]:
    for line in spool:
        yield {name: as_kind(value, kinds[name]) for name, value in json.loads(line).items()}
