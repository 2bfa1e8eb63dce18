"""`tonalog report`: what it writes, and how it refuses."""

import json
import sys
from datetime import timedelta

import numpy as np
import pytest
from click.testing import CliRunner
from db_samples import a_model, a_recording, a_result, new_sqlite, silence, take
from kept_person import keep
from people_samples import FIRST, add_model, add_notes, draw_scores
from sqlalchemy import update

import pictures
from config.settings import SHIPPED_MODELS
from db import jobs, ledger, models, recordings
from db.people_schema import subject_trends
from db.reasons import Lane
from people import refresh
from pictures.collect_person import SHOWN_DAYS, collect_person
from pictures.pages import render_person
from pictures.person_words import UNREAD, list_states
from storage.open import open_store
from tests.unit.persons import LABELS, a_person
from tests.unit.recordings import encode_native
from tests.unit.sounds import make_silence, make_voice
from tonalog.commands.report import report_command
from tonalog.errors import TonalogError

MANIFEST = json.loads((max(SHIPPED_MODELS.glob("*/manifest.json"))).read_text())


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path))
    for name in ("DATABASE_URL", "BROKER_URL", "STORAGE_URL", "SUBJECT_KEY", "TENANT"):
        monkeypatch.delenv(f"TONALOG_{name}", raising=False)
    return tmp_path


@pytest.fixture
def engine(home):
    engine = new_sqlite(home)
    model = models.add_model(engine, a_model(manifest=MANIFEST))
    models.activate(engine, model.id)
    return engine


def call(*arguments):
    return CliRunner().invoke(report_command, list(map(str, arguments)), catch_exceptions=False)


def write(engine, folder, files):
    """Real files in a folder, registered and given to the model; recording ids in the order of names."""
    notes = folder / "notes"
    notes.mkdir()
    for name, content in files.items():
        (notes / name).write_bytes(content)
    store, _ = open_store(notes)
    found = [
        a_recording(
            item.key,
            item.version_tag,
            store=store.name,
            bucket=store.bucket,
            size_bytes=item.size_bytes,
            subject="ana",
        )
        for page in store.list_objects()
        for item in page
    ]
    recordings.register(engine, found)
    jobs.create_jobs(engine, models.active_model(engine).id, lane=Lane.NIGHTLY)
    return notes


def wav(*signals):
    return encode_native("WAV", "PCM_16", np.concatenate(signals))


def test_a_kept_person_comes_back_as_it_was_judged(engine):
    page = a_person()
    keep(engine, page, model_id=models.active_model(engine).id)

    found = collect_person(engine, "default", "ana")

    assert [measure.name for measure in found.measures] == list(LABELS)
    assert [measure.trend for measure in found.measures] == [measure.trend for measure in page.measures]
    assert [(day.day, day.level, day.error, day.n_scored) for day in found.measures[3].days] == [
        (day.day, day.level, day.error, day.n_scored) for day in page.measures[3].days
    ]
    assert found.mix.scores == pytest.approx(page.mix.scores)
    assert found.mix.relative == pytest.approx(page.mix.relative)
    assert found.own.needed_notes == 5
    assert collect_person(engine, "clinic", "ana") is None


def test_a_trend_that_cannot_be_read_is_said_and_the_rest_is_shown(engine):
    model_id = models.active_model(engine).id
    keep(engine, a_person(), model_id=model_id)
    with engine.begin() as connection:
        of_sadness = update(subject_trends).where(subject_trends.c.measure == "sadness")
        connection.execute(of_sadness.values(trend={"of": "another release"}))

    found = collect_person(engine, "default", "ana")

    assert [measure.name for measure in found.measures] == ["anger", "happiness", "neutral"]
    assert ("Sadness", UNREAD, "unread") in list_states(found.measures, found.settings, unread=found.unread)
    assert len(found.days) == 130
    with engine.begin() as connection:
        connection.execute(update(subject_trends).values(trend={}))
    assert "Notes of each day" in render_person(collect_person(engine, "default", "ana"))


def test_of_years_the_last_one_is_shown_and_the_trend_is_that_of_all(engine):
    page = a_person(n_days=500)
    keep(engine, page, model_id=models.active_model(engine).id)

    found = collect_person(engine, "default", "ana")

    assert (found.as_of - found.days[0].day).days == SHOWN_DAYS - 1
    assert found.measures[3].trend == page.measures[3].trend
    assert "standard deviations of single days" in render_person(found)


def test_a_report_of_a_person_is_one_file_that_leads_with_what_is_unusual(engine, home):
    keep(engine, a_person(), model_id=models.active_model(engine).id)
    recordings.register(engine, [a_recording("a.ogg", subject="ana")])

    done = call("--subject", "ana", "--out", home / "ana.html")

    assert f"Wrote {home / 'ana.html'}" in done.output
    html = (home / "ana.html").read_text()
    assert "relative to this person mostly sadness (.44)" in html
    assert "More than usual, since about" in html


