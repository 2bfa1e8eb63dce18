"""A person's export has every row about them and nothing about anybody else; also run on PostgreSQL in tests/integration."""

import csv
import json
import subprocess
import sys
import zipfile
from html.parser import HTMLParser

import pytest
from api_samples import a_key, fill
from command import ROOT
from db_samples import MONDAY, a_recording, days_later, new_sqlite
from export_samples import export, keep_person
from sqlalchemy import text

from db import api_audit, erasures, people, recordings
from db.api_audit import Access
from db.erasures import Chosen
from db.errors import DatabaseError
from db.every_table import load_metadata
from db.reasons import ChangeCause, ErasureScope
from exports.errors import ExportError
from exports.person import Keeping
from exports.write import Format

ALONE = """
import sys
from pathlib import Path
from db.engine import make_engine
from db.snapshot import Selection
from exports.write import Format, Options, write_export
chosen = Selection(tenant="default", subject="anna")
write_export(make_engine(sys.argv[1]), chosen, Path(sys.argv[2]), form=Format.PERSON, options=Options(version="0"))
"""
HOSTILE = "<script>alert('ana')</script> =1+1 & \u202ecanary"


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def fill_person(engine):
    """Two tenants; `ben/x.wav` was ben's and is anna's now; anna was called ann; an app read her notes and ben's."""
    fill(engine)
    recordings.register(engine, [a_recording("ben/x.wav", subject="ben")])
    recordings.correct(engine, [a_recording("ben/x.wav", subject="anna")], cause=ChangeCause.IDENTIFY)
    people.rename(engine, "anna", "ann")
    people.rename(engine, "ann", "anna")
    keep_person(engine)
    a_key(engine)
    read = [("/v1/subjects/{subject}/notes", "anna"), ("/v1/subjects/{subject}/days", "ben")]
    api_audit.record(
        engine,
        [Access(key_id=1, tenant="default", method="GET", route=r, status=200, subject=who) for r, who in read],
    )


def document(folder):
    return json.loads((folder / "data.json").read_text(encoding="utf-8"))


@pytest.fixture
def written(engine, tmp_path):
    fill_person(engine)
    export(engine, tmp_path / "out", Format.PERSON, subject="anna", keeping=Keeping(retention_days=400))
    return tmp_path / "out"


