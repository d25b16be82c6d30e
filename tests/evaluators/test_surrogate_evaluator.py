import hashlib
import json
import math

import numpy as np
import pytest

from archpredict.errors import UnknownNameError, UsageError
from archpredict.evaluators.surrogate import SurrogateEvaluator
from archpredict.predict import storage
from archpredict.predict.predictor import Predictor
from archpredict.predict.training.training import Training
from archpredict.testing.evaluators import EvaluatorContract
from archpredict.testing.toys import ToySpace

SPACE = ToySpace()
ARCHITECTURES = SPACE.architectures(SPACE.enumerate()[::50])


class Total:
    def predict(self, architectures):
        sums = np.array([sum(a.choices) for a in architectures], dtype=float)
        return np.where(sums == 3, np.nan, sums + len(architectures) / 1000)


class TestSurrogateEvaluatorContract(EvaluatorContract):
    @pytest.fixture
    def evaluator(self):
        return SurrogateEvaluator(Total())

    @pytest.fixture
    def architectures(self):
        return ARCHITECTURES


@pytest.fixture(scope="module")
def fitted():
    return Predictor(training=Training(epochs=10), ensemble=2, regressors=None).fit(
        ARCHITECTURES, np.arange(len(ARCHITECTURES))
    )


def test_a_label_does_not_depend_on_what_else_is_asked(fitted):
    for predictor in (Total(), fitted):
        evaluator = SurrogateEvaluator(predictor)
        together = [r.score for r in evaluator.evaluate(ARCHITECTURES)]
        assert together == [next(evaluator.evaluate([a])).score for a in ARCHITECTURES]


def test_a_prediction_that_is_not_finite_is_a_failed_result():
    (result,) = SurrogateEvaluator(Total()).evaluate([SPACE.architecture([1, 2, 0, 0, 0, 0])])
    assert result.error == "the surrogate predicted nan, no finite number"


def test_the_description_says_that_labels_are_estimates():
    described = SurrogateEvaluator(Total(), "darts-x", card={"labels": "CIFAR-10 accuracy"}, sha256="ab").describe()
    assert described == {
        "evaluator": "surrogate",
        "labels": "estimates of the surrogate darts-x, no network was trained for them: CIFAR-10 accuracy",
        "predictor": "darts-x",
        "sha256": "ab",
    }
    assert SurrogateEvaluator(Total()).describe()["predictor"] == "Total"


def test_a_saved_predictor_is_loaded_with_its_card_and_its_hash(fitted, tmp_path):
    fitted.save(tmp_path / "mine", {"labels": "toy scores"})
    evaluator = SurrogateEvaluator.load(tmp_path / "mine", "cpu")
    files = [(tmp_path / "mine" / name).read_bytes() for name in ("predictor.json", "weights.safetensors")]
    assert evaluator.describe()["sha256"] == hashlib.sha256(b"".join(files)).hexdigest()
    assert "them: toy scores" in evaluator.describe()["labels"]
    scores = [r.score for r in evaluator.evaluate(ARCHITECTURES)]
    assert scores == [fitted.predict([a])[0] for a in ARCHITECTURES]  # to the bit: each is scored alone


def test_an_unknown_name_is_refused():
    with pytest.raises(UnknownNameError, match="unknown predictor 'nowhere'"):
        SurrogateEvaluator.load("nowhere")


def test_the_predictor_of_a_space_is_found_by_its_card(monkeypatch, tmp_path, fitted):
    cards = {"a": {"space": "other"}, "b": {"space": "toy"}, "c": {"space": "toy", "default": True}, "d": {}}
    for name, card in cards.items():
        fitted.save(tmp_path / name, card)
    monkeypatch.setattr(storage, "PRETRAINED", tmp_path)
    monkeypatch.setattr(SurrogateEvaluator, "load", classmethod(lambda cls, name, device="auto": name))
    assert SurrogateEvaluator.for_space("toy") == "c"
    assert SurrogateEvaluator.for_space("other") == "a"


def test_a_space_without_a_surrogate_says_what_to_give_instead():
    with pytest.raises(UsageError) as caught:
        SurrogateEvaluator.for_space("toy")
    assert str(caught.value) == (
        "the space toy has no embedded surrogate: give another `evaluator`, such as table, command or train, "
        "and what it needs"
    )


def test_every_shipped_card_says_what_its_labels_are():
    for name in storage.shipped():
        card = storage.read_card(storage.located(name))
        assert card["labels"], name
        assert not math.isnan(len(json.dumps(card)))
