"""Axes that a file leaves open get a stated length, which is said; and what stays unknown is said with its weight."""

from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, helper

from archpredict.graph.operators import total
from archpredict.onnx.reader import DEFAULT_SIZES, OpenSizes, interpret, read

node = helper.make_node


def _model(nodes, inputs, weights=(), outputs=("y",), opset: int = 17) -> onnx.ModelProto:
    """A model whose inputs have a type and a shape each; None for no shape at all."""
    values = [helper.make_tensor_value_info(name, dtype, shape) for name, (dtype, shape) in inputs.items()]
    graph = helper.make_graph(
        nodes,
        "g",
        values,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [TensorProto(name=n, dims=dims, data_type=TensorProto.FLOAT) for n, dims in dict(weights).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
CONV = [node("Conv", ["x", "w"], ["y"])]


@pytest.mark.parametrize(
    ("shape", "read"),
    [
        (("b", 3, "h", "w"), (1, 3, 224, 224)),
        (("b", "c", "h", "w"), (1, 3, 224, 224)),
        ((None, None, None, None), (1, 3, 224, 224)),
        ((2, 3, None, None), (2, 3, 224, 224)),
        (("n", 3, 64, "w"), (1, 3, 64, 64)),
        (None, (1, 3, 224, 224)),
    ],
)
def test_an_image_has_the_stated_size_and_the_channels_that_its_first_layer_takes(shape, read) -> None:
    seen = interpret(_model(CONV, {"x": (FLOAT, shape)}, {"w": (8, 3, 3, 3)}))
    assert seen.inputs == seen.assumed == {"x": read}
    assert total(seen.graph, "macs") == 8 * 27 * read[0] * (read[2] - 2) * (read[3] - 2)
    assert seen.warnings[0].startswith("the file leaves open how large the input 'x' is")


def test_the_size_is_an_argument_and_a_shape_that_is_given_counts_first() -> None:
    model = _model(CONV, {"x": (FLOAT, ("b", 3, "h", "w"))}, {"w": (8, 3, 3, 3)})
    assert interpret(model, sizes=OpenSizes(image=32)).inputs == {"x": (1, 3, 32, 32)}
    given = interpret(model, {"x": (2, 3, 64, 32)})
    assert (given.inputs, given.assumed, given.warnings) == ({"x": (2, 3, 64, 32)}, {}, ())
    assert interpret(model, sizes=None).inputs == {"x": (1, 3, -1, -1)}


def test_an_open_batch_alone_is_one_and_no_warning() -> None:
    seen = interpret(_model(CONV, {"x": (FLOAT, ("batch", 3, 32, 32))}, {"w": (8, 3, 3, 3)}))
    assert (seen.assumed, seen.warnings) == ({"x": (1, 3, 32, 32)}, ())


def test_images_with_channels_last_are_told_by_the_transposition_before_the_first_layer() -> None:
    nodes = [node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]), node("Conv", ["t", "w"], ["y"])]
    seen = interpret(_model(nodes, {"x": (FLOAT, ("n", "a", "b", "c"))}, {"w": (8, 4, 3, 3)}))
    assert seen.inputs == {"x": (1, 224, 224, 4)}


def test_channels_are_found_behind_preprocessing_and_quantisation() -> None:
    nodes = [
        node("Cast", ["x"], ["f"], to=FLOAT),
        node("Div", ["f", "std"], ["d"]),
        node("QuantizeLinear", ["d", "one"], ["q"]),
        node("DequantizeLinear", ["q", "one"], ["r"]),
        node("Conv", ["r", "w"], ["y"], group=2),
    ]
    weights = {"w": (8, 3, 3, 3), "std": (1,), "one": ()}
    seen = interpret(_model(nodes, {"x": (TensorProto.UINT8, (None, None, None, None))}, weights))
    assert seen.inputs == {"x": (1, 6, 224, 224)}


