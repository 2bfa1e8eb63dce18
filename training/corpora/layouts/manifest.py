"""Anybody's own corpus: a CSV with file, speaker, emotion and, if known, session and intensity; it never reads audio."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from training.corpora.naming import divide, find_unknown_labels
from training.corpora.utterance import LABELS, Finding, FindingKind, Layout, Listing, Utterance

FILE_NAME = "manifest.csv"
COLUMNS = ("file", "speaker", "emotion")


def read(root: Path) -> Listing:
    """List a manifest: the CSV itself, or a folder that holds `manifest.csv`.

    Files are relative to the CSV's folder. Rows with another emotion than the four are reported by emotion, since a
    word like `happy` is more likely a slip than a fifth class. A column `defect` that is not empty leaves a row out.

    Raises:
        FileNotFoundError: there is no such CSV.
        ValueError: a column is lacking, a cell is empty, a session is no number, or there is no row.
    """
    manifest = root / FILE_NAME if root.is_dir() else root
    rows = _read_rows(manifest)
    found = [_build(manifest, number, row) for number, row in enumerate(rows, start=2)]
    unknown = find_unknown_labels(found, {label: label for label in LABELS})
    return divide(sorted(found, key=lambda u: u.name), (*unknown, *read_listed_defects(manifest)))


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


def _read_rows(manifest: Path) -> list[dict[str, str]]:
    with manifest.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        lacking = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        rows = list(reader)
    if lacking:
        message = f"{manifest} has no column {', '.join(lacking)}; needed are {', '.join(COLUMNS)}"
        raise ValueError(message)
    if not rows:
        message = f"{manifest} has no row"
        raise ValueError(message)
    return rows


def _build(manifest: Path, number: int, row: Mapping[str, str]) -> Utterance:
    empty = [column for column in COLUMNS if not (row.get(column) or "").strip()]
    session = (row.get("session") or "").strip()
    if empty or not (session.isdecimal() or not session):
        problem = f"no {', '.join(empty)}" if empty else f"session {session!r}, which is no number"
        message = f"{manifest} line {number} has {problem}"
        raise ValueError(message)
    emotion = row["emotion"].strip()
    return Utterance(
        manifest.parent / row["file"].strip(),
        _name(row["file"]),
        row["speaker"].strip(),
        emotion,
        manifest.parent.name if manifest.name == FILE_NAME else manifest.stem,
        source_label=emotion,
        session=int(session) if session else None,
        intensity=(row.get("intensity") or "").strip() or None,
    )


LAYOUT = Layout("manifest", "its owner's", read)
