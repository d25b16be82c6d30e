"""Attention of ONNX Runtime whose tokens, keys or positions come in forms of their own."""

from __future__ import annotations

import numpy as np
import pytest

from archpredict.graph.operators import total

MICROSOFT = "com.microsoft"


def _counts(graph) -> tuple[float, float]:
    return total(graph, "params"), total(graph, "macs")


def _ms(w, op: str, *inputs, **more):
    return w(op, *inputs, domain=MICROSOFT, **more)


def _inner(graph) -> list[str]:
    return [op for op in graph.ops if op not in ("input", "output")]


def _truth(value: bool) -> np.ndarray:
    return np.array(int(value))


class TestDecoders:
    def test_a_buffer_of_the_past_is_attended_to_as_a_whole(self, writer) -> None:
        w = writer(q=(2, 1, 32), k=(2, 1, 32), v=(2, 1, 32), pk=(2, 4, 20, 8), pv=(2, 4, 20, 8))
        inputs = ("q", "k", "v", "", "", "pk", "pv", np.array([7]))
        made = _ms(w, "DecoderMaskedMultiHeadAttention", *inputs, outputs=3, num_heads=4, past_present_share_buffer=1)
        seen = w.read(*made)
        assert _counts(seen.graph) == (0, 2 * 2 * 20 * 32)
        assert seen.outputs[made[1]] == (2, 4, 20, 8)

    def test_the_layer_may_be_in_it(self, writer) -> None:
        w = writer(x=(2, 1, 32), past=(2, 2, 4, 20, 8))
        weights = w.weight(32, 96), w.weight(96)
        inputs = ("x", *weights, "", "past", "", np.array([7]))
        made = _ms(w, "DecoderMaskedSelfAttention", *inputs, outputs=2, num_heads=4, past_present_share_buffer=1)
        seen = w.read(*made)
        assert _counts(seen.graph) == (32 * 96 + 96, 2 * 32 * 96 + 2 * 2 * 20 * 32)
        assert seen.outputs[made[1]] == (2, 2, 4, 20, 8)

    @pytest.mark.parametrize(("static", "keys"), [(False, 12), (True, 9)])
    def test_its_keys_may_have_been_made_before(self, writer, static: bool, keys: int) -> None:
        w = writer(q=(3, 2, 8), k=(3, 2, 8), kc=(2, 2, 9, 4), vc=(2, 2, 9, 4))
        weights = w.weight(8, 8), w.weight(8, 16), w.weight(24)
        flags = (_truth(static), _truth(True), _truth(True), _truth(False))
        made = _ms(w, "DecoderAttention", "q", "k", *weights, "", "kc", "vc", *flags, num_heads=2)
        seen = w.read(made)
        layers = 3 * 2 * 8 * 8 * (1 if static else 3)
        assert total(seen.graph, "macs") == layers + 2 * 2 * 3 * keys * 8
        assert seen.outputs[made] == (3, 2, 8)
        if not static:
            assert total(seen.graph, "params") == 3 * 64 + 24

    def test_its_keys_may_be_in_pages(self, writer) -> None:
        w = writer(q=(6, 32), k=(6, 16), v=(6, 16), kc=(10, 4, 2, 8), vc=(10, 4, 2, 8), n=(3,), m=(2,), table=(2, 5))
        made = _ms(
            w, "PagedAttention", "q", "k", "v", "kc", "vc", "n", "m", "table", outputs=3, num_heads=4, kv_num_heads=2
        )
        seen = w.read(*made)
        assert _counts(seen.graph) == (0, 2 * 6 * 20 * 32)
        assert [seen.outputs[name] for name in made] == [(6, 32), (10, 4, 2, 8), (10, 4, 2, 8)]

    def test_blocks_that_are_left_out_of_a_buffer_are_counted(self, writer) -> None:
        w = writer(q=(1, 3, 32), k=(1, 3, 16), v=(1, 3, 16), pk=(1, 2, 20, 8), pv=(1, 2, 20, 8), r=(1, 3), c=(1, 4))
        inputs = ("q", "k", "v", "pk", "pv", "r", "c", np.array(20), np.array([20]))
        made = _ms(w, "SparseAttention", *inputs, outputs=3, num_heads=4, kv_num_heads=2, sparse_block_size=16)
        seen = w.read(*made)
        assert _counts(seen.graph) == (0, 2 * 3 * 20 * 32)
        assert seen.outputs[made[1]] == (1, 2, 20, 8)