def test_texts_have_the_stated_length_and_axes_of_one_name_are_equally_long() -> None:
    nodes = [
        node("Gather", ["table", "ids"], ["t"]),
        node("Cast", ["mask"], ["m"], to=FLOAT),
        node("Unsqueeze", ["m", "last"], ["u"]),
        node("Mul", ["t", "u"], ["y"]),
    ]
    axes = ("batch", "sequence")
    model = _model(nodes, {"ids": (INT64, axes), "mask": (INT64, axes)}, {"table": (30, 8)})
    model.graph.initializer.append(helper.make_tensor("last", INT64, (1,), [-1]))
    seen = interpret(model)
    assert seen.inputs == {"ids": (1, 128), "mask": (1, 128)}
    assert seen.outputs == {"y": (1, 128, 8)}
    assert interpret(model, sizes=OpenSizes(sequence=7)).outputs == {"y": (1, 7, 8)}
    assert interpret(model, {"ids": (2, 9)}).inputs == {"ids": (2, 9), "mask": (2, 9)}


def test_time_comes_first_where_a_recurrent_layer_reads_it_so() -> None:
    nodes = [node("LSTM", ["x", "w", "r"], ["y"], hidden_size=4)]
    seen = interpret(_model(nodes, {"x": (FLOAT, (None, None, None))}, {"w": (1, 16, 6), "r": (1, 16, 4)}))
    assert seen.inputs == {"x": (128, 1, 6)}
    assert total(seen.graph, "macs") == 128 * 16 * (6 + 4)


def test_features_are_those_that_the_first_layer_takes() -> None:
    nodes = [node("Gemm", ["x", "w"], ["y"], transB=1)]
    assert interpret(_model(nodes, {"x": (FLOAT, (None, None))}, {"w": (5, 9)})).inputs == {"x": (1, 9)}
    nodes = [node("MatMul", ["x", "w"], ["y"])]
    assert interpret(_model(nodes, {"x": (FLOAT, (None, None, None))}, {"w": (9, 5)})).inputs == {"x": (1, 128, 9)}


def test_a_table_cut_to_an_open_length_counts_whole() -> None:
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "one"], ["n"]),
        node("Slice", ["w", "zero", "n", "one"], ["cut"]),
        node("Transpose", ["cut"], ["t"], perm=[0, 2, 1]),
        node("MatMul", ["x", "t"], ["y"]),
    ]
    model = _model(nodes, {"x": (FLOAT, (1, "n", 8))}, {"w": (1, 9, 8)})
    model.graph.initializer.extend(helper.make_tensor(n, INT64, (1,), [v]) for n, v in (("one", 1), ("zero", 0)))
    for sizes in (DEFAULT_SIZES, None):
        assert total(interpret(model, sizes=sizes).graph, "params") == 72


# ---------------------------------------------------------------------- what stays unknown


def _bent(*more) -> onnx.ModelProto:
    nodes = [node("Bend", ["x"], ["b"], domain="acme"), node("Conv", ["b", "w"], ["y"]), *more]
    return _model(nodes, {"x": (FLOAT, (1, 4, 8, 8))}, {"w": (8, 4, 3, 3)})


def test_layers_of_unknown_size_are_told_with_their_parameters_and_what_they_compute_at_most() -> None:
    seen = interpret(_bent())
    assert (seen.unknown, seen.unplaced) == ({"acme.Bend": 1}, 1.0)
    assert (total(seen.graph, "params"), total(seen.graph, "macs")) == (288, 0)
    assert seen.warnings == (
        "2 shapes after 2 operators are not known, beginning with Bend 'b'",
        "operators that archpredict does not know, counted as unknown: acme.Bend",
        "the shapes of 2 of 3 operators could not be found; their MACs count as 0",
        "2 layers of unknown size have 288 of 288 parameters; at most 18,432 multiply-adds are missing, if none is "
        "larger than the input",
    )


def test_a_transposed_convolution_of_unknown_size_computes_nothing_that_is_known() -> None:
    model = _bent()
    model.graph.node[1].op_type = "ConvTranspose"
    assert total(interpret(model).graph, "macs") == 0


def test_an_unknown_operator_on_weights_is_listed_and_the_weight_counts_once() -> None:
    nodes = [
        node("Squeeze8", ["w"], ["q"], domain="acme"),
        node("Conv", ["x", "q"], ["c"]),
        node("BatchNormalization", ["c", "g", "b", "m", "v"], ["y"]),
    ]
    weights = {"w": (8, 3, 3, 3), **dict.fromkeys("gbmv", (8,))}
    seen = interpret(_model(nodes, {"x": (FLOAT, (1, 3, 16, 16))}, weights))
    assert (total(seen.graph, "params"), total(seen.graph, "macs")) == (224, 8 * 27 * 14 * 14)
    assert seen.unknown == {"acme.Squeeze8": 1}


