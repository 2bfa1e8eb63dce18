"""What docs/recordings.md promises about bad input, each seen: one maker a row, so that a row without one fails."""

import io
import json
import re
import zipfile
from collections import defaultdict

import numpy as np
import pytest
import soundfile
from command import NOTES, ROOT, Cli

from db.reasons import Reason

RATE_HZ = 16_000
SPEECH = NOTES / "vera" / "2026-03-05T06-58-20Z.wav"


def test_every_reason_is_explained():
    text = (ROOT / "docs" / "recordings.md").read_text()

    assert [reason.value for reason in Reason if f"`{reason.value}`" not in text] == []


def table():
    """Read (what is wrong, state, code) from the page's table of bad input."""
    text = (ROOT / "docs" / "recordings.md").read_text()
    part = text[text.index("| What is wrong |") :]
    rows = [line.strip("|").split("|") for line in part.splitlines()[2:] if line.startswith("|")]
    end = next((i for i, line in enumerate(part.splitlines()[2:]) if not line.startswith("|")), len(rows))
    return [(what.strip(), state.strip(), code.strip(" `") or None) for what, state, code in rows[:end]]


def wav(signal, *, rate_hz=RATE_HZ, subtype="PCM_16"):
    made = io.BytesIO()
    soundfile.write(made, signal, rate_hz, format="WAV", subtype=subtype)
    return made.getvalue()


def tone(seconds, rate_hz=RATE_HZ):
    return 0.3 * np.sin(2 * np.pi * 220 * np.arange(int(seconds * rate_hz)) / rate_hz)


def noise(seconds=6.0):
    return 0.4 * np.clip(np.random.default_rng(3).standard_normal(int(seconds * RATE_HZ)), -2, 2)


def speech_of(seconds):
    signal, rate_hz = soundfile.read(SPEECH)
    loudest = int(np.argmax(np.abs(signal)))
    start = max(0, loudest - int(seconds * rate_hz / 2))
    return signal[start : start + int(seconds * rate_hz)], rate_hz


def damaged():
    whole = bytearray(next(NOTES.glob("chloe/*.flac")).read_bytes())
    whole[200:] = np.random.default_rng(5).integers(0, 255, len(whole) - 200, dtype=np.uint8).tobytes()
    return bytes(whole)


def archive():
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as zipped:
        zipped.writestr("note.txt", "hello")
    return made.getvalue()


def with_nan():
    signal = tone(2)
    signal[100:110] = np.nan
    return wav(signal, subtype="FLOAT")


# What stands on the page -> (contents to try, settings that make a small file enough).
MAKERS = {
    "no bytes": ([b""], {}),
    "more bytes than `TONALOG_MAX_SIZE_MB`": ([wav(tone(40))], {"TONALOG_MAX_SIZE_MB": "1"}),
    "longer than `TONALOG_MAX_DURATION_S`, counted in decoded samples": (
        [wav(tone(5))],
        {"TONALOG_MAX_DURATION_S": "3"},
    ),
    "text, HTML, a picture, a playlist or an archive": (
        [
            b"Dear diary, today was fine.",
            b"<!DOCTYPE html><html></html>",
            b"\x89PNG\r\n\x1a\n" + bytes(100),
            b"\xff\xd8\xff\xe0" + bytes(100),
            b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n",
            b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=audio 9 RTP/AVP 0\r\n",
            archive(),
        ],
        {},
    ),
    "audio of a kind that is refused (AU, WMA, AC-3, ...)": (
        [b".snd" + bytes(200), b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(200), b"\x0b\x77" + bytes(200)],
        {},
    ),
    "cut off in the middle": (
        [path.read_bytes()[: path.stat().st_size // 2] for path in (SPEECH, *NOTES.glob("luca/2026-03-02*.m4a"))],
        {},
    ),
    "damaged so that it cannot be decoded": ([damaged()], {}),
    "NaN or infinite samples": ([with_nan()], {}),
    "sampling rate under 4 or over 192 kHz, or more than 8 channels": (
        [wav(tone(2, 2000), rate_hz=2000), wav(np.zeros((RATE_HZ, 9)))],
        {},
    ),
    "silence": ([wav(np.zeros(4 * RATE_HZ))], {}),
    "loud noise without speech": ([wav(noise())], {}),
    "less than 0.4 s of sound": ([wav(speech_of(0.39)[0], rate_hz=speech_of(0.39)[1])], {}),
}
# What needs more than a file and `tonalog score` -> (state, code, the test that sees it, beside this one).
ELSEWHERE = {
    "deleted before it was scored": ("failed", "OBJECT_MISSING", "test_objects_that_change.py"),
    "replaced before it was scored": ("failed", "OBJECT_CHANGED", "test_objects_that_change.py"),
    "takes more memory than `TONALOG_CHILD_MEMORY_MB`, three times": (
        "failed",
        "MEMORY",
        "test_hostile_recordings.py",
    ),
    "keeps its decoder busy for longer than `TONALOG_MAX_DECODE_S`": (
        "failed",
        "TIME_LIMIT",
        "test_hostile_recordings.py",
    ),
}


def test_every_row_of_the_page_has_a_maker_here_or_a_test_beside_this_one():
    assert {what for what, _, _ in table()} == set(MAKERS) | set(ELSEWHERE)


@pytest.mark.parametrize("what", ELSEWHERE)
def test_a_row_that_is_seen_elsewhere_promises_what_that_test_expects(what):
    state, code, file = ELSEWHERE[what]
    assert (what, state, code) in table()
    assert f'"{code}"' in (ROOT / "tests" / "system" / file).read_text()


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """What `tonalog score` prints of every maker's files: one command for those of the same settings and exit code."""
    folder = tmp_path_factory.mktemp("bad-input")
    commands = defaultdict(list)
    for number, (what, state, _) in enumerate(row for row in table() if row[0] not in ELSEWHERE):
        contents, variables = MAKERS[what]
        for n, content in enumerate(contents):
            file = folder / f"{number}-{n}.ogg"
            file.write_bytes(content)
            commands[tuple(variables.items()), int(state == "failed")].append((what, file))
    found = defaultdict(list)
    for (variables, code), asked in commands.items():
        printed = Cli(folder, dict(variables))("score", "--json", *(file for _, file in asked), code=code)
        rows = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
        for (what, file), row in zip(asked, rows, strict=True):
            assert row["file"] == str(file)
            found[what].append(row)
    return found


@pytest.mark.parametrize(("what", "state", "code"), [row for row in table() if row[0] not in ELSEWHERE])
def test_bad_input_ends_in_the_state_that_the_page_says_with_a_sentence(scored, what, state, code):
    rows = scored[what]

    assert len(rows) == len(MAKERS[what][0])
    assert {row["status"] for row in rows} == {state}
    if state == "failed":
        assert {row["error"]["code"] for row in rows} == {code}
        assert all(len(row["error"]["message"]) > 15 for row in rows)
        assert not any(re.search(r"Traceback|Error\(", row["error"]["message"]) for row in rows)
