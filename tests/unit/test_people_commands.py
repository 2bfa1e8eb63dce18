"""`tonalog subjects` and every command that is asked for a person: the right one, of the right tenant, and nobody else."""

import json
import unicodedata

import pytest
from click.testing import CliRunner
from db_samples import a_recording, add_active_model, dump, new_sqlite, people_of

from config.settings import Settings
from db import recordings, trends
from db.errors import NameConflict, RowNotFound
from storage.pseudonyms import SubjectNaming
from tonalog.commands.batches import reprocess_command
from tonalog.commands.erase import erase_command
from tonalog.commands.read import trends_command
from tonalog.commands.subjects import subjects_command
from tonalog.errors import TonalogError
from tonalog.session import choose_tenant

KEY = "k" * 32
NAMING = SubjectNaming(KEY)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path))
    for name in ("DATABASE_URL", "BROKER_URL", "STORAGE_URL", "SUBJECT_KEY", "TENANT"):
        monkeypatch.delenv(f"TONALOG_{name}", raising=False)
    return tmp_path


@pytest.fixture
def engine(home):
    """Ana with two notes in the default tenant and one in the clinic's, ben in the default, zoe in the clinic's."""
    engine = new_sqlite(home)
    add_active_model(engine)
    people = [("ana", "default"), ("ana", "default"), ("ana", "clinic"), ("ben", "default"), ("zoe", "clinic")]
    recordings.register(engine, [a_recording(f"{n}.ogg", subject=s, tenant=t) for n, (s, t) in enumerate(people)])
    return engine


@pytest.fixture
def keyed(home, monkeypatch):
    """Ana and ben under a key."""
    engine = new_sqlite(home)
    add_active_model(engine)
    monkeypatch.setenv("TONALOG_SUBJECT_KEY", KEY)
    found = [a_recording(f"{name}.ogg", subject=NAMING.store(name)) for name in ("ana", "ben")]
    recordings.register(engine, found, subject_key=NAMING.fingerprint)
    return engine


def call(command, *arguments):
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def words_of(text):
    return set(text.replace("'", " ").replace(".", " ").split())


def test_people_are_listed_for_people_and_for_scripts(engine):
    listed = json.loads(call(subjects_command, "list", "--json"))

    assert [(one["tenant"], one["subject"], one["n_notes"]) for one in listed] == [
        ("clinic", "ana", 1),
        ("clinic", "zoe", 1),
        ("default", "ana", 2),
        ("default", "ben", 1),
    ]
    assert {one["first_day"] for one in listed} == {None}
    of_clinic = call(subjects_command, "list", "--tenant", "clinic")
    assert "zoe" in of_clinic
    assert "ben" not in of_clinic


def test_a_person_is_renamed_and_found_under_both_names(engine):
    assert call(subjects_command, "rename", "ana", "anna", "--dry-run") == "2 recordings would have the new name.\n"
    assert call(subjects_command, "rename", "ana", " anna ") == "2 recordings have the new name.\n"

    for name in ("ana", "anna"):
        assert len(json.loads(call(trends_command, name, "--json"))) == 2
        assert "2 recordings" in call(erase_command, "--subject", name, "--tenant", "default", "--dry-run")
        assert "2 jobs would be made" in call(
            reprocess_command, "--model", "1.0", "--subject", name, "--tenant", "default", "--dry-run"
        )
    assert len(json.loads(call(trends_command, "ana", "--tenant", "clinic", "--json"))) == 1


def test_people_are_merged(engine):
    assert (
        call(subjects_command, "merge", "ana", "--into", "ben", "--dry-run")
        == "2 recordings would be that person's now.\n"
    )
    assert call(subjects_command, "merge", "ana", "--into", "ben") == "2 recordings are that person's now.\n"

    assert [note["key"] for note in json.loads(call(trends_command, "ana", "--json"))] == ["0.ogg", "1.ogg", "3.ogg"]


@pytest.mark.parametrize(("old", "new", "error"), [("nobody", "x", RowNotFound), ("ana", "ben", NameConflict)])
def test_a_rename_that_is_refused_names_nobody_else(engine, old, new, error):
    before = dump(engine)

    with pytest.raises(error) as caught:
        call(subjects_command, "rename", old, new)

    assert dump(engine) == before
    assert not words_of(str(caught.value)) & {"ana", "ben", "zoe"}


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201])
def test_a_name_that_storage_could_not_give_is_refused(engine, name):
    with pytest.raises(TonalogError, match="cannot be a name: allowed are 1 to 200 characters"):
        call(subjects_command, "rename", "ana", name)


