"""Encoders of networks learn without labels, are kept whole, and predictors begin with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from archpredict.errors import DataError, RunError, UnknownNameError, UsageError
from archpredict.graph.batch import batched
from archpredict.predict.inputs import InputSpec
from archpredict.predict.parts import Part
from archpredict.predict.predictor import Predictor
from archpredict.predict.pretraining.corpus import Corpus, of_models, of_space
from archpredict.predict.pretraining.networks import OBJECTIVES, Pretraining, pretrain, untrained
from archpredict.predict.pretraining.pretrained_encoder import PretrainedEncoder, encoder_of, shipped_encoders
from archpredict.predict.training.training import Training
from archpredict.spaces.nasbench201 import NASBench201
from archpredict.testing.graphs import random_computational_graph

SMALL = Part("comp-graph", dim=8, layers=1, shapes=True)
GRAPHS = tuple(random_computational_graph(8 + n, np.random.default_rng(n)) for n in range(12))
CORPUS = Corpus(GRAPHS, ({"kind": "made up", "name": "toys", "networks": 12},), np.zeros(12, dtype=np.int64))
CELLS = NASBench201().architectures(NASBench201().sample(8, np.random.default_rng(0)))


def quick(name: str = "spectral", steps: int = 6, **changes: Any) -> Pretraining:
    return Pretraining(OBJECTIVES[name](), steps=steps, batch_size=6, **changes)


def equal(one: PretrainedEncoder, two: PretrainedEncoder) -> bool:
    return one.weights.keys() == two.weights.keys() and all(
        torch.equal(value, two.weights[name]) for name, value in one.weights.items()
    )


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_teaches_the_encoder_something_and_the_same_each_time(name: str) -> None:
    torch.manual_seed(0)
    first = pretrain(CORPUS, SMALL, quick(name))
    torch.manual_seed(1)
    assert equal(first, pretrain(CORPUS, SMALL, quick(name)))
    assert not equal(first, untrained(CORPUS, SMALL))
    assert not equal(first, pretrain(CORPUS, SMALL, quick(name, seed=1)))
    assert first.card["objective"]["name"] == name
    assert np.isfinite(first.card["loss"])


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_loss_falls(name: str) -> None:
    losses: list[float] = []
    pretrain(CORPUS, SMALL, quick(name, steps=80), observer=lambda event: losses.append(event.values["loss"]))
    assert losses[-1] < losses[0]


def test_graphs_that_are_joined_alike_get_encodings_that_are_alike() -> None:
    def similarity(encoder: PretrainedEncoder) -> float:
        made = encoder_of(encoder.part)
        made.load_state_dict(dict(encoder.weights))
        with torch.no_grad():
            z = torch.nn.functional.normalize(made.eval()(batched(InputSpec.fit(GRAPHS, form="network")[1].graphs)))
        spectra = OBJECTIVES["spectral"]().targets(GRAPHS)
        distance = np.linalg.norm(spectra[:, None] - spectra[None], axis=2)
        pairs = np.triu_indices(len(GRAPHS), 1)
        return float(np.corrcoef((z @ z.T).numpy()[pairs], distance[pairs])[0, 1])

    how = Pretraining(steps=150, batch_size=12)
    assert similarity(pretrain(CORPUS, SMALL, how)) < similarity(untrained(CORPUS, SMALL)) - 0.1


def test_it_goes_on_from_a_checkpoint_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    whole, place = pretrain(CORPUS, SMALL, quick(steps=25)), tmp_path / "checkpoint"

    def stop(event: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(CORPUS, SMALL, quick(steps=25), checkpoint=place, observer=stop)
    assert equal(whole, pretrain(CORPUS, SMALL, quick(steps=25), checkpoint=place))
    with pytest.raises(UsageError, match=r"is of a pre-training with another seed; give the settings and sources"):
        pretrain(CORPUS, SMALL, quick(steps=25, seed=3), checkpoint=place)
    place.write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"is damaged .*; remove it to begin anew"):
        pretrain(CORPUS, SMALL, quick(steps=25), checkpoint=place)


def test_a_batch_is_of_one_source_or_mixed() -> None:
    two = Corpus.concat([CORPUS, CORPUS])
    assert two.source.tolist() == [0] * 12 + [1] * 12
    assert [source["name"] for source in two.sources] == ["toys", "toys"]
    assert not equal(pretrain(two, SMALL, quick(batches="one")), pretrain(two, SMALL, quick(batches="mixed")))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": 0}, "steps is an integer of at least 1"),
        ({"batch_size": 1}, "batch_size is an integer of at least 2"),
        ({"batches": "two"}, "unknown batches 'two'"),
        ({"learning_rate": 0.0}, "learning_rate is a finite number above 0"),
    ],
)
def test_settings_out_of_their_ranges_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Pretraining(**given)


def test_an_encoder_that_reads_no_networks_is_refused() -> None:
    with pytest.raises(UsageError, match="is an encoder that reads them, gcn does not; give comp-graph"):
        pretrain(CORPUS, "gcn")


# ---------------------------------------------------------------------- corpora


def test_a_corpus_of_a_space_follows_from_the_seed_and_says_so() -> None:
    space = of_space("nasbench201", samples=5, seed=1)
    assert len(space.graphs) == space.sources[0]["networks"] == 5
    assert space.sources == of_space(NASBench201(), samples=5, seed=1).sources
    assert space.sources[0]["sha256"] != of_space("nasbench201", samples=5, seed=2).sources[0]["sha256"]


def test_a_folder_without_a_readable_file_and_a_corpus_without_networks_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b.onnx").write_bytes(b"nothing")
    with pytest.raises(RunError, match=r"none of the 1 ONNX files in .* can be read as a network \(the first: "):
        of_models(tmp_path)
    with pytest.raises(UsageError, match="pre-trained on at least 2 networks, 1 were given; give more"):
        Corpus.concat([of_space("nasbench201", samples=1)])


# ---------------------------------------------------------------------- on disk


@pytest.fixture(scope="module")
def made() -> PretrainedEncoder:
    return pretrain(CORPUS, SMALL, quick())


def test_what_is_saved_is_what_is_loaded(made: PretrainedEncoder, tmp_path: Path) -> None:
    made.save(tmp_path / "encoder")
    assert sorted(path.name for path in (tmp_path / "encoder").iterdir()) == ["encoder.json", "weights.safetensors"]
    again = PretrainedEncoder.load(tmp_path / "encoder")
    assert equal(made, again)
    assert (again.part, again.card) == (made.part, json.loads(json.dumps(made.card)))


def changed(change: Callable[[dict[str, Any]], None], folder: Path) -> None:
    content = json.loads((folder / "encoder.json").read_text())
    change(content)
    (folder / "encoder.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(archpredict_encoder=0), "its format is 0, this version reads 1; pre-train it again"),
        (
            lambda c: c["operators"].append("new"),
            "knows other operators or numbers of nodes than this version; pre-train",
        ),
        (
            lambda c: c["numbers"].append("new"),
            "knows other operators or numbers of nodes than this version; pre-train it",
        ),
        (lambda c: c["encoder"].update(name="my.py:Own"), "its encoder 'my.py:Own' is not one of archpredict's own"),
        (lambda c: c["encoder"]["options"].update(dim=16), "is not that of this encoder"),
        (lambda c: c["encoder"]["options"].update(dim=10**9), "an option of 1000000000 is out of bounds"),
        (lambda c: c.clear(), "its format is None"),
    ],
)
def test_an_encoder_of_another_version_or_a_damaged_one_is_refused_in_one_sentence(
    made: PretrainedEncoder, tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    made.save(tmp_path / "encoder")
    changed(change, tmp_path / "encoder")
    with pytest.raises(DataError, match=f"encoder does not hold a valid encoder: .*{message}"):
        Predictor(tmp_path.joinpath("encoder").as_posix()).check()


def test_encoders_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown pre-trained encoder 'nowhere'; choose from: networks"):
        PretrainedEncoder.load("nowhere")
    with pytest.raises(DataError, match="does not hold a valid encoder"):
        PretrainedEncoder.load(tmp_path)


# ---------------------------------------------------------------------- in predictors


def first_weights(predictor: Predictor) -> torch.Tensor:
    encoder = predictor.ensemble_.models[0].encoder
    assert encoder is not None
    return encoder.state_dict()["embedding.weight"]


def test_a_predictor_begins_with_it_and_is_saved_without_its_folder(made: PretrainedEncoder, tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    made.save(folder)
    training = Training(epochs=1, learning_rate=1e-9, pretrain=0)
    predictor = Predictor(str(folder), sources=(), regressors=None, ensemble=1, training=training, device="cpu")
    predictor.fit(CELLS, range(8))
    torch.testing.assert_close(first_weights(predictor), made.weights["embedding.weight"], atol=1e-6, rtol=0)
    predictor.save(tmp_path / "model")
    changed(lambda content: content.clear(), folder)
    again = Predictor.load(tmp_path / "model")
    assert again.encoder == made.part
    np.testing.assert_array_equal(again.predict(CELLS), predictor.predict(CELLS))


def test_it_takes_no_options(made: PretrainedEncoder, tmp_path: Path) -> None:
    made.save(tmp_path / "encoder")
    with pytest.raises(UsageError, match="is pre-trained as it is, the option 'dim' cannot be changed; leave it out"):
        Predictor(str(tmp_path / "encoder")).set_params(encoder__dim=4).check()


def test_a_folder_that_is_called_like_an_encoder_does_not_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gcn").mkdir()
    monkeypatch.chdir(tmp_path)
    assert Predictor("gcn").check().encoder == "gcn"


def test_what_ships_is_small_and_loads() -> None:
    for name in shipped_encoders():
        encoder = PretrainedEncoder.load(name)
        assert sum(value.numel() * value.element_size() for value in encoder.weights.values()) < 1_000_000
        assert {source["kind"] for source in encoder.card["sources"]} <= {"space", "onnx"}
