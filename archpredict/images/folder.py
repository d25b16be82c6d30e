"""A folder of image files, one sub-folder per class."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import numpy as np

from archpredict.errors import DataError, MissingDependencyError
from archpredict.images.base import Images, ImageSet, Pixels, Split, stratified

__all__ = ["Folder"]

_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm"})
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "PPM")
_SEED = 0
_MAX_BYTES = 16 << 30
"""Of all pixels together, once resized."""
_MAX_FILES = 5_000_000
_MAX_FILE_BYTES = 100_000_000
_MAX_PIXELS = 50_000_000
"""Of one file, before it is resized."""


@dataclass(frozen=True)
class _Options:
    size: int = 64
    channels: int = 3


class Folder(ImageSet):
    """Images of your own: ``CLASS/FILE``, or ``train/CLASS/FILE`` beside ``test`` and, if you like, ``validation``.

    Classes are the names of sub-folders in alphabetical order. Without ``train`` and ``test``, 80 % of each class are
    for training, 10 % for validation, 10 % for the test; without ``validation`` a tenth of ``train`` is taken. These
    splits are fixed as long as the files are. Of each image the largest centred square is resized; the size, 64 pixels
    by default, and the channels, 3, follow the path: ``folder:photos?size=32&channels=1``.

    PNG, JPEG, BMP, WebP, PPM and PGM files are read with Pillow, which the extra ``images`` installs. Other files, and
    those whose names begin with a point, are left alone.

    Example:
        >>> Folder().load(Path("photos?size=large"))
        Traceback (most recent call last):
        archpredict.errors.DataError: 'size=large' is no option of an image folder; expected ...
    """

    name: ClassVar[str] = "folder"

    def load(self, path: Path | None) -> Images:
        """The images below a folder.

        Raises:
            DataError: There is no such folder, it has fewer than two classes, a file is no image, or they are too many.
            MissingDependencyError: Pillow is not installed.
        """
        if path is None:
            raise DataError("an image folder is read from a path: folder:PATH, with one sub-folder per class below it")
        folder, options = _options(path)
        if not folder.is_dir():
            raise DataError(f"there is no folder {folder}; give the folder whose sub-folders are the classes")
        parts = {name: folder / name for name in ("train", "validation", "test") if (folder / name).is_dir()}
        if "train" not in parts:
            return self._divided(folder, options)
        if "test" not in parts:
            raise DataError(f"{folder} has a folder train but no folder test; add one with the same classes")
        return self._given(parts, options)

    def _divided(self, folder: Path, options: _Options) -> Images:
        classes = _classes(folder)
        files, labels = _files(folder, classes, least=3)
        images = _read(files, options)
        train, validation, test = (Split(images[rows], labels[rows]) for rows in stratified(labels, (0.1, 0.1), _SEED))
        return Images(self.name, train, validation, test, num_classes=len(classes))

    def _given(self, parts: dict[str, Path], options: _Options) -> Images:
        classes = _classes(parts["train"])
        found = {}
        for name, folder in parts.items():
            for other in _classes(folder, at_least=1):
                if other not in classes:
                    raise DataError(f"{folder / other}: there is no class {other!r} in {parts['train']}; expected one")
            files, labels = _files(folder, classes, least=2 if name == "train" else 0)
            found[name] = Split(_read(files, options), labels)
        if "validation" not in found:
            whole = found["train"]
            found["train"], found["validation"] = (
                Split(whole.images[rows], whole.labels[rows]) for rows in stratified(whole.labels, (0.1,), _SEED)
            )
        return Images(self.name, found["train"], found["validation"], found["test"], num_classes=len(classes))


def _options(path: Path) -> tuple[Path, _Options]:
    """The folder and what follows it after a question mark."""
    text, mark, query = str(path).rpartition("?")
    if not mark or path.is_dir():
        return path, _Options()
    found = dict(parse_qsl(query, keep_blank_values=True))
    if not found or not set(found) <= {"size", "channels"} or not all(value.isdecimal() for value in found.values()):
        raise DataError(f"{query!r} is no option of an image folder; expected e.g. PATH?size=64&channels=3")
    options = _Options(**{name: int(value) for name, value in found.items()})
    if not 1 <= options.size <= 1024 or options.channels not in (1, 3):
        raise DataError(f"{query!r}: images are made 1 to 1024 pixels wide and high, with 1 or 3 channels")
    return Path(text), options


def _classes(folder: Path, at_least: int = 2) -> list[str]:
    found = sorted(place.name for place in _listed(folder) if place.is_dir() and not place.name.startswith("."))
    if len(found) < at_least:
        there = f"the only sub-folder {found[0]!r}" if found else "no sub-folder"
        raise DataError(f"{folder} has {there}; expected one sub-folder per class, and at least two classes")
    return found


def _files(folder: Path, classes: Sequence[str], least: int) -> tuple[list[Path], np.ndarray]:
    """The image files of all classes and their labels; at least so many of each class."""
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        place = folder / name
        mine = sorted(file for file in _listed(place) if _is_image(file)) if place.is_dir() else []
        if len(mine) < least:
            raise DataError(
                f"{place} has {len(mine)} image files ({', '.join(sorted(_ENDINGS))}); at least {least} per class "
                "are needed, so that each split has one"
            )
        files += mine
        labels += [label] * len(mine)
        if len(files) > _MAX_FILES:
            raise DataError(f"{folder} has more than {_MAX_FILES:,} image files, the most that are read")
    if not files:
        raise DataError(f"{folder} has no image files ({', '.join(sorted(_ENDINGS))}) in the folders of its classes")
    return files, np.array(labels, dtype=np.int64)


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror or error}") from error


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in _ENDINGS and not file.name.startswith(".") and file.is_file()


def _read(files: Sequence[Path], options: _Options) -> Pixels:
    """``(N, C, size, size)``; every file is tried, so that the message says how many are broken."""
    _import_pillow()
    needed = len(files) * options.channels * options.size**2
    if needed > _MAX_BYTES:
        raise DataError(
            f"{len(files):,} images of {options.size} pixels take {needed:,} bytes, more than {_MAX_BYTES:,}; "
            "take a smaller size (folder:PATH?size=N) or fewer images"
        )
    images: Pixels = np.empty((len(files), options.channels, options.size, options.size), dtype=np.uint8)
    broken: list[str] = []
    for place, file in enumerate(files):
        try:
            images[place] = _pixels(file, options)
        except Exception as error:  # decoders of broken files raise whatever comes to pass
            broken.append(f"{file}: {' '.join(str(error).split()) or type(error).__name__}")
    if broken:
        others = f" ({len(broken) - 1:,} other files cannot be read either)" if len(broken) > 1 else ""
        raise DataError(f"{broken[0]}{others}; remove or replace what is no whole image")
    return images


def _pixels(file: Path, options: _Options) -> Pixels:
    from PIL import Image, ImageOps

    if file.stat().st_size > _MAX_FILE_BYTES:
        raise ValueError(f"it has {file.stat().st_size:,} bytes, more than the {_MAX_FILE_BYTES:,} that are read")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(file, formats=_FORMATS) as image:
            if image.width * image.height > _MAX_PIXELS:
                raise ValueError(
                    f"it has {image.width}x{image.height} pixels, more than the {_MAX_PIXELS:,} that are read"
                )
            if image.mode in ("I", "F") or ";" in image.mode:
                raise ValueError(f"it has more than 8 bits per channel (mode {image.mode}); save it with 8")
            mode = "RGB" if options.channels == 3 else "L"
            image.draft(mode, (2 * options.size, 2 * options.size))  # JPEG only: decodes at a fraction of the size
            upright = ImageOps.exif_transpose(image)
            plain = (
                upright.convert("RGBA").convert(mode) if upright.mode in ("P", "PA", "LA") else upright.convert(mode)
            )
    side = min(plain.size)
    left, top = (plain.width - side) // 2, (plain.height - side) // 2
    square = plain.crop((left, top, left + side, top + side))  # first, so that nothing from outside is blended in
    square = square.resize((options.size, options.size), Image.Resampling.BILINEAR)
    pixels: Pixels = np.asarray(square, dtype=np.uint8)
    return pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels[None]


def _import_pillow() -> Any:
    try:
        import PIL.Image
    except ImportError as error:
        raise MissingDependencyError(
            "image folders are read with Pillow, which is not installed: pip install 'archpredict[images]'"
        ) from error
    return PIL.Image
