"""Versions and the kind of machine, without paths or names."""

from __future__ import annotations

from typing import Any

_PACKAGES = (
    *("archpredict", "torch", "numpy", "scipy", "scikit-learn", "onnx", "onnxruntime", "dgl", "moocore"),
    *("networkx", "safetensors", "matplotlib", "rich", "click", "pyarrow", "pillow"),
)


def machine() -> dict[str, Any]:
    """Python, system, versions of packages that are installed, and GPUs."""
    import platform

    from archpredict.backends import versions

    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": {name: version for name, version in versions(*_PACKAGES).items() if version is not None},
        "devices": _devices(),
    }


def _devices() -> str:
    import torch

    if not torch.cuda.is_available():
        return "no GPU"
    return ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
