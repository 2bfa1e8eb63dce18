"""`tonalog compare`: what it prints, and the exit status that a pipeline reads."""

import json

import pytest
from click.testing import CliRunner
from compare_samples import SAD, add_notes, add_versions, fill_two, score
from db_samples import new_sqlite

from tonalog.commands.compare import compare_command


@pytest.fixture
def settle(monkeypatch):
    """Makes a folder the home of this test."""

    def settle(home):
        monkeypatch.setenv("TONALOG_HOME", str(home))
        for name in ("DATABASE_URL", "BROKER_URL", "STORAGE_URL", "SUBJECT_KEY", "TENANT"):
            monkeypatch.delenv(f"TONALOG_{name}", raising=False)

    return settle


@pytest.fixture
def engine(tmp_path, settle):
    settle(tmp_path)
    return new_sqlite(tmp_path)


@pytest.fixture(scope="module")
def filled_home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    fill_two(new_sqlite(home))
    return home


@pytest.fixture
def filled(filled_home, settle):
    """Two versions of five notes; tests only read it."""
    settle(filled_home)


def call(*arguments):
    return CliRunner().invoke(compare_command, list(map(str, arguments)))


@pytest.mark.usefixtures("filled")
def test_the_tables_tell_agreement_confusion_shifts_persons_and_cost():
    done = call("whisper3-1.0", "1.1")

    assert done.exit_code == 0
    for words in (
        "whisper3-1.0 and whisper3-1.1",
        "1 of 5",
        "0.200",
        "Cohen's kappa",
        "+0.500",
        "only whisper3-1.0",
        "360.0",
    ):
        assert words in done.stdout, words
    assert "ana" not in done.stdout


@pytest.mark.usefixtures("filled")
def test_json_holds_the_same_and_names_nobody_unless_asked():
    found = json.loads(call("1.0", "1.1", "--json").stdout)

    assert found["coverage"] == {"n_both": 5, "n_only_a": 1, "n_only_b": 0, "share": 5 / 6}
    assert found["agreement"]["outcomes"]["share"] == 0.2
    assert found["agreement"]["labels"] | {"low": 0, "high": 1} == {
        "n": 4,
        "n_agree": 1,
        "share": 0.25,
        "low": 0,
        "high": 1,
    }
    assert found["speech"] == {"n_both": 4, "n_only_a": 1, "n_only_b": 0, "n_neither": 0}
    assert found["cost"]["b"]["wall_s_per_audio_hour"] > found["cost"]["a"]["wall_s_per_audio_hour"]
    assert found["persons"]["movers"] == []
    assert found["limits"] == []


def test_who_moves_most_is_named_when_asked(engine):
    a, b = add_versions(engine)
    notes = add_notes(engine, "ana", 5)
    for model in (a, b):
        score(engine, model, dict.fromkeys(notes, SAD))

    assert "ana" in call("1.0", "1.1", "--people", 3).stdout
    assert json.loads(call("1.0", "1.1", "--people", 3, "--json").stdout)["persons"]["movers"][0]["subject"] == "ana"


@pytest.mark.parametrize(
    ("given", "status", "told"),
    [
        (("--max-disagree", 0.8), 0, ""),
        (("--max-disagree", 0.1), 1, "disagree on 0.8000 of the recordings; --max-disagree allows 0.1"),
        (("--max-shift", 0.1), 1, "the mean score of anger moves by 0.3750; --max-shift allows 0.1"),
        (
            ("--min-coverage", 0.9),
            1,
            "whisper3-1.1 covers 0.8333 of the recordings of whisper3-1.0; --min-coverage allows",
        ),
        (("--min-coverage", 0.8, "--max-shift", 0.1), 1, "--max-shift"),
        (("--max-disagree", 0.1, "--since", "2030-01-01"), 2, "nothing to hold --max-disagree against"),
        (("--max-disagree", 2), 2, "0<=x<=1"),
        (("--since", "2026-02-02", "--until", "2026-02-01"), 2, "No day is from"),
    ],
)
@pytest.mark.usefixtures("filled")
def test_the_exit_status_tells_a_bad_model_from_trouble(given, status, told):
    done = call("1.0", "1.1", *given)

    assert done.exit_code == status, done.output
    assert told in done.stderr
    if not status:
        assert done.stderr == ""


@pytest.mark.parametrize(
    ("b", "told"), [("9.9", "there is no model 9.9"), ("1.0", "are the same version, whisper3-1.0")]
)
def test_versions_that_cannot_be_compared_are_trouble(engine, b, told):
    add_versions(engine)

    done = call("1.0", b)

    assert (done.exit_code, done.stdout) == (2, "")
    assert told in done.stderr


def test_a_database_that_is_not_there_is_trouble_and_no_bad_model(monkeypatch):
    monkeypatch.setenv("TONALOG_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")

    assert call("1.0", "1.1", "--max-disagree", 1).exit_code == 2


def test_versions_without_a_recording_in_common_say_what_to_do(engine):
    add_versions(engine)

    done = call("1.0", "1.1")

    assert done.exit_code == 0
    assert "`tonalog reprocess --model 1.1`" in done.stdout
    assert "Recordings by label" not in done.stdout


@pytest.mark.usefixtures("filled")
def test_the_page_is_written_beside_json(tmp_path):
    page = tmp_path / "compare.html"

    done = call("1.0", "1.1", "--json", "--html", page, "--tenant", "clinic", "--max-shift", 0.5)

    assert json.loads(done.stdout)["coverage"]["n_both"] == 2
    assert f"Wrote {page}" in done.stderr
    assert "tenant clinic" in page.read_text()
    assert call("1.0", "1.1", "--html", tmp_path / "no" / "page.html").exit_code == 2
