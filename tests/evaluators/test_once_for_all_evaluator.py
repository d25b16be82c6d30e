"""The published Once-for-All accuracy predictor: features written apart, and files that are not it."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from archpredict.errors import DataError, UsageError
from archpredict.evaluators.base import Evaluator, as_evaluator
from archpredict.evaluators.once_for_all import OnceForAllEvaluator
from archpredict.registry import resolve
from archpredict.spaces.base import Architecture
from archpredict.spaces.mobilenetv3 import MobileNetV3
from archpredict.spaces.nasbench201 import NASBench201

SPACE = MobileNetV3()
SHAPES = {"0": (400, 128), "2": (400, 400), "4": (400, 400), "6": (1, 400)}


def random_weights(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    weights: dict[str, Any] = {}
    for layer, shape in SHAPES.items():
        bound = shape[1] ** -0.5
        weights[f"{layer}.weight"] = rng.uniform(-bound, bound, shape).astype(np.float32)
        weights[f"{layer}.bias"] = rng.uniform(-bound, bound, shape[0]).astype(np.float32)
    return weights


def drawn(n: int, seed: int = 0) -> list[Architecture]:
    return SPACE.architectures(SPACE.sample(n, np.random.default_rng(seed)))


def features(text: str) -> list[float]:
    """The published layout, from the notation: all kernels, all expansions, the resolution."""
    resolution, *stages = text.split(" | ")
    kernels, expansions = [[0.0] * 60, [0.0] * 60]
    for s, stage in enumerate(stages):
        for i, layer in enumerate(stage.split()):
            kernels[3 * (4 * s + i) + "357".index(layer[1])] = 1.0
            expansions[3 * (4 * s + i) + "346".index(layer[3])] = 1.0
    return kernels + expansions + [float(r == int(resolution[1:])) for r in range(112, 225, 16)]


def by_torch(weights: dict[str, Any], architectures: list[Architecture]) -> np.ndarray:
    layers = [torch.nn.Linear(shape[1], shape[0]) for shape in SHAPES.values()]
    for name, layer in zip(SHAPES, layers, strict=True):
        layer.load_state_dict({k: torch.tensor(weights[f"{name}.{k}"]) for k in ("weight", "bias")})
    relu = torch.nn.ReLU()
    model = torch.nn.Sequential(layers[0], relu, layers[1], relu, layers[2], relu, layers[3])
    with torch.no_grad():
        return 100 * model(torch.tensor([features(str(a)) for a in architectures]))[:, 0].numpy()


def test_labels_are_those_of_a_torch_module_on_features_written_apart() -> None:
    weights, architectures = random_weights(), drawn(200)
    results = list(OnceForAllEvaluator(weights).evaluate(architectures))
    assert [r.architecture for r in results] == architectures
    np.testing.assert_allclose([r.score for r in results], by_torch(weights, architectures), atol=1e-4)


def test_a_label_does_not_depend_on_its_batch() -> None:
    evaluator, architectures = OnceForAllEvaluator(random_weights()), drawn(700)
    together = [r.score for r in evaluator.evaluate(architectures)]
    alone = [next(iter(evaluator.evaluate([a]))).score for a in architectures[::20]]
    assert together[::20] == alone
    assert list(evaluator.evaluate([])) == []


def test_the_published_weights_rank_published_networks_and_say_what_they_estimate(data_folder: Path) -> None:
    file = data_folder / "once_for_all" / "mbv3_accuracy_predictor.npz"
    evaluator = OnceForAllEvaluator.load(file)
    smaller, larger = evaluator.predict(  # flops@389M_top1@79.1 and flops@482M_top1@79.6 of the published table
        [
            SPACE.from_text(text)
            for text in (
                "r224 | k3e3 k3e3 | k5e3 k5e6 k3e3 | k5e4 k5e4 k3e3 | k5e6 k5e4 k3e4 k3e4 | k3e6 k3e6 k7e6 k3e3",
                "r224 | k5e3 k3e3 k3e3 | k5e4 k3e4 k5e4 k3e3 | k5e4 k5e6 k3e3 k3e3 | k5e6 k7e6 k3e6 k5e4 | "
                "k7e6 k3e6 k3e6 k3e3",
            )
        ]
    )
    assert 82 < smaller < larger < 84  # on images held out of the training set, which are easier
    with np.load(file) as arrays:
        np.testing.assert_allclose(evaluator.predict(drawn(50)), by_torch(dict(arrays), drawn(50)), atol=1e-4)
    described = evaluator.describe()
    assert "Once-for-All predictor expects" in described["labels"]
    assert len(described["sha256"]) == 64


def test_the_file_stands_after_the_name(tmp_path: Path) -> None:
    file = tmp_path / "p.npz"
    np.savez(file, **random_weights())
    found = resolve("evaluators", "once-for-all", Evaluator)
    assert found is OnceForAllEvaluator
    evaluator = as_evaluator(f"once-for-all:{file}", SPACE)
    assert evaluator.describe()["evaluator"] == "once-for-all"


def test_without_a_file_or_for_another_space_it_says_what_to_give() -> None:
    with pytest.raises(UsageError, match=r"needs `weights` .*, e.g. as once-for-all:WEIGHTS"):
        as_evaluator("once-for-all", SPACE)
    with pytest.raises(UsageError, match="labels the space mobilenetv3, not nasbench201; give `space='mobilenetv3'`"):
        as_evaluator("once-for-all:file.npz", NASBench201())
    with pytest.raises(UsageError, match="labels the space mobilenetv3, one of nasbench201 was given"):
        OnceForAllEvaluator(random_weights()).predict([NASBench201().architecture((0,) * 6)])


def packed(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def bomb() -> bytes:
    """Half a kilobyte per megabyte of zeros."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.weight.npy", bytes(40 << 20))
    return buffer.getvalue()


