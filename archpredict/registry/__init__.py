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
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from archpredict.errors import InvalidGraphError, UnknownNameError, UsageError, described

__all__ = ["find", "make", "names", "resolve"]

_WITHOUT_MODULES = ("predictors",)
"""Kinds of which this package keeps its own in a table."""
_NOUNS = {"images": "data set", "tables.formats": "table format"}
"""What one of a kind is called, where it is not the singular of the kind's name."""
_FORMER_GROUPS = {"tables.formats": ("archpredict.datasets.formats",)}
"""Entry-point groups that a kind had before it was renamed; plug-ins that name them still load."""


def names(kind: str) -> list[str]:
    """Names of all plug-ins of a kind, without importing any of them.

    Example:
        >>> "darts" in names("spaces")
        True
    """
    return sorted({*_modules(kind), *_entry_points(kind)})


def find(kind: str, name: str) -> Any:
    """The object that a name, an entry point or a reference names, whatever it is.

    Args:
        kind: Sub-package of archpredict, e.g. ``"spaces"``.
        name: A name from :func:`names`, or ``module:Attribute``, or ``file.py:Attribute``.

    Raises:
        UnknownNameError: No plug-in has this name; the message lists those there are.
        UsageError: The reference's module or attribute does not exist, or an entry point cannot be loaded.
    """
    if ":" in name:
        return _reference(name, kind)
    modules = _modules(kind)
    plain = name.replace("_", "-")
    if plain in modules:
        return importlib.import_module(modules[plain])
    points = _entry_points(kind)
    if name not in points:
        raise UnknownNameError(
            _singular(kind), name, names(kind), "Or name your own as module:Class or path/to/file.py:Class."
        )
    try:
        return points[name].load()
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"the {_singular(kind)} {name} ({points[name].value}) cannot be loaded: {described(error)}"
        ) from error


def resolve(kind: str, target: str | type, base: type) -> Any:
    """The plug-in class of a name, an entry point or a reference; a class of the caller's own as it is.

    Args:
        kind: Sub-package of archpredict, e.g. ``"spaces"``.
        target: A name from :func:`names`, ``module:Class``, ``file.py:Class``, or a class.
        base: The abstract class that plug-ins of this kind derive from.

    Raises:
        UnknownNameError: No plug-in has this name; the message lists those there are.
        UsageError: The reference's module or attribute does not exist, or what it names is no class derived from
            ``base``, or one that leaves abstract methods out.

    Example:
        >>> from archpredict.heads.base import Head
        >>> resolve("heads", "collections:OrderedDict", Head)
        Traceback (most recent call last):
        ...
        archpredict.errors.UsageError: the head 'collections:OrderedDict' is the class OrderedDict; expected a class \
derived from archpredict.heads.base.Head
    """
    found = find(kind, target) if isinstance(target, str) else target
    if inspect.ismodule(found) and isinstance(target, str) and ":" not in target:
        return _plugin_class(found, base)
    return _checked(f"the {_singular(kind)} {_shown(target)}", found, base)


def make(kind: str, target: Any, base: type) -> Any:
    """The plug-in that a name, a reference, a class or a function without arguments makes; an instance as it is.

    Args:
        kind: Sub-package of archpredict, e.g. ``"spaces"``.
        target: A name or reference as in :func:`resolve`, which may name a function or an instance too; or a class, a
            function or an instance.
        base: The abstract class that plug-ins of this kind derive from.

    Raises:
        UnknownNameError: No plug-in has this name; the message lists those there are.
        UsageError: The reference names nothing, what it names cannot be made, or is not of this kind.
    """
    found = find(kind, target) if isinstance(target, str) else target
    if isinstance(found, base):
        return found
    what = f"the {_singular(kind)} {_shown(target)}"
    if inspect.ismodule(found) or inspect.isclass(found):
        found = resolve(kind, target if inspect.ismodule(found) else found, base)
    if not callable(found):
        raise UsageError(f"{what} is {_described_object(found)}; expected {_expected(base)}, or an object of one")
    try:
        made = found()
    except Exception as error:
        if isinstance(error, UsageError) and not isinstance(error, InvalidGraphError):
            raise
        raise UsageError(f"{what} cannot be made: {described(error)}") from error
    if not isinstance(made, base):
        raise UsageError(f"{what} makes {_described_object(made)}; expected an object of {_expected(base)}")
    return made


def _checked(what: str, found: Any, base: type) -> Any:
    if not inspect.isclass(found) or not issubclass(found, base):
        raise UsageError(f"{what} is {_described_object(found)}; expected {_expected(base)}")
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise UsageError(
            f"{what} is an abstract class: it does not define {', '.join(missing)}; define what is missing"
        )
    return found


def _expected(base: type) -> str:
    return f"a class derived from {base.__module__}.{base.__qualname__}"


def _shown(target: Any) -> str:
    return repr(target) if isinstance(target, str) else "given"


def _described_object(found: Any) -> str:
    if inspect.isclass(found):
        return f"the class {found.__name__}"
    if inspect.ismodule(found):
        return f"the module {found.__name__}"
    if inspect.isroutine(found):
        return f"the function {found.__name__}"
    return f"an object of type {type(found).__name__}"


def _singular(kind: str) -> str:
    if kind in _NOUNS:
        return _NOUNS[kind]
    return f"{kind[:-3]}y" if kind.endswith("ies") else kind.removesuffix("s")


def _modules(kind: str) -> dict[str, str]:
    if kind in _WITHOUT_MODULES:
        return {}
    package = importlib.import_module(f"archpredict.{kind}")
    return {
        info.name.replace("_", "-"): f"{package.__name__}.{info.name}"
        for info in pkgutil.iter_modules(package.__path__)
        if info.name != "base" and not info.ispkg and not info.name.startswith("_")
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
