"""PretrainedEncoder: an encoder of networks that has learnt without labels, on disk and in predictors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from archpredict._files import damage, read_tensors
from archpredict.backends import versions
from archpredict.encoders.base import Encoder
from archpredict.errors import DataError, UnknownNameError, UsageError
from archpredict.graph.node_features import NAMES
from archpredict.graph.operators import OPERATORS
from archpredict.predict.parts import Part, kind_of, made, options_of
from archpredict.predict.pretraining.pretrained_weights import SHIPPED, check_weights
from archpredict.predict.storage import check_options, saving
from archpredict.registry import names, resolve
from archpredict.runtime import seeded

__all__ = ["ENCODER_MANIFEST", "PretrainedEncoder", "shipped_encoders"]

ENCODER_MANIFEST = "encoder.json"
"""The file without which a folder holds no encoder."""

_WEIGHTS = "weights.safetensors"
_FORMAT = 1
_PACKAGES = ("archpredict", "torch", "numpy")
_MAX_BYTES = 64_000_000


@dataclass(frozen=True, eq=False)
class PretrainedEncoder:
    """A pre-trained encoder: which one with which options, its weights, and what is known of its training.

    Made by :func:`archpredict.predict.pretraining.networks.pretrain`. A predictor whose argument ``encoder`` is
    the folder begins with it.

    Args:
        part: Name and options of the encoder, which reads networks.
        weights: Its weights.
        card: What users should know: objective, steps, seed, and the sources with their hashes.

    Example:
        >>> PretrainedEncoder.load("networks").part.kind
        'comp-graph'
    """

    part: Part
    weights: Mapping[str, Tensor]
    card: Mapping[str, Any] = field(default_factory=dict)

    # ------------------------------------------------------------------ saving

    def save(self, path: str | Path) -> None:
        """Write ``encoder.json`` and ``weights.safetensors`` into a folder, no pickle.

        Raises:
            RunError: It cannot be written; what was there is there still.
        """
        from safetensors.torch import save_file

        content = {
            "archpredict_encoder": _FORMAT,
            "versions": versions(*_PACKAGES),
            "encoder": {"name": self.part.kind, "options": options_of(self.part)},
            "operators": list(OPERATORS),
            "numbers": list(NAMES),
            "card": dict(self.card),
        }
        with saving(Path(path), "encoder") as folder:
            (folder / ENCODER_MANIFEST).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            save_file({name: value.contiguous() for name, value in self.weights.items()}, folder / _WEIGHTS)

    @classmethod
    def load(cls, path: str | Path) -> PretrainedEncoder:
        """Read an encoder from its folder, or one that ships with the package by its name.

        Raises:
            UnknownNameError: Neither a folder nor a shipped name.
            DataError: The folder does not hold a valid encoder, or one of another version.
        """
        folder = _located(path)
        try:
            return cls._read(folder)
        except Exception as error:  # whatever a damaged or hostile file provokes
            raise DataError(f"{folder} does not hold a valid encoder: {damage(error)}; pre-train it again") from error

    @classmethod
    def _read(cls, folder: Path) -> PretrainedEncoder:
        if any((folder / name).stat().st_size > _MAX_BYTES for name in (ENCODER_MANIFEST, _WEIGHTS)):
            raise ValueError(f"a file is larger than {_MAX_BYTES:,} bytes")
        content = json.loads((folder / ENCODER_MANIFEST).read_text(encoding="utf-8"))
        if content.get("archpredict_encoder") != _FORMAT:
            raise ValueError(f"its format is {content.get('archpredict_encoder')!r}, this version reads {_FORMAT}")
        if content["operators"] != list(OPERATORS) or content["numbers"] != list(NAMES)[: len(content["numbers"])]:
            raise ValueError(
                f"it was made by archpredict {content['versions']['archpredict']} and knows other operators or numbers "
                "of nodes than this version"
            )
        name, options = content["encoder"]["name"], content["encoder"]["options"]
        if not isinstance(name, str) or ":" in name:
            raise ValueError(f"its encoder {name!r} is not one of archpredict's own")
        check_options(options)
        part = Part(name, **options)
        weights = read_tensors(folder / _WEIGHTS, "pt")[1]
        with seeded(0):
            check_weights(weights, encoder_of(part).state_dict())
        return cls(part, weights, content["card"])


def pretrained_encoder(given: Any) -> PretrainedEncoder | None:
    """The pre-trained encoder that an argument of a predictor names; None where it is no folder and no shipped name.

    Raises:
        DataError: The folder does not hold a valid encoder, or one of another version.
        UsageError: It is given options.
    """
    name = kind_of(given)
    if not isinstance(name, str) or name.replace("_", "-") in names("encoders"):
        return None
    if name not in shipped_encoders() and not Path(name).is_dir():
        return None
    if options := options_of(given):
        raise UsageError(
            f"the encoder {name} is pre-trained as it is, the option {next(iter(options))!r} cannot be changed; "
            "leave it out, or pre-train another one"
        )
    return PretrainedEncoder.load(name)


def encoder_of(part: Any) -> Encoder:
    """An untrained encoder of networks.

    Raises:
        UsageError: There is none of this name or with these options, or it does not read networks.
    """
    kind: type[Encoder] = resolve("encoders", kind_of(part), Encoder)
    if kind.form != "network":
        raise UsageError(
            f"what is pre-trained on networks is an encoder that reads them, {kind.name} does not; give comp-graph"
        )
    encoder: Encoder = made(f"the encoder {kind.name}", kind, (len(OPERATORS), 1), options_of(part))
    return encoder


def shipped_encoders() -> list[str]:
    """Names of the encoders of networks that come with the package.

    Example:
        >>> shipped_encoders()
        ['networks']
    """
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{ENCODER_MANIFEST}"))


def _located(path: str | Path) -> Path:
    if Path(path).is_dir():
        return Path(path)
    if str(path) not in shipped_encoders():
        raise UnknownNameError(
            "pre-trained encoder", str(path), shipped_encoders(), "Or give the folder of a saved one."
        )
    return SHIPPED / str(path)
