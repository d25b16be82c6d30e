"""Large inputs: tables that are predicted, checked and fitted on, and thousands of ONNX files in one ranking.

    python benchmarks/large.py predict --rows 100000 1000000 10000000
    python benchmarks/large.py tables --rows 1000000
    python benchmarks/large.py rank --files 10000

Everything is made in a temporary folder from seed 0 and run through the command line, whose start and imports count.
Peak memory is that of the process, and of it and all processes below it together.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _large import archpredict
from _models import write_models

from archpredict.predict.presets import preset
from archpredict.spaces.base import SearchSpace, load_space

CHUNK = 1_000_000
LABELS = 200


def main() -> None:
    """Print the figures of one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    predict = parts.add_parser("predict", help="rows through `archpredict predict`")
    predict.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    predict.add_argument("--predictors", nargs="+", default=["nac", "default"])
    predict.add_argument("--formats", nargs="+", default=["parquet", "csv"])
    predict.add_argument("--space", default="nasbench201", help="of random architectures, with repetitions")
    ranking = parts.add_parser("rank", help="ONNX files through `archpredict rank`")
    ranking.add_argument("--files", type=int, nargs="+", default=[1000, 10_000])
    tables = parts.add_parser("tables", help="one table: read, checked, fitted on")
    tables.add_argument("--rows", type=int, default=1_000_000)
    tables.add_argument("--predictor", default="nac")
    tables.add_argument("--space", default="darts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        PARTS[options.part](options, Path(folder))


# ---------------------------------------------------------------------- predictions


def predict(options: argparse.Namespace, folder: Path) -> None:
    """Rows per second and peak memory by predictor, format and number of rows."""
    space = load_space(options.space)
    rng = np.random.default_rng(0)
    some = space.sample(LABELS, rng)
    labels = rng.normal(size=len(some))  # speed does not depend on what they are
    for name in options.predictors:
        preset(name).make(seed=0).fit(space.architectures(some), labels).save(folder / name)
    print("| predictor | format | rows | rows a second | seconds | CPU seconds | MB | MB of all processes |")
    print("|---|---|---|---|---|---|---|---|")
    for form, rows in itertools.product(options.formats, options.rows):
        write_rows(folder / f"cells.{form}", options.space, rows)
        for name in options.predictors:
            words = ("predict", "--model", name, "--data", f"cells.{form}", "--out", f"scored.{form}", "--quiet")
            cost = archpredict(words, folder)
            if cost.code:
                raise SystemExit(cost.said)
            print(
                f"| {name} | {form} | {rows:,} | {rows / cost.seconds:,.0f} | {cost.seconds:.1f} | {cost.cpu:.1f} "
                f"| {cost.main:.0f} | {cost.tree:.0f} |",
                flush=True,
            )
            (folder / f"scored.{form}").unlink()


def write_rows(path: Path, space_name: str, rows: int) -> None:
    """A table of random architectures with a number of their own."""
    import pyarrow
    import pyarrow.csv
    import pyarrow.parquet

    space = load_space(space_name)
    rng = np.random.default_rng(0)
    schema = pyarrow.schema([("id", pyarrow.int64()), ("architecture", pyarrow.string())])
    make = pyarrow.csv.CSVWriter if path.suffix == ".csv" else pyarrow.parquet.ParquetWriter
    with make(path, schema) as writer:
        for start in range(0, rows, CHUNK):
            texts = _texts(space, min(CHUNK, rows - start), rng)
            ids = pyarrow.array(np.arange(start, start + len(texts)))
            writer.write_table(pyarrow.Table.from_arrays([ids, texts], schema=schema))


def _texts(space: SearchSpace, count: int, rng: np.random.Generator) -> Any:
    """Notations of ``count`` random architectures, as an array of pyarrow."""
    import pyarrow

    rows = space.sample(count, rng)
    if space.num_vectors < count:
        _, first, which = np.unique(
            np.ravel_multi_index(tuple(rows.T), space.num_choices), return_index=True, return_inverse=True
        )
        return pyarrow.array([space.format(row) for row in rows[first].tolist()]).take(pyarrow.array(which))
    return pyarrow.array([space.format(row) for row in rows.tolist()])


# ---------------------------------------------------------------------- ONNX files


def rank(options: argparse.Namespace, folder: Path) -> None:
    """Files per second and peak memory, the first time and from what was kept."""
    print("| files | kept before | files a second | seconds | CPU seconds | MB | MB of all processes |")
    print("|---|---|---|---|---|---|---|")
    for count in options.files:
        (folder / f"{count}").mkdir()
        write_models(folder / f"{count}", count)
        for kept in ("nothing", "all"):
            cost = archpredict(("rank", str(count), "--cache", f"{count}.db", "--format", "csv", "--quiet"), folder)
            if cost.code != 1:  # some files are noise
                raise SystemExit(cost.said)
            print(
                f"| {count:,} | {kept} | {count / cost.seconds:.0f} | {cost.seconds:.1f} | {cost.cpu:.1f} "
                f"| {cost.main:.0f} | {cost.tree:.0f} |",
                flush=True,
            )


# ---------------------------------------------------------------------- tables


def tables(options: argparse.Namespace, folder: Path) -> None:
    """Seconds and peak memory of what is done with one table of labelled architectures."""
    write_rows(folder / "cells.csv", options.space, options.rows)
    common = ("--space", options.space, "--quiet")
    for words in (
        ("data", "info", "cells.csv", *common),
        ("data", "check", "cells.csv", "--target", "id", *common),
        ("fit", "--data", "cells.csv", "--target", "id", "--predictor", options.predictor, "--out", "model", *common),
    ):
        cost = archpredict(words, folder)
        print(f"{' '.join(words[:2])}: {cost}; exit code {cost.code}", flush=True)
        print("   " + (folder / "out.txt").read_text().strip().replace("\n", "\n   ")[:2000])
        print("   " + cost.said)


PARTS: dict[str, Callable[[argparse.Namespace, Path], None]] = {"predict": predict, "rank": rank, "tables": tables}

if __name__ == "__main__":
    main()
