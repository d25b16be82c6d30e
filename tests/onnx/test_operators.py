"""Operators become nodes with what a person would count by hand; what belongs to one layer becomes one node."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from archpredict.graph.operators import total

IMAGE = (1, 4, 6, 6)


def _inner(graph) -> list[str]:
    return [op for op in graph.ops if op not in ("input", "output")]


def _row(graph, op: str, name: str) -> list[float]:
    """An attribute of the one node of this operator, without its zeros at the end."""
    (index,) = (i for i, label in enumerate(graph.ops) if label == op)
    values = graph.attrs[name][index].tolist()
    while len(values) > 1 and not values[-1]:
        values.pop()
    return values


# ---------------------------------------------------------------------- layers with weights


def test_a_convolution_counts_by_hand(writer) -> None:
    w = writer(x=IMAGE)
    conv = w("Conv", "x", w.weight(8, 2, 3, 3), w.weight(8), group=2, strides=[2, 2], pads=[1, 1, 1, 1])
    graph = w.graph(conv)
    assert _row(graph, "conv", "shape") == [1, 8, 3, 3]
    assert _row(graph, "conv", "weight") == [8, 2, 3, 3]
    assert _row(graph, "conv", "params") == [8 * 2 * 9 + 8]
    assert _row(graph, "conv", "macs") == [8 * 3 * 3 * 2 * 9]
    assert _row(graph, "conv", "groups") == [2]
    assert _row(graph, "conv", "stride") == [2, 2]
    assert _row(graph, "conv", "padding") == [1, 1, 0, 1, 1]


def test_a_transposed_convolution_counts_one_kernel_for_each_place_of_its_input(writer) -> None:
    w = writer(x=IMAGE)
    graph = w.graph(w("ConvTranspose", "x", w.weight(4, 3, 2, 2), group=2, strides=[2, 2]))
    assert _row(graph, "conv_transpose", "shape") == [1, 6, 12, 12]
    assert _row(graph, "conv_transpose", "weight") == [6, 2, 2, 2]
    assert _row(graph, "conv_transpose", "params") == [4 * 3 * 4]
    assert _row(graph, "conv_transpose", "macs") == [6 * 6 * 4 * 3 * 4]


def test_padding_that_a_file_leaves_to_a_rule_is_written_out(writer) -> None:
    same = {}
    for rule in ("SAME_UPPER", "SAME_LOWER"):
        w = writer(x=(1, 4, 7, 7))
        conv = w("Conv", "x", w.weight(4, 4, 4, 4), auto_pad=rule, kernel_shape=[4, 4], strides=[2, 2])
        same[rule] = _row(w.graph(conv), "conv", "padding")
    assert same == {"SAME_UPPER": [1, 1, 0, 2, 2], "SAME_LOWER": [2, 2, 0, 1, 1]}


def test_a_linear_layer_is_the_same_however_it_is_written(writer) -> None:
    keys = set()
    gemm = writer(x=(1, 6))
    keys.add(gemm.graph(gemm("Gemm", "x", gemm.weight(5, 6), gemm.weight(5), transB=1)).key)
    turned = writer(x=(1, 6))
    keys.add(turned.graph(turned("Gemm", "x", turned.weight(6, 5), turned.weight(5))).key)
    product = writer(x=(1, 6))
    keys.add(product.graph(product("Add", product.weight(5), product("MatMul", "x", product.weight(6, 5)))).key)
    fused = writer(x=(1, 6))
    graph = fused.graph(fused("FusedGemm", "x", fused.weight(6, 5), fused.weight(5), domain="com.microsoft"))
    keys.add(graph.key)
    assert len(keys) == 1
    assert _row(graph, "linear", "params") == [6 * 5 + 5]
    assert _row(graph, "linear", "macs") == [6 * 5]


def test_products_of_activations_have_multiply_adds_and_no_parameters(writer) -> None:
    w = writer(x=(2, 3, 4), z=(2, 4, 5))
    graph = w.graph(w("MatMul", "x", "z"))
    assert (_inner(graph), total(graph, "params"), total(graph, "macs")) == (["matmul"], 0, 2 * 3 * 4 * 5)
    e = writer(x=(2, 3, 4), z=(2, 4, 5))
    assert total(e.graph(e("Einsum", "x", "z", equation="bij,bjk->bik")), "macs") == 2 * 3 * 4 * 5


def test_a_recurrent_layer_counts_every_weight_once_per_step(writer) -> None:
    w = writer(x=(7, 2, 5))
    outputs = w("LSTM", "x", w.weight(1, 12, 5), w.weight(1, 12, 3), w.weight(1, 24), hidden_size=3, outputs=3)
    graph = w.graph(outputs[0])
    assert _row(graph, "recurrent", "params") == [12 * 5 + 12 * 3 + 24]
    assert _row(graph, "recurrent", "macs") == [7 * 2 * (12 * 5 + 12 * 3)]


def test_an_embedding_is_a_table_that_is_looked_up(writer) -> None:
    w = writer(x=(1, 4))
    graph = w.graph(w("Gather", w.weight(100, 8), w("Cast", "x", to=7)))
    assert (_inner(graph), _row(graph, "embedding", "params")) == (["embedding"], [800])


def test_weights_that_two_layers_share_count_once(writer) -> None:
    w = writer(x=IMAGE)
    kernel = w.weight(4, 4, 3, 3)
    once = w("Conv", "x", kernel, pads=[1, 1, 1, 1])
    graph = w.graph(w("Conv", w("Relu", once), kernel, pads=[1, 1, 1, 1]))
    assert sorted(graph.attrs["params"][:, 0].tolist()) == [0, 0, 0, 0, 144]
    assert total(graph, "macs") == 2 * 36 * 144


def test_shared_weights_with_batch_norms_of_their_own_share_no_bias(writer) -> None:
    w = writer(x=IMAGE)
    kernel = w.weight(4, 4, 1, 1)

    def layer(x):
        return w("BatchNormalization", w("Conv", x, kernel), *(w.weight(4) for _ in range(4)))

    assert total(w.graph(layer(w("Relu", layer("x")))), "params") == 16 + 4 + 4


def test_weights_that_data_decide_are_no_parameters(writer) -> None:
    w = writer(x=IMAGE, k=(4, 4, 3, 3))
    graph = w.graph(w("Conv", "x", w("Relu", "k")))
    assert (total(graph, "params"), total(graph, "macs")) == (0, 16 * 4 * 4 * 9)


def test_weights_that_are_computed_count_as_what_they_are_computed_from(writer) -> None:
    """A table of relative positions, looked up for each pair of places."""
    w = writer(x=(1, 9, 4))
    index = np.arange(81).reshape(9, 9) % 25
    graph = w.graph(w("Einsum", "x", w("Gather", w.weight(25, 4), index), equation="bnc,mnc->bmn"))
    assert _row(graph, "linear", "params") == [25 * 4]


def test_weights_made_by_an_operator_count_in_layers(writer) -> None:
    w = writer(x=IMAGE)

    def made(*shape):
        return w("ConstantOfShape", list(shape), value=helper.make_tensor("v", 1, [1], [0.02]))

    conv = w("Conv", "x", made(8, 4, 1, 1), made(8))
    graph = w.graph(w("BatchNormalization", w("Relu", conv), *(made(8) for _ in range(4))))
    assert _row(graph, "conv", "params") == [8 * 4 + 8]
    assert _row(graph, "batch_norm", "params") == [16]


# ---------------------------------------------------------------------- what belongs to a layer


def _batch_norm(w, x, channels: int) -> str:
    return w("BatchNormalization", x, *(w.weight(channels) for _ in range(4)))


def test_a_batch_norm_after_a_layer_is_its_bias(writer) -> None:
    folded = writer(x=IMAGE)
    expected = folded.graph(folded("Conv", "x", folded.weight(8, 4, 3, 3), folded.weight(8)))
    for with_bias in (False, True):
        w = writer(x=IMAGE)
        conv = w("Conv", "x", w.weight(8, 4, 3, 3), *([w.weight(8)] if with_bias else []))
        read = w.read(_batch_norm(w, conv, 8))
        assert read.graph.key == expected.key
        assert read.folded == {"batch_norm into conv": 1}


def test_a_batch_norm_written_as_scale_and_shift_is_a_bias_as_well(writer) -> None:
    folded = writer(x=IMAGE)
    expected = folded.graph(folded("Conv", "x", folded.weight(8, 4, 3, 3), folded.weight(8)))
    for with_bias in (False, True):
        w = writer(x=IMAGE)
        conv = w("Conv", "x", w.weight(8, 4, 3, 3), *([w.weight(8)] if with_bias else []))
        assert w.graph(w("Add", w("Mul", conv, w.weight(8, 1, 1)), w.weight(1, 8, 1, 1))).key == expected.key


def test_a_batch_norm_with_scale_and_shift_apart_is_one(writer) -> None:
    """As Caffe's models have it."""
    w = writer(x=IMAGE)
    normed = _batch_norm(w, w("Relu", "x"), 4)
    graph = w.graph(w("Add", w("Mul", normed, w.weight(4, 1, 1)), w.weight(4, 1, 1)))
    assert _inner(graph) == ["relu", "batch_norm"]
    assert _row(graph, "batch_norm", "params") == [8]


