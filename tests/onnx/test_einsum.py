"""Einsum: shapes against numpy.einsum, multiply-adds against a loop over all indices."""

from __future__ import annotations

import itertools
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archpredict.graph.operators import total
from archpredict.onnx.reader import OpenSizes, interpret


@st.composite
def contractions(draw: st.DrawFn) -> tuple[str, list[tuple[int, ...]]]:
    """An equation that NumPy understands, and shapes of its operands."""
    letters = draw(st.lists(st.sampled_from(string.ascii_letters), min_size=1, max_size=4, unique=True))
    lengths = {letter: draw(st.integers(1, 3)) for letter in letters}
    batch = draw(st.lists(st.integers(1, 3), max_size=2))
    terms, shapes = [], []
    for _ in range(draw(st.integers(1, 3))):
        term = draw(st.lists(st.sampled_from(letters), max_size=3))
        shape = [lengths[letter] for letter in term]
        for place, letter in enumerate(term):  # an axis of length 1 is repeated, but on the diagonal of one operand
            if term.count(letter) == 1 and draw(st.booleans()):
                shape[place] = 1
        if draw(st.booleans()):
            place, axes = draw(st.integers(0, len(term))), draw(st.integers(0, len(batch)))
            own = [draw(st.sampled_from([1, n])) for n in batch[len(batch) - axes :]]
            term.insert(place, "...")
            shape[place:place] = own
        terms.append("".join(term))
        shapes.append(tuple(shape))
    equation = ",".join(terms)
    if draw(st.booleans()):
        used = sorted({letter for term in terms for letter in term.replace("...", "")})
        output = draw(st.permutations(used))[: draw(st.integers(0, len(used)))]
        if "..." in equation:
            output.insert(draw(st.integers(0, len(output))), "...")
        equation += "->" + "".join(output)
    if draw(st.booleans()):
        equation = equation.replace(",", " , ").replace("->", " -> ")
    return equation, shapes


def looped(equation: str, arrays: list[np.ndarray]) -> tuple[np.ndarray, int]:
    """Value and number of multiply-adds by the definition: one loop over every index, ellipses spelled out."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    spare = [c for c in string.ascii_letters + "αβγδ" if c not in equation][:8]
    terms = left.split(",")
    ranks = [a.ndim - len(t.replace("...", "")) for t, a in zip(terms, arrays, strict=True)]
    most = max([r for t, r in zip(terms, ranks, strict=True) if "..." in t], default=0)
    ellipsis = "".join(spare[:most])
    terms = [t.replace("...", ellipsis[most - r :]) for t, r in zip(terms, ranks, strict=True)]
    letters = sorted(set("".join(terms)))
    if arrow:
        result = right.replace("...", ellipsis)
    else:
        result = ellipsis + "".join(c for c in letters if c not in ellipsis and "".join(terms).count(c) == 1)
    length = {
        c: max(a.shape[i] for t, a in zip(terms, arrays, strict=True) for i, d in enumerate(t) if d == c)
        for c in letters
    }
    value = np.zeros([length[c] for c in result])
    count = 0
    for place in itertools.product(*(range(length[c]) for c in letters)):
        at = dict(zip(letters, place, strict=True))
        factors = [
            a[tuple(at[c] if a.shape[i] > 1 else 0 for i, c in enumerate(t))]
            for t, a in zip(terms, arrays, strict=True)
        ]
        value[tuple(at[c] for c in result)] += np.prod(factors)
        count += 1
    return value, count


@settings(max_examples=150)
@given(contractions(), st.integers(0, 2**32 - 1))
def test_shapes_are_numpys_and_multiply_adds_those_of_a_loop(
    writer, problem: tuple[str, list[tuple[int, ...]]], seed: int
) -> None:
    equation, shapes = problem
    arrays = [np.random.default_rng(seed).normal(size=shape) for shape in shapes]
    value, count = looped(equation, arrays)
    np.testing.assert_allclose(np.einsum(equation, *arrays), value, atol=1e-12)
    w = writer(**{f"x{i}": shape for i, shape in enumerate(shapes)})
    written = w.graph(w("Einsum", *w.inputs, equation=equation))
    assert total(written, "macs") == (count if len(shapes) > 1 else 0)
    if len(shapes) > 1:  # of one tensor, it may be no node at all: axes of length 1 in another place
        lengths = list(value.shape)
        while len(lengths) > 1 and lengths[-1] == 1:  # those at the end are left out of shapes
            lengths.pop()
        assert written.attrs["shape"][-1].tolist() == [*lengths, *(0,) * 6][:6]


@pytest.mark.parametrize(
    ("equation", "shapes", "macs"),
    [
        ("...ij,...jk->...ik", [(2, 4, 3), (2, 3, 5)], 2 * 4 * 3 * 5),
        ("...ij,jk->...ik", [(2, 7, 4, 3), (3, 5)], 2 * 7 * 4 * 3 * 5),
        ("bij,bjk->bik", [(2, 4, 3), (2, 3, 5)], 2 * 4 * 3 * 5),
        (" b i j , b j k ", [(1, 4, 3), (2, 3, 5)], 2 * 4 * 3 * 5),
        ("...HIJ,...JK->...HIK", [(6, 2, 4, 3), (1, 3, 5)], 6 * 2 * 4 * 3 * 5),
        ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)], 2 * 3 * 4 * 5),
        ("ii,ij->j", [(3, 3), (3, 5)], 3 * 5),
        ("...,...", [(2, 3), (3,)], 2 * 3),
        ("i,j->", [(3,), (4,)], 3 * 4),
    ],
)
@pytest.mark.parametrize("weights", [False, True])
def test_multiply_adds_of_products_by_hand(writer, equation, shapes, macs, weights) -> None:
    w = writer(x=shapes[0]) if weights else writer(**{f"x{i}": shape for i, shape in enumerate(shapes)})
    operands = ["x", *(w.weight(*shape) for shape in shapes[1:])] if weights else list(w.inputs)
    graph = w.graph(w("Einsum", *operands, equation=equation))
    assert total(graph, "macs") == macs
    assert total(graph, "params") == (sum(int(np.prod(shape)) for shape in shapes[1:]) if weights else 0)


@pytest.mark.parametrize(
    ("equation", "labels"),
    [
        ("...ij->...ji", ["permute"]),
        ("ijk->k", ["reduce_sum"]),
        ("ijk->ki", ["reduce_sum", "permute"]),
        ("iij->ij", ["reduce"]),
    ],
)
def test_an_equation_of_one_tensor_multiplies_nothing(writer, equation, labels) -> None:
    w = writer(x=(3, 3, 4))
    graph = w.graph(w("Einsum", "x", equation=equation))
    assert list(graph.ops[1:-1]) == labels
    assert total(graph, "macs") == 0


def test_an_open_length_counts_nothing_and_is_told(writer) -> None:
    w = writer(a=(2, 4, 3), b=(2, 3, "open"))
    model = w.model(w("Einsum", "a", "b", equation="...ij,...jk->...ik"))
    seen = interpret(model, sizes=None)
    assert total(seen.graph, "macs") == 0
    assert any("could not be found" in text for text in seen.warnings)
    seen = interpret(model, sizes=OpenSizes(sequence=5))
    assert total(seen.graph, "macs") == 2 * 4 * 3 * 5
