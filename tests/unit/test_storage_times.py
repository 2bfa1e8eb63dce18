"""Times as people and recorders write them; what is no existing time is none."""

from datetime import UTC, datetime

import pytest

from storage.times import parse_recorded_at


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
        ("2999-01-01", "2999-01-01T00:00:00", "day"),
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
        "1772353800",
        "49151234567890",
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
