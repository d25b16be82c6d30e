"""Checks submissions to the leaderboard, and prints their table for the documentation.

    python benchmarks/leaderboard.py submissions/*.json

A submission is made by ``archpredict evaluate --protocol NAME --predictor NAME|FILE.py:Class --submit out.json``.
Tables and splits are compared by SHA-256, and every figure is computed anew from the stored predictions; what does not
agree is said in a sentence, and the exit code is 1.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from _protocols import add_data_option

from archpredict.errors import ArchPredictError
from archpredict.predict.leaderboard import check_submission, read_submission
from archpredict.predict.protocols import Protocol, load_protocol, protocol_names


def main() -> int:
    """Print a table for each protocol; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("files", type=Path, nargs="+", help="submissions")
    options = parser.parse_args()

    @cache
    def protocol(name: str) -> Protocol:
        return load_protocol(name, options.data)

    tables: dict[str, list[tuple[str, dict[int, list[float]]]]] = defaultdict(list)
    refused = 0
    for path in options.files:
        try:
            content = read_submission(path)
            name = content.get("protocol")
            under = protocol(name if name in protocol_names() else str(name))
            tables[under.name].append((_named(content), _taus(check_submission(content, under))))
        except ArchPredictError as error:
            print(f"Refused: {path}: {error}")
            refused += 1
    for name, rows in sorted(tables.items()):
        _print(name, rows)
    return 1 if refused else 0


def _named(content: dict[str, Any]) -> str:
    """The name of the predictor, in which nothing can break a table."""
    return "".join(c for c in str(content.get("predictor"))[:60] if c.isprintable() and c not in "|<>`") or "?"


def _taus(trials: list[dict[str, float]]) -> dict[int, list[float]]:
    found: dict[int, list[float]] = defaultdict(list)
    for trial in trials:
        found[int(trial["labels"])].append(trial["kendall_tau"])
    return found


def _print(protocol: str, rows: list[tuple[str, dict[int, list[float]]]]) -> None:
    """Kendall's tau, best at the fewest labels first; mean ± standard deviation, and how many seeds."""
    sizes = sorted({n for _, taus in rows for n in taus})
    print(f"\n| {protocol} | " + " | ".join(f"{n} labels" for n in sizes) + " | seeds |")
    print("|---|" + "---|" * (len(sizes) + 1))
    for name, taus in sorted(rows, key=lambda row: [-np.mean(row[1].get(n, [-1.0])) for n in sizes]):
        cells = [f"{np.mean(taus[n]):.3f} ± {np.std(taus[n]):.3f}" if n in taus else "" for n in sizes]
        print(f"| {name} | {' | '.join(cells)} | {max(map(len, taus.values()))} |")


if __name__ == "__main__":
    raise SystemExit(main())
