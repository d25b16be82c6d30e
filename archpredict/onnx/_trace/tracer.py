"""From ONNX's nodes to the operators that work on data, with shapes: one pass in topological order.

Constants and the arithmetic on shapes are computed on the way; functions and the branches that are taken are walked
through where they are called, so that nothing has to be copied or renamed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import onnx

from archpredict.errors import ModelFileError, counted
from archpredict.onnx._file.protos import Kind, Opsets, Shape, kind_of, newest_opset, plain_domain
from archpredict.onnx._tensors.constants import FROM_SHAPES, Constants
from archpredict.onnx._tensors.ordering import WEIGHT_SLOTS, called, ordered, shown
from archpredict.onnx._tensors.partial_shapes import merged, refined
from archpredict.onnx._tensors.scopes import Scope, with_arguments
from archpredict.onnx._tensors.shapes import ShapeRules, Value
from archpredict.onnx._tensors.steps import Step, Tensor, Trace
from archpredict.onnx._trace.aliases import READ_BARE, alias, is_quantiser
from archpredict.onnx._trace.clipping import ROUNDED, greatest, unclipped
from archpredict.onnx._trace.control import CONTROL
from archpredict.onnx._trace.inputs import data_inputs, input_kinds, is_assumed
from archpredict.onnx._trace.open_axes import OpenSizes, assumed
from archpredict.onnx._written_out.expansion import MICROSOFT, OPSET, Call
from archpredict.onnx._written_out.expansions import expansion_of
from archpredict.onnx._written_out.nchwc import unfilled

MAX_NODES = 100_000
"""Nodes of one model, with functions and branches written out."""
MAX_CALLS = 40
"""Levels of functions and branches within each other."""
_MAX_PARTS = 800_000
_MAX_BYTES = 1 << 27
"""Of all nodes, with functions and branches written out."""
_MAX_WARNINGS = 20


def trace(
    model: onnx.ModelProto, input_shapes: Mapping[str, Sequence[int]] | None = None, sizes: OpenSizes | None = None
) -> Trace:
    """The operators of a model that work on data.

    Args:
        model: As read from a file; weights are not needed and external files not opened.
        input_shapes: Shapes of inputs by name, where the model leaves them open; a batch that is left open is 1.
        sizes: How long other axes are that it leaves open; None for not known.

    Raises:
        ModelFileError: The graph is empty, cyclic or incomplete, or has no outputs.
    """
    return _Tracer(model).run(input_shapes or {}, sizes)


class _Tracer:
    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.steps: list[Step] = []
        self.warnings: dict[str, None] = {}
        self.rules, self.constants = ShapeRules(), Constants(self.warn)
        self.nodes = self.expanded = self.parts = self.bytes = 0
        self.folded: dict[str, int] = {}
        self.unknown: dict[str, int] = {}
        self.functions = {(plain_domain(f.domain), f.name, f.overload): f for f in model.functions}

    def run(self, given: Mapping[str, Sequence[int]], sizes: OpenSizes | None) -> Trace:
        graph = unfilled(self.model.graph, self.warn)
        if not graph.node:
            raise ModelFileError("the graph has no operators; export the model again")
        if not graph.output:
            raise ModelFileError("the graph has no outputs, so nothing says what the network computes; export it again")
        scope = Scope(self._opsets())
        scope.values.update(self.constants.of_graph(graph))
        inputs, stripped = data_inputs(graph, set(scope.values))
        for value in stripped:
            scope.values[value.name] = self.constants.parameter(value.name, kind_of(value.type))
        filled = assumed(graph, inputs, given, sizes) if sizes is not None else {}
        kinds = input_kinds(inputs, given, filled, self.warn)
        open_ = {
            v.name: kinds[v.name].shape for v in inputs if v.name not in given and is_assumed(v, kinds[v.name].shape)
        }
        tensors = {name: Tensor(name, kind.shape, kind.dtype) for name, kind in kinds.items()}
        scope.values.update({n: Value(tensors[n], kind.dtype, other=kind.other) for n, kind in kinds.items()})
        if not given:
            scope.declared = {v.name: kind_of(v.type).shape for v in (*graph.value_info, *graph.output)}
        self.walk(graph.node, scope)
        results = [value.tensor for value in self.results(graph.output, scope, "the graph")]
        shapes = {output.name: tensor.shape for output, tensor in zip(graph.output, results, strict=True)}
        self.steps, outputs = unclipped(self.steps, list(dict.fromkeys(results)))
        self.steps = _alive(self.steps, outputs)
        return Trace(
            steps=self.steps,
            inputs=list(tensors.values()),
            outputs=outputs,
            output_shapes=shapes,
            opset=scope.opsets[""],
            producer=self.model.producer_name[:60],
            num_nodes=self.nodes - self.expanded,
            warnings=self._sentences(),
            folded=self.folded,
            unknown=self.unknown,
            assumed={name: shape for name, shape in open_.items() if shape is not None and -1 not in shape},
        )

    def warn(self, text: str) -> None:
        self.warnings[text] = None

    def count(self, what: str) -> None:
        """Note that something was folded."""
        self.folded[what] = self.folded.get(what, 0) + 1

    def _sentences(self) -> list[str]:
        problems: dict[str, list[str]] = {}
        for node, reason in self.rules.problems:
            problems.setdefault(node.op_type, []).append(f"{called(node)} does not fit: {reason}")
        for texts in problems.values():
            self.warn(texts[0] + (f" ({len(texts) - 1} more like it)" if len(texts) > 1 else ""))
        unsure = [(s, t) for s in self.steps for t in s.outputs if t is not None and (t.shape is None or -1 in t.shape)]
        if unsure:
            step, tensor = unsure[0]
            first = f"{step.op[:60]} {shown(tensor.name)}"
            which = f"are not known, beginning with {first}" if len(unsure) > 1 else f"is not known, that of {first}"
            self.warn(f"{counted(len(unsure), 'shape')} after {counted(len(self.steps), 'operator')} {which}")
        texts = list(self.warnings)
        more = len(texts) - _MAX_WARNINGS
        return (
            texts
            if more <= 0
            else [*texts[:_MAX_WARNINGS], f"{counted(more, 'more warning')} {'is' if more == 1 else 'are'} not shown"]
        )

    def _opsets(self) -> Opsets:
        opsets, newest = Opsets.of(self.model.opset_import), newest_opset()
        if "" not in opsets:
            opsets[""] = 1 if 0 < self.model.ir_version < 3 else newest
            if any(plain_domain(node.domain) == "" for node in self.model.graph.node):
                self.warn(f"the file does not say which version of ONNX's operators it uses; taken for {opsets['']}")
        elif not 1 <= opsets[""] <= newest:
            self.warn(
                f"the file uses version {opsets['']} of ONNX's operators, and the package onnx knows 1 to {newest}; "
                "what is new in it may not be known"
            )
            opsets[""] = min(max(opsets[""], 1), newest)
        return opsets

    # Walking.

    def walk(self, nodes: Sequence[Any], scope: Scope) -> None:
        self.nodes += len(nodes)
        if self.nodes > MAX_NODES:
            raise ModelFileError(
                f"the model has more than {MAX_NODES:,} operators (functions written out), the most that are read"
            )
        self.parts += sum(len(node.input) + len(node.output) + len(node.attribute) for node in nodes)
        self.bytes += sum(node.ByteSize() for node in nodes)
        if self.parts > _MAX_PARTS or self.bytes > _MAX_BYTES:
            raise ModelFileError(
                f"the operators (functions written out) have more than {_MAX_PARTS:,} inputs, outputs and attributes "
                f"or {_MAX_BYTES:,} bytes, the most that are read"
            )
        if scope.depth > MAX_CALLS:
            raise ModelFileError(
                f"the model has functions or branches more than {MAX_CALLS} deep within each other, or a function "
                "that calls itself; export it without functions"
            )

        def missing(name: str, node: Any, place: int) -> bool:
            if place not in WEIGHT_SLOTS.get(node.op_type, ()):
                return False
            self.warn(f"nothing writes {shown(name)}, which {called(node)} reads; taken for a parameter left out")
            scope.values[name] = self.constants.parameter(name, Kind(scope.declared.get(name), 1))
            return True

        sequence, in_order = ordered(nodes, scope.has, missing)
        if not in_order:
            self.warn("the operators are not in topological order and were sorted")
        for node in sequence:
            self._visit(node, scope)

    def results(self, outputs: Sequence[Any], scope: Scope, where: str) -> list[Value]:
        values = []
        for output in outputs:
            name = output if isinstance(output, str) else output.name
            value = scope.find(name)
            if value is None:
                raise ModelFileError(f"nothing writes {shown(name)}, an output of {where}; export the model again")
            values.append(value)
        return values

    def _visit(self, node: Any, scope: Scope) -> None:
        domain = plain_domain(node.domain)
        if domain == "" and node.op_type == "Constant" and node.output:
            scope.values[node.output[0]] = self.constants.written(with_arguments(node, scope))
            return
        inputs = [scope.find(name) if name else None for name in node.input]
        node = with_arguments(node, scope)
        function = self.functions.get((domain, node.op_type, node.overload)) if self.functions else None
        if function is not None:
            self._call(function, node, inputs, scope)
        elif domain == "" and node.op_type in CONTROL:
            CONTROL[node.op_type](self, node, inputs, scope)
        elif not (self._written_out(node, inputs, scope) or self._left_out(node, inputs, scope)):
            self._apply(node, inputs, scope)

    def _left_out(self, node: Any, inputs: Sequence[Value | None], scope: Scope) -> bool:
        """Let the outputs of a copy or a quantiser be what it reads; whether it is one."""
        if not (self._rounded(node, inputs, scope) or alias(node, inputs, scope)):
            return False
        if is_quantiser(node):
            self.count(f"{node.op_type} left out")
        return True

    def _rounded(self, node: Any, inputs: Sequence[Value | None], scope: Scope) -> bool:
        """Keep a quantiser in which a ReLU may be; whether it is one."""
        if not is_quantiser(node):
            return False
        kind = next((a.i for a in node.attribute if a.name == "output_dtype"), 0)
        top = greatest(node, inputs, kind)
        source = inputs[0].tensor if inputs and inputs[0] is not None else None
        if top is None or source is None or not node.output:
            return False
        result = Tensor(node.output[0], source.shape, 1)
        self.steps.append(Step(ROUNDED, "", {"top": top}, [source], [result]))
        scope.values[node.output[0]] = Value(result, 1)
        return True

    def _apply(self, node: Any, inputs: Sequence[Value | None], scope: Scope) -> None:
        attributes = self._attributes(node, scope)
        kinds = self.rules.outputs(node, inputs, attributes, scope.opsets)
        self._write(node, inputs, attributes, kinds, scope)

    def _attributes(self, node: Any, scope: Scope) -> dict[str, Any]:
        try:
            return self.rules.attributes(node, scope.opsets)
        except ValueError:
            self.warn(f"{called(node)} has an attribute that is not read: its elements do not fit its shape")
            return {}

    def _write(
        self,
        node: Any,
        inputs: Sequence[Value | None],
        attributes: dict[str, Any],
        kinds: Sequence[Kind],
        scope: Scope,
    ) -> None:
        """Give the outputs' names their values: constants, or what a new step writes."""
        standard = plain_domain(node.domain) == ""
        kinds = [
            refined(node, inputs, attributes, kind, scope.declared.get(name))
            for name, kind in zip(node.output, kinds, strict=True)
        ]
        if (standard and node.op_type in FROM_SHAPES) or all(v is None or v.tensor.constant for v in inputs):
            if not self.rules.known(node, scope.opsets):
                self._not_known(node)
                kinds = [k if k.shape is not None else Kind(_shape_of_first(inputs), k.dtype) for k in kinds]
            values = self.constants.computed(node, inputs, attributes, kinds)
        else:
            values = [
                Value(Tensor(n, k.shape, k.dtype), k.dtype, other=k.other)
                for n, k in zip(node.output, kinds, strict=True)
            ]
            tensors = [v.tensor if v is not None else None for v in inputs]
            learnt = any(t is not None and (t.learnt or bool(t.parameters)) for t in tensors)
            for v in values:
                v.tensor.learnt = learnt
            outputs = [v.tensor if name else None for name, v in zip(node.output, values, strict=True)]
            if node.op_type in READ_BARE and values:
                values[0].tensor.bare = any(t is not None and t.constant and t.bare for t in tensors)
            self.steps.append(Step(node.op_type, plain_domain(node.domain), attributes, tensors, outputs))
        scope.values.update({name: value for name, value in zip(node.output, values, strict=True) if name})

    def _not_known(self, node: Any) -> None:
        domain = plain_domain(node.domain)
        name = f"{domain}.{node.op_type}"[:80] if domain else node.op_type[:80]
        self.unknown[name] = self.unknown.get(name, 0) + 1

    # Functions, and operators that are written out.

    def _call(self, function: Any, node: Any, inputs: Sequence[Value | None], scope: Scope) -> None:
        opsets = Opsets({**scope.opsets, **Opsets.of(function.opset_import)})
        inner = Scope(opsets, dict.fromkeys(function.input), depth=scope.depth + 1)
        inner.values.update(zip(function.input, inputs, strict=False))
        inner.arguments = {a.name: a for a in (*function.attribute_proto, *node.attribute)}
        self.walk(function.node, inner)
        self.bind(node, self.results(function.output, inner, f"the function {shown(function.name)}"), scope)

    def _written_out(self, node: Any, inputs: Sequence[Value | None], scope: Scope) -> bool:
        """Walk through what an operator stands for; whether there is such a thing."""
        domain = plain_domain(node.domain)
        expansion = expansion_of(node.op_type, domain, scope.opsets)
        if expansion is None:
            return False
        call = Call(node, inputs, self._attributes(node, scope), scope.opsets.get(domain, 1))
        results = expansion(call)
        if results is None:
            return False
        inner = Scope(Opsets({"": OPSET, MICROSOFT: 1}), _named(call, self.constants), depth=scope.depth + 1)
        before = self.nodes
        self.walk(call.nodes, inner)
        self.expanded += self.nodes - before
        if [made.op_type for made in call.nodes] != [node.op_type]:
            self.count(f"{node.op_type[:60]} written out")
        none = [Value(Tensor(name, None, constant=True), 1) for name in node.output]
        found = [inner.find(name) if name else None for name in results]
        values = [value or left for value, left in zip_longest(found, none)][: len(node.output)]
        for name, value in zip(node.output, values, strict=True):
            if not value.tensor.constant:
                value.tensor.shape = merged(value.tensor.shape, scope.declared.get(name))
                if value.tensor.name.startswith("~"):
                    value.tensor.name = name
        self.bind(node, values, scope)
        return True

    def bind(self, node: Any, values: Sequence[Value], scope: Scope) -> None:
        """Let the outputs of an operator be these values."""
        scope.values.update({name: value for name, value in zip(node.output, values, strict=False) if name})
        for name in node.output:
            if name and name not in scope.values:
                raise ModelFileError(f"{called(node)} has more outputs than what it stands for; export the model again")


