"""Files that are read, whatever their name, and what is said of files that are not."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import resource
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archpredict.errors import ModelFileError
from archpredict.onnx.reader import read_proto


def varint(number: int) -> bytes:
    """A number as protocol buffers write it: seven bits a byte, the lowest first."""
    more, low = divmod(number, 128)
    return bytes([low | 128]) + varint(more) if more else bytes([low])


def _small(build) -> onnx.ModelProto:
    weight = numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")
    model = build([helper.make_node("Conv", ["x", "w"], ["y"], name="c")], numbers=[weight])
    model.doc_string = model.graph.doc_string = "about"
    return model


def test_a_plain_and_a_compressed_file_are_read_whatever_their_names(tmp_path, build) -> None:
    model = _small(build)
    (tmp_path / "plain.gz").write_bytes(model.SerializeToString())
    (tmp_path / "compressed.onnx").write_bytes(gzip.compress(model.SerializeToString()))
    model.doc_string = model.graph.doc_string = ""
    model.ClearField("doc_string")
    model.graph.ClearField("doc_string")
    assert read_proto(tmp_path / "plain.gz") == read_proto(str(tmp_path / "compressed.onnx")) == model


def test_large_weights_are_left_out_and_small_numbers_stay(tmp_path, build) -> None:
    large = numpy_helper.from_array(np.zeros((64, 64), np.float32), "w")
    spelled = helper.make_tensor("b", TensorProto.FLOAT, (3000,), [0.5] * 3000)
    inside = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.ones(5000, np.int64)))
    body = helper.make_graph([inside], "b", [], [helper.make_tensor_value_info("c", TensorProto.INT64, None)])
    branch = helper.make_node("If", ["t"], ["z"], then_branch=body, else_branch=body)
    number = numpy_helper.from_array(np.array([7, 8]), "n")
    model = build([branch, helper.make_node("MatMul", ["x", "w"], ["y"])], numbers=[large, spelled, number])
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    seen = read_proto(tmp_path / "m.onnx")
    stored = {t.name: t for t in seen.graph.initializer}
    assert list(stored["w"].dims) == [64, 64]
    assert not stored["w"].raw_data
    assert list(stored["b"].dims) == [3000]
    assert not stored["b"].float_data
    assert numpy_helper.to_array(stored["n"]).tolist() == [7, 8]
    constant = seen.graph.node[0].attribute[0].g.node[0].attribute[0].t
    assert list(constant.dims) == [5000]
    assert not constant.raw_data
    assert seen.ByteSize() < 600


def test_every_real_model_is_the_same_without_its_weights(data_folder) -> None:
    for path in sorted((data_folder / "imagenet_models" / "onnx").glob("*.onnx.gz"))[::60]:
        whole = onnx.ModelProto.FromString(gzip.decompress(path.read_bytes()))
        seen = read_proto(path)
        for node in whole.graph.node:
            node.ClearField("doc_string")
            for attribute in node.attribute:
                attribute.t.ClearField("external_data")
                if not attribute.t.ByteSize():
                    attribute.ClearField("t")
        assert list(seen.graph.node) == list(whole.graph.node)
        assert [list(t.dims) for t in seen.graph.initializer] == [list(t.dims) for t in whole.graph.initializer]
        assert seen.graph.input == whole.graph.input


def _read(path: Path) -> onnx.ModelProto | str:
    try:
        return read_proto(path)
    except ModelFileError as error:
        return str(error)


def test_what_is_read_in_memory_is_what_is_read_from_a_stream(tmp_path, build, monkeypatch) -> None:
    """Of a model as it is and with damage, byte by byte."""
    whole, rng = _small(build).SerializeToString(), np.random.default_rng(0)
    paths = [tmp_path / f"{i}.onnx" for i in range(200)]
    for path in paths:
        data = bytearray(whole)
        for place in rng.integers(len(data), size=rng.integers(4)):
            data[place] = rng.integers(256)
        path.write_bytes(data)
    in_memory = [_read(path) for path in paths]
    monkeypatch.setattr("archpredict.onnx._file.wire._IN_MEMORY", -1)
    assert [_read(path) for path in paths] == in_memory
    assert {type(found) for found in in_memory} == {str, onnx.ModelProto}


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", b"...")
    return buffer.getvalue()


_OTHERS = {
    "a Git LFS pointer, not the model itself; fetch it with `git lfs pull`": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 5\n"
    ),
    "a zip archive, such as torch.save writes": _zip(),
    "an HDF5 file, such as Keras writes": b"\x89HDF\r\n\x1a\n" + bytes(64),
    "a TensorFlow Lite file": b"\x1c\0\0\0TFL3" + bytes(64),
    "a safetensors file, which holds weights and no network": (40).to_bytes(8, "little") + b'{"w": {}}' + bytes(32),
    "a PNG image": b"\x89PNG\r\n\x1a\n" + bytes(32),
    "a Python pickle": pickle.dumps({"state": [1, 2, 3]}),
    "text": b"ir_version: 8\ngraph {\n}\n",
    "is text": "Modèle de réseau\n".encode() * 100,
}


@pytest.mark.parametrize("expected", _OTHERS)
@pytest.mark.parametrize("compress", [False, True])
def test_the_message_says_what_a_file_of_another_kind_is(expected, compress, tmp_path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(gzip.compress(_OTHERS[expected]) if compress else _OTHERS[expected])
    with pytest.raises(ModelFileError) as caught:
        read_proto(path)
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_folder_pipe_device_and_impossible_paths_have_a_sentence_each(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    cases = {
        tmp_path / "none.onnx": "there is no file",
        tmp_path: "is a folder; give the ONNX files in it",
        tmp_path / "pipe": "is no regular file",
        Path("/dev/zero"): "is no regular file",
        Path("a\0b"): "is no file's path",
        tmp_path / ("n" * 400): "cannot be read",
    }
    for path, expected in cases.items():
        with pytest.raises(ModelFileError, match=expected):
            read_proto(path)


def test_empty_files_have_a_sentence_although_they_parse_as_an_empty_model(tmp_path) -> None:
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "b").write_bytes(gzip.compress(b""))
    (tmp_path / "c").write_bytes(onnx.ModelProto(ir_version=8).SerializeToString())
    with pytest.raises(ModelFileError, match="a is empty; give a model exported to ONNX"):
        read_proto(tmp_path / "a")
    with pytest.raises(ModelFileError, match=r"b is empty \(compressed\)"):
        read_proto(tmp_path / "b")
    with pytest.raises(ModelFileError, match="c has no graph"):
        read_proto(tmp_path / "c")


def test_a_file_that_is_cut_off_anywhere_has_a_sentence_or_reads_as_what_is_left(tmp_path, build) -> None:
    whole = _small(build).SerializeToString()
    path = tmp_path / "m.onnx"
    said = set()
    for length in range(1, len(whole)):
        for data in (whole[:length], gzip.compress(whole)[:length]):
            path.write_bytes(data)
            try:
                read_proto(path)
            except ModelFileError as error:
                said.add(str(error).replace(str(path), "F").split(";")[0].split("(")[0])
    assert "F is cut off, or no ONNX file: it ends in the middle of a field" in said
    assert "F is a broken gzip file " in said


def test_gigabytes_of_weights_are_passed_over_without_reading_them(tmp_path, build) -> None:
    size = (1 << 31) - 4096
    number = varint(size)
    tensor = b"\x08" + varint(size // 4) + b"\x10\x01\x42\x01w\x4a" + number  # dims, float, name, raw_data
    initializer = b"\x2a" + varint(len(tensor) + size) + tensor
    rest = _small(build).graph.SerializeToString()
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.write(b"\x08\x08\x3a" + varint(len(initializer) + size + len(rest)) + initializer)
        file.seek(size, os.SEEK_CUR)  # a hole
        file.write(rest)
    tracemalloc.start()
    model = read_proto(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000
    assert [list(t.dims) for t in model.graph.initializer] == [[size // 4], [4, 3, 3, 3]]
    assert model.graph.node[0].op_type == "Conv"


def test_a_file_that_unpacks_into_more_than_the_limit_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("archpredict.onnx._file.reading.MAX_UNPACKED", 1 << 20)
    path = tmp_path / "bomb.onnx.gz"
    path.write_bytes(gzip.compress(b"\x52" + varint(1 << 25) + bytes(1 << 25)))
    with pytest.raises(ModelFileError, match="unpacks into more than 1,048,576 bytes, the most that is read"):
        read_proto(path)


@pytest.mark.parametrize(
    "tags", [b"\x0a\x00", b"\x2a\x00", b"\x0a\x02\x2a\x00", b"\x6a\x00", b"\x5a\x04\x12\x02\x0a\x00"]
)
def test_too_many_empty_parts_are_refused_before_they_unfold(tags, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("archpredict.onnx._file.wire.MAX_FIELDS", 20_000)
    graph = tags * (8_000_000 // len(tags))  # which would take about 800 MB
    path = tmp_path / "bomb.onnx"
    path.write_bytes(b"\x3a" + varint(len(graph)) + graph)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelFileError, match="has more than 20,000 fields, the most that are read"):
        read_proto(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_bodies_within_bodies_without_end_are_refused(tmp_path) -> None:
    graph = b""
    for _ in range(200):
        attribute = b"\x32" + varint(len(graph)) + graph
        node = b"\x2a" + varint(len(attribute)) + attribute
        graph = b"\x0a" + varint(len(node)) + node
    (tmp_path / "deep").write_bytes(b"\x3a" + varint(len(graph)) + graph)
    with pytest.raises(ModelFileError, match="has bodies within bodies more than 20 deep"):
        read_proto(tmp_path / "deep")
