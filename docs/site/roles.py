"""What documentation strings refer to (``:class:`Name```) as links of the reference, for griffe."""

from __future__ import annotations

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)
_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc|ref):`~?([^`<]+?)(?:\s*<([^`>]+)>)?`")


class Roles(griffe.Extension):
    """Roles of Sphinx in documentation strings as references that mkdocs-autorefs resolves; examples as sections."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring is not None:
            text = _ROLE.sub(lambda match: _reference(match, obj), obj.docstring.value)
            obj.docstring.value = _EXAMPLE.sub("Examples:", text)


def _reference(match: re.Match[str], where: griffe.Object) -> str:
    text, target = match[1].strip(), (match[2] or match[1]).strip()
    name = text.rpartition(".")[2] if not match[2] else text
    found = target if target.startswith("archpredict.") else _found(target, where)
    return f"[`{name}`][{found}]" if found and _is_public(found, where) else f"`{name}`"


def _found(name: str, where: griffe.Object) -> str | None:
    """The full name of something that is named from where it is in scope."""
    scope: griffe.Object | griffe.Alias | None = where
    while scope is not None:
        if name.split(".")[0] in scope.members:
            member = scope.members[name.split(".")[0]]
            path = member.target_path if member.is_alias else member.path
            return ".".join([path, *name.split(".")[1:]])
        scope = scope.parent
    return None


def _is_public(path: str, where: griffe.Object) -> bool:
    """Whether the reference has a place for it: a name that its module lists, or what such a class has."""
    parts = path.split(".")[1:]
    scope: Any = where.package
    for i, part in enumerate(parts):
        if part.startswith("_") or part not in scope.members:
            return False
        member = scope.members[part]
        listed = scope.exports
        if not member.is_module and scope.is_module and (listed is None or part not in map(str, listed)):
            return False
        if member.is_alias:
            return False
        scope = member
        if i == len(parts) - 1 and member.is_module:
            return False  # modules have no heading of their own
        if not member.is_module and member.docstring is None:
            return False
    return True