def test_a_batch_norm_is_not_folded_where_the_layer_is_read_twice(writer) -> None:
    w = writer(x=IMAGE)
    conv = w("Conv", "x", w.weight(4, 4, 1, 1))
    graph = w.graph(w("Add", conv, w("Relu", _batch_norm(w, conv, 4))))
    assert sorted(_inner(graph)) == ["add", "batch_norm", "conv", "relu"]


def test_a_batch_norm_is_not_folded_where_the_layer_is_an_output(writer) -> None:
    w = writer(x=IMAGE)
    conv = w("Conv", "x", w.weight(4, 4, 1, 1))
    assert "batch_norm" in w.graph(conv, _batch_norm(w, conv, 4)).ops


def test_a_scale_without_shift_is_a_layer_of_its_own(writer) -> None:
    w = writer(x=(1, 5, 8))
    graph = w.graph(w("Mul", w("MatMul", "x", w.weight(8, 8)), w.weight(8)))
    assert _inner(graph) == ["linear", "mul"]
    assert _row(graph, "mul", "params") == [8]


def test_numbers_along_another_axis_as_long_are_no_bias(writer) -> None:
    w = writer(x=(1, 4, 8, 8))
    graph = w.graph(w("Add", w("Conv", "x", w.weight(8, 4, 1, 1)), w.weight(8)))
    assert _inner(graph) == ["conv", "add"]


