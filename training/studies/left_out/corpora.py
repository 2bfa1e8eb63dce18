"""The corpora that bundles are judged on, loaded once: what was found by decoding them is kept beside the scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.corpora import (
    Corpus,
    Finding,
    FindingKind,
    Kind,
    Layout,
    Utterance,
    find_layout,
    load_corpus,
)
from training.corpora.inspection import OnSound
from training.data.files import hash_text
from training.studies.left_out.fingerprint import fingerprint_code, hash_there

EXAMPLE = "ased=FOLDER"


@dataclass(frozen=True)
class ReadCorpus:
    """A corpus whose recordings are known by their bytes.

    Attributes:
        layout: what it was read by.
        corpus: without defective recordings.
        file_hashes: sha256 of each utterance's file, in the order of its utterances.
    """

    layout: Layout
    corpus: Corpus
    file_hashes: tuple[str, ...]


def parse_corpora(pairs: Sequence[str]) -> list[tuple[str, Path]]:
    """Return name and folder of each `NAME=FOLDER`.

    Raises:
        ValueError: one has another form, names no known corpus, or a name is there twice.
    """
    parsed: list[tuple[str, Path]] = []
    for pair in pairs:
        name, equals, folder = pair.partition("=")
        if not (name and equals and folder):
            raise ValueError(f"corpus {pair!r}; needed is NAME=FOLDER, such as {EXAMPLE}")
        find_layout(name)
        parsed.append((name, Path(folder)))
    names = [name for name, _ in parsed]
    if len(set(names)) != len(names):
        raise ValueError(f"corpora {', '.join(names)}; allowed is each name once")
    return parsed


def read_corpus(name: str, root: Path, *, folder: Path, on_sound: OnSound | None = None) -> ReadCorpus:
    """Read a corpus without its defective recordings; unchanged files are decoded once for all runs.

    Args:
        name: one of `list_layouts()`.
        root: its folder.
        folder: where findings are kept.
        on_sound: as in `inspect_listing`; not called for what was kept.

    Raises:
        FileNotFoundError: root holds nothing of that corpus.
        ValueError: there is no such layout, root holds another corpus, or nothing is left of it.
    """
    layout = find_layout(name)
    listing = layout.read(root)
    known = {one.path: hash_there(one.path) for one in (*listing.utterances, *listing.bystanders)}
    texts = [json.dumps([_write_utterance(one), known[one.path]]) for one in (*listing.utterances, *listing.bystanders)]
    kept = folder / f"corpus-{name}-{hash_text(name, fingerprint_code(), *texts)[:16]}.json"
    corpus = _read_kept(kept)
    if corpus is None:
        corpus = load_corpus(name, root, on_sound=on_sound)
        _keep(corpus, kept)
    if not corpus.utterances:
        reason = f", {corpus.defects[0].name}: {corpus.defects[0].reason}" if corpus.defects else ""
        raise ValueError(f"{root} has no usable recording of {corpus.name}; needed is at least 1{reason}")
    return ReadCorpus(layout, corpus, tuple(known[one.path] for one in corpus.utterances))


def _write_utterance(utterance: Utterance) -> dict[str, Any]:
    return {**asdict(utterance), "path": str(utterance.path)}


def _keep(corpus: Corpus, path: Path) -> None:
    document = {
        "name": corpus.name,
        "utterances": [_write_utterance(one) for one in corpus.utterances],
        "findings": [asdict(one) for one in corpus.findings],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(document), encoding="utf-8")
    unfinished.replace(path)


def _read_kept(path: Path) -> Corpus | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    utterances = [{**row, "path": Path(row["path"]), "kind": Kind(row["kind"])} for row in document["utterances"]]
    findings = [{**row, "kind": FindingKind(row["kind"])} for row in document["findings"]]
    return Corpus(
        document["name"],
        tuple(Utterance(**row) for row in utterances),
        tuple(Finding(**row) for row in findings),
        is_inspected=True,
    )
