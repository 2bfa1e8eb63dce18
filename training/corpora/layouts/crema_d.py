"""CREMA-D's layout (Cao et al. 2014): `AudioWAV/1001_DFA_ANG_XX.wav`, under any extension."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from training.corpora.layouts.manifest import read_listed_defects
from training.corpora.naming import find_unknown_labels, read_names
from training.corpora.utterance import Layout, Listing, Utterance, Whole

TITLE = "CREMA-D"
EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
INTENSITIES = {"LO": "low", "MD": "medium", "HI": "high"}  # XX is unspecified, and X in 1040_ITH_SAD_X.
PATTERN = r"(?P<actor>\d{4})_(?P<sentence>[A-Z]{3})_(?P<emotion>[A-Z]{3})_(?P<intensity>[A-Z]{1,2})"
AUDIO_FOLDER = "AudioWAV"  # A full checkout holds AudioMP3 beside it, with the same names.


def read(root: Path) -> Listing:
    """List CREMA-D: the checkout with its AudioWAV folder, or any folder of files of those names.

    Raises:
        FileNotFoundError: root holds no audio.
        ValueError: no file is named like CREMA-D.
    """
    folder = root / AUDIO_FOLDER if (root / AUDIO_FOLDER).is_dir() else root
    listing = read_names(folder, pattern=PATTERN, example=f"{TITLE}'s 1001_DFA_ANG_XX", build=_build)
    result = (*listing.utterances, *listing.bystanders)
    listed = (replace(f, name=Path(f.name).name) for f in read_listed_defects(root / "manifest.csv"))
    return replace(listing, findings=(*listing.findings, *find_unknown_labels(result, EMOTIONS), *listed))


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
    "ODbL-1.0",
    read,
    Whole(91, {"anger": 1271, "happiness": 1271, "neutral": 1087, "sadness": 1271}, "Table II of arXiv 2512.23435"),
    source="https://github.com/CheyneyComputerScience/CREMA-D",
    attribution="Cao, Cooper, Keutmann, Gur, Nenkova and Verma, IEEE Transactions on Affective Computing 5(4), 2014; "
    "contains information from CREMA-D, which is made available under the Open Database License (ODbL) 1.0",
)
