"""RAVDESS's layout (Livingstone and Russo 2018): `Actor_12/03-01-05-02-01-01-12.wav`."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from training.corpora.naming import divide, find_unknown_labels, read_names
from training.corpora.utterance import Layout, Listing, Utterance, Whole

TITLE = "RAVDESS"
# Calm is dropped: it is a second baseline that no other corpus has, and the paper's test leaves it out.
EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
INTENSITIES = {"01": "normal", "02": "strong"}
SPEECH = "01"  # 02 is song.
PATTERN = (
    r"(?P<modality>\d{2})-(?P<channel>\d{2})-(?P<emotion>\d{2})-(?P<intensity>\d{2})"
    r"-(?P<statement>\d{2})-(?P<repetition>\d{2})-(?P<actor>\d{2})"
)


def read(root: Path) -> Listing:
    """List RAVDESS's speech: any folder of its Actor folders; song is passed over.

    Raises:
        FileNotFoundError: root holds no audio.
        ValueError: no file is named like RAVDESS.
    """
    listing = read_names(root, pattern=PATTERN, example=f"{TITLE}'s 03-01-05-02-01-01-12", build=_build)
    result = (*listing.utterances, *listing.bystanders)
    spoken = [utterance for utterance in result if utterance.name.split("-")[1] == SPEECH]
    return replace(
        divide(spoken, listing.findings), findings=(*listing.findings, *find_unknown_labels(spoken, EMOTIONS))
    )


def _build(path: Path, name: re.Match[str]) -> Utterance:
    return Utterance(
        path,
        path.stem,
        name["actor"],
        EMOTIONS.get(name["emotion"], name["emotion"]),
        TITLE,
        source_label=name["emotion"],
        intensity=INTENSITIES.get(name["intensity"]),
    )


LAYOUT = Layout(
    TITLE,
    "CC-BY-NC-SA-4.0",
    read,
    Whole(24, {"anger": 192, "happiness": 192, "neutral": 96, "sadness": 192}, "Livingstone and Russo 2018"),
    source="https://zenodo.org/records/1188976",
    attribution="Livingstone and Russo, The Ryerson Audio-Visual Database of Emotional Speech and Song, PLoS ONE 13(5), 2018",
)
