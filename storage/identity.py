"""Who speaks in a recording, when, and whose it is; never from the upload time, never guessed.

Sources in order: option, manifest, metadata, sidecar, key, container, setting. Each field comes from the first of them that
says something. What is there and cannot be used makes its field unknown: the next source is not asked in its place, since
two sources that disagree are no knowledge.
"""

import functools
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Generic, Literal, TypeVar
from zoneinfo import ZoneInfo

from storage.container_tags import TagUnusable
from storage.errors import StorageError
from storage.layouts import DEFAULT_LAYOUTS, KeyReading, compile_layouts
from storage.objects import StoredObject
from storage.statements import METADATA_NAMES, Statement, make_statement, of_metadata
from storage.times import Precision, RecordedAt, at_instant, parse_recorded_at

Source = Literal["option", "manifest", "metadata", "sidecar", "key", "container", "setting", "default", "unknown"]

T = TypeVar("T")

DEFAULT_TENANT = "default"
MAX_SUBJECT_CHARACTERS = 200
# Control characters, lone surrogates, line and paragraph separators (Unicode general categories).
REFUSED_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")

_NO_PERSON = "no person in manifest, metadata, sidecar or key"
_NO_TIME = "no time in manifest, metadata, sidecar, key or container"
_BAD_TIME = "is not an existing time such as 2026-03-01T08:30:00+01:00, from 1990 to 2099"
_BAD_NAME = f"is blank, has more than {MAX_SUBJECT_CHARACTERS} characters or a control character"
_BAD_ZONE = "is no time zone such as Europe/Berlin"


@dataclass(frozen=True)
class IdentityRules:
    """How identity is read where neither manifest, metadata nor sidecar says it.

    Attributes:
        layouts: rules for keys, see `storage.layouts.Layouts`.
        zone: IANA name of the zone of times that name none.
        subject: the person of every recording, said by an option.
        tenant: whose recordings they are, said by an option.
        default_tenant: the tenant of recordings that name none.
    """

    layouts: str = DEFAULT_LAYOUTS
    zone: str = "UTC"
    subject: str | None = None
    tenant: str | None = None
    default_tenant: str = DEFAULT_TENANT


DEFAULT_RULES = IdentityRules()


@dataclass(frozen=True)
class RecordingIdentity:
    """Who, when and whose, each with where it was read; unknown is None.

    Attributes:
        subject: the person's id, 1 to 200 characters in Unicode NFC.
        subject_source: where it was read.
        recorded_at: UTC; with a precision of `day` or `minute`, the start of that local day or minute.
        recorded_at_precision: how much of it is known; None when it is unknown.
        recorded_at_source: where it was read.
        problem: why person, time or tenant are unknown, without repeating a value; None when all is known.
        tenant: whose recording it is; never unknown.
        tenant_source: where that was read.
        utc_offset_min: how far local time was ahead of UTC, in minutes.
        recorded_at_zone: IANA name of the zone, where one gave the offset.
        local_day: the date where it was recorded.
        rule: which rule read what is from the key, such as `folders, whatsapp`; empty where nothing is.
        is_refused: something was said that could not be used.
        is_complete: False when a source could not be reached just now, so that it is worth reading again.
    """

    subject: str | None
    subject_source: Source
    recorded_at: datetime | None
    recorded_at_precision: Precision | None
    recorded_at_source: Source
    problem: str | None = None
    tenant: str = DEFAULT_TENANT
    tenant_source: Source = "default"
    utc_offset_min: int | None = None
    recorded_at_zone: str | None = None
    local_day: date | None = None
    rule: str = ""
    is_refused: bool = False
    is_complete: bool = True


@dataclass(frozen=True)
class _Found(Generic[T]):
    """What the first source that says anything about a field says."""

    value: T | None = None
    source: Source = "unknown"
    problem: str | None = None
    is_complete: bool = True


def identify(
    stored: StoredObject,
    *,
    rules: IdentityRules = DEFAULT_RULES,
    manifest: Statement | None = None,
    sidecar: Statement | None = None,
    read_tag: Callable[[], datetime | None] | None = None,
) -> RecordingIdentity:
    """Read person, time and tenant of a recording, each field by itself.

    Times in the future are kept: clocks of recorders are often wrong, and that is for a reader to see.

    Args:
        stored: the object; `metadata` None counts as none.
        rules: what the operator says.
        manifest: the recording's row.
        sidecar: what the file beside it says.
        read_tag: gives the time that the container says, see `container_tags.read_creation_time`; called only where no
            better source says anything.

    Raises:
        KeyPatternError: the rules for keys cannot be used.

    Examples:
        >>> from datetime import UTC
        >>> def note(key, **metadata):
        ...     named = {name.replace("_", "-"): value for name, value in metadata.items()}
        ...     return StoredObject(key, "tag", 1, datetime(2030, 1, 1, tzinfo=UTC), named)
        >>> found = identify(note("anna/2026-03-01_08-30.wav"), rules=IdentityRules(zone="Europe/Berlin"))
        >>> found.subject, found.recorded_at.isoformat(), found.utc_offset_min, found.recorded_at_precision
        ('anna', '2026-03-01T07:30:00+00:00', 60, 'minute')
        >>> found = identify(note("x.wav", subject_id="ben", recorded_at="2026-03-01T08:30:00Z"))
        >>> found.subject, found.subject_source, found.recorded_at_source
        ('ben', 'metadata', 'metadata')
        >>> found = identify(note("x.wav", subject_id="ben", recorded_at="yesterday"))
        >>> found.recorded_at, found.recorded_at_source, found.problem.partition(" such as")[0]
        (None, 'unknown', 'metadata recorded-at is not an existing time')
    """
    reading = compile_layouts(rules.layouts).read(stored.key)
    statements = _in_order(stored, rules, manifest, sidecar, reading)
    subject = _read_name("subject", statements)
    tenant = _read_name("tenant", statements)
    recorded = _read_time(statements, rules.zone, read_tag)
    refused = [found.problem for found in (subject, tenant, recorded) if found.problem]
    missing = []
    if subject.value is None and subject.problem is None:
        missing.append(f"no person: {reading.why_nobody}" if reading.why_nobody else _NO_PERSON)
    if recorded.value is None and recorded.problem is None:
        missing.append(f"no time: {reading.why_no_time}" if reading.why_no_time else _NO_TIME)
    time = recorded.value
    return RecordingIdentity(
        subject=subject.value,
        subject_source=subject.source,
        recorded_at=time.time if time else None,
        recorded_at_precision=time.precision if time else None,
        recorded_at_source=recorded.source,
        problem="; ".join(dict.fromkeys([*refused, *missing])) or None,
        tenant=tenant.value or rules.default_tenant,
        tenant_source=_tenant_source(tenant, rules),
        utc_offset_min=time.utc_offset_min if time else None,
        recorded_at_zone=time.zone if time else None,
        local_day=time.local_day if time else None,
        rule=_rules_used(reading, subject.source, recorded.source),
        is_refused=bool(refused),
        is_complete=recorded.is_complete,
    )


