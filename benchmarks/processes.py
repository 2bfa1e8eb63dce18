"""Read what other processes take, from /proc (Linux only)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Memory:
    """What a process holds.

    Attributes:
        resident: all that it has in memory, shared pages too, in MiB.
        own: what it shares with nobody, in MiB.
    """

    resident: float
    own: float


def list_tree(pid: int) -> list[int]:
    """List a process and its children at any depth, each parent before its children."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            found += list_tree(int(child))
    return found


def read_memory_mib(pid: int) -> Memory:
    """Read what a process holds now."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    mib = {name: int(rest.split()[0]) / 1024 for name, _, rest in (line.partition(":") for line in lines)}
    return Memory(mib["Rss"], mib["Private_Clean"] + mib["Private_Dirty"])


def read_processor_s(pid: int) -> float:
    """Read how much processor time a process has taken, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