def test_every_row_about_the_person_is_there(engine, written):
    whole = document(written)
    of_anna = "SELECT id FROM recordings WHERE tenant = 'default' AND subject = 'anna'"
    expected = {
        "recordings": f"SELECT COUNT(*) FROM recordings WHERE id IN ({of_anna})",
        "results": f"SELECT COUNT(*) FROM results WHERE recording_id IN ({of_anna})",
        "segments": f"SELECT COUNT(*) FROM segments WHERE recording_id IN ({of_anna})",
        "jobs": f"SELECT COUNT(*) FROM jobs WHERE recording_id IN ({of_anna})",
        "identity_changes": f"SELECT COUNT(*) FROM identity_changes WHERE recording_id IN ({of_anna})",
        "subject_days": "SELECT COUNT(*) FROM subject_days WHERE subject = 'anna'",
        "subject_trends": "SELECT COUNT(*) FROM subject_trends WHERE subject = 'anna'",
        "subject_baselines": "SELECT COUNT(*) FROM subject_baselines WHERE subject = 'anna'",
        "relative_results": f"SELECT COUNT(*) FROM relative_results WHERE recording_id IN ({of_anna})",
        "subject_aliases": "SELECT COUNT(*) FROM subject_aliases WHERE subject = 'anna'",
        "api_audit": "SELECT COUNT(*) FROM api_audit WHERE subject = 'anna'",
    }
    with engine.connect() as connection:
        counted = {name: connection.scalar(text(asked)) for name, asked in expected.items()}

    assert {name: len(whole[name]) for name in expected} == counted
    assert min(counted.values()) >= 1
    for name, rows in whole.items():
        if name not in {"about", "names"}:
            with (written / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
                assert len(list(csv.DictReader(file))) == len(rows)


def test_every_table_that_can_name_a_person_is_in_the_export(written):
    named = {table.name for table in load_metadata().sorted_tables if {"subject", "recording_id"} & set(table.c.keys())}

    assert named <= set(document(written))


def test_nobody_elses_name_or_key_is_in_any_file(engine, tmp_path, written):
    everything = "".join(path.read_text(encoding="utf-8") for path in written.rglob("*") if path.is_file())

    # The object of the corrected note is anna's now, whatever its key says.
    assert "ben" not in everything.replace("ben/x.wav", "")
    assert "clinic" not in everything
    assert "(another person)" in everything


def test_secrets_and_how_work_is_shared_out_are_in_no_file(written):
    names = {
        name
        for rows in document(written).values()
        if isinstance(rows, list)
        for row in rows[:1]
        if isinstance(row, dict)
        for name in row
    }

    assert {"key", "scores", "status"} <= names
    assert not {"token", "lease_token", "worker", "key_sha256", "bucket", "detail"} & names


def test_the_page_says_who_read_it_how_it_is_made_and_for_how_long(written):
    page = (written / "index.html").read_text(encoding="utf-8")

    for words in (
        "/v1/subjects/{subject}/notes",
        "400 days",
        "not a diagnosis",
        "Former names",
        ">ann",
        "neural network",
    ):
        assert words in page
    assert "/v1/subjects/{subject}/days" not in page


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen = set()

    def handle_starttag(self, tag, _attrs):
        self.seen.add(tag)


def test_a_hostile_name_is_text_on_the_page(engine, tmp_path):
    fill(engine)
    recordings.register(engine, [a_recording("h.wav", subject=HOSTILE, recorded_at=days_later(0))])

    export(engine, tmp_path / "out", Format.PERSON, subject=HOSTILE)

    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.seen
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    assert document(tmp_path / "out")["names"] == [HOSTILE]


def test_the_audio_comes_along_where_it_is_asked_for(engine, tmp_path):
    fill(engine)

    def copy_audio(place, file):
        file.write(place.key.encode())

    export(engine, tmp_path / "out.zip", Format.PERSON, subject="anna", copy_audio=copy_audio)

    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        audio = {name: archive.read(name) for name in archive.namelist() if name.startswith("audio/")}
    assert audio["audio/1.wav"] == b"anna/0.wav"
    assert len(audio) == 7


def test_audio_that_was_removed_is_not_asked_for(engine, tmp_path):
    fill(engine)
    erasures.begin(engine, Chosen(recording_id=1), scope=ErasureScope.AUDIO)
    copied = []

    export(engine, tmp_path / "out", Format.PERSON, subject="anna", copy_audio=lambda place, _: copied.append(place))

    assert sorted(place.recording_id for place in copied) == [2, 3, 4, 5, 6, 7]
    assert len(document(tmp_path / "out")["removed_audio"]) == 1


def test_a_former_name_of_somebody_of_another_tenant_brings_nothing(engine, tmp_path):
    fill_person(engine)

    export(engine, tmp_path / "out", Format.PERSON, tenant="clinic", subject="anna")

    whole = document(tmp_path / "out")
    assert whole["names"] == ["anna"]
    assert len(whole["recordings"]) == 3
    assert whole["api_audit"] == whole["subject_days"] == []


def test_a_period_or_nobody_is_refused(engine, tmp_path):
    with pytest.raises(ExportError, match="give --subject"):
        export(engine, tmp_path / "out", Format.PERSON)
    with pytest.raises(ExportError, match="of all time"):
        export(engine, tmp_path / "out", Format.PERSON, subject="anna", since=MONDAY.date())


def test_a_table_that_nobody_knows_is_an_error_and_not_left_out(engine, tmp_path):
    fill(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE moods (subject TEXT)"))

    with pytest.raises(DatabaseError, match="does not know: moods"):
        export(engine, tmp_path / "out", Format.PERSON, subject="anna")


def test_the_tables_are_known_to_a_process_that_has_read_nothing_else(engine, tmp_path):
    """As `tonalog export` is: no migration has loaded the schema there."""
    fill(engine)
    url = engine.url.render_as_string(hide_password=False)

    subprocess.run([sys.executable, "-c", ALONE, url, str(tmp_path / "out")], cwd=ROOT, check=True)

    assert len(document(tmp_path / "out")["recordings"]) == 7
