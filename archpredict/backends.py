"""Which versions, optional back ends and devices can be used here."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
import tempfile
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archpredict.errors import MissingDependencyError, UsageError

if TYPE_CHECKING:
    import torch

__all__ = ["has_dgl", "torch_device", "versions"]


def versions(*packages: str) -> dict[str, str | None]:
    """Versions of the packages that are installed, None for others; for records of what something was made with.

    Example:
        >>> versions("archpredict", "no-such-package")
        {'archpredict': '...', 'no-such-package': None}
    """
    return {package: _version(package) for package in packages}


def _version(package: str) -> str | None:
    if package == __package__:  # which need not be installed
        return str(sys.modules[package].__version__)
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def import_dgl() -> Any:
    """Import DGL beside any torch.

    DGL's wheel carries one GraphBolt library per torch release and its import fails where the running torch has none.
    We never use GraphBolt, so an empty module takes its place; this is decided *before* the import, because a failed
    ``import dgl`` leaves half-initialised modules behind.

    Raises:
        MissingDependencyError: DGL is not installed or does not load; every encoder works without it.
    """
    spec = importlib.util.find_spec("dgl")
    if spec is None or spec.origin is None:
        raise MissingDependencyError(
            "the DGL back end needs DGL, which is not installed: pip install 'archpredict[dgl]'"
        )
    os.environ.setdefault("DGLBACKEND", "pytorch")  # else DGL writes a configuration into the home folder
    if "dgl.graphbolt" not in sys.modules and not _has_graphbolt(Path(spec.origin).parent):
        sys.modules["dgl.graphbolt"] = types.ModuleType("dgl.graphbolt")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module("dgl")
    except Exception as error:
        raise MissingDependencyError(
            f"DGL is installed but does not load here ({error}); the other back ends work without it"
        ) from error


def _has_graphbolt(folder: Path) -> bool:
    import torch

    version = torch.__version__.split("+")[0]
    return any((folder / "graphbolt").glob(f"*graphbolt*{version}*"))


@cache
def has_dgl() -> bool:
    """Whether the DGL back end works here."""
    try:
        import_dgl()
    except MissingDependencyError:
        return False
    return True


def torch_device(name: str) -> torch.device:
    """The device of a name: ``auto`` (CUDA where there is one), ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        UsageError: Another name, or CUDA where torch finds none.

    Example:
        >>> torch_device("cpu")
        device(type='cpu')
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if re.fullmatch(r"(cpu|cuda)(:\d+)?", name) is None:
        raise UsageError(f"unknown device {name!r}; choose from: auto, cpu, cuda")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"device {name} was asked for, but torch finds no CUDA device; use `device='cpu'`")
    return torch.device(name)


@contextmanager
def nothing_left_at_home() -> Iterator[None]:
    """Have matplotlib keep its font list in a folder that goes away, unless the user has said where."""
    if "matplotlib" in sys.modules or "MPLCONFIGDIR" in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MPLCONFIGDIR"] = folder
        try:
            yield
        finally:
            del os.environ["MPLCONFIGDIR"]
