"""Translate settings into what a recording may be at the most."""

from config.settings import Settings
from worker.audio.decode import Limits


def limits_of(settings: Settings) -> Limits:
    """Return the audio limits that the settings ask for."""
    return Limits(
        max_bytes=settings.max_bytes,
        max_duration_s=settings.max_duration_s,
        max_decode_s=settings.max_decode_s,
    )
