"""Who speaks in a recording and when, from metadata or the key; never from the upload time, never guessed."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from storage.key_pattern import compile_pattern
from storage.objects import StoredObject
from storage.times import Precision, parse_recorded_at

Source = Literal["metadata", "key", "unknown"]

DEFAULT_PATTERN = "{subject}/{recorded_at}..."
SUBJECT_METADATA = "subject-id"
TIME_METADATA = "recorded-at"
MAX_SUBJECT_CHARACTERS = 200
# Control characters, lone surrogates, line and paragraph separators (Unicode general categories).
REFUSED_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")

_BAD_TIME = "is not an existing time such as 2026-03-01T08:30:00+01:00"
_BAD_SUBJECT = f"is blank, has more than {MAX_SUBJECT_CHARACTERS} characters or a control character"


@dataclass(frozen=True)
class RecordingIdentity:
    """Who and when, each with where it was read; unknown is None.

    Attributes:
        subject: the person's id, 1 to 200 characters in Unicode NFC.
        subject_source: where it was read.
        recorded_at: UTC; with a precision of `day` or `minute`, its start.
        recorded_at_precision: how much of it is known; None when it is unknown.
        recorded_at_source: where it was read.
        problem: what was there but could not be used, without repeating it; None when all is well.
    """

    subject: str | None
    subject_source: Source
    recorded_at: datetime | None
    recorded_at_precision: Precision | None
    recorded_at_source: Source
    problem: str | None = None


def identify(stored: StoredObject, *, pattern: str = DEFAULT_PATTERN, zone: str = "UTC") -> RecordingIdentity:
    """Read person and time of a recording. Metadata wins over the key, each field by itself.

    A metadata value that cannot be used makes its field unknown: the key is not asked in its place, since two
    sources that disagree are no knowledge. Times in the future are kept: clocks of recorders are often wrong, and
    that is for a reader to see.

    Args:
        stored: the object; `metadata` None counts as none.
        pattern: where the key holds what, see `storage.key_pattern.KeyPattern`.
        zone: IANA name of the zone of times that name none.

    Raises:
        KeyPatternError: the pattern cannot be used.

    Examples:
        >>> from datetime import UTC
        >>> def note(key, **metadata):
        ...     named = {name.replace("_", "-"): value for name, value in metadata.items()}
        ...     return StoredObject(key, "tag", 1, datetime(2030, 1, 1, tzinfo=UTC), named)
        >>> found = identify(note("anna/2026-03-01_08-30.wav"), zone="Europe/Berlin")
        >>> found.subject, found.recorded_at.isoformat(), found.recorded_at_precision
        ('anna', '2026-03-01T07:30:00+00:00', 'minute')
        >>> found = identify(note("x.wav", subject_id="ben", recorded_at="2026-03-01T08:30:00Z"))
        >>> found.subject, found.subject_source, found.recorded_at_source
        ('ben', 'metadata', 'metadata')
        >>> found = identify(note("x.wav", recorded_at="yesterday"))
        >>> found.recorded_at, found.recorded_at_source, found.problem
        (None, 'unknown', 'metadata recorded-at is not an existing time such as 2026-03-01T08:30:00+01:00')
    """
    said = {name.lower(): value.strip() for name, value in (stored.metadata or {}).items()}
    in_key = compile_pattern(pattern).match(stored.key)
    subject_text, subject_from = _choose(said, SUBJECT_METADATA, in_key.subject if in_key else None)
    time_text, time_from = _choose(said, TIME_METADATA, in_key.recorded_at if in_key else None)

    subject = _clean_subject(subject_text)
    recorded = parse_recorded_at(time_text, zone=zone) if time_text else None
    problems = []
    if subject_text and subject is None:
        problems.append(f"{_name(subject_from, SUBJECT_METADATA)} {_BAD_SUBJECT}")
    if time_text and recorded is None:
        problems.append(f"{_name(time_from, TIME_METADATA)} {_BAD_TIME}")
    return RecordingIdentity(
        subject=subject,
        subject_source=subject_from if subject else "unknown",
        recorded_at=recorded.time if recorded else None,
        recorded_at_precision=recorded.precision if recorded else None,
        recorded_at_source=time_from if recorded else "unknown",
        problem="; ".join(problems) or None,
    )


def _choose(said: Mapping[str, str], name: str, in_key: str | None) -> tuple[str | None, Source]:
    if said.get(name):
        return said[name], "metadata"
    return (in_key, "key") if in_key else (None, "unknown")


def _clean_subject(text: str | None) -> str | None:
    """Strip and normalise: the same name typed on a Mac and elsewhere must be one person (Unicode UAX 15)."""
    subject = unicodedata.normalize("NFC", text or "").strip()
    is_bad = any(unicodedata.category(character) in REFUSED_CATEGORIES for character in subject)
    return subject if 0 < len(subject) <= MAX_SUBJECT_CHARACTERS and not is_bad else None


def _name(source: Source, metadata_name: str) -> str:
    return f"metadata {metadata_name}" if source == "metadata" else f"{metadata_name} in the key"
