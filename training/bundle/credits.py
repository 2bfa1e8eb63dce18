"""The corpora that a bundle was made from, as its manifest and card name them: labels, licences, sources, whom to credit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from training.corpora.registry import find_layout
from training.corpora.utterance import Corpus, Kind, Layout
from training.protocols import Split
from training.tables import escape_cell, tabulate

KINDS = {
    Kind.LABELLED: "the corpus's own",
    Kind.ACTED: "acted",
    Kind.ACTED_JUDGED: "acted, kept where listeners agreed",
    Kind.NATURAL_TV: "of television talk",
    Kind.ASSUMED_NEUTRAL: "assumed neutral: nobody rated them",
}
HEADER = ["what", "use", "labels", "recordings", "licence", "source"]
SOUNDS = {"name": "synthesised non-speech sounds", "use": "training of the speech gate", "licence": "Apache-2.0"}
_WHISPER = {
    "name": "Whisper base encoder (OpenAI)",
    "use": "start weights",
    "licence": "MIT",
    "source": "https://github.com/openai/whisper",
    "attribution": "",
}
_MODEL_SOUNDS = {
    "name": "noise, tones, music-like and machine sounds",
    "use": "speech head",
    "licence": "Apache-2.0",
    "source": "synthesised by training/sounds/nonspeech.py",
    "attribution": "",
}
JUDGED = ("emodb", "ased", "emovo", "urdu")  # By which choices are made.
TUNED = "encoder layers 2 and 3, both heads"
LOOKED_AT = "development only: nothing trained on it, looked at while choosing"
SHOWN = "Whoever shows people what this model says must show them this too:"


def credit_layout(layout: Layout, *, use: str) -> dict[str, Any]:
    """Return the entry of a bundle's `training.corpora` for a corpus that is not loaded."""
    return {
        "name": layout.title,
        "use": use,
        "licence": layout.licence,
        "source": layout.source,
        "attribution": layout.attribution,
        "is_shown_to_users": layout.is_shown_to_users,
    }


def credit_corpus(layout: Layout, corpus: Corpus, *, use: str) -> dict[str, Any]:
    """Return the entry of a bundle's `training.corpora` for a corpus as it was used.

    Args:
        layout: that it was read by.
        corpus: whose recordings count, by kind of label and, where they have licences of their own, by licence.
        use: what it was used for.
    """
    kinds = Counter(u.kind for u in corpus.utterances)
    licences = Counter(u.licence or layout.licence for u in corpus.utterances)
    return {
        **credit_layout(layout, use=use),
        "name": corpus.name,
        "licence": _name_licences(licences) or layout.licence,
        "n_utterances": len(corpus.utterances),
        "labels": {str(kind): n for kind, n in sorted(kinds.items())},
    }


def list_sources(trained: Sequence[str] = ("crema-d",)) -> list[dict[str, Any]]:
    """Return the entries of the shipped model's `training.corpora`, a corpus that was only looked at included.

    Args:
        trained: layouts of the corpora that it was trained on.
    """
    uses = {"crema-d": f"{TUNED}: four emotions, 91 actors, twelve fixed English sentences"}
    entries = [credit_layout(find_layout(name), use=uses.get(name, TUNED)) for name in trained]
    judged = [credit_layout(find_layout(name), use=LOOKED_AT) for name in JUDGED if name not in trained]
    return [*entries[:1], dict(_WHISPER), dict(_MODEL_SOUNDS), *entries[1:], *judged]


def _name_licences(licences: Counter[str]) -> str:
    """Name one licence, or several with the number of recordings under each."""
    ordered = sorted(licences.items(), key=lambda item: (-item[1], item[0]))
    return ordered[0][0] if len(ordered) == 1 else ", ".join(f"{licence} ({n})" for licence, n in ordered)


def describe_use(split: Split, corpus: Corpus) -> str:
    """Say how many of a corpus's recordings a net was trained, stopped early and tested on."""
    sides = {"trained on": split.train, "stopped early on": split.validate, "tested on": split.test}
    counts = {side: sum(entry.corpus == corpus.name for entry in utterances) for side, utterances in sides.items()}
    return ", ".join(f"{n} {side}" for side, n in counts.items() if n) or "none used"


def write_credits(corpora: Sequence[Mapping[str, Any]]) -> str:
    """Return a manifest's `training.corpora` in Markdown: a table, and below it everybody whom a licence asks to name.

    Args:
        corpora: entries as `credit_layout` or `credit_corpus` makes them; only `name` and `licence` must be there.
    """
    named = [entry for entry in corpora if entry.get("attribution")]
    lines = [f"- {escape_cell(entry['name'])}: {escape_cell(entry['attribution'])}" for entry in named]
    shown = [f"- {escape_cell(entry['attribution'])}" for entry in named if entry.get("is_shown_to_users")]
    parts = [tabulate(HEADER, [_list_cells(entry) for entry in corpora])]
    parts += ["**Attribution.**\n\n" + "\n".join(lines)] if lines else []
    parts += [f"**{SHOWN}**\n\n" + "\n".join(shown)] if shown else []
    return "\n\n".join(parts)


def _list_cells(entry: Mapping[str, Any]) -> list[str]:
    labels = ", ".join(f"{KINDS[Kind(kind)]} ({n})" for kind, n in entry.get("labels", {}).items())
    n_utterances = str(entry.get("n_utterances", ""))
    cells = [entry["name"], entry.get("use", ""), labels, n_utterances, entry["licence"], entry.get("source", "")]
    return [escape_cell(cell) for cell in cells]
