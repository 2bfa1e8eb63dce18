"""Read the time of a recording from text; never guesses, and never looks at the clock."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal
from zoneinfo import ZoneInfo

Precision = Literal["second", "minute", "day"]

# Voice notes are younger than digital recorders, and none is from the next century: an eight-digit telephone number
# is not the year 9123.
PLAUSIBLE = (datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
_LARGEST_OFFSET = timedelta(hours=14)  # of all zones, Pacific/Kiritimati
_NOON = 12

# ISO 8601 calendar dates and times, extended (2026-03-01T08:30:00) and basic (20260301T083000), and what file names
# make of them: `-`, `.` or `_` for the colon, and a blank, `_`, `-`, ` at ` or nothing for the T. Four digits right after
# a separator other than T are no time (2026-03-01_0042 is a counter as often as a time); six are.
_DATE = (
    r"(?:(?P<year>\d{4})(?P<dash>[-_.])(?P<month>\d{2})(?P=dash)(?P<day>\d{2})"
    r"|(?P<ymd>(?:199|20\d)\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])))"
)
# `08-15-00.3gp` is no third of a second.
_FRACTION = r"(?:[.,](?P<{0}>\d{{1,9}})(?![0-9A-Ya-y]))?"
_EXTENDED = (
    r"(?(t)|(?(gap)|(?!)))(?P<hour>\d{2}|(?<= at )\d|\d(?=:))(?P<colon>[:._-])(?P<minute>\d{2})"
    rf"(?:(?P=colon)(?P<second>\d{{2}}){_FRACTION.format('fraction')})?(?:[ \u202f]?(?P<half>[AaPp])[Mm]\b)?"
)
_BASIC = rf"(?P<hms>\d{{6}})(?:(?P<ms>\d{{3}})(?!\d)|{_FRACTION.format('basic_fraction')})"
_CLOCK = rf"(?:{_EXTENDED}|{_BASIC}|(?(t)(?P<hm>\d{{4}})|(?!)))"
# After a T, `-05` is an offset; after anything else it is a counter as often (`audio_2026-03-02_08-15-00-02.ogg`).
_ZONE = (
    r"(?P<zone>[Zz]|[ ]?UTC|[ ]?\+\d{2}(?:[:._-]?\d{2})?"
    r"|(?(t)-\d{2}(?:[:._-]?\d{2})?|(?!))|-\d{2}:\d{2}|[ ]-\d{4})"
)
_GAP = r"(?:(?P<t>[Tt])|(?P<gap> at |,? |[_-]))?"
_TIME = re.compile(
    rf"(?<![\d+]){_DATE}(?P<clock>{_GAP}{_CLOCK}{_ZONE}?)?(?!\d)(?(clock)|(?(ymd)(?![A-Za-z])))", re.ASCII
)
_DAY = re.compile(rf"(?<![\d+]){_DATE}(?!\d)(?(ymd)(?![A-Za-z]))", re.ASCII)
# Seconds or milliseconds since 1970, from 2001 to 2033: ten digits that begin with 2 or more are a telephone number of
# North America as often, and so are digits that stand behind a plus or inside a word.
_UNIX = re.compile(r"(?<![0-9A-Za-z+.])1\d{9}(?:\d{3})?(?![0-9A-Za-z])", re.ASCII)
_N_SECONDS_DIGITS = 10
_FOUR_DIGITS = re.compile(r"(?<![0-9+])[0-9]{4}")


@dataclass(frozen=True)
class RecordedAt:
    """When a recording was made, as far as somebody says it.

    Attributes:
        time: the instant in UTC; the start of the local minute or day when that is all that is known.
        precision: how much of it is known.
        utc_offset_min: how far local time was ahead of UTC, in minutes.
        zone: IANA name of the zone that the offset comes from; None where the offset itself was said.
        local_day: the date where it was recorded.
    """

    time: datetime
    precision: Precision
    utc_offset_min: int
    zone: str | None
    local_day: date


def parse_recorded_at(
    text: str, *, zone: str = "UTC", is_zone_told: bool = False, plausible: tuple[datetime, datetime] = PLAUSIBLE
) -> RecordedAt | None:
    """Read one time: ISO 8601, a form that file names can hold, or Unix seconds or milliseconds.

    Args:
        text: the time and nothing else; surrounding blanks do not count.
        zone: IANA name of the zone of times that name none. A time that the clocks skip or show twice there is
            read with the offset from before the change.
        is_zone_told: the zone was said beside this very time, so that one in UTC has its local day there.
        plausible: the first instant that is believed, and the first that no longer is.

    Returns:
        The time, or None when the text is no time or names one that does not exist (30 February, 25:00) or is out of
        the plausible range.

    Raises:
        ZoneInfoNotFoundError: there is no such zone, or this machine has no zone data.

    Examples:
        >>> parse_recorded_at("2026-03-01T08:30:00+01:00").time.isoformat()
        '2026-03-01T07:30:00+00:00'
        >>> found = parse_recorded_at("2026-03-01", zone="Europe/Berlin")
        >>> found.time.isoformat(), found.precision, found.utc_offset_min, found.local_day.isoformat()
        ('2026-02-28T23:00:00+00:00', 'day', 60, '2026-03-01')
        >>> parse_recorded_at("2026-03-02 at 8.15.00 PM").time.isoformat()
        '2026-03-02T20:15:00+00:00'
        >>> parse_recorded_at("1772439300").time.isoformat()
        '2026-03-02T08:15:00+00:00'
        >>> [parse_recorded_at(text) for text in ("2026-02-30", "91231112", "last Tuesday")]
        [None, None, None]
    """
    text = text.strip()
    if _UNIX.fullmatch(text):
        seconds = int(text[:_N_SECONDS_DIGITS]) + int(text[_N_SECONDS_DIGITS:] or 0) / 1000
        return at_instant(datetime.fromtimestamp(seconds, UTC), zone=zone, plausible=plausible)
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    try:
        local = _local(match, _offset(match["zone"]) or ZoneInfo(zone))
        time = local.astimezone(UTC)
    except (ValueError, OverflowError):  # no such date or offset, or one that leaves year 1 to 9999 in UTC
        return None
    if not plausible[0] <= time < plausible[1]:
        return None
    is_utc = (match["zone"] or "").strip() in {"Z", "z", "UTC"}
    if is_utc and is_zone_told:
        local = time.astimezone(ZoneInfo(zone))
    said_zone = zone if match["zone"] is None or (is_utc and is_zone_told) else None
    return RecordedAt(time, _precision(match), _minutes_ahead(local), said_zone, local.date())


def at_instant(
    instant: datetime, *, zone: str = "UTC", plausible: tuple[datetime, datetime] = PLAUSIBLE
) -> RecordedAt | None:
    """Describe an instant known to the second, with the local day of a zone; None out of the plausible range."""
    if not plausible[0] <= instant < plausible[1]:
        return None
    local = instant.astimezone(ZoneInfo(zone))
    return RecordedAt(instant.astimezone(UTC), "second", _minutes_ahead(local), zone, local.date())


def time_ends(text: str, start: int, *, with_unix: bool = True) -> list[int]:
    """Say where a text that looks like a time and begins at `start` may end, the longest first.

    >>> time_ends("20260302_081500.ogg", 0), time_ends("ana/1772439300.ogg", 4), time_ends("ana.ogg", 0)
    ([15, 8], [14], [])
    """
    found = [match.end() for shape in (_TIME, _DAY) if (match := shape.match(text, start))]
    if with_unix and (match := _UNIX.match(text, start)):
        found.append(match.end())
    return sorted(set(found), reverse=True)


def find_time(text: str, start: int) -> int | None:
    """Return where the first digits that may begin a time stand, from `start` on; None where there are none."""
    found = _FOUR_DIGITS.search(text, start)
    return found.start() if found else None


def _precision(match: re.Match[str]) -> Precision:
    if match["second"] or match["hms"]:
        return "second"
    return "minute" if match["hour"] or match["hm"] else "day"


def _local(match: re.Match[str], zone: timezone | ZoneInfo) -> datetime:
    ymd = match["ymd"] or match["year"] + match["month"] + match["day"]
    hour, minute, second, fraction = _clock(match)
    return datetime(
        int(ymd[:4]), int(ymd[4:6]), int(ymd[6:]), hour, minute, second, int(fraction[:6].ljust(6, "0")), tzinfo=zone
    )


def _clock(match: re.Match[str]) -> tuple[int, int, int, str]:
    if digits := match["hms"]:
        return int(digits[:2]), int(digits[2:4]), int(digits[4:]), match["ms"] or match["basic_fraction"] or "0"
    if digits := match["hm"]:
        return int(digits[:2]), int(digits[2:]), 0, "0"
    hour = int(match["hour"] or 0)
    if half := (match["half"] or "").lower():
        if not 1 <= hour <= _NOON:
            raise ValueError(f"there is no {hour} o'clock {half}m")
        hour = hour % _NOON + (_NOON if half == "p" else 0)
    return hour, int(match["minute"] or 0), int(match["second"] or 0), match["fraction"] or "0"


def _offset(said: str | None) -> timezone | None:
    if said is None:
        return None
    digits = re.sub(r"\D", "", said)
    hours, minutes = int(digits[:2] or 0), int(digits[2:] or 0)
    offset = timedelta(hours=hours, minutes=minutes)
    if minutes > 59 or offset > _LARGEST_OFFSET:  # noqa: PLR2004 - minutes of an hour
        raise ValueError(f"there is no offset {said}")
    return timezone(-offset if said.strip().startswith("-") else offset)


def _minutes_ahead(local: datetime) -> int:
    offset = local.utcoffset()
    return round(offset.total_seconds() / 60) if offset else 0
