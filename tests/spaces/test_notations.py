"""What others print and hold: every spelling of an architecture reads as the same choices, and no text does harm."""

from __future__ import annotations

import json
import random
import time
from array import array
from collections import OrderedDict, UserString, deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archpredict.errors import InvalidArchitectureError
from archpredict.spaces import load_space
from archpredict.spaces.mobilenetv3 import MobileNetV3
from archpredict.spaces.nasbench101 import NASBench101
from archpredict.spaces.nasbench201 import EDGES

SEEDS = st.integers(0, 2**31)
NAMES = ("darts", "enas", "enas-micro", "mobilenetv3", "nasbench101", "nasbench201", "nasbench-macro")
DARTS, ENAS, MICRO, MOBILE, NB101, NB201, MACRO = map(load_space, NAMES)
assert isinstance(MOBILE, MobileNetV3)
assert isinstance(NB101, NASBench101)
Genotype = namedtuple("Genotype", "normal normal_concat reduce reduce_concat")


def drawn(space: Any, seed: int) -> tuple[int, ...]:
    row: list[int] = space.sample(1, np.random.default_rng(seed))[0].tolist()
    return tuple(row)


def arrays(value: Any) -> Any:
    """Numbers as NumPy's, lists of numbers as arrays."""
    if isinstance(value, dict):
        return {name: arrays(item) for name, item in value.items()}
    if isinstance(value, list):
        return np.array(value) if value and all(type(item) is int for item in value) else [*map(arrays, value)]
    return np.int64(value) if type(value) is int else value


def tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: tuples(item) for name, item in value.items()}
    return tuple(map(tuples, value)) if isinstance(value, list) else value


def spellings(value: Any) -> dict[str, Any]:
    """Everything that a plain value may look like."""
    held = {"value": value, "tuples": tuples(value), "arrays": arrays(value)}
    texts = {f"text of {name}": repr(one) for name, one in held.items()}
    texts["with the module"] = texts["text of arrays"].replace("array(", "np.array(").replace("int64(", "np.int64(")
    texts["json"] = json.dumps(value)
    texts["indented json"] = json.dumps(value, indent=2)
    texts["twice"] = json.dumps(texts["json"])
    texts["in quotes"] = repr(texts["text of value"])
    texts["assigned"] = f"best = {texts['text of value']}"
    texts["logged"] = f"2019-01-01 12:00:00,123 INFO best = {texts['text of tuples']}"
    texts["with blanks"] = f"  {texts['text of value'].replace(', ', ' ,  ')}\n"
    if isinstance(value, dict):
        held["ordered"] = OrderedDict(value)
        held["namespace"] = SimpleNamespace(**value)
        texts["ordered"] = f"OrderedDict({list(value.items())})"
        texts["call"] = "Spec(" + ", ".join(f"{name}={item!r}" for name, item in value.items()) + ")"
        texts["namespace"] = repr(SimpleNamespace(**value))
    return {**held, **texts}


def test_an_architecture_may_be_the_only_entry_of_a_dictionary() -> None:
    for name in NAMES:
        space = load_space(name)
        choices = drawn(space, 3)
        text = space.format(choices)
        for one in ({"arch": text}, {"config": {"arch": text}}, json.dumps({"genotype": text}), f"Arch({text!r})",
                    {"choices": list(choices)}, str({"arch": list(choices)}), f"Candidate(arch={text!r})"):  # fmt: skip
            assert space.parse(one) == choices, one


def check(space: Any, choices: tuple[int, ...], given: dict[str, Any]) -> None:
    for name, one in given.items():
        assert space.parse(one) == choices, (name, one)


