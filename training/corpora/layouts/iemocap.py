"""IEMOCAP's layout (Busso et al. 2008): EmoEvaluation lists and one WAV a turn in five sessions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from training.corpora.naming import divide, find_unknown_labels
from training.corpora.utterance import Layout, Listing, Utterance, Whole

TITLE = "IEMOCAP"
RELEASE = "IEMOCAP_full_release"
# Excited is merged into happiness, as in the paper. xxx is a turn on which the annotators did not agree.
EMOTIONS = {
    "ang": "anger",
    "hap": "happiness",
    "exc": "happiness",
    "neu": "neutral",
    "sad": "sadness",
    "fru": "frustration",
    "fea": "fear",
    "sur": "surprise",
    "dis": "disgust",
    "oth": "other",
    "xxx": "no agreement",
}
SESSION = re.compile(r"Session(\d)")
# [6.2901 - 8.2357]	Ses01F_impro01_F000	neu	[2.5000, 2.5000, 2.5000]
TURN = re.compile(
    r"^\[[\d. ]+-[\d. ]+\]\s+(?P<dialog>Ses(?P<session>\d\d)\S+)_(?P<who>[FM])(?P<turn>\w+)\s+(?P<label>\w+)\s"
)


def read(root: Path) -> Listing:
    """List IEMOCAP: `IEMOCAP_full_release` or the folder that holds it.

    The speaker is the letter of the turn: `Ses01F_impro01_M003` is spoken by Ses01M, in the dialog in which the
    motion of Ses01F was captured.

    Raises:
        FileNotFoundError: there is no session, or no session has a turn in its EmoEvaluation lists.
    """
    release = root / RELEASE if (root / RELEASE).is_dir() else root
    sessions = sorted(p for p in release.glob("Session*") if p.is_dir() and SESSION.fullmatch(p.name))
    result = sorted((turn for session in sessions for turn in _read_session(session)), key=lambda u: u.name)
    if not result:
        message = f"no turn in SessionN/dialog/EmoEvaluation/*.txt under {release}"
        raise FileNotFoundError(message)
    return divide(result, find_unknown_labels(result, EMOTIONS))


def _read_session(session: Path) -> Iterator[Utterance]:
    for listed in sorted((session / "dialog" / "EmoEvaluation").glob("*.txt")):
        if listed.name.startswith("."):  # the release holds `._` shadows
            continue
        for line in listed.read_text(encoding="latin-1").splitlines():
            turn = TURN.match(line)
            if turn is not None:
                yield _build(session, turn)


def _build(session: Path, turn: re.Match[str]) -> Utterance:
    name = f"{turn['dialog']}_{turn['who']}{turn['turn']}"
    return Utterance(
        session / "sentences" / "wav" / turn["dialog"] / f"{name}.wav",
        name,
        f"Ses{turn['session']}{turn['who']}",
        EMOTIONS.get(turn["label"], turn["label"]),
        TITLE,
        source_label=turn["label"],
        session=int(session.name.removeprefix("Session")),
    )


LAYOUT = Layout(
    TITLE,
    "USC SAIL licence, on request",
    read,
    Whole(10, {"anger": 1103, "happiness": 1636, "neutral": 1708, "sadness": 1084}, "Table II of arXiv 2512.23435"),
    source="https://sail.usc.edu/iemocap",
    attribution="Busso et al., IEMOCAP: Interactive emotional dyadic motion capture database, "
    "Language Resources and Evaluation 42(4), 2008",
)
