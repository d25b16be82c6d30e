"""The contract of number sources, as a test class."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from archpredict.predict.batch import ArchLike, Batch
from archpredict.predict.inputs import Inputs, InputSpec
from archpredict.predict.sources.base import Source

__all__ = ["SourceContract"]


class SourceContract:
    """The contract of sources: what every one keeps to.

    A source's own tests derive from it and give the source, not fitted, and at least five architectures that it
    reads, without features::

        class TestMySource(SourceContract):
            @pytest.fixture
            def source(self):
                return MySource()

            @pytest.fixture
            def architectures(self):
                space = load_space("nasbench201")
                return space.architectures(space.sample(8, np.random.default_rng(0)))
    """

    def test_there_is_a_finite_number_for_each_name_and_architecture(
        self, source: Source, architectures: Sequence[ArchLike]
    ) -> None:
        spec, inputs = fitted(source, architectures)
        assert inputs.numbers.shape == (len(architectures), len(spec.sources.names))
        assert len(set(spec.sources.names)) == len(spec.sources.names) > 0
        assert inputs.numbers.dtype == np.float64
        assert np.isfinite(inputs.numbers).all()

    def test_fitting_leaves_the_source_as_it_was(self, source: Source, architectures: Sequence[ArchLike]) -> None:
        before = dict(vars(source))
        fitted(source, architectures)
        assert vars(source) == before

    def test_an_architecture_has_the_same_numbers_whatever_else_is_in_the_batch(
        self, source: Source, architectures: Sequence[ArchLike]
    ) -> None:
        spec, inputs = fitted(source, architectures)
        order = np.random.default_rng(0).permutation(len(architectures))[:3]
        alone = [spec.pack([architectures[i]]).numbers[0] for i in order]
        np.testing.assert_allclose(alone, inputs.numbers[order], rtol=1e-9, atol=1e-12)
        assert spec.pack([]).numbers.shape == (0, inputs.numbers.shape[1])

    def test_numbers_in_one_go_are_those_that_are_left_until_they_are_asked_for(
        self, source: Source, architectures: Sequence[ArchLike]
    ) -> None:
        spec, inputs = fitted(source, architectures)
        batch = Batch.of(architectures, vocabulary=spec.vocabulary, num_cells=spec.num_cells)
        [its] = spec.sources.sources
        np.testing.assert_array_equal(its(batch), inputs.numbers)
        np.testing.assert_array_equal(inputs[2:].numbers, inputs.numbers[2:])

    def test_it_survives_being_saved(self, source: Source, architectures: Sequence[ArchLike]) -> None:
        spec, inputs = fitted(source, architectures)
        saved = json.loads(json.dumps(spec.to_dict(), allow_nan=False))
        again = InputSpec.from_dict(saved, {source.name: type(source)})
        assert again.sources.names == spec.sources.names
        np.testing.assert_array_equal(again.pack(architectures).numbers, inputs.numbers)
        assert again.to_dict() == spec.to_dict()


def fitted(source: Source, architectures: Sequence[ArchLike]) -> tuple[InputSpec, Inputs]:
    """What a predictor reads that reads this source alone."""
    return InputSpec.fit(architectures, form="nodes", sources=[source])