def test_zeros_around_a_convolution_are_its_padding(writer) -> None:
    given = writer(x=IMAGE)
    expected = given.graph(given("Conv", "x", given.weight(8, 4, 3, 3), pads=[0, 0, 2, 1]))
    w = writer(x=IMAGE)
    conv = w("Conv", w("Pad", "x", [0, 0, 0, 0, 0, 0, 1, 1]), w.weight(8, 4, 3, 3), pads=[0, 0, 1, 0])
    assert w.graph(conv).key == expected.key
    for mode, value in (("reflect", 0.0), ("constant", 1.0)):
        w = writer(x=IMAGE)
        around = w("Pad", "x", [0, 0, 0, 0, 0, 0, 1, 1], value, mode=mode)
        assert _inner(w.graph(w("Conv", around, w.weight(8, 4, 3, 3)))) == ["pad", "conv"]


def test_a_group_norm_through_an_instance_norm_is_one(writer) -> None:
    w = writer(x=IMAGE)
    grouped = w("InstanceNormalization", w("Reshape", "x", [0, 2, -1]), [1.0, 1.0], [0.0, 0.0])
    joined = w("Reshape", grouped, [1, 4, 6, 6])
    graph = w.graph(w("Add", w("Mul", joined, w.weight(4, 1, 1)), w.weight(4, 1, 1)))
    assert _inner(graph) == ["group_norm"]
    assert _row(graph, "group_norm", "params") == [8]
    assert _row(graph, "group_norm", "groups") == [2]


# ---------------------------------------------------------------------- places


def test_each_part_of_a_split_is_a_slice(writer) -> None:
    w = writer(x=IMAGE)
    first, second = w("Split", "x", [1, 3], outputs=2, axis=1)
    graph = w.graph(w("Relu", first), w("Sigmoid", second))
    assert sorted(_inner(graph)) == ["relu", "sigmoid", "slice", "slice"]
    shapes = [graph.attrs["shape"][i, :4].tolist() for i, op in enumerate(graph.ops) if op == "slice"]
    assert sorted(shapes) == [[1, 1, 6, 6], [1, 3, 6, 6]]

    cut = writer(x=IMAGE)
    parts = cut("Slice", "x", [0], [1], [1]), cut("Slice", "x", [1], [4], [1])
    assert cut.graph(cut("Relu", parts[0]), cut("Sigmoid", parts[1])).key == graph.key


def test_a_slice_of_everything_is_nothing(writer) -> None:
    w = writer(x=IMAGE)
    assert _inner(w.graph(w("Slice", "x", [0], [9], [2]))) == []


def test_a_permutation_is_kept_where_elements_change_places_only(writer) -> None:
    for order, kept in (([0, 2, 3, 1], ["permute"]), ([1, 0, 2, 3], []), ([0, 1, 2, 3], [])):
        w = writer(x=(1, 1, 4, 4) if order[0] else IMAGE)
        assert _inner(w.graph(w("Transpose", "x", perm=order))) == kept


