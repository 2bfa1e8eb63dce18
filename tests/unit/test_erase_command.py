"""`tonalog erase` and `tonalog retention` on the embedded database and a folder, down to the bytes on disk."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from db_samples import a_result, add_active_model, count, dump, new_sqlite, take
from sqlalchemy import text

from db import Engine, erasures, history, jobs, ledger, models, recordings, removals
from db.engine import make_engine, reading
from db.erasures import Chosen
from db.errors import DatabaseError, DatabaseUnavailable
from db.reasons import ErasureScope, Lane, RecordingState
from scheduler.erasing import carry_out
from scheduler.scan import Naming, scan
from storage.errors import StorageDenied, StorageUnavailable
from storage.local import LocalStore
from tonalog.commands.erase import erase_command, retention_command
from tonalog.errors import TonalogError

NAMING = Naming(pattern="{subject}/{recorded_at}...", time_zone="UTC")
CANARY_KEYS = ["canary-anna/2024-03-01T08-00-00Z.ogg", "canary-anna/2024-03-02T08-00-00Z.ogg"]
BEN_KEY = "ben/2026-03-01T08-00-00Z.ogg"
CANARY_BYTES = b"canary-audio"


@pytest.fixture
def store(tmp_path):
    store = LocalStore(tmp_path / "notes")
    (tmp_path / "notes").mkdir()
    for key in CANARY_KEYS:
        store.put(key, CANARY_BYTES + key.encode())
    store.put(BEN_KEY, b"ben")
    return store


@pytest.fixture
def home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    new_sqlite(home)
    monkeypatch.setenv("TONALOG_HOME", str(home))
    for name in ("TONALOG_DATABASE_URL", "TONALOG_BROKER_URL", "TONALOG_STORAGE_URL"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def engine(home, store) -> Engine:
    """Scanned, with a job for each recording, all scored."""
    engine = make_engine(f"sqlite:///{home / 'tonalog.db'}")
    add_active_model(engine)
    scan_again(engine, store)
    for job_id in range(1, 4):
        ledger.finish(engine, take(engine, job_id), a_result())
    return engine


def scan_again(engine, store):
    seen = scan(engine, store, prefix="", naming=NAMING)
    jobs.create_jobs(engine, models.active_model(engine).id, lane=Lane.NIGHTLY)
    return seen


def call(command, *arguments):
    """Run a command to its end and give what it printed, on both streams."""
    result = CliRunner().invoke(command, arguments)
    if isinstance(result.exception, (TonalogError, DatabaseError)):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def files_of(store):
    return sorted(item.key for page in store.list_objects() for item in page)


def test_a_person_is_gone_from_tables_files_logs_and_storage(engine, home, store, caplog):
    caplog.set_level(logging.DEBUG)

    said = call(erase_command, "--subject", "canary-anna")

    assert "To erase: 2 recordings, 2 results, 2 objects" in said
    assert "Erasure 1: 2 recordings, 2 results and 2 objects are gone." in said
    assert files_of(store) == [BEN_KEY]
    assert "canary" not in dump(engine) + said + caplog.text
    on_disk = [path for path in (*home.rglob("*"), *home.parent.joinpath("notes").rglob("*")) if path.is_file()]
    assert any(path.name == "tonalog.db" for path in on_disk)
    assert not [path.name for path in on_disk if b"canary" in path.read_bytes()]
    assert not list(home.parent.joinpath("notes").rglob("*canary*"))
    seen = scan_again(engine, store)
    assert (seen.n_listed, seen.n_new) == (1, 0)
    assert count(engine, "results") == 1


def test_an_attempt_in_flight_writes_nothing_and_logs_no_name(engine, store, caplog):
    caplog.set_level(logging.DEBUG)
    store.put("canary-anna/2024-03-03T08-00-00Z.ogg", CANARY_BYTES)
    scan_again(engine, store)
    claim = take(engine, 4)

    said = call(erase_command, "--subject", "canary-anna")

    assert "1 are being scored and will be stopped" in said
    assert not ledger.finish(engine, claim, a_result())
    assert ledger.claim(engine, 4, worker="late", lease_s=60) is None
    assert "canary" not in dump(engine) + said + caplog.text


@pytest.mark.parametrize("by", ["id", "key"])
def test_one_recording_is_erased_by_id_or_key(engine, store, by):
    found = recordings.find(engine, CANARY_KEYS[0])[0]

    call(erase_command, "--recording", str(found.id) if by == "id" else found.key)

    assert files_of(store) == [BEN_KEY, CANARY_KEYS[1]]
    assert recordings.get(engine, found.id).state is RecordingState.ERASED
    with pytest.raises(TonalogError, match="erased already" if by == "id" else "not known"):
        call(erase_command, "--recording", str(found.id) if by == "id" else found.key)


def test_a_dry_run_changes_nothing(engine, store):
    before = dump(engine)

    said = call(erase_command, "--subject", "canary-anna", "--dry-run")

    assert "To erase: 2 recordings, 2 results, 2 objects" in said
    assert "nothing was changed" in said
    assert dump(engine) == before
    assert len(files_of(store)) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--subject", "nobody"], "no recordings of this person"),
        (["--subject", "canary"], "no recordings of this person"),
        (["--recording", "99"], "not known: give an id or a whole key"),
        (["--recording", "2024-03-01T08-00-00Z.ogg"], "not known: give an id or a whole key"),
    ],
    ids="+".join,
)
def test_who_is_not_known_is_said(engine, arguments, message):
    with pytest.raises(TonalogError, match=message):
        call(erase_command, *arguments)


@pytest.mark.parametrize("arguments", [[], ["--subject", "a", "--recording", "1"]], ids=len)
def test_wrong_use_is_said(home, arguments):
    result = CliRunner().invoke(erase_command, arguments)

    assert result.exit_code == 2
    assert "give either --subject or --recording" in result.output


def test_a_key_in_two_places_asks_for_an_id(engine, tmp_path):
    other = LocalStore(tmp_path / "other")
    (tmp_path / "other").mkdir()
    other.put(BEN_KEY, b"another")
    scan_again(engine, other)

    with pytest.raises(TonalogError, match="give one of the ids 4, 1"):
        call(erase_command, "--recording", BEN_KEY)


def test_an_erasure_that_broke_off_is_finished_by_running_it_again(engine, home, store, tmp_path):
    away = tmp_path / "away"
    (tmp_path / "notes").rename(away)

    with pytest.raises(TonalogError, match=r"2 objects could not be removed yet .*make or mount it.*same command"):
        call(erase_command, "--subject", "canary-anna")
    assert count(engine, "results") == 1
    away.rename(tmp_path / "notes")
    seen = scan_again(engine, store)
    assert seen.n_new == 0  # what is to be removed does not come back
    said = call(erase_command, "--subject", "canary-anna")

    assert "Erasure 1 is not finished: 2 objects are still to be removed." in said
    assert "Finished: 2 objects are gone." in said
    assert files_of(store) == [BEN_KEY]
    assert "canary" not in dump(engine)
    assert b"canary" not in (home / "tonalog.db").read_bytes()
    with pytest.raises(TonalogError, match="no recordings of this person"):
        call(erase_command, "--subject", "canary-anna")


def test_an_erasure_is_not_finished_while_a_reader_holds_on_to_the_old_rows(engine, home, store, monkeypatch):
    monkeypatch.setattr("db.engine.SQLITE_BUSY_TIMEOUT_S", 0.05)
    with reading(engine) as reader:
        reader.execute(text("SELECT * FROM recordings")).all()
        with pytest.raises(DatabaseUnavailable, match="another process keeps the database busy"):
            call(erase_command, "--subject", "canary-anna")
    assert files_of(store) == [BEN_KEY]

    said = call(erase_command, "--subject", "canary-anna")

    assert "Erasure 1 is not finished: 0 objects are still to be removed." in said
    assert removals.unfinished(engine) == []
    assert not [path.name for path in home.glob("tonalog.db*") if b"canary" in path.read_bytes()]


class FaultyStore(LocalStore):
    """A folder that fails to remove some keys."""

    def __init__(self, root, **faults):
        super().__init__(root)
        self.faults = faults

    def erase(self, key):
        if key in self.faults:
            raise self.faults[key]
        super().erase(key)


def test_an_object_that_is_refused_does_not_stop_the_others(engine, store, tmp_path):
    erasures.begin(engine, Chosen(subject="canary-anna"), scope=ErasureScope.ALL)
    faulty = FaultyStore(tmp_path / "notes", **{CANARY_KEYS[0]: StorageDenied("object lock")})

    carried = carry_out(engine, lambda *_: faulty)

    assert (carried.n_gone, carried.n_left, carried.problem) == (1, 1, "object lock")
    assert [item.key for item in removals.objects_to_remove(engine)] == [CANARY_KEYS[0]]
    assert files_of(store) == [BEN_KEY, CANARY_KEYS[0]]
    faulty.faults.clear()
    assert carry_out(engine, lambda *_: faulty).n_left == 0
    assert files_of(store) == [BEN_KEY]


def test_a_store_that_is_away_is_asked_three_times_and_not_for_every_object(engine, store, tmp_path):
    for day in range(10, 30):
        store.put(f"canary-anna/2024-03-{day}.ogg", CANARY_BYTES)
    scan_again(engine, store)
    erasures.begin(engine, Chosen(subject="canary-anna"), scope=ErasureScope.ALL)
    asked = []

    class Away(LocalStore):
        def erase(self, key):
            asked.append(key)
            raise StorageUnavailable("away")

    carried = carry_out(engine, lambda *_: Away(tmp_path / "notes"))

    assert (carried.n_gone, carried.n_left, len(asked)) == (0, 22, 3)


def test_retention_lists_and_does_nothing_until_it_is_told_to(engine, store):
    days = (datetime.now(UTC) - datetime(2025, 1, 1, tzinfo=UTC)) // timedelta(days=1)
    before = dump(engine)

    listed = call(retention_command, "--older-than", f"{days}d")
    assert dump(engine) == before
    done = call(retention_command, "--older-than", f"{days}d", "--yes")
    again = call(retention_command, "--older-than", f"{days}d", "--yes")

    assert "2024-03-01 08:00" in listed
    assert "2026-03-01" not in listed
    assert "To erase: 2 recordings" in listed
    assert "--yes does it" in listed
    assert "2 recordings, 2 results and 2 objects are gone" in done
    assert "No recording is older" in again
    assert "canary" not in listed + done + dump(engine)
    assert files_of(store) == [BEN_KEY]


def test_retention_can_keep_the_results(engine, store):
    said = call(retention_command, "--older-than", "1d", "--keep-results", "--yes")
    again = call(retention_command, "--older-than", "1d", "--keep-results", "--yes")

    assert "Results and identity stay." in said
    assert "No recording is older" in again
    assert files_of(store) == []
    assert count(engine, "results") == 3
    assert history.counts(engine).n_unfinished == 0


@pytest.mark.parametrize("age", ["365", "0d", "-3d", "1y", "d", "99999d"])
def test_an_age_that_is_none_is_refused(home, age):
    result = CliRunner().invoke(retention_command, ["--older-than", age])

    assert result.exit_code == 2
    assert "is no age: give days from 1d" in result.output


def test_nothing_to_carry_out_is_fine(engine):
    carried = carry_out(engine, lambda *_: pytest.fail("no store is needed"))

    assert (carried.n_gone, carried.n_left, carried.problem) == (0, 0, None)
