"""Times as people and recorders write them; what is no existing time is none."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.times import PLAUSIBLE, at_instant, find_time, parse_recorded_at, time_ends

FIRST_S, LAST_S = 662688000, 4102185600  # the years 1991 to 2099
ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Kiritimati", "Asia/Kolkata", "America/Sao_Paulo"]


@pytest.mark.parametrize(
    ("text", "expected", "precision"),
    [
        ("2026-03-01T08:30:00Z", "2026-03-01T08:30:00", "second"),
        ("2026-03-01t08:30:00z", "2026-03-01T08:30:00", "second"),
        ("2026-03-01T08-30-00Z", "2026-03-01T08:30:00", "second"),
        ("2026-03-01T08.30.00Z", "2026-03-01T08:30:00", "second"),
        ("2026-03-01 08:30:00", "2026-03-01T08:30:00", "second"),
        ("  2026-03-01T08:30:00Z ", "2026-03-01T08:30:00", "second"),
        ("20260301T083000+0200", "2026-03-01T06:30:00", "second"),
        ("2026-03-01T08:30:00+02", "2026-03-01T06:30:00", "second"),
        ("2026-03-01T08-30-00-05-30", "2026-03-01T14:00:00", "second"),
        ("2026-03-01T08:30-05", "2026-03-01T13:30:00", "minute"),
        ("2026-03-01T08-30-0500", "2026-03-01T13:30:00", "minute"),
        ("2026-03-01_08-30", "2026-03-01T08:30:00", "minute"),
        ("20260301T0830Z", "2026-03-01T08:30:00", "minute"),
        ("20260301_083005", "2026-03-01T08:30:05", "second"),
        ("20260301083005", "2026-03-01T08:30:05", "second"),
        ("2026-03-01T08:30:00.250Z", "2026-03-01T08:30:00.250000", "second"),
        ("2026-03-01T08:30:00,123456789Z", "2026-03-01T08:30:00.123456", "second"),
        ("20260301T083000.5Z", "2026-03-01T08:30:00.500000", "second"),
        ("2026-03-01", "2026-03-01T00:00:00", "day"),
        ("20260301", "2026-03-01T00:00:00", "day"),
        ("2028-02-29", "2028-02-29T00:00:00", "day"),
        ("2099-12-31", "2099-12-31T00:00:00", "day"),
        ("2026_03_02_08_15_00", "2026-03-02T08:15:00", "second"),
        ("2026.03.02 08.15.00", "2026-03-02T08:15:00", "second"),
        ("2026-03-02 at 08.15.00", "2026-03-02T08:15:00", "second"),
        ("2026-03-02 at 8.15.00 AM", "2026-03-02T08:15:00", "second"),
        ("2026-03-02 at 12.15.00 AM", "2026-03-02T00:15:00", "second"),
        ("2026-03-02 at 12.15.00 PM", "2026-03-02T12:15:00", "second"),
        ("2026-03-02 at 8.15.00\u202fPM", "2026-03-02T20:15:00", "second"),
        ("2026-03-02-081500", "2026-03-02T08:15:00", "second"),
        ("20260302_081500123", "2026-03-02T08:15:00.123000", "second"),
        ("2026-03-02 08:15:00 +0100", "2026-03-02T07:15:00", "second"),
        ("1772439300", "2026-03-02T08:15:00", "second"),
        ("1772439300250", "2026-03-02T08:15:00.250000", "second"),
    ],
)
def test_time_is_read(text: str, expected: str, precision: str) -> None:
    found = parse_recorded_at(text)

    assert found is not None
    assert found.time == datetime.fromisoformat(expected).replace(tzinfo=UTC)
    assert found.time.tzinfo is UTC
    assert found.precision == precision


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026",
        "2026-03",
        "2026-0301",
        "202603-01",
        "2026-02-30",
        "2027-02-29",
        "2026-13-01",
        "2026-03-00",
        "0000-01-01",
        "2026-03-01T24:00:00",
        "2026-03-01T08:60",
        "2026-03-01T08:30:00+24:00",
        "2026-03-01_0042",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
        "2999-01-01",
        "1989-12-31",
        "91231112",  # telephone numbers
        "4915123456",
        "2125551234",
        "+1772439300",
        "49151234567890",
        "2026-03-01T08:30:00+15:00",
        "2026-03-01T08:30:00+01:75",
        "2026-03-02 at 13.15.00 PM",
        "2026-03-02 at 0.15.00 AM",
        "2026-03-01T08:30:00Zebra",
        "\u0662\u0660\u0662\u0666-\u0660\u0663-\u0660\u0661",  # Arabic-Indic digits,
    ],
)
def test_what_is_no_existing_time_is_unknown(text: str) -> None:
    assert parse_recorded_at(text) is None


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-01-15T08:30:00", "Europe/Berlin", "2026-01-15T07:30:00"),
        ("2026-07-15T08:30:00", "Europe/Berlin", "2026-07-15T06:30:00"),
        ("2026-07-15", "Europe/Berlin", "2026-07-14T22:00:00"),
        ("2026-03-29T02:30:00", "Europe/Berlin", "2026-03-29T01:30:00"),  # skipped by the clocks
        ("2026-10-25T02:30:00", "Europe/Berlin", "2026-10-25T00:30:00"),  # shown twice
        ("2026-07-15T08:30:00Z", "Europe/Berlin", "2026-07-15T08:30:00"),
    ],
)
def test_time_without_zone_is_read_in_the_given_one(text: str, zone: str, expected: str) -> None:
    found = parse_recorded_at(text, zone=zone)

    assert found is not None
    assert found.time == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "zone", "offset_min", "told_zone", "local_day"),
    [
        ("2026-03-06", "Europe/Berlin", 60, "Europe/Berlin", "2026-03-06"),
        ("2026-07-06", "Europe/Berlin", 120, "Europe/Berlin", "2026-07-06"),
        ("2026-03-06", "America/New_York", -300, "America/New_York", "2026-03-06"),
        ("2026-03-06T23:30:00-05:00", "Europe/Berlin", -300, None, "2026-03-06"),
        ("2026-03-06T23:30:00Z", "Europe/Berlin", 0, None, "2026-03-06"),
        ("1772839800", "Europe/Berlin", 60, "Europe/Berlin", "2026-03-07"),  # 23:30 in UTC
    ],
)
def test_offset_zone_and_local_day_are_kept_as_they_were_said(
    text: str, zone: str, offset_min: int, told_zone: str | None, local_day: str
) -> None:
    found = parse_recorded_at(text, zone=zone)

    assert found is not None
    assert (found.utc_offset_min, found.zone) == (offset_min, told_zone)
    assert found.local_day == date.fromisoformat(local_day)


def test_time_in_utc_has_its_local_day_in_the_zone_that_was_said_beside_it() -> None:
    found = parse_recorded_at("2026-03-06T23:30:00Z", zone="Europe/Berlin", is_zone_told=True)

    assert found is not None
    assert found.time == datetime(2026, 3, 6, 23, 30, tzinfo=UTC)
    assert (found.utc_offset_min, found.zone, found.local_day) == (60, "Europe/Berlin", date(2026, 3, 7))


@given(day=st.dates(date(1991, 1, 1), date(2099, 12, 30)), zone=st.sampled_from(ZONES))
def test_a_bare_date_is_that_very_day_in_every_zone(day: date, zone: str) -> None:
    for text in (day.isoformat(), day.strftime("%Y%m%d")):
        found = parse_recorded_at(text, zone=zone)

        assert found is not None
        assert (found.precision, found.local_day) == ("day", day)
        assert (found.time + timedelta(minutes=found.utc_offset_min)).date() == day


@given(
    moment=st.integers(FIRST_S, LAST_S).map(lambda seconds: datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)),
    zone=st.sampled_from(ZONES),
    shape=st.sampled_from(["%Y-%m-%dT%H:%M:%S", "%Y%m%d_%H%M%S", "%Y-%m-%d_%H-%M-%S", "%Y-%m-%d at %I.%M.%S %p"]),
)
def test_every_way_of_writing_a_time_is_the_same_time(moment: datetime, zone: str, shape: str) -> None:
    found = parse_recorded_at(moment.strftime(shape), zone=zone)

    assert found is not None
    assert found.local_day == moment.date()
    assert found.time == moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@given(text=st.text(alphabet="0123456789-_.: +TZatPM", max_size=40))
def test_any_text_is_a_plausible_time_or_none(text: str) -> None:
    found = parse_recorded_at(text, zone="Europe/Berlin")

    assert found is None or PLAUSIBLE[0] <= found.time < PLAUSIBLE[1]
    for start in range(len(text)):
        for end in time_ends(text, start):
            assert find_time(text, start) == start or text[start] == "1"
            assert end > start


def test_instant_out_of_the_plausible_range_is_none() -> None:
    assert at_instant(datetime(1970, 1, 1, tzinfo=UTC)) is None


def test_extension_that_begins_with_a_digit_is_no_fraction_of_a_second() -> None:
    assert time_ends("2026-03-02T08-15-00.3gp", 0)[0] == len("2026-03-02T08-15-00")