@pytest.mark.parametrize("name", NAMES)
@given(seed=SEEDS)
def test_a_vector_of_choices_reads_the_same_however_it_is_written(name: str, seed: int) -> None:
    space = load_space(name)
    choices = drawn(space, seed)
    check(space, choices, spellings([*choices]))
    array = np.array(choices)
    texts = {"blanks": " ".join(map(str, choices)), "commas": ",".join(map(str, choices)), "array": np.array_str(array)}
    check(space, choices, {**texts, "wide array": np.array_repr(array), "own": space.format(choices)})


# ---------------------------------------------------------------------- NAS-Bench-101


@given(SEEDS)
def test_a_matrix_and_operators_read_the_same_however_they_are_written(seed: int) -> None:
    choices = drawn(NB101, seed)
    matrix, ops = NB101.to_matrix(choices)
    check(NB101, choices, spellings({"matrix": matrix, "ops": ops}))
    check(NB101, choices, spellings({"module_adjacency": matrix, "module_operations": ops, "trainable_parameters": 3}))
    check(NB101, choices, spellings([matrix, ops]))
    check(
        NB101,
        choices,
        {
            "specification": f"ModelSpec(matrix={matrix}, ops={ops})",
            "without names": f"api.ModelSpec({matrix}, {ops})",
            "array": f"ModelSpec(matrix={np.array(matrix)!r}, ops={ops})",
            "bytes": f"{{'matrix': {np.array(matrix, dtype=np.int8)!r}, 'ops': {np.array(ops)!r}}}",
            "printed arrays": f"[{np.array(matrix)}, {np.array(ops)}]",
            "floats": {"matrix": np.array(matrix, dtype=float), "ops": np.array(ops)},
            "truth values": {"matrix": np.array(matrix, dtype=bool), "ops": np.array(ops, dtype=object)},
            "printed floats": f"{{'matrix': {np.array(matrix, dtype=float)}, 'ops': {ops}}}",
            "digits": {
                "module_adjacency": "".join(str(bit) for row in matrix for bit in row),
                "module_operations": ",".join(ops),
            },
        },
    )


def test_a_specification_of_the_benchmark_is_read_by_its_attributes() -> None:
    matrix = np.array([[0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]])  # vertex 1 leads nowhere
    ops = ["input", "maxpool3x3", "conv3x3-bn-relu", "output"]
    choices = NB101.parse({"matrix": matrix, "ops": ops})

    class ModelSpec:
        def __init__(self, matrix: Any, ops: Any) -> None:
            self.original_matrix, self.original_ops = matrix, ops
            self.matrix: Any = None
            self.ops: Any = None

    class Slots:
        __slots__ = ("matrix", "ops")

        def __init__(self) -> None:
            self.matrix, self.ops = matrix, ops

    class Properties:
        matrix = property(lambda self: matrix)
        ops = property(lambda self: tuple(ops))

    @dataclass
    class Fields:
        matrix: Any
        ops: Any

    spec = ModelSpec(matrix, ops)
    assert NB101.parse(spec) == choices
    kept = [0, 2, 3]
    spec.matrix, spec.ops = matrix[np.ix_(kept, kept)], [ops[v] for v in kept]
    for one in (spec, Slots(), Properties(), Fields(matrix, ops)):
        assert NB101.parse(one) == choices


def test_a_tuple_of_naslib_is_the_matrix_and_the_operators_in_its_numbers() -> None:
    order = ["input", "output", "maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu"]
    for seed in range(30):
        choices = drawn(NB101, seed)
        matrix, ops = NB101.to_matrix(choices)
        numbers = (*(bit for row in matrix for bit in row), *map(order.index, ops))
        for one in (numbers, str(numbers), np.array(numbers)):
            assert NB101.parse(one) == choices


# ---------------------------------------------------------------------- genotypes


def parts_of(space: Any, choices: tuple[int, ...]) -> dict[str, Any]:
    """The parts of a genotype, pairs as lists."""
    found: dict[str, Any] = eval(space.format(choices), {"__builtins__": {}, "Genotype": dict})  # of our own making
    return {name: [[*pair] if isinstance(pair, tuple) else pair for pair in part] for name, part in found.items()}


