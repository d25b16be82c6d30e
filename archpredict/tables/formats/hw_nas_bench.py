"""HW-NAS-Bench's measurements of the cells of NAS-Bench-201, as NumPy arrays."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from archpredict._typing import AnyArray
from archpredict.errors import DataError
from archpredict.progress import Observer, silent
from archpredict.tables.formats.base import ARCHITECTURE, Format, Row, read_rows
from archpredict.tables.reading.files import open_bytes

__all__ = ["HWNASBench"]

_CELLS = "nasbench201.csv.gz"
"""The table beside the file that says which cell an index is; the order is the benchmark's own, and follows no rule."""
_DATASETS = ("cifar10", "cifar100", "ImageNet16_120")
_MAX_BYTES = 200_000_000
"""Of all arrays together; the published ones have 2 MB."""
_ERROR = "error"


class HWNASBench(Format):
    """NumPy archive of HW-NAS-Bench, beside a table of NAS-Bench-201.

    Li et al., "HW-NAS-Bench: hardware-aware neural architecture search benchmark", 2021, arXiv 2103.10584. The archive
    holds the arrays ``cifar10``, ``cifar100`` and ``ImageNet16_120``, ``(N, C)`` each, the names of their ``columns``
    and ``index``, the number of each row's cell in NAS-Bench-201; ``nasbench201.csv.gz`` in the same folder, with the
    columns ``index`` and ``arch_str``, says which cell that is. Columns: ``architecture``; one per device and
    metric, such as ``edgegpu_latency`` (ms) and ``edgegpu_energy`` (mJ), for CIFAR-10; and the same for the other data
    sets, ``edgegpu_latency_cifar100`` and so on. Where a cell was not measured, the archive has -1 and the row no
    value; its column ``error`` names the columns.
    """

    endings = (".npz",)

    def rows(self, path: Path, observe: Observer = silent) -> Iterator[Row]:
        columns, index = _read(path)
        table = path.parent / _CELLS
        cells = _cells(table, path)
        for number, cell in enumerate(index.tolist()):
            if cell not in cells:
                raise DataError(f"{path}, row {number}: the index is {cell}, which {table} does not have")
            values: dict[str, Any] = {ARCHITECTURE: cells[cell]}
            for name, numbers in columns.items():
                values[name] = float(numbers[number]) if numbers[number] > 0 else None
            missing = [name for name in columns if values[name] is None]
            values[_ERROR] = f"not measured: {', '.join(missing)}" if missing else ""
            yield Row(f"row {number}", values)


def _read(path: Path) -> tuple[dict[str, AnyArray], AnyArray]:
    """The measurements by the name of their column, ``(N,)`` each, and the indices of the cells, ``(N,)``."""
    try:
        with open_bytes(path) as raw:
            with zipfile.ZipFile(raw) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > _MAX_BYTES:
                    raise DataError(f"{path} holds more than {_MAX_BYTES:,} bytes, the most that is read")
            raw.seek(0)
            with np.load(raw, allow_pickle=False) as arrays:
                return _columns(arrays)
    except DataError:
        raise
    except Exception as error:  # whatever a damaged archive provokes
        why = " ".join(str(error).split())[:200]
        raise DataError(f"{path} is no archive of HW-NAS-Bench that can be read ({why}); bring it again") from error


def _columns(arrays: Mapping[str, AnyArray]) -> tuple[dict[str, AnyArray], AnyArray]:
    names, index = arrays["columns"], arrays["index"]
    columns: dict[str, AnyArray] = {}
    for dataset in _DATASETS:
        numbers = arrays[dataset]
        if numbers.shape != (len(index), len(names)) or not np.isfinite(numbers).all():
            raise ValueError(f"{dataset} has shape {numbers.shape}, expected {len(index)} rows of {len(names)} numbers")
        suffix = "" if dataset == _DATASETS[0] else f"_{dataset}"
        columns |= {f"{name}{suffix}": column for name, column in zip(names.tolist(), numbers.T, strict=True)}
    return columns, index


def _cells(table: Path, path: Path) -> dict[int, str]:
    """The arch string of each index."""
    if not table.exists():
        raise DataError(f"{path} numbers its cells; it needs the table {_CELLS} beside it, which says which they are")
    try:
        return {int(row.values["index"]): row.values["arch_str"] for row in read_rows(table)}
    except (KeyError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{table} has no columns index and arch_str, which say what the cells of {path} are") from error
