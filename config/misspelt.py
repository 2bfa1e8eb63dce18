"""Finds environment variables that are almost, or were formerly, the name of a setting."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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


def read_renamed(variables: Mapping[str, str], renamed: Mapping[str, str], *, prefix: str) -> dict[str, object]:
    """Read settings under their former names, where the new one is not set.

    >>> read_renamed({"TONALOG_RERING_S": "30"}, {"rering_s": "redeliver_s"}, prefix="TONALOG_")
    {'redeliver_s': '30'}
    """
    by_name = {name.upper(): value for name, value in variables.items()}
    return {
        new: by_name[prefix + old.upper()]
        for old, new in renamed.items()
        if prefix + old.upper() in by_name and prefix + new.upper() not in by_name
    }
