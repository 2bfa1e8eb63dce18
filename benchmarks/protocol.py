"""Say on what machine and with which versions a benchmark ran; measures nothing itself."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "tonalog", "numpy", "onnxruntime", "librosa", "numba", "soxr", "soundfile", "av", "webrtcvad-wheels",
    "celery", "kombu", "sqlalchemy",
)  # fmt: skip


def print_protocol(what: str, *, order: str) -> None:
    """Print what a reader needs to repeat a measurement.

    Args:
        what: what is measured, with its n.
        order: how the runs are arranged so that a busy neighbour does not favour one of them.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"what      {what}")
    print(f"order     {order}")
    print(f"machine   {cpu_name()}, {os.cpu_count()} cores, load {load:.1f} at the start, {platform.system()}")
    print(f"versions  Python {platform.python_version()}, {', '.join(versions())}")


def versions() -> list[str]:
    """Return `name version` of the packages that time is spent in, as far as they are installed."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found


def cpu_name() -> str:
    """Return the processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
