"""Attention as one operator: what it stands for, whoever wrote it."""

from __future__ import annotations

import numpy as np
import pytest

from archpredict.graph.operators import total

MICROSOFT = "com.microsoft"


def _counts(graph) -> tuple[float, float]:
    return total(graph, "params"), total(graph, "macs")


def _inner(graph) -> list[str]:
    return [op for op in graph.ops if op not in ("input", "output")]


def _heads(w, x, heads: int) -> str:
    return w("Transpose", w("Reshape", x, [0, 0, heads, -1]), perm=[0, 2, 1, 3])


def _spread(w, q, k, v, change=lambda w, scores: scores) -> str:
    scores = w("MatMul", q, w("Transpose", k, perm=[0, 1, 3, 2]))
    made = w("MatMul", w("Softmax", change(w, scores), axis=-1), v)
    return w("Reshape", w("Transpose", made, perm=[0, 2, 1, 3]), [0, 0, -1])


def _layer(w, x, before: int, after: int) -> str:
    return w("Add", w("MatMul", x, w.weight(before, after)), w.weight(after))


class TestOfOnnx:
    def test_heads_of_keys_that_queries_share_have_the_products_of_all_queries(self, writer) -> None:
        w = writer(23, q=(2, 10, 128), k=(2, 10, 32), v=(2, 10, 32))
        graph = w.graph(w("Attention", "q", "k", "v", q_num_heads=8, kv_num_heads=2))
        assert _inner(graph) == ["attention"]
        assert _counts(graph) == (0, 2 * 2 * 10 * 10 * 128)

    def test_keys_of_the_past_are_attended_to_as_well(self, writer) -> None:
        w = writer(23, q=(1, 1, 128), k=(1, 1, 128), v=(1, 1, 128), pk=(1, 8, 99, 16), pv=(1, 8, 99, 16))
        outputs = w("Attention", "q", "k", "v", "", "pk", "pv", outputs=3, q_num_heads=8, kv_num_heads=8)
        seen = w.read(*outputs)
        assert _counts(seen.graph) == (0, 2 * 100 * 128)
        assert not seen.warnings
        assert seen.outputs[outputs[1]] == (1, 8, 100, 16)

    @pytest.mark.parametrize("opset", [23, 24])
    def test_four_axes_are_heads_apart(self, writer, opset: int) -> None:
        w = writer(opset, q=(1, 4, 9, 8), k=(1, 2, 7, 8), v=(1, 2, 7, 6), mask=(9, 7))
        outputs = w("Attention", "q", "k", "v", "mask", outputs=4, qk_matmul_output_mode=3)
        seen = w.read(*outputs)
        assert total(seen.graph, "macs") == 4 * 9 * 7 * (8 + 6)
        assert list(seen.outputs.values()) == [(1, 4, 9, 6), (1, 2, 7, 8), (1, 2, 7, 6), (1, 4, 9, 7)]

    def test_it_is_the_attention_that_is_spread_over_several_operators(self, writer) -> None:
        plain, fused = (writer(23, x=(1, 9, 8)) for _ in range(2))
        q, k, v = (_layer(plain, "x", 8, 8) for _ in range(3))
        expected = plain.graph(_spread(plain, *(_heads(plain, part, 2) for part in (q, k, v))))
        parts = [_layer(fused, "x", 8, 8) for _ in range(3)]
        assert fused.graph(fused("Attention", *parts, q_num_heads=2, kv_num_heads=2)).key == expected.key

    def test_a_table_of_positions_counts_and_a_mask_does_not(self, writer) -> None:
        for shape, params in (((1, 2, 9, 9), 50), ((9, 9), 0)):
            w = writer(23, q=(1, 2, 9, 4), k=(1, 2, 9, 4), v=(1, 2, 9, 4))
            assert _counts(w.graph(w("Attention", "q", "k", "v", w.weight(*shape)))) == (params, 2 * 9 * 9 * 8)