def test_warnings_are_grammatical_for_one() -> None:
    seen = interpret(_model([node("Bend", ["x"], ["y"], domain="acme")], {"x": (FLOAT, (1, 4))}))
    assert "1 shape after 1 operator is not known, that of Bend 'y'" in seen.warnings


def test_names_of_axes_need_not_be_text(tmp_path) -> None:
    content = _model(CONV, {"x": (FLOAT, ("b", 3, "hhhh", "wwww"))}, {"w": (8, 3, 3, 3)}).SerializeToString()
    (tmp_path / "odd.onnx").write_bytes(content.replace(b"hhhh", b"h\xff\xfeh"))
    assert read(tmp_path / "odd.onnx").inputs == {"x": (1, 3, 224, 224)}


class TestWhichAxesAreWhat:
    def test_an_image_without_a_batch_has_its_axes_where_the_added_one_is_not(self) -> None:
        nodes = [
            node("Transpose", ["x"], ["t"], perm=[2, 0, 1]),
            node("Constant", [], ["zero"], value=helper.make_tensor("", TensorProto.INT64, (1,), [0])),
            node("Unsqueeze", ["t", "zero"], ["u"]),
            node("Conv", ["u", "w"], ["y"]),
        ]
        seen = interpret(_model(nodes, {"x": (FLOAT, ("a", "b", 3))}, {"w": (8, 3, 3, 3)}))
        assert seen.inputs == {"x": (224, 224, 3)}
        assert "give `input_size` or" in seen.warnings[0]

    def test_layers_on_tokens_make_no_difference_between_batch_and_length(self) -> None:
        nodes = [node("Transpose", ["x"], ["t"], perm=[1, 0, 2]), node("MatMul", ["t", "w"], ["y"])]
        for names in (("b", "t", 8), ("p", "q", 8), ("batch", "time", 8)):
            seen = interpret(_model(nodes, {"x": (FLOAT, names)}, {"w": (8, 8)}))
            assert seen.inputs == {"x": (1, 128, 8)}

    def test_frames_of_a_spectrogram_are_a_length(self) -> None:
        seen = interpret(
            _model([node("Conv", ["x", "w"], ["y"])], {"x": (FLOAT, (1, 80, "frames"))}, {"w": (8, 80, 3)})
        )
        assert seen.inputs == {"x": (1, 80, 128)}

    def test_frames_of_a_video_may_come_before_its_colours(self) -> None:
        seen = interpret(_model([node("Relu", ["x"], ["y"])], {"x": (FLOAT, ("n", "f", 3, 32, 32))}, {}))
        assert seen.inputs == {"x": (1, 16, 3, 32, 32)}

    def test_the_advice_names_the_argument_that_changes_the_length(self) -> None:
        past = interpret(_model([node("Relu", ["x"], ["y"])], {"x": (FLOAT, (1, 2, "past", 8))}, {}))
        assert "give `sequence_length` or `input_shapes={'x': (1, 2, 128, 8)}`" in past.warnings[0]
        table = interpret(_model([node("MatMul", ["x", "w"], ["y"])], {"x": (FLOAT, ("n", "f"))}, {"w": (8, 8)}))
        assert table.warnings[0].endswith("for another size give `input_shapes={'x': (1, 8)}`")


class TestWhatDoesNotFit:
    def test_a_kernel_that_is_larger_than_what_it_reads_is_told(self) -> None:
        nodes = [node("Conv", ["x", "w"], ["a"], strides=[2]), node("Conv", ["a", "w"], ["y"], strides=[2])]
        seen = interpret(_model(nodes, {"x": (FLOAT, (1, 8, 11))}, {"w": (8, 8, 5)}))
        told = "Conv 'y' does not fit: its input is smaller than what it takes at once"
        assert told in seen.warnings

    def test_a_reshape_to_another_number_of_elements_is_told(self) -> None:
        shape = helper.make_tensor("", TensorProto.INT64, (2,), [7, 8])
        nodes = [
            node("Constant", [], ["s"], value=shape),
            node("Reshape", ["x", "s"], ["r"]),
            node("MatMul", ["r", "w"], ["y"]),
        ]
        seen = interpret(_model(nodes, {"x": (FLOAT, (1, "length", 8))}, {"w": (8, 8)}))
        assert "Reshape 'r' does not fit: it makes 7x8 of 1x128x8, which the model was not made for" in seen.warnings
