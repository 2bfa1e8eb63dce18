"""Read the time of a recording from text; never guesses, and never looks at the clock."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal
from zoneinfo import ZoneInfo

Precision = Literal["second", "minute", "day"]

# ISO 8601 calendar dates and times, extended (2026-03-01T08:30:00) and basic (20260301T083000), and what file names
# make of them: `-`, `.` or `_` for the colon, and a blank, `_`, `-` or nothing for the T. Four digits right after a
# separator other than T are no time (2026-03-01_0042 is a counter as often as a time); six are.
_DATE = r"(?P<year>\d{4})(?P<dash>-?)(?P<month>\d{2})(?P=dash)(?P<day>\d{2})"
_SECOND = r"(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?"
_BASIC = r"(?:[Tt](?P<hm>\d{4})|[Tt _-]?(?P<hms>\d{6})(?:[.,](?P<basic_fraction>\d{1,9}))?)"
_EXTENDED = rf"[Tt _-](?P<hour>\d{{2}})(?P<colon>[:._-])(?P<minute>\d{{2}})(?:(?P=colon){_SECOND})?"
_ZONE = r"(?P<zone>[Zz]|[+-]\d{2}(?:[:._-]?\d{2})?)"
SHAPE = rf"(?<!\d){_DATE}(?:(?:{_EXTENDED}|{_BASIC}){_ZONE}?)?(?!\d)"
_WHOLE = re.compile(SHAPE, re.ASCII)


@dataclass(frozen=True)
class RecordedAt:
    """When a recording was made.

    Attributes:
        time: UTC; the start of the day or minute when that is all that is known.
        precision: how much of it is known.
    """

    time: datetime
    precision: Precision


def parse_recorded_at(text: str, *, zone: str = "UTC") -> RecordedAt | None:
    """Read one time, ISO 8601 or in a form that file names can hold.

    Args:
        text: the time and nothing else; surrounding blanks do not count.
        zone: IANA name of the zone of times that name none. A time that the clocks skip or show twice there is
            read with the offset from before the change.

    Returns:
        The time, or None when the text is no time or names one that does not exist (30 February, 25:00).

    Raises:
        ZoneInfoNotFoundError: there is no such zone, or this machine has no zone data.

    Examples:
        >>> parse_recorded_at("2026-03-01T08:30:00+01:00").time.isoformat()
        '2026-03-01T07:30:00+00:00'
        >>> parse_recorded_at("2026-03-01_08-30", zone="Europe/Berlin")
        RecordedAt(time=datetime.datetime(2026, 3, 1, 7, 30, tzinfo=datetime.timezone.utc), precision='minute')
        >>> parse_recorded_at("20260301T083000+0200").time.isoformat()
        '2026-03-01T06:30:00+00:00'
        >>> parse_recorded_at("2026-03-01").precision
        'day'
        >>> parse_recorded_at("2026-02-30") is None, parse_recorded_at("last Tuesday") is None
        (True, True)
    """
    match = _WHOLE.fullmatch(text.strip())
    if match is None:
        return None
    default = ZoneInfo(zone)
    hour, minute, second, fraction = _clock(match)
    try:
        local = datetime(
            int(match["year"]),
            int(match["month"]),
            int(match["day"]),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "0")[:6].ljust(6, "0")),
            tzinfo=_zone(match["zone"], default),
        )
        time = local.astimezone(UTC)
    except (ValueError, OverflowError):  # no such date, or one that leaves year 1 to 9999 in UTC
        return None
    return RecordedAt(time, "second" if second else "minute" if hour else "day")


def _clock(match: re.Match[str]) -> tuple[str | None, str | None, str | None, str | None]:
    if digits := match["hms"]:
        return digits[:2], digits[2:4], digits[4:], match["basic_fraction"]
    if digits := match["hm"]:
        return digits[:2], digits[2:], None, None
    return match["hour"], match["minute"], match["second"], match["fraction"]


def _zone(said: str | None, default: ZoneInfo) -> timezone | ZoneInfo:
    if said is None:
        return default
    digits = re.sub(r"\D", "", said)
    offset = timedelta(hours=int(digits[:2] or 0), minutes=int(digits[2:] or 0))
    return timezone(-offset if said.startswith("-") else offset)
