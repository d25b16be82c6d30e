"""What a machine is: its processor, cores, system and versions, as a record of measurements has it."""

from __future__ import annotations

import os
import platform
import re
from contextlib import suppress
from pathlib import Path

from archpredict.backends import versions

_KIB = 1024


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor(device: str = "cpu") -> str:
    """The name that the maker gives to the processor, or to a CUDA device of torch."""
    if device != "cpu":
        import torch

        return str(torch.cuda.get_device_name(device))
    found = re.search(r"^model name\s*:\s*(.+)$", _text("/proc/cpuinfo"), re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine() or "unknown processor"


def device_slug(title: str) -> str:
    """A processor's name as one word.

    Example:
        >>> device_slug("Intel(R) Core(TM) i9-10940X CPU @ 3.30GHz"), device_slug("NVIDIA GeForce RTX 4090")
        ('intel_core_i9_10940x', 'nvidia_geforce_rtx_4090')
    """
    plain = re.sub(r"\((R|TM|C)\)|@.*$|\b(CPU|Processor)\b", " ", title, flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_") or "unknown"


def system() -> str:
    """Operating system and architecture, such as ``Linux x86_64``."""
    return f"{platform.system()} {platform.machine()}"


def packages() -> str:
    """Versions of what measures, in a line."""
    found = {"python": platform.python_version(), **versions("archpredict", "numpy", "onnx")}
    return ", ".join(f"{name} {version}" for name, version in found.items() if version is not None)


def free_memory() -> int | None:
    """Bytes of memory that could be had without swapping; None where the system does not say."""
    found = re.search(r"^MemAvailable:\s*(\d+) kB$", _text("/proc/meminfo"), re.MULTILINE)
    return int(found[1]) * _KIB if found else None


def peak_memory() -> int | None:
    """Bytes of memory that this process has had at most; None where the system does not say."""
    found = re.search(r"^VmHWM:\s*(\d+) kB$", _text("/proc/self/status"), re.MULTILINE)
    if found:  # not getrusage, which begins with what the parent process had
        return int(found[1]) * _KIB
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * _KIB


def begin_peak() -> None:
    """Have :func:`peak_memory` begin anew, on Linux."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