def test_names_are_normalised_before_they_are_compared(engine):
    call(subjects_command, "rename", "ana", unicodedata.normalize("NFD", "Zoë"))

    assert people_of(engine)["Zoë"] == 2
    with pytest.raises(NameConflict):
        call(subjects_command, "rename", "ben", "Zoë")


def test_under_a_key_people_are_renamed_by_name_or_pseudonym_and_no_name_is_stored(keyed):
    call(subjects_command, "rename", NAMING.store("ana"), "anna-lena")
    call(subjects_command, "merge", "ben", "--into", "ana")

    assert people_of(keyed) == {NAMING.store("anna-lena"): 2}
    assert "anna" not in dump(keyed)
    late = a_recording("late.ogg", subject=NAMING.store("ben"))
    recordings.register(keyed, [late], subject_key=NAMING.fingerprint)
    assert len(json.loads(call(trends_command, "anna-lena", "--json"))) == 3


def test_an_unknown_person_is_answered_without_the_name_of_anybody_else(engine):
    with pytest.raises(TonalogError) as trend:
        call(trends_command, "nobody")
    with pytest.raises(TonalogError) as erased:
        call(erase_command, "--subject", "nobody")
    reprocessed = call(reprocess_command, "--model", "1.0", "--subject", "nobody", "--dry-run")

    for said in (str(trend.value), str(erased.value), reprocessed):
        assert not words_of(said) & {"ana", "ben", "zoe", "clinic"}
        assert "tonalog subjects list" in said
    assert "0 jobs would be made" in reprocessed


def test_somebody_of_another_tenant_is_not_shown_but_counted(engine):
    with pytest.raises(TonalogError, match="No recordings of 'zoe' in tenant 'default'; 1 other tenant") as caught:
        call(trends_command, "zoe")

    assert "clinic" not in str(caught.value)
    assert len(json.loads(call(trends_command, "zoe", "--tenant", "clinic", "--json"))) == 1


@pytest.mark.parametrize("subject", ["ana", "zoe"])
def test_an_erasure_asks_whose_person_where_more_than_one_may_be_meant(engine, subject):
    before = dump(engine)

    for dry_run in ([], ["--dry-run"]):
        with pytest.raises(TonalogError, match="1 other tenant has somebody of this name: say with --tenant"):
            call(erase_command, "--subject", subject, *dry_run)

    assert dump(engine) == before


def test_an_erasure_takes_the_person_of_the_tenant_that_was_given_and_nobody_else(engine):
    said = call(erase_command, "--subject", "ana", "--tenant", "default", "--dry-run")
    assert "1 other tenant has somebody of this name too" in said

    with pytest.raises(TonalogError, match="objects could not be removed yet"):  # there is no such folder
        call(erase_command, "--subject", "ana", "--tenant", "clinic")

    assert [note.key for note in trends.subject_trend(engine, "ana")] == ["0.ogg", "1.ogg"]
    assert trends.subject_trend(engine, "ana", tenant="clinic") == []
    assert "2 recordings" in call(erase_command, "--subject", "ana", "--dry-run")  # now nobody else can be meant


def test_a_tenant_alone_erases_nobody(engine):
    result = CliRunner().invoke(erase_command, ["--recording", "1", "--tenant", "clinic"])

    assert (result.exit_code, "--tenant goes with --subject" in result.output) == (2, True)


def test_jobs_are_made_for_one_tenant(engine):
    said = call(reprocess_command, "--model", "1.0", "--tenant", "clinic", "--dry-run")

    assert "2 jobs would be made" in said


def test_the_tenant_of_the_settings_counts_where_none_is_given():
    class WithTenant:
        tenant = "clinic"

    assert choose_tenant(WithTenant(), None) == "clinic"
    assert choose_tenant(WithTenant(), "other") == "other"
    assert choose_tenant(Settings.read(), "other") == "other"
    assert choose_tenant(Settings.read(), None) == "default"
