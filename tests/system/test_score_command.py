"""`tonalog score`: one JSON object a line, whatever the file; a bad one stops nothing."""

import json

import numpy as np
import pytest
import soundfile
from command import NOTES

KEYS = {
    "file", "duration_ms", "speech_ms", "n_windows", "status", "label", "confidence", "is_uncertain",
    "scores", "dimensions", "segments", "trend", "voice", "model", "error",
}  # fmt: skip


def lines(printed):
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def test_each_file_gets_one_object_with_every_key_and_a_bad_one_stops_nothing(cli, tmp_path):
    text = tmp_path / "letter.ogg"
    text.write_text("Dear diary")
    good = NOTES / "vera" / "2026-03-05T06-58-20Z.wav"

    first, second, third = lines(cli("score", "--json", text, good, tmp_path / "gone.wav", code=1))

    assert [set(row) for row in (first, second, third)] == [KEYS] * 3
    assert (first["status"], first["error"]["code"]) == ("failed", "NOT_AUDIO")
    assert (third["status"], third["error"]["code"]) == ("failed", "UNREADABLE")
    assert second["status"] == "scored"
    assert second["error"] is None
    assert set(second["scores"]) >= {"anger", "happiness", "neutral", "sadness"}
    assert second["label"] == max(second["scores"], key=second["scores"].get)
    assert second["n_windows"] == len(second["segments"]) >= 1
    assert set(second["segments"][0]) == {"start_ms", "end_ms", "speech_ms", "scores", "dimensions"}


def noise(rng, colour):
    white = rng.standard_normal(16_000 * 12)
    if colour == "pink":
        spectrum = np.fft.rfft(white)
        spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1.0))
        white = np.fft.irfft(spectrum)
    return 0.5 * white / np.abs(white).max()


@pytest.mark.parametrize("colour", ["white", "pink"])
def test_loud_noise_is_no_speech_and_no_emotion(cli, tmp_path, colour):
    soundfile.write(tmp_path / "noise.wav", noise(np.random.default_rng(7), colour), 16_000)

    (row,) = lines(cli("score", "--json", tmp_path / "noise.wav"))

    assert row["status"] == "no_speech"
    assert row["label"] is None
    assert row["scores"] is None


def test_silence_is_no_speech(cli, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(48_000), 16_000)

    (row,) = lines(cli("score", "--json", tmp_path / "silence.wav"))

    assert (row["status"], row["duration_ms"], row["speech_ms"]) == ("no_speech", 3000, 0)


def test_a_model_folder_that_is_none_is_one_sentence_with_the_remedy(cli, tmp_path):
    printed = cli("score", "--model", tmp_path, NOTES / "vera" / "2026-03-06.mp3", code=1)

    assert "manifest.json" in printed
    assert "Traceback" not in printed


def test_people_get_a_line_a_file(cli):
    printed = cli("score", NOTES / "vera" / "2026-03-06.mp3")

    assert "speech" in printed
    assert "anger" in printed
