"""What the benchmark scripts share: the option that says where the tables are, and the protocols by short names."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from archpredict.predict.protocols import HoldOut, Protocol, load_protocol

__all__ = ["Protocol", "add_data_option", "load_nb101_20k", "load_nb201", "split"]

_ROOT = Path(__file__).resolve().parent.parent


def load_nb101_20k(folder: Path) -> Protocol:
    return load_protocol("nb101-20k", folder)


def load_nb201(folder: Path) -> Protocol:
    return load_protocol("nb201-c10", folder)


def split(protocol: Protocol, n: int, seed: int) -> HoldOut:
    return protocol.split(n, seed)


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """``--data FOLDER``: where the benchmark tables are."""
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("ARCHPREDICT_DATA", _ROOT.parent / "shared" / "data"),
        metavar="FOLDER",
        help="folder of the benchmark tables (default: $ARCHPREDICT_DATA or ../shared/data)",
    )
