"""Tiny corpora whose recordings are voices, for the tests that train on them."""

import csv

import soundfile
from sounds import RATE_HZ, make_voice

EMOTIONS = {"ANG": 240.0, "HAP": 210.0, "NEU": 140.0, "SAD": 110.0}


def write_voice(path, pitch_hz, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, make_voice(0.9, pitch_hz=pitch_hz, seed=seed), RATE_HZ)


def write_crema_d(root, actors):
    """A clip of each actor and emotion, with the table of actors."""
    for actor in actors:
        for label, pitch_hz in EMOTIONS.items():
            write_voice(root / "AudioWAV" / f"{actor}_DFA_{label}_XX.wav", pitch_hz + actor - 1000, actor * 10)
    with (root / "VideoDemographics.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("ActorID", "Age", "Sex", "Race", "Ethnicity"))
        rows.writerows((actor, 25, "Female", "Caucasian", "Not Hispanic") for actor in actors)
    return root


def write_set(root, origin, kind, labels):
    """A listed set: a voice of each label, in turn of four speakers."""
    columns = ("file", "speaker", "emotion", "kind", "source", "licence")
    rows = [
        (f"audio/{place:03d}.wav", f"s{place // len(labels)}", label, kind, f"{origin}{place}.wav", "CC0-1.0")
        for place, label in enumerate(labels * 4)
    ]
    root.mkdir(parents=True)
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
    for place, row in enumerate(rows):
        write_voice(root / row[0], 105.0 + 17 * place, 500 + place)
    return root
