"""Steps whose results are cached by content: a step is done once for its inputs and for the values that it reads.

A step's key is a hash of its name, of what it reads and of the keys of the steps that it needs. Its result is a folder of that
key. It is written beside its place and moved there when it is whole, so that an interrupted step begins again, or goes on
with what it left in the folder that it was writing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from training.fitting.jobs import Count, Job, Report, ignore, run_jobs

ENGINE = 1  # Counts up when the same step with the same inputs comes to another result.
KEY_CHARACTERS = 12
# Takes the folders of the needed steps by name and the folder to write into, and tells how far it is.
Make = Callable[[Mapping[str, Path], Path, Count], None]


@dataclass(frozen=True)
class Step:
    """One piece of work.

    Attributes:
        name: for people, and the beginning of the folder's name.
        make: does it; it must be picklable, for instance a partial of a module's function. Values that decide the result stand
            in `reads` too.
        reads: everything but the needed steps that decides the result, as JSON can hold it.
        needs: steps that come before it, by the name under which `make` gets their folders.
    """

    name: str
    make: Make
    reads: Mapping[str, Any] = field(default_factory=dict)
    needs: Mapping[str, Step] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """The hash of all that decides the result."""
        needs = {name: step.key for name, step in self.needs.items()}
        text = json.dumps([ENGINE, self.name, self.reads, needs], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:KEY_CHARACTERS]

    def find(self, root: Path) -> Path:
        """Return the folder of its result under the folder of all steps."""
        return root / f"{re.sub(r'[^a-z0-9]+', '-', self.name.lower()).strip('-')}-{self.key}"


def run_steps(steps: Sequence[Step], root: Path, *, n_processes: int = 1, report: Report = ignore) -> list[Path]:
    """Do steps and what they need, unless it is done, as many at a time as there are processes.

    Args:
        steps: that are wanted.
        root: folder of all steps.
        n_processes: 1 or more.
        report: told of every step that is not done yet how far it is.

    Returns:
        The folders of the wanted steps.

    Raises:
        WorkersLost: a process ended abruptly.
        Exception: what a step raised; those that had not begun are left out.
    """
    root.mkdir(parents=True, exist_ok=True)
    waiting = _collect(steps, root)
    while waiting:
        ready = [step for step in waiting.values() if not any(need.key in waiting for need in step.needs.values())]
        run_jobs([Job(step.name, partial(_do, step, root)) for step in ready], n_processes=n_processes, report=report)
        for step in ready:
            del waiting[step.key]
    return [step.find(root) for step in steps]


def _collect(steps: Sequence[Step], root: Path) -> dict[str, Step]:
    """Return by key what is not done of the steps and, for those, of what they need."""
    missing: dict[str, Step] = {}
    for step in steps:
        if not step.find(root).is_dir():
            missing |= _collect([*step.needs.values()], root) | {step.key: step}
    return missing


def _do(step: Step, root: Path, count: Count) -> None:
    count(0, 1)
    target = step.find(root)
    partial_folder = target.with_name(f"{target.name}.partial")
    partial_folder.mkdir(exist_ok=True)
    step.make({name: need.find(root) for name, need in step.needs.items()}, partial_folder, count)
    partial_folder.rename(target)
    count(1, 1)