def test_two_permutations_that_undo_each_other_are_nothing(writer) -> None:
    w = writer(x=IMAGE)
    assert _inner(w.graph(w("Transpose", w("Transpose", "x", perm=[0, 2, 3, 1]), perm=[0, 3, 1, 2]))) == []


def test_reshapes_identities_casts_and_dropout_are_no_nodes(writer) -> None:
    w = writer(x=IMAGE)
    x = w("Dropout", w("Identity", w("Cast", w("Reshape", "x", [1, 4, 36]), to=10)))
    graph = w.graph(w("Relu", w("Flatten", w("Unsqueeze", x, [1]))))
    assert _inner(graph) == ["relu"]


def test_a_pool_of_everything_is_global_however_it_is_written(writer) -> None:
    spellings = (
        lambda w: w("GlobalAveragePool", "x"),
        lambda w: w("AveragePool", "x", kernel_shape=[6, 6]),
        lambda w: w("ReduceMean", "x", axes=[2, 3]),
        lambda w: w("ReduceMean", "x", axes=[-1, -2], keepdims=0),
    )
    keys = set()
    for spelling in spellings:
        w = writer(x=IMAGE)
        graph = w.graph(spelling(w))
        assert _inner(graph) == ["global_avg_pool"]
        keys.add(graph.key)
    assert len(keys) == 1


def test_a_learnt_token_is_a_parameter_and_a_number_is_not(writer) -> None:
    w = writer(x=(1, 4, 8))
    graph = w.graph(w("Add", w("Concat", w.weight(1, 1, 8), "x", axis=1), w.weight(1, 5, 8)))
    assert sorted(_inner(graph)) == ["add", "concat", "parameter"]
    assert _row(graph, "parameter", "params") == [8]
    assert _row(graph, "add", "params") == [40]


def test_tables_that_an_exporter_writes_between_the_operators_are_no_parameters(writer) -> None:
    w = writer(x=(1, 4, 8))
    table = w("Constant", value=helper.make_tensor("v", 1, [4, 8], [0.5] * 32))
    assert total(w.graph(w("Add", "x", table)), "params") == 0


def test_ones_and_zeros_that_an_exporter_writes_for_a_norm_are_no_parameters(writer) -> None:
    w = writer(x=(1, 4, 8))
    ones, zeros = (w("Constant", value=helper.make_tensor("v", 1, [8], [number] * 8)) for number in (1.0, 0.0))
    graph = w.graph(w("LayerNormalization", "x", ones, zeros))
    assert (_inner(graph), total(graph, "params")) == (["layer_norm"], 0)


def _rotated(w, x: str, sines: str, cosines: str) -> str:
    """``x`` times cosines plus its halves, exchanged, times sines."""
    first, second = w("Slice", x, [0], [4], [3]), w("Slice", x, [4], [8], [3])
    turned = w("Concat", w("Neg", second), first, axis=-1)
    return w("Add", w("Mul", x, cosines), w("Mul", turned, sines))


def test_sines_of_positions_are_no_parameters_wherever_they_are_stored(writer) -> None:
    w = writer(x=(1, 2, 4, 8))
    assert total(w.graph(_rotated(w, "x", w.weight(4, 8), w.weight(4, 8))), "params") == 0


def test_what_scales_is_a_parameter_one_number_per_channel_or_a_whole_table(writer) -> None:
    for shape, numbers in (((2, 1, 1), 2), ((4, 8), 32)):
        w = writer(x=(1, 2, 4, 8))
        assert total(w.graph(w("Mul", "x", w.weight(*shape))), "params") == numbers


# ---------------------------------------------------------------------- what stays different, as docs/onnx.md says


def test_a_layer_norm_over_channels_is_told_from_one_between_permutations(writer) -> None:
    w = writer(x=IMAGE)
    last = w("LayerNormalization", w("Transpose", "x", perm=[0, 2, 3, 1]), w.weight(4), w.weight(4))
    permuted = w.graph(w("Transpose", last, perm=[0, 3, 1, 2]))
    w = writer(x=IMAGE)
    centred = w("Sub", "x", w("ReduceMean", "x", axes=[1]))
    deviation = w("Sqrt", w("Add", w("ReduceMean", w("Mul", centred, centred), axes=[1]), 1e-6))
    scaled = w("Mul", w("Div", centred, deviation), w.weight(4, 1, 1))
    direct = w.graph(w("Add", scaled, w.weight(4, 1, 1)))
    assert (_inner(permuted), _inner(direct)) == (["permute", "layer_norm", "permute"], ["layer_norm"])
    assert total(permuted, "params") == total(direct, "params") == 8


