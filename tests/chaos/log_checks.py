"""What must hold of the logs and the folder after any fault; pure functions over lines, so that each can be shown to fail.

Each check returns one sentence for every line that breaks it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tests.chaos.feeder import CANARY
from tests.chaos.forged import FORGED_LINE

MAX_FORGED_CHARS = 12_000
"""Of a line that quotes a forger: some fields of at most 1,000 characters each."""
N_SHOWN_CHARS = 200
_LIMIT = re.compile(r"\b(?:Soft|Hard) time limit \((.+?)s\) exceeded")
# Whatever Celery's commands write, but for the greeting of a worker that starts; and a job's message that it had revoked.
_OBEYED = re.compile(
    r"celery\.worker\.control (?!sync with)|pidbox command error|Got shutdown from remote"
    r"|Discarding revoked task: tonalog\.score"
)
# What a message can bring about where Celery or kombu believes it; a broken connection has other errors, and this one.
_STRUCK = re.compile(
    r"Unrecoverable error: (?:Type|Key|Value|Index|Lookup|Recursion|Memory|Overflow|Unicode\w*|\w*Decode\w*|Attribute)Error"
    r"(?!.*'NoneType' object has no attribute 'hostname')"
)


def check_no_name_is_logged(lines: Iterable[str]) -> list[str]:
    """L1: no line holds a key."""
    return [f"a log holds a key: {_shown(line)}" for line in lines if f"{CANARY}-" in line]


def check_no_line_is_forged(lines: Iterable[str]) -> list[str]:
    """L2: whoever writes into the queue writes no line of their own, and fills no log."""
    lines = list(lines)
    forged = [f"a forger wrote a line: {_shown(line)}" for line in lines if line.startswith(FORGED_LINE)]
    long = [line for line in lines if FORGED_LINE in line and len(line) > MAX_FORGED_CHARS]
    return forged + [f"a forger filled {len(line):,} characters: {_shown(line)}" for line in long]


def check_limits_are_ours(lines: Iterable[str], *, limits_s: Iterable[float]) -> list[str]:
    """L3: no job was ended by a time limit that is not in the settings."""
    ours = set(limits_s)
    found = [(match.group(1), line) for line in lines if (match := _LIMIT.search(line))]
    return [f"a limit of {limit} s was kept: {_shown(line)}" for limit, line in found if _as_number(limit) not in ours]


def check_no_command_was_obeyed(lines: Iterable[str]) -> list[str]:
    """L4: no process says that it did what a remote command told it."""
    return [f"a command was obeyed: {_shown(line)}" for line in lines if _OBEYED.search(line)]


def check_no_message_ended_a_process(lines: Iterable[str]) -> list[str]:
    """L5: no process ended by an error over what it had read."""
    return [f"a message ended a process: {_shown(line)}" for line in lines if _STRUCK.search(line)]


def check_logs(lines: Iterable[str], *, limits_s: Iterable[float]) -> Mapping[str, list[str]]:
    """Make every check of the lines.

    Args:
        lines: of all processes.
        limits_s: the time limits of the settings, in seconds.
    """
    lines = list(lines)
    checks: Mapping[str, Callable[[Iterable[str]], list[str]]] = {
        "L1 no name in a log": check_no_name_is_logged,
        "L2 no line of a forger": check_no_line_is_forged,
        "L3 no limit but ours": lambda given: check_limits_are_ours(given, limits_s=limits_s),
        "L4 no command obeyed": check_no_command_was_obeyed,
        "L5 no message ends a process": check_no_message_ended_a_process,
    }
    return {name: check(lines) for name, check in checks.items()}


def check_nothing_was_unpickled(marker: Path) -> list[str]:
    """L6: the file that a forged pickle makes is not there."""
    return [f"a forged pickle was loaded: {marker.name} is there"] if marker.exists() else []


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _shown(line: str) -> str:
    return line.strip()[:N_SHOWN_CHARS]