def with_edges(parts: dict[str, Any], edge: Callable[[int, str, int], Any]) -> dict[str, Any]:
    """The parts with each edge as ``edge(place, operator, input)`` gives it."""
    return {
        name: part if "concat" in name else [edge(i, op, source) for i, (op, source) in enumerate(part)]
        for name, part in parts.items()
    }


@pytest.mark.parametrize("space", [DARTS, MICRO], ids=["darts", "enas-micro"])
@given(seed=SEEDS)
def test_a_genotype_reads_the_same_however_it_is_written(space: Any, seed: int) -> None:
    choices, rng = drawn(space, seed), random.Random(seed)
    parts = parts_of(space, choices)
    genotype = Genotype(**tuples(parts))
    forms = {
        "plain": parts,
        "with weights": with_edges(parts, lambda _, op, source: [op, source, rng.random()]),
        "weights first": with_edges(parts, lambda _, op, source: [op, rng.random(), source]),
        "with targets": with_edges(parts, lambda i, op, source: [op, source, 2 + i // 2]),
        "targets and weights": with_edges(parts, lambda i, op, source: [op, source, 2 + i // 2, rng.random()]),
        "inputs first": with_edges(parts, lambda _, op, source: [source, op]),
    }
    for form in forms.values():
        check(space, choices, spellings(form))
    nested = {name: part if "concat" in name else [part[i : i + 2] for i in range(0, len(part), 2)]
              for name, part in parts.items()}  # fmt: skip
    check(space, choices, spellings(nested))
    check(
        space,
        choices,
        {
            "named tuple": genotype,
            "its text": repr(genotype),
            "its text with a module": f"genotypes.{genotype!r}",
            "tuple without names": tuple(genotype),
            "its values in order": f"Genotype({', '.join(map(repr, genotype))})",
            "without concatenations": {name: part for name, part in parts.items() if "concat" not in name},
            "arrays of texts": {name: np.array(part) for name, part in parts.items()},
        },
    )


@pytest.mark.parametrize(
    "concat",
    ["range(2, 6)", "xrange(2, 6)", "list(range(2, 6))", "list(xrange(2,6))", "range(2, 6, 1)", "(2, 3, 4, 5)",
     "tuple(range(2, 6))", "np.arange(2, 6)", "array([2, 3, 4, 5])", "[2L, 3L, 4L, 5L]", "[5, 4, 3, 2]", "None",
     "deque([2, 3, 4, 5])", "[np.int64(2), np.int32(3), numpy.uint8(4), int64(5)]", "'range(2, 6)'"],
)  # fmt: skip
@pytest.mark.parametrize(
    "front",
    ["", "genotype = ", "2019-01-01 12:00:00,123 INFO genotype = ",
     "2019-01-01 12:00:00,123 - root - INFO - genotype = ",
          "11/28 09:14:02 AM genotype = ", "INFO:root:genotype = ", "[2019-01-01 12:00:00] genotype: ",
     "(main) best genotype is ",     "[INFO|train.py:12] 12:00:00 >> ", "  genotype=", "12:00:00 | INFO | arch="],
)  # fmt: skip
def test_a_genotype_is_read_with_what_a_log_puts_in_front(front: str, concat: str) -> None:
    choices = drawn(DARTS, 5)
    text = DARTS.format(choices).replace("[2, 3, 4, 5]", concat)
    assert DARTS.parse(front + text) == choices
    assert DARTS.parse(front + text + "\n") == choices


def test_scores_as_numpy_prints_them_stand_beside_the_edges() -> None:
    choices = drawn(DARTS, 6)
    text = str(with_edges(parts_of(DARTS, choices), lambda _, op, source: (op, source, np.float64(0.25))))
    assert DARTS.parse(text) == DARTS.parse(text.replace("0.25", "np.float64(0.25)")) == choices
    assert DARTS.parse(text.replace("0.25", "tensor(0.25, device='cuda:0')")) == choices


def test_a_genotype_in_json_may_hold_a_range_as_a_text() -> None:
    choices = drawn(DARTS, 7)
    parts = {**parts_of(DARTS, choices), "normal_concat": range(2, 6), "reduce_concat": range(2, 6)}
    assert DARTS.parse(parts) == choices
    assert DARTS.parse(json.dumps(parts, default=str)) == choices


# ---------------------------------------------------------------------- Once-for-All


def padded(subnet: Any, filler: Any) -> dict[str, Any]:
    """The configuration with twenty slots."""
    slots = [[*stage, *[(filler, filler)] * (4 - len(stage))] for stage in subnet.stages]
    layers = [layer for stage in slots for layer in stage]
    return {"ks": [k for k, _ in layers], "e": [e for _, e in layers], "d": [len(stage) for stage in subnet.stages]}


@given(SEEDS)
def test_a_configuration_of_once_for_all_reads_the_same_however_unused_slots_are_left(seed: int) -> None:
    choices = drawn(MOBILE, seed)
    subnet = MOBILE.subnet(choices)
    layers = [layer for stage in subnet.stages for layer in stage]
    depths = [len(stage) for stage in subnet.stages]
    used = {"ks": [k for k, _ in layers], "e": [e for _, e in layers], "d": depths}
    by_stage = {"ks": [[k for k, _ in stage] for stage in subnet.stages],
                "e": [[e for _, e in stage] for stage in subnet.stages], "d": depths}  # fmt: skip
    at_the_end = {name: used[name] + [None] * (20 - len(layers)) for name in ("ks", "e")} | {"d": depths}
    forms = [padded(subnet, filler) for filler in (None, 0, 7, 3)] + [used, by_stage, at_the_end]
    r = subnet.resolution
    for form in forms:
        check(MOBILE, choices, spellings({"wid": None, **form, "r": [r]}))
    for more in ({"r": r}, {"image_size": r}, {"image_size": [r]}, {"image_size": (r, r)}, {"r": r, "wid": 1.2},
                 {"image_size": r, "r": None, "wid": [None]}, {"r": np.int64(r), "wid": 0}, {"R": r}):  # fmt: skip
        assert MOBILE.parse({**forms[0], **more}) == choices
        assert MOBILE.parse(str({**forms[4], **more})) == choices
    with_nan = {name: np.array(part, dtype=float) for name, part in padded(subnet, np.nan).items()}
    assert MOBILE.parse({**with_nan, "r": r}) == choices
    assert MOBILE.parse(str({**with_nan, "r": r})) == choices


def test_one_number_stands_for_all_layers() -> None:
    expected = MOBILE.parse("r176" + 5 * " | k7e6 k7e6 k7e6")
    for text in ("{'ks': 7, 'e': 6, 'd': 3, 'r': 176}", '{"ks": 7, "e": 6, "d": [3, 3, 3, 3, 3], "image_size": 176}',
                 "dict(ks=7, e=6, d=3, r=[176])"):  # fmt: skip
        assert MOBILE.parse(text) == expected
    assert MOBILE.parse({"ks": np.int64(7), "e": 6.0, "d": 3, "r": 176}) == expected


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"wid": 1.0}, "'wid' is 1.0, and networks of this space have the width multiplier 1.2"),
        ({"d": 5}, "a stage has 5 layers"),
        ({"d": [2, 2, 2, 2]}, "'d' is not a list of 5 integers"),
        ({"ks": [7, None] + [7] * 18}, "'ks' is not a list of 20 integers"),
        ({"e": [6] * 11}, "'e' is not a list of 20 integers, nor of 10"),
        ({"e": [[6] * 2] * 4 + [[6]]}, "'e' has 1 numbers for stage 4, which has 2 layers"),
        ({"e": None}, "it has no 'e'"),
        ({"r": None}, "it has no 'r'"),
        ({"r": [160, 176]}, "'r' is not an integer, nor a list of one"),
        ({"image_size": 160}, "'r' is 176, and 'image_size' is 160"),
        ({"ks": 9}, "the kernel of layer 0 of stage 0 is 9"),
    ],
)
def test_a_configuration_that_says_something_else_is_refused(change: dict[str, Any], why: str) -> None:
    configuration = {"ks": 7, "e": 6, "d": 2, "r": 176, **change}
    for one in (configuration, str(configuration)):
        with pytest.raises(InvalidArchitectureError, match="mobilenetv3") as caught:
            MOBILE.parse(one)
        assert why in str(caught.value)


