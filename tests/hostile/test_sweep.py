"""The sweep tells a file that is cut short in silence from one that is whole, refused, or no audio at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.hostile import reference
from tests.hostile.arena import Arena, Verdict
from tests.hostile.levels import Levels
from tests.hostile.reference import Reference
from tests.hostile.sweep import DECODE, compare, main, sweep
from tests.unit.recordings import encode_native
from tests.unit.sounds import Signal, make_noise, make_silence, make_voice

WAV = encode_native("WAV", "PCM_16", make_voice(2.0))
AU = encode_native("AU", "PCM_16", make_voice(2.0))
needs_ffmpeg = pytest.mark.skipif(not reference.is_installed(), reason="needs the commands ffmpeg and ffprobe")


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    with Arena(command=DECODE) as running:
        yield running


def measure(signal: Signal) -> tuple[int, ...]:
    levels = Levels()
    for start in range(0, len(signal), 1_000):
        levels.feed(signal[start : start + 1_000])
    return levels.read()


def make_verdict(ended: str, decoded_s: float) -> Verdict:
    return Verdict(ended, "", 0.1, 100.0, decoded_s=decoded_s)


def make_reference(played_s: float, *, promised_s: float = 0.0, score: int = 100, has_audio: bool = True) -> Reference:
    return Reference("ogg/opus", score=score, has_audio=has_audio, promised_s=promised_s, played_s=played_s)


@pytest.mark.parametrize(
    ("ended", "decoded_s", "played_s", "verdict"),
    [
        ("decoded", 10.0, 10.0, "same"),
        ("decoded", 9.81, 10.0, "same"),
        ("decoded", 9.7, 10.0, "shorter"),
        ("decoded", 0.11, 0.2, "same"),
        ("decoded", 0.09, 0.2, "shorter"),
        ("decoded", 10.3, 10.0, "longer"),
        ("decoded", 10.0, 0.0, "only ours"),
        ("TRUNCATED", 5.0, 5.0, "refused"),
        ("TRUNCATED", 0.0, 0.0, "both refuse"),
        ("NOT_AUDIO", 0.0, 3.0, "refused"),
        ("crash", 0.0, 3.0, "crash"),
        ("hang", 0.0, 0.0, "hang"),
    ],
)
def test_the_verdict_follows_from_what_both_decoded(
    ended: str, decoded_s: float, played_s: float, verdict: str
) -> None:
    assert compare("a", make_verdict(ended, decoded_s), make_reference(played_s)).verdict == verdict


@pytest.mark.parametrize(
    ("decoded_s", "verdict"), [(4.0, "short of header"), (4.8, "same"), (5.0, "same"), (5.2, "longer")]
)
def test_what_the_header_says_counts_even_where_the_reference_plays_less(decoded_s: float, verdict: str) -> None:
    theirs = make_reference(4.0, promised_s=5.0)

    assert compare("a", make_verdict("decoded", decoded_s), theirs).verdict == verdict


def test_noise_in_place_of_speech_is_another_sound_and_speech_at_another_gain_is_not() -> None:
    voice = np.concatenate([make_voice(1.0), make_silence(1.0), make_voice(1.0)])
    noise = make_noise(3.0)
    theirs = replace(make_reference(3.0), levels_db=measure(voice))

    def judge(signal: Signal) -> str:
        return compare("a", replace(make_verdict("decoded", 3.0), levels_db=measure(signal)), theirs).verdict

    assert judge(voice) == judge(0.5 * voice) == "same"
    assert judge(noise) == "other sound"


@pytest.mark.parametrize("theirs", [make_reference(0.3, score=1), make_reference(0.0, has_audio=False)])
def test_text_that_ffmpeg_takes_for_audio_without_being_sure_is_none(theirs: Reference) -> None:
    assert compare("a", make_verdict("NOT_AUDIO", 0.0), theirs).verdict == "no audio"


def test_the_judge_says_how_many_seconds_it_decoded_and_why_not_more(arena: Arena) -> None:
    whole, cut, text = arena.judge(WAV), arena.judge(WAV[:20_000]), arena.judge(b"no recording")

    assert (whole.ended, round(whole.decoded_s, 3)) == ("decoded", 2.0)
    assert cut.ended == "TRUNCATED"
    assert text.ended == "NOT_AUDIO"


@needs_ffmpeg
def test_a_folder_gives_a_row_for_each_content(arena: Arena, tmp_path: Path) -> None:
    for name, content in {"a.wav": WAV, "b.mp3": WAV, "c.au": AU, "d.txt": b"words", "e.wav": WAV[:20_000]}.items():
        (tmp_path / name).write_bytes(content)

    rows = {row.path: row for row in sweep(tmp_path, arena)}

    assert {path: row.verdict for path, row in rows.items()} == {
        "a.wav": "same",  # b.mp3 is the same content, and its name decides nothing
        "c.au": "refused",
        "d.txt": "no audio",
        "e.wav": "refused",
    }
    assert rows["a.wav"].kind == "wav/pcm_s16le"
    assert rows["a.wav"].played_s == pytest.approx(2.0, abs=0.01)
    assert rows["a.wav"].promised_s == pytest.approx(2.0, abs=0.01)


@needs_ffmpeg
def test_the_command_prints_json_and_ends_well_where_nothing_is_cut_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.wav").write_bytes(WAV)
    monkeypatch.setattr("sys.argv", ["sweep", str(tmp_path), "--json"])

    assert main() == 0

    assert json.loads(capsys.readouterr().out)["verdict"] == "same"


def test_the_command_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["sweep", str(tmp_path)])

    with pytest.raises(SystemExit):
        main()

    assert "ffmpeg and ffprobe are not installed" in capsys.readouterr().err