class TestOfTheRuntime:
    def test_keys_and_values_may_be_packed(self, writer) -> None:
        w = writer(x=(1, 10, 64), kv=(1, 7, 8, 2, 8))
        query = w("MatMul", "x", w.weight(64, 64))
        graph = w.graph(w("MultiHeadAttention", query, "kv", num_heads=8, domain=MICROSOFT))
        assert _counts(graph) == (4096, 10 * 64 * 64 + 2 * 10 * 7 * 64)

    def test_queries_may_be_packed_with_them(self, writer) -> None:
        w = writer(x=(1, 10, 8, 3, 16))
        graph = w.graph(w("MultiHeadAttention", "x", num_heads=8, domain=MICROSOFT))
        assert _counts(graph) == (0, 2 * 10 * 10 * 128)

    def test_the_biases_of_three_layers_are_theirs(self, writer) -> None:
        plain, fused = (writer(x=(1, 9, 8), y=(1, 5, 8)) for _ in range(2))
        parts = [_layer(plain, source, 8, 8) for source in "xyy"]
        expected = plain.graph(_spread(plain, *(_heads(plain, part, 2) for part in parts)))
        parts = [fused("MatMul", source, fused.weight(8, 8)) for source in "xyy"]
        made = fused("MultiHeadAttention", *parts, fused.weight(24), num_heads=2, domain=MICROSOFT)
        graph = fused.graph(made)
        assert graph.key == expected.key
        assert total(graph, "params") == 3 * (64 + 8)

    def test_keys_of_another_network_have_heads_apart(self, writer) -> None:
        w = writer(x=(1, 9, 8), k=(1, 2, 5, 4), v=(1, 2, 5, 4))
        graph = w.graph(w("MultiHeadAttention", "x", "k", "v", num_heads=2, domain=MICROSOFT))
        assert _counts(graph) == (0, 2 * 9 * 5 * 8)

    def test_queries_keys_and_values_of_one_layer_may_differ_in_size(self, writer) -> None:
        w = writer(x=(1, 10, 64))
        packed = w.weight(64, 128), w.weight(128)
        made = w("Attention", "x", *packed, num_heads=4, qkv_hidden_sizes=[32, 32, 64], domain=MICROSOFT)
        assert _counts(w.graph(made)) == (64 * 128 + 128, 10 * 64 * 128 + 10 * 10 * (32 + 64))

    def test_the_past_of_one_layer_is_one_tensor(self, writer) -> None:
        w = writer(x=(1, 1, 8), past=(2, 1, 2, 6, 4))
        made = w(
            "Attention",
            *("x", w.weight(8, 24), w.weight(24), "", "past"),
            outputs=2,
            num_heads=2,
            unidirectional=1,
            domain=MICROSOFT,
        )
        seen = w.read(*made)
        assert _counts(seen.graph) == (8 * 24 + 24, 8 * 24 + 2 * 7 * 8)
        assert seen.outputs[made[1]] == (2, 1, 2, 7, 4)

    @pytest.mark.parametrize("rotates", [0, 1])
    def test_groups_of_queries_may_come_with_their_keys_in_one_tensor(self, writer, rotates: int) -> None:
        w = writer(x=(1, 10, 32 + 2 * 8), pk=(1, 2, 6, 4), pv=(1, 2, 6, 4))
        lengths = np.array([15], np.int32), np.array(16, np.int32)
        tables = [w.weight(64, 2) for _ in range(2 * rotates)]
        made = w(
            "GroupQueryAttention",
            *("x", "", "", "pk", "pv", *lengths, *tables),
            outputs=3,
            num_heads=8,
            kv_num_heads=2,
            do_rotary=rotates,
            domain=MICROSOFT,
        )
        seen = w.read(*made)
        assert _counts(seen.graph) == (0, 2 * 10 * 16 * 32)
        assert seen.outputs[made[0]] == (1, 10, 32)
        assert seen.outputs[made[1]] == (1, 2, 16, 4)


class TestRotations:
    def _spread(self, w, x, interleaved=False) -> str:
        table = np.full((1, 1, 5, 8), 0.25, np.float32)
        first, second = (w("Slice", x, [a], [b], [3]) for a, b in ((0, 4), (4, 8)))
        turned = w("Concat", w("Neg", second), first, axis=-1)
        return w("Add", w("Mul", x, table), w("Mul", turned, table))

    @pytest.mark.parametrize("domain", ["", MICROSOFT])
    def test_their_tables_are_not_learnt(self, writer, domain: str) -> None:
        plain, fused = writer(23, x=(1, 2, 5, 8)), writer(23, x=(1, 2, 5, 8), ids=(1, 5))
        tables = fused.weight(64, 4), fused.weight(64, 4)
        inputs = ("x", "ids", *tables) if domain else ("x", *tables, "ids")
        graph = fused.graph(fused("RotaryEmbedding", *inputs, domain=domain))
        assert total(graph, "params") == 0
        assert sorted(_inner(graph)) == sorted(_inner(plain.graph(self._spread(plain, "x"))))

    @pytest.mark.parametrize("interleaved", [0, 1])
    def test_a_part_of_the_channels_may_be_rotated(self, writer, interleaved: int) -> None:
        w = writer(23, x=(1, 5, 32))
        tables = w.weight(1, 5, 2), w.weight(1, 5, 2)
        made = w("RotaryEmbedding", "x", *tables, num_heads=4, rotary_embedding_dim=4, interleaved=interleaved)
        seen = w.read(made)
        assert seen.outputs[made] == (1, 5, 32)
        assert total(seen.graph, "params") == 0
        assert not seen.warnings
