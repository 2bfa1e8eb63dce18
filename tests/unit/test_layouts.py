"""The ready-made rules: what people's files are called gives the right person and time, and nobody is guessed."""

import re
import sys

import pytest
from command import ROOT

from storage.general_names import names_nobody
from storage.key_pattern import KeyPatternError
from storage.layouts import DEFAULT_LAYOUTS, READY_MADE, Layouts
from storage.times import parse_recorded_at

DAY, MINUTE, SECOND = "day", "minute", "second"
FOUND = [
    # WhatsApp
    ("PTT-20260302-WA0001.opus", None, "2026-03-02T00:00:00", DAY),
    ("AUD-20260302-WA0003.m4a", None, "2026-03-02T00:00:00", DAY),
    ("WhatsApp Audio 2026-03-02 at 08.15.00.ogg", None, "2026-03-02T08:15:00", SECOND),
    ("WhatsApp Ptt 2026-03-02 at 8.15.00 AM.ogg", None, "2026-03-02T08:15:00", SECOND),
    ("WhatsApp Audio 2026-03-02 um 20.15.00.ogg", None, "2026-03-02T20:15:00", SECOND),
    ("00000012-AUDIO-2026-03-02-08-15-00.opus", None, "2026-03-02T08:15:00", SECOND),
    ("WhatsApp Voice Notes/202609/PTT-20260302-WA0001.opus", None, "2026-03-02T00:00:00", DAY),
    ("Android/media/com.whatsapp/WhatsApp/Media/WhatsApp Voice Notes/202609/PTT-20260302-WA0001.opus", None,
     "2026-03-02T00:00:00", DAY),
    ("WhatsApp Voice Notes/202645/PTT-20261105-WA0001.opus", None, "2026-11-05T00:00:00", DAY),
    ("WhatsApp Chat - Ana/PTT-20260302-WA0001.opus", None, "2026-03-02T00:00:00", DAY),
    ("ana/PTT-20260302-WA0001.opus", "ana", "2026-03-02T00:00:00", DAY),
    # Telegram
    ("audio_2026-03-02_08-15-00.ogg", None, "2026-03-02T08:15:00", SECOND),
    ("audio_1@02-03-2026_08-15-00.ogg", None, "2026-03-02T08:15:00", SECOND),
    ("voice_1@02-03-2026_08-15-00.ogg", None, "2026-03-02T08:15:00", SECOND),
    ("voice_2026-03-02_08-15-00.ogg", None, "2026-03-02T08:15:00", SECOND),
    ("ChatExport_2026-03-09/voice_messages/audio_1@02-03-2026_08-15-00.ogg", None, "2026-03-02T08:15:00", SECOND),
    # Signal
    ("signal-2026-03-02-08-15-00-123.aac", None, "2026-03-02T08:15:00", SECOND),
    ("signal-2026-03-02-081500.m4a", None, "2026-03-02T08:15:00", SECOND),
    # Android
    ("Recording_20260302_081500.m4a", None, "2026-03-02T08:15:00", SECOND),
    ("REC_20260302_081500.3gp", None, "2026-03-02T08:15:00", SECOND),
    ("20260302_081500.m4a", None, "2026-03-02T08:15:00", SECOND),
    ("call_+4912345_20260302-081500.m4a", "+4912345", "2026-03-02T08:15:00", SECOND),
    ("call_+4912345_2026-03-02.m4a", "+4912345", "2026-03-02T00:00:00", DAY),
    ("call_+4912345_2026.m4a", "+4912345", None, None),
    ("call_20260302_081500.m4a", None, "2026-03-02T08:15:00", SECOND),
    # iOS
    ("20260302 081500-ABCDEF12.m4a", None, "2026-03-02T08:15:00", SECOND),
    ("New Recording 12.m4a", None, None, None),
    # browsers
    ("recording-1709366100.webm", None, "2024-03-02T07:55:00", SECOND),
    ("recording-1709366100123.webm", None, "2024-03-02T07:55:00.123", SECOND),
    ("user-123_1709366100.webm", "user-123", "2024-03-02T07:55:00", SECOND),
    ("ana/1709366100.webm", "ana", "2024-03-02T07:55:00", SECOND),
    # folders and names
    ("ana/2026-03-02T08-15-00Z.ogg", "ana", "2026-03-02T08:15:00", SECOND),
    ("Ana Mar\u00eda/Voice 001.m4a", "Ana Mar\u00eda", None, None),
    ("recordings/ana/20260302_081500.m4a", "ana", "2026-03-02T08:15:00", SECOND),
    ("ana/WhatsApp Voice Notes/202609/PTT-20260302-WA0001.opus", "ana", "2026-03-02T00:00:00", DAY),
    ("ana/call_+4912345_20260302-081500.m4a", "ana", "2026-03-02T08:15:00", SECOND),
    ("2026/03/ana/xyz.ogg", "ana", None, None),
    ("2026/03/02/ana/xyz.ogg", "ana", "2026-03-02T00:00:00", DAY),
    ("ana/2026/03/02/xyz.ogg", "ana", "2026-03-02T00:00:00", DAY),
    ("year=2026/month=03/day=02/ana/xyz.ogg", "ana", "2026-03-02T00:00:00", DAY),
    ("2026-03-02/ana.ogg", None, "2026-03-02T00:00:00", DAY),
    ("ana_2026-03-02.wav", "ana", "2026-03-02T00:00:00", DAY),
    ("0042/2026-03-02_08-15.ogg", "0042", "2026-03-02T08:15:00", MINUTE),
    ("ana/2026-03-01/kitchen/x.ogg", "ana", "2026-03-01T00:00:00", DAY),
    ("ana/2026-03-01T08-30-00Z/part1.wav", "ana", "2026-03-01T08:30:00", SECOND),
    ("voice_ana_2026-03-02.wav", None, "2026-03-02T00:00:00", DAY),
    ("1512345678/x.ogg", "1512345678", None, None),
    ("prod/users/0042/voice-notes/x.ogg", "0042", None, None),
    ("7/2026-03-02.ogg", "7", "2026-03-02T00:00:00", DAY),
    # nothing can be known
    ("Voice 001.m4a", None, None, None),
    ("91231112.ogg", None, None, None),
    ("4912345678.ogg", None, None, None),
    ("call_1512345678.wav", None, None, None),
    ("clinic/ana/hello.ogg", None, None, None),
    ("interview_2026-03-02.wav", None, "2026-03-02T00:00:00", DAY),
    ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6.ogg", None, None, None),
]  # fmt: skip


