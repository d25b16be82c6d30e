"""Functions and bodies of a model: what names stand for within them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import onnx

from archpredict.onnx._file.protos import Opsets, Shape
from archpredict.onnx._tensors.shapes import Value


@dataclass(eq=False)
class Scope:
    """Names where one graph, function or body is walked through; None for an argument that is left out."""

    opsets: Opsets
    values: dict[str, Value | None] = field(default_factory=dict)
    outer: Scope | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    declared: Mapping[str, Shape] = field(default_factory=dict)
    depth: int = 0

    def has(self, name: str) -> bool:
        return name in self.values or (self.outer is not None and self.outer.has(name))

    def find(self, name: str) -> Value | None:
        if name in self.values or self.outer is None:
            return self.values.get(name)
        return self.outer.find(name)


def with_arguments(node: Any, scope: Scope) -> Any:
    """The node with the attributes that a function takes from its caller."""
    if not scope.arguments or not any(a.ref_attr_name for a in node.attribute):
        return node
    filled = onnx.NodeProto()
    filled.CopyFrom(node)
    del filled.attribute[:]
    for attribute in node.attribute:
        given = scope.arguments.get(attribute.ref_attr_name) if attribute.ref_attr_name else attribute
        if given is not None:
            filled.attribute.add().CopyFrom(given)
            filled.attribute[-1].name = attribute.name
    return filled