class TestTokens:
    def test_sequences_without_padding_are_those_with_it(self, writer) -> None:
        fused, plain = writer(x=(2, 5, 8), n=(2,)), writer(x=(2, 5, 8), n=(2,))
        packed, places, *_ = _ms(fused, "RemovePadding", "x", "n", outputs=4)
        made = _ms(fused, "PackedAttention", packed, fused.weight(8, 24), fused.weight(24), places, "n", num_heads=2)
        graph = fused.graph(_ms(fused, "RestorePadding", made, places))
        made = _ms(plain, "Attention", "x", plain.weight(8, 24), plain.weight(24), num_heads=2)
        assert graph.key == plain.graph(made).key

    def test_the_layer_may_be_apart(self, writer) -> None:
        w = writer(q=(10, 8), k=(10, 8), v=(10, 8), places=(2, 5), n=(3,))
        made = _ms(w, "PackedMultiHeadAttention", "q", "k", "v", w.weight(24), "places", "n", num_heads=2)
        seen = w.read(made)
        assert _counts(seen.graph) == (24, 2 * 2 * 5 * 5 * 8)
        assert seen.outputs[made] == (10, 8)

    def test_queries_keys_and_values_may_be_one_tensor(self, writer) -> None:
        w = writer(x=(10, 2, 3, 4), places=(2, 5), n=(3,))
        made = _ms(w, "PackedMultiHeadAttention", "x", "", "", "", "places", "n", num_heads=2)
        assert _counts(w.graph(made)) == (0, 2 * 2 * 5 * 5 * 8)

    def test_tokens_may_attend_to_their_neighbours(self, writer) -> None:
        w = writer(x=(2, 12, 8), mask=(2, 12), all=(2, 12))
        near, far = (w.weight(8, 24), w.weight(24)), (w.weight(8, 24), w.weight(24))
        made = _ms(w, "LongformerAttention", "x", *near, "mask", *far, "all", num_heads=2, window=2)
        seen = w.read(made)
        layers = 2 * 2 * 12 * 8 * 24
        assert _counts(seen.graph) == (2 * (8 * 24 + 24), layers + 2 * 2 * 12 * 5 * 8 + 2 * 2 * 1 * 12 * 8)
        assert seen.outputs[made] == (2, 12, 8)


class TestPositions:
    def test_learnt_numbers_of_distances_belong_to_attention(self, writer) -> None:
        w = writer(23, q=(1, 2, 9, 4), k=(1, 2, 9, 4), v=(1, 2, 9, 4))
        table = _ms(w, "RelativePositionBias", w.weight(32, 2), np.array([9]), np.array([9]), max_distance=128)
        graph = w.graph(w("Attention", "q", "k", "v", table))
        assert _inner(graph) == ["attention"]
        assert total(graph, "params") == 64

    def test_gates_of_positions_have_a_layer(self, writer) -> None:
        w = writer(23, x=(1, 9, 8), k=(1, 2, 9, 4), v=(1, 2, 9, 4), place=(1, 2, 9, 9))
        weights = w.weight(8), "place", w.weight(4, 8), w.weight(8), w.weight(1, 2, 1, 1)
        table = _ms(w, "GatedRelativePositionBias", "x", *weights, num_heads=2)
        seen = w.read(table)
        assert _counts(seen.graph) == (8 + 4 * 8 + 8 + 2, 9 * 2 * 4 * 8)
        assert seen.outputs[table] == (1, 2, 9, 9)


class TestMasks:
    def _model(self, w, mask: str):
        heads = [
            w("Transpose", w("Reshape", w("MatMul", "x", w.weight(8, 8)), [0, 0, 2, -1]), perm=[0, 2, 1, 3])
            for _ in range(3)
        ]
        scores = w("MatMul", heads[0], w("Transpose", heads[1], perm=[0, 1, 3, 2]))
        if mask == "where":
            scores = w("Where", w("Unsqueeze", w("Less", "mask", 0.5), [1, 2]), -1e9, scores)
        elif mask == "added":
            less = w("Sub", 1.0, w("Unsqueeze", "mask", [1, 2]))
            scores = w("Add", scores, w("Mul", less, -10000.0))
        made = w("MatMul", w("Softmax", scores, axis=-1), heads[2])
        return w.graph(w("Reshape", w("Transpose", made, perm=[0, 2, 1, 3]), [0, 0, -1]))

    def test_what_makes_a_mask_is_no_part_of_the_network(self, writer) -> None:
        graphs = [self._model(writer(x=(2, 5, 8), mask=(2, 5)), mask) for mask in ("where", "added")]
        assert graphs[0].key == graphs[1].key
        assert _inner(graphs[0]) == ["linear", "linear", "linear", "attention"]

    def test_the_mask_of_a_fused_operator_is_that_of_a_spread_one(self, writer) -> None:
        w = writer(x=(2, 5, 8), mask=(2, 5))
        parts = [w("MatMul", "x", w.weight(8, 8)) for _ in range(3)]
        made = _ms(w, "MultiHeadAttention", *parts, "", "mask", num_heads=2)
        assert w.graph(made).key == self._model(writer(x=(2, 5, 8), mask=(2, 5)), "added").key

    @pytest.mark.parametrize("name", ["qkv_weights", "qkv_weights_token_7", "Attention_3_qkv_weight"])
    def test_three_layers_that_an_optimiser_has_made_one_are_three(self, writer, name: str) -> None:
        w = writer(x=(2, 5, 8), mask=(2, 5))
        w.weights[name] = (8, 24)
        made = _ms(w, "Attention", "x", name, "", w("Cast", "mask", to=6), num_heads=2)
        assert w.graph(made).key == self._model(writer(x=(2, 5, 8), mask=(2, 5)), "where").key

    def test_what_a_network_adds_to_scores_is_part_of_it(self, writer) -> None:
        w = writer(23, x=(2, 5, 8), y=(2, 1, 5, 4))
        parts = [w("MatMul", "x", w.weight(8, 8)) for _ in range(3)]
        added = w("MatMul", "y", w.weight(4, 5))
        graph = w.graph(w("Attention", *parts, added, q_num_heads=2, kv_num_heads=2))
        assert graph.ops.count("linear") == 4
        assert total(graph, "params") == 3 * 64 + 20
