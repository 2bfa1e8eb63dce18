"""Find variables that would be ignored for their spelling: a lost `SUBJECT_KEY` stores people's names."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches

# Finds `max_size` and `subject_keys`, not the names that Kubernetes gives to services (`database_port`).
_SAME_NAME = 0.82


def find_misspelt(variables: Iterable[str], names: Collection[str], *, prefix: str) -> tuple[str, str] | None:
    """Return a variable that is none of ours and almost the name of one, and that one; None where there is none.

    >>> find_misspelt(["TONALOG_RETENTION_DAY"], ["retention_days", "home"], prefix="TONALOG_")
    ('TONALOG_RETENTION_DAY', 'TONALOG_RETENTION_DAYS')
    """
    for variable in variables:
        begin, name = variable[: len(prefix)].upper(), variable[len(prefix) :].lower()
        if begin == prefix and name not in names and (near := get_close_matches(name, names, 1, _SAME_NAME)):
            return variable, f"{prefix}{near[0].upper()}"
    return None