def test_a_small_convolution_is_told_from_a_linear_layer(writer) -> None:
    w = writer(x=(1, 4, 1, 1), z=(1, 4))
    graph = w.graph(w("Conv", "x", w.weight(8, 4, 1, 1)), w("MatMul", "z", w.weight(4, 8)))
    assert _inner(graph) == ["conv", "linear"]


def test_another_batch_is_another_graph_with_more_multiply_adds(writer) -> None:
    graphs = []
    for batch in (1, 2):
        w = writer(x=(batch, 4, 6, 6))
        graphs.append(w.graph(w("Conv", "x", w.weight(4, 4, 1, 1))))
    assert graphs[0].key != graphs[1].key
    assert 2 * total(graphs[0], "macs") == total(graphs[1], "macs")


# ---------------------------------------------------------------------- attention


def _heads(w, x, turned=False):
    return w("Transpose", w("Reshape", x, [1, 9, 2, 4]), perm=[0, 2, 3, 1] if turned else [0, 2, 1, 3])


def _attend(w, change=lambda w, scores: scores, scale="scores", q="x", k="y", v="z") -> str:
    query, key = _heads(w, q), _heads(w, k, turned=True)
    if scale == "query":
        query = w("Mul", query, 0.5)
    if scale == "both":
        query, key = w("Mul", query, 0.5**0.5), w("Mul", key, 0.5**0.5)
    scores = w("MatMul", query, key)
    if scale == "scores":
        scores = w("Div", scores, 2.0)
    weights = w("Softmax", change(w, scores), axis=-1)
    joined = w("Transpose", w("MatMul", weights, _heads(w, v)), perm=[0, 2, 1, 3])
    return w("Reshape", joined, [1, 9, 8])


def _three(writer):
    return writer(x=(1, 9, 8), y=(1, 9, 8), z=(1, 9, 8))


@pytest.mark.parametrize("scale", ["scores", "query", "both", "none"])
def test_attention_is_one_node_wherever_it_is_scaled(writer, scale: str) -> None:
    w = _three(writer)
    graph = w.graph(_attend(w, scale=scale))
    assert _inner(graph) == ["attention"]
    assert _row(graph, "attention", "shape") == [1, 9, 8]
    assert _row(graph, "attention", "groups") == [2]
    assert _row(graph, "attention", "macs") == [2 * 9 * 9 * 4 * 2]
    assert total(graph, "params") == 0

    whole = _three(writer)
    whole.opset = 23
    same = whole.graph(whole("Attention", "x", "y", "z", q_num_heads=2, kv_num_heads=2))
    assert same.key == graph.key


def test_positions_of_attention_count_as_many_as_are_learnt(writer) -> None:
    index = np.arange(81).reshape(9, 9) % 25

    def looked_up(w, scores):
        return w("Add", scores, w("Transpose", w("Gather", w.weight(25, 2), index), perm=[2, 0, 1]))

    def written_out(w, scores):
        return w("Add", scores, w.weight(1, 2, 9, 9))

    def mask(w, scores):
        return w("Add", scores, w.weight(9, 9))

    counts = []
    for change in (looked_up, written_out, mask):
        w = _three(writer)
        graph = w.graph(_attend(w, change))
        assert _inner(graph) == ["attention"]
        counts.append(total(graph, "params"))
    assert counts == [25 * 2, (2 * 3 - 1) ** 2 * 2, 0]


def test_a_mask_that_is_an_input_is_read_by_attention(writer) -> None:
    w = writer(x=(1, 9, 8), y=(1, 9, 8), z=(1, 9, 8), mask=(9, 9))
    graph = w.graph(_attend(w, lambda w, scores: w("Add", scores, "mask")))
    assert _inner(graph) == ["attention"]
    assert graph.num_edges == 4 + 1


def test_attention_without_softmax_is_two_products(writer) -> None:
    w = _three(writer)
    graph = w.graph(_attend(w, lambda w, scores: w("Relu", scores)))
    assert "attention" not in graph.ops


def test_the_attention_of_onnx_runtime_is_what_it_stands_for(writer) -> None:
    plain = writer(x=(1, 9, 8))
    packed = plain("Add", plain("MatMul", "x", plain.weight(8, 24)), plain.weight(24))
    q, k, v = plain("Split", packed, [8, 8, 8], outputs=3, axis=2)
    expected = plain.graph(_attend(plain, q=q, k=k, v=v))
    w = writer(x=(1, 9, 8))
    fused = w("Attention", "x", w.weight(8, 24), w.weight(24), domain="com.microsoft", num_heads=2)
    assert w.graph(fused).key == expected.key


