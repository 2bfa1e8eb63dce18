"""The main job on the embedded default: a folder of real voice notes becomes scored rows in SQL."""

import json
import sqlite3
import tomllib

import pytest
from command import NOTES, ROOT

NOTES_AND_KEYS = "SELECT n.*, r.key FROM v1_note n JOIN recordings r ON r.id = n.recording_id"
EMOTIONS = ("anger", "happiness", "neutral", "sadness")


def expected_states():
    listed = tomllib.loads((ROOT / "examples" / "notes.toml").read_text())["note"]
    return {note["key"]: note["expect"] for note in listed}


@pytest.fixture(scope="module")
def rows(embedded):
    with sqlite3.connect(embedded.folder / "home" / "tonalog.db") as database:
        database.row_factory = sqlite3.Row
        return {row["key"]: row for row in database.execute(NOTES_AND_KEYS)}


def test_every_example_note_ends_in_the_state_that_its_list_promises(rows):
    found = {key: row["status"] + (f":{row['reason']}" if row["reason"] else "") for key, row in rows.items()}

    assert found == expected_states()


def test_scores_are_probabilities_and_the_label_is_the_highest(rows):
    scored = [row for row in rows.values() if row["status"] == "scored"]

    assert len(scored) >= 12
    for row in scored:
        scores = {name: row[name] for name in EMOTIONS}
        assert sum(scores.values()) == pytest.approx(1.0, abs=1e-6)
        assert row["label"] == max(scores, key=scores.get)
        assert json.loads(row["scores"]) == pytest.approx(scores)
        assert row["confidence"] == pytest.approx(max(scores.values()))


def test_people_and_times_come_from_the_key_and_a_bare_date_stays_a_date(rows, embedded):
    assert rows["ana/2026-03-02T08-15-00Z.ogg"]["subject"] == "ana"
    assert rows["ana/2026-03-02T08-15-00Z.ogg"]["recorded_at"].startswith("2026-03-02 08:15:00")
    assert rows["vera/2026-03-06.mp3"]["recorded_at_precision"] == "day"


def test_segments_lie_inside_their_note_in_order_and_cover_its_speech(embedded):
    with sqlite3.connect(embedded.folder / "home" / "tonalog.db") as database:
        notes = database.execute("SELECT recording_id, duration_ms, speech_ms FROM results").fetchall()
        for recording_id, duration_ms, speech_ms in notes:
            spans = database.execute(
                "SELECT start_ms, end_ms, speech_ms FROM segments WHERE recording_id = ? ORDER BY idx", (recording_id,)
            ).fetchall()
            assert all(0 <= start < end <= duration_ms for start, end, _ in spans)
            assert spans == sorted(spans)
            assert sum(speech for *_, speech in spans) >= speech_ms


def test_the_report_shows_each_note_and_where_the_database_is(embedded):
    assert "19 recordings found, 19 new; 19 new jobs." in embedded.printed
    assert str(embedded.folder / "home" / "tonalog.db") in embedded.printed
    assert all(key in embedded.printed for key in expected_states())


def test_nobody_who_runs_is_told_of_the_queue_behind_it(cli, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "empty.wav").touch()

    done = cli.ask("run", tmp_path / "notes", "--home", tmp_path / "home")

    assert "1 failed" in done.stdout
    assert done.stderr == ""


def test_running_again_on_the_same_notes_makes_no_job_and_says_so(embedded):
    printed = embedded("run", NOTES)

    assert "19 recordings found, 0 new; 0 new jobs." in printed


def test_what_is_left_out_of_a_folder_is_counted_for_the_person_who_runs(cli, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "link.wav").symlink_to(NOTES / "vera" / "2026-03-06.mp3")
    (tmp_path / "notes" / ".hidden.wav").write_bytes(b"x")

    done = cli.ask("run", tmp_path / "notes")

    assert "No recordings in" in done.stdout
    assert done.stderr == "tonalog: files left out of the listing n_not_regular=1\n"


def test_status_counts_jobs_and_names_the_dead_with_their_reasons(embedded):
    status = json.loads(embedded("status", "--json"))
    dead = {job["key"]: job["reason"] for job in status["dead"]}

    assert status["jobs"]["pending"] == status["jobs"]["queued"] == status["jobs"]["running"] == 0
    assert status["jobs"]["done"] + status["jobs"]["dead"] == len(expected_states())
    assert dead == {
        key: state.removeprefix("failed:") for key, state in expected_states().items() if state.startswith("failed")
    }
    assert "NOT_AUDIO" in embedded("status")


def test_trends_list_a_persons_notes_in_order_of_recording(embedded):
    notes = json.loads(embedded("trends", "ana", "--json"))

    assert [note["recorded_at"] for note in notes] == sorted(note["recorded_at"] for note in notes)
    assert len(notes) == 4
    assert "sadness" in embedded("trends", "ana")


def test_trends_of_an_unknown_person_name_nobody_else_and_say_where_to_look(embedded):
    said = embedded("trends", "nobody", code=1)

    assert "tonalog subjects list" in said
    assert [name for name in ("ana", "chloe") if name in said.split()] == []


def test_show_tells_one_recording_with_segments_and_attempts(embedded):
    printed = embedded("show", "ana/2026-03-03T21-05-33Z.ogg")

    assert "Segments" in printed
    assert "DONE" in printed
    assert "No recording" in embedded("show", "nowhere.ogg", code=1)


def test_the_longest_note_has_a_trend_over_its_windows(embedded):
    with sqlite3.connect(embedded.folder / "home" / "tonalog.db") as database:
        (trend, n_windows) = database.execute(
            "SELECT trend, n_windows FROM results r JOIN recordings c ON c.id = r.recording_id WHERE c.key LIKE 'ana/2026-03-03%'"
        ).fetchone()

    assert n_windows >= 10  # fewer have no slope
    assert set(json.loads(trend)) >= set(EMOTIONS)
    assert set(json.loads(trend)["sadness"]) == {
        "slope_per_min",
        "slope_error",
        "start_mean",
        "end_mean",
        "volatility",
        "level",
        "spread",
        "n_effective",
    }


def test_retry_sends_dead_jobs_back_and_the_next_run_ends_them_again(embedded):
    assert "1 jobs wait again" in embedded("retry", "--reason", "NOT_AUDIO")
    embedded("run", NOTES)

    status = json.loads(embedded("status", "--json"))
    attempts = {job["reason"]: job["attempts"] for job in status["dead"]}
    assert attempts["NOT_AUDIO"] == 2


def test_doctor_finds_the_embedded_installation_well(embedded):
    printed = embedded("doctor")

    assert printed.count("ok  ") == 7
    assert "ok    system: live workers: 0; nothing waits for too long" in printed
    assert embedded("doctor", "--quiet") == ""
