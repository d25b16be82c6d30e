"""Measurements of HW-NAS-Bench are a table like any other."""

from __future__ import annotations

import numpy as np
import pytest

from archpredict.errors import DataError
from archpredict.tables.formats.base import format_of, read_rows
from archpredict.tables.table import Table

CELLS = [f"|{op}~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|" for op in ("none", "skip_connect", "nor_conv_3x3")]


@pytest.fixture
def archive(tmp_path):
    """Writes an archive of three cells beside the table that names them, in another order."""
    lines = "".join(f"{number},{CELLS[number]}\n" for number in (2, 0, 1))
    (tmp_path / "nasbench201.csv.gz").write_bytes(_gzip("index,arch_str\n" + lines))

    def write(**changes):
        numbers = np.array([[1.5, 0.25], [2.5, -1.0], [3.5, 0.75]], dtype=np.float32)
        arrays = {
            "columns": np.array(["fpga_latency", "edgetpu_latency"]),
            "index": np.array([0, 1, 2]),
            "cifar10": numbers,
            "cifar100": numbers + 10,
            "ImageNet16_120": numbers + 20,
        }
        np.savez(tmp_path / "hw.npz", **{**arrays, **changes})
        return tmp_path / "hw.npz"

    return write


def _gzip(text):
    import gzip

    return gzip.compress(text.encode())


def test_a_row_has_its_cell_and_a_column_for_each_device_metric_and_data_set(archive):
    file = archive(index=np.array([2, 0, 1]))
    assert format_of(file)[0] == "hw-nas-bench"
    rows = [row.values for row in read_rows(file)]
    assert [row["architecture"] for row in rows] == [CELLS[2], CELLS[0], CELLS[1]]
    assert [row["fpga_latency"] for row in rows] == [1.5, 2.5, 3.5]
    assert [row["fpga_latency_cifar100"] for row in rows] == [11.5, 12.5, 13.5]
    assert [row["fpga_latency_ImageNet16_120"] for row in rows] == [21.5, 22.5, 23.5]


def test_what_was_not_measured_is_left_out_with_a_warning(archive):
    file = archive()
    with pytest.warns(UserWarning, match="1 rows without a value in 'edgetpu_latency' say that their evaluation"):
        table = Table.read(file, "nasbench201", "edgetpu_latency")
    assert table.labels.tolist() == [0.25, 0.75]
    assert len(Table.read(file, "nasbench201", "fpga_latency", features=["fpga_latency_cifar100"])) == 3


def test_other_archives_are_refused_in_one_sentence(archive, tmp_path):
    for changes, message in [
        ({"cifar10": np.ones((2, 2))}, r"cifar10 has shape \(2, 2\), expected 3 rows of 2 numbers"),
        ({"cifar10": np.full((3, 2), np.nan)}, "cifar10 has shape"),
        ({"index": np.array([0, 1, 7])}, "row 2: the index is 7, which .*nasbench201.csv.gz does not have"),
        ({"columns": np.array([{}, {}], dtype=object)}, "is no archive of HW-NAS-Bench that can be read"),
    ]:
        with pytest.raises(DataError, match=message):
            list(read_rows(archive(**changes)))
    (tmp_path / "other.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(DataError, match="is no archive of HW-NAS-Bench"):
        list(read_rows(tmp_path / "other.npz"))


def test_without_the_table_of_cells_it_says_what_is_missing(archive, tmp_path):
    file = archive()
    (tmp_path / "nasbench201.csv.gz").unlink()
    with pytest.raises(DataError, match=r"it needs the table nasbench201\.csv\.gz beside it"):
        list(read_rows(file))