@pytest.mark.parametrize(("key", "person", "time", "precision"), FOUND, ids=[key for key, *_ in FOUND])
def test_layout_gives_the_right_person_and_time_without_configuration(key, person, time, precision):
    found = Layouts().read(key)
    recorded = parse_recorded_at(found.recorded_at.text) if found.recorded_at else None

    assert (found.subject.text if found.subject else None) == person
    assert (recorded.time.isoformat()[: len(time or "")] if recorded else None) == time
    assert (recorded.precision if recorded else None) == precision


@pytest.mark.parametrize(("key", "person", "time", "precision"), FOUND[:31], ids=[key for key, *_ in FOUND[:31]])
def test_names_of_apps_keep_their_time_inside_a_persons_folder(key, person, time, precision):
    found = Layouts().read(f"recordings/zo\u00eb/{key.rpartition('/')[2]}")
    recorded = parse_recorded_at(found.recorded_at.text) if found.recorded_at else None

    assert found.subject is not None
    assert found.subject.text == "zo\u00eb"
    assert (recorded.time.isoformat()[: len(time or "")] if recorded else None) == time


def test_it_is_said_why_nothing_was_found():
    assert "2 folders may be the person" in str(Layouts().read("clinic/ana/x.ogg").why_nobody)
    assert Layouts().read("2026/03/ana/x.ogg").why_no_time == "the key says a year and a month only"


