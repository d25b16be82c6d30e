"""Prints the lowest versions that pyproject.toml promises, as constraints for pip (``make test-lowest``)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

_PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
_EXTRAS = ("images", "parquet")
"""Beside what is always needed. DGL is left out, which is optional and binds the others to versions of its own."""


def lowest(pyproject: Path = _PYPROJECT) -> Iterator[str]:
    """``name==version`` of each dependency.

    Raises:
        ValueError: A dependency without a lower bound.
    """
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    for requirement in [*project["dependencies"], *(each for extra in _EXTRAS for each in extras[extra])]:
        found = re.match(r"([\w-]+)>=([\d.]+)", requirement)
        if found is None:
            raise ValueError(f"{requirement} has no lower bound; write NAME>=VERSION")
        yield f"{found[1]}=={found[2]}"


if __name__ == "__main__":
    print("\n".join(lowest()))
