"""Finds the one recording that a person means."""

from __future__ import annotations

from db import Engine, recordings
from db.rows import Recording
from tonalog.errors import TonalogError


def find_one(engine: Engine, wanted: str) -> Recording:
    """Find a recording by its id, its key or the end of it; of several versions the live one.

    Raises:
        TonalogError: none fits, or several do.
    """
    found = recordings.find(engine, wanted)
    if not found:
        raise TonalogError(f"No recording {wanted!r}: give an id or a whole key, as `tonalog run` prints it.")
    live = [recording for recording in found if recording.state.value == "LIVE"] or found
    if len(live) > 1:
        ids = ", ".join(str(recording.id) for recording in live)
        raise TonalogError(f"{wanted!r} fits several recordings: give one of the ids {ids}.")
    return live[0]
