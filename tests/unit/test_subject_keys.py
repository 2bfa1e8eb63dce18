"""People stored under a key: no name in the database, found by name all the same, and never two people out of one."""

import json
import unicodedata

import pytest
from click.testing import CliRunner
from db_samples import a_model, add_active_model, count, dump, new_sqlite, people_of

from config.settings import Settings, SettingsError
from db import jobs, models, subject_keys
from db.engine import make_engine
from db.errors import SubjectKeyMismatch
from db.reasons import Lane
from scheduler.app import make_app
from scheduler.scan import Naming, scan
from scheduler.service import Service
from storage.protocol import MemoryStore
from storage.pseudonyms import SubjectNaming
from tonalog.commands.batches import reprocess_command
from tonalog.commands.erase import erase_command
from tonalog.commands.read import trends_command
from tonalog.commands.subjects import subjects_command

KEY, OTHER_KEY = "k" * 32, "another-key-of-32-characters-or-more"
KEYED, PLAIN = SubjectNaming(KEY), SubjectNaming()
NAME = "canary-Zoë"


@pytest.fixture
def home(tmp_path, monkeypatch):
    new_sqlite(tmp_path)
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path))
    for name in ("DATABASE_URL", "BROKER_URL", "STORAGE_URL", "SUBJECT_KEY"):
        monkeypatch.delenv(f"TONALOG_{name}", raising=False)
    return tmp_path


@pytest.fixture
def engine(home):
    engine = make_engine(f"sqlite:///{home / 'tonalog.db'}")
    add_active_model(engine)
    return engine


@pytest.fixture
def store():
    """Two notes of one person whose name was typed on two systems, and one of somebody else; no name in a key."""
    store = MemoryStore("notes")
    for key, name in (("1.ogg", NAME), ("2.ogg", unicodedata.normalize("NFD", NAME)), ("3.ogg", "canary-ben")):
        store.put(key, key.encode(), metadata={"subject-id": name})
    return store


def scan_with(engine, store, subjects):
    seen = scan(engine, store, prefix="", naming=Naming("{subject}/{recorded_at}...", "UTC", subjects))
    jobs.create_jobs(engine, models.active_model(engine).id, lane=Lane.NIGHTLY)
    return seen


def call(command, *arguments):
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_database_under_a_key_holds_no_name_and_counts_each_person_once(engine, store, home):
    scan_with(engine, store, KEYED)

    assert people_of(engine) == {KEYED.store(NAME): 2, KEYED.store("canary-ben"): 1}
    assert "canary" not in dump(engine)
    assert not [path.name for path in home.glob("tonalog.db*") if b"canary" in path.read_bytes()]


@pytest.mark.parametrize("asked", [NAME, unicodedata.normalize("NFD", NAME), KEYED.store(NAME)])
def test_a_person_is_found_by_name_or_by_pseudonym(engine, store, monkeypatch, asked):
    scan_with(engine, store, KEYED)
    monkeypatch.setenv("TONALOG_SUBJECT_KEY", KEY)
    models.add_model(engine, a_model("2.0"))

    assert [note["key"] for note in json.loads(call(trends_command, asked, "--json"))] == ["1.ogg", "2.ogg"]
    assert "2 jobs would be made" in call(reprocess_command, "--model", "2.0", "--dry-run", "--subject", asked)
    assert "2 recordings" in call(erase_command, "--dry-run", "--subject", asked)


def test_an_uploader_cannot_pass_for_somebody_by_their_pseudonym(engine, store):
    store.put("4.ogg", b"4", metadata={"subject-id": KEYED.store(NAME)})

    scan_with(engine, store, KEYED)

    assert people_of(engine)[KEYED.store(NAME)] == 2
    assert len(people_of(engine)) == 3


@pytest.mark.parametrize(
    ("first", "then", "remedy"),
    [
        (KEYED, SubjectNaming(OTHER_KEY), "to the key it began with"),
        (KEYED, PLAIN, "set TONALOG_SUBJECT_KEY"),
        (PLAIN, KEYED, "tonalog subjects rehash"),
    ],
)
def test_a_person_never_becomes_two_by_another_key(engine, store, monkeypatch, *, first, then, remedy):
    scan_with(engine, store, first)
    store.put("4.ogg", b"4", metadata={"subject-id": NAME})
    if then.key is not None:
        monkeypatch.setenv("TONALOG_SUBJECT_KEY", then.key)

    with pytest.raises(SubjectKeyMismatch, match=remedy):
        scan_with(engine, store, then)
    for command in ([trends_command, NAME], [erase_command, "--subject", NAME]):
        with pytest.raises(SubjectKeyMismatch, match=remedy):
            call(*command)

    assert count(engine, "recordings") == 3


def test_a_scheduler_of_another_key_says_so_before_it_lists_anything(engine, store, tmp_path):
    scan_with(engine, store, KEYED)
    (tmp_path / "notes").mkdir()
    settings = Settings.read(home=tmp_path, subject_key=OTHER_KEY)

    with pytest.raises(SubjectKeyMismatch, match="to the key it began with"):
        Service(settings, make_app(settings)).scan_and_queue(str(tmp_path / "notes"))


def test_names_that_are_there_are_rehashed_once_and_stay_the_same_people(engine, store, home, monkeypatch):
    scan_with(engine, store, PLAIN)
    before = sorted(people_of(engine).values())
    monkeypatch.setenv("TONALOG_SUBJECT_KEY", KEY)

    assert "2 people" in call(subjects_command, "rehash")
    assert "0 people" in call(subjects_command, "rehash")

    store.put("4.ogg", b"4", metadata={"subject-id": NAME})
    scan_with(engine, store, KEYED)
    assert before == [1, 2]
    assert people_of(engine) == {KEYED.store(NAME): 3, KEYED.store("canary-ben"): 1}
    assert "canary" not in dump(engine)
    # Neither in pages that a row has left behind.
    assert not [path.name for path in home.glob("tonalog.db*") if b"canary" in path.read_bytes()]


def test_rehashing_under_another_key_is_refused(engine, store):
    scan_with(engine, store, KEYED)
    other = SubjectNaming(OTHER_KEY)

    with pytest.raises(SubjectKeyMismatch, match="to the key it began with"):
        subject_keys.rehash(engine, other.fingerprint, store=other.store)


def test_nothing_that_is_stored_or_shown_gives_the_key_away(engine, store):
    scan_with(engine, store, KEYED)

    assert KEY not in dump(engine)
    assert KEY not in repr(KEYED) + repr(Settings.read(subject_key=KEY))


def test_a_key_that_can_be_guessed_is_refused_and_an_empty_one_is_none():
    with pytest.raises(SettingsError, match=r"TONALOG_SUBJECT_KEY.*has 6 characters, 32 are needed") as caught:
        Settings.read(subject_key="canary")

    assert "canary" not in str(caught.value)
    assert Settings.read(subject_key="").subject_key is None
