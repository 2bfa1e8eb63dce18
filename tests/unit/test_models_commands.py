"""`tonalog models` as an operator types it: add, show, switch and back, retire, remove; and trends of a version."""

import json

import pytest
from click.testing import CliRunner
from db_samples import MONDAY, a_recording, new_sqlite, score_all

from config.settings import Settings
from db import jobs, models, recordings
from db.errors import ModelConflict, ModelIncomplete, ModelInUse, RowNotFound
from db.reasons import Lane
from people import refresh
from tests.unit.bundles import write_bundle
from tonalog.commands.models import models_command
from tonalog.commands.read import trends_command
from tonalog.session import register_bundle, store_bundle
from worker.bundle_store import BundleStore


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path))
    for name in ("DATABASE_URL", "BROKER_URL", "STORAGE_URL", "SUBJECT_KEY", "TENANT", "BUNDLES"):
        monkeypatch.delenv(f"TONALOG_{name}", raising=False)
    return tmp_path


@pytest.fixture
def engine(home):
    """Anna's three notes, scored by tiny-0.0.1, which is active; tiny-0.0.2 was added and has scored nothing."""
    engine = new_sqlite(home)
    for n in (1, 2):
        folder = write_bundle(home / f"tiny-{n}", version=f"0.0.{n}")
        store_bundle(Settings.read(), register_bundle(engine, folder), folder)
    call(models_command, "activate", "0.0.1")
    recordings.register(engine, [a_recording(f"{n}.wav", subject="anna", recorded_at=MONDAY) for n in range(3)])
    score(engine, 1)
    return engine


def call(command, *arguments):
    """Run a command to its end; whatever is between the words of its output is one blank."""
    result = CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def score(engine, model_id):
    jobs.create_jobs(engine, model_id, lane=Lane.BULK)
    score_all(engine)
    refresh(engine)


def test_adding_says_where_the_bundle_is_stored_and_a_changed_one_of_that_version_is_refused(engine, home):
    assert f"Stored in {home / '.bundles'}" in call(models_command, "add", home / "tiny-1")

    with pytest.raises(ModelConflict, match=r"another manifest.json \(uncertain_below differ\)"):
        call(models_command, "add", write_bundle(home / "changed", version="0.0.1", uncertain_below=0.1))

    assert len(list((home / ".bundles").iterdir())) == 2


def test_activate_prints_what_is_missing_and_what_is_covered(engine):
    with pytest.raises(ModelIncomplete, match=r"covers 0 of 3 recordings .*`tonalog reprocess --model 0.0.2`"):
        call(models_command, "activate", "0.0.2")
    score(engine, 2)

    assert "Of what tiny-0.0.1 has results for, it covers 3 of 3 recordings (100 %)." in call(
        models_command, "activate", "0.0.2"
    )
    assert "tiny-0.0.1 is active." in call(models_command, "rollback")
    assert "tiny-0.0.2 is active." in call(models_command, "activate", "0.0.2", "--min-coverage", "0.5")


def test_activate_says_where_a_place_for_bundles_is_named_and_lacks_this_one(engine, home, monkeypatch):
    score(engine, 2)
    (home / "shared").mkdir()
    monkeypatch.setenv("TONALOG_BUNDLES", str(home / "shared"))
    assert f"not known to be stored (not in {home / 'shared'})" in call(models_command, "activate", "0.0.2")

    store_bundle(Settings.read(), models.resolve(engine, "0.0.1"), home / "tiny-1")
    assert "not known to be stored" not in call(models_command, "rollback")


@pytest.mark.parametrize("wrong", ["1.1", "-0.1", "all"])
def test_a_coverage_that_is_no_share_is_refused(engine, wrong):
    result = CliRunner().invoke(models_command, ["activate", "0.0.2", "--min-coverage", wrong])

    assert (result.exit_code, wrong in result.output) == (2, True)


def test_show_says_all_there_is_of_a_version(engine):
    shown = call(models_command, "show", "0.0.2")

    for words in ("candidate", "anger happiness neutral sadness", "0 of 3 recordings (0 %)", ".bundles"):
        assert words in shown
    assert "Switches" in call(models_command, "show", "0.0.1")


def test_a_version_is_retired_and_removed_with_its_files_and_without_its_results(engine, home):
    score(engine, 2)
    call(models_command, "activate", "0.0.2")
    call(models_command, "retire", "0.0.1")
    assert "retired" in call(models_command, "list")

    assert "3 files of tiny-0.0.1 removed" in call(models_command, "remove", "0.0.1")

    model = models.resolve(engine, "0.0.1")
    assert not BundleStore.of(Settings.read()).has(model.bundle_sha256)
    assert "removed" in call(models_command, "show", "0.0.1")
    assert {note["model"]["version"] for note in json.loads(call_json("anna", "--model", "0.0.1"))} == {"0.0.1"}
    assert "0 files of" in call(models_command, "remove", "0.0.1")


def test_a_version_that_was_never_used_is_gone_after_its_removal_and_the_active_one_stays(engine):
    assert "not registered any more" in call(models_command, "remove", "0.0.2")
    with pytest.raises(RowNotFound):
        call(models_command, "show", "0.0.2")
    with pytest.raises(ModelInUse, match="is active and cannot be removed"):
        call(models_command, "remove", "0.0.1")


def call_json(*arguments):
    return CliRunner().invoke(trends_command, [*arguments, "--json"], catch_exceptions=False).output


def test_trends_are_of_one_version_the_active_one_or_that_which_is_asked_for(engine):
    notes = json.loads(call_json("anna"))
    pending = json.loads(call_json("anna", "--model", "0.0.2"))
    same = json.loads(call_json("anna", "--model", "tiny-0.0.1"))

    assert same == notes
    assert [note["status"] for note in notes] == ["scored"] * 3
    assert [note["status"] for note in pending] == ["pending"] * 3
    with pytest.raises(RowNotFound, match=r"no model 0.0.9"):
        call_json("anna", "--model", "0.0.9")


def test_a_canary_is_started_shown_and_stopped_by_hand(engine):
    assert "There is no canary." in call(models_command, "canary")
    started = call(models_command, "canary", "0.0.2", "--share", "100%")
    assert "100 % of all people, whose recordings are still to be scored; 1 people with a name, 3 jobs made" in started
    assert "covers 0 of 3 recordings" in started
    score_all(engine)
    refresh(engine)

    assert "100 % of all people, and readers get it" in call(models_command, "canary", "0.0.2", "--share", "100")
    assert "candidate, canary" in call(models_command, "list")
    assert {note["model"]["version"] for note in json.loads(call_json("anna"))} == {"0.0.2"}
    assert "not tiny-0.0.2" in call(models_command, "canary", "--stop")
    assert {note["model"]["version"] for note in json.loads(call_json("anna"))} == {"0.0.1"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["0.0.2"],
        ["0.0.2", "--share", "5%", "--tenant", "clinic"],
        ["--share", "5%"],
        ["--stop", "0.0.2"],
        *(["0.0.2", "--share", share] for share in ("0", "0%", "101%", "-1", "half", "5%%", "nan")),
    ],
)
def test_a_canary_that_nobody_could_mean_is_refused(home, arguments):
    new_sqlite(home)

    result = CliRunner().invoke(models_command, ["canary", *arguments])

    assert result.exit_code == 2, result.output
