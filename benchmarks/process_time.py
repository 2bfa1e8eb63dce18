"""Add up the processor time of processes and of all that they started, from /proc; Linux only."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PARENT, _FIRST, _LAST = (
    1,
    11,
    15,
)  # of the fields after the name: ppid; utime, stime, and those of children that were waited for


def read_cpu_s(roots: Iterable[int]) -> float:
    """Return the seconds of processor time, user and system, that some processes and their descendants have had so far."""
    spent_s: dict[int, float] = {}
    children: defaultdict[int, list[int]] = defaultdict(list)
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended: its parent has its time
            continue
        pid = int(file.parent.name)
        spent_s[pid] = sum(map(int, fields[_FIRST:_LAST])) / _TICKS
        children[int(fields[_PARENT])].append(pid)
    total_s, left = 0.0, list(roots)
    while left:
        pid = left.pop()
        total_s += spent_s.get(pid, 0.0)
        left += children[pid]
    return total_s
