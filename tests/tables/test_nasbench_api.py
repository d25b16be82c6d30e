from __future__ import annotations

import copy

import numpy as np
import pytest

from archpredict.errors import DataError
from archpredict.tables.table import Table


class FakeNASBench:
    """What ``nasbench.api.NASBench`` documents: hashes, and fixed and computed metrics of each."""

    def __init__(self, cells):
        self.fixed = {digest: cell[0] for digest, cell in cells.items()}
        self.computed = {digest: cell[1] for digest, cell in cells.items()}

    def hash_iterator(self):
        return self.fixed.keys()

    def get_metrics_from_hash(self, module_hash):
        return copy.deepcopy(self.fixed[module_hash]), copy.deepcopy(self.computed[module_hash])


def run(valid, test, train=1.0, time=60.0):
    metrics = {"training_time": time, "train_accuracy": train, "validation_accuracy": valid, "test_accuracy": test}
    return {f"{when}_{name}": value for when in ("halfway", "final") for name, value in metrics.items()}


def cell(matrix, ops, runs):
    fixed = {
        "module_adjacency": np.array(matrix, dtype=np.int8),
        "module_operations": ops,
        "trainable_parameters": np.int32(7),
    }
    return fixed, runs


@pytest.fixture
def api():
    return FakeNASBench(
        {
            "f1": cell(
                [[0, 1], [0, 0]], ["input", "output"], {4: [run(0.3, 0.2)], 108: [run(0.5, 0.4), run(0.7, 0.6)]}
            ),
            "f2": cell(
                [[0, 1, 0], [0, 0, 1], [0, 0, 0]],
                ["input", "maxpool3x3", "output"],
                {4: [run(0.35, 0.25)], 108: [run(0.9, 0.8), run(0.8, 0.9)]},
            ),
        }
    )


def test_the_label_is_the_mean_over_the_trainings(api):
    table = Table.from_nasbench(api)
    assert table.labels.tolist() == pytest.approx([0.6, 0.85])
    assert table.space.to_matrix(table.choices[1].tolist())[1] == ["input", "maxpool3x3", "output"]
    assert (table.target, table.column, table.path.name) == ("valid_accuracy", "architecture", "nasbench.api.NASBench")
    assert Table.from_nasbench(api, "test_accuracy").labels.tolist() == pytest.approx([0.5, 0.85])


def test_a_single_training_and_a_shorter_one_can_be_asked_for(api):
    assert Table.from_nasbench(api, "valid_accuracy_run2").labels.tolist() == [0.7, 0.8]
    assert Table.from_nasbench(api, epochs=4).labels.tolist() == [0.3, 0.35]


def test_the_digest_tells_labels_apart(api):
    digests = {Table.from_nasbench(api, target).sha256 for target in ("valid_accuracy", "test_accuracy")}
    assert len(digests) == 2
    assert Table.from_nasbench(api).sha256 in digests
    assert all(len(digest) == 64 for digest in digests)


def test_a_length_of_training_that_is_not_there_is_answered_with_those_that_are(api):
    with pytest.raises(DataError, match="has no trainings of 12 epochs; it has: 4, 108"):
        Table.from_nasbench(api, epochs=12)


def test_an_unknown_target_is_answered_with_those_there_are(api):
    with pytest.raises(DataError, match="has no column 'accuracy'; its columns of numbers are: params, valid_accuracy"):
        Table.from_nasbench(api, "accuracy")


@pytest.mark.parametrize("wrong", ["nasbench.tfrecord", None, 3])
def test_something_else_than_such_an_object(wrong):
    with pytest.raises(DataError, match=r"was given; expected an object with hash_iterator\(\) and"):
        Table.from_nasbench(wrong)


def test_metrics_that_lack_something_name_the_cell(api):
    del api.fixed["f2"]["module_operations"]
    with pytest.raises(DataError, match=r"cell f2: its metrics are not those of nasbench.api \(KeyError"):
        Table.from_nasbench(api)
