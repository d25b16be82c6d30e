"""Models made ready to run, in this process."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from archpredict.errors import ModelFileError
from archpredict.measuring.question import Question
from archpredict.measuring.running import ready
from archpredict.measuring.timing import Limits


def run(path: Path | str, batch_size: int = 1, **more: Any) -> Any:
    """What a model gives for inputs that are made up."""
    return ready(Question(str(path), batch_size=batch_size, **more)).run()


def save(made: onnx.ModelProto, path: str = "net.onnx") -> str:
    content = made.SerializeToString()
    Path(path).write_bytes(gzip.compress(content) if path.endswith(".gz") else content)
    return path


def test_a_question_survives_json() -> None:
    asked = Question("a.onnx", "torch", "cpu", 8, 2, 3, "amp", shapes={"x": (1, 3)}, limits=Limits(seconds=3))
    assert Question.from_dict(json.loads(json.dumps(asked.to_dict()))) == asked


@pytest.mark.parametrize("name", ["net.onnx", "net.onnx.gz"])
def test_a_model_without_weights_runs_with_the_same_ones_every_time(toys: Any, place: Path, name: str) -> None:
    path = save(toys.convolution(), name)
    model = ready(Question(path))
    assert (model.precision, model.made_up) == ("fp32", 4 * 27)
    np.testing.assert_array_equal(run(path)[0], run(path)[0])
    assert not np.array_equal(run(path)[0], run(path, seed=1)[0])


def test_weights_beside_the_file_are_read(toys: Any, place: Path) -> None:
    path = save(toys.convolution())
    Path("absent.bin").write_bytes(np.zeros((4, 3, 3, 3), np.float32).tobytes())
    model: Any = ready(Question(path))
    assert model.made_up == 0
    assert not model.run()[0].any()


@pytest.mark.parametrize("first", [1, "N", 5])
def test_a_batch_that_is_one_open_or_the_same_can_be_had(toys: Any, place: Path, first: Any) -> None:
    path = save(toys.convolution((first, 3, 8, 8)))
    assert run(path, 5)[0].shape == (5, 4, 6, 6)


def test_another_batch_than_the_files_is_refused(toys: Any, place: Path) -> None:
    path = save(toys.convolution((8, 3, 8, 8)))
    with pytest.raises(ModelFileError, match="its file has a batch of 8, and no batch of 2 can be made of that"):
        run(path, 2)


def test_constants_for_one_image_are_changed_to_those_for_several(toys: Any, place: Path) -> None:
    path = save(toys.class_token())
    one, several = run(path)[0], run(path, 3)[0]
    assert (one.shape, several.shape) == ((1, 256), (3, 256))
    np.testing.assert_allclose(several[:1], one, rtol=1e-5)  # the first image is the same one


def test_lengths_that_are_computed_are_changed_too(toys: Any, place: Path) -> None:
    numbers = {"one": [1], "three": [3], "rest": [-1], "five": [5]}
    constants = [numpy_helper.from_array(np.array(value), name) for name, value in numbers.items()]
    token = numpy_helper.from_array(np.random.default_rng(0).random((1, 1, 64), np.float32), "token")
    nodes = [
        helper.make_node("Concat", ["one", "three", "rest"], ["tokens"], axis=0),
        helper.make_node("Reshape", ["x", "tokens"], ["t"]),
        helper.make_node("Concat", ["one", "five", "one"], ["wide"], axis=0),
        helper.make_node("Expand", ["token", "wide"], ["five_tokens"]),
        helper.make_node("Concat", ["five_tokens", "t"], ["all"], axis=1),
        helper.make_node("Shape", ["all"], ["shape"]),
        helper.make_node("Gather", ["shape", "two"], ["width"]),
        helper.make_node("Concat", ["one", "rest", "width"], ["same"], axis=0),
        helper.make_node("Reshape", ["all", "same"], ["y"]),
    ]
    path = save(toys.net(nodes, [*constants, token, numpy_helper.from_array(np.array([2]), "two")]))
    one, several = run(path)[0], run(path, 3)[0]
    assert (one.shape, several.shape) == ((1, 8, 64), (3, 8, 64))
    np.testing.assert_array_equal(several[:1], one)


def test_a_network_that_mixes_the_images_of_a_batch_has_no_other_batch(toys: Any, place: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["x", "mean"], ["off"]),
        helper.make_node("Add", ["off", "x"], ["y"]),
    ]
    path = save(toys.net(nodes))
    with pytest.raises(ModelFileError, match="images would change each other"):
        run(path, 2)


def test_a_network_whose_images_would_change_each_other_has_no_other_batch(toys: Any, place: Path) -> None:
    scale = numpy_helper.from_array(np.array([1, 3, 64]), "shape")
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["t"]),
        helper.make_node("CumSum", ["t", "zero"], ["y"]),  # over the batch, which is no axis of one image
    ]
    path = save(toys.net(nodes, [scale, numpy_helper.from_array(np.array(0), "zero")]))
    assert run(path)[0].shape == (1, 3, 64)
    with pytest.raises(ModelFileError, match=r"no batch of 2 can be made of that: images would change each other"):
        run(path, 2)


def test_open_lengths_of_images_are_taken_or_given(toys: Any, place: Path) -> None:
    path = save(toys.convolution(("N", 3, "H", "W")))
    assert run(path, 2)[0].shape == (2, 4, 222, 222)
    assert run(path, 2, shapes={"": (1, 3, 10, 12)})[0].shape == (2, 4, 8, 10)


def test_a_model_that_onnx_runtime_refuses_says_so(toys: Any, place: Path) -> None:
    path = save(toys.unknown_operator())
    with pytest.raises(ModelFileError, match=r"ONNX Runtime refuses it: .*Conjure"):
        run(path)


def test_what_is_no_model_says_what_it_is(place: Path) -> None:
    Path("net.onnx").write_text("hello")
    with pytest.raises(ModelFileError, match="is text, not ONNX"):
        run("net.onnx")


def test_absent_weights_beyond_the_limit_of_memory_are_not_made_up(toys: Any, place: Path) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    path = save(toys.net([node], [toys.absent_weight("w", 1 << 30, 3, 8, 8)]))
    with pytest.raises(ModelFileError, match="its absent weights take 824,633,720,832 bytes, more than the limit of"):
        run(path, limits=Limits(memory=1 << 30))
