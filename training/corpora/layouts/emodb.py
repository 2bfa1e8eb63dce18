"""Berlin EmoDB's layout (Burkhardt et al. 2005): `wav/03a01Wa.wav`, FLAC too."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from training.corpora.naming import find_unknown_labels, read_names
from training.corpora.utterance import Layout, Listing, Utterance, Whole

TITLE = "EmoDB"
# The sixth letter is the German initial: Wut, Langeweile, Ekel, Angst, Freude, Trauer, neutral.
EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
PATTERN = r"(?P<speaker>\d{2})(?P<text>[ab]\d{2})(?P<emotion>[A-Z])(?P<take>[a-z])"


def read(root: Path) -> Listing:
    """List EmoDB: any folder that holds files named like `03a01Fa`.

    Raises:
        FileNotFoundError: root holds no audio.
        ValueError: no file is named like EmoDB.
    """
    listing = read_names(root, pattern=PATTERN, example=f"{TITLE}'s 03a01Fa", build=_build)
    result = (*listing.utterances, *listing.bystanders)
    return replace(listing, findings=(*listing.findings, *find_unknown_labels(result, EMOTIONS)))


def _build(path: Path, name: re.Match[str]) -> Utterance:
    label = EMOTIONS.get(name["emotion"], name["emotion"])
    return Utterance(path, path.stem, name["speaker"], label, TITLE, source_label=name["emotion"])


LAYOUT = Layout(
    TITLE,
    "CC0-1.0",
    read,
    Whole(10, {"anger": 127, "happiness": 71, "neutral": 79, "sadness": 62}, "Burkhardt et al. 2005"),
    source="http://emodb.bilderbar.info",
    attribution="Burkhardt, Paeschke, Rolfes, Sendlmeier and Weiss, A Database of German Emotional Speech, Interspeech 2005",
)