# ---------------------------------------------------------------------- NAS-Bench-201


class Structure:
    """The class of the benchmark's own code, as far as it matters here."""

    def __init__(self, nodes: Any) -> None:
        self.node_num = len(nodes) + 1
        self.nodes = [tuple(node) for node in nodes]

    def __repr__(self) -> str:
        text = "+".join("|" + "|".join(f"{op}~{source}" for op, source in node) + "|" for node in self.nodes)
        return f"{type(self).__name__}({self.node_num} nodes with {text})"


@given(SEEDS)
def test_a_cell_of_nasbench201_reads_the_same_however_it_is_written(seed: int) -> None:
    choices = drawn(NB201, seed)
    text = NB201.format(choices)
    ops = [part.partition("~")[0] for part in text.replace("+", "").strip("|").replace("||", "|").split("|")]
    assert len(ops) == 6
    nodes = [[[ops[0], 0]], [[ops[1], 0], [ops[2], 1]], [[ops[3], 0], [ops[4], 1], [ops[5], 2]]]
    structure = Structure(tuples(nodes))
    check(NB201, choices, spellings(nodes))
    check(NB201, choices, spellings(ops))
    check(NB201, choices, spellings(text.split("+")))
    check(NB201, choices, spellings([text]))
    check(NB201, choices, spellings([[op for op, _ in node] for node in nodes]))
    check(NB201, choices, spellings([*choices]))
    configuration = {f"{t}<-{s}": op for (s, t), op in zip(EDGES, ops, strict=True)}
    check(
        NB201, choices, {"configuration": configuration, "text": str(configuration), "json": json.dumps(configuration)}
    )
    check(
        NB201,
        choices,
        {
            "quotes": f"'{text}'",
            "double quotes": f'"{text}"',
            "quotes in quotes": json.dumps(f"'{text}'"),
            "blanks": text.replace("|", " | ").replace("+", " + ").replace("~", " ~ "),
            "line ends": text.replace("+", "+\n"),
            "structure": structure,
            "its text": repr(structure),
            "its text in a log": f"2019-01-01 12:00:00,123 INFO genotype = {structure!r}",
            "its class": f"CellStructure(4 nodes with {text})",
            "its nodes": f"Structure({structure.nodes})",
            "a log": f"[12:00:00] the best arch is : {text}",
            "assigned": f"arch_str={text}",
            "array": np.array(text),
            "array of operators": np.array(ops),
            "digits": "".join(map(str, choices)),
            "digits in quotes": f"'{''.join(map(str, choices))}'",
            "digits with commas": ",".join(map(str, choices)),
        },
    )


