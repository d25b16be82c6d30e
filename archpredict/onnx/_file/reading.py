"""From a path to ONNX's ModelProto without weights, in bounded memory, and one sentence for what is no ONNX file."""

from __future__ import annotations

import gzip
import io
import os
import stat
import zlib
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError, EncodeError  # type: ignore[import-untyped]

from archpredict.errors import ModelFileError
from archpredict.onnx._file.wire import ByteSource, WireError, without_weights

MAX_UNPACKED = 1 << 31
"""Bytes that a compressed file may unpack into: no protocol buffer is larger."""

_GZIP = b"\x1f\x8b"
_EXPORT = "give a model exported to ONNX"


def read_proto(path: str | Path) -> onnx.ModelProto:
    """The model in a file, plain or compressed with gzip whatever its name, without weights.

    Raises:
        ModelFileError: Nothing is there, or it is no ONNX file; the message says what it is.
    """
    path = Path(path)
    try:
        with _opened(path) as stream:
            start = stream.peek(512)[:512]
            if not start:
                raise ModelFileError(f"{path} is empty; {_EXPORT}")
            if start[:2] != _GZIP:
                return _parsed(path, ByteSource(stream, os.fstat(stream.fileno()).st_size), start)
            with gzip.GzipFile(fileobj=stream) as unpacked:
                plain = io.BufferedReader(_Bounded(unpacked), 1 << 16)
                start = plain.peek(512)[:512]
                if not start:
                    raise ModelFileError(f"{path} is empty (compressed); {_EXPORT}")
                return _parsed(path, ByteSource(plain, None), start)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ModelFileError(f"{path} is a broken gzip file ({error}); copy or compress it again") from error
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}") from error


def stripped(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """A model in memory as :func:`read_proto` would read it from a file; the one that is given stays as it is.

    Raises:
        ModelFileError: It has no graph, or more bytes than a protocol buffer can have.
    """
    try:
        content = model.SerializeToString()
        slim: onnx.ModelProto = onnx.ModelProto.FromString(
            without_weights(ByteSource(io.BytesIO(content), len(content)))
        )
    except (WireError, DecodeError, EncodeError, ValueError) as error:
        raise ModelFileError(f"{name} cannot be serialized ({error}); leave its weights out") from error
    if not slim.HasField("graph"):
        raise ModelFileError(f"{name} has no graph; {_EXPORT}")
    return slim


def _opened(path: Path) -> io.BufferedReader:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise ModelFileError(f"there is no file {path}; give the path of an ONNX file") from None
    except ValueError as error:
        raise ModelFileError(f"{str(path)!r} is no file's path: {error}") from error
    if stat.S_ISDIR(mode):
        raise ModelFileError(f"{path} is a folder; give the ONNX files in it")
    if not stat.S_ISREG(mode):  # opening a pipe could wait for ever
        raise ModelFileError(f"{path} is no regular file; save the model under a name of its own")
    return path.open("rb")


class _Bounded(io.RawIOBase):
    """Unpacked bytes, up to a limit."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream, self._left = stream, MAX_UNPACKED

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise WireError(f"unpacks into more than {MAX_UNPACKED:,} bytes, the most that is read")
        buffer[: len(data)] = data
        return len(data)


def _parsed(path: Path, source: ByteSource, start: bytes) -> onnx.ModelProto:
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(without_weights(source))
    except WireError as error:
        raise ModelFileError(_sentence(path, start, str(error))) from error
    except DecodeError as error:
        raise ModelFileError(_sentence(path, start, "is no ONNX model")) from error
    if not model.HasField("graph"):
        raise ModelFileError(_sentence(path, start, "has no graph"))
    return model


def _sentence(path: Path, start: bytes, otherwise: str) -> str:
    kind = _kind(start)
    if kind == _LFS:
        return f"{path} is {kind}, not the model itself; fetch it with `git lfs pull`"
    if kind:
        return f"{path} is {kind}, not ONNX; {_EXPORT}"
    if otherwise.startswith("ends"):
        return f"{path} is cut off, or no ONNX file: it {otherwise}; copy or export it again"
    return f"{path} {otherwise}; {_EXPORT}"


_LFS = "a Git LFS pointer"
_STARTS = (
    (b"version https://git-lfs", _LFS),
    (b"PK\x03\x04", "a zip archive, such as torch.save writes (.pt, .pth)"),
    (b"\x89HDF", "an HDF5 file, such as Keras writes (.h5)"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x7fELF", "a program"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"GGUF", "a GGUF file"),
    (b"%PDF", "a PDF document"),
    (b"ORTM", "an ORT file, which is ONNX Runtime's own format"),
)


def _kind(start: bytes) -> str:
    """What other kind of file begins like this; nothing where that is not known."""
    for magic, kind in _STARTS:
        if start.startswith(magic):
            return kind
    if start[4:8] == b"TFL3":
        return "a TensorFlow Lite file (.tflite)"
    if start[4:8] == b"ORTM":
        return _STARTS[-1][1]
    if start[8:10] == b'{"':
        return "a safetensors file, which holds weights and no network"
    if start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05":
        return "a Python pickle, such as older torch.save writes"
    text = start[:-4] if len(start) > 256 else start  # the last character may be cut
    try:
        characters = text.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return "text" if all(c.isprintable() or c in "\r\n\t" for c in characters) else ""
