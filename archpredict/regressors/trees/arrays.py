"""Ensembles of decision trees as arrays: read off a library's trees, evaluated by numpy, saved without pickle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict._typing import BoolArray, FloatArray, IntArray

Tree = tuple[IntArray, IntArray, IntArray, FloatArray, FloatArray]
"""``(nodes,)`` left child (-1 of leaves), right child, feature, threshold and value of each node; the root is first."""

MAX_DEPTH = 200
"""Levels of a tree at most: a tree on so few labels has 20 to 40, a hostile file could have millions to walk down."""
_MAX_TREES = 10_000
_ROWS = 1024
_CELLS = 1 << 14
"""Trees times rows walked at once: what is held of them stays in the processor's caches."""
_LEVELS = 6
"""Levels gone down before rows that have come to a leaf are left out."""
_FEW_LEAVES = 8
"""Leaves of a tree that are still told by the bits of one byte."""


@dataclass(frozen=True, eq=False)
class TreeEnsemble:
    """Binary regression trees, one after another, each in preorder: node, left subtree, right subtree.

    So an inner node's left child is the next node, and its right child follows from which nodes are leaves: arrays from
    a stranger cannot lead outside, nor in a circle. A row goes left where its number is at most the threshold; numbers
    are read in single precision, as scikit-learn's forests do, and thresholds rounded down to it decide alike.

    Args:
        feature: ``(N,)`` column that a node asks for, -1 for a leaf.
        threshold: ``(inner nodes,)`` float32.
        leaf: ``(leaves,)`` place of a leaf's value in ``values``: those of a forest are few, as its labels are.
        values: ``(V,)``.

    Raises:
        ValueError: The arrays are not those of whole trees.

    Example:
        >>> feature, threshold = np.array([0, -1, -1]), np.array([0.5], dtype=np.float32)
        >>> stump = TreeEnsemble(feature, threshold, np.array([0, 1]), np.array([10.0, 20.0]))
        >>> next(stump.outputs(np.array([[0.5], [0.6]])))
        array([[10., 20.]])
    """

    feature: npt.NDArray[np.signedinteger]
    threshold: npt.NDArray[np.float32]
    leaf: npt.NDArray[np.signedinteger]
    values: FloatArray

    def __post_init__(self) -> None:
        wanted = {"feature": "i", "threshold": "f", "leaf": "i", "values": "f"}
        given = {name: getattr(self, name) for name in wanted}
        if any(array.ndim != 1 or array.dtype.kind != wanted[name] for name, array in given.items()):
            raise ValueError("its trees are not lists of numbers of the right kinds")
        leaves, inner, valued = int((self.feature < 0).sum()), len(self.threshold), len(self.leaf)
        if (inner, valued) != (len(self.feature) - leaves, leaves):
            raise ValueError(f"its trees have {leaves} leaves, {valued} values and {inner} thresholds are given")
        if not leaves or self.leaf.min() < 0 or self.leaf.max() >= len(self.values):
            raise ValueError("its trees have leaves without a value")
        if not (np.isfinite(self.threshold).all() and np.isfinite(self.values).all()):
            raise ValueError("the numbers of its trees are not all finite")
        if self._open[:-1].min() <= self._open[-1]:
            raise ValueError("its last tree is not whole")

    def __getstate__(self) -> dict[str, Any]:
        """The fields alone: what is found from them for speed is larger than they are, and found again."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    # ------------------------------------------------------------------ from and to arrays

    @classmethod
    def of(cls, trees: Sequence[Tree]) -> TreeEnsemble:
        """From a library's trees, whatever the order of their nodes."""
        sizes = [len(tree[0]) for tree in trees]
        root = np.cumsum([0, *sizes[:-1]])
        left, right, feature, threshold, value = (np.concatenate(parts) for parts in zip(*trees, strict=True))
        inner, shift = left >= 0, np.repeat(root, sizes)
        order = np.argsort(_preorder(np.where(inner, left + shift, -1), right + shift, root))
        inner = inner[order]
        values, leaf = np.unique(value[order][~inner], return_inverse=True)
        return cls(
            _compact(np.where(inner, feature[order], -1)),
            _rounded_down(threshold[order][inner]),
            _compact(leaf),
            values.astype(np.float64),
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """For :meth:`from_arrays`."""
        return {"feature": self.feature, "threshold": self.threshold, "leaf": self.leaf, "values": self.values}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], columns: int) -> TreeEnsemble:
        """From what :meth:`arrays` gave.

        Raises:
            ValueError: They are not those of whole trees on so many columns.
        """
        if arrays.keys() != {"feature", "threshold", "leaf", "values"}:
            raise ValueError(f"trees are feature, threshold, leaf and values; {', '.join(sorted(arrays))} are given")
        made = cls(**arrays)
        if made.feature.max() >= columns:
            raise ValueError(f"its trees read column {made.feature.max()}, there are {columns}")
        if len(made._roots) > _MAX_TREES or made._is_deeper_than(MAX_DEPTH):
            raise ValueError(f"it has more than {_MAX_TREES:,} trees, or one of more than {MAX_DEPTH} levels")
        return made

    # ------------------------------------------------------------------ evaluation

    def outputs(self, x: FloatArray) -> Iterator[FloatArray]:
        """What each tree says, ``(trees, rows)`` for some of the rows of ``(G, F)`` numbers after another."""
        height = _ROWS if self._few is None else max(1, 2 * _CELLS // len(self._roots))
        for start in range(0, len(x), height):
            rows = np.ascontiguousarray(x[start : start + height].T, dtype=np.float32)
            if self._few is not None:
                yield self._few.outputs(rows)
                continue
            block = max(1, _CELLS // rows.shape[1])
            said = [self._walk(rows, self._roots[i : i + block]) for i in range(0, len(self._roots), block)]
            yield np.concatenate(said)

    @cached_property
    def _few(self) -> _FewLeaves | None:
        """The same trees where all are small, None where one is not."""
        leaves = np.add.reduceat(self.feature < 0, self._roots, dtype=np.int64)
        return _FewLeaves.of(self) if leaves.max() <= _FEW_LEAVES else None

    def _walk(self, x: npt.NDArray[np.float32], roots: IntArray) -> FloatArray:
        """``(roots, G)`` values of the leaves where ``(F, G)`` numbers end; all go down one level at a time."""
        feature, threshold, right, value = self._nodes
        width, flat = x.shape[1], x.ravel()
        end = np.repeat(roots, width)
        going, node, column = np.arange(len(end)), end, np.tile(np.arange(width), len(roots))
        while len(going):
            for _ in range(_LEVELS):
                goes_left = flat.take(feature.take(node) * width + column) <= threshold.take(node)
                node = np.where(goes_left, node + 1, right.take(node))
            end[going] = node
            more = right.take(node) != node
            going, node, column = going[more], node[more], column[more]
        return value.take(end).reshape(len(roots), width)

    @cached_property
    def _open(self) -> IntArray:
        """``(N + 1,)`` nodes announced and not yet met, before each node, where every whole tree leaves one less."""
        return np.concatenate([[0], np.cumsum(np.where(self.feature < 0, -1, 1))])

    @cached_property
    def _roots(self) -> IntArray:
        before = self._open[:-1]
        return np.flatnonzero(before < np.minimum.accumulate(np.concatenate([[1], before[:-1]])))

    @cached_property
    def _nodes(self) -> tuple[IntArray, npt.NDArray[np.float32], IntArray, FloatArray]:
        """Feature, threshold, right child and value of every node; a row that has come to a leaf stays there."""
        inner = self.feature >= 0
        threshold = np.full(len(inner), -np.inf, dtype=np.float32)
        threshold[inner] = self.threshold
        value = np.zeros(len(inner))
        value[~inner] = self.values[self.leaf]
        # When the left subtree is done, as many nodes are open as before its parent, for the first time since.
        order = np.argsort(self._open[:-1], kind="stable")
        right = np.arange(len(inner))
        follower = np.empty(len(inner), dtype=np.int64)
        follower[order[:-1]], follower[order[-1]] = order[1:], order[-1]
        right[inner] = follower[inner]
        return np.maximum(self.feature, 0).astype(np.int64), threshold, right, value

    def _is_deeper_than(self, most: int) -> bool:
        right, inner, level = self._nodes[2], self.feature >= 0, self._roots
        for _ in range(most + 1):
            level = level[inner[level]]
            if not len(level):
                return False
            level = np.concatenate([level + 1, right[level]])
        return True


@dataclass(frozen=True, eq=False)
class _FewLeaves:
    """Trees of few leaves, which no row walks down: every node is asked, and a byte of each tree says what is left.

    Lucchese et al., "QuickScorer: a fast algorithm to rank documents with additive ensembles of regression trees",
    SIGIR 2015: where a row does not go left, none of the left subtree's leaves is its own; of those that no node rules
    out it comes to the leftmost.

    Args:
        feature: ``(n, trees)`` column that each inner node asks for; trees with fewer than ``n`` of them are padded.
        threshold: ``(n, trees, 1)``.
        left_over: ``(n, trees, 1)`` bits of the leaves that are left where a row goes right; all for padding.
        values: ``(trees * 256,)`` what each tree says by the bits of the leaves that are left.
    """

    feature: IntArray
    threshold: npt.NDArray[np.float32]
    left_over: npt.NDArray[np.uint8]
    values: FloatArray

    @classmethod
    def of(cls, trees: TreeEnsemble) -> _FewLeaves:
        """The same trees, none of which has more leaves than a byte has bits."""
        feature, threshold, right, value = trees._nodes
        roots, inner = trees._roots, trees.feature >= 0
        tree = np.repeat(np.arange(len(roots)), np.diff(np.append(roots, len(inner))))
        leaf, turn = _counted(~inner, roots[tree]), _counted(inner, roots[tree])
        left_subtree = (1 << leaf[right]) - (1 << leaf)
        shape = int(turn[inner].max(initial=0)) + 1, len(roots)
        features, thresholds = np.zeros(shape, dtype=np.int64), np.zeros((*shape, 1), dtype=np.float32)
        left_over = np.full((*shape, 1), 255, dtype=np.uint8)
        place = turn[inner], tree[inner]
        features[place], thresholds[place] = feature[inner], threshold[inner, None]
        left_over[place] = 255 - left_subtree[inner, None]
        of_leaf = np.zeros((len(roots), _FEW_LEAVES))
        of_leaf[tree[~inner], leaf[~inner]] = value[~inner]
        leftmost = [(bits & -bits).bit_length() - 1 for bits in range(256)]  # some leaf is always left
        return cls(features, thresholds, left_over, of_leaf[:, leftmost].ravel())

    def outputs(self, x: npt.NDArray[np.float32]) -> FloatArray:
        """``(trees, G)`` of ``(F, G)`` numbers."""
        goes_left = x[self.feature] <= self.threshold
        left_over = np.negative(goes_left.view(np.uint8)) | self.left_over
        first = np.arange(self.feature.shape[1]) << 8
        said: FloatArray = self.values.take(np.bitwise_and.reduce(left_over, axis=0) + first[:, None])
        return said


def _counted(of_kind: BoolArray, root: IntArray) -> IntArray:
    """``(N,)`` nodes of a kind that stand before each node in its tree, whose root is given."""
    before: IntArray = np.cumsum(of_kind) - of_kind
    return before - before[root]


def _preorder(left: IntArray, right: IntArray, roots: IntArray) -> IntArray:
    """Place of each node; nodes are passed level by level, first up for the sizes of subtrees."""
    levels, level = [], roots[left[roots] >= 0]
    while len(level):
        levels.append(level)
        level = np.concatenate([left[level], right[level]])
        level = level[left[level] >= 0]
    size = np.ones(len(left), dtype=np.int64)
    for level in reversed(levels):
        size[level] += size[left[level]] + size[right[level]]
    place = np.zeros(len(left), dtype=np.int64)
    place[roots] = np.cumsum([0, *size[roots[:-1]]])
    for level in levels:
        place[left[level]] = place[level] + 1
        place[right[level]] = place[level] + 1 + size[left[level]]
    return place


def _rounded_down(threshold: FloatArray) -> npt.NDArray[np.float32]:
    single = threshold.astype(np.float32)
    return np.where(single > threshold, np.nextafter(single, np.float32(-np.inf)), single)


def _compact(numbers: IntArray) -> npt.NDArray[np.signedinteger]:
    """The smallest type that holds them."""
    kinds = (np.int8, np.int16, np.int32, np.int64)
    return numbers.astype(next(kind for kind in kinds if numbers.max(initial=0) <= np.iinfo(kind).max))