# ---------------------------------------------------------------------- ENAS


@given(SEEDS)
def test_layers_of_enas_read_the_same_however_they_are_written(seed: int) -> None:
    choices = drawn(ENAS, seed)
    layers = json.loads(ENAS.format(choices))
    check(ENAS, choices, spellings(layers))
    check(ENAS, choices, spellings([*choices]))
    check(ENAS, choices, {"bits": [[layer[0], *map(bool, layer[1:])] for layer in layers],
                          "numbers": " ".join(map(str, choices)), "commas": ", ".join(map(str, choices))})  # fmt: skip


# ---------------------------------------------------------------------- what is around an architecture


@pytest.mark.parametrize("name", NAMES)
def test_an_architecture_is_read_in_whatever_holds_it(name: str) -> None:
    space = load_space(name)
    choices = drawn(space, 4)
    text = space.format(choices)
    held: dict[str, Any] = {
        "alone in a list": [text],
        "alone in an array": np.array([text]),
        "array of one text": np.array(text),
        "with other things": {"id": 3, "genotype": text, "acc": 93.1},
        "as the best": {"best_arch": text, "acc": 93.1},
        "with other things, as JSON": json.dumps({"config": text, "acc": 93.1}),
        "bytes": text.encode(),
        "text of bytes": repr(text.encode()),
        "text of another class": UserString(text),
        "queue": deque(choices),
        "array of the standard library": array("i", choices),
        "by index": dict(enumerate(choices)),
        "by index in JSON": json.dumps(dict(enumerate(choices))),
        "quoted in Markdown": f"`{text}`",
        "with a comma": f"{text},",
    }
    check(space, choices, held)


