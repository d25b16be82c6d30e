"""The text file of ENAS cells that D-VAE publishes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from archpredict.errors import DataError
from archpredict.progress import Observer, silent
from archpredict.tables.formats.base import ARCHITECTURE, Format, Row
from archpredict.tables.reading.files import shown, text_lines

__all__ = ["EnasText"]


class EnasText(Format):
    """Text lines ``[[operator, links...], ...], accuracy`` as published with D-VAE (``final_structures6.txt``).

    Zhang, Jiang, Cui, Garnett and Chen, "D-VAE: a variational autoencoder for directed acyclic graphs", 2019,
    arXiv 1904.11088. The columns are ``architecture`` and ``accuracy``.
    """

    endings = (".txt",)
    fallback = True

    def rows(self, path: Path, observe: Observer = silent) -> Iterator[Row]:
        for line, text in enumerate(text_lines(path), start=1):
            if not text.strip():
                continue
            architecture, comma, accuracy = text.strip().rpartition(",")
            if not comma or not architecture.endswith("]"):
                raise DataError(
                    f"{path}, line {line}: found {shown(text.strip())}, expected [[operator, links...], ...], accuracy "
                    "(cells of ENAS), or a log with a line Genotype(...) for each epoch"
                )
            yield Row(f"line {line}", {ARCHITECTURE: architecture, "accuracy": accuracy.strip()})
