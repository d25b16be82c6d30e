"""Models of timm by their names: ``timm:resnet18`` is made without weights, with an input of its default size."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archpredict.errors import MissingDependencyError, ModelFileError, UsageError, described

if TYPE_CHECKING:
    from torch import Tensor, nn

_PREFIX = "timm:"


@dataclass(frozen=True)
class TimmName:
    """The name of a model of timm, which is made when its turn comes.

    Args:
        name: As timm has it.
    """

    name: str

    def __str__(self) -> str:
        return f"{_PREFIX}{self.name}"

    def made(self) -> tuple[nn.Module, Tensor]:
        """The module with random weights, and an input; torch's random numbers stay as they were.

        Raises:
            ModelFileError: timm cannot make it.
        """
        import torch

        timm = _timm(self)
        try:
            with torch.random.fork_rng(devices=[]):
                module = timm.create_model(self.name, pretrained=False)
            size = timm.data.resolve_model_data_config(module)["input_size"]
            return module, torch.zeros(1, *size)
        except Exception as error:  # whatever the code of a model raises
            raise ModelFileError(f"timm cannot make {self.name}: {described(error)}") from error


def timm_name(text: Any) -> TimmName | None:
    """The name of a model of timm that a text is, as ``timm:NAME``; None for anything else.

    Raises:
        MissingDependencyError: timm is not installed, or does not load.
        UsageError: timm has no model of this name.
    """
    if not isinstance(text, str) or not text.startswith(_PREFIX):
        return None
    found = TimmName(text.removeprefix(_PREFIX))
    timm = _timm(found)
    if not timm.is_model(found.name):
        from difflib import get_close_matches

        near = get_close_matches(found.name, timm.list_models(), n=3)
        meant = (
            f"did you mean {' or '.join(f'{_PREFIX}{name}' for name in near)}?" if near else "see timm.list_models()"
        )
        raise UsageError(f"timm has no model {found.name!r}; {meant}")
    return found


def _timm(asked: TimmName) -> Any:
    """The package, with its ``data``."""
    try:
        importlib.import_module("timm.data")
        return importlib.import_module("timm")
    except Exception as error:  # a torchvision of another torch than this one raises more than ImportError
        if isinstance(error, ModuleNotFoundError) and error.name == "timm":
            why = "is not installed: pip install 'archpredict[timm]'"
        else:
            why = f"does not load ({described(error)}); install a timm and a torchvision that fit the installed torch"
        raise MissingDependencyError(f"{asked} is a model of timm, which {why}") from error
