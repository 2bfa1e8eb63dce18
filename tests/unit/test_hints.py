"""A notification is a hint: whatever it says, what is registered is what the store shows now, by the rules of scans."""

from datetime import UTC, datetime, timedelta

import pytest
from db_samples import add_active_model, count, new_sqlite
from sqlalchemy import select, update

from config.settings import Settings
from db import erasures, hints, recordings
from db.erasures import Chosen
from db.hint_schema import object_hints
from db.reasons import ErasureScope, Lane
from db.schema import jobs
from scheduler.hints import HintOutcome, Place, take_hints
from scheduler.naming import Naming
from scheduler.scan import scan
from storage.errors import StorageUnavailable
from storage.events import ObjectHint
from storage.protocol import MemoryStore

KEY = "notes/ana/2026-03-02T09:15:00.ogg"


@pytest.fixture
def engine(tmp_path):
    engine = new_sqlite(tmp_path)
    add_active_model(engine)
    return engine


@pytest.fixture
def place():
    naming = Naming.of(Settings(key_pattern="notes/{subject}/{recorded_at}..."))
    return Place(MemoryStore("voice"), "notes/", naming)


class FailingStore(MemoryStore):
    def list_objects(self, *_args, **_kwargs):
        raise StorageUnavailable("down")


def take(engine, place, *keys, bucket="voice", lane=Lane.NIGHTLY):
    return list(take_hints(engine, place, [ObjectHint(bucket, key) for key in keys], lane=lane).values())


def scan_all(engine, place):
    return scan(engine, place.store, prefix=place.prefix, naming=place.naming)


def lanes(engine):
    with engine.connect() as connection:
        return list(connection.scalars(select(jobs.c.lane)))


@pytest.mark.parametrize("lane", [Lane.NIGHTLY, Lane.INTERACTIVE])
def test_a_hint_registers_a_new_object_as_a_scan_would_with_a_job_in_its_lane(engine, place, lane):
    place.store.put(KEY, b"sound")

    assert take(engine, place, KEY, lane=lane) == [HintOutcome.REGISTERED]

    made = recordings.find(engine, KEY)[0]
    assert (made.subject, made.local_day.isoformat(), lanes(engine)) == ("ana", "2026-03-02", [lane])
    again = scan_all(engine, place)
    assert (again.n_new, again.n_corrected) == (0, 0)


def test_a_hint_that_was_lost_is_found_by_the_scan(engine, place):
    place.store.put(KEY, b"sound")
    assert scan_all(engine, place).n_new == 1


def test_hints_that_are_repeated_late_or_out_of_order_leave_what_the_store_holds(engine, place):
    place.store.put(KEY, b"first")
    place.store.put(KEY, b"second")

    assert take(engine, place, KEY, KEY) == [HintOutcome.REGISTERED]
    assert take(engine, place, KEY) == [HintOutcome.KNOWN]

    (live,) = recordings.find(engine, KEY)
    assert live.version_tag == place.store.head(KEY).version_tag
    assert count(engine, "jobs") == 1


def test_a_replaced_object_supersedes_the_older_version(engine, place):
    for content in (b"first", b"second"):
        place.store.put(KEY, content)
        assert take(engine, place, KEY) == [HintOutcome.REGISTERED]

    assert [one.state.value for one in recordings.find(engine, KEY)] == ["LIVE", "SUPERSEDED"]


