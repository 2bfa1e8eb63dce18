"""The upgrade to tenants and local days keeps every row and reads what old rows tell; also run on PostgreSQL."""

from datetime import UTC, date, datetime, timedelta

import pytest
from click.testing import CliRunner
from db_samples import MONDAY, fill_old, old_recording, people_of, upgrade_to
from sqlalchemy import insert, inspect, text

from db import erasures, migrate, models, recordings, removals, results, trends
from db.engine import make_engine
from db.erasures import Chosen
from db.reasons import ErasureScope, RecordingState
from db.schema import erasure_objects, removed_audio, subject_keys
from db.schema import erasures as erasures_table
from tonalog.commands.database import db_command

BEFORE = "0005"
DAY = date(2026, 3, 2)
# Every offset that a zone has had in this century lies on a quarter of an hour between these.
OFFSETS = range(-12 * 60, 14 * 60 + 1, 15)


@pytest.fixture
def empty_url(tmp_path):
    return f"sqlite:///{tmp_path / 'tonalog.db'}"


def midnight(offset_min):
    """When a local day begins, as the releases before kept it: in UTC."""
    return datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC) - timedelta(minutes=offset_min)


def spoken(key, moment, precision, **others):
    time = {"recorded_at": moment, "recorded_at_precision": precision, "recorded_at_source": "key"}
    return old_recording(key, subject="anna", subject_source="key", **time, **others)


def old_rows():
    """Recordings of every precision and state."""
    exact = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    return [
        spoken("second.wav", exact, "second"),
        spoken("minute.wav", exact, "minute"),
        spoken("old.wav", exact, "second", state="SUPERSEDED"),
        spoken("no-audio.wav", exact, "second"),
        old_recording("unknown.wav", subject="ben", subject_source="metadata"),
        old_recording("", bucket="", version_tag="erased-6", state="ERASED"),
    ]


def make_old(url, found):
    engine = make_engine(url)
    upgrade_to(engine, BEFORE)
    fill_old(engine, found)
    return engine


def contents(engine, columns=None):
    """Every row of every table, in the columns that were there before."""
    names = [name for name in inspect(engine).get_table_names() if name != "alembic_version"]
    columns = columns or {name: [column["name"] for column in inspect(engine).get_columns(name)] for name in names}
    with engine.connect() as connection:
        rows = {
            name: sorted(str(tuple(row)) for row in connection.execute(text(f"SELECT {', '.join(of)} FROM {name}")))
            for name, of in columns.items()
        }
    return rows, columns


def days(engine):
    return {found.key: (found.utc_offset_min, found.local_day) for found in map(engine_get(engine), ids(engine))}


def engine_get(engine):
    return lambda recording_id: recordings.get(engine, recording_id)


def ids(engine):
    with engine.connect() as connection:
        return list(connection.scalars(text("SELECT id FROM recordings ORDER BY id")))


def test_every_row_of_every_table_is_kept(empty_url):
    engine = make_old(empty_url, old_rows())
    erasure = {"id": 1, "scope": "AUDIO", "requested_at": MONDAY, "n_recordings": 1, "n_results": 0}
    with engine.begin() as connection:
        connection.execute(insert(erasures_table).values(erasure))
        place = {"erasure_id": 1, "store": "local", "bucket": "notes", "key": "no-audio.wav"}
        connection.execute(insert(erasure_objects).values(place))
        connection.execute(insert(removed_audio).values(recording_id=4, erasure_id=1))
        connection.execute(insert(subject_keys).values(id=1, fingerprint="f", used_since=MONDAY))
    before, columns = contents(engine)

    migrate.upgrade(engine)

    after, _ = contents(engine, columns)
    assert after == before
    assert [len(before[name]) for name in ("recordings", "jobs", "results", "segments")] == [6] * 4
    assert [(one.n_left, one.finished_at) for one in removals.unfinished(engine)] == [(1, None)]