def spoiled() -> dict[str, bytes]:
    weights = random_weights()
    whole = packed(weights)
    middle = len(whole) // 2
    nan = {**weights, "4.bias": np.full(400, np.nan, np.float32)}
    return {
        "is empty": b"",
        "is text": b"no weights at all\n",
        "is truncated": whole[:middle],
        "is damaged": whole[:middle] + bytes(64) + whole[middle + 64 :],
        "has no array '6.bias'; it is not": packed({k: v for k, v in weights.items() if k != "6.bias"}),
        "2.weight has shape (400, 128)": packed({**weights, "2.weight": weights["0.weight"]}),
        "0.bias has shape (400,) and type int64": packed({**weights, "0.bias": np.zeros(400, np.int64)}),
        "4.bias has numbers that are not finite": packed(nan),
        "cannot be read as .npz: Object arrays": packed({**weights, "0.bias": np.array([{}] * 400)}),
        "holds 41,943,040 bytes of arrays": bomb(),
    }


SPOILED = spoiled()


@pytest.mark.parametrize("what", SPOILED)
def test_a_file_that_is_not_the_predictor_is_refused_in_one_sentence(what: str, tmp_path: Path) -> None:
    file = tmp_path / "p.npz"
    file.write_bytes(SPOILED[what])
    said = "cannot be read as .npz" if what.startswith("is ") else what
    with pytest.raises(DataError, match=re.escape(said)) as caught:
        OnceForAllEvaluator.load(file)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_or_much_too_large_is_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file .*missing\.npz; give the \.npz with the weights"):
        OnceForAllEvaluator.load(tmp_path / "missing.npz")
    large = tmp_path / "large.npz"
    with large.open("wb") as file:
        file.truncate(33 << 20)
    with pytest.raises(DataError, match=r"has 34,603,008 bytes, the weights of the Once-for-All predictor about 1\.4"):
        OnceForAllEvaluator.load(large)
