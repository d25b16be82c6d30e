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

import numpy as np
from _large import archpredict

from archpredict.predict.presets import preset
from archpredict.spaces.base import load_space

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


def _texts(space, count: int, rng: np.random.Generator):
    import pyarrow

    distinct, which = np.unique(space.sample(count, rng), axis=0, return_inverse=True)
    return pyarrow.array([space.format(row) for row in distinct.tolist()]).take(pyarrow.array(which.ravel()))


PARTS: dict[str, Callable[[argparse.Namespace, Path], None]] = {"predict": predict}

if __name__ == "__main__":
    main()