# ---------------------------------------------------------------------- fused, opaque, unknown


def test_fused_operators_of_onnx_runtime_are_what_they_stand_for(writer) -> None:
    def conv(w):
        return w("Relu", w("Conv", "x", w.weight(8, 4, 3, 3), w.weight(8)))

    def fused_conv(w):
        return w("FusedConv", "x", w.weight(8, 4, 3, 3), w.weight(8), activation="Relu", domain="com.microsoft")

    def gelu(w):
        return w("Gelu", w("Add", w("MatMul", "x", w.weight(6, 5)), w.weight(5)))

    def bias_gelu(w):
        return w("BiasGelu", w("MatMul", "x", w.weight(6, 5)), w.weight(5), domain="com.microsoft")

    def norm(w):
        return w("LayerNormalization", w("Add", "x", w("Relu", "x")), w.weight(6), w.weight(6))

    def skipped_norm(w):
        return w("SkipLayerNormalization", "x", w("Relu", "x"), w.weight(6), w.weight(6), domain="com.microsoft")

    for plain, fused in ((conv, fused_conv), (gelu, bias_gelu), (norm, skipped_norm)):
        first, second = writer(20, x=IMAGE), writer(20, x=IMAGE)
        assert first.graph(plain(first)).key == second.graph(fused(second)).key


def test_the_sum_that_a_fused_norm_hands_on_is_the_sum(writer) -> None:
    w = writer(x=(1, 5, 6), z=(1, 5, 6))
    outputs = w("SkipLayerNormalization", "x", "z", w.weight(6), w.weight(6), outputs=4, domain="com.microsoft")
    graph = w.graph(w("MatMul", outputs[0], w.weight(6, 6)), outputs[3])
    assert sorted(_inner(graph)) == ["add", "layer_norm", "linear"]
    add = graph.ops.index("add")
    assert sorted(graph.ops[target] for source, target in graph.edges if source == add) == ["layer_norm", "output"]


def test_unknown_operators_are_named_and_counted(writer) -> None:
    w = writer(x=IMAGE)
    read = w.read(w("Relu", w("Bend", w("Bend", "x", domain="acme"), domain="acme")))
    assert _inner(read.graph) == ["unknown:acme.Bend", "unknown:acme.Bend", "relu"]
    assert read.unknown == {"acme.Bend": 2}
    assert "operators that archpredict does not know, counted as unknown: acme.Bend (2 times)" in read.warnings


def _body(op: str, name: str, *more: str):
    nodes = [helper.make_node(op, ["x", *more], [name])]
    return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(name, 1, IMAGE)])


def test_of_branches_that_data_decide_the_larger_one_counts_with_the_weights_of_both(writer) -> None:
    w = writer(x=IMAGE)
    condition = w("Cast", w("ReduceMax", "x", keepdims=0), to=9)
    large, small = w.weight(4, 4, 3, 3), w.weight(4, 4, 1, 1)
    branches = {"then_branch": _body("Conv", "a", small), "else_branch": _body("Conv", "b", large)}
    read = w.read(w("Relu", w("If", condition, **branches)))
    assert _inner(read.graph) == ["conv", "opaque", "relu"]
    assert total(read.graph, "params") == 4 * 4 * (9 + 1)
    assert total(read.graph, "macs") == 4 * 4 * 4 * 4 * 9
    assert any("the larger one counts, its else_branch" in text for text in read.warnings)


def test_branches_with_the_same_weights_are_one_network(writer) -> None:
    w = writer(x=IMAGE, flag=(1,))
    weight = w.weight(4, 4, 3, 3)
    branches = {"then_branch": _body("Conv", "a", weight), "else_branch": _body("Conv", "b", weight)}
    graph = w.graph(w("If", w("Cast", "flag", to=9), **branches))
    assert _inner(graph) == ["conv"]
    assert total(graph, "params") == 4 * 4 * 9


def test_weights_of_what_decides_count(writer) -> None:
    w = writer(x=IMAGE)
    gate = w("MatMul", w("GlobalAveragePool", w("Conv", "x", w.weight(4, 4, 1, 1))), w.weight(1, 1))
    condition = w("Cast", w("ReduceMax", gate, keepdims=0), to=9)
    graph = w.graph(w("If", condition, then_branch=_body("Relu", "a"), else_branch=_body("Tanh", "b")))
    assert total(graph, "params") == 16 + 1