@pytest.mark.parametrize(
    ("bucket", "key", "outcome"),
    [
        ("voice", "notes/ana/gone.ogg", HintOutcome.GONE),
        ("other", KEY, HintOutcome.ELSEWHERE),
        ("voice", "secrets/ana.ogg", HintOutcome.ELSEWHERE),
        ("voice", "notes/.trash/ana.ogg", HintOutcome.ELSEWHERE),
        ("voice", "notes/ana/", HintOutcome.ELSEWHERE),
        ("voice", "notes/manifest.csv", HintOutcome.GONE),
        ("voice", "notes/ana/2026-03-02T09:15:00", HintOutcome.GONE),
        ("voice", "notes/ana/../../secrets/ana.ogg", HintOutcome.ELSEWHERE),
    ],
)
def test_a_forged_hint_registers_nothing_that_a_scan_would_leave(engine, place, bucket, key, outcome):
    for there in (KEY, "secrets/ana.ogg", "notes/.trash/ana.ogg"):
        place.store.put(there, b"sound")
    place.store.put("notes/manifest.csv", b"key,subject\n")

    assert take(engine, place, key, bucket=bucket) == [outcome]
    assert count(engine, "recordings") == 0


def test_a_hint_of_a_sidecar_has_its_recording_read_again_and_the_manifest_counts(engine, place):
    place.store.put("notes/manifest.csv", b"key,recorded_at\nzoe/a.ogg,2026-03-03T10:00:00Z\n")
    place.store.put("notes/zoe/a.ogg", b"sound")
    assert take(engine, place, "notes/zoe/a.ogg") == [HintOutcome.REGISTERED]
    place.store.put("notes/zoe/a.ogg.json", b'{"subject": "ana"}')

    assert take(engine, place, "notes/zoe/a.ogg.json") == [HintOutcome.CORRECTED]

    found = recordings.find(engine, "notes/zoe/a.ogg")[0]
    assert (found.subject, found.recorded_at.day) == ("ana", 3)
    assert (scan_all(engine, place).n_corrected, count(engine, "recordings")) == (0, 1)


def test_a_hint_waits_while_the_store_is_down_and_while_an_erasure_is_under_way(engine, place):
    down = Place(FailingStore("voice"), "notes/", place.naming)
    assert take(engine, down, KEY) == [HintOutcome.WAITING]

    place.store.put(KEY, b"sound")
    scan_all(engine, place)
    erasures.begin(engine, Chosen(subject="ana"), scope=ErasureScope.ALL)
    place.store.put(KEY, b"sent again")

    assert take(engine, place, KEY) == [HintOutcome.WAITING]
    assert [one.state.value for one in recordings.find(engine, KEY)] == []


def test_an_erasure_that_begins_between_look_and_registration_wins(engine, place):
    place.store.put(KEY, b"sound")
    place.store.put("notes/zoe/a.ogg", b"sound")
    take(engine, place, "notes/zoe/a.ogg")

    class ErasingStore(MemoryStore):
        def head(self, key):
            if key.endswith(".ogg.json"):
                erasures.begin(engine, Chosen(subject="zoe"), scope=ErasureScope.ALL)
            return super().head(key)

    between = ErasingStore("voice")
    between.put(KEY, b"sound")
    assert take(engine, Place(between, "notes/", place.naming), KEY) == [HintOutcome.WAITING]


def test_hints_fall_due_again_later_and_go_after_a_day_or_with_any_erasure(engine, place):
    hints.add(engine, [("voice", KEY), ("voice", "notes/b.ogg")])
    first, second = hints.list_due(engine, limit=9)
    hints.settle(engine, [first.id], waiting=[second])
    assert hints.list_due(engine, limit=9) == []

    with engine.begin() as connection:
        connection.execute(update(object_hints).values(created_at=datetime.now(UTC) - timedelta(days=2)))
    assert hints.expire(engine) == 1

    place.store.put(KEY, b"sound")
    scan_all(engine, place)
    hints.add(engine, [("voice", KEY)])
    erasures.begin(engine, Chosen(subject="ana"), scope=ErasureScope.ALL)
    assert count(engine, "object_hints") == 0


def test_more_hints_than_are_kept_are_refused(engine, monkeypatch):
    monkeypatch.setattr(hints, "MAX_KEPT", 2)
    with pytest.raises(hints.TooManyHints, match="0 hints wait"):
        hints.add(engine, [("voice", str(number)) for number in range(3)])
