"""What one source says about a recording: who, when, in which zone, whose; texts as they stand there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Statement:
    """What a manifest, the metadata or a sidecar says; None: nothing.

    Attributes:
        subject: the person.
        recorded_at: the time, as `storage.times` reads it.
        zone: IANA name of the zone where it was recorded.
        tenant: whose recording it is.
        place: where this stands, for messages; it holds no name of a person.
        problem: why nothing else can be read here; None when all is well.
    """

    subject: str | None = None
    recorded_at: str | None = None
    zone: str | None = None
    tenant: str | None = None
    place: str = ""
    problem: str | None = None


FIELDS = tuple(field.name for field in fields(Statement) if field.name not in {"place", "problem"})
# What S3 metadata calls them; S3 keeps names in lower case and many clients allow no underscore.
METADATA_NAMES = {
    "subject": ("subject-id",),
    "recorded_at": ("recorded-at",),
    "zone": ("zone", "time-zone"),
    "tenant": ("tenant",),
}


def of_metadata(metadata: Mapping[str, str] | None) -> Statement:
    """Read an object's metadata.

    >>> of_metadata({"Subject-Id": " ben "}).subject
    'ben'
    """
    values = {name.lower(): value for name, value in (metadata or {}).items()}
    return make_statement(
        (
            (field, value)
            for field, names in METADATA_NAMES.items()
            for name in reversed(names)
            if (value := values.get(name))
        ),
        place="metadata",
    )


def make_statement(pairs: Iterable[tuple[str, str | None]], *, place: str) -> Statement:
    """Make a statement of named texts; blank ones say nothing."""
    return Statement(**{name: text.strip() for name, text in pairs if text and text.strip()}, place=place)


def as_text(value: object) -> str | None:
    """Return what a JSON document says as text; None for null.

    Raises:
        ValueError: it is neither a text nor a number.

    >>> as_text(1772439300), as_text(None)
    ('1772439300', None)
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"holds a value that is neither text nor a whole number ({type(value).__name__})")
