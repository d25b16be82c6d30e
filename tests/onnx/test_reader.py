"""Whole models: those that ship with onnx, random small networks, real classifiers; and what ``read`` tells."""

from __future__ import annotations

import csv
import gzip
import random
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, save

from archpredict.errors import ModelFileError
from archpredict.graph.operators import OPERATORS, known_label, total
from archpredict.onnx.reader import canonical, load, read, trace

_LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


# ---------------------------------------------------------------------- models that ship with onnx

PUBLISHED = {
    # millions of parameters, billions of multiply-adds; torchvision's documentation where not said otherwise
    "bvlc_alexnet": (61.0, 0.65),  # two groups, as in Krizhevsky et al. (2012): 60 M parameters
    "densenet121": (7.98, 2.83),
    "inception_v1": (7.00, 1.43),  # Szegedy et al. (2014) say 6.8 M without biases
    "inception_v2": (11.2, 2.02),  # Ioffe and Szegedy (2015): 2.02 G and 11.3 M
    "resnet50": (25.56, 4.09),
    "shufflenet": (1.4, 0.125),  # the zoo's file has 5.3 MB
    "squeezenet": (1.24, 0.35),  # version 1.1
    "vgg19": (143.67, 19.63),
    "zfnet512": (87.3, 1.48),  # the zoo's file has 341 * 1,024,000 bytes
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_light_models_count_as_published(name: str) -> None:
    model = read(_LIGHT / f"light_{name}.onnx")
    params, macs = PUBLISHED[name]
    assert total(model.graph, "params") == pytest.approx(params * 1e6, rel=0.02)
    assert total(model.graph, "macs") == pytest.approx(macs * 1e9, rel=0.02)
    assert (model.graph.attrs["shape"] >= 0).all()
    assert model.warnings == ()
    assert not model.unknown


def test_zfnet_by_hand() -> None:
    graph = read(_LIGHT / "light_zfnet512.onnx").graph
    convolutions = [(96, 3, 7), (256, 96, 5), (512, 256, 3), (512, 512, 3), (512, 512, 3)]
    linear = [(4096, 512 * 6 * 6), (1024, 4096), (1000, 1024)]
    expected = sum(o * i * k * k + o for o, i, k in convolutions) + sum(o * i + o for o, i in linear)
    assert total(graph, "params") == expected


def test_all_nodes_of_the_light_models_are_known() -> None:
    for name in PUBLISHED:
        assert set(read(_LIGHT / f"light_{name}.onnx").graph.ops) <= set(OPERATORS)


# ---------------------------------------------------------------------- invariances


def _renamed_and_shuffled(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """Operators in another order that is topological too; other names for every tensor and operator."""
    chance, changed = random.Random(seed), onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    stored = {tensor.name for tensor in graph.initializer}
    known = {value.name for value in graph.input} | stored | {""}
    waiting, order = list(graph.node), []
    while waiting:
        node = chance.choice([node for node in waiting if known.issuperset(node.input)])
        waiting.remove(node)
        order.append(node)
        known.update(node.output)
    names = {name: f"n{i}" for i, name in enumerate(chance.sample(sorted(known - {""}), len(known) - 1))} | {"": ""}
    order = [onnx.NodeProto.FromString(node.SerializeToString()) for node in order]
    del graph.node[:]
    for i, node in enumerate(order):
        node.name = f"op{i}"
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
        graph.node.append(node)
    for entry in (*graph.input, *graph.output, *graph.initializer):
        entry.name = names[entry.name]
    del graph.value_info[:]
    shuffled = chance.sample(list(graph.initializer), len(graph.initializer))
    kept = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in shuffled]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return changed


def _block_model(writer) -> onnx.ModelProto:
    """A branched network with what is folded and recognised: batch norms, SiLU, attention, a gate."""
    w = writer(x=(1, 4, 6, 6))

    def conv(x, channels):
        made = w("Conv", x, w.weight(channels, 4, 1, 1))
        return w("BatchNormalization", made, *(w.weight(channels) for _ in range(4)))

    y = conv("x", 4)
    y = w("Mul", y, w("Sigmoid", y))
    gate = w("Sigmoid", w("Conv", w("GlobalAveragePool", y), w.weight(4, 4, 1, 1)))
    y = w("Add", w("Mul", y, gate), conv("x", 4))
    tokens = w("Transpose", w("Reshape", y, [1, 4, 36]), perm=[0, 2, 1])
    q, k, v = (w("MatMul", tokens, w.weight(4, 4)) for _ in range(3))
    scores = w("Softmax", w("Mul", w("MatMul", q, w("Transpose", k, perm=[0, 2, 1])), 0.5), axis=-1)
    mixed = w("Add", tokens, w("MatMul", scores, v))
    return w.model(w("MatMul", w("ReduceMean", mixed, axes=[1], keepdims=0), w.weight(4, 10)))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_names_and_the_order_of_operators_do_not_matter(writer, seed: int) -> None:
    model = _block_model(writer)
    expected = canonical(trace(model, None)).graph
    assert canonical(trace(_renamed_and_shuffled(model, seed), None)).graph.key == expected.key


def test_the_order_of_a_real_networks_operators_does_not_matter() -> None:
    model = onnx.load(_LIGHT / "light_squeezenet.onnx")
    expected = canonical(trace(model, None)).graph.key
    assert canonical(trace(_renamed_and_shuffled(model, 1), None)).graph.key == expected


LAYERS = st.lists(
    st.tuples(
        st.sampled_from([4, 6, 8]),  # output channels
        st.sampled_from([1, 3, 5]),  # kernel
        st.sampled_from([1, 2]),  # stride
        st.booleans(),  # grouped
        st.booleans(),  # with a bias
        st.booleans(),  # with a batch norm
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=40, deadline=None)
@given(layers=LAYERS, classes=st.integers(1, 7))
def test_counts_of_random_networks_are_those_by_hand(writer, layers, classes: int) -> None:
    w = writer(x=(1, 4, 32, 32))
    x, channels, side, params, macs = "x", 4, 32, 0, 0
    for out, kernel, stride, grouped, bias, norm in layers:
        groups = 2 if grouped else 1
        weight = w.weight(out, channels // groups, kernel, kernel)
        pads = [kernel // 2] * 4
        more = [w.weight(out)] if bias else []
        x = w("Conv", x, weight, *more, group=groups, strides=[stride] * 2, pads=pads)
        if norm:
            x = w("BatchNormalization", x, *(w.weight(out) for _ in range(4)))
        x = w("Relu", x)
        side = (side + 2 * (kernel // 2) - kernel) // stride + 1
        numbers = out * (channels // groups) * kernel**2
        params += numbers + (out if bias or norm else 0)
        macs += numbers * side**2
        channels = out
    pooled = w("Flatten", w("GlobalAveragePool", x))
    graph = w.graph(w("Gemm", pooled, w.weight(classes, channels), w.weight(classes), transB=1))
    assert total(graph, "params") == params + classes * (channels + 1)
    assert total(graph, "macs") == macs + classes * channels
    assert graph.num_nodes == 2 * len(layers) + 4


# ---------------------------------------------------------------------- what read tells


def _write(path: Path, model: onnx.ModelProto) -> Path:
    data = model.SerializeToString()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def test_read_tells_what_was_seen(writer, tmp_path: Path) -> None:
    model = _block_model(writer)
    model.producer_name = "someone"
    seen = read(_write(tmp_path / "m.onnx", model))
    assert (seen.opset, seen.producer, seen.num_nodes) == (17, "someone", len(model.graph.node))
    assert (dict(seen.inputs), list(seen.outputs.values())) == ({"x": (1, 4, 6, 6)}, [(1, 10)])
    assert seen.folded == {
        "silu of several operators": 1,
        "batch_norm into conv": 2,
        "attention of several operators": 1,
    }
    assert seen.warnings == ()


def test_compressed_files_are_the_same(writer, tmp_path: Path) -> None:
    model = _block_model(writer)
    plain, compressed = _write(tmp_path / "m.onnx", model), _write(tmp_path / "m.onnx.gz", model)
    assert load(plain).key == load(compressed).key


def test_load_turns_what_was_noted_into_warnings(writer, tmp_path: Path) -> None:
    w = writer(x=(1, 4, 6, 6))
    path = _write(tmp_path / "odd.onnx", w.model(w("Bend", "x", domain="acme")))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        graph = load(path)
    texts = [str(warning.message) for warning in caught]
    assert "unknown:acme.Bend" in graph.ops
    assert any(t.startswith("odd.onnx: operators that archpredict does not know") for t in texts)


def test_shapes_that_a_file_leaves_open_can_be_given(writer, tmp_path: Path) -> None:
    w = writer(x=("n", 3, "height", "width"))
    path = _write(tmp_path / "m.onnx", w.model(w("Conv", "x", w.weight(8, 3, 3, 3))))
    assert (total(read(path, {"x": (1, 3, 10, 10)}).graph, "macs"), read(path).warnings != ()) == (64 * 8 * 27, True)


# ---------------------------------------------------------------------- real classifiers

CLASSIFIERS = ("resnet50", "mobilenetv3_large_100", "swin_tiny_patch4_window7_224", "convit_tiny", "densenet121")


@pytest.fixture(scope="module")
def labels(data_folder: Path) -> dict[str, tuple[Path, dict[str, str]]]:
    folder = data_folder / "imagenet_models"
    if not (folder / "labels.csv").is_file():
        pytest.skip("needs imagenet_models in the data folder")
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        return {row["file"].split("@")[0]: (folder / "onnx" / row["file"], row) for row in csv.DictReader(file)}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_real_classifiers_count_as_published(labels, name: str) -> None:
    if name not in labels:
        pytest.skip(f"{name} is not among the classifiers")
    path, row = labels[name]
    graph = load(path)
    assert total(graph, "params") == pytest.approx(float(row["params_m"]) * 1e6, rel=0.01)
    assert total(graph, "macs") == pytest.approx(float(row["gmacs"]) * 1e9, rel=0.05)
    assert (graph.attrs["shape"] >= 0).all()
    assert all(known_label(op) != "unknown" for op in graph.ops)


_FUNCTIONS = ("Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Sum", "Clip", "Relu", "Concat", "Softmax", "Reshape")
_OTHERS = (
    "Transpose",
    "Slice",
    "Pad",
    "Split",
    "Gather",
    "LayerNormalization",
    "ReduceMean",
    "Resize",
    "LSTM",
    "Einsum",
)
_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "InstanceNormalization")


@pytest.mark.parametrize("op", [*_FUNCTIONS, *_OTHERS, *_WEIGHTED])
def test_wrong_inputs_give_a_graph_or_one_sentence(op: str, tmp_path: Path) -> None:
    empty, scalar, bias = (TensorProto(name=n, dims=d, data_type=1) for n, d in (("e", (3, 0)), ("w", ()), ("b", (8,))))
    x, y = (helper.make_tensor_value_info(name, 1, shape) for name, shape in (("x", (1, 8, 16, 16)), ("y", None)))
    for inputs in (["x"], ["x", ""], ["", "x"], ["x", "x"], ["x", "x", "x"], ["x", "w"], ["e", "x"], ["x", "e"]):
        nodes = [helper.make_node(op, inputs, ["o"]), helper.make_node("Add", ["o", "b"], ["y"])]
        path = tmp_path / "model.onnx"
        save(helper.make_model(helper.make_graph(nodes, "g", [x], [y], [empty, scalar, bias])), path)
        with suppress(ModelFileError):
            assert read(path).graph.ops[0] == "input"


def test_outputs_have_the_names_of_the_file_whatever_writes_them(writer) -> None:
    w = writer(x=(1, 4))
    rounded = w("QuantizeLinear", w("Gelu", w("Identity", "x"), domain="com.microsoft"), 0.1, np.uint8(128))
    last = w("DequantizeLinear", rounded, 0.1, np.uint8(128))
    seen = w.read(last, rounded)
    assert dict(seen.outputs) == {last: (1, 4), rounded: (1, 4)}
    assert seen.graph.ops.count("output") == 1