def test_a_report_of_a_note_shows_its_waveform_and_plays_only_when_told(engine, home):
    voice = make_voice(9.0)
    write(engine, home, {"a.wav": wav(voice, make_silence(2.0), make_voice(5.0, seed=1))})
    ledger.finish(engine, take(engine, 1), a_result())

    call("--note", "a.wav", "--out", home / "note.html")
    quiet = (home / "note.html").read_text()
    call("--note", "1", "--with-audio", "--out", home / "note.html")
    loud = (home / "note.html").read_text()

    assert 'class="wave"' in quiet
    assert quiet.count('class="speech"') == 2 * 2 + 1, "two stretches in two widths, and the key"
    assert "<audio" not in quiet
    assert 'src="data:audio/wav;base64,UklGR' in loud


def test_a_note_that_cannot_be_decoded_has_a_page_that_says_why(engine, home):
    write(engine, home, {"a.wav": b"<!DOCTYPE html>"})
    ledger.finish(engine, take(engine, 1), silence())

    call("--note", "1", "--out", home / "note.html")

    assert "The recording cannot be decoded: NOT_AUDIO" in (home / "note.html").read_text()


def test_a_recording_that_is_gone_has_a_page_without_a_waveform(engine, home):
    notes = write(engine, home, {"a.wav": wav(make_voice(3.0))})
    (notes / "a.wav").unlink()
    ledger.finish(engine, take(engine, 1), a_result())

    call("--note", "1", "--with-audio", "--out", home / "note.html")

    html = (home / "note.html").read_text()
    assert "The recording cannot be read" in html
    assert 'class="score' in html


def test_a_file_that_browsers_may_not_play_is_said_and_not_embedded(engine, home):
    write(engine, home, {"a.amr": wav(make_voice(3.0))})

    call("--note", "1", "--with-audio", "--out", home / "note.html")

    assert "A browser may not play .amr files" in (home / "note.html").read_text()


def test_a_report_of_operations_counts_all_tenants_or_one(engine, home):
    write(engine, home, {"a.wav": wav(make_voice(3.0))})
    ledger.finish(engine, take(engine, 1), a_result())

    call("--operations", "--out", home / "all.html")
    call("--operations", "--tenant", "clinic", "--out", home / "clinic.html")

    assert "1 of 1 live recordings have a result" in (home / "all.html").read_text()
    assert "0 of 0 live recordings have a result" in (home / "clinic.html").read_text()
    shown = ["Drift of the active model" in (home / name).read_text() for name in ("all.html", "clinic.html")]
    assert shown == [True, False], "drift is of all tenants"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Give one of"),
        (("--operations", "--note", "1"), "Give one of"),
        (("--subject", "ana", "--note", "1"), "Give one of"),
        (("--subject", "ana", "--with-audio"), "--with-audio goes with --note"),
    ],
)
def test_options_that_do_not_fit_are_refused(engine, home, arguments, words):
    done = call(*arguments, "--out", home / "x.html")

    assert done.exit_code == 2
    assert words in done.output
    assert not (home / "x.html").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--subject", "nobody"), "No recordings of 'nobody'"),
        (("--subject", "ana"), "Nothing is kept yet of the days of 'ana'"),
        (("--note", "77"), "No recording '77'"),
        (("--note", "1", "--tenant", "clinic"), "not of tenant 'clinic'"),
        (("--note", "1", "--out", "/nowhere/x.html"), "'/nowhere/x.html' cannot be written"),
    ],
)
def test_what_is_not_there_is_one_sentence(engine, home, arguments, words):
    recordings.register(engine, [a_recording("a.ogg", subject="ana")])
    out = () if "--out" in arguments else ("--out", home / "x.html")

    with pytest.raises(TonalogError, match=words.replace("(", r"\(")):
        call(*arguments, *out)


def test_without_the_template_engine_it_says_what_to_install(engine, home, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "pictures.pages", raising=False)
    monkeypatch.delattr(pictures, "pages", raising=False)

    with pytest.raises(TonalogError, match=r"pip install 'tonalog\[report\]'"):
        call("--subject", "ana", "--out", home / "x.html")


def test_what_the_refresh_keeps_is_what_the_page_shows(tmp_path):
    engine = new_sqlite(tmp_path)
    model = add_model(engine)
    rng = np.random.default_rng(0)
    add_notes(engine, model, "ana", [draw_scores(rng) for _ in range(40)])
    refresh(engine, now=FIRST + timedelta(days=40))

    page = collect_person(engine, "default", "ana")

    assert page.as_of == (FIRST + timedelta(days=40)).date()
    assert [measure.name for measure in page.measures] == list(LABELS)
    assert sum(day.n_scored for day in page.days) == 40
    assert page.own.is_personal
    assert page.own.n_notes >= page.own.needed_notes
    assert sum(page.mix.relative.values()) == pytest.approx(1)
    html = render_person(page)
    assert "Too few notes yet: 40 of 60 days." in html
    assert f"Relative scores compare with {page.own.n_notes} earlier notes" in html