@pytest.mark.parametrize(
    "front", ["INFO: ", "best: ", "2019-01-01 12:00:00,123 ", "2019-01-01 12:00:00,123 - INFO - best: ", "config: ", ""]
)
@pytest.mark.parametrize("name", ["darts", "enas", "mobilenetv3", "nasbench101"])
def test_a_dictionary_or_list_may_stand_behind_what_a_log_puts_in_front(name: str, front: str) -> None:
    space = load_space(name)
    choices = drawn(space, 9)
    value: Any = {"enas": lambda: [*choices], "darts": lambda: parts_of(DARTS, choices),
                  "nasbench101": lambda: dict(zip(("matrix", "ops"), NB101.to_matrix(choices), strict=True)),
                  "mobilenetv3": lambda: {**padded(MOBILE.subnet(choices), None),
                                          "resolution": MOBILE.subnet(choices).resolution}}[name]()  # fmt: skip
    texts = {"printed": front + str(value), "json": front + json.dumps(value), "comment": f"{front}{value}  # mine"}
    if isinstance(value, dict):
        texts["keys without quotes"] = front + "{" + ", ".join(f"{key}: {part}" for key, part in value.items()) + "}"
        texts["default"] = f"{front}defaultdict(<class 'list'>, {value})"
        texts["lines"] = "\n".join(f"{key}: {part}" for key, part in value.items())
    check(space, choices, texts)


def test_nodes_may_be_a_set() -> None:
    choices = drawn(DARTS, 5)
    parts = parts_of(DARTS, choices)
    for nodes in ({2, 3, 4, 5}, frozenset((2, 3, 4, 5)), {2: 0, 3: 0, 4: 0, 5: 0}.keys()):
        form = {**parts, "normal_concat": nodes, "reduce_concat": nodes}
        check(DARTS, choices, {"object": form, "text": str(form)})


def test_bars_at_the_ends_of_an_arch_string_may_be_missing() -> None:
    choices = drawn(NB201, 8)
    text = NB201.format(choices)
    ops = [part.partition("~")[0] for part in text.replace("+", "").strip("|").replace("||", "|").split("|")]
    forms = [text[1:], text[:-1], text[1:-1], text[1:-1].replace("|+|", "+"), f"({text})", f"[{text}]",
             f"Structure({text})", f"[Structure(4 nodes with {text})]", ",".join(ops), " ".join(ops),
             f"[{', '.join(ops)}]"]  # fmt: skip
    check(NB201, choices, {form: form for form in forms})


def test_rows_of_a_matrix_and_operators_may_be_texts() -> None:
    choices = drawn(NB101, 8)
    matrix, ops = NB101.to_matrix(choices)
    rows = ["".join(map(str, row)) for row in matrix]
    for one in (rows, " ".join(rows), ";".join(" ".join(row) for row in rows), ",".join("".join(rows))):
        for names in (", ".join(ops), " ".join(ops), f"[{', '.join(ops)}]"):
            for matrix_name in ("matrix", "adj", "adjacency_matrix"):
                assert NB101.parse({matrix_name: one, "ops": names}) == choices


