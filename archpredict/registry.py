"""Plug-ins by name: one file in the right folder is all that a new one needs.

A *kind* is a sub-package of archpredict (``spaces``, ``encoders``, ``heads``, ``strategies``, ``evaluators``). Each
public module in it holds one plug-in class, whose name is the module's, with hyphens for underscores. Other
distributions join through the entry-point group ``archpredict.<kind>``. Where the user writes a reference of her own,
``package.module:Attribute`` and ``path/to/file.py:Attribute`` are accepted too.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
import sysconfig
import traceback
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from archpredict.errors import ArchPredictError, UnknownNameError, UsageError

_WITHOUT_MODULES = ("predictors",)
"""Kinds of which this package keeps its own in a table."""
_FORMER_GROUPS = {"tables.formats": ("archpredict.datasets.formats",)}
"""Entry-point groups that a kind had before it was renamed; plug-ins that name them still load."""


def names(kind: str) -> list[str]:
    """Names of all plug-ins of a kind, without importing any of them.

    Example:
        >>> "darts" in names("spaces")
        True
    """
    return sorted({*_modules(kind), *_entry_points(kind)})


def load(kind: str, name: str) -> Any:
    """The object that another distribution's entry point or a ``module:Attribute`` reference names, as it is.

    Args:
        kind: What it is to be used as, e.g. ``"predictors"``.
        name: Of the entry point, or the reference.

    Raises:
        UsageError: The reference's module or attribute does not exist.
    """
    return _reference(name, kind) if ":" in name else _entry_points(kind)[name].load()


def resolve(kind: str, name: str, base: type) -> Any:
    """Find the plug-in class called ``name``, or the object a ``module:Attribute`` reference names.

    Args:
        kind: Sub-package of archpredict, e.g. ``"spaces"``.
        name: A name from :func:`names`, or ``module:Attribute``, or ``file.py:Attribute``.
        base: The abstract class that plug-ins of this kind derive from.

    Raises:
        UnknownNameError: No plug-in has this name; the message lists those there are.
        UsageError: The reference's module or attribute does not exist.
    """
    if ":" in name:
        return _reference(name, kind)
    modules = _modules(kind)
    plain = name.replace("_", "-")
    if plain in modules:
        return _plugin_class(importlib.import_module(modules[plain]), base)
    points = _entry_points(kind)
    if name in points:
        return points[name].load()
    raise UnknownNameError(
        _singular(kind), name, names(kind), "Or name your own as module:Class or path/to/file.py:Class."
    )


def _singular(kind: str) -> str:
    return f"{kind[:-3]}y" if kind.endswith("ies") else kind.removesuffix("s")


def _modules(kind: str) -> dict[str, str]:
    if kind in _WITHOUT_MODULES:
        return {}
    package = importlib.import_module(f"archpredict.{kind}")
    return {
        info.name.replace("_", "-"): f"{package.__name__}.{info.name}"
        for info in pkgutil.iter_modules(package.__path__)
        if info.name != "base" and not info.name.startswith("_")
    }


def _entry_points(kind: str) -> dict[str, Any]:
    groups = (*_FORMER_GROUPS.get(kind, ()), f"archpredict.{kind}")
    return {point.name: point for group in groups for point in entry_points(group=group)}


def _plugin_class(module: ModuleType, base: type) -> type:
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, base)
        and value.__module__ == module.__name__
        and not inspect.isabstract(value)
    ]
    if len(found) != 1:
        raise TypeError(f"{module.__name__} must define exactly one {base.__name__}, it defines {len(found)}")
    return found[0]


def described(error: BaseException) -> str:
    """An exception in one line, with the place in the user's own code that it came out of, if it did.

    Example:
        >>> described(KeyError("sep_conv"))
        "KeyError: 'sep_conv'"
    """
    if isinstance(error, ArchPredictError):
        text = str(error)
    else:
        text = " ".join(traceback.format_exception_only(type(error), error)[-1].split())
    place = users_place(error)
    return text if place is None else f"{text} ({place})"


def users_place(error: BaseException) -> str | None:
    """Where in code that is neither ours nor of an installed package an exception came from; None if nowhere there."""
    if isinstance(error, SyntaxError) and error.filename and not _is_installed(error.filename):
        return f"{error.filename}, line {error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not _is_installed(f.filename)]
    return f"{frames[-1].filename}, line {frames[-1].lineno}, in {frames[-1].name}" if frames else None


def _is_installed(filename: str) -> bool:
    folders = [
        Path(__file__).parent,
        *(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")),
    ]
    return filename.startswith("<") or any(Path(filename).is_relative_to(folder) for folder in folders)


def _reference(reference: str, kind: str) -> Any:
    location, _, attribute = reference.rpartition(":")
    if not location or not attribute:
        raise UsageError(f"{reference!r} names no class; expected module:Class or path/to/file.py:Class")
    module = _load_file(Path(location)) if location.endswith(".py") else _load_module(location)
    if not hasattr(module, attribute):
        public = sorted(n for n, v in vars(module).items() if inspect.isclass(v) and v.__module__ == module.__name__)
        raise UsageError(f"{location} has no {attribute!r} to use from {kind}; its classes are: {', '.join(public)}")
    return getattr(module, attribute)


def _load_module(location: str) -> ModuleType:
    try:
        return importlib.import_module(location)
    except ModuleNotFoundError as error:
        if error.name and not location.startswith(error.name):
            raise UsageError(f"{location} needs the package {error.name!r}, which is not installed") from error
        raise UsageError(
            f"there is no module {location!r}; give an importable module or a path to a .py file"
        ) from error
    except (Exception, SystemExit) as error:
        raise _broken(location, error) from error


def _broken(location: str | Path, error: BaseException) -> UsageError:
    return UsageError(f"{location} cannot be loaded: {described(error)}; correct it")


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"there is no file {path}; give the path of a Python file, then a colon and a class")
    name = path.stem
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == str(path.resolve()):
        return known
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    assert spec is not None  # a .py suffix always has a loader
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if known is None:  # so that classes of the file can be found again by name
        sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        if known is None:
            del sys.modules[name]
        raise _broken(path, error) from error
    return module