def test_old_recordings_are_the_default_tenants_and_are_read_and_erased_as_before(empty_url):
    engine = make_old(empty_url, old_rows())
    migrate.upgrade(engine)

    found = recordings.get(engine, 1)
    assert (found.tenant, found.tenant_source, found.identity_tag) == ("default", "default", None)
    assert people_of(engine) == {"anna": 3, "ben": 1}
    assert len(trends.subject_trend(engine, "anna")) == 3
    assert results.result_of(engine, 1, models.active_model(engine).id).label == "sadness"
    assert erasures.begin(engine, Chosen(subject="anna"), scope=ErasureScope.ALL) is not None
    assert people_of(engine) == {"ben": 1}
    assert recordings.get(engine, 1).state is RecordingState.ERASED


def test_a_bare_date_gets_its_offset_and_its_local_day_back_or_none_but_never_a_wrong_one(empty_url):
    found = [spoken(f"{offset}.wav", midnight(offset), "day") for offset in OFFSETS]
    engine = make_old(empty_url, found)

    migrate.upgrade(engine)

    read = {int(key.removesuffix(".wav")): value for key, value in days(engine).items()}
    told = {offset: value for offset, value in read.items() if value[0] is not None}
    assert told == {offset: (offset, DAY) for offset in told}
    # Midnight of UTC+12 and of UTC-12 is the same moment.
    assert {offset for offset in read if offset not in told} == {n for n in OFFSETS if abs(n) >= 600 and n not in told}
    assert set(told) == {offset for offset in OFFSETS if -600 < offset < 720}
    assert {value[1] for offset, value in read.items() if offset not in told} == {DAY, DAY - timedelta(days=1)}


def test_other_times_keep_the_day_of_utc_until_they_are_read_again(empty_url):
    engine = make_old(empty_url, old_rows())

    migrate.upgrade(engine)

    read = days(engine)
    assert read["second.wav"] == read["minute.wav"] == (None, date(2026, 3, 1))
    assert read["unknown.wav"] == read[""] == (None, None)
    known = recordings.known_versions(engine, "local", "notes", keys=["second.wav"])
    assert [version.identity_tag for version in known.values()] == [None]


def test_the_upgrade_says_how_many_times_have_no_offset_and_which_the_next_scan_cannot_read(empty_url, monkeypatch):
    engine = make_old(empty_url, [*old_rows(), spoken("day.wav", midnight(60), "day")])
    with engine.begin() as connection:
        erasure = {"id": 1, "scope": "AUDIO", "requested_at": MONDAY, "n_recordings": 1, "n_results": 0}
        connection.execute(insert(erasures_table).values(erasure))
        connection.execute(insert(removed_audio).values(recording_id=4, erasure_id=1))
    url = engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("TONALOG_DATABASE_URL", url)

    said = CliRunner().invoke(db_command, ["upgrade"], catch_exceptions=False).output
    again = CliRunner().invoke(db_command, ["upgrade"], catch_exceptions=False).output

    assert "went from 0005 to " in said
    assert "4 recordings have a time whose offset from UTC was not kept" in said
    assert "reads 2 of them again; 2 are replaced or without audio" in said
    assert "offset" not in again


def test_a_scheduler_of_the_release_before_registers_on_beside_this_one(empty_url):
    engine = make_old(empty_url, [])
    migrate.upgrade(engine)

    columns = old_recording("late.wav", subject="anna", recorded_at=MONDAY)
    with engine.begin() as connection:
        names = ", ".join(columns)
        values = ", ".join(f":{name}" for name in columns)
        moments = {"recorded_at", "uploaded_at", "registered_at"}
        told = {name: f"{value:%Y-%m-%d %H:%M:%S.%f}" if name in moments else value for name, value in columns.items()}
        connection.execute(text(f"INSERT INTO recordings ({names}) VALUES ({values})"), told)

    (found,) = trends.list_notes(engine)
    assert (found.tenant, found.local_day) == ("default", None)
    (version,) = recordings.known_versions(engine, "local", "notes", keys=["late.wav"]).values()
    assert version.identity_tag is None