def clean_name(text: str | None) -> str | None:
    """Strip and normalise a name: the same one typed on a Mac and elsewhere must be one person (Unicode UAX 15).

    Returns:
        The name; None when it is blank, too long or has a control character.
    """
    name = unicodedata.normalize("NFC", text or "").strip()
    is_bad = any(unicodedata.category(character) in REFUSED_CATEGORIES for character in name)
    return name if 0 < len(name) <= MAX_SUBJECT_CHARACTERS and not is_bad else None


def _in_order(
    stored: StoredObject,
    rules: IdentityRules,
    manifest: Statement | None,
    sidecar: Statement | None,
    reading: KeyReading,
) -> Sequence[tuple[Source, Statement]]:
    fields = {
        name: read.text for name in ("subject", "recorded_at", "tenant") if (read := getattr(reading, name)) is not None
    }
    return (
        ("option", Statement(subject=rules.subject, tenant=rules.tenant, place="option")),
        ("manifest", manifest or Statement()),
        ("metadata", of_metadata(stored.metadata)),
        ("sidecar", sidecar or Statement()),
        ("key", make_statement(fields.items(), place="key")),
    )


def _read_name(field: str, statements: Sequence[tuple[Source, Statement]]) -> "_Found[str]":
    for source, statement in statements:
        if statement.problem:
            return _Found(problem=statement.problem)
        if text := getattr(statement, field):
            name = clean_name(text)
            problem = None if name else f"{_where(source, statement, field)} {_BAD_NAME}"
            return _Found(name, source if name else "unknown", problem)
    return _Found()


def _read_time(
    statements: Sequence[tuple[Source, Statement]], default_zone: str, read_tag: Callable[[], datetime | None] | None
) -> "_Found[RecordedAt]":
    told = next(((source, statement) for source, statement in statements if statement.zone), None)
    zone = told[1].zone if told and told[1].zone else default_zone
    if told and not _is_zone(zone):
        return _Found(problem=f"{_where(*told, 'zone')} {_BAD_ZONE}")
    for source, statement in statements:
        if statement.problem:
            return _Found(problem=statement.problem)
        if statement.recorded_at:
            time = parse_recorded_at(statement.recorded_at, zone=zone, is_zone_told=told is not None)
            problem = None if time else f"{_where(source, statement, 'recorded_at')} {_BAD_TIME}"
            return _Found(time, source if time else "unknown", problem)
    return _Found() if read_tag is None else _read_container(read_tag, zone)


def _read_container(read_tag: Callable[[], datetime | None], zone: str) -> "_Found[RecordedAt]":
    try:
        said = read_tag()
    except TagUnusable as error:
        return _Found(problem=str(error))
    except StorageError as error:
        return _Found(problem=f"the container's time could not be read: {error}", is_complete=False)
    if said is None:
        return _Found()
    time = at_instant(said if said.tzinfo else said.replace(tzinfo=ZoneInfo(zone)), zone=zone)
    return _Found(time, "container") if time else _Found(problem=f"the container's time {_BAD_TIME}")


@functools.lru_cache(maxsize=256)
def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # no such zone, no name of one, or a folder of zones
        return False
    return True


def _where(source: Source, statement: Statement, field: str) -> str:
    name = METADATA_NAMES[field][0] if source in {"metadata", "key"} else field
    return f"{name} in the key" if source == "key" else f"{statement.place} {name}"


def _tenant_source(tenant: "_Found[str]", rules: IdentityRules) -> Source:
    if tenant.value or tenant.problem:
        return tenant.source
    return "default" if rules.default_tenant == DEFAULT_TENANT else "setting"


def _rules_used(reading: KeyReading, subject_source: Source, time_source: Source) -> str:
    pairs = ((reading.subject, subject_source), (reading.recorded_at, time_source))
    return ", ".join(dict.fromkeys(read.rule for read, source in pairs if read is not None and source == "key"))
