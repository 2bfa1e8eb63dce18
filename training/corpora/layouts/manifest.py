"""Anybody's own corpus: a CSV with file, speaker, emotion and, if known, session, intensity, kind and licence."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from training.corpora.naming import divide, find_unknown_labels
from training.corpora.utterance import LABELS, Finding, FindingKind, Kind, Layout, Listing, Utterance

FILE_NAME = "manifest.csv"
COLUMNS = ("file", "speaker", "emotion")
UNKNOWN_SPEAKER = "unknown"
EVERYBODY = "everybody"  # The one speaker of a corpus without speaker ids, so that no split can part it.
TEST_ONLY = "test only"  # In the licence of recordings that nobody may train on.


def read(root: Path) -> Listing:
    """List a manifest: the CSV itself, or a folder that holds `manifest.csv`.

    Files are relative to the CSV's folder. Rows with another emotion than the four are reported by emotion, since a
    word like `happy` is more likely a slip than a fifth class. A column `defect` that is not empty leaves a row out.
    Where every speaker is `unknown`, the corpus counts as one speaker: nobody can tell who is on which side.

    Raises:
        FileNotFoundError: there is no such CSV.
        ValueError: a column is lacking, a cell is empty, a session is no number, a kind is unknown, what is assumed
            neutral has another emotion, only some speakers are unknown, or there is no row.
    """
    manifest = find_manifest(root)
    rows = read_rows(manifest)
    return list_rows(manifest, rows, title=manifest.parent.name if manifest.name == FILE_NAME else manifest.stem)


def find_manifest(root: Path) -> Path:
    """Return the CSV of a folder, or the CSV itself."""
    return root / FILE_NAME if root.is_dir() else root


def list_rows(
    manifest: Path, rows: Sequence[Mapping[str, str]], *, title: str, is_selection_only: bool = False
) -> Listing:
    """List the rows of a manifest, as `read` does.

    Args:
        manifest: the CSV.
        rows: what it holds.
        title: the corpus's name.
        is_selection_only: whether nobody may train on any of it; rows whose licence says TEST ONLY are so in any case.

    Raises:
        ValueError: as `read`.
    """
    result = [
        replace(item, is_selection_only=item.is_selection_only or is_selection_only)
        for item in (_build(manifest, number, row, title) for number, row in enumerate(rows, start=2))
    ]
    unknown = find_unknown_labels(result, {label: label for label in LABELS})
    ordered = sorted(_merge_speakers(manifest, result), key=lambda u: u.name)
    return divide(ordered, (*unknown, *read_listed_defects(manifest)))


def read_listed_defects(manifest: Path) -> tuple[Finding, ...]:
    """Return what the `defect` column of a manifest names; nothing where there is no such file or column."""
    if not manifest.is_file():
        return ()
    with manifest.open(newline="", encoding="utf-8-sig") as lines:
        rows = [(_name(row.get("file") or ""), row.get("defect") or "") for row in csv.DictReader(lines)]
    return tuple(Finding(FindingKind.LISTED, name, f"listed: {reason}") for name, reason in rows if reason)


def _name(file: str) -> str:
    """Name an utterance by its whole path: folders of speakers often repeat the same file names."""
    return PurePosixPath(file.strip()).with_suffix("").as_posix() if file.strip() else ""


def read_rows(manifest: Path, columns: Sequence[str] = COLUMNS) -> list[dict[str, str]]:
    """Return the rows of a manifest.

    Raises:
        FileNotFoundError: there is no such CSV.
        ValueError: one of the columns is lacking, or there is no row.
    """
    with manifest.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        lacking = [column for column in columns if column not in (reader.fieldnames or ())]
        rows = list(reader)
    if lacking:
        message = f"{manifest} has no column {', '.join(lacking)}; needed are {', '.join(columns)}"
        raise ValueError(message)
    if not rows:
        message = f"{manifest} has no row"
        raise ValueError(message)
    return rows


def _build(manifest: Path, number: int, row: Mapping[str, str], title: str) -> Utterance:
    empty = [column for column in COLUMNS if not _cell(row, column)]
    session = _cell(row, "session")
    if empty or not (session.isdecimal() or not session):
        problem = f"no {', '.join(empty)}" if empty else f"session {session!r}, which is no number"
        message = f"{manifest} line {number} has {problem}"
        raise ValueError(message)
    emotion, licence = _cell(row, "emotion"), _cell(row, "licence")
    return Utterance(
        manifest.parent / _cell(row, "file"),
        _name(row["file"]),
        _cell(row, "speaker"),
        emotion,
        title,
        source_label=emotion,
        session=int(session) if session else None,
        intensity=_cell(row, "intensity") or None,
        kind=_read_kind(manifest, number, _cell(row, "kind"), emotion),
        licence=licence or None,
        is_selection_only=TEST_ONLY in licence.lower(),
        is_speaker_known=_cell(row, "speaker").lower() != UNKNOWN_SPEAKER,
    )


def _cell(row: Mapping[str, str], column: str) -> str:
    return (row.get(column) or "").strip()


def _read_kind(manifest: Path, number: int, text: str, emotion: str) -> Kind:
    if text not in ("", *Kind):
        message = f"{manifest} line {number} has kind {text!r}; allowed are {', '.join(Kind)}, or nothing"
        raise ValueError(message)
    kind = Kind(text) if text else Kind.LABELLED
    if kind is Kind.ASSUMED_NEUTRAL and emotion != "neutral":
        message = f"{manifest} line {number} has kind {kind} and emotion {emotion!r}; allowed is neutral"
        raise ValueError(message)
    return kind


def _merge_speakers(manifest: Path, result: list[Utterance]) -> list[Utterance]:
    """Make one speaker of a corpus without speaker ids."""
    n_unknown = sum(not item.is_speaker_known for item in result)
    if 0 < n_unknown < len(result):
        message = (
            f"{manifest} has {n_unknown} of {len(result)} rows with speaker {UNKNOWN_SPEAKER}, who may be any of the others; "
            f"name every speaker, or write {UNKNOWN_SPEAKER} in every row"
        )
        raise ValueError(message)
    return [replace(item, speaker=EVERYBODY) for item in result] if n_unknown else result


LAYOUT = Layout("manifest", "its owner's", read)