def test_each_field_comes_from_the_first_rule_that_finds_it():
    layouts = Layouts("mine={subject}--{any}\n{recorded_at}--...;whatsapp")

    found = layouts.read("ana--x.ogg")
    assert (found.subject.text, found.subject.rule, found.recorded_at) == ("ana", "mine", None)
    both = layouts.read("2026-03-02--PTT-20260101-WA1.opus")
    assert both.recorded_at.text == "2026-03-02"


def test_a_pattern_of_ones_own_takes_the_person_as_it_stands():
    assert Layouts("{subject}/{recorded_at}...").read("recordings/2026-03-02.ogg").subject.text == "recordings"
    assert Layouts("{tenant}/{subject}/...").read("clinic/ana/x.ogg").tenant.text == "clinic"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" ;\n", "is empty"),
        ("whatsap", "use 'whatsapp'"),
        ("notes", "is no ready-made pattern and names no field"),
        ("whatsapp;{person}", r"unknown \{person\}"),
        ("year={year}/x", "which would be its name"),
    ],
)
def test_rules_that_cannot_be_used_say_why(text, message):
    with pytest.raises(KeyPatternError, match=message):
        Layouts(text)


def test_all_ready_made_rules_are_tried_where_nothing_is_set():
    assert DEFAULT_LAYOUTS.split(";") == list(READY_MADE)


def documented_rows():
    text = (ROOT / "docs" / "naming.md").read_text()
    lines = text[text.index("| Ready-made |") :].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_page_lists_the_ready_made_rules_in_their_order():
    assert [name.strip("`") for name, _, _ in documented_rows()] == list(READY_MADE)


@pytest.mark.parametrize(("name", "finds", "examples"), documented_rows(), ids=[row[0] for row in documented_rows()])
def test_what_the_page_says_of_a_ready_made_rule_holds(name, finds, examples):
    layouts = Layouts(name.strip("`"))
    for key in re.findall(r"`([^`]+)`(?! says nothing)", examples):
        found = layouts.read(key)
        assert (found.recorded_at is not None) == ("time" in finds), key
        assert (found.subject is not None) == (finds.startswith("person") or key.startswith("call_")), key


@pytest.mark.parametrize("name", READY_MADE)
def test_every_ready_made_name_can_be_used_alone(name):
    assert Layouts(name).read("ana/x.ogg").recorded_at is None


@pytest.mark.parametrize(
    "name", ["ana", "Nova", "Ton", "user-123", "202654", "+49 123 45", "p01", "Anna Notes", "\u738b"]
)
def test_names_of_people_are_no_general_words(name):
    assert not names_nobody(name)


@pytest.mark.parametrize(
    "name",
    [
        "audio",
        "VoiceNotes",
        "Sprachnachrichten",
        "Grabaci\u00f3n 3",
        "2026",
        "2026-03",
        "2026-W12",
        "202653",
        "--",
        "m4a",
    ],
)
def test_general_words_and_dates_name_nobody(name):
    assert names_nobody(name)


HOSTILE = [
    "/",
    "_",
    "a_",
    "_1",
    "/_",
    "20260302_",
    "2026-03-02 ",
    "a/2026/03/",
    "1709366100_",
    "WhatsApp ",
    "-AUDIO-",
    "call_@",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_work_grows_with_the_length_of_a_hostile_key_and_no_faster(piece):
    def count_steps(n_characters):
        steps = 0

        def count(frame, event, arg):
            nonlocal steps
            steps += 1

        key = (piece * n_characters)[:n_characters]
        sys.setprofile(count)
        try:
            Layouts().read(key)
        finally:
            sys.setprofile(None)
        return steps

    assert count_steps(1024) < 6 * count_steps(256) + 1000