def _loop_body(*nodes, outputs: tuple[str, ...] = ("made",)):
    value = helper.make_tensor_value_info
    return helper.make_graph(
        [*nodes, helper.make_node("Identity", ["go"], ["on"])],
        "body",
        [value("step", 7, ()), value("go", 9, ()), value("given", 1, None)],
        [value("on", 9, ()), *(value(name, 1, None) for name in outputs)],
    )


def test_a_loop_multiplies_what_is_in_it(writer) -> None:
    w = writer(x=(2, 4))
    body = _loop_body(helper.make_node("MatMul", ["given", w.weight(4, 4)], ["made"]))
    read = w.read(w("Loop", 3, "", "x", body=body))
    assert (_inner(read.graph), read.warnings) == (["linear"], ())
    assert (total(read.graph, "params"), total(read.graph, "macs")) == (16, 3 * 2 * 4 * 4)


def test_what_the_rounds_of_a_loop_write_is_stacked_and_what_grows_has_grown(writer) -> None:
    w = writer(x=(2, 4))
    nodes = [
        helper.make_node("Concat", ["given", "x"], ["made"], axis=0),
        helper.make_node("Relu", ["x"], ["beside"]),
    ]
    last, beside = w("Loop", 3, "", "x", body=_loop_body(*nodes, outputs=("made", "beside")), outputs=2)
    read = w.read(last, beside)
    assert list(read.outputs.values()) == [(8, 4), (3, 2, 4)]


def test_a_loop_that_data_end_counts_once_and_that_is_said(writer) -> None:
    w = writer(x=(2, 4))
    rounds = w("Cast", w("ReduceMax", "x", keepdims=0), to=7)
    body = _loop_body(helper.make_node("MatMul", ["given", w.weight(4, 4)], ["made"]))
    read = w.read(w("Loop", rounds, "", "x", body=body))
    assert total(read.graph, "macs") == 2 * 4 * 4
    assert any("it counts as one round" in text for text in read.warnings)


def test_a_scan_runs_once_for_every_place_of_what_it_scans(writer) -> None:
    value = helper.make_tensor_value_info
    w = writer(h=(1, 4), x=(7, 1, 4))
    nodes = [
        helper.make_node("MatMul", ["part", w.weight(4, 4)], ["m"]),
        helper.make_node("Add", ["m", "state"], ["next"]),
        helper.make_node("Tanh", ["next"], ["out"]),
    ]
    inputs = [value("state", 1, (1, 4)), value("part", 1, (1, 4))]
    body = helper.make_graph(nodes, "body", inputs, [value("next", 1, (1, 4)), value("out", 1, (1, 4))])
    last, stacked = w("Scan", "h", "x", body=body, num_scan_inputs=1, outputs=2)
    read = w.read(last, stacked)
    assert list(read.outputs.values()) == [(1, 4), (7, 1, 4)]
    assert (total(read.graph, "params"), total(read.graph, "macs")) == (16, 7 * 4 * 4)


def test_times_zero_is_nothing_and_not_a_skip(writer) -> None:
    graphs = []
    for op, second in (("Mul", 0.0), ("Sub", "x")):
        w = writer(x=IMAGE)
        graphs.append(w.graph(w("Relu", w(op, "x", second))))
    assert graphs[0].key == graphs[1].key
    assert _inner(graphs[0]) == ["sub", "relu"]


# ---------------------------------------------------------------------- operators that look like others


def test_an_operator_without_a_label_is_unknown_and_not_taken_for_another(writer) -> None:
    w = writer(x=IMAGE)
    seen = w.read(w("TfIdfVectorizer", "x", max_gram_length=1, mode="TF"))
    assert "unknown:TfIdfVectorizer" in seen.graph.ops
    assert seen.unknown == {"TfIdfVectorizer": 1}
    assert "operators that archpredict does not know, counted as unknown: TfIdfVectorizer" in seen.warnings


@pytest.mark.parametrize(
    ("op", "attributes", "domain", "label"),
    [
        ("Swish", {"alpha": 1.0}, "", "silu"),
        ("Swish", {"alpha": 1.702}, "", "quick_gelu"),
        ("Swish", {"alpha": 0.5}, "", "elementwise"),
        ("QuickGelu", {}, "com.microsoft", "quick_gelu"),
        ("QuickGelu", {"alpha": 1.0}, "com.microsoft", "silu"),
        ("Selu", {}, "", "selu"),
        ("Selu", {"alpha": 1.0, "gamma": 2.0}, "", "elementwise"),
        ("LpNormalization", {}, "", "l2_norm"),
        ("LpNormalization", {"p": 2}, "", "l2_norm"),
    ],
    ids=str,
)
def test_numbers_of_an_operator_decide_which_function_it_is(writer, op, attributes, domain, label) -> None:
    w = writer(x=IMAGE)
    assert _inner(w.graph(w(op, "x", domain=domain, **attributes))) == [label]