def test_a_text_whose_class_fails_is_no_more_than_its_characters() -> None:
    class Text(str):
        def strip(self, *_: Any) -> str:
            raise AttributeError("strip")

    for name in NAMES:
        with pytest.raises(InvalidArchitectureError):
            load_space(name).parse(Text("x"))


# ---------------------------------------------------------------------- what is in no notation


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "text",
    [
        "[" * 9_000,
        "(" * 9_000,
        "{'a':" * 1_500,
        "Genotype(" * 1_000,
        "a=" * 4_000,
        "'" * 9_999,
        "'\\" * 3_000,
        "1" * 9_999,
        "-" * 9_999,
        " " * 9_999,
        "\n" * 9_999 + "x",
        "|" * 9_999,
        "|a~0" * 2_000,
        "range(0, 10**9)",
        "range(-1000000000, 1000000000)",
        "list(" * 20 + "range(99)" + ")" * 20,
        "[" + "range(99)," * 900 + "]",
        "[0] * 1000000000",
        "'x' * 1000000000",
        "9**9**9",
        "__import__('os').system('true')",
        "open('x', 'w')",
        "lambda: 0",
        "[x for x in y]",
        "f'{1}'",
        "(" + "x=1, " * 1_000 + ")",
        "dict(" + ",".join(f"a{i}={i}" for i in range(900)) + ")",
        "0x10",
        "1e999999999",
        "\ud800",
        "\x00[0]",
    ],
    ids=lambda text: text[:20].encode("unicode_escape").decode(),
)
def test_hostile_text_is_refused_at_once(name: str, text: str) -> None:
    space, start = load_space(name), time.process_time()
    with pytest.raises(InvalidArchitectureError, match=name) as caught:
        space.parse(text)
    assert len(str(caught.value)) < 1_000
    assert time.process_time() - start < 2, "some milliseconds, but for a machine that stands still"


@pytest.mark.parametrize("name", NAMES)
@given(text=st.text(max_size=80) | st.text("[](){},:=0123456789' normaleducGtyp_skivx\\\n|~+.", max_size=80))
@example(text="[0")
def test_no_text_does_anything_but_parse_or_be_refused(name: str, text: str) -> None:
    space = load_space(name)
    try:
        choices = space.parse(text)
    except InvalidArchitectureError:
        return
    assert space.validate(choices) == choices


_OBJECTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 9)
    | st.floats()
    | st.text("abc|~0", max_size=4)
    | st.binary(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(["matrix", "ops", "normal", "reduce", "ks", "e", "d", "r", "nodes", 3]), inner
        )
        | st.tuples(inner, inner)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("name", NAMES)
@given(one=_OBJECTS)
def test_no_object_does_anything_but_parse_or_be_refused(name: str, one: Any) -> None:
    space = load_space(name)
    try:
        choices = space.parse(one)
    except InvalidArchitectureError:
        return
    assert space.validate(choices) == choices


@pytest.mark.parametrize("name", NAMES)
@given(seed=SEEDS)
def test_a_cut_or_changed_text_is_refused_or_another_architecture(name: str, seed: int) -> None:
    space, rng = load_space(name), random.Random(seed)
    text = space.format(drawn(space, seed))
    for _ in range(20):
        i, j = sorted(rng.randrange(len(text) + 1) for _ in "ab")
        damaged = rng.choice([text[:i], text[i:], text[:i] + text[j:], text[:j] + text[i:], text[:i] + "," + text[i:]])
        try:
            choices = space.parse(damaged)
        except InvalidArchitectureError:
            continue
        assert space.validate(choices) == choices