def _named(call: Call, constants: Constants) -> dict[str, Value | None]:
    """What the names stand for that operators written in another's place read."""
    inputs = call.inputs
    first = inputs[0].dtype if inputs and inputs[0] is not None else 0
    values: dict[str, Value | None] = {f"~{i}": value for i, value in enumerate(inputs) if value is not None}
    for name, array in call.numbers.items():
        values[name] = constants.number(name, array, first if name in call.factors else 0)
    for name in call.units:
        values[name] = constants.unit(name)
    for name, (index, shape) in call.packed.items():
        packed = inputs[index]
        values[name] = None if packed is None else constants.unpacked(packed, shape)
    for name, (index, *places) in call.parts.items():
        whole = inputs[index]
        values[name] = None if whole is None else constants.part(whole, *places)
    return values


def _shape_of_first(inputs: Sequence[Value | None]) -> Shape:
    """What an unknown operator makes of a parameter most likely has its shape: most of them round or normalise it."""
    return inputs[0].tensor.shape if inputs and inputs[0] is not None else None


def _alive(steps: Sequence[Step], outputs: Sequence[Tensor]) -> list[Step]:
    """The steps that some output depends on."""
    needed, kept = set(outputs), []
    for step in reversed(steps):
        if any(tensor in needed for tensor in step.outputs if tensor is not None):
            kept.append(step)
            needed.update(tensor for tensor in step.inputs if tensor is not None)
    return kept[::-1]