def test_a_log_softmax_is_a_softmax_and_a_logarithm(writer) -> None:
    w = writer(x=(1, 6))
    assert _inner(w.graph(w("LogSoftmax", "x"))) == ["softmax", "elementwise"]
    apart = writer(x=(1, 6))
    assert w.graph(w("LogSoftmax", "x")).key == apart.graph(apart("Log", apart("Softmax", "x"))).key


@pytest.mark.parametrize(
    ("shape", "repeats", "labels"),
    [
        ((1, 3, 4, 4), [1, 1, 1, 1], []),
        ((1, 3, 1, 1), [1, 1, 4, 4], []),  # what an addition of two tensors does by itself
        ((1, 3, 4, 4), [1, 2, 1, 1], ["concat"]),
        ((1, 3, 4, 4), [2, 1, 3, 1], ["concat"]),
    ],
)
def test_copies_side_by_side_are_a_concatenation(writer, shape, repeats, labels) -> None:
    w = writer(x=shape)
    graph = w.graph(w("Relu", w("Tile", "x", np.array(repeats))))
    assert _inner(graph) == [*labels, "relu"]
    if labels:
        assert graph.num_edges == 2 + max(n for n, length in zip(repeats, shape, strict=True) if length > 1)


def test_zero_points_of_integers_are_no_bias(writer) -> None:
    w = writer(x=IMAGE)
    pixels = w("Cast", "x", to=2)
    conv = w.graph(w("Cast", w("ConvInteger", pixels, w("Cast", w.weight(8, 4, 3, 3), to=2), "", ""), to=1))
    zeros = writer(x=IMAGE)
    pixels = zeros("Cast", "x", to=2)
    zero = zeros("Cast", np.array(3.0), to=2)
    graph = zeros.graph(
        zeros("Cast", zeros("ConvInteger", pixels, zeros("Cast", zeros.weight(8, 4, 3, 3), to=2), zero, zero), to=1)
    )
    assert _row(graph, "conv", "bias") == _row(conv, "conv", "bias") == [0]
    assert _row(graph, "conv", "params") == _row(conv, "conv", "params")


@pytest.mark.parametrize(("transA", "transB"), [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("op", ["Gemm", "FusedMatMul"])
@pytest.mark.parametrize("constant", [False, True])
def test_transposed_products_have_the_same_multiply_adds(writer, op, transA, transB, constant) -> None:
    rows, inner, columns = 3, 4, 5
    left = (inner, rows) if transA else (rows, inner)
    right = (columns, inner) if transB else (inner, columns)
    w = writer(x=left) if constant else writer(x=left, z=right)
    domain = "com.microsoft" if op == "FusedMatMul" else ""
    second = w.weight(*right) if constant else w("Relu", "z")  # an input there is taken for a weight
    graph = w.graph(w(op, "x", second, transA=transA, transB=transB, domain=domain))
    assert total(graph, "macs") == rows * inner * columns
    assert total(graph, "params") == (inner * columns if constant else 0)
    if constant:
        assert _row(graph, "linear", "weight") == [columns, inner]


def test_an_activation_inside_another_operator_is_not_lost(writer) -> None:
    for activation, label in (("Relu", "relu"), ("Softsign", "elementwise"), ("", None)):
        w = writer(x=IMAGE)
        more = {"activation": activation} if activation else {}
        graph = w.graph(w("FusedConv", "x", w.weight(8, 4, 1, 1), domain="com.microsoft", **more))
        assert _inner(graph) == ["conv", *([label] if label else [])]
    w = writer(x=IMAGE)
    norm = w(
        "GroupNorm", "x", w.weight(4), w.weight(4), groups=2, activation=1, channels_last=0, domain="com.microsoft"
    )
    assert _inner(w.graph(norm)) == ["group_norm", "silu"]


def test_the_bias_before_a_norm_of_a_sum_is_counted(writer) -> None:
    w = writer(x=(1, 5, 8), z=(1, 5, 8))
    tensors = (w.weight(8), w.weight(8), w.weight(8))
    graph = w.graph(w("SkipLayerNormalization", "x", "z", *tensors, domain="com.microsoft"))
    assert _inner(graph) == ["add", "add", "layer_norm"]
    assert total(graph, "params") == 3 * 8
