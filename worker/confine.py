"""Bound what a pool process can take of its machine, so that one recording cannot take its neighbours down.

A process that reaches the bound gets no more memory, and its recording ends with MEMORY; without it, the kernel would
choose a process to kill, and it need not be the one at fault. It never touches the process that it is not called in.
"""

from __future__ import annotations

import resource
from pathlib import Path

MIB = 1 << 20
_STATUS = Path("/proc/self/status")


def confine(memory_mib: int) -> None:
    """Let this process allot so much more than it holds now, and leave no core file.

    The limit is on private writable memory (RLIMIT_DATA), not on addresses: onnxruntime maps gigabytes that
    it never touches. What the process was forked with is shared with its parent and does not count. Where the system
    does not say what that is (anything but Linux), there is no limit. A core file would hold the recording.

    Args:
        memory_mib: in MiB.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    held = _read_held_bytes()
    if held is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = held + memory_mib * MIB
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _read_held_bytes() -> int | None:
    """Read how much of what RLIMIT_DATA counts this process holds, None where that is not known."""
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:")), None)
